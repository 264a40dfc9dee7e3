/* SPDX-License-Identifier: Apache-2.0 */
/* Fields, see fields.h. */
#include "journal/fields.h"

#include <assert.h>

/* --- piece by piece -------------------------------------------------------------------------- */

static size_t varint_write(char to[VARINT_MAX], uint64_t value)
{
	size_t n = 0;

	while (value >= 0x80) {
		to[n++] = (char)(0x80 | (value & 0x7f));
		value >>= 7;
	}
	to[n++] = (char)value;
	return n;
}

void varint_put(struct buf *to, uint64_t value)
{
	char bytes[VARINT_MAX];

	buf_append(to, bytes, varint_write(bytes, value));
}

int varint_take(struct bytes *rest, uint64_t *ret)
{
	uint64_t value = 0;

	for (size_t i = 0; i < rest->n && i < VARINT_MAX; i++) {
		unsigned char c = (unsigned char)rest->p[i];

		if (i == VARINT_MAX - 1 && c > 1)
			return -1; /* more than 64 bits */
		value |= (uint64_t)(c & 0x7f) << (7 * i);
		if (c & 0x80)
			continue;
		if (c == 0 && i > 0)
			return -1; /* longer than it need be */
		*rest = bytes_skip(*rest, i + 1);
		*ret = value;
		return 0;
	}
	return -1;
}

void fields_put_bytes(struct buf *to, uint8_t tag, struct bytes value)
{
	char head[1 + VARINT_MAX];

	head[0] = (char)tag;
	buf_append(to, head, 1 + varint_write(head + 1, value.n));
	buf_append_bytes(to, value);
}

void fields_put_u64(struct buf *to, uint8_t tag, uint64_t value)
{
	char bytes[VARINT_MAX];

	fields_put_bytes(to, tag, (struct bytes){ bytes, varint_write(bytes, value) });
}

int fields_next(struct bytes *rest, uint8_t *ret_tag, struct bytes *ret_value)
{
	struct bytes b = *rest;
	uint8_t tag;
	uint64_t n;

	if (b.n == 0)
		return 0;

	tag = (uint8_t)b.p[0];
	b = bytes_skip(b, 1);
	if (tag == 0 || varint_take(&b, &n) < 0 || n > b.n)
		return -1;
	*ret_tag = tag;
	*ret_value = bytes_head(b, (size_t)n);
	*rest = bytes_skip(b, (size_t)n);
	return 1;
}

int fields_u64(struct bytes value, uint64_t *ret)
{
	uint64_t number;

	if (varint_take(&value, &number) < 0 || value.n > 0)
		return -1;
	*ret = number;
	return 0;
}

/* --- encoding -------------------------------------------------------------------------------- */

static const void *at(const void *base, size_t offset)
{
	return (const char *)base + offset;
}

static size_t count_of(const struct field_line *line, const void *from)
{
	size_t n;

	memcpy(&n, at(from, line->count), sizeof(n));
	return n;
}

static void put_numbers(const struct field_line *line, const void *from, struct buf *to)
{
	_cleanup_(buf_done) struct buf all = BUF_NULL;
	size_t n = count_of(line, from);
	const uint64_t *numbers;

	memcpy(&numbers, at(from, line->offset), sizeof(numbers));
	assert(n <= FIELD_ELEMENTS_MAX);
	for (size_t i = 0; i < n; i++)
		varint_put(&all, numbers[i]);
	if (n)
		fields_put_bytes(to, line->tag, buf_bytes(&all));
}

static void put_list(const struct field_line *line, const void *from, struct buf *to)
{
	_cleanup_(buf_done) struct buf one = BUF_NULL;
	size_t n = count_of(line, from);
	const char *elements;

	memcpy(&elements, at(from, line->offset), sizeof(elements));
	assert(n <= FIELD_ELEMENTS_MAX);
	for (size_t i = 0; i < n; i++) {
		buf_reset(&one);
		fields_encode(line->of, elements + i * line->of->size, &one);
		fields_put_bytes(to, line->tag, buf_bytes(&one));
	}
}

