/* SPDX-License-Identifier: Apache-2.0 */
/* Batches, lanes and answers, see sender.h. */
#include "copy/sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "copy/links.h"
#include "copy/record.h"
#include "pace/pace.h"
#include "imap/date.h"
#include "mail/header.h"

enum {
	BATCH_MESSAGES = 100,   /* in one MULTIAPPEND */
	BATCH_BYTES = 4 << 20,
	LARGE = 1 << 20,        /* a single message of so many bytes is worth a lane of its own */
	REFUSALS = 8,           /* MULTIAPPENDs refused after which a folder goes message by message */
	WORTH_A_LANE = 1000,    /* messages … */
	WORTH_A_LANE_BYTES = 32 << 20, /* … or bytes still to come for which another connection is opened */
};

static struct batch *batch_number(struct sender *s, size_t number)
{
	return &s->ring[number % SENDER_RING];
}

static struct batch *last_batch(struct sender *s)
{
	return s->begun > s->answered ? batch_number(s, s->begun - 1) : NULL;
}

static struct batch *open_batch(struct sender *s)
{
	struct batch *last = last_batch(s);

	return last && last->state == BATCH_OPEN ? last : NULL;
}

static void set_state(struct imap_message *m, enum message_state state)
{
	m->state = (m->state & ~(uint32_t)MESSAGE_STATE_MASK) | state;
}

static void changed(struct sender *s)
{
	waiters_wake_all(&s->changed);
}

void sender_init(struct sender *s, struct copy_pass *pass)
{
	*s = (struct sender){ .pass = pass, .lanes = { pass->worker->to }, .lanes_n = 1 };
	waiters_init(&s->changed);
}

/* --- ends ------------------------------------------------------------------------------------ */

/* Whether the next batch to be ended may be: all before it were accepted, or cannot be overtaken. */
static bool may_end(struct sender *s)
{
	struct batch *b = batch_number(s, s->ended);

	if (s->ending || s->abandoned || s->stopped || s->ended == s->begun || b->state != BATCH_SEALED)
		return false;

	for (size_t i = s->answered; i < s->ended; i++) {
		const struct batch *before = batch_number(s, i);

		if (!b->alone || !before->alone || before->lane != b->lane)
			return false;
	}
	return true;
}

/* Sends the ends that may be sent. Either fiber does, whoever finds out first. */
static int end_batches(struct sender *s, struct fault *fault)
{
	int r = 0;

	while (r == 0 && !s->refused && may_end(s)) {
		struct batch *b = batch_number(s, s->ended);

		s->ending = true;
		if (!b->cut)
			r = imap_append_end(s->lanes[b->lane], &b->append, fault);
		s->ending = false;
		b->state = BATCH_ENDED;
		s->ended++;
		changed(s);
	}
	return r;
}

static int seal_batch(struct sender *s, struct fault *fault)
{
	struct batch *b = open_batch(s);

	if (!b)
		return 0;

	/* What is still in the session's buffer goes now, so that the server can store it. */
	if (!b->cut && imap_flush(s->lanes[b->lane], fault) < 0)
		return -1;

	b->state = BATCH_SEALED;
	changed(s);
	return end_batches(s, fault);
}

/* --- answers --------------------------------------------------------------------------------- */

/* Whether these UIDs were told of other messages of the window before. They rise, as a rule. */
static bool is_told_already(const struct copy_pass *pass, uint32_t first, uint32_t last)
{
	size_t n = pass->told_n;

	if (first > pass->told_highest)
		return false;

	for (size_t i = 0; i < n; i++)
		if (first <= pass->told[i].high && last >= pass->told[i].low)
			return true;

	return false;
}

static void note_told(struct copy_pass *pass, uint32_t first, uint32_t last)
{
	struct imap_range *before = pass->told_n ? &pass->told[pass->told_n - 1] : NULL;

	if (last > pass->told_highest)
		pass->told_highest = last;
	if (before && before->high + 1 == first) {
		before->high = last;
		return;
	}
	pass->told = xgrow(pass->told, &pass->told_size, pass->told_n + 1, sizeof(*pass->told));
	pass->told[pass->told_n++] = (struct imap_range){ first, last };
}

