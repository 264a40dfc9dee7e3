/* SPDX-License-Identifier: Apache-2.0 */
/* Reading both sides' lists into trees: separators, prefixes, INBOX, names listed twice.
 * Decides nothing about where a folder goes.
 *
 * Both trees are looked up through a map whose key is the parent's address and the component,
 * so a list of 20,000 folders costs 20,000 times its depth. */
#include "copy/mapping-tree.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "mail/utf8.h"

static const struct bytes inbox_name = { "INBOX", 5 };

bool is_gmail_container(struct bytes name)
{
	return bytes_equal_nocase(name, BYTES("[Gmail]")) ||
	       bytes_equal_nocase(name, BYTES("[Google Mail]"));
}

/* Without NAMESPACE: the first separator that is one, and "INBOX." when all but INBOX begin so.
 * That guess is for "." only, where Courier and its kin are; elsewhere all folders may stand
 * below INBOX by choice. */
static struct bytes side_prefix(struct mapper *m, const struct mapping_side *side,
				char *ret_separator)
{
	struct bytes prefix = side->prefix;
	char separator = side->separator;
	bool all_below = true, any = false;

	for (size_t i = 0; !separator && i < side->n_folders; i++)
		separator = side->folders[i].separator;
	*ret_separator = separator;
	if (side->has_namespace) {
		if (!prefix.n || !separator || prefix.p[prefix.n - 1] == separator)
			return prefix;
		return bytes_of(
			arena_printf(m->arena, "%.*s%c", BYTES_ARG(prefix), separator));
	}

	for (size_t i = 0; i < side->n_folders; i++) {
		struct bytes name = side->folders[i].utf8;

		if (side->folders[i].other_namespace || bytes_equal_nocase(name, inbox_name))
			continue;
		any = true;
		all_below = all_below && bytes_starts_nocase(name, BYTES("INBOX."));
	}
	return separator == '.' && any && all_below ? BYTES("INBOX.") : BYTES_NULL;
}

void mapper_init(struct mapper *m, const struct mapping_side *from, const struct mapping_side *to,
		 const struct mapping_options *options, struct arena *arena, struct fault *fault)
{
	char separator;

	*m = (struct mapper){
		.from = from, .to = to, .options = options, .arena = arena, .fault = fault,
	};
	map_init(&m->node_of, options->seed);
	map_init(&m->place_of, options->seed);
	m->from_prefix = side_prefix(m, from, &separator);
	m->to_prefix = side_prefix(m, to, &m->to_separator);
	m->rules = mapping_rules_for(to->server, m->to_separator);
	m->inbox_prefix = m->to_prefix.n == 6 && bytes_starts_nocase(m->to_prefix, inbox_name);
	m->flat = !m->to_separator || m->rules->flat;
	m->by_source = arena_alloc(arena, (from->n_folders + 1) * sizeof(m->by_source[0]));
	m->to_places = arena_alloc(arena, (to->n_folders + 1) * sizeof(m->to_places[0]));
	m->twice = arena_alloc(arena, from->n_folders + 1);
}

void mapper_done(struct mapper *m)
{
	map_done(&m->node_of);
	map_done(&m->place_of);
	free(m->nodes);
	buf_done(&m->scratch);
	buf_done(&m->key);
}

/* Where both trees are looked up: the parent's address, then the component. */
static struct bytes tree_key(struct mapper *m, const void *parent)
{
	buf_reset(&m->key);
	buf_append(&m->key, &parent, sizeof(parent));
	return buf_bytes(&m->key);
}

static struct bytes join(struct mapper *m, const struct bytes *parent, struct bytes name)
{
	if (!parent)
		return name;
	buf_reset(&m->scratch);
	buf_append_bytes(&m->scratch, *parent);
	buf_append_char(&m->scratch, '/');
	buf_append_bytes(&m->scratch, name);
	return arena_copy(m->arena, buf_bytes(&m->scratch));
}

static struct node *node_new(struct mapper *m, struct node *parent, struct bytes name, size_t order)
{
	struct node *node = arena_alloc(m->arena, sizeof(*node));

	*node = (struct node){ .parent = parent, .name = name, .order = order, .source = NO_FOLDER,
			       .depth = parent ? parent->depth + 1 : 1 };
	node->path = join(m, parent ? &parent->path : NULL, name);
	m->nodes = xgrow(m->nodes, &m->nodes_size, m->n_nodes + 1, sizeof(m->nodes[0]));
	m->nodes[m->n_nodes++] = node;
	return node;
}

struct node *node_new_alone(struct mapper *m, size_t source)
{
	struct node *node = node_new(m, NULL, m->from->folders[source].utf8, source);

	node->source = source;
	m->by_source[source] = node;
	return node;
}

struct node *node_find(struct mapper *m, const struct node *parent, struct bytes name)
{
	tree_key(m, parent);
	buf_append_bytes(&m->key, name);
	return map_get(&m->node_of, buf_bytes(&m->key));
}

