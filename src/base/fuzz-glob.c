/* SPDX-License-Identifier: Apache-2.0 */
/* Any pattern and name, split at the first line end: against a matcher that tries everything. */
#include <stdlib.h>

#include "base/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
	if (!condition)
		abort();
}

/* Bytes of the first character: as glob.c sees it, found in another way. */
static size_t char_length(struct bytes b)
{
	size_t n = 1, want = 1;

	while (want < 4 && b.n && ((unsigned char)b.p[0] & 0xc0) == 0xc0 &&
	       (unsigned char)b.p[0] << want & 0x80)
		want++;
	if (b.n && (unsigned char)b.p[0] >= 0xf0)
		want = 4;
	while (n < want && n < b.n && ((unsigned char)b.p[n] & 0xc0) == 0x80)
		n++;
	return n == want ? n : 1;
}

/* Whether the class that starts behind "[" has c; *ret_n: its bytes, "]" included, or 0 when it
 * has no end. */
static bool in_class(struct bytes class, struct bytes c, size_t *ret_n)
{
	size_t at = bytes_starts(class, BYTES("!")), start = at, end;
	bool found = false;

	for (end = start + 1; end < class.n && class.p[end] != ']'; end++)
		;
	*ret_n = end < class.n ? end + 1 : 0;
	while (*ret_n && at < end) {
		struct bytes inside = bytes_head(class, end), low, high;

		low = high =
			bytes_head(bytes_skip(inside, at), char_length(bytes_skip(inside, at)));
		at += low.n;
		if (end - at >= 2 && class.p[at] == '-') {
			high = bytes_head(bytes_skip(inside, at + 1),
					  char_length(bytes_skip(inside, at + 1)));
			at += 1 + high.n;
		}
		found |= bytes_compare(low, c) <= 0 && bytes_compare(c, high) <= 0;
	}
	return found != (start == 1);
}

/* Whether pattern is "/" and two stars or more: then the folder before it matches too. */
static bool is_children(struct bytes pattern)
{
	struct bytes rest = bytes_skip(pattern, bytes_starts(pattern, BYTES("\\")) ? 2 : 1);

	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] != '*')
			return false;

	return rest.n >= 2 && rest.p[-1] == '/';
}

static bool naive(struct bytes pattern, struct bytes name);

static bool naive_star(struct bytes pattern, struct bytes name, size_t char_n, bool separator)
{
	size_t used = 1;

	while (used < pattern.n && pattern.p[used] == '*')
		used++;
	if (naive(bytes_skip(pattern, used), name))
		return true;

	return name.n && (used > 1 || !separator) && naive(pattern, bytes_skip(name, char_n));
}

static bool naive(struct bytes pattern, struct bytes name)
{
	size_t n = char_length(name), class_n = 0;
	struct bytes c = bytes_head(name, n), wanted;
	bool separator = bytes_equal(c, BYTES("/"));

	if (pattern.n == 0 || (name.n == 0 && is_children(pattern)))
		return name.n == 0;
	if (pattern.p[0] == '*')
		return naive_star(pattern, name, n, separator);
	if (name.n == 0)
		return false;
	if (pattern.p[0] == '?')
		return !separator && naive(bytes_skip(pattern, 1), bytes_skip(name, n));
	if (pattern.p[0] == '[') {
		bool member = in_class(bytes_skip(pattern, 1), c, &class_n);

		if (class_n)
			return member && !separator &&
			       naive(bytes_skip(pattern, 1 + class_n), bytes_skip(name, n));
	}

	if (pattern.p[0] == '\\' && pattern.n > 1)
		pattern = bytes_skip(pattern, 1);
	wanted = bytes_head(pattern, char_length(pattern));
	return bytes_equal(wanted, c) && naive(bytes_skip(pattern, wanted.n), bytes_skip(name, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes name = { (const char *)data, size < 1024 ? size : 1024 };
	struct bytes pattern = bytes_cut(&name, '\n');
	bool matches = glob_match(pattern, name);

	if (pattern.n <= 12 && name.n <= 16)
		insist(matches == naive(pattern, name));
	if (glob_is_plain(pattern) && bytes_find_char(pattern, '\\') < 0)
		insist(matches == bytes_equal(pattern, name));
	return 0;
}
