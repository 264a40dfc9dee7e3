/* SPDX-License-Identifier: Apache-2.0 */
/* The books: which messages have legs that are not settled, and what each of these legs is up to. They are made of the
 * journal's records and of nothing else: what is done now and what is replayed at a start go through the same
 * book_apply(). The ways a leg may go are journal/moves.h, which the audit uses too. No I/O, no fibers.
 *
 * Settled legs (delivered, returned) are only counted. Of the others not all are in memory: who has applied a record may
 * forget the legs of a message once the index has them (book_forget()), and must bring them back (book_restore())
 * before a record that names them is applied.
 *
 * Others read these structs; only book*.c and queue*.c write them. */
#ifndef GATEWAY_BOOK_H
#define GATEWAY_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/list.h"
#include "gateway/schedule.h"
#include "journal/records.h"

struct book;

/* Where mail goes. A leg that was neither routed nor attempted by what the records say goes nowhere yet. */
enum book_target { BOOK_OLD, BOOK_NEW, BOOK_TARGETS, BOOK_NOWHERE = BOOK_TARGETS };

/* Where a record is. segment 0: that is not known yet, since it is not durable. */
struct book_place {
	uint64_t sequence, segment;
	uint32_t offset; /* where its header begins */
	uint32_t length; /* of a BODY's payload; 0: not known */
};

/* Why a leg waits or is held: a short word, the same for all legs of that cause ("throttled", "route" …). */
struct book_cause;

struct book_message {
	uint64_t number;
	int64_t accepted_us;     /* wall clock */
	uint64_t size;           /* of the content */
	uint32_t n_recipients;
	struct book_place place; /* of its ACCEPT */
	struct list legs;        /* of struct book_leg: the unsettled ones that are in memory */
	uint32_t n_legs, n_away; /* in that list; unsettled and not in memory */
	bool is_durable;         /* its ACCEPT is: it may be delivered */
	bool is_dsn;             /* one of our own: what became of another message */

	/* For book*.c and queue*.c. */
	struct book_message *next_of_hash;
	struct list of_book, of_dirty, of_cache;
	struct bytes envelope;   /* the ACCEPT's payload, or empty; owned */
	struct bytes content;    /* all of it, or empty; owned */
	struct book_place *bodies; /* of its BODY records */
	struct book_place *events; /* of records that name it and that the index does not have */
	uint64_t *names;         /* hashes it is found by, that the index does not have */
	struct journal_leg *gone; /* settled legs that the index still has */
	size_t n_bodies, n_events, events_size, n_names, n_gone, gone_size;
	unsigned users;          /* who hold it in memory */
	bool is_dirty;           /* differs from the index */
	bool in_index;           /* there is a row of it */
};

/* A recipient's way to one side. */
struct book_leg {
	struct schedule_item item; /* in the schedule while it waits and while it is in a job */
	struct book_message *message;
	struct list of_message;
	struct list of_queue;    /* what queue*.c has it for: doubts, parked ones */
	struct book_leg *next_of_hash;
	uint32_t recipient;      /* index into the ACCEPT's list */
	uint8_t copy;            /* 1: the second leg under route both; never causes a DSN */
	uint8_t fate;            /* enum journal_fate: OPEN, ATTEMPTING, IN_DOUBT or HELD */
	uint8_t target;          /* enum book_target: where it goes, or went last */
	uint8_t has_intent;      /* ATTEMPTING: the final dot may have been sent */
	uint8_t is_flagged;      /* what goes out next may be a duplicate */
	uint8_t has_copy;        /* of a primary leg: its copy leg was opened */
	uint8_t is_parked;       /* its owner owes it a return or a hold */
	uint8_t is_taken;        /* IN_DOUBT: somebody sees to it */
	uint8_t in_index, is_dirty; /* there is a row of it; that differs */
	uint16_t code;           /* of the last reply, or 0 */
	uint16_t key_n;
	uint32_t attempts;       /* that ended in a temporary refusal of its own */
	uint64_t attempt;        /* the last one; 0: none yet */
	int64_t born_us;         /* its life counts from there: accepted, or released; wall clock */
	int64_t due_us;          /* OPEN: not before; wall clock */
	int64_t since_us;        /* when it got its fate; wall clock */
	const struct book_cause *cause; /* OPEN after a deferral, HELD, IN_DOUBT: why; else NULL */
	void *of_delivery;       /* for deliver.c, while the leg is in a job */
	const char *key;         /* compare key of its address; in the same allocation */
};

static inline struct bytes book_leg_key(const struct book_leg *leg)
{
	return (struct bytes){ leg->key, leg->key_n };
}

/* seed: of hashes. names: of the hashes that messages are found by, the index's. */
struct book *book_new(uint64_t seed, uint64_t names);
struct book *book_free(struct book *book); /* legs must be out of the schedule; accepts NULL, returns NULL */
DEFINE_FREEP(struct book, book_free);

