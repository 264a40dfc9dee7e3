/* SPDX-License-Identifier: Apache-2.0 */
/* The pass as a whole: workers take folders, largest first, until none is left. What comes before (connect,
 * list, map) is in prepare.c. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "copy/links.h"
#include "copy/record.h"
#include "copy/survey.h"
#include "copy/worker.h"
#include "mail/utf8.h"

enum { EVENTS_MAX = 64 << 10 }; /* bytes of events that wait for their reader */

static void init_maps(struct copy *copy)
{
	uint64_t seed;

	run_random(&seed, sizeof(seed));
	map_init(&copy->destination_by_name, seed);
	map_init(&copy->renamed, seed);
	map_init(&copy->vanished_by_look, seed);
	map_init(&copy->not_removed, seed);
}

struct copy *copy_new(const struct copy_options *options)
{
	struct copy *copy = xzalloc(sizeof(*copy));

	copy->options = *options;
	copy->mapping = xzalloc(sizeof(*copy->mapping));
	copy_throttle_init(&copy->throttle, options->bytes_per_second, options->messages_per_second);
	channel_init(&copy->events, EVENTS_MAX);
	waiters_init(&copy->to_record);
	waiters_init(&copy->surveyed);
	init_maps(copy);
	return copy;
}

struct copy *copy_free(struct copy *copy)
{
	if (!copy)
		return NULL;

	channel_done(&copy->events, free);
	imap_logout(copy->from);
	imap_logout(copy->to);
	imap_folders_done(&copy->source);
	imap_folders_done(&copy->destination);
	books_done(&copy->books);
	arena_done(&copy->arena);
	arena_done(&copy->known_arena);
	map_done(&copy->destination_by_name);
	map_done(&copy->renamed);
	map_done(&copy->vanished_by_look);
	map_done(&copy->not_removed);
	free(copy->vanished);
	free(copy->links);
	free(copy->mapping);
	free(copy);
	return NULL;
}

/* --- events ---------------------------------------------------------------------------------- */

static int send_event(struct copy *copy, struct copy_event *event, struct fault *fault)
{
	int r = channel_send(&copy->events, event, sizeof(*event), fault);

	if (r)
		free(event);
	return r < 0 ? -1 : 0;
}

int copy_tell(struct copy *copy, enum copy_event_kind kind, size_t index, struct fault *fault)
{
	struct copy_event *event = xzalloc(sizeof(*event));

	event->kind = kind;
	if (kind == EVENT_EXCEPTION)
		event->exception = index;
	else
		event->folder = index;
	return send_event(copy, event, fault);
}

int copy_note(struct copy *copy, struct fault *fault, const char *format, ...)
{
	struct copy_event *event = xzalloc(sizeof(*event));
	va_list args;

	event->kind = EVENT_NOTE;
	va_start(args, format);
	vsnprintf(event->text, sizeof(event->text), format, args);
	va_end(args);
	return send_event(copy, event, fault);
}

/* --- folders of the destination -------------------------------------------------------------- */

static int subscribe(struct copy *copy, size_t index, struct bytes wire, struct fault *fault)
{
	char detail[700];

	if (imap_subscribe(copy->to, wire, fault) == 0)
		return 0;
	if (fault->reach > REACH_FOLDER)
		return -1;

	fault_format(fault, detail, sizeof(detail));
	books_except(&copy->books, index, CAUSE_NOT_SUBSCRIBED, 0, 0, 0, "", detail);
	return copy_tell(copy, EVENT_EXCEPTION, copy->books.exceptions_n - 1, fault);
}

static int cannot_create(struct copy *copy, size_t index, const char *detail, struct fault *fault)
{
	struct copy_folder *folder = &copy->books.folders[index];

	folder->state = FOLDER_FAILED;
	folder->listed = folder->expected;
	books_except(&copy->books, index, CAUSE_FOLDER, 0, 0, folder->expected, "", detail);
	return copy_tell(copy, EVENT_EXCEPTION, copy->books.exceptions_n - 1, fault);
}

/* The server did not list the folder but says it exists. It may be one it hides, and empty: then it is
 * ours to fill. Or the server cannot tell its name from another's that was created a moment ago: two
 * source folders must not become one. */
