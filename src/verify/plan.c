/* SPDX-License-Identifier: Apache-2.0 */
/* Before folders are looked at: both sides listed, and what of it the ledger knows. Which source folders no copy is meant
 * for, and why, is the mapping's word, as it was the copy's (copy/mapping.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/xalloc.h"
#include "copy/mapping.h"
#include "mail/mutf7.h"
#include "verify/walk.h"

/* --- both sides ------------------------------------------------------------------------------ */

struct listing {
	struct verify_side *side;
	struct imap_folders *folders;
	char *server;
	size_t server_size;
};

static int list_once(const struct listing *l, struct fault *fault)
{
	if (verify_side_connect(l->side, fault) < 0)
		return -1;

	imap_folders_done(l->folders); /* of a try before */
	if (imap_list(l->side->first, false, l->folders, fault) < 0)
		return -1;

	return imap_status_all(l->side->first, l->folders, false, fault);
}

static int list_side(void *arg, struct fault *fault)
{
	const struct listing *l = arg;

	while (list_once(l, fault) < 0) {
		bool silent = !l->side->first && fault->kind == FAULT_TIMEOUT;

		l->side->first = imap_session_free(l->side->first);
		if (silent || !verify_side_mendable(l->side, fault) || verify_side_patience(l->side, fault) < 0)
			return -1;
	}
	l->side->failures = 0;
	snprintf(l->server, l->server_size, "%s%s%s", l->side->first->server_name,
		 l->side->first->server_version[0] ? " " : "", l->side->first->server_version);
	return 0;
}

static int list_sides(struct verify *v, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;
	struct listing from = { v->from, &v->source, v->from_server, sizeof(v->from_server) };
	struct listing to = { v->to, &v->destination, v->to_server, sizeof(v->to_server) };

	nursery_init(&nursery, "both sides");
	nursery_start(&nursery, list_side, &from, "source");
	nursery_start(&nursery, list_side, &to, "destination");
	return nursery_wait(&nursery, fault);
}

/* --- mapping --------------------------------------------------------------------------------- */

static struct mapping_side mapping_side(struct arena *arena, const struct imap_session *session,
					const struct imap_folders *folders)
{
	struct mapping_folder *p = arena_alloc(arena, (folders->n + 1) * sizeof(*p));

	for (size_t i = 0; i < folders->n; i++) {
		const struct imap_folder *f = &folders->p[i];

		p[i] = (struct mapping_folder){
			.raw = f->name, .utf8 = f->utf8, .separator = f->separator,
			.role = role_of_attribute(f->role),
			.noselect = f->flags & IMAP_FOLDER_NOSELECT,
			.noinferiors = f->flags & IMAP_FOLDER_NOINFERIORS,
			.subscribed = f->flags & IMAP_FOLDER_SUBSCRIBED,
			.other_namespace = f->flags & IMAP_FOLDER_FOREIGN,
		};
	}
	return (struct mapping_side){
		.prefix = folders->prefix, .separator = folders->separator,
		.has_namespace = folders->has_namespace,
		.server = mapping_server_of(bytes_of(session->server_name)),
		.folders = p, .n_folders = folders->n, .utf8_accept = session->utf8,
		.create_special_use = imap_can(&session->capabilities, IMAP_CAP_CREATE_SPECIAL_USE),
	};
}

static size_t slices(struct arena *arena, const char *const *words, const struct bytes **ret)
{
	struct bytes *p;
	size_t n = 0;

	while (words && words[n])
		n++;
	p = arena_alloc(arena, (n + 1) * sizeof(*p));
	for (size_t i = 0; i < n; i++)
		p[i] = bytes_of(words[i]);
	*ret = p;
	return n;
}

