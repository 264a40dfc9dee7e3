/* SPDX-License-Identifier: Apache-2.0 */
/* The hot path: messages stream from FETCH literals through SHA-256 into APPEND literals.
 *
 * This fiber reads the source and writes the destination; another takes the destination's answers
 * (sender.c). The sockets' own buffers and the stream's high-water mark are the only storage between the
 * two sides, so memory does not depend on the messages.
 *
 * Two FETCHes are never really under way together: servers may answer them interleaved (Dovecot does),
 * and the order of the folder would be lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/record.h"
#include "copy/sender.h"
#include "imap/write.h"
#include "pace/pace.h"

enum {
	FETCH_MESSAGES = 500, /* in one FETCH */
	FETCHES = 2,          /* the next is sent while the last message of the one before streams */
	SET_RANGES = 350,     /* in one FETCH: under 8,192 bytes of command line (RFC 9051 §4.1.1) */
};

struct fetch {
	struct imap_command command;
	size_t first, end; /* indexes of the messages asked for, with others between them */
	size_t last;       /* the last asked for */
};

struct feed {
	struct copy_pass *pass;
	struct copy_worker *worker;
	struct imap_session *from;
	struct sender sender;

	struct fetch fetches[FETCHES];
	size_t fetch_first, fetch_n;
	size_t next;     /* index of the next message to ask for */
	unsigned intended_at; /* copy->commits_begun when the intents ahead were queued */
	bool last_begun; /* the last message of the oldest FETCH is streaming */
	bool skipping;   /* the body under way is not to be sent */
	struct imap_message *only; /* the last asked for, if no other is to be under way beside it */
	struct fault stop; /* not FAULT_NONE: the source refused for a reason that is none of the messages' */
};

static enum message_state state_of(const struct imap_message *m)
{
	return m->state & MESSAGE_STATE_MASK;
}

static void set_state(struct imap_message *m, enum message_state state)
{
	m->state = (m->state & ~(uint32_t)MESSAGE_STATE_MASK) | state;
}

/* --- not too much ----------------------------------------------------------------------------- */

static int take_share(struct feed *f, uint64_t messages, uint64_t bytes, struct fault *fault)
{
	struct copy *copy = f->worker->copy;
	const struct copy_options *o = &copy->options;

	if (copy_throttle_take(&copy->throttle, messages, bytes, fault) < 0 ||
	    (o->from_pace && pace_take(o->from_pace, messages, bytes, fault) < 0))
		return -1;

	return o->to_pace ? pace_take(o->to_pace, messages, bytes, fault) : 0;
}

/* How long a small command takes shows what the source's users feel. */
static bool should_probe(const struct feed *f)
{
	const struct pace *pace = f->worker->copy->options.from_pace;

	return pace && pace_silence(pace) > 2 * SECOND;
}

static int probe(struct feed *f, struct fault *fault)
{
	int64_t began = run_now();

	if (imap_simple(f->from, "NOOP", fault) < 0)
		return -1;

	pace_answered(f->worker->copy->options.from_pace, run_now() - began);
	return 0;
}

/* Before another FETCH, with none under way. */
static int pause_between(struct feed *f, struct fault *fault)
{
	const struct copy_options *o = &f->worker->copy->options;

	if (should_probe(f) && probe(f, fault) < 0)
		return -1;
	if (o->from_pace && pace_pause(o->from_pace, fault) < 0)
		return -1;

	return o->to_pace ? pace_pause(o->to_pace, fault) : 0;
}

/* --- one message ----------------------------------------------------------------------------- */

static struct fetch *oldest_fetch(struct feed *f)
{
	return &f->fetches[f->fetch_first % FETCHES];
}

static struct imap_message *find_in(struct imap_messages *messages, const struct fetch *fetch,
				    uint32_t uid)
{
	struct imap_message *m = imap_messages_find(messages, uid);
	size_t index = m ? (size_t)(m - messages->p) : 0;

	return m && index >= fetch->first && index < fetch->end ? m : NULL;
}

static struct imap_message *find_asked(struct feed *f, const struct imap_fetch_data *data)
{
	struct imap_messages *messages = &f->pass->messages;
	struct imap_message *m = NULL;

	if (!(data->has & IMAP_FETCH_UID)) {
		const struct fetch *oldest = oldest_fetch(f);

		/* Q31: the UID may come behind the body, too late to know whose body it is. */
		if (f->fetch_n == 1 && oldest->end - oldest->first == 1)
			return &messages->p[oldest->first];
		f->worker->fetch_alone = true;
		return NULL;
	}

