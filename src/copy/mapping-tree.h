/* SPDX-License-Identifier: Apache-2.0 */
/* The two trees behind a mapping: the source's folders as nodes, the destination's names as places.
 * For mapping*.c only. */
#ifndef COPY_MAPPING_TREE_H
#define COPY_MAPPING_TREE_H

#include "base/buf.h"
#include "base/map.h"
#include "copy/mapping-names.h"

#define NO_FOLDER SIZE_MAX

/* Deeper levels stay in the last component. */
#define MAPPING_MAX_DEPTH 64

struct place;

/* A source folder, or the parent of one that is itself not listed. */
struct node {
	struct node *parent; /* NULL at the top */
	struct bytes name;
	struct bytes path;   /* with "/" */
	size_t source;	     /* or NO_FOLDER */
	size_t order;	     /* the server's, for parents that of their first child */
	unsigned depth;	     /* 1 at the top */
	bool is_inbox;
	enum role role;	     /* decided (mapping-roles.c), ROLE_NONE for plain folders */
	bool role_by_name;
	bool wished;
	unsigned reasons;
	struct place *place; /* NULL until decided */
};

/* A name at the destination, whether there is a folder yet or not. */
struct place {
	struct place *parent; /* NULL for the root only */
	struct bytes name, path;
	struct bytes wire;  /* whole raw name */
	struct bytes below; /* what raw names of children begin with */
	const struct mapping_folder *folder; /* as listed, or NULL */
	const struct node *owner;	     /* the one source folder that becomes it */
	const struct node *namesake; /* would become it by his name alone, roles apart */
	size_t next_twin; /* "(2)": where to look for the next free one */
	bool is_inbox;
	bool contested; /* not the namesake alone */
	bool closed;	/* takes no children */
	bool implied;	/* there, or noted as a parent that comes into being */
};

struct mapper {
	const struct mapping_side *from, *to;
	const struct mapping_options *options;
	const struct mapping_rules *rules;
	struct arena *arena;
	struct fault *fault;
	struct bytes from_prefix, to_prefix; /* with the separator at the end */
	char to_separator;
	bool inbox_prefix; /* the destination's prefix is INBOX itself */
	bool flat;	   /* the destination has no levels */

	struct map node_of, place_of; /* by parent and key */
	struct node **nodes; /* all, in order of appearance */
	size_t n_nodes, nodes_size;
	struct node **by_source; /* NULL: no node (not ours, or listed twice) */
	bool *twice;		 /* source folders that are a repetition */
	struct node *inbox;	 /* or NULL */

	struct place root, *to_inbox;
	struct place **to_places; /* of the destination's folders; NULL: out of reach */
	struct buf scratch, key;
};

void mapper_init(struct mapper *m, const struct mapping_side *from, const struct mapping_side *to,
		 const struct mapping_options *options, struct arena *arena, struct fault *fault);
void mapper_done(struct mapper *m); /* frees all but what is in the arena */

/* Makes the nodes of the source's folders and the places of the destination's. */
void mapper_read_source(struct mapper *m);
void mapper_read_destination(struct mapper *m);

/* The source's folder of that name below parent (NULL: at the top), or NULL. */
struct node *node_find(struct mapper *m, const struct node *parent, struct bytes name);

/* A node outside the tree, for a folder of another namespace that the user wishes to copy. */
struct node *node_new_alone(struct mapper *m, size_t source);

/* The place of that name below parent; NULL when there is none. */
struct place *place_find(struct mapper *m, const struct place *parent, struct bytes name);
/* The same, made when there is none. The name must be fit for the destination. */
struct place *place_get(struct mapper *m, struct place *parent, struct bytes name);

bool place_exists(const struct place *place); /* a mailbox that can be selected */

/* "[Gmail]": holds the server's own folders only. */
bool is_gmail_container(struct bytes name);

/* Whether the node is a child of INBOX that has to stand at the top of the destination: because
 * INBOX is the prefix there ("INBOX/Sub" is "INBOX.Sub", not "INBOX.INBOX.Sub"), or takes no
 * children. */
bool node_lifts_from_inbox(const struct mapper *m, const struct node *node);

/* mapping-roles.c: decides node->role for all nodes, then finds them their folders. */
void mapper_decide_roles(struct mapper *m);
void mapper_place_roles(struct mapper *m);

/* mapping-place.c, in the order in which they have to be called (roles go before the rest). */
int mapper_place_wishes(struct mapper *m);
void mapper_place_known(struct mapper *m);
void mapper_place_inbox(struct mapper *m);
void mapper_place_rest(struct mapper *m);

/* Gives the place to the node if it is free and fit for it. */
bool place_claim(struct mapper *m, struct place *place, struct node *node);
/* The place of that very name, listed: the name has proved good, whatever our tables say. */
struct place *place_listed(struct mapper *m, const struct place *parent, struct bytes name);
/* Finds a free place below parent by that name, or one as like it as the destination permits. */
void node_place_below(struct mapper *m, struct node *node, struct place *parent, struct bytes name);

#endif