/* Where the copy put them is not to be decided again. */
static void known_places(struct verify *v, struct mapping_options *options)
{
	struct mapping_wish *p = arena_alloc(&v->arena, (v->known_n + 1) * sizeof(*p));
	size_t n = 0;

	for (size_t i = 0; i < v->known_n; i++)
		if (v->known[i].current && v->known[i].destination_name.n)
			p[n++] = (struct mapping_wish){ v->known[i].source_name,
							v->known[i].destination_name };
	options->known = p;
	options->n_known = n;
}

static int make_mapping(struct verify *v, struct mapping *mapping, struct fault *fault)
{
	struct mapping_side from = mapping_side(&v->arena, v->from->first, &v->source);
	struct mapping_side to = mapping_side(&v->arena, v->to->first, &v->destination);
	struct mapping_options options = { 0 };

	options.n_include = slices(&v->arena, v->options.folders, &options.include);
	options.n_exclude = slices(&v->arena, v->options.excludes, &options.exclude);
	run_random(&options.seed, sizeof(options.seed));
	known_places(v, &options);
	return mapping_make(&from, &to, &options, &v->arena, mapping, fault);
}

/* --- folders --------------------------------------------------------------------------------- */

static struct map index_of(const struct imap_folders *folders)
{
	struct map by_name;
	uint64_t seed;

	run_random(&seed, sizeof(seed));
	map_init(&by_name, seed);
	for (size_t i = 0; i < folders->n; i++)
		map_put(&by_name, folders->p[i].name, &folders->p[i]);
	return by_name;
}

static struct bytes shown(struct verify *v, struct bytes raw)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	return mutf7_decode(raw, &text) < 0 ? raw : arena_copy(&v->arena, buf_bytes(&text));
}

static struct map index_of_known(struct verify *v)
{
	struct map by_name;
	uint64_t seed;

	run_random(&seed, sizeof(seed));
	map_init(&by_name, seed);
	for (size_t i = 0; i < v->known_n; i++)
		if (v->known[i].current)
			map_put(&by_name, v->known[i].source_name, &v->known[i]);
	return by_name;
}

static const struct imap_folder *selectable(const struct map *by_name, struct bytes name)
{
	const struct imap_folder *f = map_get(by_name, name);

	return f && !(f->flags & IMAP_FOLDER_NOSELECT) ? f : NULL;
}

static void add_listed(struct verify *v, const struct mapping_entry *entry, struct map *known,
		       const struct map *there)
{
	const struct imap_folder *listed = &v->source.p[entry->source];
	struct ledger_folder *row = map_get(known, listed->name);
	struct verify_folder *f = &v->folders[v->n];

	/* A folder that cannot be opened, and was never copied, is no mailbox. */
	if (!row && listed->flags & IMAP_FOLDER_NOSELECT)
		return;

	*f = (struct verify_folder){
		.source_name = listed->name, .source_utf8 = entry->source_path, .known = row,
		.listed = listed, .left_out = entry->action == MAPPING_COPY ? "" : entry->text,
		.destination_name = entry->wire, .destination_utf8 = entry->path,
	};
	if (row) {
		f->destination_name = row->destination_name;
		if (!f->destination_utf8.n)
			f->destination_utf8 = shown(v, row->destination_name);
		map_remove(known, listed->name);
	}
	f->listed_there = selectable(there, f->destination_name);
	v->n++;
}

/* Whether a current folder's copies are in the same place: it answers for all of them then. */
static bool is_shared(const struct verify *v, const struct ledger_folder *row)
{
	for (size_t i = 0; i < v->known_n; i++)
		if (&v->known[i] != row && v->known[i].current &&
		    bytes_equal(v->known[i].destination_name, row->destination_name))
			return true;

	return false;
}

static bool is_wished(const struct verify *v, struct bytes path)
{
	bool wished = !v->options.folders;

	for (size_t i = 0; v->options.folders && v->options.folders[i]; i++)
		wished = wished || glob_match(bytes_of(v->options.folders[i]), path);
	for (size_t i = 0; v->options.excludes && v->options.excludes[i]; i++)
		wished = wished && !glob_match(bytes_of(v->options.excludes[i]), path);
	return wished;
}

