/* SPDX-License-Identifier: Apache-2.0 */
/* From a line of the mailbox list to two accounts that can be logged in to, with the limits that
 * hold for them. What all mailboxes of a platform share (trust, limits, a password command that is
 * the same for all) is kept in struct fleet_platforms. */
#ifndef FLEET_ACCOUNT_H
#define FLEET_ACCOUNT_H

#include "config/config.h"
#include "fleet/logins.h"
#include "fleet/side.h"
#include "state/ledger.h"

struct fleet_platforms;

/* config outlives the result. parts (1 and up): among so many processes the limits of servers and
 * of the whole are divided; those of an account are not, as a mailbox is one process's. Reads CA
 * files and certificates, so it blocks: before run_main(), or through pool_call(). FAULT_USAGE. */
int fleet_platforms_open(const struct config *config, unsigned parts, struct fleet_platforms **ret,
			 struct fault *fault);
struct fleet_platforms *fleet_platforms_free(struct fleet_platforms *platforms); /* returns NULL */
DEFINE_FREEP(struct fleet_platforms, fleet_platforms_free);

/* A limit of the platform as a whole, for a look at it. */
struct pace *fleet_pace_of_server(struct fleet_platforms *platforms, bool destination);

/* How many pairs of connections there may be at once, as of now; 0: no limit. */
unsigned fleet_room(struct fleet_platforms *platforms);

/* This process is one of a round's; both strings outlive the platforms. */
void fleet_platforms_share(struct fleet_platforms *platforms, const char *state_dir, const char *round);

/* The login that a mailbox of the configuration shares with others at a side, or NULL: logins.h. */
struct login *fleet_login(const struct fleet_platforms *platforms, const struct config_mailbox *mailbox,
			  bool destination);

/* Why one that this mailbox shares was given up, or NULL; *ret_news as of login_given_up(). */
const struct fault *fleet_given_up(const struct fleet_platforms *platforms, const struct config_mailbox *mailbox,
				   bool *ret_news);

/* The way in to one side, for each of its connections: its login may be tried, and there is room. */
struct fleet_door {
	struct login *login;  /* or NULL */
	struct login_words words;
	struct pace *pace;
};

/* One mailbox's two sides. */
struct fleet_sides {
	struct side from, to; /* from.account, to.account: for imap_connect(), copy_options … */
	struct fleet_door from_door, to_door;
	struct pace *from_pace, *to_pace; /* of these two; connections are counted already */
	struct ledger_ends ends;
	struct arena arena;
};

/* Reads secrets through the pool. Faults reach the mailbox, or (a password command that all share)
 * REACH_SERVER; nothing but being cancelled reaches further. platforms and mailbox outlive the
 * result. */
SUSPENDS int fleet_sides_open(struct fleet_platforms *platforms,
			      const struct config_mailbox *mailbox, struct fleet_sides **ret,
			      struct fault *fault);

/* Wipes secrets. Every session of the accounts was freed before. Accepts NULL, returns NULL. */
struct fleet_sides *fleet_sides_free(struct fleet_sides *sides);
DEFINE_FREEP(struct fleet_sides, fleet_sides_free);

/* The settings of one of `parts` processes: every limit that is one is at least 1. Texts are
 * shared, times go to the arena. */
struct pace_settings fleet_divide(const struct pace_settings *settings, unsigned parts,
				  struct arena *arena);

#endif
