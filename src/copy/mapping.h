/* SPDX-License-Identifier: Apache-2.0 */
/* Which destination folder every source folder becomes: decided before anything is copied. No
 * I/O.
 *
 * In go the folders of both sides as their servers list them, and what the user wishes; out
 * comes a table with a line for every source folder, and the reason in words. What holds for
 * every table (test-mapping.c tries to break it):
 *   M1  every source folder has exactly one entry
 *   M2  no two entries that are not skipped have the same destination, as the destination sees
 *       names
 *   M3  an entry comes after those of its destination's parents
 *   M4  --folder and --exclude choose lines, they do not change any: a run over a part of the
 *       folders puts them where the run over all would
 *   M5  made again after the folders were created, the table is the same (only `exists` and
 *       reasons may differ): for certain when given back what was decided (`known`); without,
 *       unless one folder's new name is a role folder's old one, or the source has changed
 *
 * Folders are thought of as paths: lists of UTF-8 components below the personal namespace,
 * written here with "/" between them. A "/" inside a component never reaches a destination. */
#ifndef COPY_MAPPING_H
#define COPY_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "copy/roles.h"

/* Servers that refuse names in ways of their own (the tables are in mapping-names.c). */
enum mapping_server {
	MAPPING_SERVER_UNKNOWN,
	MAPPING_SERVER_DOVECOT,
	MAPPING_SERVER_CYRUS,
	MAPPING_SERVER_COURIER,
	MAPPING_SERVER_EXCHANGE,
	MAPPING_SERVER_GMAIL,
	MAPPING_SERVER_YAHOO,
	MAPPING_SERVER_DOMINO,
	MAPPING_SERVER_HMAILSERVER,
};

/* A guess from what a server says of itself: the ID field "name" (or vendor), or its greeting. */
enum mapping_server mapping_server_of(struct bytes words);

/* A folder as listed. All slices must live as long as the result is used. */
struct mapping_folder {
	struct bytes raw;  /* the name as on the wire, quoting undone: the only one for commands */
	struct bytes utf8; /* decoded from modified UTF-7; raw again when it cannot be decoded */
	char separator;	   /* as in its LIST line; '\0': NIL, a name without levels */
	enum role role;	   /* by attribute */
	bool noselect, nonexistent, noinferiors, has_children, subscribed;
	bool other_namespace; /* another user's or shared: not copied unless --map names it */
};

/* Notes one attribute of a LIST line; those that mean nothing here are passed over. */
void mapping_folder_attribute(struct mapping_folder *folder, struct bytes attribute);

struct mapping_side {
	/* The personal namespace: "INBOX." and '.', or "" and '/'; separator '\0' is NIL. Without
	 * NAMESPACE (has_namespace false) both are guessed from the folders. */
	struct bytes prefix;
	char separator;
	bool has_namespace;
	enum mapping_server server;
	const struct mapping_folder *folders;
	size_t n_folders;

	/* Of the destination only. */
	bool utf8_accept;	 /* ENABLEd: names go out in UTF-8 */
	bool create_special_use; /* CREATE … (USE (\Sent)) is understood */
	size_t max_name;	 /* wire bytes of a whole name; 0: what its kind is known for */
};

/* --map FROM=TO: both UTF-8 paths with "/". (Among `known`: raw names.) */
struct mapping_wish {
	struct bytes from, to;
};

struct mapping_options {
	/* Globs (base/glob.h) on source paths; none: all, nothing. */
	const struct bytes *include, *exclude;
	size_t n_include, n_exclude;
	const struct mapping_wish *wishes;
	size_t n_wishes;
	bool wishes_may_miss; /* a wish for a folder that the source does not have is no fault */

	/* What earlier runs decided (raw names on both sides), so that a name which appears or
	 * goes away later cannot send a folder elsewhere. It holds while both folders exist;
	 * --map beats it. */
	const struct mapping_wish *known;
	size_t n_known;
	uint64_t seed; /* for the hash tables: names come from strangers (base/map.h) */
};

enum mapping_action {
	MAPPING_COPY,
	MAPPING_STRUCTURE, /* \Noselect: no mailbox to copy, only a parent of others */
	MAPPING_SKIP,
};

/* Why. In ascending weight: an entry may have several, its `reason` is the heaviest. */
enum mapping_reason {
	MAPPING_SAME,	      /* the same name */
	MAPPING_INBOX,
	MAPPING_ROLE_CLAIMED, /* has a role's attribute or name, but is not alone: a plain folder */
	MAPPING_ROLE,	      /* goes to, or becomes, the destination's folder for that */
	MAPPING_WISH,	      /* --map */
	MAPPING_KNOWN,	      /* where an earlier run put it */
	MAPPING_PARENT,	      /* follows its parent, which has another name there */
	/* renamed: */
	MAPPING_INBOX_CHILD,  /* below INBOX here, at the top there */
	MAPPING_FLAT,	      /* no (such) levels at the destination: joined with "_" */
	MAPPING_EMPTY,	      /* an empty component */
	MAPPING_SEPARATOR,    /* the destination's separator in a name */
	MAPPING_CHARACTER,    /* control characters, and what the destination refuses */
	MAPPING_BLANKS,	      /* leading, trailing, double blanks */
	MAPPING_RESERVED,     /* a name the destination keeps for itself */
	MAPPING_LENGTH,	      /* cut, with a hash of the whole */
	MAPPING_COLLISION,    /* the name was taken by another: "(2)" */
	/* not copied: */
	MAPPING_NOSELECT,
	MAPPING_VIEW,	      /* holds messages of other folders */
	MAPPING_EXCLUDED,
	MAPPING_NOT_CHOSEN,
	MAPPING_NONEXISTENT,  /* listed, but not there (LSUB does that) */
	MAPPING_LISTED_TWICE,
	MAPPING_OTHER_NAMESPACE,
	MAPPING_REASON_COUNT,
};

const char *mapping_reason_name(enum mapping_reason reason); /* stable, for JSON: "collision" */

struct mapping_entry {
	size_t source; /* index into the source's folders */
	enum mapping_action action;
	struct bytes source_path;
	struct bytes path; /* destination; empty when skipped */
	struct bytes wire; /* the destination's raw name for commands; empty when skipped */
	bool exists;	   /* a mailbox of that name is there already */
	bool create;	   /* CREATE it: to be copied (or wished for) and not there */
	bool subscribe;
	enum role role;	       /* what it is for; ROLE_NONE for plain folders */
	enum role create_role; /* for CREATE … (USE (…)), else ROLE_NONE */
	enum mapping_reason reason;
	unsigned reasons; /* 1 << each that applies */
	const char *text; /* all of them in words: "renamed: separator in name, name was taken" */
};

/* A destination folder that has to come into being because others lie below it. Servers create
 * it by themselves, some of them selectable; it holds no mail. */
struct mapping_parent {
	struct bytes path, wire;
};

struct mapping {
	const struct mapping_entry *entries; /* INBOX, roles, the server's order; parents first */
	size_t n_entries;
	const struct mapping_parent *parents; /* in the order they come into being */
	size_t n_parents;
	const struct mapping_entry *const *by_source; /* entry of each source folder */
};

/* Makes the table, in the arena. -1 with FAULT_USAGE when a --map names an unknown source
 * folder, one source twice, or one destination for two. */
int mapping_make(const struct mapping_side *from, const struct mapping_side *to,
		 const struct mapping_options *options, struct arena *arena, struct mapping *ret,
		 struct fault *fault);

#endif
