/* SPDX-License-Identifier: Apache-2.0 */
/* Recipients and the table of routes, see recipients.h. */
#include "gateway/recipients.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/keep.h"
#include "os/file.h"
#include "os/look.h"
#include "os/spawn.h"

enum {
	TEXT_MAX = 256 << 20,    /* of a source: some millions of recipients */
	OUTPUT_MAX = 64 << 20,
	ENTRIES_MAX = 1500,      /* of one record: what it may hold, even if all are aliases of 320 bytes */
};

#define COMMAND_TIME (60 * SECOND)

struct recipients {
	struct keeper *k;
	char *path;                  /* of what was read the last time */
	struct recipient_table last; /* that */
	uint64_t reloads;            /* before it was read */
	char *why;                   /* it cannot be read; NULL: it can */
	size_t foreign;              /* that were told about */
};

/* --- reading --------------------------------------------------------------------------------- */

struct read_job {
	char *file, *command; /* one of them, or none; owned */
	struct recipient_table table;
	size_t foreign;
};

static void read_job_done(struct read_job *job)
{
	free(job->file);
	free(job->command);
	recipient_table_done(&job->table);
}

static int run_command(const char *command, struct buf *text, struct fault *fault)
{
	int status;

	if (os_command_output(command, OUTPUT_MAX, COMMAND_TIME, text, &status, fault) < 0)
		return -1;
	if (status != 0)
		return fault_set(fault, FAULT_LOCAL, REACH_PROCESS, AGAIN_LATER, "it ended with status %d", status);
	return 0;
}

static int read_source(void *arg, struct fault *fault)
{
	struct read_job *job = arg;
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	int r;

	if (!job->file && !job->command)
		return 0;
	if (job->file)
		r = os_read_file(job->file, TEXT_MAX, &text, fault);
	else
		r = run_command(job->command, &text, fault);
	if (r == 0)
		r = recipients_parse(buf_bytes(&text), &job->table, &job->foreign, fault);
	if (r < 0)
		fault_prefix(fault, "%s", job->file ? job->file : "recipients_command");
	return r;
}

static unsigned default_route(const struct config_gateway *g, const char *domain)
{
	for (const char *const *text = g->domain_routes; text && *text; text++) {
		struct bytes rest = bytes_of(*text), name = bytes_cut(&rest, '=');
		enum route route;

		if (bytes_equal_nocase(name, bytes_of(domain)) && route_from(rest, &route) == 0)
			return route;
	}
	return JOURNAL_ROUTE_UNKNOWN;
}

/* What the configuration says by itself. */
static void add_config(const struct config *config, struct recipient_table *table, size_t *foreign)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	const struct config_gateway *g = &config->gateway;
	struct bytes key;

	for (const char *const *domain = g->domains; domain && *domain; domain++)
		recipient_put(table, bytes_of(arena_printf(&arena, "@%s", *domain)), default_route(g, *domain));
	for (size_t i = 0; i < config->mailboxes_n; i++) {
		struct bytes address = bytes_of(config->mailboxes[i].address);

		/* A list may name logins that are no addresses: no mail comes for them. */
		if (recipient_key(address, &arena, &key) && map_has(&table->words, bytes_skip(key, (size_t)((const char *)memrchr(key.p, '@', key.n) - key.p))))
			recipient_put(table, key, RECIPIENT_LISTED);
		else
			++*foreign;
	}
	for (const char *const *alias = g->aliases; alias && *alias; alias++) {
		struct bytes to = bytes_of(*alias), from = bytes_cut(&to, '=');

		*foreign += !recipient_put_alias(table, from, to);
	}
}

/* What the source said the last time counts on. */
static void keep_last(const struct recipient_table *last, struct recipient_table *table)
{
	struct map_entry entry;
	size_t at = 0;

	while (map_next(&last->words, &at, &entry))
		if (((uintptr_t)entry.value & RECIPIENT_SOURCE) && !map_has(&table->words, entry.key))
			recipient_put(table, entry.key, (unsigned)(uintptr_t)entry.value);
}

static void tell_why(struct recipients *r, const char *why)
{
	if (why && (!r->why || strcmp(r->why, why) != 0))
		keeper_alarm(r->k, "recipients", "%s; recipients stay as they were, and who is not among them may exist", why);
	if (!why && r->why)
		keeper_note(r->k, "recipients", "they can be read again");
	free(r->why);
	r->why = why ? xstrdup(why) : NULL;
	r->k->is_unsure = why != NULL;
	keep_look(r->k->keep);
}

/* --- changing the table ---------------------------------------------------------------------- */

struct changes {
	struct arena arena;
	struct journal_routes routes;
};

static void add_change(struct changes *changes, struct bytes key, uint64_t route, struct bytes target)
{
	changes->routes.entries[changes->routes.n_entries++] = (struct journal_route_entry){
		.address = arena_copy(&changes->arena, key), .route = route, .target = arena_copy(&changes->arena, target) };
}

