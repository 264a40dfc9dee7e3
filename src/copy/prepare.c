/* SPDX-License-Identifier: Apache-2.0 */
/* Before anything is copied: connect both sides, list their folders, decide what becomes what, and refuse
 * what must not begin. Changes nothing at either side. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/xalloc.h"
#include "copy/links.h"
#include "copy/worker.h"

struct side {
	const struct imap_account *account;
	struct imap_session **session;
	struct imap_folders *folders;
	struct copy *copy;
};

static int open_side(void *arg, struct fault *fault)
{
	struct side *side = arg;
	bool with_size = side->folders == &side->copy->source;

	if (!*side->session && imap_connect(side->account, side->session, fault) < 0)
		return -1;

	imap_folders_done(side->folders); /* of a try before */
	if (imap_list(*side->session, with_size, side->folders, fault) < 0)
		return -1;

	return imap_status_all(*side->session, side->folders, with_size, fault);
}

static int open_sides(struct copy *copy, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;
	struct side from = { copy->options.from, &copy->from, &copy->source, copy };
	struct side to = { copy->options.to, &copy->to, &copy->destination, copy };

	copy->stage = COPY_CONNECTING;
	nursery_init(&nursery, "both sides");
	nursery_start(&nursery, open_side, &from, "source");
	nursery_start(&nursery, open_side, &to, "destination");
	return nursery_wait(&nursery, fault);
}

/* A server that is silent from the start is more likely a wrong port than a bad moment: somebody who has just
 * typed it should not wait for several of these. */
static int open_sides_patiently(struct copy *copy, struct fault *fault)
{
	unsigned failures = 0;

	while (open_sides(copy, fault) < 0)
		if (fault->kind == FAULT_TIMEOUT || copy_connect_again(copy, &failures, fault) < 0)
			return -1;

	return 0;
}

/* --- mapping --------------------------------------------------------------------------------- */

static struct mapping_folder *mapping_folders(struct arena *arena, const struct imap_folders *folders)
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
	return p;
}

