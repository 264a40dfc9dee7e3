/* SPDX-License-Identifier: Apache-2.0 */
/* The table itself: what is copied, in which order, and why, in words.
 *
 * Everything has its place before --folder and --exclude are looked at (M4 in the header). */
#include "copy/mapping.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/glob.h"
#include "base/xalloc.h"
#include "copy/mapping-tree.h"

static const struct {
	const char *name, *text;
} reasons[MAPPING_REASON_COUNT] = {
	[MAPPING_SAME] = { "same", "same name" },
	[MAPPING_INBOX] = { "inbox", "inbox" },
	[MAPPING_ROLE_CLAIMED] = { "role-claimed", "plain: not the only folder for its role" },
	[MAPPING_ROLE] = { "role", "role" },
	[MAPPING_WISH] = { "map", "as --map says" },
	[MAPPING_KNOWN] = { "known", "as before" },
	[MAPPING_PARENT] = { "parent", "follows its parent" },
	[MAPPING_INBOX_CHILD] = { "inbox-child", "below INBOX" },
	[MAPPING_FLAT] = { "flat", "no such levels there" },
	[MAPPING_EMPTY] = { "empty", "empty component" },
	[MAPPING_SEPARATOR] = { "separator", "separator in name" },
	[MAPPING_CHARACTER] = { "character", "character refused" },
	[MAPPING_BLANKS] = { "blanks", "blanks refused" },
	[MAPPING_RESERVED] = { "reserved", "name reserved there" },
	[MAPPING_LENGTH] = { "length", "too long" },
	[MAPPING_COLLISION] = { "collision", "collision" },
	[MAPPING_NOSELECT] = { "noselect", "no mailbox, only a parent" },
	[MAPPING_VIEW] = { "view", "view: holds messages of other folders" },
	[MAPPING_EXCLUDED] = { "excluded", "not copied: --exclude" },
	[MAPPING_NOT_CHOSEN] = { "not-chosen", "not copied: not in --folder" },
	[MAPPING_NONEXISTENT] = { "nonexistent", "not copied: listed, but not there" },
	[MAPPING_LISTED_TWICE] = { "listed-twice", "not copied: listed twice" },
	[MAPPING_OTHER_NAMESPACE] = { "other-namespace", "not copied: other namespace" },
};

const char *mapping_reason_name(enum mapping_reason reason)
{
	return reasons[reason].name;
}

static const struct {
	const char *name;
	size_t flag; /* offset of the bool */
} attributes[] = {
	{ "\\Noselect", offsetof(struct mapping_folder, noselect) },
	{ "\\NonExistent", offsetof(struct mapping_folder, nonexistent) },
	{ "\\Noinferiors", offsetof(struct mapping_folder, noinferiors) },
	{ "\\HasChildren", offsetof(struct mapping_folder, has_children) },
	{ "\\Subscribed", offsetof(struct mapping_folder, subscribed) },
};

void mapping_folder_attribute(struct mapping_folder *folder, struct bytes attribute)
{
	enum role role = role_of_attribute(attribute);

	/* A folder may have several roles; the first is the server's choice too. */
	if (role != ROLE_NONE && folder->role == ROLE_NONE)
		folder->role = role;
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		if (bytes_equal_nocase(attribute, bytes_of(attributes[i].name)))
			*(bool *)((char *)folder + attributes[i].flag) = true;
}

/* A name may hold what means something in a pattern ("[Gmail]/Chats"): written as it is, it
 * counts. */
static bool matches_any(const struct bytes *globs, size_t n, struct bytes path, bool is_inbox)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_equal(globs[i], path) || glob_match(globs[i], path) ||
		    (is_inbox && bytes_equal_nocase(globs[i], BYTES("INBOX"))))
			return true;
	return false;
}

static bool is_view(const struct mapping_folder *folder, const struct node *node)
{
	return role_is_view(folder->role) || role_is_view(node->role);
}

/* Why the folder is not copied; MAPPING_SAME when it is (or is only a parent). */
static enum mapping_reason why_skipped(const struct mapper *m, size_t source)
{
	const struct mapping_options *o = m->options;
	const struct mapping_folder *folder = &m->from->folders[source];
	const struct node *node = m->by_source[source];

