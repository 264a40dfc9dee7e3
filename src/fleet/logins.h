/* SPDX-License-Identifier: Apache-2.0 */
/* Logins that several mailboxes share: an administrator's, or a password that is the same for all. Where such a login is
 * refused, it would be refused again for each mailbox of the list, and servers lock an account after a few wrong
 * passwords. So of each shared login at each server it is counted how often in a row it was refused; after LOGINS_REFUSED
 * it is asked no more in this run. Being let in, or known but not allowed into one mailbox, starts the counting over.
 *
 * A login that has not been let in yet is tried by so few at once that even those on their way stay within that number:
 * the others wait. In a round (round.h) one process tries it for all; later each process counts by itself, and learns
 * from the others at its own first refusal. */
#ifndef FLEET_LOGINS_H
#define FLEET_LOGINS_H

#include "base/fault.h"
#include "fleet/side.h"

/* Common settings lock an account after five to ten; one and two are a user who is not there yet, or not anymore. */
enum { LOGINS_REFUSED = 3 };

struct login;
struct logins;

/* For so many mailboxes, each with two sides. */
struct logins *logins_new(size_t mailboxes);
struct logins *logins_free(struct logins *logins); /* accepts NULL, returns NULL */

/* Before logins_sort(): what mailbox i says of a side. Words that make no account are not counted. */
void logins_add(struct logins *logins, size_t i, bool destination, const struct side_options *options);

/* All were added: finds who shares what. */
void logins_sort(struct logins *logins);

/* NULL: nobody else logs in there with the same name or password. */
struct login *logins_of(const struct logins *logins, size_t i, bool destination);

/* This process is one of several; both strings outlive the logins. */
void logins_share(struct logins *logins, const char *state_dir, const char *round);

/* Waits until the login may be tried. -1: it was given up (FAULT_AUTH, REACH_SERVER, AGAIN_NEVER, the same words each
 * time), or cancelled. After 0 login_tried() is owed. */
SUSPENDS int login_enter(struct login *login, struct fault *fault);

/* What came of it. why: NULL when the server let us in; known: it did not, but knows who we are. What only concerns this
 * connection counts neither way. `words` are for the sentence, should this have been one too many. */
struct login_words {
	const char *side, *user, *mailbox; /* "source old.example", who logs in, for whose mailbox */
	const char *secret;                /* where it comes from: "password_file of [platform old] in FILE" */
};
SUSPENDS void login_tried(struct login *login, const struct fault *why, bool known, const struct login_words *words);

/* Why it was given up, or NULL. *ret_news: nobody has asked before, nor did another process find out. */
const struct fault *login_given_up(struct login *login, bool *ret_news);

#endif
