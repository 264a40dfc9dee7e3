/* SPDX-License-Identifier: Apache-2.0 */
/* See late.h. */
#include "copy/late.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/survey.h"
#include "imap/write.h"
#include "state/ledger.h"

static const int64_t quiet_us = 400 * MSEC, look_every_us = 100 * MSEC, longest_us = 10 * SECOND;
static const int64_t news_us = 15 * MINUTE; /* a server lets go of a dead connection after 30 minutes (RFC 9051
					     * §5.4), but it does not work on a command for so long */
static const char fact[] = "may-turn-up-late-since";

enum {
	ROWS = 4096,
	LOOK = 1000, /* strangers whose bytes are read, at most */
};

/* --- waiting ---------------------------------------------------------------------------------- */

int copy_late_quiet(struct imap_session *to, struct fault *fault)
{
	enum { TIMES = 10 }; /* who takes long to answer takes long to store */
	int64_t began = run_now(), changed = began, quiet = quiet_us;
	uint32_t exists = to->selected.exists;

	while (run_now() - changed < quiet && run_now() - began < longest_us) {
		int64_t asked;

		if (run_sleep(look_every_us, fault) < 0)
			return -1;
		asked = run_now();
		if (imap_simple(to, "NOOP", fault) < 0)
			return -1;
		if ((run_now() - asked) * TIMES > quiet)
			quiet = (run_now() - asked) * TIMES;
		if (to->selected.exists != exists)
			changed = run_now();
		exists = to->selected.exists;
	}
	return 0;
}

void copy_late_expect(struct copy *copy)
{
	char since[24];

	snprintf(since, sizeof(since), "%" PRId64, run_wall());
	ledger_set_fact(copy->options.ledger, fact, since);
}

bool copy_late_is_news(const struct copy *copy)
{
	const char *text = ledger_fact(copy->options.ledger, fact);
	uint64_t since;

	if (!text || bytes_to_u64(bytes_of(text), INT64_MAX, &since) < 0)
		return false;

	/* Clocks are set back, too: then it is no news for long either. */
	return llabs(run_wall() - (int64_t)since) < news_us;
}

/* --- which are ours and too many ---------------------------------------------------------------- */

/* A copy that is where its row says, of a message that may have been stored once more. */
struct twice {
	uint64_t size;
	int64_t date;
	unsigned char digest[32];
	uint32_t flags; /* it was given */
};

struct late {
	struct copy_worker *worker;
	const struct ledger_folder *folder;
	const struct imap_messages *there;
	struct rematch_side *strangers;
	uint32_t *left;    /* strangers without a mate, by size and date */
	size_t left_n;
	struct twice *twice;
	size_t twice_n, twice_size;
	bool unplaced;     /* a row does not know where its copy is: that may be one of the strangers */
	bool *wanted, *surplus; /* beside strangers->p */
};

static int compare_look(uint64_t size, int64_t date, const struct rematch_item *x)
{
	if (size != x->size)
		return size < x->size ? -1 : 1;
	if (date != x->date)
		return date < x->date ? -1 : 1;
	return 0;
}

