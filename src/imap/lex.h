/* SPDX-License-Identifier: Apache-2.0 */
/* A cursor over the text of one response (RFC 3501 section 9), without the line end that
 * closes it. Literals stand in the text as they came: "{3}" CRLF and the bytes.
 *
 * What returns int gives 0 or, when the text at the cursor is something else, -1; the
 * cursor then stands anywhere, so who wants to go on keeps a copy of the struct. Slices
 * point into the text or, where escapes had to be undone, into the arena. */
#ifndef IMAP_LEX_H
#define IMAP_LEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "imap/response.h"

struct lex {
	const char *p, *end;
	struct arena *arena;
};

struct lex lex_of(struct bytes text, struct arena *arena);
struct bytes lex_rest(const struct lex *lex);

void lex_blanks(struct lex *lex);         /* skips blanks and tabs */
bool lex_at_end(struct lex *lex);         /* nothing but blanks left */
bool lex_at(const struct lex *lex, char c);
bool lex_take(struct lex *lex, char c);   /* skips blanks, then c if it stands there */

/* Up to the next blank, parenthesis or line end: atoms, flags, numbers, and what servers write for
 * such. May be empty. */
struct bytes lex_word(struct lex *lex);

int lex_string(struct lex *lex, struct bytes *ret);  /* quoted or literal */
int lex_astring(struct lex *lex, struct bytes *ret); /* that or a word */
int lex_nstring(struct lex *lex, struct bytes *ret); /* string or NIL, which gives BYTES_NULL */
bool lex_nil(struct lex *lex);                       /* skips NIL if it stands there */
int lex_number(struct lex *lex, uint64_t max, uint64_t *ret);

/* A mailbox name: an astring; but an unquoted name with blanks is taken up to " (" or the end. */
int lex_mailbox(struct lex *lex, struct bytes *ret);

/* One value of any shape: a word, string or list, however deep. */
int lex_skip(struct lex *lex);

/* Words or strings up to ")" or the end of the text, which is not consumed. */
void lex_words(struct lex *lex, struct imap_atoms *ret);
int lex_word_list(struct lex *lex, struct imap_atoms *ret); /* in parentheses; the last may miss */

/* "1:3,7,9:*": all ranges low <= high. The whole slice must be a set; 0 is no number here. */
int lex_set(struct bytes text, struct arena *arena, struct imap_set *ret);

#endif
