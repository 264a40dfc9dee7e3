/* SPDX-License-Identifier: Apache-2.0 */
/* Inside config/: CSV as RFC 4180 has it, and as spreadsheets write it: cells with commas (or
 * semicolons) between, quotes around cells that need them, doubled quotes within, CRLF or LF at the
 * end. Cells are slices of the text, which is changed on the way. */
#ifndef CONFIG_CSV_H
#define CONFIG_CSV_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/fault.h"

enum { CSV_CELLS_MAX = 64 };

struct csv {
	char *text;
	char *at, *end;  /* what is not read yet */
	char separator;
	int line;        /* of `at`, from 1 */
};

struct csv_row {
	struct bytes cells[CSV_CELLS_MAX];
	bool quoted[CSV_CELLS_MAX];
	size_t n;
	int line;        /* on which it begins */
};

/* text must stay; there is room for a NUL behind its n bytes. */
void csv_begin(struct csv *csv, char *text, size_t n);

/* Passes over a byte order mark, blank lines and lines that begin with "#", and takes the separator
 * to be the first of comma and semicolon in the line that follows. */
void csv_find_header(struct csv *csv);

/* 1 with a row, 0 at the end; a line without anything on it is no row. -1 with FAULT_USAGE,
 * *ret_line the line it is about. Cells that are not in quotes come without blanks around them;
 * none holds a NUL, and behind each stands one. */
int csv_read(struct csv *csv, struct csv_row *ret, int *ret_line, struct fault *fault);

#endif
