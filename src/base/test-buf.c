/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdio.h>

#include "base/xalloc.h"
#include "lib/check.h"

static void empty_is_valid(struct check *check)
{
	struct buf b = BUF_NULL;

	CHECK_STR(buf_str(&b), "");
	CHECK_EQ(buf_bytes(&b).n, 0);
	buf_reset(&b);
	buf_consume(&b, 5);
	buf_wipe(&b);
	buf_done(&b);

	char *s = buf_take(&b);

	CHECK_STR(s, "");
	free(s);
}

static void appends(struct check *check)
{
	_cleanup_(buf_done) struct buf b = BUF_NULL;

	buf_append_str(&b, "a");
	buf_append_char(&b, 'b');
	buf_append_bytes(&b, BYTES("c\0d"));
	buf_append_bytes(&b, BYTES_NULL);
	buf_append_u64(&b, 0);
	buf_append_u64(&b, UINT64_MAX);
	buf_appendf(&b, "<%s %03d>", "x", 7);
	CHECK_BYTES(buf_bytes(&b), BYTES("abc\0d" "0" "18446744073709551615" "<x 007>"));
	CHECK_EQ(b.p[b.n], 0);
}

static void grows_and_stays_terminated(struct check *check)
{
	_cleanup_(buf_done) struct buf b = BUF_NULL;

	for (size_t i = 0; i < 5000; i++) {
		buf_append_char(&b, (char)('a' + i % 26));
		CHECK_EQ(b.n, i + 1);
		CHECK(b.n < b.size);
		CHECK_EQ(b.p[b.n], 0);
	}
	for (size_t i = 0; i < 5000; i++)
		CHECK_EQ(b.p[i], 'a' + (int)(i % 26));
}

static void formats_long_text(struct check *check)
{
	_cleanup_(buf_done) struct buf b = BUF_NULL;

	buf_appendf(&b, "%*d", 10000, 5);
	CHECK_EQ(b.n, 10000);
	CHECK_EQ(b.p[9999], '5');
}

static void reserve_gives_room(struct check *check)
{
	_cleanup_(buf_done) struct buf b = BUF_NULL;
	char *p;

	buf_append_str(&b, "x");
	p = buf_reserve(&b, 1000);
	memset(p, 'y', 1000);
	b.n += 1000;
	buf_append_str(&b, "z");
	CHECK_EQ(b.n, 1002);
	CHECK_EQ(b.p[0], 'x');
	CHECK_EQ(b.p[1001], 'z');
}

static void consumes(struct check *check)
{
	_cleanup_(buf_done) struct buf b = BUF_NULL;

	buf_append_str(&b, "abcdef");
	buf_consume(&b, 0);
	buf_consume(&b, 2);
	CHECK_STR(buf_str(&b), "cdef");
	CHECK_EQ(b.n, 4);
	buf_consume(&b, 100);
	CHECK_EQ(b.n, 0);
	CHECK_STR(buf_str(&b), "");
}

static void take_empties(struct check *check)
{
	struct buf b = BUF_NULL;
	char *s;

	buf_append_str(&b, "mine");
	s = buf_take(&b);
	CHECK_STR(s, "mine");
	CHECK(b.p == NULL && b.n == 0 && b.size == 0);
	free(s);
}

/* --- secrets --- */

enum { MASK = 0x55, SECRET_N = 24 };

/* Not in memory as it reads. */
static char letter(size_t i)
{
	static const char masked[SECRET_N] = "nzkT2_qW9bX#Lp)Rk7%mYd!u";

	return (char)(masked[i] ^ MASK);
}

static size_t count_in(const char *p, const char *end)
{
	size_t n = 0;

	for (; end - p >= SECRET_N; p++) {
		size_t same = 0;

		while (same < SECRET_N && p[same] == letter(same))
			same++;
		n += same == SECRET_N;
	}
	return n;
}

/* How often the secret stands in memory that was allocated. -1: cannot be told. */
static int count_in_heap(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long long from, to;
	char line[300];
	int n = -1;

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[heap]") && sscanf(line, "%llx-%llx", &from, &to) == 2)
			n = (int)count_in((const char *)(uintptr_t)from, (const char *)(uintptr_t)to);
	if (maps)
		fclose(maps);
	return n;
}

static void growing_leaves_no_copies(struct check *check)
{
	char *neighbours[40 * SECRET_N / 64 + 1] = { NULL };
	struct buf b = BUF_NULL;
	int found;

#if defined(__SANITIZE_ADDRESS__)
	check_skip(check, "the sanitizer has a heap of its own");
#endif
	for (size_t i = 0; i < 40 * SECRET_N; i++) {
		buf_append_char(&b, letter(i % SECRET_N));
		if (i % 64 == 0)
			neighbours[i / 64] = xmalloc(100); /* so that it cannot grow where it stands */
	}
	for (size_t i = 0; i < ARRAY_SIZE(neighbours); i++)
		free(neighbours[i]);
	found = count_in_heap();
	if (found < 0) {
		buf_done(&b);
		check_skip(check, "there is no heap to look at");
	}
	CHECK_EQ(found, 40);
	buf_wipe(&b);
	CHECK_EQ(count_in_heap(), 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "empty-is-valid", empty_is_valid },
		{ "appends", appends },
		{ "grows-and-stays-terminated", grows_and_stays_terminated },
		{ "formats-long-text", formats_long_text },
		{ "reserve-gives-room", reserve_gives_room },
		{ "consumes", consumes },
		{ "take-empties", take_empties },
		{ "growing-leaves-no-copies", growing_leaves_no_copies },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
