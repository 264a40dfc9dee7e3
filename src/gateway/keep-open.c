/* SPDX-License-Identifier: Apache-2.0 */
/* What accepting begins with: the key of our tokens; and which of the last messages may be unheard of by those who sent
 * them, from the end of the journal. When a process ends its sessions end, and so does what it knew of them: whatever was accepted
 * shortly before counts as unheard. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/keep.h"
#include "os/file.h"
#include "os/folder.h"

enum { SEGMENTS = 2 }; /* of the journal's end are read */

#define SHORTLY (10 * MINUTE) /* RFC 5321 section 4.5.3.2.6: how long a client waits for our 250 */

/* --- the key --------------------------------------------------------------------------------- */

struct key_job {
	const char *path;
	unsigned char key[TOKEN_KEY];
};

static int read_key(void *arg, struct fault *fault)
{
	struct key_job *job = arg;
	_cleanup_(buf_wipe) struct buf text = BUF_NULL;
	struct os_stamp stamp;
	int r = os_stamp(job->path, &stamp, fault);

	if (r < 0)
		return -1;
	if (r == 1)
		return os_replace_file(job->path, (struct bytes){ (const char *)job->key, TOKEN_KEY }, fault);
	if (os_read_file(job->path, TOKEN_KEY, &text, fault) < 0)
		return -1;
	if (text.n != TOKEN_KEY)
		return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER,
				 "%s holds no key; remove it, and loops of mail from before are not known any more", job->path);
	memcpy(job->key, text.p, TOKEN_KEY);
	return 0;
}

/* --- the journal's end ----------------------------------------------------------------------- */

struct tail_job {
	const char *path, *id;
	struct inbound *inbound;
	int64_t last_us;
};

static void take_accept(struct tail_job *job, const struct journal_record *record, struct arena *arena)
{
	struct journal_accept accept;
	struct fault fault;
	uint64_t key[2];

	if (fields_decode(journal_table(JOURNAL_ACCEPT), record->payload, arena, &accept, &fault) < 0 || accept.dsn_for)
		return;
	inbound_key(job->inbound, &accept, key);
	inbound_add(job->inbound, key, accept.message, record->head.wall_us);
}

static void take_note(struct tail_job *job, const struct journal_record *record, struct arena *arena)
{
	struct inbound_entry *entry;
	struct journal_note note;
	struct fault fault;
	uint64_t message;

	if (fields_decode(journal_table(JOURNAL_NOTE), record->payload, arena, &note, &fault) < 0 ||
	    !bytes_equal(note.kind, BYTES("unheard")) || queue_id_read(note.text, job->id, &message) < 0)
		return;
	entry = inbound_of(job->inbound, message);
	if (entry)
		entry->is_unheard = true;
}

static int read_records(struct tail_job *job, struct journal_reader *reader, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct journal_record record;
	int r;

	/* Damage is the audit's affair, and the queue's: what can be read counts. */
	while ((r = journal_reader_next(reader, &record, fault)) != 0) {
		if (r < 0 && fault->kind != FAULT_DATA)
			return -1;
		if (r < 0)
			continue;
		arena_reset(&arena);
		job->last_us = record.head.wall_us;
		if (record.head.type == JOURNAL_ACCEPT)
			take_accept(job, &record, &arena);
		if (record.head.type == JOURNAL_NOTE)
			take_note(job, &record, &arena);
	}
	return 0;
}

static int read_tail(void *arg, struct fault *fault)
{
	struct tail_job *job = arg;
	_cleanup_(journal_reader_closep) struct journal_reader *reader = NULL;
	const struct journal_segment *segments;
	uint64_t from = 0;
	size_t n;

	if (journal_reader_open(job->path, 0, JOURNAL_READ_NO_BODIES, &reader, fault) < 0)
		return -1;
	n = journal_reader_segments(reader, &segments);
	if (n > SEGMENTS && segments[n - SEGMENTS].is_good) {
		from = segments[n - SEGMENTS].head.first;
		reader = journal_reader_close(reader);
		if (journal_reader_open(job->path, from, JOURNAL_READ_NO_BODIES, &reader, fault) < 0)
			return -1;
	}
	return read_records(job, reader, fault);
}

/* --- opening --------------------------------------------------------------------------------- */

SUSPENDS int keep_open(struct keeper *k, struct fault *fault)
{
	struct journal *journal = queue_journal(k->queue);
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	struct keep *keep = xzalloc(sizeof(*keep));
	struct key_job key;
	struct tail_job tail;

	keep->k = k;
	list_init(&keep->edges);
	list_init(&keep->coming);
	keep->inbound = inbound_new(k->seed);
	keep->loops = loops_new(k->seed);
	keep->hash = journal_hash_new();
	buf_appendf(&path, "%s/trace.key", journal_path(journal));
	key.path = buf_str(&path);
	run_random(key.key, sizeof(key.key));
	tail = (struct tail_job){ .path = journal_path(journal), .id = journal_id(journal), .inbound = keep->inbound };
	if (pool_call("the key of traces", read_key, &key, fault) < 0 ||
	    pool_call("the end of the journal", read_tail, &tail, fault) < 0) {
		keep_free(keep);
		return -1;
	}
	inbound_end_replay(keep->inbound, tail.last_us - SHORTLY);
	keep->tokens = token_maker_new(key.key);
	k->keep = keep;
	return 0;
}

struct keep *keep_free(struct keep *keep)
{
	if (!keep)
		return NULL;

	inbound_free(keep->inbound);
	loops_free(keep->loops);
	token_maker_free(keep->tokens);
	journal_hash_free(keep->hash);
	free(keep);
	return NULL;
}
