/* SPDX-License-Identifier: Apache-2.0 */
/* The index: what the books do not keep in memory, in a SQLite file that is made anew from the journal whenever it is
 * missing, damaged or another journal's. It is in step with the journal up to a record (its position), which is in
 * the same transaction as what that record did. Only durable records go in.
 *
 *	state    one row: journal, position, totals
 *	route    the table of routes
 *	message  those with unsettled legs, and where their content is
 *	leg      unsettled ones
 *	event    of every message: where the records are that name it
 *	name     hashes of Message-ID, addresses and content, to messages
 *
 * Hashes may collide: who looks for a name reads the ACCEPT. Everything blocks, one call at a time; who is inside
 * run_main() uses pool_call(). */
#ifndef GATEWAY_INDEX_H
#define GATEWAY_INDEX_H

#include "gateway/book.h"
#include "gateway/router.h"

struct index;

/* A leg's place in its message. */
static inline uint32_t index_slot(uint64_t recipient, uint64_t copy)
{
	return (uint32_t)(2 * recipient + copy);
}

/* Opens the file, or begins a new one when there is none or it is of no use (*ret_said: a sentence why, or ""). names: for a new
 * one, unpredictable. */
int index_open(const char *path, uint64_t names, struct index **ret, char ret_said[160], struct fault *fault);
struct index *index_close(struct index *index); /* accepts NULL, returns NULL */
DEFINE_FREEP(struct index, index_close);

/* Begins anew: it turned out not to belong to this journal. */
int index_clear(struct index *index, struct fault *fault);

/* --- writing --------------------------------------------------------------------------------- */

struct index_leg {
	struct book_leg leg; /* no links */
	struct bytes key;
	const char *cause;
};

struct index_change { /* of one message */
	struct book_message *message; /* as it was; not touched */
	uint64_t number;
	bool is_put, is_dropped;
	int64_t accepted_us;
	uint64_t size;
	uint32_t n_recipients, n_live; /* n_live: unsettled legs */
	bool is_dsn;
	struct index_leg *legs;
	struct journal_leg *gone;
	struct book_place *events, *bodies, place;
	uint64_t *names;
	size_t n_legs, n_gone, n_events, n_bodies, n_names;
};

struct index_route {
	struct bytes key, target;
	enum route route;
	bool is_out; /* taken out of the table */
	uint32_t changed_s;
};

/* How far the journal was given back (journal_dropped): said again with each batch, as it is told. */
struct index_kept {
	uint64_t looked_to, removed_to, routes_from;
	struct journal_base base;
};

struct index_batch {
	struct arena arena;
	struct index_change *changes;
	size_t n;
	struct index_route *routes;
	size_t n_routes;
	bool is_whole;      /* the routes are the whole table */
	uint64_t epoch;     /* of the routes */
	uint64_t routed;    /* all legs in the index go where the table of this epoch says */
	struct book_totals totals;
	struct index_kept kept;
	char journal[JOURNAL_ID_LEN + 1];
};

/* Takes what differs from the index off the books: they are clean afterwards, and legs that stay in memory are as the index will have
 * them. Each message is held once (users) until index_release(). Does not block. */
void index_gather(struct book *book, struct index_batch *batch);

/* Writes the batch as one transaction. All places must be known. */
int index_write(struct index *index, struct index_batch *batch, struct fault *fault);

/* Frees the batch and gives its messages back; they are not tidied. */
void index_release(struct book *book, struct index_batch *batch);

/* --- reading --------------------------------------------------------------------------------- */

const char *index_journal(const struct index *index);  /* "": none yet */
uint64_t index_names(const struct index *index);       /* for book_name() */
uint64_t index_epoch(const struct index *index);
uint64_t index_routed(const struct index *index);
uint64_t index_position(const struct index *index);
const struct index_kept *index_kept(const struct index *index);

/* Totals, and the books' counts of what is unsettled. FAULT_DATA: they do not agree. */
int index_totals(struct index *index, struct book *book, struct fault *fault);

/* Each route. */
int index_routes(struct index *index, int (*fn)(void *arg, const struct index_route *route, struct fault *fault),
		 void *arg, struct fault *fault);

struct index_message {
	uint64_t number, size;
	int64_t accepted_us;
	uint32_t n_recipients, n_legs; /* n_legs: unsettled ones in the index */
	bool is_dsn;
	struct book_place place;
	struct book_place *bodies;
	size_t n_bodies;
};

struct index_row {
	struct index_message message;
	struct index_leg leg; /* leg.leg.message is NULL */
};

struct index_rows {
	struct arena arena;
	struct index_row *rows;
	size_t n, size;
};

void index_rows_done(struct index_rows *rows);

/* All legs of a message; none: it is not in it. */
int index_read_message(struct index *index, uint64_t number, struct index_rows *ret, struct fault *fault);

struct index_due { /* a place in the order of what is due */
	int64_t due_us;
	uint64_t number;
	uint32_t slot;
};

/* OPEN legs for a target behind *after, due up to `to`, in order, at most limit. */
int index_read_due(struct index *index, enum book_target target, const struct index_due *after, int64_t to, size_t limit,
		   struct index_rows *ret, struct fault *fault);

/* When the first leg behind *after is due; INT64_MAX: there is none. */
int index_next_due(struct index *index, enum book_target target, const struct index_due *after, int64_t *ret_us,
		   struct fault *fault);

/* Legs in that fate, by message, at most limit. */
int index_read_fate(struct index *index, enum journal_fate fate, size_t limit, struct index_rows *ret,
		    struct fault *fault);

/* When the message with the lowest number was accepted; 0: there is none. */
int index_oldest(struct index *index, int64_t *ret_us, struct fault *fault);

struct index_filter {
	uint64_t message;   /* 0: any */
	struct bytes key;   /* "@domain": all of it; empty: any */
	unsigned fates;     /* 1 << fate for each wanted */
	int target;         /* -1: any */
	struct bytes cause; /* empty: any */
	struct journal_leg after;
};

int index_list(struct index *index, const struct index_filter *filter, size_t limit, struct index_rows *ret,
	       struct fault *fault);

/* Messages by a hash of book_name(), newest first, below `below` (0: all). */
int index_find(struct index *index, uint64_t name, uint64_t below, size_t limit, struct arena *arena, uint64_t **ret,
	       size_t *ret_n, struct fault *fault);

/* How many of these there are below `below`, counted up to max. */
int index_count(struct index *index, uint64_t name, uint64_t below, uint64_t max, uint64_t *ret, struct fault *fault);

/* Whether anything of the message is unsettled. */
int index_is_live(struct index *index, uint64_t number, bool *ret, struct fault *fault);

/* The first record that an unsettled message needs, of all of them; UINT64_MAX: there is none. Looks at each. */
int index_first_needed(struct index *index, uint64_t *ret, struct fault *fault);

/* Forgets these messages: where records are that name them, and by what they are found. */
struct index_forgotten {
	uint64_t number;
	uint64_t *names; /* of book_name() */
	size_t n_names;
};

int index_forget(struct index *index, const struct index_forgotten *messages, size_t n, struct fault *fault);

/* Where the records are that name a message, in order. */
int index_events(struct index *index, uint64_t number, struct arena *arena, struct book_place **ret, size_t *ret_n,
		 struct fault *fault);

#endif
