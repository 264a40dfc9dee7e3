/* SPDX-License-Identifier: Apache-2.0 */
/* Mail data, see data.h. Lines are found with memchr(); between two lines that need nothing a span goes on, so
 * that ordinary mail is a span a buffer. */
#include "smtp/data.h"

#include <string.h>

enum { AT_LINE, AFTER_DOT, AFTER_DOT_CR, IN_LINE, AFTER_CR, ENDED };

_Static_assert(AT_LINE == 0, "a zeroed reader or writer stands at the beginning of a line");

/* --- counting -------------------------------------------------------------------------------- */

static uint64_t count_char(const char *p, size_t n, char c)
{
	const char *end = p + n, *at;
	uint64_t found = 0;

	for (; p < end && (at = memchr(p, c, (size_t)(end - p))); p = at + 1)
		found++;
	return found;
}

/* Eight bytes at a time, in four chains that do not wait for each other. */
static bool has_high_bit(struct bytes b)
{
	uint64_t all = 0, word[4];
	size_t i = 0;

	for (; b.n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(word, b.p + i, sizeof(word));
		all |= word[0] | word[1] | word[2] | word[3];
	}
	for (; i < b.n; i++)
		all |= (uint64_t)(unsigned char)b.p[i];
	return (all & 0x8080808080808080) != 0;
}

/* --- reader ---------------------------------------------------------------------------------- */

static void end_line(struct smtp_data_reader *r, uint64_t n)
{
	if (n > r->longest)
		r->longest = n;
	r->line = 0;
}

/* A span that goes out, with what is known of every span. */
static enum smtp_data give(struct smtp_data_reader *r, struct bytes span, struct bytes *ret_span)
{
	r->size += span.n;
	*ret_span = span;
	return SMTP_DATA_SPAN;
}

static enum smtp_data give_in(struct smtp_data_reader *r, struct bytes *in, size_t n, struct bytes *ret_span)
{
	struct bytes span = bytes_head(*in, n);

	*in = bytes_skip(*in, n);
	r->nul += count_char(span.p, span.n, '\0');
	r->has_8bit = r->has_8bit || has_high_bit(span);
	return give(r, span, ret_span);
}

static bool take(struct bytes *in, char c)
{
	if (in->n == 0 || in->p[0] != c)
		return false;

	*in = bytes_skip(*in, 1);
	return true;
}

/* From a place inside a line: how many bytes go out as they are, whole lines and a part of one. Stops before a dot
 * that begins a line. Sets the state that is reached behind them. */
static size_t plain_lines(struct smtp_data_reader *r, struct bytes in)
{
	bool after_cr = r->state == AFTER_CR;
	size_t at = 0;

	while (at < in.n) {
		const char *line = in.p + at, *lf = memchr(line, '\n', in.n - at);
		size_t n = lf ? (size_t)(lf - line) : in.n - at; /* without the LF */
		bool crlf = lf && (n ? lf[-1] == '\r' : after_cr);
		bool open_cr = !lf && line[n - 1] == '\r'; /* may be half of a line end */

		r->bare_cr += after_cr && !(n == 0 && crlf);
		r->bare_cr += count_char(line, n - (n && (crlf || open_cr)), '\r');
		r->line += n;
		at += n;
		if (!lf) {
			r->state = open_cr ? AFTER_CR : IN_LINE;
			return at;
		}

		at++;
		after_cr = false;
		if (!crlf) {
			r->bare_lf++;
			r->line++;
			r->state = IN_LINE;
			continue;
		}
		end_line(r, r->line - 1);
		r->state = AT_LINE;
		if (at < in.n && in.p[at] == '.')
			return at;
	}
	return at;
}

/* At a dot that begins a line, and what came behind it so far: the end, or a dot that is taken away. */
static enum smtp_data after_dot(struct smtp_data_reader *r, struct bytes *in, struct bytes *ret_span)
{
	if (r->state == AFTER_DOT && take(in, '\r'))
		r->state = AFTER_DOT_CR;
	if (in->n == 0)
		return SMTP_DATA_MORE;
	if (r->state == AFTER_DOT) {
		r->state = IN_LINE;
		return SMTP_DATA_MORE;
	}
	if (take(in, '\n')) {
		r->state = ENDED;
		return SMTP_DATA_END;
	}

