/* SPDX-License-Identifier: Apache-2.0 */
/* Whose mailbox a doubt is looked up in: from configuration and mailbox list to an account that can be logged in to. */
#ifndef GATEWAY_DOUBT_ACCOUNT_H
#define GATEWAY_DOUBT_ACCOUNT_H

#include "config/config.h"
#include "imap/session.h"

struct doubt_account;

/* The mailbox of that address (a compare key, without its subaddress) on a platform: the new one, or the old one. FAULT_USAGE, AGAIN_NEVER: the
 * configuration does not say how to look: no url, no such mailbox in the list, no password. Reads secrets and
 * certificates through the pool; config may be gone when it returns. */
SUSPENDS int doubt_account_open(const struct config *config, bool is_new,
				struct bytes address, struct doubt_account **ret, struct fault *fault);
const struct imap_account *doubt_account(const struct doubt_account *account);

/* Wipes secrets. Accepts NULL, returns NULL. */
struct doubt_account *doubt_account_free(struct doubt_account *account);
DEFINE_FREEP(struct doubt_account, doubt_account_free);

#endif
