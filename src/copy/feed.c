/* SPDX-License-Identifier: Apache-2.0 */
/* The hot path: messages stream from FETCH literals through SHA-256 into APPEND literals.
 *
 * One fiber reads the source and writes the destination; another takes the destination's answers. The
 * sockets' own buffers and the stream's high-water mark are the only storage between the two, so memory
 * does not depend on the messages.
 *
 * Order. A folder keeps its order at the destination. Two FETCHes are never really under way together:
 * servers may answer them interleaved (Dovecot does). Appends are pipelined, but a MULTIAPPEND is ended only
 * when all before it were accepted: if one is refused, the next has not been completed, the connection is
 * dropped (which undoes it, RFC 3502: all or nothing), and the messages of the refused one go again, each
 * in an APPEND of its own, before those that follow. */
#include "copy/worker.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "imap/date.h"
#include "imap/write.h"

enum {
	RING = 64,               /* appends under way at once */
	BATCH_MESSAGES = 100,    /* in one MULTIAPPEND */
	BATCH_BYTES = 4 << 20,
	FETCH_MESSAGES = 500,    /* in one FETCH */
	FETCHES = 2,             /* the next is sent while the last message of the one before streams */
	SET_RANGES = 350,        /* in one FETCH: under 8,192 bytes of command line (RFC 9051 §4.1.1) */
};

struct sent {
	struct imap_message *message;
	uint64_t size;
	bool has_nul, complete; /* complete: all its bytes went out, digest is set */
	unsigned char digest[32];
};

struct batch {
	struct imap_append append;
	struct sent *sent;
	size_t n, size;
	uint64_t bytes;
	bool alone; /* takes no other message */
};

struct fetch {
	struct imap_command command;
	size_t first, end; /* indexes of the messages asked for, with others between them */
	size_t last;       /* the last asked for */
};

struct feed {
	struct copy_pass *pass;
	struct copy_worker *worker;
	struct imap_session *from, *to;

	struct fetch fetches[FETCHES];
	size_t fetch_first, fetch_n;
	size_t next; /* index of the next message to ask for */
	bool last_begun; /* the last message of the oldest FETCH is streaming */

	/* Batches by number: answered ≤ ended ≤ begun; number b stands in ring[b % RING]. */
	struct batch ring[RING];
	size_t begun, ended, answered;
	struct waiters changed; /* ended, answered, closing or stopped moved on */
	bool closing;           /* no batch will follow */
	bool refused;           /* a MULTIAPPEND was: nothing more is sent in this round */
	bool stopped;           /* the answers' fiber failed, with `fault` */
	struct fault fault;

	struct imap_message *message; /* whose body is under way; NULL: it is skipped */
	struct sent *at_hand;
};

static struct batch *open_batch(struct feed *f)
{
	return f->begun > f->ended ? &f->ring[f->ended % RING] : NULL;
}

static enum message_state state_of(const struct imap_message *m)
{
	return m->state & MESSAGE_STATE_MASK;
}

static void set_state(struct imap_message *m, enum message_state state)
{
	m->state = (m->state & ~(uint32_t)MESSAGE_STATE_MASK) | state;
}

/* --- answers --------------------------------------------------------------------------------- */

static void batch_copied(struct feed *f, const struct batch *b)
{
	struct copy_folder *folder = f->pass->folder;

	for (size_t i = 0; i < b->n; i++) {
		set_state(b->sent[i].message, MESSAGE_COPIED);
		folder->copied++;
		folder->bytes += b->sent[i].size;
		EVP_DigestUpdate(f->pass->digest, b->sent[i].digest, sizeof(b->sent[i].digest));
	}
}

