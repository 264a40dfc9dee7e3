/* SPDX-License-Identifier: Apache-2.0 */
/* See csv.h. Every byte is looked at once or twice, whatever the text holds. */
#include "config/csv.h"

#include <string.h>

void csv_begin(struct csv *csv, char *text, size_t n)
{
	*csv = (struct csv){
		.text = text, .at = text, .end = text + n, .separator = ',', .line = 1
	};
}

static struct bytes rest_of(const struct csv *csv)
{
	return (struct bytes){ csv->at, (size_t)(csv->end - csv->at) };
}

void csv_find_header(struct csv *csv)
{
	if (bytes_starts(rest_of(csv), BYTES("\xef\xbb\xbf")))
		csv->at += 3;

	while (csv->at < csv->end) {
		struct bytes rest = rest_of(csv), line = bytes_cut(&rest, '\n');
		ptrdiff_t comma = bytes_find_char(line, ',');
		ptrdiff_t semicolon = bytes_find_char(line, ';');

		if (bytes_trim(line).n > 0 && line.p[0] != '#') {
			if (semicolon >= 0 && (comma < 0 || semicolon < comma))
				csv->separator = ';';
			return;
		}
		csv->at = csv->end - rest.n;
		csv->line++;
	}
}

/* After a cell: 1 another follows, 0 the row is over, -1 neither. */
static int end_cell(struct csv *csv)
{
	if (csv->at < csv->end && *csv->at == csv->separator) {
		csv->at++;
		return 1;
	}
	if (csv->end - csv->at >= 2 && csv->at[0] == '\r' && csv->at[1] == '\n')
		csv->at++;
	if (csv->at < csv->end && *csv->at != '\n')
		return -1;
	if (csv->at < csv->end) {
		csv->at++;
		csv->line++;
	}
	return 0;
}

/* At its opening quote. What is in it moves down over doubled quotes. */
static int quoted_cell(struct csv *csv, struct bytes *ret, struct fault *fault)
{
	char *from = ++csv->at, *to = from, *begin = from;

	for (;; from++) {
		if (from == csv->end)
			return fault_usage(fault, "the quote that opens this cell is never closed");
		if (*from == '\0')
			return fault_usage(fault, "this cell holds a NUL");
		if (*from == '"') {
			if (from + 1 == csv->end || from[1] != '"')
				break;
			from++;
		}
		csv->line += *from == '\n';
		*to++ = *from;
	}

	*ret = (struct bytes){ begin, (size_t)(to - begin) };
	for (csv->at = from + 1; csv->at < csv->end && ascii_is_blank(*csv->at);)
		csv->at++;
	return 0;
}

static int plain_cell(struct csv *csv, struct bytes *ret, struct fault *fault)
{
	char *begin = csv->at, *p = begin;

	while (p < csv->end && *p != csv->separator && *p != '\n') {
		if (*p == '"')
			return fault_usage(fault, "a cell that holds a quote stands in quotes, "
						  "with each doubled: \"say \"\"hello\"\"\"");
		if (*p == '\0')
			return fault_usage(fault, "this cell holds a NUL");
		p++;
	}
	csv->at = p > begin && p < csv->end && *p == '\n' && p[-1] == '\r' ? p - 1 : p;
	*ret = bytes_trim((struct bytes){ begin, (size_t)(csv->at - begin) });
	return 0;
}

static int read_cell(struct csv *csv, struct csv_row *row, struct fault *fault)
{
	struct bytes *cell = &row->cells[row->n];
	char *p = csv->at;
	int r;

	/* Blanks before a quote are none of its cell. */
	while (p < csv->end && ascii_is_blank(*p))
		p++;
	row->quoted[row->n] = p < csv->end && *p == '"';
	if (row->quoted[row->n])
		csv->at = p;
	r = row->quoted[row->n] ? quoted_cell(csv, cell, fault) : plain_cell(csv, cell, fault);
	if (r < 0)
		return -1;

	row->n++;
	r = end_cell(csv);
	if (r < 0)
		return fault_usage(fault,
				   "only \"%c\" or the end of the line may follow a closing quote",
				   csv->separator);
	return r;
}

/* The row is behind us: what stands after a cell (a separator, a quote, a blank, a line end) is not
 * needed any more. */
static void end_cells(struct csv *csv, struct csv_row *row)
{
	for (size_t i = 0; i < row->n; i++) {
		struct bytes cell = row->cells[i];

		csv->text[(size_t)(cell.p - csv->text) + cell.n] = '\0';
	}
}

int csv_read(struct csv *csv, struct csv_row *row, int *ret_line, struct fault *fault)
{
	do {
		int r = 1;

		if (csv->at == csv->end)
			return 0;

		row->n = 0;
		row->line = csv->line;
		while (r > 0) {
			*ret_line = csv->line;
			if (row->n == CSV_CELLS_MAX)
				return fault_usage(fault, "this line has more than %d cells",
						   CSV_CELLS_MAX);
			r = read_cell(csv, row, fault);
		}
		if (r < 0)
			return -1;
	} while (row->n == 1 && row->cells[0].n == 0 && !row->quoted[0]);

	end_cells(csv, row);
	return 1;
}