/* --- records --------------------------------------------------------------------------------- */

/* Whether that record may come now: each leg is known and stands where such a record finds it. 0, or -1 with
 * FAULT_DATA. Changes nothing. Legs that are not in memory count as not known. */
int book_may(const struct book *book, enum journal_type type, const void *record, struct fault *fault);

/* Applies a decoded record. Same results as book_may(); after a failure the books are of no use any more. A leg that this settles is
 * freed: it must be out of the schedule. payload: of an ACCEPT, kept as the message's envelope; or empty. */
int book_apply(struct book *book, enum journal_type type, const void *record, struct bytes payload,
	       const struct book_place *place, int64_t wall_us, struct fault *fault);

/* Of an empty book: records are replayed from the middle on, as what was before is settled and was removed. Until the end of the
 * replay records pass over legs that were accepted before the first ACCEPT there is. */
void book_begin_in_the_middle(struct book *book);

/* … and this is what was before. */
void book_add_base(struct book *book, const struct journal_base *base);

/* A BODY record that is replayed: an ACCEPT may name it. What none names is forgotten by book_end_replay(). */
void book_body(struct book *book, const struct book_place *place);
void book_end_replay(struct book *book);

/* A DROPPED record that is replayed: this one needs not be dropped again. */
void book_drop_body(struct book *book, uint64_t sequence);

/* What book_end_replay() would forget, by sequence; to be freed. How many. */
size_t book_orphans(const struct book *book, struct book_place **ret);

/* --- looking --------------------------------------------------------------------------------- */

struct book_message *book_message(const struct book *book, uint64_t number); /* NULL: not in memory */
struct book_leg *book_leg(const struct book *book, const struct journal_leg *leg);

uint64_t book_last_number(const struct book *book);  /* of messages; 0: none yet */
uint64_t book_last_attempt(const struct book *book);
uint64_t book_position(const struct book *book);     /* sequence of the last record applied */
size_t book_legs_in_memory(const struct book *book);

/* In step with what was applied: what journal_sign_off() wants. Lives as long as the book. */
const struct journal_tallies *book_tallies(const struct book *book);

/* Unsettled legs of a target (BOOK_NOWHERE too) in a fate (OPEN, ATTEMPTING, IN_DOUBT, HELD), in memory or not. */
uint64_t book_count(const struct book *book, enum book_target target, enum journal_fate fate);

/* Each cause with its legs: for (at = 0; book_next_cause(book, &at, &view); ) */
struct book_cause_view {
	const char *name;
	uint64_t legs[BOOK_TARGETS + 1][JOURNAL_FATES];
};

bool book_next_cause(const struct book *book, size_t *at, struct book_cause_view *ret);
const char *book_cause_name(const struct book_cause *cause); /* NULL gives "" */

/* --- for queue*.c and index.c ---------------------------------------------------------------- */

/* A leg goes that way from now on, by the routes. */
void book_direct(struct book *book, struct book_leg *leg, enum book_target target);

/* What a name is found by; kind: 'm' Message-ID, 'a' address (its compare key), 'c' content's digest. Never negative as
 * int64_t. */
uint64_t book_name(uint64_t names, char kind, struct bytes name);

/* The compare key of an address as it stands in a record. */
struct bytes book_key(struct bytes address, struct arena *arena);

/* Looking into what the index gives: the message, made if it is not in memory, clean; then its legs (fields but the links set;
 * counts stay as they are: they had it all the time, as away). */
struct book_message *book_restore(struct book *book, uint64_t number);
struct book_leg *book_restore_leg(struct book *book, struct book_message *message, const struct book_leg *from,
				  struct bytes key, const char *cause);

/* The leg is in the index as it is: out of memory with it. It must be clean, and in nobody's list. */
void book_forget_leg(struct book *book, struct book_leg *leg);

/* Frees the message if nothing keeps it: legs in memory, users, changes. */
void book_tidy(struct book *book, struct book_message *message);

/* Of all messages in memory, and of those that differ from the index. */
struct list *book_messages(struct book *book);
struct list *book_dirty(struct book *book);
size_t book_n_dirty(const struct book *book);
void book_touch(struct book *book, struct book_message *message); /* makes it dirty */
void book_clean(struct book *book, struct book_message *message); /* takes it off the list, as it is */

/* At a start: totals as the index has them, then the legs it has. */
struct book_totals {
	struct journal_tallies tallies;
	uint64_t last_number, last_attempt, position;
};
void book_set_totals(struct book *book, const struct book_totals *totals);
void book_add_count(struct book *book, enum book_target target, enum journal_fate fate, const char *cause, uint64_t n);

#endif