/* Whether APPENDUID may be believed until it is looked up. What is stored now is above all that was there, and no two
 * messages have the same UID; a server that says otherwise (Q37) is not listened to any more. */
static bool tells_uids(struct copy_pass *pass, const struct imap_command *c, size_t n)
{
	const struct ledger_folder *known = pass->worker->copy->links[pass->index].known;

	if (pass->uids_lie || !c->first_uid || c->last_uid - c->first_uid + 1 != n ||
	    c->code_number != known->destination_uidvalidity)
		return false;

	pass->uids_lie = c->first_uid < known->mark || c->first_uid <= pass->told_to ||
			 is_told_already(pass, c->first_uid, c->last_uid);
	if (!pass->uids_lie)
		note_told(pass, c->first_uid, c->last_uid);
	return !pass->uids_lie;
}

static void batch_copied(struct sender *s, const struct batch *b)
{
	struct copy_folder *folder = s->pass->folder;
	const struct imap_command *c = &b->append.command;
	bool told = tells_uids(s->pass, c, b->n);

	for (size_t i = 0; i < b->n; i++) {
		struct imap_message *m = b->sent[i].message;

		set_state(m, MESSAGE_COPIED);
		if (b->sent[i].notes & HEADER_8BIT || b->sent[i].has_nul)
			m->state |= MESSAGE_SUSPECT;
		m->copy_uid = told ? c->first_uid + (uint32_t)i : 0;
		m->size = b->sent[i].size;
		memcpy(copy_pass_digest(s->pass, m), b->sent[i].digest, sizeof(b->sent[i].digest));
		folder->copied++;
		folder->bytes += b->sent[i].size;
		EVP_DigestUpdate(s->pass->digest, b->sent[i].digest, sizeof(b->sent[i].digest));
		copy_record_copied(s->pass, m, b->sent[i].header, b->sent[i].message_id);
	}
}

static void went_well(const struct sender *s)
{
	const struct copy_options *o = &s->pass->worker->copy->options;

	if (o->from_pace)
		pace_went_well(o->from_pace);
	if (o->to_pace)
		pace_went_well(o->to_pace);
}

/* Batches are many and long; what they held is given back as soon as it is not needed. */
static void forget_sent(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->sent[i].message_id);
	free(b->sent);
	b->sent = NULL;
	b->size = b->n = 0;
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

static bool date_is_odd(const struct imap_message *m)
{
	return m->date != IMAP_NO_DATE &&
	       (m->date < 0 || m->date > run_wall() / SECOND + 24 * 3600);
}

/* A message refused by itself: again with less of what is not the message (flags, then date), and then an
 * exception. */
static void single_refused(struct sender *s, const struct sent *sent, const struct imap_command *c,
			   const struct fault *fault)
{
	struct imap_message *m = sent->message;
	bool content = fault->kind == FAULT_LIMIT || sent->size == 0;

	set_state(m, MESSAGE_WAITING);
	m->state |= MESSAGE_ALONE;
	if (!content && !(m->state & MESSAGE_NO_KEYWORDS) && copy_pass_flags(s->pass, m)[0]) {
		m->state |= MESSAGE_NO_KEYWORDS;
		return;
	}
	if (!content && !(m->state & MESSAGE_NO_DATE) && date_is_odd(m)) {
		m->state |= MESSAGE_NO_DATE;
		return;
	}

	set_state(m, MESSAGE_SETTLED);
	copy_pass_put_off(s->pass, m, refusal_cause(sent, c, fault), sent->size,
			  fault->server[0] ? fault->server : fault->text);
}

