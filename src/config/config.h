/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry.conf and the mailbox list: read, checked and turned into plain structs. Every fault names file, line
 * (and column, for the list) and says what would be right. Reads files (through os/), so it blocks: before
 * run_main(), or through pool_call(). Secrets are not read here, only where they are.
 *
 * What the file may hold is in one const table (settings.c): the same lines make the checks, the commented file that
 * `mailferry init` writes, and the manual page's list. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/map.h"
#include "config/gateway.h"
#include "pace/pace.h"

enum config_flags { CONFIG_FLAGS_SOURCE, CONFIG_FLAGS_NEWER, CONFIG_FLAGS_ADD_ONLY };

/* [platform old], [platform new]: one mail system. Strings may hold {address}, {login}, {local} (before the @) and
 * {domain}, replaced for each mailbox; NULL when not set. */
struct config_platform {
	const char *name;            /* "old" or "new" */
	const char *url;             /* without user: "imaps://imap.old.example"; or "imap+pipe:COMMAND" with words as above */
	const char *preset;          /* of pace_preset(), as set or by host; NULL: none. Its limits, filled in
				      * below where the file sets none, are those of an account */
	const char *login;           /* who logs in; default "{login}": the list's column old_login or new_login */
	const char *authzid;         /* on whose behalf: "{login}" when `login` is an administrator; NULL: none */
	const char *mechanism;       /* one SASL mechanism */
	const char *password_file, *password_command, *token_file, *token_command;
	const char *ca_file, *cert_file, *key_file;
	bool tls_unverified, plaintext, no_pipelining, no_qresync, compress;
	int64_t timeout_us;
	struct pace_settings server; /* of the platform as a whole */
	struct pace_settings account; /* of each mailbox on it */
	struct config_smtp smtp;     /* mail that comes in by SMTP is delivered there */
};

/* [wave NAME], or a wave that only the list names. */
struct config_wave {
	const char *name;
	int64_t cutover_us;          /* planned, µs since 1970; 0: not yet. Once it has passed, deletions are never repeated */
	bool hold;                   /* nothing is ever deleted at the destination: legal hold */
	size_t mailboxes;            /* so many of the list belong to it */
	int line;                    /* of its section; 0: only the list names it */
};

/* A line of the mailbox list. Strings are "" where the list has none. */
struct config_mailbox {
	const char *address;         /* first column, unique: how it is called everywhere */
	const char *old_login, *new_login; /* default: address */
	const char *wave;            /* "" : none */
	const char *old_authzid, *new_authzid, *old_password_file, *new_password_file;
	const char *old_password_command, *new_password_command;
	const char *old_url, *new_url; /* in place of the platform's */
	const char *const *folders, *const *excludes, *const *maps; /* besides those of [copy]; NULL-terminated */
	bool hold, skip;             /* skip: listed, but not to be moved */
	int line;
};

struct config {
	struct arena arena;          /* all strings */
	const char *path, *list_path; /* of both files */
	const char *state;           /* directory; default $XDG_STATE_HOME/mailferry, or ~/.local/state/mailferry */
	const char *ca_file;
	struct config_platform old, new;
	struct pace_settings total;  /* [limits]: all platforms together */

	/* [copy] */
	const char *const *folders, *const *excludes, *const *maps; /* NULL-terminated */
	int64_t since, before;       /* INT64_MIN: no bound */
	enum config_flags flags;
	bool mirror_deletes, recopy_missing, adopt;
	unsigned delete_limit_percent;
	unsigned connections;        /* for one mailbox, to either side */
	unsigned at_once;            /* mailboxes at once in a process */
	unsigned processes;
	unsigned retries;
	int64_t soon_us;             /* a cutover nearer than this makes deltas of its wave go first; default 2 days */

	struct config_gateway gateway;

	struct config_wave *waves;
	size_t waves_n;
	struct config_mailbox *mailboxes; /* in the order of the list */
	size_t mailboxes_n;
	struct map mailbox_by_address, wave_by_name; /* indices + 1; for the two calls below */

	const char *const *notes;    /* what is no fault but looks like a mistake: sentences, NULL-terminated */
};

/* Reads FILE and the list it names. On failure *fault is FAULT_USAGE, about the first thing that is wrong, and *ret is
 * free of anything. */
int config_read(const char *path, struct config *ret, struct fault *fault);

/* The same for the gateway, which needs [gateway] and where to deliver to, and neither IMAP servers nor passwords: a
 * platform without url is one that it does not look into. A list that is not named and not there is none. */
int config_read_for_gateway(const char *path, struct config *ret, struct fault *fault);
void config_done(struct config *config);

/* NULL: there is no such. */
const struct config_wave *config_wave(const struct config *config, const char *name);
const struct config_mailbox *config_mailbox(const struct config *config, const char *address); /* in any case */

/* {address} and the like replaced for a mailbox; NULL stays NULL. side_login is what {login} means. A word in braces
 * that is not known was a fault of config_read(). */
const char *config_expand(const char *text, const struct config_mailbox *mailbox, const char *side_login,
			  struct arena *arena);

/* What `mailferry init` writes: both files, commented, ready to be edited. */
void config_sample(struct buf *to);
void config_sample_list(struct buf *to);

#endif
