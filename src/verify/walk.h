/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of verify/: a walk through one folder, in windows, and what its files share. */
#ifndef VERIFY_WALK_H
#define VERIFY_WALK_H

#include "base/map.h"
#include "verify/jobs.h"
#include "verify/sample.h"
#include "verify/verify.h"

/* What is known of a row of the window, in bits. */
enum {
	ROW_HERE = 1,        /* the source lists it */
	ROW_THERE = 2,       /* the destination lists its copy */
	ROW_SUSPECT = 4,     /* its size or header is not what it should be: the bytes decide */
	ROW_SIZE = 8,        /* … its size */
	ROW_HEADER = 16,     /* … its header */
	ROW_CHOSEN = 32,     /* both sides' bytes are to be compared */
	ROW_UNKNOWN_HEADER = 64, /* … or its header was not handed out */
};

/* One folder under way. */
struct verify_walk {
	struct verify *verify;
	struct verify_folder *folder;
	bool source, destination;      /* which sides can be looked at */
	bool source_known;             /* it is listed, or known to have nothing */
	bool with_dates;               /* the folder's messages were chosen by date */
	struct verify_sample sample;

	uint32_t after, high;          /* the window: UIDs after < uid <= high */
	bool last;                     /* there is none behind it */
	uint64_t listed;               /* messages of the source listed so far */
	uint32_t exists, exists_there; /* the least that the sides counted; UINT32_MAX: not asked */

	struct ledger_messages rows;   /* of the window, the first rows_n of them */
	size_t rows_n;
	uint8_t *seen;                 /* ROW_… of each */
	struct verify_list_job here, there;
	char **here_flags, **there_flags; /* canonical, per flag set of the lists */
	struct map words;              /* canonical flags by the ledger's number */

	unsigned suspects;             /* messages of the folder that were looked into, but not chosen */
	uint64_t wrong_sizes;          /* whose size was wrong and whose bytes were right */
	uint64_t not_shown;            /* differences beyond SUSPECTS that nobody looked into */
};

/* --- verify.c --------------------------------------------------------------------------------- */

/* Counts a finding, finds out who accepted it, and tells it. The caller's finding is changed. */
SUSPENDS int verify_tell(struct verify *verify, struct verify_finding *finding, struct fault *fault);

/* Commits what is queued when it has become much. */
SUSPENDS int verify_commit_some(struct verify *verify, struct fault *fault);

/* Where to count and show a finding. */
static inline struct verify_folder *verify_folder_of(struct verify *verify, const struct verify_finding *f)
{
	return f->folder ? &verify->folders[f->folder - verify->folders] : NULL;
}

/* --- plan.c ----------------------------------------------------------------------------------- */

/* Connects both sides, lists them, and sets verify->folders from the ledger and the lists. */
SUSPENDS int verify_plan(struct verify *verify, struct fault *fault);

/* --- folder.c --------------------------------------------------------------------------------- */

/* Looks at one folder. Its own faults become findings; a negative result ends the run. */
SUSPENDS int verify_folder_run(struct verify *verify, struct verify_folder *folder, struct fault *fault);

/* A finding about a message of the walk's window. */
struct verify_finding verify_row_finding(const struct verify_walk *walk, const struct ledger_message *row,
					 enum verify_kind kind);

/* --- window.c --------------------------------------------------------------------------------- */

/* Lists the next window at both sides and settles what is where. verify_window_done() in any case. */
SUSPENDS int verify_window(struct verify_walk *walk, struct fault *fault);
void verify_window_done(struct verify_walk *walk);

/* Tells what the ledger's books say of a row: left out, or altered. */
SUSPENDS int verify_not_copied(struct verify_walk *walk, const struct ledger_message *row, struct fault *fault);
SUSPENDS int verify_recorded(struct verify_walk *walk, const struct ledger_message *row, struct fault *fault);

/* The canonical text of one of the ledger's sets of flags; lives as long as the walk. */
const char *verify_known_flags(struct verify_walk *walk, uint32_t id);

/* A message of the lists, or NULL. */
const struct imap_message *verify_here(const struct verify_walk *walk, const struct ledger_message *row);
const struct imap_message *verify_there(const struct verify_walk *walk, const struct ledger_message *row);

/* --- strangers.c ------------------------------------------------------------------------------ */

/* After the last window: what the destination's folder holds besides the copies the rows name. */
SUSPENDS int verify_strangers(struct verify_walk *walk, struct fault *fault);

/* --- details.c -------------------------------------------------------------------------------- */

/* Flags, dates, sizes and headers of the window's messages that are there; marks suspects. */
SUSPENDS int verify_details(struct verify_walk *walk, struct fault *fault);

/* --- content.c -------------------------------------------------------------------------------- */

/* Reads the bytes of those chosen, and of suspects, and compares. */
SUSPENDS int verify_content(struct verify_walk *walk, struct fault *fault);

/* What two or three sets of bytes say together. No I/O. */
struct verify_bytes {
	bool read;
	uint64_t size;
	const unsigned char *digest; /* 32 bytes */
};

enum verify_match {
	VERIFY_MATCH_SAME,       /* the destination has the source's bytes, which are those once copied */
	VERIFY_MATCH_RECORDED,   /* it has the other bytes that the ledger knows of */
	VERIFY_MATCH_ALTERED,    /* it has others */
	VERIFY_MATCH_SOURCE,     /* it has what was copied; the source serves other bytes now */
	VERIFY_MATCH_LEDGER,     /* both sides are the same, and not what the ledger recorded */
	VERIFY_MATCH_UNKNOWN,    /* there is nothing to compare with */
};

enum verify_match verify_match(const struct ledger_message *row, const struct verify_bytes *source,
			       const struct verify_bytes *destination);

#endif
