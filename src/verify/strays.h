/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of verify/: what is not where the ledger says, and what is where no row says. Kept until all folders were looked
 * at, because a message missing in one may be the stranger in another; then each becomes a finding: misfiled,
 * renumbered, double, missing or extra. At most VERIFY_KEPT of either are kept; more are told at once, unsearched. */
#ifndef VERIFY_STRAYS_H
#define VERIFY_STRAYS_H

#include "verify/verify.h"

struct verify_stray {
	struct verify_folder *folder;
	uint32_t uid, copy_uid;       /* uid 0: a stranger */
	uint64_t size;                /* bytes of the copy, 0: not known */
	bool here;                    /* of a missing one: the source has it */
	bool has_header, has_digest, has_copy_digest, header_read;
	bool settled;
	unsigned char header[16];
	unsigned char digest[32];     /* of the source's bytes; of a stranger its own, once read */
	unsigned char copy_digest[32]; /* of the copy, where it is another */
	uint64_t id;                  /* hash of the Message-ID; 0: none */
	const char *message_id;       /* in the strays' arena */
	const char *detail;

	/* Of strangers: the next with the same header, id or bytes, as index + 1; and what they are a likeness of. */
	uint32_t next_header, next_id, next_digest;
	bool like_missing;
	struct verify_likeness {
		struct verify_folder *folder; /* NULL: of no row whose copy is at the destination */
		uint32_t uid, copy_uid;
		uint64_t size;        /* 0: the row has a digest, which tells better */
	} like, twin;                 /* like: header or id; twin: the same bytes */
};

struct verify_strays {
	struct verify_stray *missing, *strangers;
	size_t missing_n, missing_size, strangers_n, strangers_size;
	struct arena arena;
};

struct verify_strays *verify_strays_new(void);
struct verify_strays *verify_strays_free(struct verify_strays *strays); /* accepts NULL, returns NULL */

/* Whether there is room for more. */
bool verify_strays_full(size_t n);

/* A row's copy is not under its UID. Told at once where nobody will look for it. */
SUSPENDS int verify_stray_missing(struct verify *verify, struct verify_finding *finding,
				  const struct ledger_message *row, bool here, struct fault *fault);

/* A message of a destination folder that no row knows. identity: NULL when it was not handed out. */
SUSPENDS int verify_stray_stranger(struct verify *verify, struct verify_folder *folder,
				   const struct imap_message *message, const struct imap_identity *identity,
				   struct fault *fault);

/* After all folders: finds out what belongs together, reading bytes to be sure, and tells each. */
SUSPENDS int verify_strays_settle(struct verify *verify, struct fault *fault);

#endif
