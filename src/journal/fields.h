/* SPDX-License-Identifier: Apache-2.0 */
/* Fields: {u8 tag, varint length, bytes} …, the payload of journal records and of frames between our processes.
 *
 * Readers skip tags they do not know. Numbers are varints (7 bits a byte, least first, no byte more than needed),
 * signed ones zigzag. What is 0 or empty is not written, so each value has one encoding (as long as tags rise). A
 * struct is described by a table; encoding and decoding follow from it. No I/O.
 *
 * What is decoded is hostile: nothing is allocated that the bytes at hand do not pay for. */
#ifndef JOURNAL_FIELDS_H
#define JOURNAL_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"

enum field_type {
	FIELD_U64,     /* uint64_t */
	FIELD_I64,     /* int64_t */
	FIELD_BYTES,   /* struct bytes */
	FIELD_DIGEST,  /* unsigned char[32]; all zeros: not there */
	FIELD_NUMBERS, /* uint64_t *, with a size_t count */
	FIELD_LIST,    /* an array of structs that `of` describes, with a size_t count; one field each */
};

struct field_table;

struct field_line {
	uint8_t tag; /* from 1, rising in a table */
	uint8_t type;
	uint16_t offset, count;
	const char *name; /* as tools show it */
	const struct field_table *of;
};

struct field_table {
	const struct field_line *lines;
	size_t n, size; /* lines; of the struct */
};

#define FIELD(tag, type, in, member) { tag, type, offsetof(struct in, member), 0, #member, NULL }
#define FIELD_NUMBERS_OF(tag, in, member)                                                          \
	{ tag, FIELD_NUMBERS, offsetof(struct in, member), offsetof(struct in, n_##member), #member, NULL }
#define FIELD_LIST_OF(tag, in, member, table)                                                      \
	{ tag, FIELD_LIST, offsetof(struct in, member), offsetof(struct in, n_##member), #member, table }
#define FIELD_TABLE(lines, in) { lines, sizeof(lines) / sizeof((lines)[0]), sizeof(struct in) }

enum {
	FIELD_ELEMENTS_MAX = 65536, /* of one list; numbers of one field */
	VARINT_MAX = 10,
};

/* --- piece by piece -------------------------------------------------------------------------- */

void fields_put_u64(struct buf *to, uint8_t tag, uint64_t value); /* 0 too */
void fields_put_bytes(struct buf *to, uint8_t tag, struct bytes value); /* empty ones too */

/* 1 and a field, 0 at the end, -1 when what follows is no field. *rest is moved on. */
int fields_next(struct bytes *rest, uint8_t *ret_tag, struct bytes *ret_value);

/* The whole value is one number. 0 or -1. */
int fields_u64(struct bytes value, uint64_t *ret);

void varint_put(struct buf *to, uint64_t value);
int varint_take(struct bytes *rest, uint64_t *ret); /* 0, or -1 when none stands there */

/* --- by a table ------------------------------------------------------------------------------ */

void fields_encode(const struct field_table *table, const void *from, struct buf *to);

/* Fills all of *to (what is not there is 0 or empty). Bytes point into `from`, lists lie in the arena. -1 with FAULT_DATA
 * for what is no field, a tag twice that may be there once, a number that is none, too many elements. */
int fields_decode(const struct field_table *table, struct bytes from, struct arena *arena, void *to,
		  struct fault *fault);

#endif