static int by_look(const void *a, const void *b, void *arg)
{
	const struct rematch_item *items = arg;
	const struct rematch_item *x = &items[*(const uint32_t *)a], *y = &items[*(const uint32_t *)b];
	int order = compare_look(x->size, x->date, y);

	return order ? order : x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* The first of `left` that does not come before this look. */
static size_t find_look(const struct late *l, uint64_t size, int64_t date)
{
	size_t low = 0, high = l->left_n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_look(size, date, &l->strangers->p[l->left[middle]]) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has_look(const struct late *l, size_t at, uint64_t size, int64_t date)
{
	return at < l->left_n && compare_look(size, date, &l->strangers->p[l->left[at]]) == 0;
}

static void take_row(struct late *l, const struct ledger_message *row)
{
	const struct imap_message *copy = imap_messages_find(l->there, row->copy_uid);
	size_t at = find_look(l, row->size, row->date);

	l->unplaced |= row->state == LEDGER_COPIED && !row->copy_uid;
	if (row->state != LEDGER_COPIED || !(row->has & LEDGER_AGAIN) || !(row->has & LEDGER_HAS_DIGEST) ||
	    row->has & LEDGER_HAS_COPY_DIGEST || row->date == IMAP_NO_DATE || !copy ||
	    copy->size != row->size || copy->date != row->date || !has_look(l, at, row->size, row->date))
		return;
	if (copy_is_marked_deleted(l->there, copy)) /* its user sorts out which of the two stays */
		return;

	for (; has_look(l, at, row->size, row->date); at++)
		l->wanted[l->left[at]] = true;
	l->twice = xgrow(l->twice, &l->twice_size, l->twice_n + 1, sizeof(*l->twice));
	l->twice[l->twice_n] = (struct twice){ row->size, row->date, { 0 }, row->copy_flags };
	memcpy(l->twice[l->twice_n++].digest, row->digest, sizeof(row->digest));
}

static int take_rows(struct late *l, struct fault *fault)
{
	uint32_t after = 0;

	for (;;) {
		struct ledger_messages rows;
		size_t n;
		int r = ledger_load_next(l->worker->copy->options.ledger, l->folder->id, after, ROWS, &rows, fault);

		for (size_t i = 0; i < rows.n && r == 0; i++) {
			after = rows.p[i].uid;
			take_row(l, &rows.p[i]);
		}
		n = rows.n;
		ledger_messages_done(&rows);
		if (r < 0 || n < ROWS)
			return r;
	}
}

static int read_wanted(struct late *l, struct fault *fault)
{
	_cleanup_(freep) uint32_t *want = xreallocarray(NULL, LOOK, sizeof(*want));
	size_t n = 0;

	for (size_t i = 0; i < l->strangers->n && n < LOOK; i++)
		if (l->wanted[i] && !(l->strangers->p[i].has & REMATCH_DIGEST))
			want[n++] = (uint32_t)i;

	return n ? rematch_read_digests(l->worker, l->strangers, want, n, fault) : 0;
}

static bool has_flag(const char *set, struct bytes flag)
{
	struct bytes rest = bytes_of(set);

	while (rest.n)
		if (bytes_equal_nocase(bytes_cut(&rest, ' '), flag))
			return true;

	return false;
}

/* A flag more than we gave it was set by somebody: to her it is not one too many. But \Deleted says just that, and may
 * be ours: of a pass that stopped before it could expunge. */
static bool is_untouched(const struct late *l, const struct rematch_item *stranger, const struct twice *t)
{
	const struct imap_message *m = imap_messages_find(l->there, stranger->uid);
	const char *given = ledger_flags(l->worker->copy->options.ledger, t->flags);
	struct bytes rest = bytes_of(m ? l->there->flag_sets[m->flags] : "");

	while (rest.n) {
		struct bytes flag = bytes_cut(&rest, ' ');

		if (flag.n && !has_flag(given, flag) && !bytes_equal_nocase(flag, BYTES("\\Deleted")))
			return false;
	}
	return m;
}

/* One stranger for each row. How many cannot be told from those that somebody touched. */
static unsigned choose(struct late *l, unsigned *ret_surplus)
{
	unsigned touched = 0;

	*ret_surplus = 0;
	for (size_t i = 0; i < l->twice_n; i++) {
		const struct twice *t = &l->twice[i];
		bool any = false, chosen = false;

		for (size_t at = find_look(l, t->size, t->date); has_look(l, at, t->size, t->date) && !chosen; at++) {
			const struct rematch_item *x = &l->strangers->p[l->left[at]];

			if (l->surplus[l->left[at]] || !(x->has & REMATCH_DIGEST) ||
			    memcmp(x->digest, t->digest, sizeof(t->digest)) != 0)
				continue;
			any = true;
			chosen = l->surplus[l->left[at]] = is_untouched(l, x, t);
		}
		*ret_surplus += chosen;
		touched += any && !chosen;
	}
	return touched;
}

/* --- removing --------------------------------------------------------------------------------- */

static int remove_surplus(struct late *l, struct fault *fault)
{
	_cleanup_(freep) struct imap_range *ranges = NULL;
	struct imap_session *to = l->worker->to;
	size_t n = 0, capacity = 0;

	for (size_t i = 0; i < l->strangers->n; i++)
		if (l->surplus[i])
			imap_set_add(&ranges, &n, &capacity, l->strangers->p[i].uid);

	if (imap_select(to, l->folder->destination_name, false, fault) < 0)
		return -1;
	if (to->selected.uidvalidity != l->folder->destination_uidvalidity)
		return fault_set(fault, FAULT_DATA, REACH_FOLDER, AGAIN_LATER,
				 "another folder took its name meanwhile");

	return imap_store(to, ranges, n, true, "\\Deleted", fault) < 0 ? -1
	     : imap_expunge(to, ranges, n, fault);
}

static int settle(struct late *l, unsigned *ret_removed, unsigned *ret_left, struct fault *fault)
{
	struct copy *copy = l->worker->copy;
	uint32_t uidvalidity = l->worker->to->selected.uidvalidity;
	unsigned surplus;

	if (!uidvalidity || uidvalidity != l->folder->destination_uidvalidity) /* the rows' UIDs are others */
		return 0;
	if (take_rows(l, fault) < 0)
		return -1;
	if (l->unplaced)
		return 0;
	if (read_wanted(l, fault) < 0)
		return -1;

	*ret_left = choose(l, &surplus);
	if (!surplus)
		return 0;
	if (copy->options.keep_all || !imap_can(&l->worker->to->capabilities, IMAP_CAP_UIDPLUS)) {
		*ret_left += surplus;
		return 0;
	}
	if (remove_surplus(l, fault) < 0) {
		*ret_left += surplus;
		return fault->reach > REACH_FOLDER ? -1 : 0;
	}

	for (size_t i = 0; i < l->strangers->n; i++)
		if (l->surplus[i])
			l->strangers->p[i].mate = UINT32_MAX;
	*ret_removed = surplus;
	return copy_note(copy, fault, "folder %.*s: the destination stored %u messages of a lost connection after they "
			 "had been sent again; these second copies were removed",
			 BYTES_ARG(bytes_head(l->folder->destination_name, 100)), surplus);
}

int copy_late_remove(struct copy_worker *worker, const struct ledger_folder *folder,
		     const struct imap_messages *there, struct rematch_side *strangers,
		     unsigned *ret_removed, unsigned *ret_left, struct fault *fault)
{
	struct late l = { .worker = worker, .folder = folder, .there = there, .strangers = strangers };
	int r = 0;

	*ret_removed = *ret_left = 0;
	l.left = xreallocarray(NULL, strangers->n + 1, sizeof(*l.left));
	l.wanted = xzalloc(strangers->n + 1);
	l.surplus = xzalloc(strangers->n + 1);
	for (size_t i = 0; i < strangers->n; i++)
		if (!strangers->p[i].mate && strangers->p[i].size && strangers->p[i].date != IMAP_NO_DATE)
			l.left[l.left_n++] = (uint32_t)i;
	qsort_r(l.left, l.left_n, sizeof(*l.left), by_look, strangers->p);
	if (l.left_n)
		r = settle(&l, ret_removed, ret_left, fault);
	free(l.left);
	free(l.wanted);
	free(l.surplus);
	free(l.twice);
	return r;
}
