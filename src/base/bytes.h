/* SPDX-License-Identifier: Apache-2.0 */
/* Slices: bytes somebody else owns. What comes off the wire is a slice, never a C string; turning one
 * into a C string is an explicit call that refuses NUL. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	const char *p; /* may be NULL when n is 0 */
	size_t n;
};

#define BYTES_NULL ((struct bytes){ NULL, 0 })
#define BYTES(literal) ((struct bytes){ "" literal, sizeof(literal) - 1 })

/* For printf: "%.*s", BYTES_ARG(slice). */
#define BYTES_ARG(b) (int)((b).n > 4096 ? 4096 : (b).n), (b).n ? (b).p : ""

struct bytes bytes_of(const char *s); /* of a C string; NULL gives an empty slice */
struct bytes bytes_skip(struct bytes b, size_t n); /* without its first n bytes (at most all) */
struct bytes bytes_head(struct bytes b, size_t n); /* its first n bytes (at most all) */
struct bytes bytes_trim(struct bytes b); /* without blanks, tabs, CR and LF at both ends */

bool bytes_equal(struct bytes a, struct bytes b);
bool bytes_equal_nocase(struct bytes a, struct bytes b); /* ASCII case only */
bool bytes_starts(struct bytes b, struct bytes prefix);
bool bytes_starts_nocase(struct bytes b, struct bytes prefix);
int bytes_compare(struct bytes a, struct bytes b); /* as memcmp, the shorter first */

/* Offset of the first c or of the first needle, or -1. */
ptrdiff_t bytes_find_char(struct bytes b, char c);
ptrdiff_t bytes_find(struct bytes b, struct bytes needle);

/* Cuts *rest at the first c: returns what stands before it, *rest is what follows. Without a c all is
 * returned and *rest is empty. */
struct bytes bytes_cut(struct bytes *rest, char c);

/* A new C string, which the caller frees; NULL when the slice holds a NUL. */
char *bytes_to_str(struct bytes b);

/* Decimal digits only, the whole slice. 0 when done, -1 when not a number or above max. */
int bytes_to_u64(struct bytes b, uint64_t max, uint64_t *ret);

/* ASCII only, whatever the locale. */
char ascii_lower(char c);
char ascii_upper(char c);
bool ascii_is_alpha(char c);
bool ascii_is_digit(char c);
bool ascii_is_blank(char c); /* blank or tab */

#endif
