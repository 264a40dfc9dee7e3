/* SPDX-License-Identifier: Apache-2.0 */
/* What a destination folder holds that no row of its source folder names: copies made under an earlier UIDVALIDITY, and
 * strangers. The UIDs of all rows are held for that, four bytes each; the folder itself is listed in windows. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "imap/write.h"
#include "verify/flags.h"
#include "verify/strays.h"
#include "verify/walk.h"

enum { HEADERS = 512 };

struct uids {
	uint32_t *p;
	size_t n;
};

struct hunt {
	struct verify_walk *walk;
	struct uids own, others;   /* others: of other rows whose copies are in this folder */
	uint64_t doubles;          /* rows that name a copy which another row names */
	uint64_t strangers;
};

/* --- what rows name -------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool has(const struct uids *uids, uint32_t uid)
{
	return uids->n && bsearch(&uid, uids->p, uids->n, sizeof(*uids->p), by_number);
}

static int load(struct verify *v, const struct ledger_folder *row, struct uids *to, struct fault *fault)
{
	_cleanup_(freep) uint32_t *more = NULL;
	size_t n = 0;

	if (ledger_load_copy_uids(v->options.ledger, row->id, 1, &more, &n, fault) < 0)
		return -1;

	to->p = xreallocarray(to->p, to->n + n + 1, sizeof(*to->p));
	if (n)
		memcpy(to->p + to->n, more, n * sizeof(*more));
	to->n += n;
	return 0;
}

static int load_all(struct hunt *h, struct fault *fault)
{
	struct verify *v = h->walk->verify;
	const struct ledger_folder *known = h->walk->folder->known;

	if (load(v, known, &h->own, fault) < 0)
		return -1;

	for (size_t i = 0; i < v->known_n; i++) {
		const struct ledger_folder *row = &v->known[i];

		if (row != known && bytes_equal(row->destination_name, known->destination_name) &&
		    row->destination_uidvalidity == known->destination_uidvalidity &&
		    load(v, row, &h->others, fault) < 0)
			return -1;
	}
	if (h->others.n)
		qsort(h->others.p, h->others.n, sizeof(*h->others.p), by_number);
	return 0;
}

static bool any_twice(const struct uids *uids)
{
	for (size_t i = 1; i < uids->n; i++)
		if (uids->p[i] == uids->p[i - 1])
			return true;

	return false;
}

/* --- a window of the destination --------------------------------------------------------------- */

static void count_doubles(struct hunt *h, uint32_t uid)
{
	const uint32_t *at = bsearch(&uid, h->own.p, h->own.n, sizeof(uid), by_number);
	const uint32_t *end = h->own.p + h->own.n;

	while (at > h->own.p && at[-1] == uid)
		at--;
	while (++at < end && *at == uid)
		h->doubles++;
}

/* One batch of strangers: their headers, and into the list of strays with them. */
static int keep_some(struct hunt *h, const struct imap_message *p, size_t n, struct fault *fault)
{
	struct verify_walk *w = h->walk;
	_cleanup_(freep) struct imap_range *ranges = NULL;
	struct verify_identity_job job = { .n = 0 };
	size_t capacity = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		imap_set_add(&ranges, &job.n, &capacity, p[i].uid);
	job.ranges = ranges;
	verify_identity_job(&job, w->folder->destination_name, w->folder->known->destination_uidvalidity);
	if (verify_job_do(w->verify->to, &job.job, fault) < 0)
		r = fault->reach <= REACH_FOLDER ? 0 : -1; /* then without headers */

	for (size_t i = 0; i < n && r == 0; i++)
		r = verify_stray_stranger(w->verify, w->folder, &p[i],
					  job.begun ? imap_identities_find(&job.identities, p[i].uid) : NULL,
					  fault);
	verify_identity_done(&job);
	return r;
}

static int take_unknown(struct hunt *h, const struct imap_messages *m, struct fault *fault)
{
	struct verify_walk *w = h->walk;
	_cleanup_(freep) struct imap_message *batch = xreallocarray(NULL, HEADERS, sizeof(*batch));
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		_cleanup_(freep) char *flags = verify_flags_canonical(m->flag_sets[m->p[i].flags]);

		w->folder->destination.messages++;
		w->folder->destination.bytes += m->p[i].size;
		verify_flags_count(&w->folder->destination, flags);
		if (has(&h->others, m->p[i].uid)) {
			w->folder->kept++;
			continue;
		}
		w->folder->strangers++;
		h->strangers++;
		if (w->verify->options.level == VERIFY_COUNTS)
			continue;
		batch[n++] = m->p[i];
		if (n == HEADERS && keep_some(h, batch, n, fault) < 0)
			return -1;
		n %= HEADERS;
	}
	return n ? keep_some(h, batch, n, fault) : 0;
}

