/* SPDX-License-Identifier: Apache-2.0 */
/* Transcripts, see stream.h: what passed, line by line, for the person who has to find out why a server
 * and we do not agree.
 *
 * What must stay true: nothing that passes while a direction is hidden reaches the file, and neither do
 * literals. A reader reads ahead, so it cannot hide an incoming message in time: the tap itself looks for
 * {n} at the end of a line. That is all it knows of IMAP. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "net/stream.h"

enum { MAX_LINE = 1000 };

struct transcript {
	int fd;
	struct buf text; /* of the call at hand, written at its end */
};

enum seen { SEEN_NOTHING, SEEN_BRACE, SEEN_DIGITS, SEEN_SIGN, SEEN_ALL };

struct direction {
	char sign; /* '>' we say, '<' the peer says */
	struct buf line;
	uint64_t beyond; /* bytes of this line that were not kept */
	enum seen seen;  /* of the announcement of a literal */
	uint64_t announced;
	uint64_t literal; /* bytes of one still to pass */
	uint64_t literal_size;
	const char *hidden; /* what is hidden, or NULL */
	uint64_t hidden_n;
	char last; /* the last byte that was hidden */
	bool challenges_hidden;
};

struct tap {
	struct stream stream;
	struct transcript *transcript;
	char *label;
	struct direction in, out;
};

static struct tap *tap_of(struct stream *s)
{
	return (struct tap *)s;
}

/* --- the file ------------------------------------------------------------ */

int transcript_open(const char *path, struct transcript **ret, struct fault *fault)
{
	struct transcript *t;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		return fault_usage(fault, "cannot write the transcript %s: %s", path,
				   strerror(errno));

	t = xzalloc(sizeof(*t));
	t->fd = fd;
	*ret = t;
	return 0;
}