static int batch_refused(struct sender *s, struct batch *b, struct fault *fault)
{
	struct imap_command *c = &b->append.command;

	imap_refused(s->lanes[b->lane], c, fault, "folder %.*s takes no messages",
		     BYTES_ARG(s->pass->folder->destination_utf8));
	if (b->n == 1 && imap_is_throttle(fault) && !copy_pass_is_careful(s->pass)) /* then it is known anyway */
		copy_aside_note(s->pass, b->sent[0].message, fault, run_now());
	if (fault->reach >= REACH_FOLDER)
		return -1;

	s->pass->resent = true;
	if (b->n == 1 && b->alone) {
		single_refused(s, &b->sent[0], c, fault);
		return 0;
	}

	for (size_t i = 0; i < b->n; i++) {
		set_state(b->sent[i].message, MESSAGE_WAITING);
		b->sent[i].message->state |= MESSAGE_ALONE;
	}
	s->pass->refused_batches++;
	s->refused = true;
	return 0;
}

static int take_answer(struct sender *s, struct fault *fault)
{
	struct batch *b = batch_number(s, s->answered);

	if (imap_wait(s->lanes[b->lane], &b->append.command, fault) < 0)
		return -1;

	if (b->append.command.condition == IMAP_OK)
		batch_copied(s, b);
	else if (batch_refused(s, b, fault) < 0)
		return -1;

	forget_sent(b);
	went_well(s);
	s->answered++;
	changed(s);
	return end_batches(s, fault);
}

/* One append was refused for a reason that ends the round, such as a full mailbox. What was ended behind it may
 * be taken all the same (a smaller message still fits): the books must know. */
static void take_last_answers(struct sender *s)
{
	struct fault ignored;

	for (; s->answered < s->ended; s->answered++) {
		struct batch *b = batch_number(s, s->answered);

		if (imap_wait(s->lanes[b->lane], &b->append.command, &ignored) < 0)
			return;
		if (b->append.command.condition == IMAP_OK)
			batch_copied(s, b);
		else
			for (size_t i = 0; i < b->n; i++)
				set_state(b->sent[i].message, MESSAGE_WAITING);
	}
}

int sender_take_answers(void *arg, struct fault *fault)
{
	struct sender *s = arg;
	int r = 0;

	while (r == 0 && !s->refused) {
		if (s->answered < s->ended)
			r = take_answer(s, fault);
		else if (s->abandoned || (s->closing && s->answered == s->begun))
			return 0;
		else
			r = waiters_wait(&s->changed, "an append to be sent", fault);
	}

	if (r < 0) {
		s->stopped = true;
		s->fault = *fault;
		changed(s);
		take_last_answers(s);
	}
	changed(s);
	return r;
}

/* --- lanes ----------------------------------------------------------------------------------- */

/* Something another fiber must do first. 1: give up, something was refused. */
static int wait_changed(struct sender *s, const char *what, struct fault *fault)
{
	if (!s->stopped && !s->refused && waiters_wait(&s->changed, what, fault) < 0)
		return -1;

	if (s->stopped) {
		*fault = s->fault;
		return -1;
	}
	return s->refused;
}

/* Batches of a lane that were begun and not answered; *ret_unended: one of them was not ended. */
static size_t lane_load(struct sender *s, unsigned lane, bool *ret_unended)
{
	size_t n = 0;

	*ret_unended = false;
	for (size_t i = s->answered; i < s->begun; i++) {
		if (batch_number(s, i)->lane != lane)
			continue;
		n++;
		*ret_unended |= i >= s->ended;
	}
	return n;
}

static bool lane_is_free(struct sender *s, unsigned lane)
{
	bool unended;

	return lane_load(s, lane, &unended) == 0;
}

/* Another connection, where the server and the user allow one and there is enough to do for it. */
static bool add_lane(struct sender *s)
{
	struct copy *copy = s->pass->worker->copy;
	struct copy_folder *folder = s->pass->folder;
	uint64_t messages = folder->expected > folder->copied ? folder->expected - folder->copied : 0;
	uint64_t bytes = folder->expected_bytes > folder->bytes ? folder->expected_bytes - folder->bytes : 0;

	if (s->lanes_n == SENDER_LANES || (messages < WORTH_A_LANE && bytes < WORTH_A_LANE_BYTES))
		return false;

	s->lanes[s->lanes_n] = copy_take_spare(copy);
	if (!s->lanes[s->lanes_n])
		return false;

	s->lanes_n++;
	return true;
}

