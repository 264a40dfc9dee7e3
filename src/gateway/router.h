/* SPDX-License-Identifier: Apache-2.0 */
/* Where a recipient's mail goes: a table that never changes once made, with the epoch that made it. No I/O.
 *
 * A change makes a new table, which shares with its base all that did not change; who reads the old one
 * goes on doing so until it gives it back. So an attempt sees one state of the whole table, and its epoch
 * names that state. Tables may be used, given back and changed by several threads at once (counts are atomic);
 * one `struct router_change` belongs to one thread.
 *
 * Keys are compare keys of addresses as smtp/address.h makes them: domain in lower case, local part folded
 * and unquoted, so that all spellings of an address are one key. The domain is what follows the last '@'.
 *
 * A key is looked for as it is (an address, then an alias), then likewise without its subaddress, and at last the
 * domain's default decides. An alias names an address whose own entry decides; an alias of an alias is
 * not followed, and one that leads nowhere counts as absent.
 *
 * Hashing is SipHash-1-3 with a seed, so that who chooses recipients cannot make it slow. */
#ifndef GATEWAY_ROUTER_H
#define GATEWAY_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fault.h"

enum route {
	ROUTE_UNKNOWN, /* nobody said; who asks decides by directories and policy */
	ROUTE_OLD,
	ROUTE_NEW,
	ROUTE_BOTH,
	ROUTE_HOLD,
};

/* Which entry decided. */
enum router_match {
	ROUTER_NOT_OURS,   /* the domain has no entry at all: no mail is taken for it */
	ROUTER_ADDRESS,
	ROUTER_SUBADDRESS, /* the address without what follows the separator */
	ROUTER_ALIAS,
	ROUTER_DOMAIN,     /* the domain's default */
};

enum { ROUTER_MAX_KEY = 320 }; /* 64 + 1 + 255 */

struct router;
struct router_change;

struct router_answer {
	enum route route;
	enum router_match match;
	struct bytes key;     /* of the entry that decided, in the table: lives as long; empty when not ours */
	uint32_t changed_s;   /* when that entry, or the alias that led to it, became what it is: seconds since 1970 */
};

/* An empty table of epoch 0, with one user. separator divides local part and subaddress ('+'); '\0': there are
 * no subaddresses. seed is unpredictable in life. */
struct router *router_new(const uint64_t seed[2], char separator);
struct router *router_use(struct router *router); /* another user of it, who gives it back as well */
struct router *router_free(struct router *router); /* gives it back; accepts NULL, returns NULL */
DEFINE_FREEP(struct router, router_free);

uint64_t router_epoch(const struct router *router);
size_t router_count(const struct router *router); /* entries of all kinds */
size_t router_memory(const struct router *router); /* bytes asked for, shared parts included */

struct router_answer router_find(const struct router *router, struct bytes key);

/* Each entry in no useful order: size_t at[3] = { 0 }; while (router_next(router, at, &entry)) … */
struct router_entry {
	struct bytes key;    /* an address, or "@domain" for its default */
	struct bytes target; /* the address an alias stands for; empty: not an alias */
	enum route route;
	uint32_t changed_s;
};
bool router_next(const struct router *router, size_t at[3], struct router_entry *ret_entry);

/* The entry of exactly this key, an alias too; false: there is none. */
bool router_get(const struct router *router, struct bytes key, struct router_entry *ret_entry);

/* --- changes -------------------------------------------------------------------------------------- */

/* Begins a change of base, which may be given back meanwhile. */
struct router_change *router_change_new(struct router *base);
struct router_change *router_change_free(struct router_change *change); /* forgets it; accepts NULL */
DEFINE_FREEP(struct router_change, router_change_free);

/* Adds or replaces an entry. key "@domain" is the default of a domain. An entry that has this route
 * already keeps its changed_s. FAULT_DATA: not an address's key (and why). */
int router_change_put(struct router_change *change, struct bytes key, enum route route,
		      uint32_t changed_s, struct fault *fault);
int router_change_alias(struct router_change *change, struct bytes key, struct bytes target,
			uint32_t changed_s, struct fault *fault);

/* Whether the entry was there. */
bool router_change_remove(struct router_change *change, struct bytes key);

/* Ends the change: the new table, with one user. The epoch must be above the base's. */
struct router *router_change_finish(struct router_change *change, uint64_t epoch);

/* "old" …; -1 when it is no route's name. */
const char *route_name(enum route route);
int route_from(struct bytes name, enum route *ret);
const char *router_match_name(enum router_match match);

#endif
