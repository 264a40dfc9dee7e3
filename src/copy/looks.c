/* SPDX-License-Identifier: Apache-2.0 */
/* See looks.h. Sizes and dates, each sorted by themselves. */
#include "copy/looks.h"

#include <stdlib.h>

#include "base/xalloc.h"

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int by_date(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void looks_init(struct looks *l, size_t most)
{
	*l = (struct looks){ .sizes = xreallocarray(NULL, most + 1, sizeof(*l->sizes)),
			     .dates = xreallocarray(NULL, most + 1, sizeof(*l->dates)) };
}

void looks_done(struct looks *l)
{
	free(l->sizes);
	free(l->dates);
}

void looks_add(struct looks *l, uint64_t size, int64_t date)
{
	l->sizes[l->n] = size;
	l->dates[l->n++] = date;
}

void looks_sort(struct looks *l)
{
	qsort(l->sizes, l->n, sizeof(*l->sizes), by_size);
	qsort(l->dates, l->n, sizeof(*l->dates), by_date);
}

bool looks_has(const struct looks *l, uint64_t size, int64_t date)
{
	return bsearch(&size, l->sizes, l->n, sizeof(*l->sizes), by_size) ||
	       bsearch(&date, l->dates, l->n, sizeof(*l->dates), by_date);
}