static int exists_unlisted(struct copy *copy, size_t index, struct bytes wire, struct fault *fault)
{
	const struct mapping *m = copy->mapping;
	_cleanup_(buf_done) struct buf key = BUF_NULL;
	struct imap_folder now;

	utf8_key(copy->books.folders[index].destination_utf8, &key);
	for (size_t i = 0; i < m->n_entries; i++) {
		_cleanup_(buf_done) struct buf other = BUF_NULL;

		if (m->entries[i].action != MAPPING_COPY || bytes_equal(m->entries[i].wire, wire))
			continue;
		if (utf8_key(m->entries[i].path, &other) == 0 &&
		    bytes_equal(buf_bytes(&key), buf_bytes(&other)))
			return cannot_create(copy, index, "the destination does not tell this name "
					     "from another folder's; give one of them another name "
					     "with --map", fault);
	}

	if (imap_status(copy->to, wire, &now, fault) < 0)
		return fault->reach > REACH_FOLDER ? -1 : cannot_create(copy, index, fault->text, fault);
	if (now.messages)
		return cannot_create(copy, index, "the destination did not list the folder, but it "
				     "exists and holds messages", fault);
	return 0;
}

/* After a lost connection: the folder that exists may be the one whose CREATE was not answered. If the server
 * lists this very name it does not take it for another's. */
static int made_before(struct copy *copy, struct bytes wire, struct fault *fault)
{
	struct imap_folders now;
	int r = imap_list(copy->to, false, &now, fault);

	for (size_t i = 0; i < now.n && r == 0; i++)
		r = bytes_equal(now.p[i].name, wire);
	imap_folders_done(&now);
	return r;
}

/* A folder that cannot be created is an exception with all its messages; the others go on. again: another try
 * after a lost connection. */
static int create(struct copy *copy, size_t index, const struct mapping_entry *entry, bool again,
		  struct fault *fault)
{
	int r = imap_create(copy->to, entry->wire, bytes_of(role_attribute(entry->create_role)),
			    fault);
	char detail[700];

	if (r > 0 && again) {
		r = made_before(copy, entry->wire, fault);
		if (r)
			return r < 0 ? -1 : 0;
		r = 1;
	}
	if (r > 0)
		return exists_unlisted(copy, index, entry->wire, fault);
	if (r == 0 || fault->reach > REACH_FOLDER)
		return r;

	fault_format(fault, detail, sizeof(detail));
	return cannot_create(copy, index, detail, fault);
}

/* A \Noselect folder that the user named in --map: it has no messages, so no line in the books. */
static int create_parent(struct copy *copy, const struct mapping_entry *entry, struct fault *fault)
{
	if (imap_create(copy->to, entry->wire, BYTES_NULL, fault) >= 0)
		return 0;
	if (fault->reach > REACH_FOLDER)
		return -1;

	return copy_note(copy, fault, "%s", fault->text);
}

/* What its user unsubscribed on the new side is left so: only folders that are new here are subscribed. */
static bool is_subscribed(const struct copy *copy, struct bytes wire)
{
	const struct imap_folder *listed = copy_listed_there(copy, wire);

	return listed && listed->flags & IMAP_FOLDER_SUBSCRIBED;
}

static int make_folder(struct copy *copy, size_t index, const struct mapping_entry *entry, bool again,
		       struct fault *fault)
{
	if (entry->action == MAPPING_STRUCTURE)
		return entry->create ? create_parent(copy, entry, fault) : 0;

	if (entry->create && !copy->links[index].rename && create(copy, index, entry, again, fault) < 0)
		return -1;
	if (entry->subscribe && !is_subscribed(copy, entry->wire) && !copy->links[index].known &&
	    copy->books.folders[index].state != FOLDER_FAILED)
		return subscribe(copy, index, entry->wire, fault);
	return 0;
}

static int create_folders(struct copy *copy, struct fault *fault)
{
	size_t index = 0;

	copy->stage = COPY_CREATING;
	for (size_t i = 0; i < copy->mapping->n_entries; i++) {
		const struct mapping_entry *entry = &copy->mapping->entries[i];
		unsigned failures = 0;

		if (entry->action != MAPPING_COPY && entry->action != MAPPING_STRUCTURE)
			continue;
		while (make_folder(copy, index, entry, failures > 0, fault) < 0)
			if (copy_connect_again(copy, &failures, fault) < 0)
				return -1;
		index += entry->action == MAPPING_COPY;
	}
	return 0;
}

