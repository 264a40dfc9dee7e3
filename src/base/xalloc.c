/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that cannot fail: out of memory ends the process, see xalloc.h. */
#include "base/xalloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p)
{
	if (!p) {
		fputs("mailferry: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *xmalloc(size_t size)
{
	return must(malloc(size ? size : 1));
}

void *xzalloc(size_t size)
{
	return must(calloc(1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
	return must(realloc(p, size ? size : 1));
}

void *xreallocarray(void *p, size_t count, size_t size)
{
	return must(reallocarray(p, count ? count : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return must(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	char *copy = xmalloc(n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

void freep(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

void wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}

void *xgrow(void *p, size_t *capacity, size_t need, size_t size)
{
	size_t room = *capacity ? *capacity : 8;

	if (need <= *capacity)
		return p;

	if (need > SIZE_MAX / 2)
		must(NULL); /* doubling would never get there */

	while (room < need)
		room *= 2;

	*capacity = room;
	return xreallocarray(p, room, size);
}