/* The lane for a batch that comes behind all others. Small singles stay on one lane, where the server keeps
 * their order by itself and none waits; for the rest a lane that is free lets the server store them
 * meanwhile. */
static unsigned choose_lane(struct sender *s, bool single, uint64_t size)
{
	const struct batch *last = last_batch(s);

	if (!last || s->lanes[0]->account->no_pipelining)
		return 0;
	if (single && size < LARGE && last->alone)
		return last->lane;

	for (unsigned lane = 0; lane < s->lanes_n; lane++)
		if (lane_is_free(s, lane))
			return lane;

	return add_lane(s) ? s->lanes_n - 1 : (last->lane + 1) % s->lanes_n;
}

/* Waits until the lane may take another command: the one before it there has been ended. */
static int wait_for_lane(struct sender *s, unsigned lane, struct fault *fault)
{
	size_t most = s->lanes[lane]->account->no_pipelining ? 0 : SENDER_RING - 1;
	bool unended;

	while (lane_load(s, lane, &unended) > most || unended ||
	       s->begun - s->answered == SENDER_RING) {
		int r = wait_changed(s, "answers to appends", fault);

		if (r)
			return r;
	}
	return 0;
}

/* --- batches --------------------------------------------------------------------------------- */

static bool multiappend(struct sender *s)
{
	return imap_can(&s->lanes[0]->capabilities, IMAP_CAP_MULTIAPPEND) &&
	       s->pass->refused_batches < REFUSALS;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return b && b < a ? b : a;
}

/* Of a rate a batch takes no more than a second's worth (but one message in any case): progress is seen, little is lost by
 * a stop, and the server does not wait for the rest of a command for minutes. */
static bool fits(const struct sender *s, const struct batch *b, uint64_t size, bool alone)
{
	const struct copy *copy = s->pass->worker->copy;
	const struct pace *const paces[] = { copy->options.from_pace, copy->options.to_pace };
	uint64_t most = least(BATCH_MESSAGES, copy->throttle.messages_per_second);
	uint64_t most_bytes = least(BATCH_BYTES, copy->throttle.bytes_per_second);

	for (size_t i = 0; i < ARRAY_SIZE(paces); i++) {
		uint64_t messages, bytes;

		pace_share(paces[i], &messages, &bytes);
		most = least(most, messages);
		most_bytes = least(most_bytes, bytes);
	}
	return !alone && !b->alone && b->n < most && b->bytes + size <= most_bytes;
}

/* The batch that takes a message of that size. 1: give up, something was refused. */
static int batch_for(struct sender *s, uint64_t size, bool alone, struct batch **ret,
		     struct fault *fault)
{
	struct batch *b = open_batch(s);
	unsigned lane;
	int r;

	if (s->refused)
		return 1;
	if (b && fits(s, b, size, alone)) {
		*ret = b;
		return 0;
	}
	if (seal_batch(s, fault) < 0)
		return -1;

	alone = alone || !multiappend(s) || size > BATCH_BYTES;
	lane = choose_lane(s, alone, size);
	r = wait_for_lane(s, lane, fault);
	if (r)
		return r;

	b = batch_number(s, s->begun++);
	b->state = BATCH_OPEN;
	b->lane = lane;
	b->n = 0;
	b->bytes = 0;
	b->alone = alone;
	b->cut = false;
	imap_append_begin(s->lanes[lane], &b->append, s->pass->folder->destination_name);
	*ret = b;
	return 0;
}

static void write_date(const struct imap_message *m, struct buf *to)
{
	if (m->date != IMAP_NO_DATE && !(m->state & MESSAGE_NO_DATE))
		imap_date_write(to, m->date, m->zone_minutes);
}

