/* SPDX-License-Identifier: Apache-2.0 */
/* Which source folder has which role, and which destination folder is for it.
 *
 * An attribute is the server's word and beats every name. A name counts at the top of the
 * hierarchy only, when no folder has the role by attribute and no second folder has such a
 * name: a user's own "Sent" beside "Gesendet" is the user's to sort out, and both stay what
 * they are. */
#include "copy/mapping-tree.h"

#include "base/cleanup.h"

static const struct mapping_folder *folder_of(const struct mapper *m, const struct node *node)
{
	return &m->from->folders[node->source];
}

static bool can_have_role(const struct mapper *m, const struct node *node)
{
	return node->source != NO_FOLDER && !node->is_inbox && !folder_of(m, node)->noselect &&
	       !folder_of(m, node)->nonexistent && !folder_of(m, node)->other_namespace;
}

static size_t rank_of(struct bytes name, enum role role)
{
	size_t rank = 0;

	return role_of_name(name, &rank) == role ? rank : SIZE_MAX;
}

/* Several folders may have one attribute (Dovecot's stock configuration gives \Sent to "Sent"
 * and to "Sent Messages"): the plainest name wins, then the first. */
static bool decide_by_attribute(struct mapper *m, enum role role)
{
	struct node *best = NULL;
	size_t best_rank = 0;

	for (size_t i = 0; i < m->n_nodes; i++) {
		struct node *node = m->nodes[i];

		if (!can_have_role(m, node) || folder_of(m, node)->role != role)
			continue;

		size_t rank = rank_of(node->name, role);

		node->reasons |= 1u << MAPPING_ROLE_CLAIMED;
		if (!best || rank < best_rank) {
			best = node;
			best_rank = rank;
		}
	}
	if (!best)
		return false;
	best->reasons &= ~(1u << MAPPING_ROLE_CLAIMED);
	best->role = role;
	return true;
}

static bool below_gmail(const struct node *node)
{
	return node->depth == 2 && is_gmail_container(node->parent->name);
}

static bool is_at_top(const struct node *node)
{
	return node->depth == 1 || below_gmail(node) ||
	       (node->depth == 2 && node->parent->is_inbox);
}

/* The role that the folder's name asks for. "Important" is a view below "[Gmail]" and on Gmail
 * only. */
static enum role role_by_name(const struct mapper *m, const struct node *node)
{
	if (!can_have_role(m, node) || !is_at_top(node))
		return ROLE_NONE;
	if (folder_of(m, node)->role != ROLE_NONE)
		return ROLE_NONE;

	enum role role = role_of_name(node->name, NULL);
	bool gmail = m->from->server == MAPPING_SERVER_GMAIL && below_gmail(node);

	return role_is_view(role) && !gmail ? ROLE_NONE : role;
}

void mapper_decide_roles(struct mapper *m)
{
	bool taken[ROLE_COUNT] = { 0 };
	struct node *first[ROLE_COUNT] = { 0 };
	size_t claims[ROLE_COUNT] = { 0 };

	for (enum role role = ROLE_DRAFTS; role < ROLE_COUNT; role++)
		taken[role] = decide_by_attribute(m, role);

	for (size_t i = 0; i < m->n_nodes; i++) {
		struct node *node = m->nodes[i];
		enum role role = role_by_name(m, node);

		if (role == ROLE_NONE)
			continue;
		node->reasons |= 1u << MAPPING_ROLE_CLAIMED;
		if (claims[role]++ == 0)
			first[role] = node;
	}

	for (enum role role = ROLE_DRAFTS; role < ROLE_COUNT; role++) {
		if (taken[role] || claims[role] != 1)
			continue;
		first[role]->role = role;
		first[role]->role_by_name = true;
		first[role]->reasons &= ~(1u << MAPPING_ROLE_CLAIMED);
	}
}

static struct place *place_named(struct mapper *m, struct place *parent, struct bytes name)
{
	_cleanup_(buf_done) struct buf clean = BUF_NULL;
	struct place *place = place_listed(m, parent, name);

	if (place)
		return place;
	mapping_name_clean(m->rules, m->to_separator, name, parent == &m->root, &clean);
	return place_find(m, parent, buf_bytes(&clean));
}