/* --- connections beyond the workers' own ------------------------------------------------------ */

/* One that stood idle may be dead: better to know before messages are entrusted to it. */
static bool still_works(struct imap_session *session)
{
	struct fault ignored;

	_deadline_(10 * SECOND);
	return imap_simple(session, "NOOP", &ignored) == 0;
}

struct imap_session *copy_take_spare(struct copy *copy)
{
	struct imap_session *session = NULL;
	struct fault ignored;

	while (copy->spare_n) {
		session = copy->spare[--copy->spare_n];
		if (still_works(session))
			return session;
		copy_give_spare(copy, session, false);
	}
	session = NULL;
	if (copy->no_more_lanes || copy->workers + copy->extra >= copy->options.connections)
		return NULL;

	copy->extra++;
	if (imap_connect(copy->options.to, &session, &ignored) == 0)
		return session;

	copy->extra--;
	copy->no_more_lanes = true; /* it can be done without */
	return NULL;
}

void copy_give_spare(struct copy *copy, struct imap_session *session, bool good)
{
	if (good && copy->spare_n < ARRAY_SIZE(copy->spare)) {
		copy->spare[copy->spare_n++] = session;
		return;
	}

	imap_session_free(session);
	copy->extra--;
}

static void close_spares(struct copy *copy)
{
	while (copy->spare_n)
		imap_logout(copy->spare[--copy->spare_n]);
}

/* --- workers --------------------------------------------------------------------------------- */

static bool take_folder(struct copy *copy, size_t *ret)
{
	while (copy->next_folder < copy->books.n) {
		struct copy_folder *folder = &copy->books.folders[copy->books.order[copy->next_folder]];

		*ret = copy->books.order[copy->next_folder++];
		if (folder->state == FOLDER_WAITING) {
			folder->state = FOLDER_COPYING;
			return true;
		}
	}
	return false;
}

static void give_back_folder(struct copy *copy, size_t index)
{
	copy->books.folders[index].state = FOLDER_WAITING;
	copy->next_folder = 0;
}

/* Whether the worker can do without: a server that wants fewer connections (Q3, Q4) is obeyed as long as
 * somebody else is at work. */
static bool can_be_spared(const struct copy_worker *w, const struct fault *fault)
{
	return w->number > 0 && w->copy->workers > 1 && fault->kind != FAULT_CANCELLED;
}

/* It no longer counts before anything else can happen: of two that leave at once one must stay. */
static int leave(struct copy_worker *w, size_t index, struct fault *fault)
{
	struct fault why = *fault;

	w->left = true;
	w->copy->workers--;
	give_back_folder(w->copy, index);
	return copy_note(w->copy, fault, "one connection fewer: %s", why.text);
}

/* Connections for the folder. 1: the worker gives up, others go on. */
static int connect_for(struct copy_worker *w, size_t index, struct fault *fault)
{
	if (copy_connect_both(w->copy, &w->from, &w->to, fault) == 0)
		return 0;
	if (can_be_spared(w, fault))
		return leave(w, index, fault) < 0 ? -1 : 1;

	return copy_connect_worker(w, fault);
}

static bool needs_survey(const struct copy *copy, size_t index)
{
	const struct copy_link *link = &copy->links[index];

	return (link->known || link->formers) && copy->books.folders[index].state == FOLDER_WAITING;
}

static bool take_survey(struct copy *copy, size_t *ret)
{
	while (copy->next_survey < copy->books.n) {
		*ret = copy->books.order[copy->next_survey++];
		if (needs_survey(copy, *ret) && !copy->links[*ret].surveying) {
			copy->links[*ret].surveying = true;
			return true;
		}
	}
	return false;
}

static void give_back_survey(struct copy *copy, size_t index)
{
	copy->links[index].surveying = false;
	copy->next_survey = 0;
	waiters_wake_all(&copy->surveyed);
}

