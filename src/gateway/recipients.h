/* SPDX-License-Identifier: Apache-2.0 */
/* Who our recipients are: what the configuration says (domains and their defaults, aliases, the list of mailboxes), and what
 * recipients_file or recipients_command say, read again every recipients_refresh. What that changes in the table of routes
 * becomes ROUTES records, durable before they take effect.
 *
 * Others change the table too: operators, by `mailferry route set`. So what was read is held against what was read the last
 * time (STATE/gateway/recipients), and only what differs between the two is a change:
 *	- who is only listed gets the route old if he has none, and never another one from here;
 *	- a source that names a route changes it when it names another one than the last time;
 *	- who is no longer named goes out of the table if his route is still the one he got from here;
 *	- domains that are no longer configured go out in any case.
 *
 * When a source cannot be read, or not understood, or names nobody after it named somebody, all stays as it is and keeper.is_unsure
 * is set until it can. */
#ifndef GATEWAY_RECIPIENTS_H
#define GATEWAY_RECIPIENTS_H

#include "gateway/keeper.h"

struct recipients;

/* Reads all of it and changes the routes: k->recipients. A source that cannot be read is no failure. */
SUSPENDS int recipients_open(struct keeper *k, struct fault *fault);

/* Does so again and again, and when the configuration was replaced: a fiber. arg: struct recipients. */
SUSPENDS int recipients_run(void *arg, struct fault *fault);

struct recipients *recipients_free(struct recipients *recipients); /* accepts NULL, returns NULL */

/* --- recipients-read.c: texts, no fibers --------------------------------------------------------- */

/* What is known of a key: a route, or one of these. */
enum {
	RECIPIENT_LISTED = 16, /* no route was named */
	RECIPIENT_ALIAS = 17,  /* its target is in aliases */
	RECIPIENT_WORD = 31,   /* the bits that say that */
	RECIPIENT_SOURCE = 32, /* together with it: the file or command said so */
};

struct recipient_table {
	struct map words;      /* compare key, or "@domain" → recipient_word() */
	struct map aliases;    /* compare key → char *, owned: the compare key of the other */
	size_t n_source;       /* words with RECIPIENT_SOURCE */
};

void recipient_table_init(struct recipient_table *table, uint64_t seed);
void recipient_table_done(struct recipient_table *table); /* for _cleanup_ */

unsigned recipient_word(const struct recipient_table *table, struct bytes key); /* 0: it is not in it */
void recipient_put(struct recipient_table *table, struct bytes key, unsigned word);

/* false: one of them is no address. */
bool recipient_put_alias(struct recipient_table *table, struct bytes from, struct bytes to);

/* The compare key of an address, in the arena; false: it is none. */
bool recipient_key(struct bytes address, struct arena *arena, struct bytes *ret);

/* Adds what a source says, a line each: ADDRESS, or ADDRESS ROUTE; blank lines and those that begin with # say nothing. Later
 * lines count. Who is of none of the table's domains is not added, and counted. FAULT_DATA names the first line that cannot be
 * understood; what stood before it was added. */
int recipients_parse(struct bytes text, struct recipient_table *table, size_t *ret_foreign, struct fault *fault);

/* The file of what was read the last time. */
void recipients_write(const struct recipient_table *table, struct buf *to);
int recipients_read(struct bytes text, struct recipient_table *table, struct fault *fault);

#endif