	if (m->twice[source])
		return MAPPING_LISTED_TWICE;
	if (!node)
		return MAPPING_OTHER_NAMESPACE;
	if (folder->nonexistent && !folder->has_children && !node->wished)
		return MAPPING_NONEXISTENT;
	if (o->n_include && !matches_any(o->include, o->n_include, node->path, node->is_inbox))
		return MAPPING_NOT_CHOSEN;
	if (matches_any(o->exclude, o->n_exclude, node->path, node->is_inbox))
		return MAPPING_EXCLUDED;
	if (is_view(folder, node) && !o->n_include && !node->wished)
		return MAPPING_VIEW;
	return MAPPING_SAME;
}

/* All reasons in words; MAPPING_SAME only when it stands alone. */
static const char *describe(const struct mapper *m, const struct node *node, unsigned set)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	bool renamed = false;

	for (unsigned i = MAPPING_SAME + 1; i < MAPPING_REASON_COUNT; i++) {
		if (!(set & 1u << i))
			continue;
		if (text.n)
			buf_append_str(&text, ", ");
		if (i >= MAPPING_INBOX_CHILD && i <= MAPPING_COLLISION && !renamed) {
			buf_append_str(&text, "renamed: ");
			renamed = true;
		}
		if (i == MAPPING_ROLE)
			buf_appendf(&text, "role %s by %s", role_name(node->role),
				    node->role_by_name ? "name" : "attribute");
		else
			buf_append_str(&text, reasons[i].text);
	}
	return text.n ? arena_str(m->arena, buf_bytes(&text)) : reasons[MAPPING_SAME].text;
}

static enum mapping_reason heaviest(unsigned set)
{
	enum mapping_reason reason = MAPPING_SAME;

	for (unsigned i = 0; i < MAPPING_REASON_COUNT; i++)
		if (set & 1u << i)
			reason = i;
	return reason;
}

/* The role for CREATE … (USE …): not a second one, which --map can lead to, and never a view. */
static enum role role_to_create(const struct mapper *m, const struct node *node)
{
	if (!m->to->create_special_use || role_is_view(node->role))
		return ROLE_NONE;
	for (size_t i = 0; i < m->to->n_folders; i++)
		if (m->to->folders[i].role == node->role)
			return ROLE_NONE;
	return node->role;
}

static void skip_entry(const struct mapper *m, struct mapping_entry *entry, enum mapping_reason why)
{
	const struct node *node = m->by_source[entry->source];

	entry->action = MAPPING_SKIP;
	entry->reason = why;
	entry->reasons = 1u << why;
	entry->text = reasons[why].text;
	entry->source_path = node ? node->path : m->from->folders[entry->source].utf8;
	entry->role = node ? node->role : ROLE_NONE;
}

static void fill_entry(const struct mapper *m, struct mapping_entry *entry, size_t source)
{
	const struct mapping_folder *folder = &m->from->folders[source];
	const struct node *node = m->by_source[source];
	enum mapping_reason why = why_skipped(m, source);
	bool structure = folder->noselect || folder->nonexistent;

	entry->source = source;
	if (why != MAPPING_SAME) {
		skip_entry(m, entry, why);
		return;
	}

	entry->action = structure ? MAPPING_STRUCTURE : MAPPING_COPY;
	entry->source_path = node->path;
	entry->path = node->place->path;
	entry->wire = node->place->wire;
	entry->exists = place_exists(node->place);
	entry->create = !entry->exists && (!structure || node->wished);
	entry->subscribe = folder->subscribed && !structure;
	entry->role = node->is_inbox ? ROLE_INBOX : node->role;
	if (entry->create)
		entry->create_role = role_to_create(m, node);
	entry->reasons = node->reasons | (structure ? 1u << MAPPING_NOSELECT : 0);
	if (!entry->reasons)
		entry->reasons = 1u << MAPPING_SAME;
	entry->reason = heaviest(entry->reasons);
	entry->text = describe(m, node, entry->reasons);
}

struct table {
	const struct mapper *m;
	struct mapping_entry *by_source; /* as filled */
	struct mapping_entry *entries;	 /* in order */
	size_t n;
	const struct mapping_entry **index;
	struct mapping_parent *parents;
	size_t n_parents, parents_size;
};