/* A transcript is a help, not a promise: when the disk is full the copy goes on without. */
static void write_out(struct transcript *t)
{
	size_t done = 0;

	while (done < t->text.n) {
		ssize_t n = write(t->fd, t->text.p + done, t->text.n - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	buf_reset(&t->text);
}

struct transcript *transcript_close(struct transcript *t)
{
	if (!t)
		return NULL;

	write_out(t);
	close(t->fd);
	buf_done(&t->text);
	free(t);
	return NULL;
}

static void append_time(struct buf *to)
{
	int64_t now = run_wall();
	time_t seconds = (time_t)(now / SECOND);
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_appendf(to, "%s.%06" PRId64 "Z", text, now % SECOND);
}

/* --- lines ---------------------------------------------------------------- */

static void note_count(struct direction *d, const char *what, uint64_t n)
{
	buf_appendf(&d->line, "[%s, %" PRIu64 " bytes]", what, n);
}

static void hide_challenge(struct direction *d)
{
	uint64_t n = d->line.n + d->beyond;

	if (!d->challenges_hidden || n <= 2 || !bytes_starts(buf_bytes(&d->line), BYTES("+ ")))
		return;

	wipe(d->line.p, d->line.n);
	buf_reset(&d->line);
	buf_append_str(&d->line, "+ ");
	note_count(d, "challenge", n - 2);
	d->beyond = 0;
}

static void end_line(struct tap *tap, struct direction *d)
{
	struct buf *to = &tap->transcript->text;

	hide_challenge(d);
	append_time(to);
	buf_appendf(to, " %s %c ", tap->label, d->sign);
	buf_append_bytes(to, buf_bytes(&d->line));
	if (d->beyond)
		buf_appendf(to, "[%" PRIu64 " bytes more]", d->beyond);
	buf_append_char(to, '\n');
	buf_reset(&d->line);
	d->beyond = 0;
}

static void append_visible(struct direction *d, char c)
{
	unsigned char u = (unsigned char)c;

	if (d->line.n >= MAX_LINE)
		d->beyond++;
	else if (u < 0x20 || u == 0x7f)
		buf_appendf(&d->line, "\\x%02x", u);
	else
		buf_append_char(&d->line, c);
}

/* Looks for {123}, {123+} or {123-} at the end of a line, however long the line: that many bytes follow
 * which are not a line. */
static void look_for_literal(struct direction *d, char c)
{
	bool counting = d->seen == SEEN_BRACE || d->seen == SEEN_DIGITS;

	if (c == '{') {
		d->seen = SEEN_BRACE;
		d->announced = 0;
	} else if (counting && ascii_is_digit(c)) {
		d->seen = SEEN_DIGITS;
		if (d->announced < INT64_MAX / 100)
			d->announced = d->announced * 10 + (uint64_t)(c - '0');
	} else if (d->seen == SEEN_DIGITS && (c == '+' || c == '-')) {
		d->seen = SEEN_SIGN;
	} else if (c == '}' && (d->seen == SEEN_DIGITS || d->seen == SEEN_SIGN)) {
		d->seen = SEEN_ALL;
	} else {
		d->seen = SEEN_NOTHING;
	}
}

static struct bytes pass_literal(struct direction *d, struct bytes bytes)
{
	uint64_t n = bytes.n < d->literal ? bytes.n : d->literal;

	d->literal -= n;
	if (d->literal == 0)
		note_count(d, "literal", d->literal_size);
	return bytes_skip(bytes, (size_t)n);
}

static struct bytes pass_line(struct tap *tap, struct direction *d, struct bytes bytes)
{
	ptrdiff_t end = bytes_find_char(bytes, '\n');
	struct bytes text = end < 0 ? bytes : bytes_head(bytes, (size_t)end);

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\r')
			continue;
		append_visible(d, text.p[i]);
		look_for_literal(d, text.p[i]);
	}
	if (end < 0)
		return BYTES_NULL;

	d->literal = d->literal_size = d->seen == SEEN_ALL ? d->announced : 0;
	d->seen = SEEN_NOTHING;
	end_line(tap, d);
	return bytes_skip(bytes, (size_t)end + 1);
}

static void watch_bytes(struct tap *tap, struct direction *d, struct bytes bytes)
{
	if (d->hidden) {
		d->hidden_n += bytes.n;
		d->last = bytes.n ? bytes.p[bytes.n - 1] : d->last;
		return;
	}

	while (bytes.n)
		bytes = d->literal ? pass_literal(d, bytes) : pass_line(tap, d, bytes);
	write_out(tap->transcript);
}

/* --- hiding --------------------------------------------------------------- */

static void hide(struct direction *d, const char *what)
{
	d->hidden = what;
	d->hidden_n = 0;
	d->last = '\0';
}

/* What was hidden may be what was announced, in part or whole, or the rest of a line, or lines. */
static void show(struct tap *tap, struct direction *d)
{
	if (!d->hidden)
		return;

	note_count(d, d->hidden, d->hidden_n);
	d->literal -= d->hidden_n < d->literal ? d->hidden_n : d->literal;
	d->literal_size = d->literal;
	d->hidden = NULL;
	if (d->last == '\n' && !d->literal)
		end_line(tap, d);
	write_out(tap->transcript);
}

static struct tap *find_tap(struct stream *s)
{
	struct stream *found = stream_find(s, "tap");

	return found ? tap_of(found) : NULL;
}

void tap_hide_out(struct stream *s, const char *what)
{
	struct tap *tap = find_tap(s);

	if (tap)
		hide(&tap->out, what);
}

void tap_show_out(struct stream *s)
{
	struct tap *tap = find_tap(s);

	if (tap)
		show(tap, &tap->out);
}

void tap_hide_in(struct stream *s, const char *what)
{
	struct tap *tap = find_tap(s);

	if (tap)
		hide(&tap->in, what);
}

void tap_show_in(struct stream *s)
{
	struct tap *tap = find_tap(s);

	if (tap)
		show(tap, &tap->in);
}

void tap_hide_challenges(struct stream *s, bool hidden)
{
	struct tap *tap = find_tap(s);

	if (tap)
		tap->in.challenges_hidden = hidden;
}

/* --- the layer ------------------------------------------------------------ */

/* A remark of our own, between the lines. */
static void note(struct tap *tap, const char *text)
{
	struct buf *to = &tap->transcript->text;

	append_time(to);
	buf_appendf(to, " %s - %s\n", tap->label, text);
	write_out(tap->transcript);
}

SUSPENDS static int tap_read(struct stream *s, void *p, size_t n, struct fault *fault)
{
	struct tap *tap = tap_of(s);
	int got = stream_read(s->lower, p, n, fault);

	if (got > 0)
		watch_bytes(tap, &tap->in, (struct bytes){ p, (size_t)got });
	else
		note(tap, got == 0 ? "the peer has ended the connection" : fault->text);
	return got;
}

static int tap_enqueue(struct stream *s, struct bytes bytes, struct fault *fault)
{
	struct tap *tap = tap_of(s);

	watch_bytes(tap, &tap->out, bytes);
	return stream_enqueue(s->lower, bytes, fault);
}

static void direction_done(struct tap *tap, struct direction *d)
{
	show(tap, d);
	if (d->literal)
		note_count(d, "part of a literal", d->literal_size - d->literal);
	if (d->line.n)
		end_line(tap, d);
	buf_done(&d->line);
}

static void tap_free(struct stream *s)
{
	struct tap *tap = tap_of(s);

	direction_done(tap, &tap->out);
	direction_done(tap, &tap->in);
	note(tap, "closed");
	free(tap->label);
	free(tap);
}

static const struct stream_ops tap_ops = {
	.name = "tap",
	.read = tap_read,
	.enqueue = tap_enqueue,
	.free = tap_free,
};

void tap_start(struct stream **stream, struct transcript *t, const char *label)
{
	struct tap *tap;

	if (!t || find_tap(*stream))
		return;

	tap = xzalloc(sizeof(*tap));
	stream_init(&tap->stream, &tap_ops, *stream);
	tap->transcript = t;
	tap->label = xstrdup(label);
	tap->in.sign = '<';
	tap->out.sign = '>';
	*stream = &tap->stream;
}
