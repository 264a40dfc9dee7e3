/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of flags by number, see words.h. */
#include "state/words.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/xalloc.h"

void words_init(struct words *words, uint64_t seed)
{
	*words = (struct words){ 0 };
	map_init(&words->ids, seed);
}

void words_done(struct words *words)
{
	free(words->texts);
	map_done(&words->ids);
	arena_done(&words->arena);
	*words = (struct words){ 0 };
}

static int compare(const void *a, const void *b)
{
	return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* The one way to write a set. */
static void write_key(struct bytes text, struct buf *to)
{
	_cleanup_(freep) struct bytes *flags = NULL;
	_cleanup_(buf_done) struct buf lower = BUF_NULL;
	size_t n = 0, capacity = 0;
	struct bytes rest;

	for (size_t i = 0; i < text.n; i++)
		buf_append_char(&lower, ascii_lower(text.p[i]));
	rest = buf_bytes(&lower);
	while (rest.n > 0) {
		struct bytes flag = bytes_cut(&rest, ' ');

		if (flag.n == 0)
			continue;
		flags = xgrow(flags, &capacity, n + 1, sizeof(*flags));
		flags[n++] = flag;
	}

	if (n > 1)
		qsort(flags, n, sizeof(*flags), compare);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && bytes_equal(flags[i], flags[i - 1]))
			continue;
		if (i > 0)
			buf_append_char(to, ' ');
		buf_append_bytes(to, flags[i]);
	}
}

static struct bytes cut(const char *text)
{
	struct bytes b = bytes_of(text);

	if (b.n <= WORDS_MAX)
		return b;
	for (b.n = WORDS_MAX; b.n > 0 && b.p[b.n] != ' '; b.n--)
		;
	return b;
}

uint32_t words_id(struct words *words, const char *text, bool *ret_new)
{
	_cleanup_(buf_done) struct buf key = BUF_NULL;
	struct bytes b = cut(text);
	uintptr_t id;

	*ret_new = false;
	write_key(b, &key);
	if (key.n == 0)
		return 0;

	id = (uintptr_t)map_get(&words->ids, buf_bytes(&key));
	if (id > 0)
		return (uint32_t)id;

	words->texts = xgrow(words->texts, &words->capacity, words->n + 1, sizeof(*words->texts));
	words->texts[words->n++] = arena_str(&words->arena, b);
	map_put(&words->ids, buf_bytes(&key), (void *)(uintptr_t)words->n);
	*ret_new = true;
	return words->n;
}

const char *words_text(const struct words *words, uint32_t id)
{
	return id > 0 && id <= words->n ? words->texts[id - 1] : "";
}