static enum copy_cause refusal_cause(const struct sent *sent, const struct imap_command *c,
				     const struct fault *fault)
{
	if (fault->kind == FAULT_LIMIT)
		return CAUSE_TOO_LARGE;
	if (strcasestr(c->text, "virus") || strcasestr(c->text, "malware") ||
	    strcasestr(c->text, "infected"))
		return CAUSE_REFUSED_VIRUS;
	if (sent->has_nul && (strcasestr(c->text, "nul") || strcasestr(c->text, "invalid char")))
		return CAUSE_REFUSED_NUL;
	if (strcasestr(c->text, "header"))
		return CAUSE_REFUSED_HEADER;
	return sent->has_nul ? CAUSE_REFUSED_NUL : CAUSE_REFUSED;
}

/* A message refused by itself: again with less of what is not the message (flags, then date), and then an
 * exception. */
static void single_refused(struct feed *f, const struct sent *sent, const struct imap_command *c,
			   const struct fault *fault)
{
	struct imap_message *m = sent->message;
	bool content = fault->kind == FAULT_LIMIT || sent->size == 0;

	set_state(m, MESSAGE_WAITING);
	m->state |= MESSAGE_ALONE;
	if (!content && !(m->state & MESSAGE_NO_KEYWORDS) && copy_pass_flags(f->pass, m)[0]) {
		m->state |= MESSAGE_NO_KEYWORDS;
		return;
	}
	if (!content && !(m->state & MESSAGE_NO_DATE) && m->date != IMAP_NO_DATE &&
	    (m->date < 0 || m->date > run_wall() / SECOND + 24 * 3600)) {
		m->state |= MESSAGE_NO_DATE;
		return;
	}

	set_state(m, MESSAGE_SETTLED);
	copy_pass_put_off(f->pass, m, refusal_cause(sent, c, fault), sent->size,
			  fault->server[0] ? fault->server : fault->text);
}

static int batch_refused(struct feed *f, struct batch *b, struct fault *fault)
{
	struct imap_command *c = &b->append.command;

	imap_refused(f->to, c, fault, "folder %.*s takes no messages",
		     BYTES_ARG(f->pass->folder->destination_utf8));
	if (fault->reach >= REACH_FOLDER)
		return -1;

	if (b->n == 1 && b->alone) {
		single_refused(f, &b->sent[0], c, fault);
		return 0;
	}

	for (size_t i = 0; i < b->n; i++) {
		set_state(b->sent[i].message, MESSAGE_WAITING);
		b->sent[i].message->state |= MESSAGE_ALONE;
	}
	f->pass->refused_batches++;
	f->refused = true;
	return 0;
}

static int take_answer(struct feed *f, struct fault *fault)
{
	struct batch *b = &f->ring[f->answered % RING];

	if (imap_wait(f->to, &b->append.command, fault) < 0)
		return -1;

	if (b->append.command.condition == IMAP_OK)
		batch_copied(f, b);
	else if (batch_refused(f, b, fault) < 0)
		return -1;

	f->answered++;
	waiters_wake_all(&f->changed);
	return 0;
}

static int take_answers(void *arg, struct fault *fault)
{
	struct feed *f = arg;
	int r = 0;

	while (r == 0 && !f->refused) {
		if (f->answered < f->ended)
			r = take_answer(f, fault);
		else if (f->closing)
			return 0;
		else
			r = waiters_wait(&f->changed, "an append to be sent", fault);
	}

	if (r < 0) {
		f->stopped = true;
		f->fault = *fault;
	}
	waiters_wake_all(&f->changed);
	return r;
}

/* --- batches --------------------------------------------------------------------------------- */

static bool multiappend(const struct feed *f)
{
	enum { PATIENCE = 8 }; /* refused batches after which a folder goes message by message */

	return imap_can(&f->to->capabilities, IMAP_CAP_MULTIAPPEND) &&
	       f->pass->refused_batches < PATIENCE;
}

/* Waits until at most `most` appends are unanswered. 1: give up, something was refused. */
static int wait_answered(struct feed *f, size_t most, struct fault *fault)
{
	while (f->ended - f->answered > most && !f->stopped && !f->refused)
		if (waiters_wait(&f->changed, "answers to appends", fault) < 0)
			return -1;

	if (f->stopped) {
		*fault = f->fault;
		return -1;
	}
	return f->refused;
}