/* All known folders are surveyed before any message is copied: only then it is known what has moved. */
static int survey_folders(struct copy_worker *w, struct fault *fault)
{
	struct copy *copy = w->copy;
	size_t index;
	int r;

	while (copy->surveys_left) {
		if (!take_survey(copy, &index)) {
			if (waiters_wait(&copy->surveyed, "other folders to be surveyed", fault) < 0)
				return -1;
			continue;
		}
		r = connect_for(w, index, fault);
		if (r > 0)
			give_back_survey(copy, index);
		if (r)
			return r;
		if (copy_folder_survey(w, index, fault) < 0)
			return -1;
		if (--copy->surveys_left == 0)
			waiters_wake_all(&copy->surveyed);
	}
	return 0;
}

static int copy_folders(struct copy_worker *w, struct fault *fault)
{
	size_t index;
	int r;

	while (take_folder(w->copy, &index)) {
		r = connect_for(w, index, fault);
		if (r)
			return r < 0 ? -1 : 0;
		if (copy_folder_run(w, index, fault) < 0)
			return -1;
	}
	return 0;
}

/* The first pair is kept for what comes after the folders; the others may be of use to workers still busy. */
static void put_away(struct copy_worker *w)
{
	struct copy *copy = w->copy;

	if (!copy->from && !copy->to && w->number == 0) {
		copy->from = TAKE_PTR(w->from);
		copy->to = TAKE_PTR(w->to);
	} else if (w->to && copy->workers) {
		copy->extra++;
		copy_give_spare(copy, TAKE_PTR(w->to), true);
	}
}

static int work(void *arg, struct fault *fault)
{
	struct copy_worker *w = arg;
	int r;

	w->hash = EVP_MD_CTX_new();
	EVP_DigestInit_ex(w->hash, EVP_sha256(), NULL);
	w->identify = mail_identify_new();
	r = survey_folders(w, fault);
	if (r == 0)
		r = copy_folders(w, fault);
	w->copy->workers -= !w->left;
	EVP_MD_CTX_free(w->hash);
	mail_identify_free(w->identify);
	if (r == 0)
		put_away(w);
	imap_logout(w->from);
	imap_logout(w->to);
	return r < 0 ? -1 : 0;
}

static unsigned workers_wanted(const struct copy *copy)
{
	unsigned wanted = copy->options.connections;
	unsigned useful = 0;

	for (size_t i = 0; i < copy->books.n; i++)
		useful += copy->books.folders[i].expected > 0 &&
			  copy->books.folders[i].state == FOLDER_WAITING;

	if (wanted > useful)
		wanted = useful;
	return wanted ? wanted : 1;
}

static int run_workers(struct copy *copy, struct fault *fault)
{
	unsigned n = workers_wanted(copy);
	_cleanup_(freep) struct copy_worker *workers = xzalloc(n * sizeof(*workers));
	struct nursery nursery;
	int r;

	nursery_init(&nursery, "workers");
	copy->stage = COPY_COPYING;
	copy->began_us = run_now();
	copy->workers = n;
	for (unsigned i = 0; i < n; i++) {
		workers[i] = (struct copy_worker){ .copy = copy, .number = i };
		if (i == 0) {
			workers[i].from = TAKE_PTR(copy->from);
			workers[i].to = TAKE_PTR(copy->to);
		}
		nursery_start(&nursery, work, &workers[i], "worker %u", i + 1);
	}
	r = nursery_wait(&nursery, fault);
	close_spares(copy);
	return r;
}

/* --- the pass --------------------------------------------------------------------------------- */

static bool is_nothing_to_do(const struct copy *copy)
{
	for (size_t i = 0; i < copy->books.n; i++)
		if (copy->books.folders[i].state == FOLDER_WAITING)
			return false;

	return !copy->any_removals && !copy_links_any_lost(copy) && !copy_vanished_any_left(copy);
}

static const char *kind_of_pass(const struct copy *copy)
{
	for (size_t i = 0; i < copy->books.n; i++)
		if (copy->links[i].known && copy->links[i].known->complete)
			return "delta";

	return copy->options.adopt ? "adopt" : "seed";
}

static void count_surveys(struct copy *copy)
{
	copy->surveys_left = 0;
	for (size_t i = 0; i < copy->books.n; i++)
		copy->surveys_left += needs_survey(copy, i);
}

