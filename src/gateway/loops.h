/* SPDX-License-Identifier: Apache-2.0 */
/* Mail that goes round in circles: between the platforms, with us in the middle. Three signs, each enough: too many
 * Received fields; our own signed token, of the same message for the same recipient a second time (the first time is
 * what a user who was just moved, or a forward, makes); the same Message-ID and text for the same recipient again and again, when
 * a platform has taken our fields away. Bounded memory, no I/O; after a start it begins anew. */
#ifndef GATEWAY_LOOPS_H
#define GATEWAY_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"

enum {
	LOOPS_RETURNS = 2, /* a recipient's message back with our token so often trips */
	LOOPS_REPEATS = 5, /* the same again so often within LOOPS_WINDOW */
};

#define LOOPS_WINDOW (INT64_C(3600) * 1000000)

struct loops;

struct loops *loops_new(const uint64_t seed[2]);
struct loops *loops_free(struct loops *loops); /* accepts NULL, returns NULL */
DEFINE_FREEP(struct loops, loops_free);

/* What is looked at: of a message, for each recipient. */
struct loops_sight {
	uint64_t received, received_limit;
	uint64_t origin;      /* the earliest message of ours that it has a good token of; 0: none */
	struct bytes message_id;
	uint64_t text;        /* loops_text() of its body; 0: not known */
};

enum loops_sign { LOOPS_NONE, LOOPS_RECEIVED, LOOPS_TOKEN, LOOPS_REPEATED };

/* Counts it, and tells whether that is a loop. key: the recipient's compare key. */
enum loops_sign loops_see(struct loops *loops, const struct loops_sight *sight, struct bytes key, int64_t now);

/* Takes back what loops_see() counted: it was not accepted, so it comes again without having gone round. */
void loops_unsee(struct loops *loops, const struct loops_sight *sight, struct bytes key);

/* Of the first piece of content: a hash of what follows the header, as far as it is in that piece (4 KiB at most); never 0
 * unless there is none. */
uint64_t loops_text(const struct loops *loops, struct bytes content);

const char *loops_reason(enum loops_sign sign); /* a sentence */

/* --- tokens ---------------------------------------------------------------------------------- */

enum { TOKEN_SIZE = 16, TOKEN_KEY = 32 };

struct token_maker;

struct token_maker *token_maker_new(const unsigned char key[TOKEN_KEY]);
struct token_maker *token_maker_free(struct token_maker *maker); /* accepts NULL, returns NULL */

/* HMAC-SHA-256 of the queue id, its first half. */
void token_make(struct token_maker *maker, struct bytes queue_id, unsigned char to[TOKEN_SIZE]);

/* "QUEUE-ID HEX" of an X-Mailferry-Trace field: whether it is one of ours. *ret_queue_id is of text. */
bool token_is_good(struct token_maker *maker, struct bytes text, struct bytes *ret_queue_id);

#endif
