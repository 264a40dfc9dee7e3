/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of the envelope: Path and Mailbox of RFC 5321 section 4.1.2, with RFC 6531. No I/O.
 *
 * Quoting is normalised: `local` is what the quoted or unquoted local part stands for, and writing it quotes
 * it if it must be. Source routes are dropped (RFC 5321 appendix C).
 *
 * More lenient than the grammar, where only one meaning is possible: dots at the ends of a local part or
 * doubled (they exist, at docomo.ne.jp), "_" in a domain, blanks between the colon and "<" (command.c).
 * Stricter: an address holds no control characters, of ASCII or Unicode, and nothing that turns the
 * direction of text, so it may stand in a log line, a trace header or a table. General address literals
 * ("[x400:…]") are refused.
 *
 * Limits are those of RFC 5321 section 4.5.3.1: domain 255, local part 64 octets; a longer local part (bounce
 * addresses of mailing services) is accepted as long as the path is within 256. */
#ifndef SMTP_ADDRESS_H
#define SMTP_ADDRESS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "smtp/answer.h"

enum { SMTP_LOCAL_MAX = 64, SMTP_DOMAIN_MAX = 255, SMTP_PATH_MAX = 256 };

/* The most smtp_address_append() writes: every byte of the local part escaped. */
enum { SMTP_ADDRESS_TEXT_MAX = 2 * SMTP_PATH_MAX + SMTP_DOMAIN_MAX + 3 };

struct smtp_address {
	struct bytes local;  /* without quoting; empty with an empty domain: the null path "<>" */
	struct bytes domain; /* as it came, or "[…]"; empty: null path, or "postmaster" alone */
	bool is_utf8;        /* holds non-ASCII: may pass only with SMTPUTF8 */
	bool is_literal;     /* domain is an address literal */
};

enum smtp_path_role { SMTP_PATH_REVERSE, SMTP_PATH_FORWARD };

/* Takes a path in angle brackets off the front of *rest. NULL when done, else what to answer (501 or 553 with
 * 5.1.x, *rest as it was). Only a reverse path may be "<>", only a forward path "<postmaster>". Slices are of
 * *rest or, when quoting had to be undone, of the arena. */
const struct smtp_answer *smtp_path_take(struct bytes *rest, enum smtp_path_role role, struct arena *arena,
					 struct smtp_address *ret);

/* A Mailbox without brackets, the whole slice: for lists and configuration. Same results. */
const struct smtp_answer *smtp_mailbox_parse(struct bytes text, struct arena *arena, struct smtp_address *ret);

bool smtp_address_is_null(const struct smtp_address *a);

/* Appends the mailbox as it stands between brackets, quoted where needed; nothing for the null path. */
void smtp_address_append(struct buf *to, const struct smtp_address *a);

/* What addresses are compared by: local part and domain, ASCII letters in lower case, quoting undone, with "@"
 * between. The same mailbox in another spelling has the same key. In the arena. */
struct bytes smtp_address_key(const struct smtp_address *a, struct arena *arena);

/* Splits local at the first of the separators ("+-") that neither begins nor ends it: true with the parts, or
 * false with all of it as the user. */
bool smtp_local_split(struct bytes local, const char *separators, struct bytes *ret_user, struct bytes *ret_detail);

/* A domain name (ASCII, or UTF-8 as RFC 6531 has it), or an address literal in brackets; whole slice. */
bool smtp_domain_is_valid(struct bytes domain);

#endif