/* Where the folder would stand by its own name, or what the destination makes of it, if there is
 * such a place. What leaves Gmail's container is looked for at the top. */
static struct place *natural_place(struct mapper *m, const struct node *node)
{
	struct place *parent = &m->root, *place = NULL;

	if (node->parent && !node_lifts_from_inbox(m, node)) {
		parent = node->parent->place;
		if (!parent)
			parent = natural_place(m, node->parent);
	}
	if (parent)
		place = place_named(m, parent, node->name);
	if (!place && below_gmail(node) &&
	    (node->role != ROLE_NONE || m->flat || m->to->server == MAPPING_SERVER_GMAIL))
		place = place_named(m, &m->root, node->name);
	return place;
}

static enum role attribute_of(const struct place *place)
{
	return place->folder ? place->folder->role : ROLE_NONE;
}

static struct place *place_by_attribute(const struct mapper *m, enum role role)
{
	for (size_t i = 0; i < m->to->n_folders; i++) {
		struct place *place = m->to_places[i];

		if (place && place_exists(place) && !place->owner && attribute_of(place) == role)
			return place;
	}
	return NULL;
}

static bool is_top_place(const struct mapper *m, const struct place *place)
{
	const struct place *parent = place->parent;

	return parent == &m->root || parent == m->to_inbox ||
	       (parent->parent == &m->root && is_gmail_container(parent->name));
}

static struct place *place_by_name(const struct mapper *m, enum role role)
{
	struct place *best = NULL;
	size_t best_rank = SIZE_MAX;

	for (size_t i = 0; i < m->to->n_folders; i++) {
		struct place *place = m->to_places[i];

		if (!place || !place_exists(place) || place->owner || place->namesake ||
		    !is_top_place(m, place) || attribute_of(place) != ROLE_NONE)
			continue;

		size_t rank = rank_of(place->name, role);

		if (rank < best_rank) {
			best = place;
			best_rank = rank;
		}
	}
	return best;
}

/* Whom a place is the natural one of; of two it is nobody's. Roles leave it to the one, on the
 * first run and on the second, when a plain "Sent" has come to the destination and has no
 * attribute. */
static void note_namesakes(struct mapper *m)
{
	for (size_t i = 0; i < m->n_nodes; i++) {
		struct place *place = natural_place(m, m->nodes[i]);

		if (!place)
			continue;
		place->contested = place->contested || place->namesake;
		if (!place->namesake)
			place->namesake = m->nodes[i];
	}
}

/* The destination's folder for the node's role: by attribute, the same name first; then any
 * folder of the same name (so that a second run, without attributes, finds what the first
 * made); then by name. */
static struct place *place_for_role(struct mapper *m, const struct node *node)
{
	struct place *same = natural_place(m, node), *place;
	bool same_fits = same && place_exists(same) && !same->owner && !same->contested;

	if (same_fits && attribute_of(same) == node->role)
		return same;
	place = place_by_attribute(m, node->role);
	if (place)
		return place;
	if (same_fits && attribute_of(same) == ROLE_NONE)
		return same;
	return place_by_name(m, node->role);
}

static void place_role(struct mapper *m, struct node *node)
{
	struct place *place = NULL;

	/* Only Gmail's views take messages. */
	if (!role_is_view(node->role) || m->to->server == MAPPING_SERVER_GMAIL)
		place = place_for_role(m, node);
	if (place && place_claim(m, place, node))
		return;

	/* A new one. Gmail's own folders leave their container; deeper ones wait for their
	 * parents. */
	if (!node->parent || below_gmail(node) || node_lifts_from_inbox(m, node)) {
		if (node_lifts_from_inbox(m, node))
			node->reasons |= 1u << MAPPING_INBOX_CHILD;
		node_place_below(m, node, &m->root, node->name);
	}
}

void mapper_place_roles(struct mapper *m)
{
	note_namesakes(m);
	for (int by_name = 0; by_name <= 1; by_name++) {
		for (size_t i = 0; i < m->n_nodes; i++) {
			struct node *node = m->nodes[i];

			if (node->role == ROLE_NONE || node->place || node->role_by_name != by_name)
				continue;
			node->reasons |= 1u << MAPPING_ROLE;
			place_role(m, node);
		}
	}
}