static const struct mapping_entry *entry_of(const struct table *t, const struct place *place)
{
	if (!place->owner || place->owner->source == NO_FOLDER)
		return NULL;
	return &t->by_source[place->owner->source];
}

static void emit_one(struct table *t, size_t source)
{
	if (t->index[source])
		return;
	t->entries[t->n] = t->by_source[source];
	t->index[source] = &t->entries[t->n++];
}

/* The entry after those of its parents at the destination. */
static void emit(struct table *t, size_t source)
{
	const struct node *node = t->m->by_source[source];
	const struct place *way[MAPPING_MAX_DEPTH * 2 + 2];
	size_t n = 0;

	if (node && t->by_source[source].action != MAPPING_SKIP)
		for (const struct place *p = node->place; p && n < ARRAY_SIZE(way); p = p->parent)
			way[n++] = p;
	while (n > 0) {
		const struct mapping_entry *entry = entry_of(t, way[--n]);

		if (entry && entry->action != MAPPING_SKIP)
			emit_one(t, entry->source);
	}
	emit_one(t, source);
}

static void emit_all(struct table *t)
{
	const struct mapper *m = t->m;

	if (m->inbox && m->inbox->source != NO_FOLDER)
		emit(t, m->inbox->source);
	for (enum role role = ROLE_DRAFTS; role < ROLE_COUNT; role++)
		for (size_t i = 0; i < m->n_nodes; i++)
			if (m->nodes[i]->role == role)
				emit(t, m->nodes[i]->source);
	for (size_t i = 0; i < m->from->n_folders; i++)
		emit(t, i);
}

static void note_parent(struct table *t, struct place *place)
{
	place->implied = true;
	t->parents = xgrow(t->parents, &t->parents_size, t->n_parents + 1, sizeof(t->parents[0]));
	t->parents[t->n_parents++] = (struct mapping_parent){ place->path, place->wire };
}

/* Parents of what is created that nobody creates: top first. */
static void note_parents(struct table *t, const struct mapping_entry *entry)
{
	struct place *way[MAPPING_MAX_DEPTH * 2 + 2];
	size_t n = 0;

	if (!entry->create)
		return;
	for (struct place *p = t->m->by_source[entry->source]->place->parent;
	     p && p->parent && n < ARRAY_SIZE(way); p = p->parent)
		way[n++] = p;
	while (n > 0) {
		struct place *place = way[--n];
		const struct mapping_entry *own = entry_of(t, place);

		if (!place->folder && !place->is_inbox && !place->implied && !(own && own->create))
			note_parent(t, place);
	}
}

static void make_table(const struct mapper *m, struct mapping *ret)
{
	size_t n = m->from->n_folders;
	struct table t = { .m = m };

	t.by_source = arena_alloc(m->arena, (n + 1) * sizeof(t.by_source[0]));
	t.entries = arena_alloc(m->arena, (n + 1) * sizeof(t.entries[0]));
	t.index = arena_alloc(m->arena, (n + 1) * sizeof(t.index[0]));
	for (size_t i = 0; i < n; i++)
		fill_entry(m, &t.by_source[i], i);
	emit_all(&t);
	assert(t.n == n);
	for (size_t i = 0; i < n; i++)
		note_parents(&t, &t.entries[i]);

	struct mapping_parent *parents;

	parents = arena_alloc(m->arena, (t.n_parents + 1) * sizeof(parents[0]));
	if (t.n_parents)
		memcpy(parents, t.parents, t.n_parents * sizeof(parents[0]));
	free(t.parents);
	*ret = (struct mapping){ .entries = t.entries, .n_entries = n, .parents = parents,
				 .n_parents = t.n_parents, .by_source = t.index };
}

int mapping_make(const struct mapping_side *from, const struct mapping_side *to,
		 const struct mapping_options *options, struct arena *arena, struct mapping *ret,
		 struct fault *fault)
{
	_cleanup_(mapper_done) struct mapper m;

	mapper_init(&m, from, to, options, arena, fault);
	mapper_read_source(&m);
	mapper_read_destination(&m);
	mapper_decide_roles(&m);
	if (mapper_place_wishes(&m) < 0)
		return -1;
	mapper_place_known(&m);
	mapper_place_inbox(&m);
	mapper_place_roles(&m);
	mapper_place_rest(&m);
	make_table(&m, ret);
	return 0;
}
