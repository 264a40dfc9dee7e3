/* SPDX-License-Identifier: Apache-2.0 */
/* Doubt of the other side: messages that we accepted and whose senders may not know it, as their machine did not take our
 * 250. One who sends such a message again from the same network, the same to the byte to the same recipients, gets the
 * first one's queue id and no second copy: for as long as messages may wait, or for an hour if it has no Message-ID (a machine
 * that reports the same thing twice). Who has the 250 may well mean it when the same comes again: then nothing is remembered.
 *
 * In memory; after a start filled from the end of the journal. Bounded: the oldest are forgotten. No I/O. */
#ifndef GATEWAY_INBOUND_H
#define GATEWAY_INBOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "journal/records.h"

enum { INBOUND_MAX = 1 << 16 };

struct inbound;

struct inbound_entry {
	struct list of_slot; /* of who waits to hear of it; free for the user */
	struct list of_age;
	struct inbound_entry *next_of_hash, *next_of_number;
	uint64_t key[2];
	uint64_t message;
	int64_t wall_us;     /* when it was accepted */
	bool is_unheard;     /* the sender went away; else it may still be heard */
};

struct inbound *inbound_new(const uint64_t seed[2]);
struct inbound *inbound_free(struct inbound *inbound); /* accepts NULL, returns NULL */

/* What content (its digest), reverse path, recipients (in whatever order) and the peer's network (/24 or /64) make. */
void inbound_key(const struct inbound *inbound, const struct journal_accept *accept, uint64_t to[2]);

/* The entry is known until inbound_forget(), or until it is the oldest of too many: it then leaves of_slot by itself. */
struct inbound_entry *inbound_add(struct inbound *inbound, const uint64_t key[2], uint64_t message, int64_t wall_us);
void inbound_forget(struct inbound *inbound, struct inbound_entry *entry);

/* An unheard one with that key accepted since that moment, or NULL. */
struct inbound_entry *inbound_find(const struct inbound *inbound, const uint64_t key[2], int64_t since_us);

/* For a replay: the one of a message, or NULL; and at its end: who was accepted since that moment is unheard, who was before and
 * is not is forgotten. */
struct inbound_entry *inbound_of(const struct inbound *inbound, uint64_t message);
void inbound_end_replay(struct inbound *inbound, int64_t since_us);

size_t inbound_count(const struct inbound *inbound);

#endif