static uint64_t zigzag(int64_t value)
{
	return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static void put_line(const struct field_line *line, const void *from, struct buf *to)
{
	static const unsigned char zeros[32];
	const void *member = at(from, line->offset);
	struct bytes bytes;
	uint64_t number;

	switch ((enum field_type)line->type) {
	case FIELD_U64:
	case FIELD_I64:
		memcpy(&number, member, sizeof(number));
		if (number)
			fields_put_u64(to, line->tag,
				       line->type == FIELD_U64 ? number : zigzag((int64_t)number));
		return;
	case FIELD_BYTES:
		memcpy(&bytes, member, sizeof(bytes));
		if (bytes.n)
			fields_put_bytes(to, line->tag, bytes);
		return;
	case FIELD_DIGEST:
		if (memcmp(member, zeros, sizeof(zeros)) != 0)
			fields_put_bytes(to, line->tag, (struct bytes){ member, sizeof(zeros) });
		return;
	case FIELD_NUMBERS:
		put_numbers(line, from, to);
		return;
	case FIELD_LIST:
		put_list(line, from, to);
		return;
	}
}

void fields_encode(const struct field_table *table, const void *from, struct buf *to)
{
	for (size_t i = 0; i < table->n; i++)
		put_line(&table->lines[i], from, to);
}

/* --- decoding -------------------------------------------------------------------------------- */

static int fault_field(struct fault *fault, const struct field_line *line, const char *what)
{
	return fault_set(fault, FAULT_DATA, REACH_SESSION, AGAIN_NEVER, "field %u (%s) %s", line->tag,
			 line->name, what);
}

static int take_number(const struct field_line *line, struct bytes value, void *member,
		       struct fault *fault)
{
	uint64_t number;

	if (fields_u64(value, &number) < 0)
		return fault_field(fault, line, "is not a number");
	if (line->type == FIELD_I64)
		number = (number >> 1) ^ -(number & 1);
	memcpy(member, &number, sizeof(number));
	return 0;
}

static int take_numbers(const struct field_line *line, struct bytes value, struct arena *arena, void *to,
			struct fault *fault)
{
	uint64_t *numbers;
	size_t n = 0, i = 0;

	/* each ends with a byte below 0x80 */
	for (size_t k = 0; k < value.n; k++)
		n += (unsigned char)value.p[k] < 0x80;
	if (n > FIELD_ELEMENTS_MAX)
		return fault_field(fault, line, "holds too many numbers");
	numbers = arena_alloc(arena, (n + 1) * sizeof(*numbers));
	for (; value.n > 0; i++)
		if (i == n || varint_take(&value, &numbers[i]) < 0)
			return fault_field(fault, line, "holds what is not a number");
	memcpy((char *)to + line->offset, &numbers, sizeof(numbers));
	memcpy((char *)to + line->count, &n, sizeof(n));
	return 0;
}

/* How many more elements of this list come: memory for all at the first. */
static size_t count_ahead(uint8_t tag, struct bytes rest)
{
	struct bytes value;
	uint8_t other;
	size_t n = 0;

	while (fields_next(&rest, &other, &value) > 0)
		n += other == tag;
	return n;
}

static int take_element(const struct field_line *line, struct bytes value, struct bytes rest,
			struct arena *arena, void *to, struct fault *fault)
{
	size_t n = count_of(line, to);
	char *elements;

	if (n == 0) {
		size_t all = 1 + count_ahead(line->tag, rest);

		if (all > FIELD_ELEMENTS_MAX)
			return fault_field(fault, line, "is there too often");
		elements = arena_alloc(arena, all * line->of->size);
		memcpy((char *)to + line->offset, &elements, sizeof(elements));
	}
	memcpy(&elements, at(to, line->offset), sizeof(elements));
	if (fields_decode(line->of, value, arena, elements + n * line->of->size, fault) < 0)
		return -1;
	n++;
	memcpy((char *)to + line->count, &n, sizeof(n));
	return 0;
}

static int take_value(const struct field_line *line, struct bytes value, struct bytes rest,
		      struct arena *arena, void *to, struct fault *fault)
{
	void *member = (char *)to + line->offset;

	switch ((enum field_type)line->type) {
	case FIELD_U64:
	case FIELD_I64:
		return take_number(line, value, member, fault);
	case FIELD_BYTES:
		memcpy(member, &value, sizeof(value));
		return 0;
	case FIELD_DIGEST:
		if (value.n != 32)
			return fault_field(fault, line, "is not 32 bytes long");
		memcpy(member, value.p, 32);
		return 0;
	case FIELD_NUMBERS:
		return take_numbers(line, value, arena, to, fault);
	case FIELD_LIST:
		return take_element(line, value, rest, arena, to, fault);
	}
	return 0;
}

int fields_decode(const struct field_table *table, struct bytes from, struct arena *arena, void *to,
		  struct fault *fault)
{
	uint64_t seen[4] = { 0 };
	struct bytes value;
	uint8_t tag;
	int r;

	memset(to, 0, table->size);
	while ((r = fields_next(&from, &tag, &value)) > 0) {
		const struct field_line *line = NULL;
		uint64_t bit = UINT64_C(1) << tag % 64;

		for (size_t i = 0; i < table->n && !line; i++)
			if (table->lines[i].tag == tag)
				line = &table->lines[i];
		if (!line)
			continue;
		if (line->type != FIELD_LIST && (seen[tag / 64] & bit))
			return fault_field(fault, line, "is there twice");
		seen[tag / 64] |= bit;
		if (take_value(line, value, from, arena, to, fault) < 0)
			return -1;
	}
	if (r < 0)
		return fault_set(fault, FAULT_DATA, REACH_SESSION, AGAIN_NEVER,
				 "%zu bytes that are no field", from.n);
	return 0;
}