	/* ".\r" and something else: the CR, which is gone from the buffer perhaps, is content. */
	r->line++;
	r->state = AFTER_CR;
	return r->normalise ? SMTP_DATA_MORE : give(r, BYTES("\r"), ret_span);
}

/* The same with line ends made whole, which are held back until it is known what they are. */
static enum smtp_data normal_piece(struct smtp_data_reader *r, struct bytes *in, struct bytes *ret_span)
{
	size_t n = 0;

	if (r->state == AFTER_CR) {
		bool lf = take(in, '\n');

		r->bare_cr += !lf;
		if (!lf && take(in, '\r')) {
			r->line++;
			return SMTP_DATA_MORE; /* this one stands for both */
		}
		if (lf)
			end_line(r, r->line - 1);
		r->state = lf ? AT_LINE : IN_LINE;
		return give(r, BYTES("\r\n"), ret_span);
	}

	while (n < in->n && in->p[n] != '\r' && in->p[n] != '\n')
		n++;
	r->line += n;
	if (n) {
		r->state = IN_LINE;
		return give_in(r, in, n, ret_span);
	}
	r->line++;
	if (take(in, '\n')) {
		r->bare_lf++;
		r->state = IN_LINE;
		return give(r, BYTES("\r\n"), ret_span);
	}
	*in = bytes_skip(*in, 1); /* the CR */
	r->state = AFTER_CR;
	return SMTP_DATA_MORE;
}

enum smtp_data smtp_data_read(struct smtp_data_reader *r, struct bytes *in, struct bytes *ret_span)
{
	enum smtp_data got = SMTP_DATA_MORE;

	while (in->n && got == SMTP_DATA_MORE) {
		if (r->state == AT_LINE && take(in, '.')) {
			r->state = AFTER_DOT;
			r->line++;
		} else if (r->state == AFTER_DOT || r->state == AFTER_DOT_CR) {
			got = after_dot(r, in, ret_span);
		} else if (r->normalise) {
			got = normal_piece(r, in, ret_span);
		} else {
			got = give_in(r, in, plain_lines(r, *in), ret_span);
		}
	}
	return got;
}

/* --- writer ---------------------------------------------------------------------------------- */

/* The end of the longest piece that begins here, inside a line or at one, and needs no dot; -1: not canonical. */
static ptrdiff_t canonical_lines(struct smtp_data_writer *w, struct bytes in)
{
	bool after_cr = w->state == AFTER_CR;
	size_t at = 0;

	while (at < in.n) {
		const char *line = in.p + at, *lf = memchr(line, '\n', in.n - at);
		size_t n = lf ? (size_t)(lf - line) : in.n - at;
		const char *cr = n ? memchr(line, '\r', n) : NULL;

		if (after_cr && !(lf && n == 0))
			return -1;
		if (lf ? !(n ? cr == lf - 1 : after_cr) : cr && cr != line + n - 1)
			return -1;
		at += n + (lf != NULL);
		after_cr = false;
		w->state = lf ? AT_LINE : cr ? AFTER_CR : IN_LINE;
		if (lf && at < in.n && in.p[at] == '.')
			break;
	}
	return (ptrdiff_t)at;
}

int smtp_data_write(struct smtp_data_writer *w, struct bytes *content, struct bytes *ret_span)
{
	ptrdiff_t n;

	if (content->n == 0)
		return 0;
	if (w->state == AT_LINE && content->p[0] == '.') {
		w->state = IN_LINE; /* and the content's own dot follows */
		*ret_span = BYTES(".");
		return 1;
	}

	n = canonical_lines(w, *content);
	if (n < 0)
		return -1;
	*ret_span = bytes_head(*content, (size_t)n);
	*content = bytes_skip(*content, (size_t)n);
	return 1;
}

int smtp_data_end(struct smtp_data_writer *w, struct bytes *ret_span)
{
	if (w->state == AFTER_CR)
		return -1;

	*ret_span = w->state == AT_LINE ? BYTES(".\r\n") : BYTES("\r\n.\r\n");
	w->state = ENDED;
	return 0;
}