/* What was copied and has left the source: its copies are looked at all the same. */
static void add_lost(struct verify *v, struct ledger_folder *row, const struct map *there)
{
	struct verify_folder *f = &v->folders[v->n];

	*f = (struct verify_folder){
		.source_utf8 = shown(v, row->source_name), .known = row, .left_out = "",
		.destination_name = row->destination_name,
		.destination_utf8 = shown(v, row->destination_name),
		.listed_there = selectable(there, row->destination_name),
	};
	if (is_wished(v, f->source_utf8))
		v->n++;
}

static void add_folders(struct verify *v, const struct mapping *mapping)
{
	_cleanup_(map_done) struct map known = index_of_known(v), there = index_of(&v->destination);

	v->folders = xzalloc((mapping->n_entries + v->known_n + 1) * sizeof(*v->folders));
	for (size_t i = 0; i < mapping->n_entries; i++)
		add_listed(v, &mapping->entries[i], &known, &there);
	for (size_t i = 0; i < v->known_n; i++) {
		struct ledger_folder *row = &v->known[i];
		bool listed = row->current && map_get(&known, row->source_name) != row;

		if (!listed && !(!row->current && is_shared(v, row)))
			add_lost(v, row, &there);
	}
}

static uint64_t expected(const struct verify_folder *f)
{
	uint64_t n = f->listed && f->listed->flags & IMAP_FOLDER_STATUS ? f->listed->messages : 0;
	uint64_t rows = f->known ? f->known->tally.copied + f->known->tally.excepted : 0;

	if (f->left_out[0])
		return 0;
	n = n > rows ? n : rows;
	return n < UINT32_MAX ? n : UINT32_MAX;
}

static int larger_first(const void *a, const void *b, void *arg)
{
	const struct verify_folder *folders = arg;
	const size_t *x = a, *y = b;

	if (folders[*x].expected != folders[*y].expected)
		return folders[*x].expected > folders[*y].expected ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

static void put_in_order(struct verify *v)
{
	v->order = xzalloc((v->n + 1) * sizeof(*v->order));
	for (size_t i = 0; i < v->n; i++) {
		v->folders[i].expected = expected(&v->folders[i]);
		v->order[i] = i;
	}
	qsort_r(v->order, v->n, sizeof(*v->order), larger_first, v->folders);
}

static bool names_one(const struct verify *v, struct bytes glob)
{
	for (size_t i = 0; i < v->n; i++) {
		struct bytes path = v->folders[i].source_utf8;

		if (bytes_equal(path, glob) || glob_match(glob, path) ||
		    (bytes_equal_nocase(path, BYTES("INBOX")) && bytes_equal_nocase(path, glob)))
			return true;
	}
	return false;
}

/* A misspelt name would verify nothing, and say that all is well. */
static int check_chosen(const struct verify *v, struct fault *fault)
{
	for (size_t i = 0; v->options.folders && v->options.folders[i]; i++)
		if (!names_one(v, bytes_of(v->options.folders[i])))
			return fault_usage(fault, "--folder %s: neither the source nor the ledger has such a "
					   "folder", v->options.folders[i]);

	return 0;
}

int verify_plan(struct verify *v, struct fault *fault)
{
	struct mapping mapping;
	struct ledger *ledger = v->options.ledger;

	if (ledger && (ledger_load_folders(ledger, &v->arena, &v->known, &v->known_n, fault) < 0 ||
		       ledger_load_accepted(ledger, &v->arena, &v->accepted, &v->accepted_n, fault) < 0))
		return -1;

	v->accepted_n = verify_accepted_now(v->accepted, v->accepted_n);
	if (list_sides(v, fault) < 0 || make_mapping(v, &mapping, fault) < 0)
		return -1;

	add_folders(v, &mapping);
	put_in_order(v);
	return check_chosen(v, fault);
}