static struct bytes alias_of(const struct recipient_table *table, struct bytes key)
{
	return bytes_of(map_get(&table->aliases, key));
}

/* What a key that is wanted changes, given the entry there is and what was wanted the last time. */
static void want(const struct recipients *r, const struct recipient_table *table, struct bytes key, unsigned word,
		 struct changes *changes)
{
	unsigned said = word & RECIPIENT_WORD, former = recipient_word(&r->last, key) & RECIPIENT_WORD;
	bool was_alias = former == RECIPIENT_ALIAS;
	struct router_entry now;
	bool is_there = router_get(queue_router(r->k->queue), key, &now);

	if (said == RECIPIENT_ALIAS) {
		struct bytes target = alias_of(table, key);
		bool is_news = !was_alias || !bytes_equal(target, alias_of(&r->last, key));

		if (!is_there || (is_news && !bytes_equal(now.target, target)))
			add_change(changes, key, 0, target);
		return;
	}
	/* An alias that was ours, and now is a recipient by himself. */
	if (is_there && was_alias && now.target.n > 0)
		is_there = false;
	if (said == RECIPIENT_LISTED) {
		if (!is_there)
			add_change(changes, key, ROUTE_OLD, BYTES_NULL);
		return;
	}
	if (!is_there || (said != former && (now.target.n > 0 || (now.route ? now.route : JOURNAL_ROUTE_UNKNOWN) != said)))
		add_change(changes, key, said, BYTES_NULL);
}

/* A key that is wanted no longer. */
static void unwant(const struct recipients *r, struct bytes key, unsigned word, struct changes *changes)
{
	unsigned former = word & RECIPIENT_WORD;
	struct router_entry now;
	bool is_same;

	if (!router_get(queue_router(r->k->queue), key, &now))
		return;
	if (former == RECIPIENT_ALIAS)
		is_same = bytes_equal(now.target, alias_of(&r->last, key));
	else
		is_same = now.target.n == 0 && now.route == (former == RECIPIENT_LISTED ? ROUTE_OLD : (enum route)former);
	if (is_same || key.p[0] == '@')
		add_change(changes, key, 0, BYTES_NULL);
}

static int put_changes(const struct recipients *r, struct changes *changes, struct fault *fault)
{
	int result = changes->routes.n_entries ? queue_change_routes(r->k->queue, &changes->routes, fault) : 0;

	changes->routes.n_entries = 0;
	return result;
}

/* Looked at and changed in portions; the table is nobody else's meanwhile. */
SUSPENDS static int change_routes(const struct recipients *r, const struct recipient_table *table, struct changes *changes,
				  struct fault *fault)
{
	struct map_entry entry;
	size_t at = 0;

	while (map_next(&table->words, &at, &entry)) {
		want(r, table, entry.key, (unsigned)(uintptr_t)entry.value, changes);
		if (changes->routes.n_entries == ENTRIES_MAX && put_changes(r, changes, fault) < 0)
			return -1;
		if (at % ENTRIES_MAX == 0 && run_yield(fault) < 0)
			return -1;
	}
	for (at = 0; map_next(&r->last.words, &at, &entry);) {
		if (!map_has(&table->words, entry.key))
			unwant(r, entry.key, (unsigned)(uintptr_t)entry.value, changes);
		if (changes->routes.n_entries == ENTRIES_MAX && put_changes(r, changes, fault) < 0)
			return -1;
		if (at % ENTRIES_MAX == 0 && run_yield(fault) < 0)
			return -1;
	}
	return put_changes(r, changes, fault);
}

SUSPENDS static int apply(const struct recipients *r, const struct recipient_table *table, struct fault *fault)
{
	struct changes changes = { .routes = { .operator = BYTES("recipients"), .reason = BYTES("configuration and lists") } };
	int result;

	if (keeper_take_routes(r->k, fault) < 0)
		return -1;
	changes.routes.entries = xreallocarray(NULL, ENTRIES_MAX, sizeof(*changes.routes.entries));
	result = change_routes(r, table, &changes, fault);
	keeper_give_routes(r->k);
	free(changes.routes.entries);
	arena_done(&changes.arena);
	return result;
}

/* --- the last time --------------------------------------------------------------------------- */

struct last_job {
	const char *path;
	const struct recipient_table *from;
	struct recipient_table *to;
};

static int write_last(void *arg, struct fault *fault)
{
	struct last_job *job = arg;
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	recipients_write(job->from, &text);
	return os_replace_file(job->path, buf_bytes(&text), fault);
}

/* 1: there is none. */
static int read_last(void *arg, struct fault *fault)
{
	struct last_job *job = arg;
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	if (!os_is_there(job->path))
		return 1;
	if (os_read_file(job->path, TEXT_MAX, &text, fault) < 0)
		return -1;
	if (recipients_read(buf_bytes(&text), job->to, fault) < 0)
		return fault_prefix(fault, "%s", job->path);
	return 0;
}

