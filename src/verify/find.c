/* SPDX-License-Identifier: Apache-2.0 */
/* Where a message is, at both sides. The ledger says where to look, and the servers are asked for those very UIDs: only
 * what they show is there. What the ledger does not know is looked for in every header. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/books.h"
#include "mail/mutf7.h"
#include "verify/message-id.h"
#include "verify/walk.h"

enum { MOST_ROWS = 1000 };

struct search {
	struct verify *verify;
	const char *id;
	int (*place)(void *arg, const struct verify_place *place, struct fault *fault);
	void *arg;
	bool walked, busy;
	struct waiters turn;
};

struct half {
	struct search *search;
	struct verify_side *side;
	const struct imap_folders *folders;
	bool destination;
};

/* Both halves tell: one at a time. */
static int tell(struct search *s, const struct verify_place *place, struct fault *fault)
{
	int r;

	while (s->busy)
		if (waiters_wait(&s->turn, "another place to be told", fault) < 0)
			return -1;

	s->busy = true;
	r = s->place(s->arg, place, fault);
	s->busy = false;
	waiters_wake_one(&s->turn);
	return r < 0 ? -1 : 0;
}

static struct half half_of(struct search *s, bool destination)
{
	struct verify *v = s->verify;

	return (struct half){ s, destination ? v->to : v->from,
			      destination ? &v->destination : &v->source, destination };
}

/* --- one message ----------------------------------------------------------------------------- */

static void note_message(struct verify_place *place, const struct verify_list_job *list, uint32_t uid)
{
	const struct imap_message *m = list->begun ? imap_messages_find(&list->messages, uid) : NULL;

	if (!m)
		return;

	place->size = m->size;
	place->date = m->date;
	place->flags = list->messages.flag_sets[m->flags];
}

/* Asks for one UID: whether it is there, and this message. */
static int look_up(const struct half *h, struct bytes folder, uint32_t uidvalidity,
		   struct verify_place *place, struct fault *fault)
{
	struct imap_range range = { place->uid, place->uid };
	struct verify_list_job list = {
		.ranges = &range, .n = 1,
		.items = IMAP_ITEM_FLAGS | IMAP_ITEM_DATE | IMAP_ITEM_SIZE,
	};
	struct verify_identity_job headers = { .ranges = &range, .n = 1 };
	const struct imap_identity *identity = NULL;
	int r;

	verify_list_job(&list, folder, uidvalidity);
	verify_identity_job(&headers, folder, uidvalidity);
	r = verify_job_do(h->side, &list.job, fault);
	if (r == 0)
		r = verify_job_do(h->side, &headers.job, fault);
	if (r == 0) {
		note_message(place, &list, place->uid);
		identity = imap_identities_find(&headers.identities, place->uid);
		place->message_id = identity ? identity->identity.message_id : "";
		place->there = identity && verify_id_same(place->message_id, h->search->id);
		if (identity && !place->there)
			place->detail = "another message has this UID";
		else if (!identity)
			place->detail = "there is no message with this UID";
		r = tell(h->search, place, fault);
	}
	verify_list_done(&list);
	verify_identity_done(&headers);
	return r;
}

/* --- what the ledger knows -------------------------------------------------------------------- */

static const struct ledger_folder *folder_of(const struct verify *v, uint32_t id)
{
	for (size_t i = 0; i < v->known_n; i++)
		if (v->known[i].id == id)
			return &v->known[i];

	return NULL;
}

static bool is_listed(const struct imap_folders *folders, struct bytes name)
{
	for (size_t i = 0; i < folders->n; i++)
		if (bytes_equal(folders->p[i].name, name))
			return !(folders->p[i].flags & IMAP_FOLDER_NOSELECT);

	return false;
}

static const char *why_not(const struct ledger_message *row)
{
	switch ((enum ledger_state)row->state) {
	case LEDGER_EXCEPTED:
		return row->cause && row->cause <= CAUSE_COUNT_
			       ? books_cause_name((enum copy_cause)(row->cause - 1))
			       : "not copied";
	case LEDGER_REMOVED:
		return "the copy was removed";
	case LEDGER_GONE:
		return "it has left the source";
	case LEDGER_SENDING:
		return "a pass that stopped was about to copy it";
	case LEDGER_COPIED:
		break;
	}
	return "its UID is not known";
}

static int confirm(const struct half *h, const struct ledger_folder *known, const struct ledger_message *row,
		   struct fault *fault)
{
	struct bytes name = h->destination ? known->destination_name : known->source_name;
	uint32_t uidvalidity = h->destination ? known->destination_uidvalidity : known->source_uidvalidity;
	_cleanup_(buf_done) struct buf shown = BUF_NULL;
	struct verify_place place = {
		.destination = h->destination, .recorded = true, .row = row, .date = IMAP_NO_DATE,
		.uid = h->destination ? row->copy_uid : row->uid,
		.other_uid = h->destination ? row->uid : row->copy_uid,
		.flags = "", .message_id = "", .detail = "",
	};
	char detail[500];

