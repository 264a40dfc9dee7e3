/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that ends the process when memory is gone. Safe because state on disk survives a crash at
 * any instant. Never call it with a size that a peer chose and nobody bounded. */
#ifndef BASE_XALLOC_H
#define BASE_XALLOC_H

#include <stddef.h>

void *xmalloc(size_t size);                   /* uninitialised */
void *xzalloc(size_t size);                   /* zeroed */
void *xrealloc(void *p, size_t size);         /* p may be NULL */
void *xreallocarray(void *p, size_t count, size_t size); /* checks count × size for overflow */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);      /* n bytes of s, NUL added */

/* For _cleanup_(freep): frees what the pointer variable points to. */
void freep(void *pointer_to_pointer);

/* Overwrites n bytes so that the compiler cannot drop it: for secrets. */
void wipe(void *p, size_t n);

/* Grows an array: makes room for `need` elements of `size` bytes, doubling *capacity. */
void *xgrow(void *p, size_t *capacity, size_t need, size_t size);

#endif
