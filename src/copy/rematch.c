/* SPDX-License-Identifier: Apache-2.0 */
/* Finding mates, see rematch.h: asks the servers for what the steps of rematch-keys.h want to know.
 * Headers are asked for twice: first of those whose size and date occur at the other side, which
 * are nearly all of them, then of what is left. So where everything finds its mate at once, nothing
 * is asked for the rest.
 *
 * What does not come is missed, not waited for. One message that a server cannot read may cost the
 * answers of all others in its command (Q25): what is missing is asked for in halves, until it is
 * known which. That has an end. */
#include "copy/rematch.h"

#include <string.h>

#include "base/xalloc.h"
#include "copy/rematch-keys.h"
#include "imap/write.h"
#include "pace/pace.h"

enum {
	CHUNK = 500,      /* messages in a command */
	SET_RANGES = 350, /* under 8,192 bytes of command line (RFC 9051 §4.1.1) */
	FRUITLESS = 100,  /* commands in a row that brought nothing: then the chunk is given up */
	MUCH = 20000,     /* items to sort that take more than some milliseconds */
};

/* --- asking in sets -------------------------------------------------------------------------- */

/* Something to be learnt of messages, by one command for many. */
struct question {
	struct copy_worker *worker;
	struct rematch_side *side;
	const uint32_t *want;
	size_t n;
	uint32_t known, missed; /* REMATCH_… bits: it was learnt, it cannot be */

	/* Asks, and sets `known` or `missed` of what comes. 0: the server gave all it has; 1: it
	 * may have more. */
	SUSPENDS int (*ask)(struct question *q, const struct imap_range *uids, size_t n,
			    struct fault *fault);
	uint32_t asked; /* messages in the command */
};

static struct rematch_item *wanted(const struct question *q, size_t i)
{
	return &q->side->p[q->want[i]];
}

static bool is_answered(const struct question *q, size_t i)
{
	return wanted(q, i)->has & (q->known | q->missed);
}