	place.folder_utf8 = mutf7_decode(name, &shown) < 0 ? name : buf_bytes(&shown);
	if (!place.uid || !is_listed(h->folders, name)) {
		place.detail = place.uid ? "the folder is not there" : why_not(row);
		return tell(h->search, &place, fault);
	}
	if (look_up(h, name, uidvalidity, &place, fault) == 0)
		return 0;
	if (fault->reach > REACH_FOLDER)
		return -1;

	fault_format(fault, detail, sizeof(detail));
	place.detail = detail;
	return tell(h->search, &place, fault);
}

static int confirm_all(struct search *s, const struct ledger_messages *rows, struct fault *fault)
{
	struct half here = half_of(s, false), there = half_of(s, true);

	for (size_t i = 0; i < rows->n; i++) {
		const struct ledger_folder *known = folder_of(s->verify, rows->p[i].folder);

		if (known && (confirm(&here, known, &rows->p[i], fault) < 0 ||
			      confirm(&there, known, &rows->p[i], fault) < 0))
			return -1;
	}
	return 0;
}

/* --- every header ---------------------------------------------------------------------------- */

static int tell_found(const struct half *h, const struct imap_folder *folder, uint32_t uid,
		      struct fault *fault)
{
	struct verify_place place = {
		.destination = h->destination, .folder_utf8 = folder->utf8, .uid = uid,
		.date = IMAP_NO_DATE, .flags = "", .message_id = "", .detail = "",
	};

	return look_up(h, folder->name, 0, &place, fault);
}

static int search_window(const struct half *h, const struct imap_folder *folder, struct imap_range range,
			 size_t *ret_n, struct fault *fault)
{
	struct verify_identity_job job = { .ranges = &range, .n = 1 };
	int r;

	verify_identity_job(&job, folder->name, 0);
	r = verify_job_do(h->side, &job.job, fault);
	*ret_n = job.begun ? job.identities.n : 0;
	for (size_t i = 0; r == 0 && i < job.identities.n; i++)
		if (verify_id_same(job.identities.p[i].identity.message_id, h->search->id))
			r = tell_found(h, folder, job.identities.p[i].uid, fault);
	verify_identity_done(&job);
	return r;
}

static int search_folder(const struct half *h, const struct imap_folder *folder, struct fault *fault)
{
	uint64_t behind = 0;
	uint32_t low = 1;

	while (low) {
		struct verify_end_job end = { .behind = behind, .most = VERIFY_WINDOW, .low = low };
		size_t n;

		verify_end_job(&end, folder->name, 0);
		if (verify_job_do(h->side, &end.job, fault) < 0)
			return -1;
		if (!end.job.exists)
			return 0;
		if (search_window(h, folder, (struct imap_range){ low, end.ret_uid }, &n, fault) < 0)
			return -1;
		behind += n;
		low = end.ret_uid == UINT32_MAX ? 0 : end.ret_uid + 1;
	}
	return 0;
}

static int search_half(void *arg, struct fault *fault)
{
	const struct half *h = arg;
	const struct verify_options *o = &h->search->verify->options;

	for (size_t i = 0; i < h->folders->n; i++) {
		const struct imap_folder *folder = &h->folders->p[i];
		char words[400], text[600];

		if (folder->flags & (IMAP_FOLDER_NOSELECT | IMAP_FOLDER_FOREIGN) ||
		    search_folder(h, folder, fault) == 0)
			continue;
		if (fault->reach > REACH_FOLDER)
			return -1;
		fault_format(fault, words, sizeof(words));
		snprintf(text, sizeof(text), "%s folder %.*s could not be searched: %s", h->side->name,
			 BYTES_ARG(bytes_head(folder->utf8, 100)), words);
		if (o->note)
			o->note(o->arg, text);
	}
	return 0;
}

static int search_all(struct search *s, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;
	struct half here = half_of(s, false), there = half_of(s, true);

	s->walked = true;
	nursery_init(&nursery, "both sides");
	nursery_start(&nursery, search_half, &here, "search source");
	nursery_start(&nursery, search_half, &there, "search destination");
	return nursery_wait(&nursery, fault);
}

static int search(void *arg, struct fault *fault)
{
	struct search *s = arg;
	struct verify *v = s->verify;
	struct ledger_messages rows = { .n = 0 };
	int r = 0;

	if (v->options.ledger)
		r = ledger_find_message_id(v->options.ledger, s->id, MOST_ROWS, &rows, fault);
	if (r == 0)
		r = rows.n ? confirm_all(s, &rows, fault) : search_all(s, fault);
	ledger_messages_done(&rows);
	verify_side_stop(v->from);
	verify_side_stop(v->to);
	return r;
}

int verify_find(struct verify *v, const char *message_id,
		int (*place)(void *arg, const struct verify_place *place, struct fault *fault), void *arg,
		bool *ret_walked, struct fault *fault)
{
	struct search s = { .verify = v, .id = message_id, .place = place, .arg = arg };
	struct nursery nursery;
	int r;

	if (verify_plan(v, fault) < 0)
		return -1;

	waiters_init(&s.turn);
	nursery_init(&nursery, "search");
	verify_side_start(v->from, &nursery);
	verify_side_start(v->to, &nursery);
	nursery_start(&nursery, search, &s, "search");
	r = nursery_wait(&nursery, fault);
	*ret_walked = s.walked;
	return r < 0 ? -1 : 0;
}
