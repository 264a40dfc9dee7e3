/* SPDX-License-Identifier: Apache-2.0 */
/* Between parser.c, which gathers the text of a response, and the files that read it.
 * Inside imap/ only.
 *
 * The readers of one kind find the cursor after the response's name and fill their part of
 * the response; -1: the text means nothing to us, and to go on as if it had not come could
 * lose mail. */
#ifndef IMAP_PARSE_H
#define IMAP_PARSE_H

#include "base/bytes.h"
#include "imap/lex.h"
#include "imap/response.h"

/* What a response's first line tells about the rest of it. */
enum imap_form {
	IMAP_FORM_TEXT,  /* ends with the line, whatever stands there: tagged, "+", OK NO BAD … */
	IMAP_FORM_DATA,  /* a line may end in a literal */
	IMAP_FORM_FETCH, /* and that literal may be a body */
};

enum imap_form imap_form(struct bytes line);

/* Reads a whole response that is not a FETCH; text is without its line end. */
int imap_parse(struct bytes text, struct arena *arena, struct imap_response *to);

/* "[CODE arguments] text" after a condition. */
void imap_parse_code(struct lex *lex, struct imap_response *to);

int imap_parse_list(struct lex *lex, struct imap_response *to);
int imap_parse_lsub(struct lex *lex, struct imap_response *to);
int imap_parse_xlist(struct lex *lex, struct imap_response *to);
int imap_parse_namespace(struct lex *lex, struct imap_response *to);
int imap_parse_status(struct lex *lex, struct imap_response *to);
int imap_parse_search(struct lex *lex, struct imap_response *to);
int imap_parse_esearch(struct lex *lex, struct imap_response *to);
int imap_parse_vanished(struct lex *lex, struct imap_response *to);
int imap_parse_id(struct lex *lex, struct imap_response *to);

/* "* 12 FETCH (": the cursor stands before the attributes afterwards. */
void imap_parse_fetch_start(struct lex *lex, struct imap_fetch_data *to);

/* Reads attributes up to the end of the text. Returns 1 when it comes to a body that stands
 * in the text itself (quoted): then section and body_size are set, and the next call goes
 * on behind it. 0 at the end. -1 when an attribute cannot be read: what came before it is
 * kept, the rest is lost. */
int imap_parse_fetch(struct lex *lex, struct imap_fetch_data *to, struct bytes *ret_body);

/* Whether what stands before a literal ends in the name of a body item: the item's length,
 * with blanks after it, and its section; or 0. */
size_t imap_fetch_body_item(struct bytes before, struct bytes *ret_section);

#endif
