/* SPDX-License-Identifier: Apache-2.0 */
/* Base64, see base64.h. */
#include "sasl/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct bytes b, struct buf *to)
{
	for (; b.n; b = bytes_skip(b, 3)) {
		const unsigned char *p = (const unsigned char *)b.p;
		uint32_t bits = (uint32_t)p[0] << 16;

		if (b.n > 1)
			bits |= (uint32_t)p[1] << 8;
		if (b.n > 2)
			bits |= p[2];

		buf_append_char(to, alphabet[bits >> 18]);
		buf_append_char(to, alphabet[bits >> 12 & 63]);
		buf_append_char(to, b.n > 1 ? alphabet[bits >> 6 & 63] : '=');
		buf_append_char(to, b.n > 2 ? alphabet[bits & 63] : '=');
	}
}

static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Takes the padding off. -1 when it is not what the length asks for. */
static int strip_padding(struct bytes *b)
{
	size_t n = b->n;

	while (b->n && n - b->n < 2 && b->p[b->n - 1] == '=')
		b->n--;

	return n != b->n && n % 4 ? -1 : 0;
}

static int decode_digits(struct bytes b, struct buf *to)
{
	uint32_t bits = 0;
	unsigned n = 0; /* of bits that are not used yet */

	for (size_t i = 0; i < b.n; i++) {
		int value = digit_value(b.p[i]);

		if (value < 0)
			return -1;

		bits = (bits << 6 | (uint32_t)value) & 0xffff;
		n += 6;
		if (n >= 8) {
			n -= 8;
			buf_append_char(to, (char)(bits >> n & 0xff));
		}
	}

	return n >= 6 || (bits & ((1u << n) - 1)) ? -1 : 0;
}

int base64_decode(struct bytes b, struct buf *to)
{
	size_t before = to->n;

	if (strip_padding(&b) == 0 && decode_digits(b, to) == 0)
		return 0;

	to->n = before;
	if (to->p)
		to->p[before] = '\0';
	return -1;
}