	for (size_t i = 0; i < f->fetch_n && !m; i++)
		m = find_in(messages, &f->fetches[(f->fetch_first + i) % FETCHES], data->uid);
	return m;
}

static int begin_message(struct feed *f, const struct imap_fetch_data *data, struct fault *fault)
{
	struct imap_message *m = find_asked(f, data);
	uint64_t size = data->body_size;

	f->skipping = true;
	if (!m || state_of(m) != MESSAGE_ASKED)
		return 0;

	if (m == &f->pass->messages.p[oldest_fetch(f)->last])
		f->last_begun = true;
	if (f->pass->limit && size > f->pass->limit) {
		set_state(m, MESSAGE_SETTLED);
		copy_pass_put_off(f->pass, m, CAUSE_TOO_LARGE, size, "");
		return 0;
	}

	if (take_share(f, 1, 0, fault) < 0)
		return -1;

	EVP_DigestInit_ex(f->worker->hash, NULL, NULL);
	mail_identify_begin(f->worker->identify);
	f->skipping = false;
	return sender_begin(&f->sender, m, size, fault);
}

static int take_data(struct feed *f, struct bytes data, struct fault *fault)
{
	f->pass->folder->bytes_read += data.n;
	if (f->skipping)
		return 0;

	/* Piece by piece: a pause of hours before a large message would cost the connection. */
	if (take_share(f, 0, data.n, fault) < 0)
		return -1;

	EVP_DigestUpdate(f->worker->hash, data.p, data.n);
	mail_identify_feed(f->worker->identify, data);
	return sender_data(&f->sender, data, fault);
}

static int end_message(struct feed *f, struct fault *fault)
{
	struct mail_identity identity;
	unsigned char digest[32];

	if (f->skipping)
		return 0;

	EVP_DigestFinal_ex(f->worker->hash, digest, NULL);
	mail_identify_end(f->worker->identify, &identity);
	return sender_end(&f->sender, digest, mail_identify_notes(f->worker->identify), &identity, fault);
}

static int take_input(struct feed *f, const struct imap_input *input, struct fault *fault)
{
	int r = 0;

	switch (input->event) {
	case IMAP_EVENT_BODY_BEGIN:
		r = begin_message(f, &input->response->fetch, fault);
		break;
	case IMAP_EVENT_BODY:
		r = take_data(f, input->data, fault);
		break;
	case IMAP_EVENT_BODY_END:
		r = end_message(f, fault);
		break;
	default:
		break;
	}

	/* A write that failed because the other fiber learnt why first: its word is the better one. */
	if (r < 0 && f->sender.stopped && fault->kind != FAULT_CANCELLED)
		*fault = f->sender.fault;
	return r < 0 ? -1 : 0;
}

/* --- asking ---------------------------------------------------------------------------------- */

/* The next run of waiting messages, at most FETCH_MESSAGES of them, or one that must be asked for alone. */
static size_t choose(struct feed *f, struct imap_range **ranges, size_t *n, struct fetch *fetch)
{
	struct imap_messages *messages = &f->pass->messages;
	size_t capacity = 0, chosen = 0;

	while (f->next < messages->n && state_of(&messages->p[f->next]) != MESSAGE_WAITING)
		f->next++;

	fetch->first = f->next;
	f->only = NULL;
	for (; f->next < messages->n && chosen < FETCH_MESSAGES && *n < SET_RANGES; f->next++) {
		struct imap_message *m = &messages->p[f->next];
		bool alone = m->state & MESSAGE_ONE_BY_ONE || f->worker->fetch_alone ||
			     copy_pass_is_careful(f->pass);

		if (state_of(m) != MESSAGE_WAITING || (m->state & MESSAGE_ASIDE && !f->pass->aside.only))
			continue;
		if (alone && chosen)
			break;

		/* Only messages known to exist are named, each by itself where there is a gap (Q39). */
		imap_set_add(ranges, n, &capacity, m->uid);
		set_state(m, MESSAGE_ASKED);
		fetch->last = f->next;
		chosen++;
		if (alone) {
			f->only = copy_pass_is_careful(f->pass) ? m : NULL;
			f->next++;
			break;
		}
	}
	fetch->end = f->next;
	return chosen;
}

/* Queues the intents that are missing of messages from `first` on; how many there were. */
static size_t intend(struct feed *f, size_t first, size_t end, size_t most, enum message_state state)
{
	struct imap_messages *messages = &f->pass->messages;
	size_t n = 0, seen = 0;

	for (size_t i = first; i < end && seen < most; i++) {
		struct imap_message *m = &messages->p[i];

		if (state_of(m) != state)
			continue;
		seen++;
		if (m->state & MESSAGE_INTENDED)
			continue;
		copy_record_intent(f->pass, m);
		m->state |= MESSAGE_INTENDED;
		n++;
	}
	return n;
}