static struct node *node_get(struct mapper *m, struct node *parent, struct bytes name, size_t order)
{
	bool is_inbox = !parent && bytes_equal_nocase(name, inbox_name);

	if (is_inbox)
		name = inbox_name;

	struct node *node = node_find(m, parent, name);

	if (node)
		return node;

	node = node_new(m, parent, name, order);
	node->is_inbox = is_inbox;
	if (is_inbox)
		m->inbox = node;
	map_put(&m->node_of, buf_bytes(&m->key), node);
	return node;
}

/* Takes a component off *rest; false when that was the last. */
static bool cut_component(struct bytes *rest, char separator, unsigned depth, struct bytes *ret)
{
	ptrdiff_t at = -1;

	if (separator && depth < MAPPING_MAX_DEPTH)
		at = bytes_find_char(*rest, separator);
	if (at < 0) {
		*ret = *rest;
		return false;
	}
	*ret = bytes_head(*rest, (size_t)at);
	*rest = bytes_skip(*rest, (size_t)at + 1);
	return true;
}

/* The name below the personal namespace. INBOX itself is in none. */
static struct bytes strip_prefix(struct bytes name, struct bytes prefix, bool *ret_stripped)
{
	bool inbox = bytes_starts_nocase(prefix, inbox_name);

	*ret_stripped = prefix.n > 0 && name.n > prefix.n &&
			(inbox ? bytes_starts_nocase(name, prefix) : bytes_starts(name, prefix));
	return *ret_stripped ? bytes_skip(name, prefix.n) : name;
}

static bool is_structure(const struct mapping_folder *folder)
{
	return folder->noselect || folder->nonexistent;
}

/* A second folder of the same path, not of the same raw name. INBOX in any case is the same
 * mailbox, and a \Noselect one adds nothing: true, it is a repetition. Others are mailboxes of
 * their own. */
static bool is_repetition(const struct mapping_side *side, const struct node *node, size_t source,
			  bool stripped)
{
	return is_structure(&side->folders[source]) || (node->is_inbox && !stripped);
}

static void node_attach(struct mapper *m, struct node *node, size_t source, bool stripped)
{
	const struct mapping_folder *folder = &m->from->folders[source];
	bool inbox_below_prefix = node->is_inbox && stripped; /* "INBOX.INBOX" is not INBOX */

	if (node->source != NO_FOLDER && is_repetition(m->from, node, source, stripped)) {
		m->twice[source] = true;
		return;
	}
	if (node->source != NO_FOLDER && is_structure(&m->from->folders[node->source])) {
		m->twice[node->source] = true;
		m->by_source[node->source] = NULL;
		node->source = NO_FOLDER;
	}
	if (node->source != NO_FOLDER || inbox_below_prefix) {
		if (inbox_below_prefix && is_structure(folder)) {
			m->twice[source] = true;
			return;
		}
		node = node_new(m, node->parent, node->name, source);
	}
	node->source = source;
	node->order = source;
	m->by_source[source] = node;
}

static void read_folder(struct mapper *m, size_t source)
{
	const struct mapping_folder *folder = &m->from->folders[source];
	bool stripped;
	struct bytes rest = strip_prefix(folder->utf8, m->from_prefix, &stripped), part;
	struct node *node = NULL;

	/* "dir/" is how some servers list a directory. */
	if (folder->separator && rest.n > 1 && rest.p[rest.n - 1] == folder->separator)
		rest.n--;
	for (bool more = true; more;) {
		more = cut_component(&rest, folder->separator, node ? node->depth + 1 : 1, &part);
		node = node_get(m, node, part, source);
	}
	node_attach(m, node, source, stripped);
}

/* XLIST gives INBOX's own attribute; Gmail lists it under a name in the user's language there. */
static void find_xlist_inbox(struct mapper *m)
{
	if (m->inbox && m->inbox->source != NO_FOLDER)
		return;
	for (size_t i = 0; i < m->n_nodes; i++) {
		struct node *node = m->nodes[i];

		if (node->source == NO_FOLDER || m->from->folders[node->source].role != ROLE_INBOX)
			continue;
		if (m->inbox) { /* known from its children only */
			m->inbox->source = node->source;
			m->inbox->order = node->order;
			m->by_source[node->source] = m->inbox;
			node->source = NO_FOLDER;
			return;
		}
		node->is_inbox = true;
		m->inbox = node;
		return;
	}
}

void mapper_read_source(struct mapper *m)
{
	_cleanup_(map_done) struct map seen = { 0 };

	map_init(&seen, m->options->seed);
	for (size_t i = 0; i < m->from->n_folders; i++) {
		if (map_put(&seen, m->from->folders[i].raw, m))
			m->twice[i] = true;
		else if (!m->from->folders[i].other_namespace)
			read_folder(m, i);
	}
	find_xlist_inbox(m);
}

