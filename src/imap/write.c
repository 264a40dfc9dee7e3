/* SPDX-License-Identifier: Apache-2.0 */
/* Writing IMAP, see write.h. */
#include "imap/write.h"

#include <assert.h>
#include <string.h>
#include <unistr.h>

#include "base/xalloc.h"

enum imap_string_form imap_string_form(struct bytes s, bool utf8_quoted)
{
	enum imap_string_form form = IMAP_STRING_QUOTED;
	bool ascii = true;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\0')
			return IMAP_STRING_NONE;
		if (s.p[i] == '\r' || s.p[i] == '\n')
			form = IMAP_STRING_LITERAL;
		ascii &= (unsigned char)s.p[i] < 128;
	}

	if (!ascii && (!utf8_quoted || u8_check((const uint8_t *)s.p, s.n)))
		return IMAP_STRING_LITERAL;

	return form;
}

void imap_write_quoted(struct buf *to, struct bytes s)
{
	buf_append_char(to, '"');
	for (size_t i = 0; i < s.n; i++) {
		assert(s.p[i] != '\0' && s.p[i] != '\r' && s.p[i] != '\n');
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_append_char(to, '\\');
		buf_append_char(to, s.p[i]);
	}
	buf_append_char(to, '"');
}

static void write_number(struct buf *to, uint32_t number, bool star)
{
	if (star && number == UINT32_MAX)
		buf_append_char(to, '*');
	else
		buf_append_u64(to, number);
}

static void write_range(struct buf *to, struct imap_range range, bool star)
{
	write_number(to, range.low, star);
	if (range.high == range.low)
		return;

	buf_append_char(to, ':');
	write_number(to, range.high, star);
}

void imap_write_set(struct buf *to, const struct imap_range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_append_char(to, ',');
		write_range(to, ranges[i], true);
	}
}

size_t imap_write_set_part(struct buf *to, const struct imap_range *ranges, size_t n, size_t room)
{
	size_t start = to->n;

	for (size_t i = 0; i < n; i++) {
		size_t before = to->n;

		if (i > 0)
			buf_append_char(to, ',');
		write_range(to, ranges[i], false);
		if (i > 0 && to->n - start > room) {
			to->n = before;
			to->p[before] = '\0';
			return i;
		}
	}
	return n;
}

/* Index of the first range that ends at number - 1 or later: the one to touch or to insert
 * before. */
static size_t find_range(const struct imap_range *ranges, size_t n, uint32_t number)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges[middle].high < number - 1)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool imap_set_has(const struct imap_range *ranges, size_t n, uint32_t number)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges[middle].high < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && ranges[low].low <= number;
}

uint64_t imap_set_count(const struct imap_range *ranges, size_t n)
{
	uint64_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += (uint64_t)ranges[i].high - ranges[i].low + 1;
	return count;
}

static void insert_range(struct imap_range **ranges, size_t *n, size_t *capacity, size_t at,
			 uint32_t number)
{
	struct imap_range *all = xgrow(*ranges, capacity, *n + 1, sizeof(*all));

	memmove(&all[at + 1], &all[at], (*n - at) * sizeof(*all));
	all[at] = (struct imap_range){ number, number };
	*ranges = all;
	++*n;
}

void imap_set_add(struct imap_range **ranges, size_t *n, size_t *capacity, uint32_t number)
{
	struct imap_range *all = *ranges;
	size_t at;

	assert(number > 0);
	at = find_range(all, *n, number);
	if (at == *n || (all[at].low > number && all[at].low - number > 1)) {
		insert_range(ranges, n, capacity, at, number);
		return;
	}

	if (number < all[at].low) {
		all[at].low = number;
	} else if (number > all[at].high) {
		all[at].high = number;
		if (at + 1 < *n && all[at + 1].low - 1 == number) {
			all[at].high = all[at + 1].high;
			memmove(&all[at + 1], &all[at + 2], (*n - at - 2) * sizeof(*all));
			--*n;
		}
	}
}

bool imap_flag_is_sendable(struct bytes flag)
{
	static const char *const system[] = { "\\Answered", "\\Flagged", "\\Deleted", "\\Seen",
					      "\\Draft" };

	for (size_t i = 0; i < ARRAY_SIZE(system); i++)
		if (bytes_equal_nocase(flag, bytes_of(system[i])))
			return true;

	for (size_t i = 0; i < flag.n; i++) {
		unsigned char c = (unsigned char)flag.p[i];

		if (c <= ' ' || c > 126 || strchr("(){%*\"\\]", c))
			return false;
	}
	return flag.n > 0;
}