/* The intents of what is asked for, and the folder's mark, are durable before it can be sent. Those of the next FETCH are queued already, so
 * that they are durable by then without anybody waiting. */
static int make_intents_durable(struct feed *f, const struct fetch *fetch, struct fault *fault)
{
	struct copy *copy = f->worker->copy;
	bool late = intend(f, fetch->first, fetch->end, SIZE_MAX, MESSAGE_ASKED) > 0;

	if ((late || f->pass->mark_due || copy->commits_done <= f->intended_at) &&
	    ledger_commit(copy->options.ledger, fault) < 0)
		return -1;
	f->pass->mark_due = false;

	if (intend(f, fetch->end, f->pass->messages.n, FETCH_MESSAGES, MESSAGE_WAITING)) {
		f->intended_at = copy->commits_begun;
		waiters_wake_all(&copy->to_record);
	}
	return 0;
}

static size_t fetches_allowed(const struct feed *f)
{
	bool ahead = f->last_begun && !f->worker->fetch_alone && !should_probe(f) &&
		     !copy_pass_is_careful(f->pass) && !f->from->account->no_pipelining;

	return ahead ? FETCHES : 1;
}

static int ask(struct feed *f, struct fault *fault)
{
	while (f->fetch_n < fetches_allowed(f) && f->stop.kind == FAULT_NONE) {
		struct fetch *fetch = &f->fetches[(f->fetch_first + f->fetch_n) % FETCHES];
		_cleanup_(freep) struct imap_range *ranges = NULL;
		size_t n = 0;

		if (copy_pass_is_careful(f->pass) && sender_wait(&f->sender, fault) < 0)
			return -1;
		if (!f->fetch_n && pause_between(f, fault) < 0)
			return -1;
		if (choose(f, &ranges, &n, fetch) == 0)
			return 0;
		if (make_intents_durable(f, fetch, fault) < 0)
			return -1;
		if (imap_fetch_bodies(f->from, &fetch->command, ranges, n, fault) < 0)
			return -1;
		f->fetch_n++;
	}
	return 0;
}

/* If it sent messages behind one that it did not send, that one is what it means. */
static void note_skipped(struct feed *f, const struct fetch *fetch, const struct fault *why)
{
	const struct imap_message *skipped = NULL;

	for (size_t i = fetch->first; i < fetch->end; i++) {
		const struct imap_message *m = &f->pass->messages.p[i];

		if (state_of(m) == MESSAGE_ASKED && !skipped)
			skipped = m;
		if (skipped && (state_of(m) == MESSAGE_SENT || state_of(m) == MESSAGE_COPIED)) {
			copy_aside_note(f->pass, skipped, why, run_now());
			return;
		}
	}
}

/* The source wants less of us, or nothing more to do with us. What it has sent until then is still copied, so that one
 * who says so every few messages gets on; then the round ends. */
static bool wants_a_stop(struct feed *f, struct fetch *fetch)
{
	struct fault why;

	if (imap_refused(f->from, &fetch->command, &why, "cannot read messages") == 0 ||
	    (!imap_is_throttle(&why) && why.reach <= REACH_FOLDER))
		return false;

	f->stop = why;
	note_skipped(f, fetch, &why);
	for (size_t i = fetch->first; i < fetch->end; i++)
		if (state_of(&f->pass->messages.p[i]) == MESSAGE_ASKED)
			set_state(&f->pass->messages.p[i], MESSAGE_WAITING);
	return true;
}

/* A FETCH was answered: what it did not bring is asked for once more, by itself, or is not to be had. */
static void retire_oldest(struct feed *f)
{
	struct fetch *fetch = oldest_fetch(f);
	bool stop = wants_a_stop(f, fetch);

	for (size_t i = fetch->first; i < fetch->end && !stop; i++) {
		struct imap_message *m = &f->pass->messages.p[i];

		if (state_of(m) != MESSAGE_ASKED)
			continue;
		set_state(m, MESSAGE_WAITING);
		if (f->worker->fetch_alone && fetch->end - fetch->first > 1)
			continue;
		if (!(m->state & MESSAGE_ONE_BY_ONE)) {
			m->state |= MESSAGE_ONE_BY_ONE;
			f->pass->resent = true;
			continue;
		}
		set_state(m, MESSAGE_SETTLED);
		copy_pass_put_off(f->pass, m, CAUSE_UNREADABLE, 0,
				  fetch->command.condition == IMAP_OK ? "" : fetch->command.text);
	}
	f->fetch_first++;
	f->fetch_n--;
	f->last_begun = false;
}