static bool any_multi_unanswered(const struct feed *f)
{
	for (size_t i = f->answered; i < f->ended; i++)
		if (!f->ring[i % RING].alone)
			return true;

	return false;
}

static int end_batch(struct feed *f, struct fault *fault)
{
	struct batch *b = open_batch(f);
	int r;

	if (!b)
		return 0;

	if (!b->alone || any_multi_unanswered(f)) {
		r = wait_answered(f, 0, fault);
		if (r)
			return r;
	}

	if (imap_append_end(f->to, &b->append, fault) < 0)
		return -1;

	f->ended++;
	waiters_wake_all(&f->changed);
	if (f->to->account->no_pipelining)
		return wait_answered(f, 0, fault);
	return 0;
}

static bool fits(const struct feed *f, const struct batch *b, uint64_t size, bool alone)
{
	return !alone && !b->alone && b->n < BATCH_MESSAGES && b->bytes + size <= BATCH_BYTES;
}

/* The batch that takes a message of that size. */
static int batch_for(struct feed *f, uint64_t size, bool alone, struct batch **ret,
		     struct fault *fault)
{
	struct batch *b = open_batch(f);
	int r;

	if (b && !fits(f, b, size, alone)) {
		r = end_batch(f, fault);
		if (r)
			return r;
		b = NULL;
	}

	if (!b) {
		r = wait_answered(f, RING - 1, fault);
		if (r)
			return r;
		b = &f->ring[f->begun++ % RING];
		b->n = 0;
		b->bytes = 0;
		b->alone = alone || !multiappend(f) || size > BATCH_BYTES;
		imap_append_begin(f->to, &b->append, f->pass->folder->destination_name);
	}

	*ret = b;
	return 0;
}

/* --- one message ----------------------------------------------------------------------------- */

static struct imap_message *find_asked(struct feed *f, const struct imap_fetch_data *data)
{
	struct imap_messages *messages = &f->pass->messages;
	struct fetch *oldest = &f->fetches[f->fetch_first % FETCHES];

	if (!(data->has & IMAP_FETCH_UID)) {
		/* Q31: the UID may come behind the body, too late to know whose body it is. */
		if (f->fetch_n == 1 && oldest->end - oldest->first == 1)
			return &messages->p[oldest->first];
		f->worker->fetch_alone = true;
		return NULL;
	}

	for (size_t i = 0; i < f->fetch_n; i++) {
		struct fetch *fetch = &f->fetches[(f->fetch_first + i) % FETCHES];
		size_t low = fetch->first, high = fetch->end;

		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if (messages->p[middle].uid < data->uid)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < fetch->end && messages->p[low].uid == data->uid)
			return &messages->p[low];
	}
	return NULL;
}

static void write_date(const struct imap_message *m, struct buf *to)
{
	if (m->date != IMAP_NO_DATE && !(m->state & MESSAGE_NO_DATE))
		imap_date_write(to, m->date, m->zone_minutes);
}

static int begin_append(struct feed *f, struct imap_message *m, uint64_t size, struct fault *fault)
{
	_cleanup_(buf_done) struct buf date = BUF_NULL;
	/* A literal of no bytes means "undo all" inside MULTIAPPEND (RFC 3502 §6.3.11). */
	bool alone = m->state & MESSAGE_ALONE || size == 0;
	struct batch *b;
	int r;

	r = batch_for(f, size, alone, &b, fault);
	if (r)
		return r;

	b->sent = xgrow(b->sent, &b->size, b->n + 1, sizeof(*b->sent));
	f->at_hand = &b->sent[b->n++];
	*f->at_hand = (struct sent){ .message = m, .size = size };
	b->bytes += size;
	f->message = m;
	set_state(m, MESSAGE_SENT);
	EVP_DigestInit_ex(f->worker->hash, NULL, NULL);

	write_date(m, &date);
	r = imap_append_message(f->to, &b->append, f->pass->folder->destination_name,
				copy_pass_flags(f->pass, m), buf_bytes(&date), size, fault);
	if (r > 0) { /* refused before it was sent: the answer is there to be taken */
		f->message = NULL;
		f->ended++;
		waiters_wake_all(&f->changed);
		r = 0;
	}
	return r;
}

