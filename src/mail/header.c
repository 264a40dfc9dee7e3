/* SPDX-License-Identifier: Apache-2.0 */
/* The header scanner, see header.h. Two readers go over each slice: one finds fields, byte by
 * byte, until the header ends; one counts lines and looks for NUL with memchr(), and goes on
 * through the body. */
#include "mail/header.h"

#include <string.h>

#include "base/cleanup.h"

enum { AT_LINE_START, IN_NAME, IN_VALUE };

_Static_assert(sizeof(struct header_scan) < 2560, "it lives on fibers' stacks and in every copy");

/* --- lines ----------------------------------------------------------------------------------- */

static void note_longest(struct header_scan *s, uint64_t n)
{
	if (n > s->longest)
		s->longest = n;
}

static void end_line(struct header_scan *s, struct bytes part)
{
	bool after_cr = part.n ? part.p[part.n - 1] == '\r' : s->line_after_cr;

	if (!after_cr)
		s->notes |= HEADER_BARE_LF;
	note_longest(s, s->line + part.n - after_cr);
	s->line = 0;
	s->line_after_cr = false;
}

static void scan_lines(struct header_scan *s, struct bytes slice)
{
	ptrdiff_t at;

	if (!(s->notes & HEADER_NUL) && bytes_find_char(slice, '\0') >= 0)
		s->notes |= HEADER_NUL;

	while ((at = bytes_find_char(slice, '\n')) >= 0) {
		end_line(s, bytes_head(slice, (size_t)at));
		slice = bytes_skip(slice, (size_t)at + 1);
	}

	if (slice.n) {
		s->line += slice.n;
		s->line_after_cr = slice.p[slice.n - 1] == '\r';
		/* A CR may turn out to belong to the line end: it counts once that is known. */
		note_longest(s, s->line - s->line_after_cr);
	}
}

/* --- fields ---------------------------------------------------------------------------------- */

static char *field_text(struct header_scan *s, size_t *ret_size)
{
	switch (s->field) {
	case HEADER_MESSAGE_ID:
		*ret_size = sizeof(s->message_id);
		return s->message_id;
	case HEADER_DATE:
		*ret_size = sizeof(s->date);
		return s->date;
	case HEADER_SUBJECT:
		*ret_size = sizeof(s->subject);
		return s->subject;
	default:
		return NULL;
	}
}

static enum header_field field_named(struct bytes name)
{
	static const char *const names[] = {
		[HEADER_MESSAGE_ID] = "Message-ID",
		[HEADER_DATE] = "Date",
		[HEADER_SUBJECT] = "Subject",
	};

	for (size_t i = HEADER_MESSAGE_ID; i < ARRAY_SIZE(names); i++)
		if (bytes_equal_nocase(name, bytes_of(names[i])))
			return (enum header_field)i;

	return HEADER_NONE;
}

static void end_field(struct header_scan *s)
{
	size_t size;
	char *text = field_text(s, &size);

	while (text && s->lengths[s->field] && text[s->lengths[s->field] - 1] == ' ')
		text[--s->lengths[s->field]] = '\0';
	s->field = HEADER_NONE;
}

static void begin_value(struct header_scan *s)
{
	size_t n = s->name_n <= sizeof(s->name) ? s->name_n : 0; /* 0: longer than any of ours */

	s->field = (uint8_t)field_named(bytes_trim((struct bytes){ s->name, n }));
	if (s->seen & 1u << s->field)
		s->field = HEADER_NONE; /* only the first counts */
	s->seen = (uint8_t)(s->seen | 1u << s->field);
	s->state = IN_VALUE;
}

static void put_name(struct header_scan *s, char c)
{
	if (c == ':') {
		begin_value(s);
		return;
	}

	if (s->name_n < sizeof(s->name))
		s->name[s->name_n] = c;
	if (s->name_n <= sizeof(s->name))
		s->name_n++;
}

static void put_value(struct header_scan *s, char c)
{
	size_t size;
	char *text = field_text(s, &size);
	uint16_t *n = &s->lengths[s->field];

	if (!text || *n == size - 1)
		return;

	if (ascii_is_blank(c))
		c = ' ';
	else if ((unsigned char)c < 0x20 || c == 0x7f)
		c = '?';
	if (c != ' ' || *n > 0)
		text[(*n)++] = c;
}

/* The first byte of a line that is not empty. */
static void put_first(struct header_scan *s, char c)
{
	if (ascii_is_blank(c)) {
		if (s->size == 1) /* continues nothing */
			s->notes |= HEADER_NO_COLON;
		s->state = IN_VALUE;
		put_value(s, c);
		return;
	}

	end_field(s);
	s->name_n = 0;
	s->state = IN_NAME;
	put_name(s, c);
}

static void put(struct header_scan *s, char c)
{
	if ((unsigned char)c >= 0x80)
		s->notes |= HEADER_8BIT;

	if (s->state == AT_LINE_START)
		put_first(s, c);
	else if (s->state == IN_NAME)
		put_name(s, c);
	else
		put_value(s, c);
}

static void end_header_line(struct header_scan *s)
{
	if (s->state == AT_LINE_START) {
		end_field(s);
		s->ended = true;
	}
	if (s->state == IN_NAME)
		s->notes |= HEADER_NO_COLON;
	s->state = AT_LINE_START;
}

static void put_bare_cr(struct header_scan *s)
{
	s->after_cr = false;
	s->notes |= HEADER_BARE_CR;
	put(s, '\r');
}

static void scan_byte(struct header_scan *s, char c)
{
	s->size++;
	if (s->after_cr && c != '\n')
		put_bare_cr(s);

	s->after_cr = c == '\r';
	if (c == '\n')
		end_header_line(s);
	else if (c != '\r')
		put(s, c);
}

void header_feed(struct header_scan *scan, struct bytes slice)
{
	size_t n = 0;

	while (n < slice.n && !scan->ended)
		scan_byte(scan, slice.p[n++]);

	scan_lines(scan, scan->skip_body ? bytes_head(slice, n) : slice);
}

void header_finish(struct header_scan *scan)
{
	if (!scan->ended) {
		if (scan->after_cr) /* half a line end: no part of the field */
			scan->notes |= HEADER_BARE_CR;
		if (scan->state == IN_NAME)
			scan->notes |= HEADER_NO_COLON;
		scan->notes |= HEADER_UNENDED;
		end_field(scan);
	}
	note_longest(scan, scan->line);
}
