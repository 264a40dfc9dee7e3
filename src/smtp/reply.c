/* SPDX-License-Identifier: Apache-2.0 */
/* The reply reader, see reply.h: a byte at a time, as replies are short. Each line's first bytes are gathered
 * until its code is known, then text goes where it is kept. */
#include "smtp/reply.h"

#include <string.h>

#include "base/cleanup.h"

enum { CODE_N = 3 };

const char *smtp_reply_wrong_text(enum smtp_reply_wrong wrong)
{
	static const char *const texts[] = {
		[SMTP_REPLY_OK] = "nothing",
		[SMTP_REPLY_NO_CODE] = "a reply without a code",
		[SMTP_REPLY_MIXED] = "a reply whose lines have different codes",
		[SMTP_REPLY_TOO_LONG] = "a reply without end",
	};

	return texts[wrong];
}

static int refuse(struct smtp_reply_reader *r, enum smtp_reply_wrong why)
{
	r->wrong = why;
	return -1;
}

static void keep(struct smtp_reply *reply, char c)
{
	if (reply->text_n == sizeof(reply->text) - 1) {
		reply->cut = true;
		return;
	}
	if ((unsigned char)c < 0x20 || c == 0x7f) {
		reply->controls = reply->controls || (c != '\t' && c != '\n');
		c = c == '\n' ? '\n' : c == '\t' ? ' ' : '?';
	}
	reply->text[reply->text_n++] = c;
}

/* --- the enhanced code ----------------------------------------------------------------------- */

/* One to three digits. */
static bool take_number(struct bytes *rest, uint16_t *ret)
{
	size_t n = 0;

	*ret = 0;
	while (n < rest->n && n < 3 && ascii_is_digit(rest->p[n]))
		*ret = (uint16_t)(*ret * 10 + (rest->p[n++] - '0'));
	*rest = bytes_skip(*rest, n);
	return n > 0;
}

static bool take_char(struct bytes *rest, char c)
{
	if (rest->n == 0 || rest->p[0] != c)
		return false;

	*rest = bytes_skip(*rest, 1);
	return true;
}

/* "5.1.1" in front of a blank or the end; RFC 2034's grammar, the class not looked at. */
static bool take_enhanced(struct bytes *rest, uint16_t ret[3])
{
	struct bytes in = *rest;

	if (!take_number(&in, &ret[0]) || !take_char(&in, '.') || !take_number(&in, &ret[1]) || !take_char(&in, '.') ||
	    !take_number(&in, &ret[2]) || (in.n && in.p[0] != ' ' && in.p[0] != '\n'))
		return false;

	*rest = in;
	return true;
}

/* A digit and a dot announce a code; only the class that the reply has will do. */
static void read_enhanced(struct smtp_reply *reply)
{
	struct bytes text = { reply->text, reply->text_n };
	uint16_t code[3];

	if (text.n < 2 || !ascii_is_digit(text.p[0]) || text.p[1] != '.')
		return;
	if (take_enhanced(&text, code) && code[0] == reply->code / 100 && code[0] != 3)
		memcpy(reply->enhanced, code, sizeof(code));
	else
		reply->odd_enhanced = true;
}

/* --- lines ----------------------------------------------------------------------------------- */

/* The code of the line at hand; 0: none. */
static unsigned line_code(const struct smtp_reply_reader *r)
{
	unsigned code = 0;

	if (r->head_n < CODE_N)
		return 0;
	for (size_t i = 0; i < CODE_N; i++) {
		if (!ascii_is_digit(r->head[i]))
			return 0;
		code = code * 10 + (unsigned)(r->head[i] - '0');
	}
	return code >= 200 && code <= 599 ? code : 0;
}

/* Behind the code stands "-", " " or nothing. */
static int begin_text(struct smtp_reply_reader *r)
{
	unsigned code = line_code(r);

	if (code == 0 || (r->head_n > CODE_N && r->head[CODE_N] != ' ' && r->head[CODE_N] != '-'))
		return refuse(r, SMTP_REPLY_NO_CODE);
	if (r->reply.lines > 0 && r->reply.code != code)
		return refuse(r, SMTP_REPLY_MIXED);

	r->reply.code = (uint16_t)code;
	if (r->reply.lines++ > 0)
		keep(&r->reply, '\n');
	r->in_text = true;
	return 0;
}

/* 1: it was the last. */
static int end_line(struct smtp_reply_reader *r)
{
	bool more;

	if (!r->in_text && begin_text(r) < 0)
		return -1;

	more = r->head_n > CODE_N && r->head[CODE_N] == '-';
	r->head_n = 0;
	r->in_text = false;
	if (more)
		return 0;

	read_enhanced(&r->reply);
	return 1;
}

static int put(struct smtp_reply_reader *r, char c)
{
	if (r->in_text) {
		keep(&r->reply, c);
		return 0;
	}

	r->head[r->head_n++] = c;
	return r->head_n == CODE_N + 1 ? begin_text(r) : 0;
}

static int read_byte(struct smtp_reply_reader *r, char c)
{
	bool after_cr = r->after_cr;

	if (++r->bytes > SMTP_REPLY_BYTES_MAX)
		return refuse(r, SMTP_REPLY_TOO_LONG);

	r->after_cr = c == '\r';
	if (after_cr && c != '\n' && put(r, '\r') < 0)
		return -1;
	if (c == '\n')
		return end_line(r);
	return c == '\r' ? 0 : put(r, c);
}

int smtp_reply_read(struct smtp_reply_reader *r, struct bytes *in)
{
	if (r->wrong)
		return -1;

	while (in->n) {
		int got = read_byte(r, in->p[0]);

		*in = bytes_skip(*in, 1);
		if (got)
			return got;
	}
	return 0;
}

struct bytes smtp_reply_line(const struct smtp_reply *reply, unsigned at)
{
	struct bytes rest = { reply->text, reply->text_n }, line = BYTES_NULL;
	uint16_t code[3];

	for (unsigned i = 0; i <= at; i++) {
		if (i > 0 && rest.n == 0)
			return BYTES_NULL;
		line = bytes_cut(&rest, '\n');
	}
	if (take_enhanced(&line, code))
		line = bytes_trim(line);
	return line;
}
