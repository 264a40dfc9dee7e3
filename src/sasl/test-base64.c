/* SPDX-License-Identifier: Apache-2.0 */
#include "sasl/base64.h"

#include "base/rand.h"
#include "lib/check.h"

static void known_pairs(struct check *check) /* RFC 4648 §10 */
{
	static const struct { const char *plain, *coded; } pairs[] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xff\xff\xbe", "//++" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		_cleanup_(buf_done) struct buf coded = BUF_NULL, plain = BUF_NULL, bare = BUF_NULL;

		base64_encode(bytes_of(pairs[i].plain), &coded);
		CHECK_STR(buf_str(&coded), pairs[i].coded);
		CHECK_EQ(base64_decode(buf_bytes(&coded), &plain), 0);
		CHECK_STR(buf_str(&plain), pairs[i].plain);

		while (coded.n && coded.p[coded.n - 1] == '=')
			coded.n--;
		CHECK_EQ(base64_decode(buf_bytes(&coded), &bare), 0);
		CHECK_STR(buf_str(&bare), pairs[i].plain);
	}
}

static void refuses(struct check *check)
{
	static const struct bytes bad[] = {
		BYTES("Z"), BYTES("Zg="), BYTES("Zg==="), BYTES("="), BYTES("===="), BYTES("Zm9v="),
		BYTES("Zm9v===="),
		BYTES("Zm8=Zm8="), BYTES("Zh=="), BYTES("Zm9="), BYTES("Zm 9v"), BYTES("Zm9v\n"),
		BYTES("Zm-_"),
		BYTES("Zm9\0"), BYTES("Zm\xc3\xa4"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(buf_done) struct buf to = BUF_NULL;

		buf_append_str(&to, "kept");
		if (base64_decode(bad[i], &to) != -1)
			CHECK_FAIL("\"%.*s\" was decoded", BYTES_ARG(bad[i]));
		CHECK_EQ(to.n, 4);
		CHECK_STR(buf_str(&to), "kept");
	}
}

static void round_trips(struct check *check)
{
	struct rand r;

	rand_init(&r, 5);
	for (size_t n = 0; n < 200; n++) {
		_cleanup_(buf_done) struct buf coded = BUF_NULL, back = BUF_NULL;
		char bytes[200];

		for (size_t i = 0; i < n; i++)
			bytes[i] = (char)rand_u64(&r);
		base64_encode((struct bytes){ bytes, n }, &coded);
		CHECK_EQ(coded.n, (n + 2) / 3 * 4);
		CHECK_EQ(base64_decode(buf_bytes(&coded), &back), 0);
		CHECK_BYTES(buf_bytes(&back), ((struct bytes){ bytes, n }));
	}
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "known-pairs", known_pairs },
		{ "refuses", refuses },
		{ "round-trips", round_trips },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
