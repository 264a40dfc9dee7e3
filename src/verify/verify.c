/* SPDX-License-Identifier: Apache-2.0 */
/* A verification as a whole: walkers take folders, largest first, connections do their jobs (side.h); then what strayed
 * is settled, and the ledger remembers what came of it. */
#include "verify/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "verify/fact.h"
#include "verify/side.h"
#include "verify/strays.h"
#include "verify/walk.h"

enum { COMMIT_AT = 500 };

const char *verify_level_name(enum verify_level level)
{
	static const char *const names[] = { "counts", "identity", "content" };

	return names[level];
}

int verify_level_of(const char *name)
{
	for (int level = VERIFY_COUNTS; level <= VERIFY_CONTENT; level++)
		if (strcmp(name, verify_level_name((enum verify_level)level)) == 0)
			return level;

	return -1;
}

/* --- life ------------------------------------------------------------------------------------ */

static struct verify_side *side_new(const struct verify_options *o, bool destination)
{
	struct verify_side *side = xzalloc(sizeof(*side));

	side->account = destination ? o->to : o->from;
	side->pace = destination ? o->to_pace : o->from_pace;
	side->name = destination ? "destination" : "source";
	side->note = o->note;
	side->arg = o->arg;
	side->connections = o->connections ? o->connections : 1;
	side->retries = o->retries;
	side->patience_us = o->patience_us;
	return side;
}

struct verify *verify_new(const struct verify_options *options)
{
	struct verify *v = xzalloc(sizeof(*v));

	v->options = *options;
	v->from = side_new(options, false);
	v->to = side_new(options, true);
	v->strays = verify_strays_new();
	v->began_us = run_wall();
	waiters_init(&v->turn);
	return v;
}

struct verify *verify_free(struct verify *v)
{
	if (!v)
		return NULL;

	verify_side_done(v->from);
	verify_side_done(v->to);
	free(v->from);
	free(v->to);
	verify_strays_free(v->strays);
	imap_folders_done(&v->source);
	imap_folders_done(&v->destination);
	arena_done(&v->arena);
	free(v->folders);
	free(v->order);
	free(v);
	return NULL;
}

/* --- findings -------------------------------------------------------------------------------- */

/* Receivers write files, so they suspend: one at a time. */
static int tell(struct verify *v, const struct verify_finding *f, struct fault *fault)
{
	int r;

	while (v->telling)
		if (waiters_wait(&v->turn, "another finding to be told", fault) < 0)
			return -1;

	v->telling = true;
	r = v->options.found(v->options.arg, f, fault);
	v->telling = false;
	waiters_wake_one(&v->turn);
	return r < 0 ? -1 : 0;
}

int verify_tell(struct verify *v, struct verify_finding *f, struct fault *fault)
{
	struct verify_folder *folder = verify_folder_of(v, f);

	f->accepted = verify_accepted(v->accepted, v->accepted_n, f,
				      folder ? folder->source_utf8 : BYTES_NULL);
	if (folder)
		verify_tally_add(folder->tally, f);
	verify_tally_add(v->tally, f);
	return v->options.found ? tell(v, f, fault) : 0;
}

int verify_commit_some(struct verify *v, struct fault *fault)
{
	return ledger_queued(v->options.ledger) < COMMIT_AT ? 0 : ledger_commit(v->options.ledger, fault);
}

/* --- totals ---------------------------------------------------------------------------------- */

static void add_count(struct verify_count *to, const struct verify_count *c)
{
	to->messages += c->messages;
	to->bytes += c->bytes;
	to->seen += c->seen;
	to->answered += c->answered;
	to->flagged += c->flagged;
	to->deleted += c->deleted;
	to->draft += c->draft;
	to->keywords += c->keywords;
	to->counted = to->counted && c->counted;
	to->from_ledger = to->from_ledger || c->from_ledger;
}

