/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of text that plan, events and books share, see show.h. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/show.h"
#include "mail/utf8.h"

enum { NARROWEST = 14, WIDEST = 60 };

void show_erase_line(struct show *s)
{
	if (s->line_drawn)
		fputs("\r\033[K", stderr);
	s->line_drawn = false;
}

void show_cell(struct bytes name, size_t columns)
{
	_cleanup_(buf_done) struct buf cell = BUF_NULL;

	utf8_cell(&cell, name, columns);
	fputs(buf_str(&cell), stdout);
}

void show_name(FILE *to, struct bytes name)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	utf8_printable(&text, name);
	fputs(buf_str(&text), to);
}

size_t show_name_columns(const struct show *s, const struct copy *copy, size_t taken)
{
	size_t longest = NARROWEST, most = WIDEST;

	for (size_t i = 0; i < copy->source.n; i++) {
		size_t width = utf8_width(copy->source.p[i].utf8);

		if (width > longest)
			longest = width;
	}

	if (s->out_columns)
		most = s->out_columns > taken + NARROWEST ? s->out_columns - taken : NARROWEST;
	return longest < most ? longest : most;
}
