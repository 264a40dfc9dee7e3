/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns for folder names. The separator is always "/"; names are UTF-8.
 *
 *	*       any characters, none included, but "/"
 *	**      any characters, "/" too
 *	?       one character but "/"
 *	[abc]   one of these; [a-z] a range by code point; [!abc] one of no others; never "/".
 *	        "]" as the first member is a member. A "[" without its "]" is itself.
 *	\x      x itself, whatever it is; a "\" at the end is itself
 *
 * All else stands for itself, case included. The whole name must match: "Sent" is the folder
 * Sent and not its children. A pattern that ends in "/" and "**" matches the folder before it
 * too: "Projects/" with "**" is Projects and all below it. Bytes that are not UTF-8 count as
 * characters of their own.
 *
 * Time is at most (length of pattern) × (length of name), whatever they hold. */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include <stdbool.h>

#include "base/bytes.h"

bool glob_match(struct bytes pattern, struct bytes name);

/* Whether pattern can match one name only (it may hold escapes). */
bool glob_is_plain(struct bytes pattern);

#endif
