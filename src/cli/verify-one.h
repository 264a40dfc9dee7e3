/* SPDX-License-Identifier: Apache-2.0 */
/* `mailferry verify` for one mailbox, wherever its accounts come from. */
#ifndef CLI_VERIFY_ONE_H
#define CLI_VERIFY_ONE_H

#include "cli/options.h"
#include "cli/show-verify.h"

/* What is to be done, for every mailbox the same. */
struct verify_wishes {
	enum verify_level level;
	uint32_t sample_ppm;
	uint64_t seed;
	const char *report;        /* file, or NULL; "{mailbox}" in it is replaced by the address */
	const char *find;          /* Message-ID, or NULL */
	struct string_list accept, withdraw;
	const char *reason;
	bool accepted;             /* list them */
};

/* The mailbox. */
struct verify_target {
	const char *mailbox;       /* address, or NULL: given by URLs */
	const struct imap_account *from, *to;
	struct pace *from_pace, *to_pace;
	const char *from_url, *to_url; /* as shown */
	const struct ledger_ends *ends;
	const char *ledger;        /* its file */
	const char *const *folders, *const *excludes;
	bool partial;
	unsigned connections, retries;
	const char *verified;      /* file for mailferry status, or NULL */
	int64_t patience_us;       /* a server's wish to wait longer ends it; 0: any is waited for */
};

/* Does it and shows it. Returns the exit status; what went wrong has been said. */
SUSPENDS int verify_one(const struct verify_wishes *wishes, const struct verify_target *target,
			struct show_verify *show);

/* Of several mailboxes' statuses the one to end with: not ready, else stopped, else with exceptions, else done. */
int verify_worse(int a, int b);

#endif
