/* SPDX-License-Identifier: Apache-2.0 */
/* How the fake server reads commands: whether a client writes a string as atom, quoted or
 * literal is its own choice, so rules and commands see one plain form. */
#include <string.h>

#include "lib/fake-imap-parts.h"

enum { MAX_STRING = 65536 };

static bool is_bare(struct bytes s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || strchr("(){\"\\\177", s.p[i]))
			return false;

	return s.n > 0;
}

void fake_put_string(struct buf *to, struct bytes string)
{
	if (is_bare(string)) {
		buf_append_bytes(to, string);
		return;
	}

	buf_append_char(to, '"');
	for (size_t i = 0; i < string.n; i++) {
		if (string.p[i] == '"' || string.p[i] == '\\')
			buf_append_char(to, '\\');
		buf_append_char(to, string.p[i]);
	}
	buf_append_char(to, '"');
}

/* Takes a quoted string off the front of *line. */
static int put_quoted(struct buf *to, struct bytes *line)
{
	_cleanup_(buf_done) struct buf string = BUF_NULL;
	size_t i = 1;

	for (; i < line->n && line->p[i] != '"'; i++) {
		if (line->p[i] == '\\')
			i++;
		if (i < line->n)
			buf_append_char(&string, line->p[i]);
	}
	if (i >= line->n)
		return -1;

	fake_put_string(to, buf_bytes(&string));
	*line = bytes_skip(*line, i + 1);
	return 0;
}

static void check_literal(struct fake_connection *c)
{
	if (c->literal_waits || fake_can(c, "LITERAL+") ||
	    (fake_can(c, "LITERAL-") && c->literal <= 4096))
		return;
	fake_complain(c->fake, 0, "the client did not wait for \"+\" before a literal of %llu "
		      "bytes, which the server does not allow", (unsigned long long)c->literal);
}

int fake_read_plain(struct fake_connection *c, struct buf *to)
{
	_cleanup_(buf_done) struct buf raw = BUF_NULL;
	struct bytes line;

	if (fake_read_line(c, &raw) < 0)
		return -1;
	line = buf_bytes(&raw);
	fake_note_literal(c, line);
	if (c->has_literal) {
		check_literal(c);
		while (line.p[--line.n] != '{')
			;
	}

	while (line.n) {
		if (line.p[0] != '"') {
			buf_append_char(to, line.p[0]);
			line = bytes_skip(line, 1);
			continue;
		}
		if (put_quoted(to, &line) < 0) {
			fake_complain(c->fake, 0, "a quoted string without end: %s", buf_str(&raw));
			return -1;
		}
	}

	return 0;
}

int fake_read_string(struct fake_connection *c, struct buf *to)
{
	_cleanup_(buf_done) struct buf string = BUF_NULL;

	if (c->literal > MAX_STRING) {
		fake_complain(c->fake, 0, "the client sent a string of %llu bytes",
			      (unsigned long long)c->literal);
		return -1;
	}
	if (c->literal_waits && fake_sendf(c, "+ go on") < 0)
		return -1;
	while (string.n < c->literal) {
		size_t left = (size_t)c->literal - string.n;
		int n = fake_read(c, buf_reserve(&string, left), left);

		if (n < 0)
			return -1;
		string.n += (size_t)n;
	}

	c->has_literal = false;
	fake_put_string(to, buf_bytes(&string));
	return 0;
}
