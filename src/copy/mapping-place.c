/* SPDX-License-Identifier: Apache-2.0 */
/* Giving every node its place: wishes, INBOX, (roles,) the rest; each place to one node only.
 *
 * The rest goes level by level, and on a level those first that can keep their name: so a
 * folder loses its name only to a wish, to a role, or to one that the destination cannot tell
 * from it. */
#include "copy/mapping-tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "mail/utf8.h"

static bool is_fit(const struct mapper *m, const struct place *place, const struct node *node)
{
	if (place->owner)
		return false;
	if (place->is_inbox)
		return node->is_inbox || node->wished;
	/* A view takes no messages, except Gmail's. */
	return !place->folder || !role_is_view(place->folder->role) || node->wished ||
	       m->to->server == MAPPING_SERVER_GMAIL;
}

bool place_claim(struct mapper *m, struct place *place, struct node *node)
{
	if (!is_fit(m, place, node))
		return false;
	place->owner = node;
	node->place = place;
	return true;
}

/* Bytes that a component below parent may have. */
static size_t room_below(const struct mapper *m, const struct place *parent)
{
	size_t max = m->to->max_name ? m->to->max_name : m->rules->max_name;
	size_t room = m->rules->max_component ? m->rules->max_component : SIZE_MAX / 2;

	if (max)
		max -= parent->below.n < max ? parent->below.n : max;
	else
		max = room;
	return room < max ? room : max;
}

static uint32_t id_of(const struct node *node)
{
	return (uint32_t)siphash13(0, 0, node->path);
}

struct place *place_listed(struct mapper *m, const struct place *parent, struct bytes name)
{
	struct place *place = place_find(m, parent, name);
	bool reserved = mapping_name_reserved(m->rules, name, parent == &m->root) &&
			!is_gmail_container(name);

	if (!place || !place->folder || reserved || bytes_find_char(name, '/') >= 0)
		return NULL;
	return place;
}

void node_place_below(struct mapper *m, struct node *node, struct place *parent,
		      struct bytes name)
{
	_cleanup_(buf_done) struct buf clean = BUF_NULL, fit = BUF_NULL;
	struct place *place;

	bool lifted = false;

	while (parent != &m->root && room_below(m, parent) < MAPPING_MIN_ROOM) {
		node->reasons |= 1u << MAPPING_LENGTH;
		parent = parent->parent;
		lifted = true;
	}
	place = lifted ? NULL : place_listed(m, parent, name);
	if (place && place_claim(m, place, node))
		return;

	size_t room = room_below(m, parent);

	if (room < MAPPING_MIN_ROOM)
		room = MAPPING_MIN_ROOM;
	node->reasons |=
		mapping_name_clean(m->rules, m->to_separator, name, parent == &m->root, &clean);
	if (lifted) /* a bare "Sent" would look like another folder than it is */
		buf_appendf(&clean, "~%08" PRIx32, id_of(node));
	node->reasons |= mapping_name_fit(buf_bytes(&clean), BYTES_NULL, room, m->to->utf8_accept,
					  id_of(node), &fit);
	place = place_get(m, parent, buf_bytes(&fit));
	if (place_claim(m, place, node))
		return;

	node->reasons |= 1u << MAPPING_COLLISION;
	for (struct place *taken = place; node->place == NULL;) {
		char suffix[32];

		snprintf(suffix, sizeof(suffix), " (%zu)", taken->next_twin++);
		buf_reset(&fit);
		mapping_name_fit(buf_bytes(&clean), bytes_of(suffix), room, m->to->utf8_accept,
				 id_of(node), &fit);
		/* A folder that bears the name already shall keep it. */
		if (!node_find(m, parent == &m->root ? NULL : node->parent, buf_bytes(&fit)))
			place_claim(m, place_get(m, parent, buf_bytes(&fit)), node);
	}
}

/* From a place that takes no children up to one that does; the names on the way are joined. */
static struct place *open_parent(struct mapper *m, struct place *parent, struct bytes *name,
				 unsigned *reasons)
{
	for (; parent->closed; parent = parent->parent) {
		*reasons |= 1u << MAPPING_FLAT;
		if (is_gmail_container(parent->name) || parent->is_inbox)
			continue;
		buf_reset(&m->scratch);
		buf_append_bytes(&m->scratch, parent->name);
		buf_append_char(&m->scratch, MAPPING_SUBSTITUTE);
		buf_append_bytes(&m->scratch, *name);
		*name = arena_copy(m->arena, buf_bytes(&m->scratch));
	}
	return parent;
}