static int begin_message(struct feed *f, const struct imap_fetch_data *data, struct fault *fault)
{
	struct imap_message *m = find_asked(f, data);
	uint64_t size = data->body_size;

	f->message = NULL;
	if (!m || state_of(m) != MESSAGE_ASKED)
		return 0;

	if (m == &f->pass->messages.p[f->fetches[f->fetch_first % FETCHES].last])
		f->last_begun = true;
	if (f->pass->limit && size > f->pass->limit) {
		set_state(m, MESSAGE_SETTLED);
		copy_pass_put_off(f->pass, m, CAUSE_TOO_LARGE, size, "");
		return 0;
	}

	if (copy_throttle_take(&f->worker->copy->throttle, 1, size, fault) < 0)
		return -1;

	return begin_append(f, m, size, fault);
}

static int take_data(struct feed *f, struct bytes data, struct fault *fault)
{
	f->pass->folder->bytes_read += data.n;
	if (!f->message)
		return 0;

	EVP_DigestUpdate(f->worker->hash, data.p, data.n);
	if (bytes_find_char(data, '\0') >= 0)
		f->at_hand->has_nul = true;
	return imap_append_data(f->to, data, fault);
}

static int end_message(struct feed *f, struct fault *fault)
{
	struct batch *b = open_batch(f);

	if (!f->message)
		return 0;

	EVP_DigestFinal_ex(f->worker->hash, f->at_hand->digest, NULL);
	f->at_hand->complete = true;
	f->message = NULL;
	if (b && b->alone) {
		int r = end_batch(f, fault);

		return r < 0 ? -1 : 0;
	}
	return 0;
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
	if (r < 0 && f->stopped && fault->kind != FAULT_CANCELLED)
		*fault = f->fault;
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
	for (; f->next < messages->n && chosen < FETCH_MESSAGES && *n < SET_RANGES;
	     f->next++) {
		struct imap_message *m = &messages->p[f->next];
		bool alone = m->state & MESSAGE_ONE_BY_ONE || f->worker->fetch_alone;

		if (state_of(m) != MESSAGE_WAITING)
			continue;
		if (alone && chosen)
			break;

		/* Only messages known to exist are named, each by itself where there is a gap (Q39). */
		imap_set_add(ranges, n, &capacity, m->uid);
		set_state(m, MESSAGE_ASKED);
		fetch->last = f->next;
		chosen++;
		if (alone) {
			f->next++;
			break;
		}
	}
	fetch->end = f->next;
	return chosen;
}

static size_t fetches_allowed(const struct feed *f)
{
	bool ahead = f->last_begun && !f->worker->fetch_alone && !f->from->account->no_pipelining;

	return ahead ? FETCHES : 1;
}

static int ask(struct feed *f, struct fault *fault)
{
	while (f->fetch_n < fetches_allowed(f)) {
		struct fetch *fetch = &f->fetches[(f->fetch_first + f->fetch_n) % FETCHES];
		_cleanup_(freep) struct imap_range *ranges = NULL;
		size_t n = 0;

		if (choose(f, &ranges, &n, fetch) == 0)
			return 0;
		if (imap_fetch_bodies(f->from, &fetch->command, ranges, n, fault) < 0)
			return -1;
		f->fetch_n++;
	}
	return 0;
}