static int look_at(struct hunt *h, const struct imap_messages *m, struct fault *fault)
{
	struct verify_walk *w = h->walk;
	_cleanup_(freep) struct imap_range *ranges = NULL;
	struct verify_list_job job = { .items = IMAP_ITEM_FLAGS | IMAP_ITEM_SIZE };
	size_t capacity = 0;
	int r;

	for (size_t i = 0; i < m->n; i++)
		if (has(&h->own, m->p[i].uid))
			count_doubles(h, m->p[i].uid);
		else
			imap_set_add(&ranges, &job.n, &capacity, m->p[i].uid);
	if (!job.n)
		return 0;

	job.ranges = ranges;
	verify_list_job(&job, w->folder->destination_name, w->folder->known->destination_uidvalidity);
	r = verify_job_do(w->verify->to, &job.job, fault);
	if (r == 0)
		r = take_unknown(h, &job.messages, fault);
	verify_list_done(&job);
	return r;
}

static int walk_there(struct hunt *h, struct fault *fault)
{
	struct verify_walk *w = h->walk;
	struct bytes name = w->folder->destination_name;
	uint32_t uidvalidity = w->folder->known->destination_uidvalidity, low = 1;
	uint64_t behind = 0;

	while (low) {
		struct verify_end_job end = { .behind = behind, .most = VERIFY_WINDOW, .low = low };
		struct verify_list_job list = { .low = low };
		int r;

		verify_end_job(&end, name, uidvalidity);
		if (verify_job_do(w->verify->to, &end.job, fault) < 0)
			return -1;
		list.high = end.ret_uid;
		verify_list_job(&list, name, uidvalidity);
		r = verify_job_do(w->verify->to, &list.job, fault);
		if (r == 0)
			r = look_at(h, &list.messages, fault);
		behind += list.begun ? list.messages.n : 0;
		verify_list_done(&list);
		if (r < 0)
			return -1;
		low = end.ret_uid == UINT32_MAX ? 0 : end.ret_uid + 1;
	}
	return 0;
}

/* --- findings -------------------------------------------------------------------------------- */

/* One copy cannot be two messages': of the others nothing is known. */
static int tell_doubles(struct hunt *h, struct fault *fault)
{
	struct verify_folder *folder = h->walk->folder;
	struct verify_finding f = {
		.kind = VERIFY_MISSING, .folder = folder, .messages = h->doubles,
		.detail = "several rows of the ledger name the same message of the destination",
	};
	uint64_t n = h->doubles < folder->there ? h->doubles : folder->there;

	if (!h->doubles)
		return 0;

	folder->there -= n;
	folder->missing += n;
	folder->destination.messages -= n;
	return verify_tell(h->walk->verify, &f, fault);
}

static int tell_strangers(struct hunt *h, struct fault *fault)
{
	struct verify_finding f = { .kind = VERIFY_EXTRA, .folder = h->walk->folder,
				    .messages = h->strangers };

	if (!h->strangers || h->walk->verify->options.level > VERIFY_COUNTS)
		return 0;

	return verify_tell(h->walk->verify, &f, fault);
}

static int tell_unlisted(struct hunt *h, struct fault *fault)
{
	struct verify_walk *w = h->walk;
	struct verify_job count = { .exists = 0 };
	struct verify_finding f = { .kind = VERIFY_COUNT, .folder = w->folder,
				    .detail = "at the destination" };

	if (w->exists_there == UINT32_MAX || w->exists_there <= w->folder->destination.messages)
		return 0;

	verify_count_job(&count, w->folder->destination_name, w->folder->known->destination_uidvalidity);
	if (verify_job_do(w->verify->to, &count, fault) < 0)
		return -1;
	if (count.exists < w->exists_there)
		w->exists_there = count.exists;
	if (w->exists_there <= w->folder->destination.messages)
		return 0;

	f.messages = w->exists_there - w->folder->destination.messages;
	return verify_tell(w->verify, &f, fault);
}

static int hunt(struct hunt *h, struct fault *fault)
{
	struct verify_walk *w = h->walk;
	struct verify_job count = { .exists = 0 };

	if (load_all(h, fault) < 0)
		return -1;

	verify_count_job(&count, w->folder->destination_name, w->folder->known->destination_uidvalidity);
	if (verify_job_do(w->verify->to, &count, fault) < 0)
		return -1;
	if (count.exists < w->exists_there)
		w->exists_there = count.exists;

	/* As many as the rows name: then there are no others. */
	if (count.exists == w->folder->destination.messages && !h->others.n && !any_twice(&h->own))
		return 0;
	if (walk_there(h, fault) < 0 || tell_doubles(h, fault) < 0 || tell_strangers(h, fault) < 0)
		return -1;

	return tell_unlisted(h, fault);
}

int verify_strangers(struct verify_walk *w, struct fault *fault)
{
	struct hunt h = { .walk = w };
	int r = hunt(&h, fault);

	free(h.own.p);
	free(h.others.p);
	return r;
}
