/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 for names and tables, see utf8.h. The tables of Unicode are libunistring's; the walking
 * is our own because names come off the wire and one place must decide what is valid. */
#include "mail/utf8.h"

#include <assert.h>
#include <stdlib.h>

#include <unicase.h>
#include <uninorm.h>
#include <uniwidth.h>

#include "base/cleanup.h"
#include "base/xalloc.h"

enum { REPLACEMENT = 0xfffd, ELLIPSIS = 0x2026 };

/* Length of the character that starts with this byte and the smallest value it may have, or 0. */
static size_t lead_length(unsigned char c, uint32_t *smallest)
{
	if (c < 0x80) {
		*smallest = 0;
		return 1;
	}
	if (c >= 0xc2 && c <= 0xdf) {
		*smallest = 0x80;
		return 2;
	}
	if (c >= 0xe0 && c <= 0xef) {
		*smallest = 0x800;
		return 3;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		*smallest = 0x10000;
		return 4;
	}
	return 0;
}

int utf8_next(struct bytes *rest, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)rest->p;
	uint32_t smallest = 0;
	size_t length = lead_length(p[0], &smallest);
	uint32_t c = length == 1 ? p[0] : p[0] & (0x7fu >> length);
	bool good = length && length <= rest->n;

	for (size_t i = 1; good && i < length; i++) {
		good = (p[i] & 0xc0) == 0x80;
		c = c << 6 | (p[i] & 0x3f);
	}
	good = good && c >= smallest && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);

	*ret = good ? c : REPLACEMENT;
	*rest = bytes_skip(*rest, good ? length : 1);
	return good ? 0 : -1;
}

bool utf8_is_valid(struct bytes b)
{
	uint32_t c;

	while (b.n)
		if (utf8_next(&b, &c) < 0)
			return false;

	return true;
}

bool utf8_is_ascii(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if ((unsigned char)b.p[i] > 0x7f)
			return false;

	return true;
}

void utf8_append(struct buf *to, uint32_t c)
{
	assert(c <= 0x10ffff && (c < 0xd800 || c > 0xdfff));

	if (c < 0x80) {
		buf_append_char(to, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_append_char(to, (char)(0xc0 | c >> 6));
	} else if (c < 0x10000) {
		buf_append_char(to, (char)(0xe0 | c >> 12));
		buf_append_char(to, (char)(0x80 | (c >> 6 & 0x3f)));
	} else {
		buf_append_char(to, (char)(0xf0 | c >> 18));
		buf_append_char(to, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_append_char(to, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_append_char(to, (char)(0x80 | (c & 0x3f)));
}

/* Whether c can drive a terminal or disguise a line. */
static bool is_dangerous(uint32_t c)
{
	static const struct { uint32_t first, last; } ranges[] = {
		{ 0x00, 0x1f }, { 0x7f, 0x9f },     /* C0, DEL, C1 */
		{ 0x61c, 0x61c }, { 0x200e, 0x200f }, /* direction marks */
		{ 0x2028, 0x202e },                 /* separators, embeddings and overrides */
		{ 0x2066, 0x2069 },                 /* isolates */
		{ 0xfff9, 0xfffb },                 /* interlinear annotation hides text */
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;

	return false;
}

/* The next character as it may be printed. */
static uint32_t next_printable(struct bytes *rest)
{
	uint32_t c;

	(void)utf8_next(rest, &c); /* bad bytes are U+FFFD, which is what is wanted */
	return is_dangerous(c) ? REPLACEMENT : c;
}

void utf8_printable(struct buf *to, struct bytes b)
{
	while (b.n)
		utf8_append(to, next_printable(&b));
}

static size_t columns_of(uint32_t c)
{
	int width = uc_width(c, "UTF-8");

	return width < 0 ? 1 : (size_t)width;
}

size_t utf8_width(struct bytes b)
{
	size_t columns = 0;

	while (b.n)
		columns += columns_of(next_printable(&b));

	return columns;
}

void utf8_truncate(struct buf *to, struct bytes b, size_t columns)
{
	size_t used = 0;

	if (utf8_width(b) <= columns) {
		utf8_printable(to, b);
		return;
	}
	if (columns == 0)
		return;

	for (;;) { /* ends: all of b is wider than this */
		uint32_t c = next_printable(&b);

		used += columns_of(c);
		if (used > columns - 1)
			break;
		utf8_append(to, c);
	}
	utf8_append(to, ELLIPSIS);
}

void utf8_cell(struct buf *to, struct bytes b, size_t columns)
{
	size_t start = to->n;

	utf8_truncate(to, b, columns);
	for (size_t width = utf8_width(bytes_skip(buf_bytes(to), start)); width < columns; width++)
		buf_append_char(to, ' ');
}

/* NULL from libunistring on valid input means no memory, which ends the process as everywhere. */
static int append_result(struct buf *to, uint8_t *result, size_t n)
{
	if (!result)
		abort();

	buf_append(to, result, n);
	free(result);
	return 0;
}

int utf8_nfc(struct bytes b, struct buf *to)
{
	size_t n = 0;

	if (!utf8_is_valid(b))
		return -1;
	if (utf8_is_ascii(b)) {
		buf_append_bytes(to, b);
		return 0;
	}

	uint8_t *result = u8_normalize(UNINORM_NFC, (const uint8_t *)b.p, b.n, NULL, &n);

	return append_result(to, result, n);
}

int utf8_key(struct bytes b, struct buf *to)
{
	size_t n = 0;

	if (!utf8_is_valid(b))
		return -1;
	if (utf8_is_ascii(b)) {
		for (size_t i = 0; i < b.n; i++)
			buf_append_char(to, ascii_lower(b.p[i]));
		return 0;
	}

	/* Decomposes, folds, composes: definition D145 of the Unicode Standard up to the last
	 * form. */
	uint8_t *result = u8_casefold((const uint8_t *)b.p, b.n, NULL, UNINORM_NFC, NULL, &n);

	return append_result(to, result, n);
}