/* A FETCH was answered: what it did not bring is asked for once more, by itself, or is not to be had. */
static void retire(struct feed *f, struct fetch *fetch)
{
	for (size_t i = fetch->first; i < fetch->end; i++) {
		struct imap_message *m = &f->pass->messages.p[i];

		if (state_of(m) != MESSAGE_ASKED)
			continue;
		set_state(m, MESSAGE_WAITING);
		if (f->worker->fetch_alone && fetch->end - fetch->first > 1)
			continue;
		if (!(m->state & MESSAGE_ONE_BY_ONE)) {
			m->state |= MESSAGE_ONE_BY_ONE;
			continue;
		}
		set_state(m, MESSAGE_SETTLED);
		copy_pass_put_off(f->pass, m, CAUSE_UNREADABLE, 0,
				  fetch->command.condition == IMAP_OK ? "" : fetch->command.text);
	}
}

static void retire_oldest(struct feed *f)
{
	retire(f, &f->fetches[f->fetch_first % FETCHES]);
	f->fetch_first++;
	f->fetch_n--;
	f->last_begun = false;
}

/* Returns early when a batch was refused: what the source still sends is of no use in this round. */
static int read_source(struct feed *f, struct fault *fault)
{
	struct imap_input input;

	for (;;) {
		if (ask(f, fault) < 0)
			return -1;
		if (f->fetch_n == 0 || f->refused)
			return 0;
		if (f->fetches[f->fetch_first % FETCHES].command.done) {
			retire_oldest(f);
			continue;
		}
		if (imap_read(f->from, &input, fault) < 0 || take_input(f, &input, fault) < 0)
			return -1;
		if (f->stopped) {
			*fault = f->fault;
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
	if (f->refused) /* MULTIAPPEND is all or nothing, and the one behind it was not ended */
		return;

	for (size_t b = f->answered; b < f->begun; b++) {
		const struct batch *batch = &f->ring[b % RING];

		for (size_t i = 0; i < batch->n; i++) {
			const struct sent *sent = &batch->sent[i];
			struct doubt *d;

			if (!sent->complete)
				continue;
			pass->doubts = xgrow(pass->doubts, &pass->doubts_size, pass->doubts_n + 1,
					     sizeof(*d));
			d = &pass->doubts[pass->doubts_n++];
			*d = (struct doubt){ .message = sent->message, .size = sent->size };
			memcpy(d->digest, sent->digest, sizeof(d->digest));
			set_state(sent->message, MESSAGE_SENT);
		}
	}
}

/* The round failed, but appends that were sent whole may be answered all the same: waiting a moment for that
 * leaves less in doubt. Our own cancellation did not reach the fiber that takes the answers. */
static void wait_for_last_answers(struct feed *f, struct nursery *nursery)
{
	struct fault ignored;
	int64_t before = run_shield(5 * SECOND);

	f->closing = true;
	waiters_wake_all(&f->changed);
	nursery_wait(nursery, &ignored);
	run_unshield(before);
}

static int run_feed(struct feed *f, struct nursery *nursery, struct fault *fault)
{
	int r = read_source(f, fault);

	if (r < 0)
		return -1;

	if (!f->refused && end_batch(f, fault) < 0)
		return -1;

	f->closing = true;
	waiters_wake_all(&f->changed);
	if (nursery_wait(nursery, fault) < 0)
		return -1;

	return f->refused;
}

int copy_feed(struct copy_pass *pass, struct fault *fault)
{
	_cleanup_(freep) struct feed *f = xzalloc(sizeof(*f));
	struct nursery nursery;
	int r;

	f->pass = pass;
	f->worker = pass->worker;
	f->from = pass->worker->from;
	f->to = pass->worker->to;
	waiters_init(&f->changed);
	nursery_init(&nursery, "feed");
	nursery_start(&nursery, take_answers, f, "answers for %.*s",
		      BYTES_ARG(pass->folder->destination_utf8));
	r = run_feed(f, &nursery, fault);
	if (r < 0 && !f->stopped)
		wait_for_last_answers(f, &nursery);
	nursery_done(&nursery);
	if (r)
		take_back(f);
	for (size_t i = 0; i < RING; i++)
		free(f->ring[i].sent);
	return r;
}
