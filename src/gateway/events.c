/* SPDX-License-Identifier: Apache-2.0 */
/* See events.h. Two buffers of lines: one that fills, one that a worker thread writes. A line belongs to a record (its
 * sequence) or to none; what is taken for writing waits for the last record among it to be durable. */
#include "gateway/events.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/tell.h"
#include "os/log.h"

#define SYSTEM_LOG "/dev/log"
#define RETRY_TIME SECOND
#define CLOSE_TIME (5 * SECOND)
#define TELL_DROPS_TIME MINUTE /* alarms of that are not more often */

struct lines {
	struct buf text;
	size_t n;
	uint64_t sequence; /* all of them may be written when this record is durable */
};

struct events {
	struct keeper *k;
	struct lines filling, writing;
	size_t at;           /* of writing.text: written up to there */
	uint64_t lost;       /* dropped since that was last said in the log */
	uint64_t written, dropped;
	int64_t told_us;
	struct waiters work;
	struct os_log *log;  /* of the worker thread, while it writes */
	char *path;          /* that log is of; NULL: none is open */
	bool wants_reopen, is_failing;
};

/* --- putting --------------------------------------------------------------------------------- */

/* The configuration says that there is a log, and it has room. */
static bool may_put(struct events *events)
{
	if (!events->k->config->gateway.events)
		return false;
	if (events->filling.text.n < EVENTS_MAX)
		return true;
	events->lost++;
	events->dropped++;
	return false;
}

static int append(const char *text, size_t n, void *to)
{
	buf_append(to, text, n);
	return 0;
}

static void put(struct events *events, json_t *object, uint64_t sequence)
{
	struct lines *lines = &events->filling;

	json_dump_callback(object, append, &lines->text, JSON_COMPACT);
	json_decref(object);
	buf_append_char(&lines->text, '\n');
	lines->n++;
	lines->sequence = sequence > lines->sequence ? sequence : lines->sequence;
	waiters_wake_all(&events->work);
}

/* What stands at a place of its own in the log: behind the lines that were not dropped. */
static void put_drops(struct events *events)
{
	char when[TELL_TIME_SIZE];
	uint64_t lost = events->lost;

	events->lost = 0;
	put(events, json_pack("{s:s, s:s, s:I}", "event", "dropped", "time", tell_time(when, run_wall(), true), "lines",
			      (json_int_t)lost), 0);
	if (events->told_us && run_now() - events->told_us < TELL_DROPS_TIME)
		return;
	events->told_us = run_now();
	keeper_alarm(events->k, "events", "%llu events are not in the log: it takes them too slowly, or not at all",
		     (unsigned long long)lost);
}

static void make_room_known(struct events *events)
{
	if (events->lost && events->filling.text.n < EVENTS_MAX)
		put_drops(events);
}

struct put_tell {
	struct events *events;
	const struct book *book;
	struct tell_frame frame;
};

static void put_one(struct put_tell *p, const struct tell *tell)
{
	if (may_put(p->events))
		put(p->events, tell_json(tell, &p->frame), p->frame.sequence);
}

static void on_tell(void *arg, const struct tell *tell)
{
	static const char *const targets[] = { "old", "new", NULL };
	struct put_tell *p = arg;
	const struct book_leg *leg = tell->has_leg ? book_leg(p->book, &tell->leg) : NULL;

	if (tell->what == TELL_INTENT)
		return;
	p->frame.address = leg ? book_leg_key(leg) : BYTES_NULL;
	p->frame.target = leg ? targets[leg->target] : NULL;
	if (tell->what == TELL_ATTEMPT) {
		struct tell routed = *tell;

		p->frame.target = bytes_equal(tell->attempt->target, BYTES("new")) ? "new" : "old";
		routed.what = TELL_ROUTED;
		if (leg && leg->attempt == 0)
			put_one(p, &routed);
	}
	put_one(p, tell);
}

void events_record(struct events *events, const struct book *book, enum journal_type type, const void *record,
		   uint64_t sequence, int64_t wall_us)
{
	struct put_tell p = { .events = events, .book = book, .frame = { .wall_us = wall_us, .sequence = sequence } };

	if (!events->k->config->gateway.events || !events->k->queue)
		return;
	p.frame.journal_id = journal_id(queue_journal(events->k->queue));
	make_room_known(events);
	tell_record(type, record, 0, on_tell, &p);
}

void events_note(struct events *events, bool is_alarm, const char *kind, const char *text)
{
	char when[TELL_TIME_SIZE];
	json_t *object;

	if (!may_put(events))
		return;
	object = json_pack("{s:s, s:s}", "event", is_alarm ? "alarm" : "note", "time", tell_time(when, run_wall(), true));
	tell_put(object, "kind", bytes_of(kind), TELL_TEXT);
	tell_put(object, "text", bytes_of(text), 2 * TELL_TEXT);
	put(events, object, 0);
}

/* --- writing --------------------------------------------------------------------------------- */

struct write_job {
	struct events *events;
	const char *path;
	size_t n;
};