static void place_node(struct mapper *m, struct node *node)
{
	struct bytes name = node->name;
	struct place *parent = node->parent ? node->parent->place : &m->root;

	if (node_lifts_from_inbox(m, node)) {
		node->reasons |= 1u << MAPPING_INBOX_CHILD;
		parent = &m->root;
	} else if (parent->closed) {
		parent = open_parent(m, parent, &name, &node->reasons);
	} else if (node->parent && !bytes_equal(parent->path, node->parent->path)) {
		node->reasons |= 1u << MAPPING_PARENT;
		/* A parent without a line of its own cannot say why. */
		if (node->parent->source == NO_FOLDER)
			node->reasons |= node->parent->reasons;
	}
	node_place_below(m, node, parent, name);
}

/* On one level: roles, then those who can keep their name, then the others, views last. */
static int rank_of(struct mapper *m, const struct node *node)
{
	_cleanup_(buf_done) struct buf clean = BUF_NULL;

	if (role_is_view(node->role))
		return 3;
	if (node->role != ROLE_NONE)
		return 0;
	if (mapping_name_clean(m->rules, m->to_separator, node->name, node->depth == 1, &clean))
		return 2;
	return 1;
}

struct turn {
	struct node *node;
	int rank;
};

static int compare_turns(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->node->depth != y->node->depth)
		return x->node->depth < y->node->depth ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank - y->rank;
	if (x->node->order != y->node->order)
		return x->node->order < y->node->order ? -1 : 1;
	return 0;
}

void mapper_place_rest(struct mapper *m)
{
	struct turn *turns = arena_alloc(m->arena, (m->n_nodes + 1) * sizeof(*turns));
	size_t n = 0;

	for (size_t i = 0; i < m->n_nodes; i++)
		if (!m->nodes[i]->place)
			turns[n++] = (struct turn){ m->nodes[i], rank_of(m, m->nodes[i]) };
	qsort(turns, n, sizeof(*turns), compare_turns);
	for (size_t i = 0; i < n; i++)
		place_node(m, turns[i].node);
}

void mapper_place_inbox(struct mapper *m)
{
	if (!m->inbox || m->inbox->place)
		return;
	m->inbox->reasons |= 1u << MAPPING_INBOX;
	place_claim(m, m->to_inbox, m->inbox);
}

void mapper_place_known(struct mapper *m)
{
	_cleanup_(map_done) struct map nodes = { 0 }, places = { 0 };

	if (m->options->n_known == 0)
		return;
	map_init(&nodes, m->options->seed);
	map_init(&places, m->options->seed);
	for (size_t i = 0; i < m->from->n_folders; i++)
		if (m->by_source[i])
			map_put(&nodes, m->from->folders[i].raw, m->by_source[i]);
	for (size_t i = 0; i < m->to->n_folders; i++)
		if (m->to_places[i])
			map_put(&places, m->to->folders[i].raw, m->to_places[i]);

	for (size_t i = 0; i < m->options->n_known; i++) {
		struct node *node = map_get(&nodes, m->options->known[i].from);
		struct place *place = map_get(&places, m->options->known[i].to);

		if (!node || !place || node->place || node->is_inbox || !place_exists(place))
			continue;
		if (place_claim(m, place, node))
			node->reasons |= 1u << MAPPING_KNOWN;
	}
}

static bool same_name(struct bytes a, struct bytes b, bool composed)
{
	_cleanup_(buf_done) struct buf x = BUF_NULL, y = BUF_NULL;

	if (!composed)
		return bytes_equal(a, b);
	return utf8_nfc(a, &x) == 0 && utf8_nfc(b, &y) == 0 &&
	       bytes_equal(buf_bytes(&x), buf_bytes(&y));
}

/* A folder of another namespace has no node yet; its path is its name. */
static bool other_has_path(struct mapper *m, size_t source, struct bytes path, bool composed)
{
	const struct mapping_folder *folder = &m->from->folders[source];

	if (!folder->other_namespace)
		return false;
	buf_reset(&m->scratch);
	buf_append_bytes(&m->scratch, folder->utf8);
	for (size_t i = 0; folder->separator && i < m->scratch.n; i++)
		if (m->scratch.p[i] == folder->separator)
			m->scratch.p[i] = '/';
	return same_name(buf_bytes(&m->scratch), path, composed);
}

