/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what a recipients_file says, and as the file of what was read the last time: taken or refused; what is taken is written
 * as something that reads as the same. */
#include <stdlib.h>
#include <string.h>

#include "gateway/recipients.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
	if (!condition)
		abort();
}

/* Keys of the one are in the other, with the same words. */
static void is_in(const struct recipient_table *a, const struct recipient_table *b)
{
	struct map_entry entry;

	for (size_t at = 0; map_next(&a->words, &at, &entry);) {
		const char *alias = map_get(&a->aliases, entry.key), *other = map_get(&b->aliases, entry.key);

		insist(map_get(&b->words, entry.key) == entry.value);
		if (((uintptr_t)entry.value & RECIPIENT_WORD) == RECIPIENT_ALIAS)
			insist(alias && other && strcmp(alias, other) == 0);
	}
}

static void check_keys(const struct recipient_table *table)
{
	struct map_entry entry;
	size_t n = 0;

	for (size_t at = 0; map_next(&table->words, &at, &entry);) {
		insist(entry.key.n > 0 && entry.key.n <= ROUTER_MAX_KEY && bytes_find_char(entry.key, '@') >= 0);
		insist((uintptr_t)entry.value > 0 && (uintptr_t)entry.value <= (RECIPIENT_WORD | RECIPIENT_SOURCE));
		n += ((uintptr_t)entry.value & RECIPIENT_SOURCE) != 0;
	}
	insist(n == table->n_source);
}

static void again(const struct recipient_table *table)
{
	_cleanup_(recipient_table_done) struct recipient_table copy;
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct fault fault;

	recipient_table_init(&copy, 7);
	recipients_write(table, &text);
	insist(recipients_read(buf_bytes(&text), &copy, &fault) == 0);
	check_keys(&copy);
	is_in(table, &copy);
	is_in(&copy, table);
}

static void as_source(struct bytes text)
{
	_cleanup_(recipient_table_done) struct recipient_table table;
	struct fault fault;
	size_t foreign;

	recipient_table_init(&table, 1);
	recipient_put(&table, BYTES("@example.org"), 5);
	insist(recipient_put_alias(&table, BYTES("info@example.org"), BYTES("anna@example.org")));
	if (recipients_parse(text, &table, &foreign, &fault) < 0)
		insist(fault.kind == FAULT_DATA);
	insist(recipient_word(&table, BYTES("info@example.org")) == RECIPIENT_ALIAS);
	check_keys(&table);
	again(&table);
}

static void as_last_time(struct bytes text)
{
	_cleanup_(recipient_table_done) struct recipient_table table;
	struct fault fault;

	recipient_table_init(&table, 1);
	if (recipients_read(text, &table, &fault) < 0) {
		insist(fault.kind == FAULT_DATA);
		return;
	}
	check_keys(&table);
	again(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = { (const char *)data, size };

	if (size == 0)
		return 0;
	if (data[0] == 'L')
		as_last_time(bytes_skip(text, 1));
	else
		as_source(bytes_skip(text, 1));
	return 0;
}