static enum os_log_level level_of(struct bytes line)
{
	return bytes_starts(line, BYTES("{\"event\":\"alarm\"")) ? OS_LOG_WARNING : OS_LOG_INFO;
}

static int open_log(struct events *events, const char *path, struct fault *fault)
{
	int r;

	events->log = os_log_close(events->log);
	if (strcmp(path, "syslog") == 0)
		r = os_log_system(SYSTEM_LOG, "mailferry", &events->log, fault);
	else
		r = os_log_file(path, &events->log, fault);
	return r;
}

static int write_job(void *arg, struct fault *fault)
{
	struct write_job *job = arg;
	struct events *events = job->events;

	if (!events->log && open_log(events, job->path, fault) < 0)
		return -1;
	return os_log_write(events->log, bytes_skip(buf_bytes(&events->writing.text), events->at), level_of, &job->n, fault);
}

static void pass_lines(struct events *events, size_t n)
{
	struct bytes rest = bytes_skip(buf_bytes(&events->writing.text), events->at);

	events->written += n;
	events->writing.n -= n;
	for (; n > 0; n--)
		bytes_cut(&rest, '\n');
	events->at = events->writing.text.n - rest.n;
}

static int close_job(void *arg, struct fault *fault)
{
	struct events *events = arg;

	events->log = os_log_close(events->log);
	return 0;
}

static int follow_configuration(struct events *events, struct fault *fault)
{
	const char *path = events->k->config->gateway.events;

	path = path ? path : "";
	if (!events->wants_reopen && events->path && strcmp(path, events->path) == 0)
		return 0;
	events->wants_reopen = false;
	free(events->path);
	events->path = xstrdup(path);
	return pool_call("the log of events", close_job, events, fault);
}

/* What is in writing. 1: it is written; 0: not yet, and why is said. */
SUSPENDS static int write_some(struct events *events, struct fault *fault)
{
	struct write_job job = { .events = events };
	int r;

	if (follow_configuration(events, fault) < 0)
		return -1;
	if (!events->path[0]) { /* nobody wants them any more */
		events->writing.n = 0;
		return 1;
	}
	job.path = events->path;
	r = pool_call("the log of events", write_job, &job, fault);
	pass_lines(events, job.n);
	if (r == 0) {
		events->is_failing = false;
		return 1;
	}
	if (fault->kind == FAULT_CANCELLED || fault->kind == FAULT_TIMEOUT)
		return -1;
	if (!events->is_failing)
		keeper_alarm(events->k, "events", "the log of events cannot be written: %s", fault->text);
	events->is_failing = true;
	return 0;
}

/* Whether there is something in writing. */
static bool take(struct events *events)
{
	if (events->writing.text.n > 0)
		return true;
	make_room_known(events);
	if (events->filling.text.n == 0)
		return false;
	events->writing = events->filling;
	events->filling = (struct lines){ BUF_NULL, 0, 0 };
	events->at = 0;
	return true;
}

static void writing_done(struct events *events)
{
	events->dropped += events->writing.n;
	buf_done(&events->writing.text);
	events->writing = (struct lines){ BUF_NULL, 0, 0 };
}

/* 1: written. 0: not now. When the journal has failed, nobody knows of its last records, and they are not told. */
SUSPENDS static int write_all(struct events *events, struct fault *fault)
{
	while (take(events)) {
		int r = 0;

		if (events->writing.sequence)
			r = journal_commit(queue_journal(events->k->queue), events->writing.sequence, fault);
		if (r == 0)
			events->writing.sequence = 0;
		else if (fault->kind != FAULT_CANCELLED && fault->kind != FAULT_TIMEOUT)
			writing_done(events);
		if (r == 0)
			r = write_some(events, fault);
		if (r <= 0)
			return r;
		writing_done(events);
	}
	return 1;
}

int events_run(void *arg, struct fault *fault)
{
	struct events *events = arg;

	for (;;) {
		struct fault why = FAULT_INIT;
		int r = write_all(events, &why);

		if (r < 0 && why.kind == FAULT_CANCELLED) {
			*fault = why;
			return -1;
		}
		r = r > 0 ? waiters_wait(&events->work, "events", fault) : run_sleep(RETRY_TIME, fault);
		if (r < 0)
			return -1;
	}
}

/* --- beginning, end -------------------------------------------------------------------------- */

void events_open(struct keeper *k)
{
	struct events *events = xzalloc(sizeof(*events));

	events->k = k;
	waiters_init(&events->work);
	k->events = events;
}

struct events *events_close(struct events *events)
{
	struct fault ignored;
	int64_t former;

	if (!events)
		return NULL;

	former = run_shield(CLOSE_TIME);
	events->k->events = NULL; /* what is said of its end goes elsewhere */
	if (events->k->queue)
		(void)write_all(events, &ignored);
	run_unshield(former);
	os_log_close(events->log);
	buf_done(&events->filling.text);
	buf_done(&events->writing.text);
	free(events->path);
	free(events);
	return NULL;
}

void events_reopen(struct events *events)
{
	events->wants_reopen = true;
}

void events_look(const struct events *events, struct events_view *ret)
{
	*ret = (struct events_view){ .written = events->written, .dropped = events->dropped };
}
