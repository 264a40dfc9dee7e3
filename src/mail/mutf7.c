/* SPDX-License-Identifier: Apache-2.0 */
/* Modified UTF-7, see mutf7.h.
 *
 * The decoder is tolerant and does not judge: a name is canonical exactly when encoding the
 * result gives the same bytes, so that is how it is found out. */
#include "mail/mutf7.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "mail/utf8.h"

/* RFC 3501: base64 with "," instead of "/", which is a separator on many servers. */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == ',' ? 63 : -1;
}

/* Takes one unit of UTF-16; *high holds the first half of a pair between two calls, or 0. */
static int add_unit(struct buf *to, uint32_t unit, uint32_t *high)
{
	bool is_high = unit >= 0xd800 && unit <= 0xdbff;
	bool is_low = unit >= 0xdc00 && unit <= 0xdfff;

	if (is_low != (*high != 0))
		return -1;

	if (is_low)
		utf8_append(to, 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00));
	else if (!is_high)
		utf8_append(to, unit);
	*high = is_high ? unit : 0;
	return 0;
}

/* What stands between "&" and "-". */
static int decode_base64(struct bytes in, struct buf *to)
{
	uint32_t bits = 0, high = 0;
	unsigned n = 0; /* of bits that are not used yet */

	for (size_t i = 0; i < in.n; i++) {
		int value = base64_value(in.p[i]);

		if (value < 0)
			return -1;

		bits = (bits << 6 | (uint32_t)value) & 0xffffff;
		n += 6;
		if (n < 16)
			continue;

		n -= 16;
		if (add_unit(to, bits >> n & 0xffff, &high) < 0)
			return -1;
	}

	/* Left over may only be the padding to a full digit, and that is zero. */
	return high || n >= 6 || (bits & ((1u << n) - 1)) ? -1 : 0;
}

static int decode_shift(struct bytes *rest, struct buf *to)
{
	struct bytes inside = bytes_cut(rest, '-');

	if (inside.n)
		return decode_base64(inside, to);

	buf_append_char(to, '&');
	return 0;
}

static int decode(struct bytes rest, struct buf *to)
{
	uint32_t c;

	while (rest.n) {
		if (utf8_next(&rest, &c) < 0)
			return -1;

		if (c != '&') {
			utf8_append(to, c);
			continue;
		}
		if (rest.n == 0 || decode_shift(&rest, to) < 0)
			return -1;
	}

	return 0;
}

int mutf7_decode(struct bytes in, struct buf *to_utf8)
{
	_cleanup_(buf_done) struct buf utf8 = BUF_NULL;
	_cleanup_(buf_done) struct buf canonical = BUF_NULL;

	/* The encoder also refuses a NUL, raw or in base64. */
	if (decode(in, &utf8) < 0 || mutf7_encode(buf_bytes(&utf8), &canonical) < 0)
		return -1;

	buf_append_bytes(to_utf8, buf_bytes(&utf8));
	return bytes_equal(buf_bytes(&canonical), in) ? 0 : 1;
}

struct encoder {
	struct buf *to;
	bool shifted; /* between "&" and "-" */
	uint32_t bits;
	unsigned n; /* of bits not written yet, below 6 */
};

static void put_unit(struct encoder *e, uint32_t unit)
{
	e->bits = e->bits << 16 | unit;
	for (e->n += 16; e->n >= 6; e->n -= 6)
		buf_append_char(e->to, alphabet[e->bits >> (e->n - 6) & 63]);
}

static void shift_in(struct encoder *e)
{
	if (!e->shifted)
		buf_append_char(e->to, '&');
	e->shifted = true;
}

static void shift_out(struct encoder *e)
{
	if (!e->shifted)
		return;

	if (e->n)
		buf_append_char(e->to, alphabet[e->bits << (6 - e->n) & 63]);
	buf_append_char(e->to, '-');
	e->shifted = false;
	e->bits = e->n = 0;
}

static void put_character(struct encoder *e, uint32_t c)
{
	if (c >= 0x20 && c <= 0x7e) {
		shift_out(e);
		buf_append_str(e->to, c == '&' ? "&-" : (char[]){ (char)c, '\0' });
		return;
	}

	shift_in(e);
	if (c < 0x10000) {
		put_unit(e, c);
		return;
	}
	put_unit(e, 0xd800 + ((c - 0x10000) >> 10));
	put_unit(e, 0xdc00 + ((c - 0x10000) & 0x3ff));
}

int mutf7_encode(struct bytes utf8, struct buf *to)
{
	struct encoder e = { .to = to };
	uint32_t c;

	if (!utf8_is_valid(utf8) || bytes_find_char(utf8, '\0') >= 0)
		return -1;

	while (utf8.n) {
		(void)utf8_next(&utf8, &c);
		put_character(&e, c);
	}
	shift_out(&e);
	return 0;
}
