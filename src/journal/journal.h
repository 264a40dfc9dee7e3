/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of the gateway: what was accepted and what became of it, one record after the other, durable in common.
 * Invariants J1 to J14: docs/design/journal.md. One process writes (a lock sees to it), through one struct journal, in
 * fibers. Reading: reader.h; checking: audit.h.
 *
 *	STATE/journal/journal.id         five characters
 *	              NNNNNNNNNN.seg     segments, from 1
 *	              spare, next        the next segment, zeros: made ahead of time; by the writer, for want of one
 *	              key.pem, key.pub.pem, checkpoints/SEQUENCE.txt and .sig
 *	              lock */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "journal/key.h"
#include "journal/reader.h"
#include "run/run.h"

struct journal;

/* Called on a worker thread while the opening fiber waits, for each record from replay_from on, in order; what it sees is
 * durable. A negative result ends the opening with its fault. */
typedef int (*journal_replay_fn)(void *arg, const struct journal_record *record, struct fault *fault);

struct journal_config {
	const char *path;      /* the journal's folder; made if need be */
	uint64_t segment_size; /* 0: 64 MiB */
	uint64_t max_bytes;    /* quota of all segments together; 0: none */
	uint64_t low_water;    /* what must be left free in the file system to accept anything */
	uint64_t reserve;      /* of a segment, for what is not ACCEPT or BODY; 0: 4 MiB, at most a quarter of it */
	size_t queue_max;      /* bytes that wait to be written; 0: 8 MiB */
	journal_replay_fn replay;
	void *arg;
	uint64_t replay_from; /* a sequence number: all before it were durable once. If they are not there: FAULT_DATA */
};

/* Recovers, then is ready for writing. FAULT_REFUSED: another process has it. FAULT_DATA: it is damaged, where and how is said,
 * and nothing was changed. A torn tail is cut. The fiber that opens it closes it. */
SUSPENDS int journal_open(const struct journal_config *config, struct journal **ret, struct fault *fault);

/* Writes what is queued, unless the journal failed, whatever the caller's deadline. Accepts NULL, returns NULL. */
SUSPENDS struct journal *journal_close(struct journal *j);

const char *journal_id(const struct journal *j);
const char *journal_path(const struct journal *j);

/* The wall clock when the last record was put that was there before; 0: there was none. */
int64_t journal_last_wall(const struct journal *j);

/* What recovery did, a sentence; empty: there was nothing to do. */
const char *journal_recovered(const struct journal *j);

/* --- writing --------------------------------------------------------------------------------- */

/* Queues a record whose payload is these pieces, one behind the other (at most JOURNAL_PAYLOAD_MAX in all), and gives its sequence.
 * It is not durable yet. Waits while the queue is full; while the disk is full, ACCEPT and BODY are refused with
 * FAULT_LIMIT, AGAIN_LATER (452). After it returned 0 the record will be written, whatever becomes of the caller. */
SUSPENDS int journal_append(struct journal *j, enum journal_type type, const struct bytes *pieces, size_t n,
			    uint64_t *ret_sequence, struct fault *fault);

/* The same of a BODY whose SHA-256 the caller has: it is believed. */
SUSPENDS int journal_append_body(struct journal *j, struct bytes piece, const unsigned char digest[JOURNAL_DIGEST],
				 uint64_t *ret_sequence, struct fault *fault);

/* The same of a struct of records.h, the one of that type. */
SUSPENDS int journal_put(struct journal *j, enum journal_type type, const void *record, uint64_t *ret_sequence,
			 struct fault *fault);

/* Waits until a record of that type and size (journal_record_size() of its payload's length) can be queued at once, or refuses it:
 * after 0, journal_append() does not suspend if nothing else does between. For who must know what he writes to be true at that
 * very moment. */
SUSPENDS int journal_wait_for_room(struct journal *j, enum journal_type type, size_t size, struct fault *fault);

/* 0 when the record and all before it are durable. On failure nobody knows. After FAULT_LOCAL or FAULT_LIMIT of a commit the journal is
 * of no use any more: every later call fails with the same words; end the process and recover. */
SUSPENDS int journal_commit(struct journal *j, uint64_t sequence, struct fault *fault);

uint64_t journal_durable(const struct journal *j); /* the last record that is; 0: none */

/* Where the record is, if that is known without looking into the files: it is durable, and one of the last 131,072 or
 * remembered. */
bool journal_known_place(const struct journal *j, uint64_t sequence, uint64_t *ret_segment, uint64_t *ret_offset);

/* Where the record that was just appended will be is known until journal_forget(), however many follow: for a BODY whose ACCEPT
 * may take long to come. Forgetting what is not remembered is harmless. */
void journal_remember(struct journal *j, uint64_t sequence);
void journal_forget(struct journal *j, uint64_t sequence);

/* Where the record is. It must be durable. May have to read a whole segment. */
SUSPENDS int journal_place(struct journal *j, uint64_t sequence, uint64_t *ret_segment, uint64_t *ret_offset,
			   struct fault *fault);

struct journal_stand {
	uint64_t segments, segment; /* how many there are; the one written to */
	uint64_t used_bytes; /* that all of them take on the disk: holes are free; at the last look */
	uint64_t batches, records, bytes; /* written by this process */
	int64_t commit_us; /* that its batches took, from when a thread was asked for to when they were durable */
	uint64_t retired; /* segments given up after a write or sync failed */
	uint64_t free_bytes; /* of the file system, at the last look */
	bool is_low; /* ACCEPT and BODY are refused */
};

void journal_stand(const struct journal *j, struct journal_stand *ret);

/* --- keeping it small ------------------------------------------------------------------------ */

/* Gives back the disk space of bodies: puts the DROPPED record that names them, makes that durable, then punches them out. What
 * lies in whole blocks of the file system is free then (4 KiB each), the rest is zeros. */
SUSPENDS int journal_drop(struct journal *j, const struct journal_dropped *dropped, struct fault *fault);

/* Says, durably, that the segments up to dropped->segments_to are going; then journal_remove() may take them. The caller knows that
 * nothing in them is needed any more, and what they held (base). FAULT_USAGE: one of them is still written to. */
SUSPENDS int journal_expire(struct journal *j, const struct journal_dropped *dropped, struct fault *fault);

/* Removes the segments up to `to`, in order. A DROPPED record has said so before. What is not there is fine. */
SUSPENDS int journal_remove(struct journal *j, uint64_t to, struct fault *fault);

/* Punches out what a DROPPED record names; again is harmless. Blocks. */
int journal_punch(const char *path, const struct journal_drop *bodies, size_t n, struct fault *fault);

/* --- proving it ------------------------------------------------------------------------------ */

/* Makes what is queued durable and signs the chain up to there: a CHECKPOINT record, then the files checkpoints/SEQUENCE.txt and
 * .sig. *tallies (may be NULL) are the keeper's books; they are read at the very moment the record is queued, so they must be in
 * step with what was appended whenever a fiber suspends. */
SUSPENDS int journal_sign_off(struct journal *j, const struct journal_tallies *tallies, struct fault *fault);

#endif