static int finish(struct copy *copy, struct fault *fault)
{
	struct copy_worker w = { .copy = copy, .to = TAKE_PTR(copy->to) };
	int r = copy_vanished_settle(&w, fault);

	if (r == 0)
		r = copy_removals_tell(copy, fault);
	if (r == 0)
		r = copy_connect_destination(&w, fault);
	if (r == 0)
		r = copy_links_complete(copy, w.to, fault);
	copy->to = w.to;
	return r;
}

static int patiently(struct copy *copy, int (*step)(struct copy *copy, struct fault *fault),
		     struct fault *fault)
{
	unsigned failures = 0;

	while (step(copy, fault) < 0)
		if (copy_connect_again(copy, &failures, fault) < 0)
			return -1;

	return 0;
}

static int lose_folders(struct copy *copy, struct fault *fault)
{
	copy->vanished_n = 0; /* of a try before */
	return copy_links_lost(copy, fault);
}

static int run_pass(void *arg, struct fault *fault)
{
	struct copy *copy = arg;
	int r;

	r = copy_links_load_exceptions(copy, fault);
	if (r == 0)
		r = patiently(copy, copy_links_rename, fault);
	if (r == 0)
		r = patiently(copy, copy_removals_resume, fault);
	if (r == 0)
		r = patiently(copy, lose_folders, fault);
	if (r == 0)
		r = create_folders(copy, fault);
	count_surveys(copy);
	if (r == 0)
		r = run_workers(copy, fault);
	if (r == 0)
		r = patiently(copy, finish, fault);
	copy_record_end(copy);
	return r;
}

/* Rows that are queued are of messages that were copied: they are kept whatever became of the pass. */
static int keep_rows(struct copy *copy, int64_t number, int r, struct fault *fault)
{
	struct copy_folder t = books_total(&copy->books);
	struct ledger_pass pass = {
		.ended = run_wall(), .copied = t.copied, .bytes = t.bytes,
		.flags_changed = t.flags_changed, .moved = t.moved, .deleted = t.deleted,
		.excepted = t.excepted, .exit_status = r < 0 ? 3 : t.excepted ? 1 : 0,
		.error = r < 0 ? fault->text : "",
	};
	int64_t before = run_shield(MINUTE);
	struct fault why;
	int kept;

	ledger_end_pass(copy->options.ledger, number, &pass);
	kept = ledger_commit(copy->options.ledger, &why);
	run_unshield(before);
	if (kept < 0 && r == 0)
		*fault = why;
	return kept;
}

static int run_recorded(struct copy *copy, struct fault *fault)
{
	int64_t number = ledger_begin_pass(copy->options.ledger, kind_of_pass(copy), run_wall());
	struct nursery nursery;
	int r;

	nursery_init(&nursery, "pass");
	nursery_start(&nursery, copy_record_run, copy, "ledger");
	nursery_start(&nursery, run_pass, copy, "pass");
	r = nursery_wait(&nursery, fault);
	nursery_done(&nursery);
	if (keep_rows(copy, number, r, fault) < 0)
		return -1;
	return r;
}

int copy_run(struct copy *copy, struct fault *fault)
{
	int r;

	copy->began_us = run_now();
	copy->nothing_to_do = is_nothing_to_do(copy);
	if (copy->nothing_to_do)
		r = copy_links_load_exceptions(copy, fault);
	else
		r = run_recorded(copy, fault);

	books_close(&copy->books);
	copy->stage = COPY_ENDED;
	channel_close(&copy->events);
	return r < 0 ? -1 : 0;
}

bool copy_found_news(const struct copy *copy)
{
	struct copy_folder t = books_total(&copy->books);

	if (copy->nothing_to_do)
		return false;
	if (t.copied || t.adopted || t.moved || t.flags_changed || t.gone || t.deleted || t.removed ||
	    map_count(&copy->renamed))
		return true;

	for (size_t i = 0; i < copy->books.exceptions_n; i++)
		if (!copy->books.exceptions[i].earlier)
			return true;
	for (size_t i = 0; i < copy->mapping->n_entries; i++)
		if (copy->mapping->entries[i].action != MAPPING_SKIP && copy->mapping->entries[i].create)
			return true;
	return false;
}