static size_t find_node(struct mapper *m, struct bytes path, bool composed, struct node **ret)
{
	size_t found = 0;

	for (size_t i = 0; i < m->n_nodes; i++) {
		struct node *node = m->nodes[i];

		if (!same_name(node->path, path, composed))
			continue;
		found++;
		*ret = node;
	}
	for (size_t i = 0; i < m->from->n_folders && found == 0; i++) {
		if (!m->by_source[i] && other_has_path(m, i, path, composed)) {
			found++;
			*ret = node_new_alone(m, i);
		}
	}
	return found;
}

/* 1: there is none, and that is fine. */
static int wished_node(struct mapper *m, const struct mapping_wish *wish, struct node **ret)
{
	size_t found;

	if (m->inbox && bytes_equal_nocase(wish->from, BYTES("INBOX"))) {
		*ret = m->inbox;
	} else {
		found = find_node(m, wish->from, false, ret);
		/* Terminals give "é" composed, some servers do not. */
		if (found == 0)
			found = find_node(m, wish->from, true, ret);
		if (found == 0 && m->options->wishes_may_miss)
			return 1;
		if (found == 0)
			return fault_usage(m->fault,
					   "--map '%.*s=%.*s': the source has no folder '%.*s'",
					   BYTES_ARG(wish->from), BYTES_ARG(wish->to),
					   BYTES_ARG(wish->from));
		if (found > 1)
			return fault_usage(m->fault,
					   "--map '%.*s=%.*s': the source has %zu folders '%.*s'",
					   BYTES_ARG(wish->from), BYTES_ARG(wish->to), found,
					   BYTES_ARG(wish->from));
	}
	if ((*ret)->wished)
		return fault_usage(m->fault, "--map names the source folder '%.*s' twice",
				   BYTES_ARG(wish->from));
	return 0;
}

/* One component of a path that the user wrote. */
static struct place *wished_step(struct mapper *m, struct place *parent, struct bytes name,
				 unsigned *reasons)
{
	_cleanup_(buf_done) struct buf clean = BUF_NULL, fit = BUF_NULL;
	struct place *existing;

	if (parent == m->to_inbox && m->inbox_prefix)
		parent = &m->root;
	parent = open_parent(m, parent, &name, reasons);
	existing = place_find(m, parent, name);
	if (existing)
		return existing;

	*reasons |= mapping_name_clean(m->rules, m->to_separator, name, parent == &m->root, &clean);
	*reasons |= mapping_name_fit(buf_bytes(&clean), BYTES_NULL, room_below(m, parent),
				     m->to->utf8_accept, (uint32_t)siphash13(0, 0, name), &fit);
	return place_get(m, parent, buf_bytes(&fit));
}

/* The place for the whole path; NULL when it is empty or absurdly deep. */
static struct place *wished_place(struct mapper *m, struct bytes path, unsigned *reasons)
{
	struct place *place = &m->root;
	unsigned depth = 0;

	while (path.n > 0) {
		struct bytes name = bytes_cut(&path, '/');

		if (name.n == 0)
			continue;
		if (++depth > MAPPING_MAX_DEPTH)
			return NULL;
		place = wished_step(m, place, name, reasons);
	}
	return place == &m->root ? NULL : place;
}

static int place_wish(struct mapper *m, const struct mapping_wish *wish)
{
	struct node *node = NULL;
	struct place *place;
	int r = wished_node(m, wish, &node);

	if (r)
		return r < 0 ? -1 : 0;
	place = wished_place(m, wish->to, &node->reasons);
	if (!place)
		return fault_usage(m->fault, "--map '%.*s=%.*s': the right side names no folder",
				   BYTES_ARG(wish->from), BYTES_ARG(wish->to));
	if (place->owner)
		return fault_usage(m->fault, "--map puts both '%.*s' and '%.*s' into '%.*s'",
				   BYTES_ARG(place->owner->path), BYTES_ARG(node->path),
				   BYTES_ARG(place->path));
	node->wished = true;
	node->reasons |= 1u << MAPPING_WISH;
	place_claim(m, place, node);
	return 0;
}

int mapper_place_wishes(struct mapper *m)
{
	for (size_t i = 0; i < m->options->n_wishes; i++)
		if (place_wish(m, &m->options->wishes[i]) < 0)
			return -1;

	const struct node *taken = m->to_inbox->owner;

	if (taken && m->inbox && !m->inbox->place && m->inbox->source != NO_FOLDER)
		return fault_usage(m->fault,
				   "--map puts '%.*s' into INBOX, where INBOX itself goes",
				   BYTES_ARG(taken->path));
	return 0;
}