int sender_begin(struct sender *s, struct imap_message *m, uint64_t size, struct fault *fault)
{
	_cleanup_(buf_done) struct buf date = BUF_NULL;
	/* A literal of no bytes means "undo all" inside MULTIAPPEND (RFC 3502 §6.3.11). */
	bool alone = m->state & MESSAGE_ALONE || size == 0 || copy_pass_is_careful(s->pass);
	struct batch *b;
	int r = batch_for(s, size, alone, &b, fault);

	if (r)
		return r;

	b->sent = xgrow(b->sent, &b->size, b->n + 1, sizeof(*b->sent));
	s->at_hand = &b->sent[b->n++];
	*s->at_hand = (struct sent){ .message = m, .size = size };
	s->session = s->lanes[b->lane];
	b->bytes += size;
	set_state(m, MESSAGE_SENT);

	write_date(m, &date);
	r = imap_append_message(s->session, &b->append, s->pass->folder->destination_name,
				copy_pass_flags(s->pass, m), buf_bytes(&date), size, fault);
	if (r <= 0)
		return r;

	s->at_hand = NULL;
	b->cut = true;
	if (b->append.command.condition == IMAP_OK) { /* to a message it has not seen */
		b->append.command.condition = IMAP_BAD;
		snprintf(b->append.command.text, sizeof(b->append.command.text),
			 "OK before the message was sent");
	}
	return seal_batch(s, fault);
}

int sender_data(struct sender *s, struct bytes data, struct fault *fault)
{
	if (!s->at_hand)
		return 0;

	if (bytes_find_char(data, '\0') >= 0)
		s->at_hand->has_nul = true;
	return imap_append_data(s->session, data, fault);
}

int sender_end(struct sender *s, const unsigned char digest[32], unsigned notes,
	       const struct mail_identity *identity, struct fault *fault)
{
	struct batch *b = open_batch(s);

	if (!s->at_hand)
		return 0;

	memcpy(s->at_hand->digest, digest, sizeof(s->at_hand->digest));
	memcpy(s->at_hand->header, identity->header, sizeof(s->at_hand->header));
	if (identity->message_id[0])
		s->at_hand->message_id = xstrdup(identity->message_id);
	s->at_hand->complete = true;
	s->at_hand->notes = notes;
	s->at_hand = NULL;
	return b && b->alone ? seal_batch(s, fault) : 0;
}

int sender_close(struct sender *s, struct fault *fault)
{
	int r = s->refused ? 0 : seal_batch(s, fault);

	s->closing = true;
	changed(s);
	return r;
}

int sender_wait(struct sender *s, struct fault *fault)
{
	int r = 0;

	while (r == 0 && s->answered < s->begun)
		r = wait_changed(s, "the last answers to appends", fault);
	return r < 0 ? -1 : 0;
}

/* --- the end of a round ---------------------------------------------------------------------- */

/* MULTIAPPEND is all or nothing, and those behind a refused one were not ended: no doubt then. */
static void note_doubts(struct sender *s)
{
	struct copy_pass *pass = s->pass;

	for (size_t number = s->answered; number < s->begun && !s->refused; number++) {
		const struct batch *b = batch_number(s, number);

		for (size_t i = 0; i < b->n; i++) {
			const struct sent *sent = &b->sent[i];
			struct doubt *d;

			if (!sent->complete)
				continue;
			pass->doubts = xgrow(pass->doubts, &pass->doubts_size, pass->doubts_n + 1,
					     sizeof(*d));
			d = &pass->doubts[pass->doubts_n++];
			*d = (struct doubt){ .message = sent->message, .size = sent->size };
			memcpy(d->digest, sent->digest, sizeof(d->digest));
		}
	}
}

void sender_done(struct sender *s, bool good)
{
	struct copy *copy = s->pass->worker->copy;

	if (!good)
		note_doubts(s);
	for (unsigned lane = 1; lane < s->lanes_n; lane++)
		copy_give_spare(copy, s->lanes[lane], good);
	for (size_t i = 0; i < SENDER_RING; i++)
		forget_sent(&s->ring[i]);
}