/* Reads and takes the next thing the source says. */
static int read_on(struct feed *f, struct fault *fault)
{
	struct imap_input input;

	if (imap_read(f->from, &input, fault) < 0) {
		if (f->stop.kind != FAULT_NONE) /* it said why before */
			*fault = f->stop;
		return -1;
	}
	return take_input(f, &input, fault);
}

/* Returns early when a batch was refused: what the source still sends is of no use in this round. */
static int read_source(struct feed *f, struct fault *fault)
{
	for (;;) {
		if (ask(f, fault) < 0)
			return -1;
		if (f->fetch_n == 0 || f->sender.refused)
			return 0;
		if (oldest_fetch(f)->command.done) {
			retire_oldest(f);
			continue;
		}
		if (read_on(f, fault) < 0)
			return -1;
		if (f->sender.stopped) {
			*fault = f->sender.fault;
			return -1;
		}
	}
}

/* --- a round --------------------------------------------------------------------------------- */

/* What was under way when the round ended early goes again, but for what may be there already. */
static void take_back(struct feed *f)
{
	struct copy_pass *pass = f->pass;

	for (size_t i = 0; i < pass->messages.n; i++) {
		struct imap_message *m = &pass->messages.p[i];

		if (state_of(m) == MESSAGE_SENT || state_of(m) == MESSAGE_ASKED)
			set_state(m, MESSAGE_WAITING);
	}
	for (size_t i = 0; i < pass->doubts_n; i++)
		set_state(pass->doubts[i].message, MESSAGE_SENT);
}

/* Only one was under way: the connection was lost over it, or at least with it. */
static void blame(struct feed *f, const struct fault *fault)
{
	struct copy_pass *pass = f->pass;
	bool source = f->from->broken && !f->sender.stopped;

	if (!copy_pass_is_careful(pass) || fault->kind == FAULT_CANCELLED)
		return;
	if (imap_is_throttle(fault)) {
		if (f->only && state_of(f->only) != MESSAGE_COPIED)
			copy_aside_note(pass, f->only, fault, run_now());
		return;
	}

	for (size_t i = 0; i < pass->messages.n; i++) {
		struct imap_message *m = &pass->messages.p[i];

		if (state_of(m) != MESSAGE_SENT && state_of(m) != MESSAGE_ASKED)
			continue;
		if ((m->state & MESSAGE_FATAL_MOST) < MESSAGE_FATAL_MOST)
			m->state += MESSAGE_FATAL;
		pass->fatal_cause = source ? CAUSE_UNREADABLE : CAUSE_REFUSED;
		snprintf(pass->fatal_detail, sizeof(pass->fatal_detail),
			 "each time it was tried, the connection was lost: %.300s", fault->text);
	}
}

static int run_feed(struct feed *f, struct nursery *nursery, struct fault *fault)
{
	if (read_source(f, fault) < 0 || sender_close(&f->sender, fault) < 0 ||
	    sender_wait(&f->sender, fault) < 0 || nursery_wait(nursery, fault) < 0)
		return -1;

	if (f->stop.kind != FAULT_NONE) {
		*fault = f->stop;
		return -1;
	}
	return f->sender.refused;
}

/* The round failed, but appends that were sent whole may be answered all the same: waiting a moment for that
 * leaves less in doubt. Our own cancellation did not reach the fiber that takes the answers. */
static void wait_for_last_answers(struct feed *f, struct nursery *nursery)
{
	struct fault ignored;
	int64_t before = run_shield(5 * SECOND);

	f->sender.abandoned = true;
	waiters_wake_all(&f->sender.changed);
	nursery_wait(nursery, &ignored);
	run_unshield(before);
}

int copy_feed(struct copy_pass *pass, struct fault *fault)
{
	_cleanup_(freep) struct feed *f = xzalloc(sizeof(*f));
	struct nursery nursery;
	int r;

	f->pass = pass;
	f->worker = pass->worker;
	f->from = pass->worker->from;
	f->next = pass->first;
	f->intended_at = pass->worker->copy->commits_begun; /* a round before may have queued some at the last moment */
	sender_init(&f->sender, pass);
	nursery_init(&nursery, "feed");
	nursery_start(&nursery, sender_take_answers, &f->sender, "answers for %.*s",
		      BYTES_ARG(pass->folder->destination_utf8));
	r = run_feed(f, &nursery, fault);
	if (r < 0)
		wait_for_last_answers(f, &nursery);
	nursery_done(&nursery);
	sender_done(&f->sender, r == 0);
	if (r < 0)
		blame(f, fault);
	if (r)
		take_back(f);
	return r;
}
