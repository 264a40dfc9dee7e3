/* SPDX-License-Identifier: Apache-2.0 */
/* Between the folders of the ledger and those that the servers list now. */
#ifndef COPY_LINKS_H
#define COPY_LINKS_H

#include "copy/copy.h"
#include "copy/mapping.h"
#include "state/ledger.h"

/* One for each of books.folders. */
struct copy_link {
	struct ledger_folder *known;   /* its row; NULL: none yet */
	bool formers;                  /* there are rows of folders of the same name under another UIDVALIDITY, whose
					* messages may be here: copy_link_next_former() */
	bool rename;                   /* known->destination_name is to be renamed to what the mapping says */
	size_t named;                  /* index + 1 in copy->known of the first row that has its name: copy->known_next */
	bool unchanged;                /* nothing to be done */
	bool adopt;                    /* its destination holds messages that no row knows: match them first */
	bool there_known;              /* its destination is known from earlier passes, if as another folder's: what it
					* holds is ours, or was looked at */
	bool there_shared;             /* rows of other folders, too, speak of what is in its destination */
	bool surveying;                /* a worker is at it, or was */
	bool surveyed;                 /* what became of known messages was found out in this pass */
	bool settled;                  /* every row without copy_uid was looked for: it is not there */
	bool not_stored;               /* changes of flags were not, since its destination cannot be opened: that was said */
	bool incomplete;               /* something is left to be done in the next pass */
	bool late;                     /* something may still turn up at the destination: the mark stays */
	const char *not_followed;      /* why what changed since the last pass could not be; NULL: it was, as far as is known */
	struct ledger_seen begun;      /* the source when this pass first opened it: what came later is the next one's */
	struct ledger_seen source, destination; /* as listed by copy_prepare() */
	bool source_told, destination_told;
	struct bytes object;           /* MAILBOXID of the source, or empty */
	size_t vanished, claimed;      /* so many of copy->vanished were here; of them, claimed */
	size_t without_copy;           /* … and so many have no row any more, since their copies are gone, too */
	uint64_t moved_out;            /* copies that this pass moves to other folders or removes as second ones, at most */
	uint64_t taken_out, taken_in;  /* … and that it has moved from here and to here since surveyed_there */
	struct ledger_seen surveyed_there; /* the destination when it was known which copies it has; uidvalidity 0: not yet */
	bool there_changed;            /* this pass changed the folder there after it was listed, before it was surveyed */
	bool formers_lost;             /* the formers' messages that are not here are among the vanished */
	bool done;                     /* went through, and is completed when all is settled */
};

/* A message that was copied and is no longer in its source folder. */
struct copy_vanished {
	struct ledger_folder *folder;
	struct copy_link *link;        /* NULL: of a folder that is gone too, or had another UIDVALIDITY, … */
	struct copy_link *place;       /* … and then of the folder that has its name; NULL: none */
	uint32_t uid, copy_uid;        /* copy_uid 0: not known, or there is none any more */
	uint32_t copy_uidvalidity;     /* what copy_uid belongs to: the folder there may become another one meanwhile */
	uint32_t flags, copy_flags;    /* of its row */
	uint64_t size;
	int64_t date;
	unsigned char digest[32];
	bool has_digest;
	bool before;                   /* its row says GONE already */
	bool claimed;                  /* had been sent, which was not known until this pass */
	bool was_deleted;              /* its copy has \Deleted, or was not looked at */
	bool moved;                    /* found again in another folder */
	bool moving;                   /* … or perhaps: a worker is at it */
	size_t next;                   /* index + 1 of the next with the same size and date; 0: none */
};

/* --- links.c --------------------------------------------------------------------------------- */

/* What the server told of a folder. */
struct ledger_seen copy_seen_of(const struct imap_folder *folder);

/* The row that the folder is known by was renamed at the destination, as at the source: it has the folder's name now. */
void copy_link_take_name(struct copy *copy, size_t index);

/* Walks through the formers, from *at = 0; NULL: no more. They stay current until a pass has settled all that they hold. */
struct ledger_folder *copy_link_next_former(const struct copy *copy, size_t index, size_t *at);

/* Loads the ledger's folders, follows those that were renamed at the destination, and finds those renamed at the
 * source. After both sides were listed, before the mapping. */
SUSPENDS int copy_links_load(struct copy *copy, struct fault *fault);

/* What earlier passes decided, for the mapping. */
void copy_links_wishes(struct copy *copy, struct mapping_options *options);

/* After the books were opened: connects each with what is known of it. FAULT_USAGE: --map wants a folder elsewhere
 * than it was copied to. */
int copy_links_make(struct copy *copy, struct fault *fault);

/* The folder with this raw name as the destination listed it, or NULL. */
struct imap_folder *copy_listed_there(const struct copy *copy, struct bytes name);

/* The folder went through: its row says so now. A large one at once, unless messages have vanished from it; the others
 * together, by copy_links_complete() when all is settled. */
bool copy_link_is_worth_it(const struct copy *copy, size_t index);
struct copy_worker;
SUSPENDS int copy_link_complete(struct copy_worker *worker, size_t index, struct fault *fault);
SUSPENDS int copy_links_complete(struct copy *copy, struct imap_session *to, struct fault *fault);

/* --- renames.c ------------------------------------------------------------------------------- */

/* Part of copy_links_load(): names of copy->known that the destination has no more become those it has, and copy->renamed
 * is filled. */
SUSPENDS int copy_links_find_renames(struct copy *copy, struct fault *fault);

/* Renames at the destination what was renamed at the source. */
SUSPENDS int copy_links_rename(struct copy *copy, struct fault *fault);

/* Whatever the ledger says of a RENAME of this folder is over. */
void copy_link_forget_rename(struct copy *copy, const struct ledger_folder *known);

/* --- earlier.c ------------------------------------------------------------------------------- */

/* Puts a folder that needs nothing into the books, from the ledger's numbers. */
void copy_links_count_unchanged(struct copy *copy, size_t index);

/* The exceptions of earlier passes, of unchanged folders. */
SUSPENDS int copy_links_load_exceptions(struct copy *copy, struct fault *fault);

/* One of them, by its row; all of a folder. */
SUSPENDS int copy_links_except(struct copy *copy, size_t index, const struct ledger_message *row,
			       struct fault *fault);
SUSPENDS int copy_links_except_all(struct copy *copy, size_t index, struct fault *fault);

/* Folders of the ledger that the source has no more: their messages have vanished. */
bool copy_links_any_lost(const struct copy *copy);
SUSPENDS int copy_links_lost(struct copy *copy, struct fault *fault);
void copy_links_forget_lost(struct copy *copy); /* when that is settled */

#endif