static struct mapping_side mapping_side(struct arena *arena, const struct imap_session *s,
					const struct imap_folders *folders)
{
	return (struct mapping_side){
		.prefix = folders->prefix, .separator = folders->separator,
		.has_namespace = folders->has_namespace,
		.server = mapping_server_of(bytes_of(s->server_name)),
		.folders = mapping_folders(arena, folders), .n_folders = folders->n,
		.utf8_accept = s->utf8,
		.create_special_use = imap_can(&s->capabilities, IMAP_CAP_CREATE_SPECIAL_USE),
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

static int wishes(struct copy *copy, struct mapping_options *options, struct fault *fault)
{
	const struct bytes *words;
	size_t n = slices(&copy->arena, copy->options.maps, &words);
	struct mapping_wish *p = arena_alloc(&copy->arena, (n + 1) * sizeof(*p));

	for (size_t i = 0; i < n; i++) {
		ptrdiff_t at = bytes_find_char(words[i], '=');

		if (at <= 0 || (size_t)at + 1 == words[i].n)
			return fault_usage(fault, "--map %.*s: write SOURCE=DESTINATION, two folder "
					   "names", BYTES_ARG(words[i]));
		p[i].from = bytes_head(words[i], (size_t)at);
		p[i].to = bytes_skip(words[i], (size_t)at + 1);
	}
	options->wishes = p;
	options->n_wishes = n;
	return 0;
}

static int make_mapping(struct copy *copy, struct fault *fault)
{
	struct mapping_side from = mapping_side(&copy->arena, copy->from, &copy->source);
	struct mapping_side to = mapping_side(&copy->arena, copy->to, &copy->destination);
	struct mapping_options options = { 0 };

	options.n_include = slices(&copy->arena, copy->options.folders, &options.include);
	options.n_exclude = slices(&copy->arena, copy->options.excludes, &options.exclude);
	run_random(&options.seed, sizeof(options.seed));
	copy_links_wishes(copy, &options);
	options.wishes_may_miss = copy->options.names_may_miss;
	if (wishes(copy, &options, fault) < 0)
		return -1;

	return mapping_make(&from, &to, &options, &copy->arena, copy->mapping, fault);
}

/* Every --folder without wildcards must name a folder: a misspelt one would copy nothing and say so in a
 * table nobody reads. With wildcards at least one must match something. */
static bool names_a_folder(const struct copy *copy, struct bytes name)
{
	for (size_t i = 0; i < copy->mapping->n_entries; i++) {
		struct bytes path = copy->mapping->entries[i].source_path;

		if (bytes_equal(path, name) || glob_match(name, path) ||
		    (bytes_equal_nocase(path, BYTES("INBOX")) && bytes_equal_nocase(path, name)))
			return true;
	}
	return false;
}

static int check_named(const struct copy *copy, const char *option, const char *const *globs,
		       struct fault *fault)
{
	for (size_t i = 0; globs && globs[i]; i++)
		if (glob_is_plain(bytes_of(globs[i])) && !names_a_folder(copy, bytes_of(globs[i])))
			return fault_usage(fault, "%s %s: the source has no such folder", option,
					   globs[i]);

	return 0;
}

static int check_chosen(struct copy *copy, struct fault *fault)
{
	if (!copy->options.names_may_miss &&
	    (check_named(copy, "--folder", copy->options.folders, fault) < 0 ||
	     check_named(copy, "--exclude", copy->options.excludes, fault) < 0))
		return -1;

	for (size_t i = 0; i < copy->mapping->n_entries; i++)
		if (copy->mapping->entries[i].action == MAPPING_COPY)
			return 0;

	if (!copy->options.folders)
		return fault_set(fault, FAULT_DATA, REACH_MAILBOX, AGAIN_NEVER,
				 "%s: there is no folder to copy", copy->options.from->label);

	if (!copy->options.names_may_miss)
		return fault_usage(fault, "--folder %s: the source has no such folder", copy->options.folders[0]);
	return fault_usage(fault, "the source has none of the folders that the configuration or the list asks for: %s%s",
			   copy->options.folders[0], copy->options.folders[1] ? " …" : "");
}

/* --- books ----------------------------------------------------------------------------------- */

static int larger_first(const void *a, const void *b, void *arg)
{
	const struct books *books = arg;
	const size_t *x = a, *y = b;
	const struct copy_folder *f = &books->folders[*x], *g = &books->folders[*y];

	if (f->expected != g->expected)
		return f->expected > g->expected ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

/* The server's word for it; sums of these must not run over. */
static uint64_t at_most(uint64_t told, uint64_t most)
{
	return told < most ? told : most;
}

static void open_books(struct copy *copy)
{
	struct books *books = &copy->books;

	books->folders = xzalloc((copy->mapping->n_entries + 1) * sizeof(*books->folders));
	books->order = xzalloc((copy->mapping->n_entries + 1) * sizeof(*books->order));
	copy->book_of = arena_alloc(&copy->arena, copy->mapping->n_entries * sizeof(*copy->book_of));
	for (size_t i = 0; i < copy->mapping->n_entries; i++) {
		const struct mapping_entry *entry = &copy->mapping->entries[i];
		const struct imap_folder *source = &copy->source.p[entry->source];

		if (entry->action != MAPPING_COPY)
			continue;
		books->folders[books->n] = (struct copy_folder){
			.source_name = source->name, .source_utf8 = entry->source_path,
			.destination_name = entry->wire, .destination_utf8 = entry->path,
			.expected = at_most(source->messages, UINT32_MAX),
			.expected_bytes = at_most(source->size, (uint64_t)1 << 50),
		};
		copy->book_of[i] = books->n;
		books->order[books->n] = books->n;
		books->n++;
	}
	qsort_r(books->order, books->n, sizeof(*books->order), larger_first, books);
}

/* --- a second run ---------------------------------------------------------------------------- */

/* From the listing, or asked for again where that told no number. */
static int messages_there(struct copy *copy, struct bytes wire, uint64_t *ret, struct fault *fault)
{
	const struct imap_folder *listed = copy_listed_there(copy, wire);
	struct imap_folder now;

	if (listed && listed->flags & IMAP_FOLDER_STATUS) {
		*ret = listed->messages;
		return 0;
	}

	if (imap_status(copy->to, wire, &now, fault) < 0)
		return -1;

	*ret = now.messages;
	return 0;
}

static int count_already_there(struct copy *copy, struct fault *fault)
{
	for (size_t i = 0; i < copy->mapping->n_entries; i++) {
		const struct mapping_entry *entry = &copy->mapping->entries[i];
		const struct imap_folder *source = &copy->source.p[entry->source];
		bool empty = source->flags & IMAP_FOLDER_STATUS && source->messages == 0;

		if (entry->action == MAPPING_COPY && entry->exists && !empty &&
		    !copy->links[copy->book_of[i]].there_known &&
		    messages_there(copy, entry->wire, &copy->books.folders[copy->book_of[i]].already_there,
				   fault) < 0)
			return -1;
	}
	return 0;
}

static int refuse_filled_folders(struct copy *copy, struct fault *fault)
{
	enum { NAMED = 5 };
	_cleanup_(buf_done) struct buf names = BUF_NULL;
	size_t filled = 0;

	for (size_t i = 0; i < copy->books.n; i++) {
		const struct copy_folder *folder = &copy->books.folders[i];

		if (!folder->already_there || filled++ >= NAMED)
			continue;
		buf_appendf(&names, "%s%.*s already holds %" PRIu64, names.n ? ", " : "",
			    BYTES_ARG(bytes_head(folder->destination_utf8, 40)),
			    folder->already_there);
	}
	if (!filled)
		return 0;

	copy->destination_filled = true;
	return fault_set(fault, FAULT_REFUSED, REACH_MAILBOX, AGAIN_NEVER,
			 "the destination is not empty: %s messages%s, which no ledger knows: --adopt matches "
			 "them with the source's and copies what is missing; or empty these folders, choose "
			 "others with --map, or leave them out with --exclude",
			 buf_str(&names), filled > NAMED ? " and there are more" : "");
}

/* Nobody knows which messages of a filled folder came from here, unless the ledger does: copying into it could double
 * them. So it does not begin. */
static int refuse_filled_once(struct copy *copy, struct fault *fault)
{
	if (count_already_there(copy, fault) < 0)
		return -1;

	return copy->options.adopt ? 0 : refuse_filled_folders(copy, fault);
}

static int refuse_filled(struct copy *copy, struct fault *fault)
{
	unsigned failures = 0;

	while (refuse_filled_once(copy, fault) < 0)
		if (copy_connect_again(copy, &failures, fault) < 0)
			return -1;

	return 0;
}

static int load_links(struct copy *copy, struct fault *fault)
{
	unsigned failures = 0;

	while (copy_links_load(copy, fault) < 0)
		if (copy_connect_again(copy, &failures, fault) < 0)
			return -1;

	return 0;
}

static void count_unchanged(struct copy *copy)
{
	for (size_t i = 0; i < copy->books.n; i++)
		if (copy->links[i].unchanged)
			copy_links_count_unchanged(copy, i);
}

/* Facts of the mailbox that forbid deletions, whatever the caller wishes. */
static void heed_facts(struct copy *copy)
{
	struct ledger *ledger = copy->options.ledger;

	if (!ledger || copy->options.keep_all)
		return;
	if (ledger_fact(ledger, "cut-over-at"))
		copy->options.keep_all = "the mailbox was cut over: from then on nothing is deleted there";
	else if (ledger_fact(ledger, "hold"))
		copy->options.keep_all = "the mailbox is under a hold";
}

int copy_prepare(struct copy *copy, struct fault *fault)
{
	heed_facts(copy);
	if (open_sides_patiently(copy, fault) < 0)
		return -1;

	copy->stage = COPY_LISTING;
	copy->destination_limit = copy->to->capabilities.append_limit;
	if (load_links(copy, fault) < 0 || make_mapping(copy, fault) < 0 || check_chosen(copy, fault) < 0)
		return -1;

	open_books(copy);
	if (copy_links_make(copy, fault) < 0 || refuse_filled(copy, fault) < 0)
		return -1;

	count_unchanged(copy);
	return 0;
}

uint64_t copy_already_there(const struct copy *copy, const struct mapping_entry *entry)
{
	if (entry->action != MAPPING_COPY || !copy->book_of)
		return 0;

	return copy->books.folders[copy->book_of[entry - copy->mapping->entries]].already_there;
}
