/* SPDX-License-Identifier: Apache-2.0 */
/* Slices of bytes, see bytes.h. */
#include "base/bytes.h"

#include <string.h>

#include "base/xalloc.h"

char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

char ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

bool ascii_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool ascii_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct bytes bytes_of(const char *s)
{
	return (struct bytes){ s, s ? strlen(s) : 0 };
}

struct bytes bytes_skip(struct bytes b, size_t n)
{
	if (n > b.n)
		n = b.n;

	return (struct bytes){ n ? b.p + n : b.p, b.n - n };
}

struct bytes bytes_head(struct bytes b, size_t n)
{
	return (struct bytes){ b.p, n < b.n ? n : b.n };
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct bytes bytes_trim(struct bytes b)
{
	while (b.n && is_space(b.p[0]))
		b = bytes_skip(b, 1);
	while (b.n && is_space(b.p[b.n - 1]))
		b.n--;
	return b;
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
	return a.n == b.n && bytes_starts_nocase(a, b);
}

bool bytes_starts(struct bytes b, struct bytes prefix)
{
	return bytes_equal(bytes_head(b, prefix.n), prefix);
}

bool bytes_starts_nocase(struct bytes b, struct bytes prefix)
{
	if (b.n < prefix.n)
		return false;

	for (size_t i = 0; i < prefix.n; i++)
		if (ascii_lower(b.p[i]) != ascii_lower(prefix.p[i]))
			return false;

	return true;
}

int bytes_compare(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;

	if (r)
		return r;

	return a.n < b.n ? -1 : a.n > b.n;
}

ptrdiff_t bytes_find_char(struct bytes b, char c)
{
	const char *at = b.n ? memchr(b.p, c, b.n) : NULL;

	return at ? at - b.p : -1;
}

ptrdiff_t bytes_find(struct bytes b, struct bytes needle)
{
	const char *at = b.n && needle.n ? memmem(b.p, b.n, needle.p, needle.n) : NULL;

	return at ? at - b.p : -1;
}

struct bytes bytes_cut(struct bytes *rest, char c)
{
	ptrdiff_t at = bytes_find_char(*rest, c);
	struct bytes head = *rest;

	if (at < 0) {
		*rest = bytes_skip(*rest, rest->n);
		return head;
	}

	head.n = (size_t)at;
	*rest = bytes_skip(*rest, (size_t)at + 1);
	return head;
}

char *bytes_to_str(struct bytes b)
{
	if (bytes_find_char(b, '\0') >= 0)
		return NULL;

	return xstrndup(b.n ? b.p : "", b.n);
}

int bytes_to_u64(struct bytes b, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (b.n == 0)
		return -1;

	for (size_t i = 0; i < b.n; i++) {
		unsigned digit = (unsigned char)b.p[i] - (unsigned)'0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return -1;
		value = value * 10 + digit;
	}

	if (value > max)
		return -1;

	*ret = value;
	return 0;
}