static void add_folder(struct verify_folder *to, const struct verify_folder *f)
{
	add_count(&to->source, &f->source);
	add_count(&to->destination, &f->destination);
	to->expected += f->expected;
	to->looked_at += f->looked_at;
	to->copied += f->copied;
	to->excepted += f->excepted;
	to->there += f->there;
	to->elsewhere += f->elsewhere;
	to->missing += f->missing;
	to->not_copied += f->not_copied;
	to->fresh += f->fresh;
	to->filtered += f->filtered;
	to->unaccounted += f->unaccounted;
	to->unlisted += f->unlisted;
	to->kept += f->kept;
	to->strangers += f->strangers;
	to->compared += f->compared;
	to->bytes += f->bytes;
	if (f->state != VERIFY_DONE)
		to->state = VERIFY_FAILED;
}

struct verify_folder verify_total(const struct verify *v)
{
	struct verify_folder total = { .left_out = "", .state = VERIFY_DONE, .source = { .counted = true },
				       .destination = { .counted = true } };

	for (size_t i = 0; i < v->n; i++)
		if (!v->folders[i].left_out[0])
			add_folder(&total, &v->folders[i]);
	memcpy(total.tally, v->tally, sizeof(total.tally));
	return total;
}

/* --- the run --------------------------------------------------------------------------------- */

static int walk(void *arg, struct fault *fault)
{
	struct verify *v = arg;

	while (v->next < v->n) {
		struct verify_folder *folder = &v->folders[v->order[v->next++]];

		if (!folder->left_out[0] && verify_folder_run(v, folder, fault) < 0)
			return -1;
	}
	return 0;
}

static int walk_all(void *arg, struct fault *fault)
{
	struct verify *v = arg;
	struct nursery walkers;
	int r;

	nursery_init(&walkers, "walkers");
	for (unsigned i = 0; i < v->from->connections; i++)
		nursery_start(&walkers, walk, v, "walker %u", i + 1);
	r = nursery_wait(&walkers, fault);
	if (r == 0)
		r = verify_strays_settle(v, fault);
	if (r == 0) {
		verify_side_stop(v->from);
		verify_side_stop(v->to);
	}
	return r;
}

static int look(struct verify *v, struct fault *fault)
{
	struct nursery nursery;

	/* Walkers and connections end together: nobody may wait for somebody who has left. */
	nursery_init(&nursery, "verification");
	v->reading = true;
	verify_side_start(v->from, &nursery);
	verify_side_start(v->to, &nursery);
	nursery_start(&nursery, walk_all, v, "walk");
	if (nursery_wait(&nursery, fault) < 0)
		return -1;

	v->reading = false;
	return 0;
}

static int run(struct verify *v, struct fault *fault)
{
	if (verify_plan(v, fault) < 0 || look(v, fault) < 0)
		return -1;

	v->finished = true;
	v->grade = verify_grade_of(v->tally);
	return 0;
}

int verify_run(struct verify *v, struct fault *fault)
{
	struct ledger *ledger = v->options.ledger;
	struct ledger_pass pass = { .error = "" };
	char kind[32];
	struct fault why;
	int64_t number;
	int r;

	snprintf(kind, sizeof(kind), "verify-%s", verify_level_name(v->options.level));
	pass.kind = kind;
	pass.began = v->began_us = run_wall();
	number = ledger_begin_pass(ledger, kind, v->began_us);
	r = run(v, fault);
	pass.ended = v->ended_us = run_wall();
	if (r < 0) {
		pass.error = fault->text;
		pass.exit_status = 3;
	} else {
		pass.exit_status = v->grade == VERIFY_READY ? 0 : v->grade == VERIFY_READY_ACCEPTED ? 1 : 4;
		verify_fact_set(v);
		verify_folders_set(v);
	}
	ledger_end_pass(ledger, number, &pass);
	if (ledger_commit(ledger, r < 0 ? &why : fault) < 0)
		r = -1;
	return r;
}