static bool is_same_table(const struct recipient_table *a, const struct recipient_table *b)
{
	struct map_entry entry;
	size_t at = 0;

	if (map_count(&a->words) != map_count(&b->words))
		return false;
	while (map_next(&a->words, &at, &entry))
		if (map_get(&b->words, entry.key) != entry.value ||
		    !bytes_equal(alias_of(a, entry.key), alias_of(b, entry.key)))
			return false;
	return true;
}

/* --- the life -------------------------------------------------------------------------------- */

static void tell_foreign(struct recipients *r, size_t foreign)
{
	if (foreign && foreign != r->foreign)
		keeper_alarm(r->k, "recipients", "%zu of them are of none of our domains, or no addresses; no mail is taken for them",
			     foreign);
	r->foreign = foreign;
}

SUSPENDS static int take(struct recipients *r, struct read_job *job, struct fault *fault)
{
	const struct config_gateway *g = &r->k->config->gateway;
	bool has_source = g->recipients_file || g->recipients_command;
	struct fault why = FAULT_INIT;
	struct last_job last;

	r->reloads = r->k->reloads;
	job->file = g->recipients_file ? xstrdup(g->recipients_file) : NULL;
	job->command = g->recipients_command ? xstrdup(g->recipients_command) : NULL;
	recipient_table_init(&job->table, r->k->seed[0]);
	add_config(r->k->config, &job->table, &job->foreign);
	if (pool_call("recipients", read_source, job, &why) < 0) {
		size_t foreign = 0;

		if (why.kind == FAULT_CANCELLED) {
			*fault = why;
			return -1;
		}
		/* What it said before it failed is not counted on. */
		if (r->reloads != r->k->reloads)
			return 0;
		recipient_table_done(&job->table);
		recipient_table_init(&job->table, r->k->seed[0]);
		add_config(r->k->config, &job->table, &foreign);
	} else if (has_source && job->table.n_source == 0 && r->last.n_source > 0) {
		fault_set(&why, FAULT_DATA, REACH_PROCESS, AGAIN_LATER, "%s names nobody, and named %zu the last time",
			  job->file ? job->file : "recipients_command", r->last.n_source);
	} else {
		tell_foreign(r, job->foreign);
	}
	tell_why(r, why.kind ? why.text : NULL);
	if (why.kind)
		keep_last(&r->last, &job->table);
	if (apply(r, &job->table, fault) < 0)
		return -1;
	if (is_same_table(&r->last, &job->table))
		return 0;
	last = (struct last_job){ .path = r->path, .from = &job->table };
	if (pool_call("the list of recipients", write_last, &last, fault) < 0)
		return -1;
	recipient_table_done(&r->last);
	r->last = job->table;
	recipient_table_init(&job->table, r->k->seed[0]);
	return 0;
}

SUSPENDS static int read_all(struct recipients *r, struct fault *fault)
{
	struct read_job job = { .foreign = 0 };
	int result = take(r, &job, fault);

	read_job_done(&job);
	return result;
}

int recipients_open(struct keeper *k, struct fault *fault)
{
	struct recipients *r = xzalloc(sizeof(*r));
	struct last_job last;
	struct fault why;
	struct buf path = BUF_NULL;

	k->recipients = r;
	r->k = k;
	buf_appendf(&path, "%s/recipients", k->folder);
	r->path = buf_take(&path);
	recipient_table_init(&r->last, k->seed[0]);
	last = (struct last_job){ .path = r->path, .to = &r->last };
	if (pool_call("the list of recipients", read_last, &last, &why) < 0) {
		/* Without it all that is there is taken for an operator's. */
		keeper_alarm(k, "recipients", "%s; routes of recipients that are named no longer stay", why.text);
		recipient_table_done(&r->last);
		recipient_table_init(&r->last, k->seed[0]);
	}
	return read_all(r, fault);
}

int recipients_run(void *arg, struct fault *fault)
{
	struct recipients *r = arg;

	while (!r->k->is_stopping) {
		int64_t former = run_deadline_narrow(r->k->config->gateway.recipients_refresh_us);
		int result = waiters_wait(&r->k->changed, "the time to read recipients", fault);

		run_deadline_restore(former);
		if (result < 0 && fault->kind != FAULT_TIMEOUT)
			return -1;
		if (r->k->is_stopping || (result == 0 && r->reloads == r->k->reloads))
			continue;
		if (read_all(r, fault) < 0) {
			if (fault->kind == FAULT_CANCELLED || queue_failed(r->k->queue))
				return -1;
			keeper_alarm(r->k, "recipients", "%s", fault->text);
		}
	}
	return 0;
}

struct recipients *recipients_free(struct recipients *r)
{
	if (!r)
		return NULL;

	recipient_table_done(&r->last);
	free(r->path);
	free(r->why);
	free(r);
	return NULL;
}
