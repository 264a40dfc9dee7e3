/* SPDX-License-Identifier: Apache-2.0 */
/* What a folder is for: sent mail, drafts, junk … A server says it by an attribute in LIST
 * (SPECIAL-USE, RFC 6154 and 8457, or Gmail's older XLIST); where it does not, the name tells,
 * in many languages. */
#ifndef COPY_ROLES_H
#define COPY_ROLES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

enum role {
	ROLE_NONE,
	ROLE_INBOX, /* XLIST only; by name it is INBOX itself */
	ROLE_DRAFTS,
	ROLE_SENT,
	ROLE_ARCHIVE,
	ROLE_JUNK,
	ROLE_TRASH,
	ROLE_ALL, /* this and the following are views: role_is_view() */
	ROLE_FLAGGED,
	ROLE_IMPORTANT,
	ROLE_COUNT,
};

/* The role that an attribute of LIST or XLIST gives ("\Sent", "\Spam", "\AllMail"; case does
 * not matter); ROLE_NONE for all others. */
enum role role_of_attribute(struct bytes attribute);

const char *role_attribute(enum role role); /* "\\Sent", as in RFC 6154; "" for none and inbox */
const char *role_name(enum role role);	    /* stable, lower case: "sent"; "none" */

/* Whether the folder shows messages that live in other folders: Gmail's All Mail and Starred,
 * virtual mailboxes elsewhere. */
bool role_is_view(enum role role);

/* The role that one well-known folder name stands for ("Sent Items", "Entwürfe", "已删除邮件"; case
 * and composition do not matter), or ROLE_NONE. *ret_rank, which may be NULL, tells how common
 * the name is: 0 is the first choice, and no two names of a role have the same.
 *
 * A name alone proves little: the caller accepts it at the top of the hierarchy only, from one
 * folder, and the view roles from Gmail only, because elsewhere "Important" is just a folder. */
enum role role_of_name(struct bytes utf8, size_t *ret_rank);

/* Calls back for every name in the tables, as a key in the sense of mail/utf8.h: for tests. */
void role_each_name(void (*each)(void *arg, enum role role, const char *name), void *arg);

#endif
