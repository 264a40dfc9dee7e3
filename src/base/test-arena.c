/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stddef.h>

#include "lib/check.h"

static void is_zeroed_and_aligned(struct check *check)
{
	_cleanup_(arena_done) struct arena a = { 0 };

	for (size_t n = 0; n < 300; n++) {
		char *p = arena_alloc(&a, n);

		CHECK_EQ((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < n; i++)
			CHECK_EQ(p[i], 0);
		memset(p, 0xaa, n);
	}
}

static void keeps_what_was_given(struct check *check)
{
	_cleanup_(arena_done) struct arena a = { 0 };
	const char *first = arena_strdup(&a, "first");
	struct bytes with_nul = arena_copy(&a, BYTES("a\0b"));
	char *large = arena_alloc(&a, 100000);
	const char *printed = arena_printf(&a, "%s-%d", "x", 42);

	memset(large, 1, 100000);
	for (int i = 0; i < 1000; i++)
		arena_alloc(&a, 100);
	CHECK_STR(first, "first");
	CHECK_STR(printed, "x-42");
	CHECK_BYTES(with_nul, BYTES("a\0b"));
	CHECK_EQ(with_nul.p[3], 0);
	CHECK_STR(arena_str(&a, BYTES_NULL), "");
}

static void reset_starts_again(struct check *check)
{
	_cleanup_(arena_done) struct arena a = { 0 };
	char *p;

	arena_reset(&a); /* empty is fine */
	p = arena_alloc(&a, 64);
	memset(p, 0xff, 64);
	arena_reset(&a);
	p = arena_alloc(&a, 64);
	for (size_t i = 0; i < 64; i++)
		CHECK_EQ(p[i], 0);

	arena_alloc(&a, 1 << 20);
	arena_reset(&a);
	CHECK(a.chunks == NULL); /* a large chunk is not kept */
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "is-zeroed-and-aligned", is_zeroed_and_aligned },
		{ "keeps-what-was-given", keeps_what_was_given },
		{ "reset-starts-again", reset_starts_again },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