/* The first index into want whose item has that UID or a higher one. */
static size_t find_uid(const struct question *q, uint32_t uid)
{
	size_t low = 0, high = q->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (wanted(q, middle)->uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Up to `most` unanswered messages from the one at `first`; returns where the next set begins. */
static size_t choose_set(struct question *q, size_t first, size_t end, size_t most,
			 struct imap_range **ranges, size_t *ranges_n)
{
	size_t capacity = 0, i = first;

	q->asked = 0;
	*ranges_n = 0;
	for (; i < end && q->asked < most && *ranges_n < SET_RANGES; i++) {
		if (is_answered(q, i) || !wanted(q, i)->uid)
			continue;
		imap_set_add(ranges, ranges_n, &capacity, wanted(q, i)->uid);
		q->asked++;
	}
	return i;
}

static size_t count_unanswered(const struct question *q, size_t first, size_t end)
{
	size_t n = 0;

	for (size_t i = first; i < end; i++)
		n += !is_answered(q, i);
	return n;
}

static void give_up(const struct question *q, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		if (!is_answered(q, i))
			wanted(q, i)->has |= q->missed;
}

/* The limits of the server that is asked. */
static struct pace *pace_of(const struct question *q)
{
	const struct copy_options *o = &q->worker->copy->options;
	const struct imap_account *account = q->side->session->account;

	return account == o->from ? o->from_pace : account == o->to ? o->to_pace : NULL;
}

static int take_share(const struct question *q, uint64_t messages, uint64_t bytes, struct fault *fault)
{
	struct pace *pace = pace_of(q);

	if (copy_throttle_take(&q->worker->copy->throttle, messages, bytes, fault) < 0)
		return -1;

	return pace ? pace_take(pace, messages, bytes, fault) : 0;
}

static int ask_set(struct question *q, const struct imap_range *uids, size_t n, struct fault *fault)
{
	struct pace *pace = pace_of(q);

	if (!n)
		return 0;
	if (pace && pace_pause(pace, fault) < 0)
		return -1;

	return q->ask(q, uids, n, fault);
}

/* Each turn answers something, or halves the set, or gives something up. */
static int ask_chunk(struct question *q, size_t first, size_t end, struct fault *fault)
{
	size_t most = end - first, fruitless = 0;

	while (first < end) {
		_cleanup_(freep) struct imap_range *ranges = NULL;
		size_t n, set_end = choose_set(q, first, end, most, &ranges, &n);
		size_t before = count_unanswered(q, first, set_end), after;
		int r = ask_set(q, ranges, n, fault);

		if (r < 0)
			return -1;
		after = count_unanswered(q, first, set_end);
		if (after < before) {
			most = most < CHUNK ? most * 2 : most;
			fruitless = 0;
		} else if (r == 0 || q->asked == 1) {
			give_up(q, first, set_end);
		} else {
			most = q->asked / 2;
		}
		if (after == before && r > 0 && ++fruitless == FRUITLESS)
			give_up(q, first, end);
		while (first < end && is_answered(q, first))
			first++;
	}
	return 0;
}

static int ask_all(struct question *q, struct fault *fault)
{
	for (size_t i = 0; i < q->n; i += CHUNK)
		if (ask_chunk(q, i, q->n - i < CHUNK ? q->n : i + CHUNK, fault) < 0)
			return -1;

	return 0;
}

/* --- bytes ----------------------------------------------------------------------------------- */

/* A response under way. Its UID may stand behind the body (Q31). */
struct incoming {
	unsigned bodies;
	bool whole;     /* the first of them came to its end */
	uint64_t size;
	unsigned char digest[32];
};

static void take_answer(struct question *q, const struct incoming *in,
			const struct imap_fetch_data *f, const struct imap_range *uids)
{
	uint32_t uid = f->has & IMAP_FETCH_UID ? f->uid : q->asked == 1 ? uids[0].low : 0;

	if (!in->bodies && !(f->has & IMAP_FETCH_BODY_NIL)) /* news of flags */
		return;

	for (size_t i = find_uid(q, uid); uid && i < q->n && wanted(q, i)->uid == uid; i++) {
		struct rematch_item *x = wanted(q, i);

		if (is_answered(q, i))
			continue;
		if (!in->whole || (in->size == 0 && x->size)) { /* NIL, or as good as that (Q25) */
			x->has |= REMATCH_NO_BODY;
			continue;
		}
		x->has |= REMATCH_DIGEST;
		x->size = in->size;
		memcpy(x->digest, in->digest, sizeof(x->digest));
	}
}

static int take_input(struct question *q, struct incoming *in, const struct imap_input *input,
		      const struct imap_range *uids, struct fault *fault)
{
	EVP_MD_CTX *hash = q->worker->hash;

	switch (input->event) {
	case IMAP_EVENT_BODY_BEGIN:
		if (in->bodies++)
			return 0;
		EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
		return take_share(q, 1, 0, fault);
	case IMAP_EVENT_BODY:
		if (in->bodies != 1)
			return 0;
		in->size += input->data.n;
		EVP_DigestUpdate(hash, input->data.p, input->data.n);
		return take_share(q, 0, input->data.n, fault);
	case IMAP_EVENT_BODY_END:
		if (in->bodies != 1)
			return 0;
		EVP_DigestFinal_ex(hash, in->digest, NULL);
		in->whole = true;
		return 0;
	case IMAP_EVENT_RESPONSE:
		if (input->response->kind == IMAP_FETCH)
			take_answer(q, in, &input->response->fetch, uids);
		*in = (struct incoming){ .bodies = 0 };
		return 0;
	default:
		return 0;
	}
}

static int ask_bodies(struct question *q, const struct imap_range *uids, size_t n,
		      struct fault *fault)
{
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
	struct incoming in = { .bodies = 0 };
	struct imap_input input;

	if (imap_fetch_bodies(q->side->session, &c, uids, n, fault) < 0)
		return -1;
	while (!c.done)
		if (imap_read(q->side->session, &input, fault) < 0 ||
		    take_input(q, &in, &input, uids, fault) < 0)
			return -1;

	if (imap_told_off(q->side->session, &c, "cannot read messages back", fault) < 0)
		return -1;

	return c.condition != IMAP_OK;
}

int rematch_read_digests(struct copy_worker *worker, struct rematch_side *side,
			 const uint32_t *want, size_t n, struct fault *fault)
{
	struct question q = {
		.worker = worker, .side = side, .want = want, .n = n,
		.known = REMATCH_DIGEST, .missed = REMATCH_NO_BODY, .ask = ask_bodies,
	};

	for (size_t i = 0; i < n; i++)
		wanted(&q, i)->has &= ~(uint32_t)(REMATCH_DIGEST | REMATCH_NO_BODY);
	if (rematch_can_ask(side))
		return ask_all(&q, fault);

	give_up(&q, 0, n);
	return 0;
}

/* --- headers --------------------------------------------------------------------------------- */

static void take_identity(struct question *q, const struct imap_identity *from)
{
	for (size_t i = find_uid(q, from->uid); i < q->n && wanted(q, i)->uid == from->uid; i++) {
		struct rematch_item *x = wanted(q, i);

		x->has |= REMATCH_HEADER; /* all zero when there is none, or it was not handed out */
		memcpy(x->header, from->identity.header, sizeof(x->header));
		memcpy(x->core, from->identity.core, sizeof(x->core));
		x->id = rematch_id(from->identity.message_id);
	}
}

static int ask_identities(struct question *q, const struct imap_range *uids, size_t n,
			  struct fault *fault)
{
	struct imap_identities found;
	int r = imap_fetch_identities(q->side->session, uids, n, &found, fault);

	for (size_t i = 0; i < found.n && r == 0; i++)
		take_identity(q, &found.p[i]);
	imap_identities_done(&found);
	return r < 0 ? -1 : 1;
}

/* --- steps ----------------------------------------------------------------------------------- */

static int wire_headers(void *arg, struct rematch_side *side, const uint32_t *want, size_t n,
			struct fault *fault)
{
	struct question q = {
		.worker = arg, .side = side, .want = want, .n = n,
		.known = REMATCH_HEADER, .missed = REMATCH_NO_HEADER, .ask = ask_identities,
	};

	return ask_all(&q, fault);
}

static int wire_digests(void *arg, struct rematch_side *side, const uint32_t *want, size_t n,
			struct fault *fault)
{
	return rematch_read_digests(arg, side, want, n, fault);
}

struct matching {
	const struct rematch_wire *wire;
	struct rematch_keys keys;
	enum rematch_step step;
	bool all_headers;
};

static int want_headers(void *arg, struct fault *fault)
{
	struct matching *m = arg;

	rematch_want_headers(&m->keys, m->all_headers);
	return 0;
}

static int find(void *arg, struct fault *fault)
{
	struct matching *m = arg;

	rematch_find(&m->keys, m->step);
	return 0;
}

static int settle(void *arg, struct fault *fault)
{
	struct matching *m = arg;

	rematch_settle(&m->keys, m->step);
	return 0;
}

/* Sorting a million items takes a second, which is not to be that of the other fibers. */
static int think(struct matching *m, fiber_fn fn, struct fault *fault)
{
	if (m->keys.side[0]->n + m->keys.side[1]->n < MUCH)
		return fn(m, fault);

	return pool_call("matching messages", fn, m, fault);
}

static int ask(struct matching *m, rematch_ask_fn how, struct fault *fault)
{
	const struct rematch_keys *k = &m->keys;

	for (unsigned s = 0; s < 2; s++)
		if (k->want_n[s] &&
		    how(m->wire->arg, k->side[s], k->want[s], k->want_n[s], fault) < 0)
			return -1;

	return 0;
}

static int learn_headers(struct matching *m, bool all, struct fault *fault)
{
	m->all_headers = all;
	return think(m, want_headers, fault) < 0 || ask(m, m->wire->headers, fault) < 0 ? -1 : 0;
}

static int take_steps(struct matching *m, struct fault *fault)
{
	if (learn_headers(m, false, fault) < 0)
		return -1;

	for (m->step = 0; m->step < REMATCH_STEPS && rematch_is_open(&m->keys); m->step++) {
		if (m->step == REMATCH_HEADERS && learn_headers(m, true, fault) < 0)
			return -1;
		if (think(m, find, fault) < 0 || ask(m, m->wire->digests, fault) < 0 ||
		    think(m, settle, fault) < 0)
			return -1;
	}
	return 0;
}

int rematch_by_wire(const struct rematch_wire *wire, struct rematch_side *a, struct rematch_side *b,
		    bool prove, struct fault *fault)
{
	struct matching m = { .wire = wire };
	int r;

	rematch_keys_init(&m.keys, a, b, prove);
	r = take_steps(&m, fault);
	rematch_keys_done(&m.keys);
	return r;
}

int copy_rematch(struct copy_worker *worker, struct rematch_side *a, struct rematch_side *b,
		 bool prove, struct fault *fault)
{
	struct rematch_wire wire = { wire_headers, wire_digests, worker };

	return rematch_by_wire(&wire, a, b, prove, fault);
}
