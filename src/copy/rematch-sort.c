/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting references to items, and what two sorted sides have in common. By merging, because a C
 * library's qsort() may have bad cases, and a peer chooses the keys. */
#include "base/xalloc.h"
#include "copy/rematch-inside.h"

static void insert_in_order(struct rematch_ref *p, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct rematch_ref ref = p[i];
		size_t j = i;

		for (; j > 0 && is_before(&ref, &p[j - 1]); j--)
			p[j] = p[j - 1];
		p[j] = ref;
	}
}

static void merge(const struct rematch_ref *a, size_t an, const struct rematch_ref *b, size_t bn,
		  struct rematch_ref *to)
{
	size_t i = 0, j = 0;

	while (i < an && j < bn)
		*to++ = is_before(&b[j], &a[i]) ? b[j++] : a[i++];
	if (i < an)
		memcpy(to, a + i, (an - i) * sizeof(*to));
	if (j < bn)
		memcpy(to, b + j, (bn - j) * sizeof(*to));
}

void rematch_sort(struct rematch_keys *k, struct rematch_ref *p, size_t n)
{
	enum { RUN = 16 };
	struct rematch_ref *from = p, *to = k->scratch;

	for (size_t i = 0; i < n; i += RUN)
		insert_in_order(p + i, n - i < RUN ? n - i : RUN);

	for (size_t width = RUN; width < n; width *= 2) {
		struct rematch_ref *merged = to;

		for (size_t i = 0; i < n; i += 2 * width) {
			size_t an = n - i < width ? n - i : width;
			size_t bn = n - i - an < width ? n - i - an : width;

			merge(from + i, an, from + i + an, bn, to + i);
		}
		to = from;
		from = merged;
	}
	if (from != p)
		memcpy(p, from, n * sizeof(*p));
}

static size_t run_length(const struct rematch_ref *p, size_t n)
{
	size_t run = 1;

	while (run < n && same_key(&p[run], &p[0]))
		run++;
	return run;
}

void rematch_match(struct rematch_keys *k, const struct rematch_group *within)
{
	const struct rematch_ref *p = refs_of(k, within, 0), *q = refs_of(k, within, 1);
	size_t i = 0, j = 0;

	while (i < within->n[0] && j < within->n[1]) {
		if (same_key(&p[i], &q[j])) {
			size_t in = run_length(p + i, within->n[0] - i);
			size_t jn = run_length(q + j, within->n[1] - j);

			k->groups = xgrow(k->groups, &k->groups_size, k->groups_n + 1,
					  sizeof(*k->groups));
			k->groups[k->groups_n++] = (struct rematch_group){
				.at = { within->at[0] + (uint32_t)i, within->at[1] + (uint32_t)j },
				.n = { (uint32_t)in, (uint32_t)jn },
			};
			i += in;
			j += jn;
		} else if (is_before(&p[i], &q[j])) {
			i++;
		} else {
			j++;
		}
	}
}

bool rematch_has_key(const struct rematch_ref *p, size_t n, uint64_t key, const uint64_t *second)
{
	struct rematch_ref first = { { key, second ? *second : 0 }, 0 };
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (is_before(&p[middle], &first))
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && p[low].key[0] == key && (!second || p[low].key[1] == *second);
}