static struct bytes place_key(struct mapper *m, const struct place *parent, struct bytes name)
{
	tree_key(m, parent);
	mapping_name_key(m->rules, name, m->to->utf8_accept, parent == &m->root, &m->key);
	return buf_bytes(&m->key);
}

struct place *place_find(struct mapper *m, const struct place *parent, struct bytes name)
{
	return map_get(&m->place_of, place_key(m, parent, name));
}

static bool is_closed(const struct mapper *m, const struct place *place)
{
	if (m->flat)
		return true;
	if (m->to->server != MAPPING_SERVER_GMAIL)
		return false;
	if (place->parent == &m->root)
		return is_gmail_container(place->name);
	return place->parent->closed && is_gmail_container(place->parent->name);
}

static void place_set_wire(struct mapper *m, struct place *place, const struct bytes *raw)
{
	buf_reset(&m->scratch);
	if (raw) {
		place->wire = *raw;
	} else {
		buf_append_bytes(&m->scratch, place->parent->below);
		mapping_name_encode(place->name, m->to->utf8_accept, &m->scratch);
		place->wire = arena_copy(m->arena, buf_bytes(&m->scratch));
	}

	buf_reset(&m->scratch);
	/* Children of INBOX stay within the namespace: "mail/INBOX/…". */
	if (place->is_inbox && m->to_prefix.n)
		buf_append_bytes(&m->scratch, m->to_prefix);
	buf_append_bytes(&m->scratch, place->wire);
	/* A directory may be listed with the separator at its end. */
	if (m->to_separator && (!m->scratch.n || m->scratch.p[m->scratch.n - 1] != m->to_separator))
		buf_append_char(&m->scratch, m->to_separator);
	place->below = arena_copy(m->arena, buf_bytes(&m->scratch));
}

struct place *place_get(struct mapper *m, struct place *parent, struct bytes name)
{
	struct place *place = place_find(m, parent, name);

	if (place)
		return place;

	place = arena_alloc(m->arena, sizeof(*place));
	place->parent = parent;
	place->name = arena_copy(m->arena, name);
	place->next_twin = 2;
	place->path = join(m, parent == &m->root ? NULL : &parent->path, place->name);
	place->closed = is_closed(m, place);
	place_set_wire(m, place, NULL);
	map_put(&m->place_of, place_key(m, parent, name), place);
	return place;
}

bool place_exists(const struct place *place)
{
	if (place->is_inbox)
		return true;
	return place->folder && !is_structure(place->folder);
}

static void read_place(struct mapper *m, size_t at)
{
	const struct mapping_folder *folder = &m->to->folders[at];
	bool stripped;
	struct bytes rest = strip_prefix(folder->utf8, m->to_prefix, &stripped), part;
	struct place *place = &m->root;
	unsigned depth = 1;

	if (folder->separator && rest.n > 1 && rest.p[rest.n - 1] == folder->separator)
		rest.n--;
	/* Names outside the personal namespace are out of our reach; INBOX stands outside too. */
	if (m->to_prefix.n && !stripped && !bytes_equal_nocase(rest, inbox_name))
		return;
	if (stripped && bytes_equal_nocase(rest, inbox_name))
		return;
	for (bool more = true; more;) {
		more = cut_component(&rest, folder->separator, depth++, &part);
		place = place_get(m, place, part);
		place->implied = true;
	}
	if (place->folder && !is_structure(place->folder))
		return;
	m->to_places[at] = place;
	place->folder = folder;
	place->closed = place->closed || folder->noinferiors;
	if (!place->is_inbox)
		place_set_wire(m, place, &folder->raw);
}

/* A server said to have no levels that shows some has them. */
static bool has_levels(const struct mapper *m)
{
	for (size_t i = 0; i < m->to->n_folders; i++) {
		bool stripped;

		if (bytes_find_char(strip_prefix(m->to->folders[i].utf8, m->to_prefix, &stripped),
				    m->to_separator) > 0)
			return true;
	}
	return false;
}

void mapper_read_destination(struct mapper *m)
{
	m->root = (struct place){ .below = m->to_prefix };
	if (m->to_separator && has_levels(m))
		m->flat = false;

	m->to_inbox = place_get(m, &m->root, inbox_name);
	m->to_inbox->is_inbox = true;
	place_set_wire(m, m->to_inbox, &inbox_name);
	for (size_t i = 0; i < m->to->n_folders; i++)
		if (!m->to->folders[i].other_namespace)
			read_place(m, i);
}

bool node_lifts_from_inbox(const struct mapper *m, const struct node *node)
{
	const struct node *parent = node->parent;

	return parent && parent->is_inbox && (!parent->place || parent->place == m->to_inbox) &&
	       (m->inbox_prefix || m->to_inbox->closed);
}
