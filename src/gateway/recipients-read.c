/* SPDX-License-Identifier: Apache-2.0 */
/* Recipients as texts, see recipients.h. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/recipients.h"
#include "smtp/address.h"

void recipient_table_init(struct recipient_table *table, uint64_t seed)
{
	*table = (struct recipient_table){ .n_source = 0 };
	map_init(&table->words, seed);
	map_init(&table->aliases, seed);
}

void recipient_table_done(struct recipient_table *table)
{
	struct map_entry entry;
	size_t at = 0;

	while (map_next(&table->aliases, &at, &entry))
		free(entry.value);
	map_done(&table->aliases);
	map_done(&table->words);
	table->n_source = 0;
}

unsigned recipient_word(const struct recipient_table *table, struct bytes key)
{
	return (unsigned)(uintptr_t)map_get(&table->words, key);
}

void recipient_put(struct recipient_table *table, struct bytes key, unsigned word)
{
	unsigned former = (unsigned)(uintptr_t)map_put(&table->words, key, (void *)(uintptr_t)word);

	table->n_source += (word & RECIPIENT_SOURCE) != 0;
	table->n_source -= (former & RECIPIENT_SOURCE) != 0;
}

static void put_alias_key(struct recipient_table *table, struct bytes from, struct bytes to)
{
	recipient_put(table, from, RECIPIENT_ALIAS);
	free(map_put(&table->aliases, from, xstrndup(to.p, to.n)));
}

bool recipient_key(struct bytes address, struct arena *arena, struct bytes *ret)
{
	struct smtp_address parsed;

	if (smtp_mailbox_parse(address, arena, &parsed) || parsed.domain.n == 0)
		return false;
	*ret = smtp_address_key(&parsed, arena);
	return ret->n <= ROUTER_MAX_KEY;
}

bool recipient_put_alias(struct recipient_table *table, struct bytes from, struct bytes to)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct bytes from_key, to_key;

	if (!recipient_key(bytes_trim(from), &arena, &from_key) || !recipient_key(bytes_trim(to), &arena, &to_key))
		return false;
	put_alias_key(table, from_key, to_key);
	return true;
}

/* --- what a source says ---------------------------------------------------------------------- */

static bool is_ours(const struct recipient_table *table, struct bytes key)
{
	const char *at = memrchr(key.p, '@', key.n);

	return map_has(&table->words, bytes_skip(key, (size_t)(at - key.p)));
}

/* A quoted local part may hold blanks: only a last word that is a route is one. */
static struct bytes cut_route(struct bytes line, unsigned *ret_word)
{
	size_t n = line.n;
	enum route route;

	while (n > 0 && !ascii_is_blank(line.p[n - 1]))
		n--;
	*ret_word = RECIPIENT_LISTED;
	if (n == 0 || route_from(bytes_skip(line, n), &route) < 0 || route == ROUTE_UNKNOWN)
		return line;
	*ret_word = route;
	return bytes_trim(bytes_head(line, n));
}

int recipients_parse(struct bytes text, struct recipient_table *table, size_t *ret_foreign, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	uint64_t number = 0;

	*ret_foreign = 0;
	while (text.n > 0) {
		struct bytes line = bytes_trim(bytes_cut(&text, '\n')), address, key;
		unsigned word;

		number++;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		arena_reset(&arena);
		address = cut_route(line, &word);
		if (!recipient_key(address, &arena, &key))
			return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_LATER,
					 "line %llu is neither ADDRESS nor ADDRESS ROUTE (old, new, both, hold)",
					 (unsigned long long)number);
		if (!is_ours(table, key))
			++*ret_foreign;
		else if ((recipient_word(table, key) & RECIPIENT_WORD) != RECIPIENT_ALIAS)
			recipient_put(table, key, word | RECIPIENT_SOURCE);
	}
	return 0;
}

/* --- the last time --------------------------------------------------------------------------- */

/* A line: word, tab, key, and of an alias tab, key of the other. Keys hold no control characters. */
void recipients_write(const struct recipient_table *table, struct buf *to)
{
	struct map_entry entry;
	size_t at = 0;

	while (map_next(&table->words, &at, &entry)) {
		const char *alias = map_get(&table->aliases, entry.key);

		buf_append_u64(to, (uintptr_t)entry.value);
		buf_append_char(to, '\t');
		buf_append_bytes(to, entry.key);
		if (((uintptr_t)entry.value & RECIPIENT_WORD) == RECIPIENT_ALIAS && alias) {
			buf_append_char(to, '\t');
			buf_append_str(to, alias);
		}
		buf_append_char(to, '\n');
	}
}

int recipients_read(struct bytes text, struct recipient_table *table, struct fault *fault)
{
	while (text.n > 0) {
		struct bytes line = bytes_cut(&text, '\n'), word_text = bytes_cut(&line, '\t'), key = bytes_cut(&line, '\t');
		uint64_t word;

		if (bytes_to_u64(word_text, RECIPIENT_WORD | RECIPIENT_SOURCE, &word) < 0 || word == 0 || key.n == 0 ||
		    key.n > ROUTER_MAX_KEY || bytes_find_char(key, '@') < 0)
			return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER, "a line is not what was written");
		if ((word & RECIPIENT_WORD) == RECIPIENT_ALIAS)
			put_alias_key(table, key, line);
		else
			recipient_put(table, key, (unsigned)word);
	}
	return 0;
}
