/* SPDX-License-Identifier: Apache-2.0 */
/* SASLprep, see prep.h. The tables are RFC 3454's of the same names. */
#include "sasl/prep.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <uninorm.h>

#include "base/cleanup.h"
#include "base/xalloc.h"
#include "mail/utf8.h"

struct range {
	uint32_t first, last;
};

static const struct range spaces[] = { /* C.1.2 */
	{ 0xa0, 0xa0 }, { 0x1680, 0x1680 }, { 0x2000, 0x200b }, { 0x202f, 0x202f },
	{ 0x205f, 0x205f },
	{ 0x3000, 0x3000 },
};

static const struct range nothing[] = { /* B.1 */
	{ 0xad, 0xad }, { 0x34f, 0x34f }, { 0x1806, 0x1806 }, { 0x180b, 0x180d },
	{ 0x200c, 0x200d },
	{ 0x2060, 0x2060 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
};

static const struct range prohibited[] = {
	/* C.2: controls */
	{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0x6dd, 0x6dd }, { 0x70f, 0x70f }, { 0x180e, 0x180e },
	{ 0x2028, 0x2029 }, { 0x2061, 0x2063 }, { 0x206a, 0x206f }, { 0xfff9, 0xfffd },
	{ 0x1d173, 0x1d17a },
	/* C.3: private use */
	{ 0xe000, 0xf8ff }, { 0xf0000, 0xffffd }, { 0x100000, 0x10fffd },
	/* C.4: no characters (those that end in fffe and ffff: is_prohibited()) */
	{ 0xfdd0, 0xfdef },
	/* C.7: descriptions of ideographs */
	{ 0x2ff0, 0x2ffb },
	/* C.8: directions, and what is deprecated */
	{ 0x340, 0x341 }, { 0x200e, 0x200f }, { 0x202a, 0x202e },
	/* C.9: tags */
	{ 0xe0001, 0xe0001 }, { 0xe0020, 0xe007f },
};

static bool is_in(const struct range *ranges, size_t n, uint32_t c)
{
	for (size_t i = 0; i < n; i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;

	return false;
}

static bool is_prohibited(uint32_t c)
{
	return (c & 0xfffe) == 0xfffe || is_in(prohibited, ARRAY_SIZE(prohibited), c);
}

/* -1 when s is not UTF-8. */
static int map(struct bytes s, struct buf *to)
{
	uint32_t c;

	while (s.n) {
		if (utf8_next(&s, &c) < 0)
			return -1;
		if (is_in(spaces, ARRAY_SIZE(spaces), c))
			buf_append_char(to, ' ');
		else if (!is_in(nothing, ARRAY_SIZE(nothing), c))
			utf8_append(to, c);
	}

	return 0;
}

static int append_allowed(struct bytes s, struct buf *to)
{
	uint32_t c;

	for (struct bytes rest = s; rest.n;)
		if (utf8_next(&rest, &c) < 0 || is_prohibited(c))
			return -1;

	buf_append_bytes(to, s);
	return 0;
}

int sasl_prep(const char *s, struct buf *to)
{
	_cleanup_(buf_wipe) struct buf mapped = BUF_NULL;
	uint8_t *composed;
	size_t n = 0;
	int r;

	if (map(bytes_of(s), &mapped) < 0)
		return -1;
	if (utf8_is_ascii(buf_bytes(&mapped)))
		return append_allowed(buf_bytes(&mapped), to);

	composed = u8_normalize(UNINORM_NFKC, (const uint8_t *)mapped.p, mapped.n, NULL, &n);
	if (!composed)
		abort(); /* no memory, as in xalloc.c */

	r = append_allowed((struct bytes){ (const char *)composed, n }, to);
	wipe(composed, n);
	free(composed);
	return r;
}
