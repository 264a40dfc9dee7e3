/* SPDX-License-Identifier: Apache-2.0 */
/* Mail data: what smuggling tries (S1 to S22 are the cases' usual numbers), in every split; then random bytes
 * against a reader that goes byte by byte; and there and back. */
#include "smtp/data.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/rand.h"
#include "lib/check.h"

enum { SEED = 20261201 };

struct outcome {
	struct buf content;
	struct smtp_data_reader reader;
	bool ended;
	size_t used; /* bytes of the input up to the end */
};

/* Reads in pieces of at most `piece` bytes, the first of `first`. */
static void read_all(struct bytes in, size_t first, size_t piece, bool normalise, struct outcome *o)
{
	size_t n = first;

	*o = (struct outcome){ .reader.normalise = normalise };
	for (size_t at = 0; at < in.n && !o->ended; at += n, n = piece) {
		struct bytes part = bytes_head(bytes_skip(in, at), n), span;
		enum smtp_data got;

		n = part.n;
		while ((got = smtp_data_read(&o->reader, &part, &span)) == SMTP_DATA_SPAN)
			buf_append_bytes(&o->content, span);
		o->ended = got == SMTP_DATA_END;
		o->used = at + n - part.n;
	}
}

struct smuggle {
	const char *name;
	struct bytes in;      /* what comes behind DATA, the true end included */
	struct bytes content; /* as it came */
	struct bytes normal;  /* normalised */
	unsigned bare_lf, bare_cr, nul;
};

/* Each is followed by a second message's commands, which must stay content or stay behind the end. */
#define NEXT "MAIL FROM:<b@x>\r\n"
#define CASE(name, head, body, normal_body, lf, cr, nul)                                               \
	{ name, BYTES(head body NEXT "\r\n.\r\nQUIT\r\n"), BYTES(head body NEXT "\r\n"),                \
	  BYTES(head normal_body NEXT "\r\n"), lf, cr, nul }

/* Where a dot behind a true CRLF is taken away. */
#define UNSTUFFED(name, head, body, plain, normal_body, lf, cr, nul)                                   \
	{ name, BYTES(head body NEXT "\r\n.\r\nQUIT\r\n"), BYTES(head plain NEXT "\r\n"),               \
	  BYTES(head normal_body NEXT "\r\n"), lf, cr, nul }

static const struct smuggle smuggles[] = {
	CASE("S1 LF . LF", "a", "\n.\n", "\r\n.\r\n", 2, 0, 0),
	CASE("S2 LF . CRLF", "a", "\n.\r\n", "\r\n.\r\n", 1, 0, 0),
	UNSTUFFED("S3 CRLF . LF", "a", "\r\n.\n", "\r\n\n", "\r\n\r\n", 1, 0, 0),
	CASE("S4 CR . CR", "a", "\r.\r", "\r\n.\r\n", 0, 2, 0),
	CASE("S5 CR . CRLF", "a", "\r.\r\n", "\r\n.\r\n", 0, 1, 0),
	UNSTUFFED("S6 CRLF . CR", "a", "\r\n.\r", "\r\n\r", "\r\n\r\n", 0, 1, 0),
	CASE("S7 LF . CR", "a", "\n.\r", "\r\n.\r\n", 1, 1, 0),
	CASE("S8 CR . LF", "a", "\r.\n", "\r\n.\r\n", 1, 1, 0),
	UNSTUFFED("S9 CRLF . CR CRLF", "a", "\r\n.\r\r\n", "\r\n\r\r\n", "\r\n\r\n", 0, 1, 0),
	UNSTUFFED("S10 CRLF . NUL CRLF", "a", "\r\n.\0\r\n", "\r\n\0\r\n", "\r\n\0\r\n", 0, 0, 1),
	CASE("S11 CRLF NUL . CRLF", "a", "\r\n\0.\r\n", "\r\n\0.\r\n", 0, 0, 1),
	UNSTUFFED("S12 CRLF . SP CRLF", "a", "\r\n. \r\n", "\r\n \r\n", "\r\n \r\n", 0, 0, 0),
	CASE("S13 LF LF . CRLF", "a", "\n\n.\r\n", "\r\n\r\n.\r\n", 2, 0, 0),
	UNSTUFFED("S14 CRLF .. CRLF", "a", "\r\n..\r\n", "\r\n.\r\n", "\r\n.\r\n", 0, 0, 0),
	CASE("S15 a bare LF in a line", "a", "b\nc", "b\r\nc", 1, 0, 0),
	CASE("S16 a bare CR in a line", "a", "b\rc", "b\r\nc", 0, 1, 0),
	CASE("S17 CR CR LF", "a", "b\r\r\nc", "b\r\nc", 0, 1, 0),
	CASE("S17 CR CR CR LF . CR CR LF", "a", "b\r\r\r\n", "b\r\n", 0, 2, 0),
	CASE("S18 LF CR", "a", "b\n\rc", "b\r\n\r\nc", 1, 1, 0),
	UNSTUFFED("S19 dots", "", ".\0\r\n...\r\n.x\r\n..\r\n", "\0\r\n..\r\nx\r\n.\r\n", "\0\r\n..\r\nx\r\n.\r\n", 0, 0, 1),
	{ "S19 first line a dot", BYTES("..\r\n.\r\nX"), BYTES(".\r\n"), BYTES(".\r\n"), 0, 0, 0 },
	{ "S20 nothing", BYTES(".\r\nX"), BYTES(""), BYTES(""), 0, 0, 0 },
	{ "S20 an empty line", BYTES("\r\n.\r\nX"), BYTES("\r\n"), BYTES("\r\n"), 0, 0, 0 },
	{ "a CR is not an empty line", BYTES("\r.\r\n\r\n.\r\nX"), BYTES("\r.\r\n\r\n"), BYTES("\r\n.\r\n\r\n"), 0, 1, 0 },
	{ "an LF is not the command's CRLF", BYTES("\n.\r\n\r\n.\r\nX"), BYTES("\n.\r\n\r\n"), BYTES("\r\n.\r\n\r\n"), 1, 0, 0 },
	{ "the end twice", BYTES("a\r\n.\r\n.\r\n"), BYTES("a\r\n"), BYTES("a\r\n"), 0, 0, 0 },
};

static void judge(struct check *check, const struct smuggle *s, bool normalise, struct outcome *o)
{
	struct bytes want = normalise ? s->normal : s->content, end = BYTES("\r\n.\r\n");
	ptrdiff_t at = bytes_starts(s->in, BYTES(".\r\n")) ? -2 : bytes_find(s->in, end);

	CHECK(o->ended);
	CHECK_EQ(o->used, at + (ptrdiff_t)end.n);
	CHECK_BYTES(buf_bytes(&o->content), want);
	CHECK_EQ(o->reader.size, want.n);
	CHECK_EQ(o->reader.bare_lf, s->bare_lf);
	CHECK_EQ(o->reader.bare_cr, s->bare_cr);
	CHECK_EQ(o->reader.nul, s->nul);
	buf_done(&o->content);
}

static void ends_only_at_its_end(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(smuggles); i++) {
		const struct smuggle *s = &smuggles[i];

		printf("# %s\n", s->name);
		for (int normalise = 0; normalise < 2; normalise++) {
			for (size_t first = 1; first <= s->in.n; first++) {
				struct outcome o;

				read_all(s->in, first, s->in.n, normalise, &o);
				judge(check, s, normalise, &o);
				read_all(s->in, first, 1, normalise, &o);
				judge(check, s, normalise, &o);
			}
		}
	}
}

/* --- a reader that is slow and simple --------------------------------------------------------- */

/* The end of the data in in, or -1: by looking for its five bytes, dots at the beginning set aside. */
static ptrdiff_t true_end(struct bytes in)
{
	ptrdiff_t at = bytes_find(in, BYTES("\r\n.\r\n"));

	return bytes_starts(in, BYTES(".\r\n")) ? 0 : at < 0 ? -1 : at + 2;
}

static void unstuff(struct bytes in, struct buf *to)
{
	for (size_t i = 0; i < in.n; i++) {
		bool line = i == 0 || (i >= 2 && in.p[i - 2] == '\r' && in.p[i - 1] == '\n');

		if (!(line && in.p[i] == '.'))
			buf_append_char(to, in.p[i]);
	}
}

static size_t count_bare(struct bytes in, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		bool pair = c == '\n' ? i > 0 && in.p[i - 1] == '\r' : i + 1 < in.n && in.p[i + 1] == '\n';

		n += in.p[i] == c && !pair;
	}
	return n;
}

static bool is_canonical(struct bytes in)
{
	return count_bare(in, '\n') == 0 && count_bare(in, '\r') == 0;
}

static void make_random(struct rand *rand, struct buf *to)
{
	static const char letters[] = "\r\n.\r\n.\r\n..a\0\xc3";
	size_t n = (size_t)rand_below(rand, 40);

	buf_reset(to);
	for (size_t i = 0; i < n; i++)
		buf_append_char(to, letters[rand_below(rand, sizeof(letters) - 1)]);
	buf_append_str(to, "\r\n.\r\nrest");
}

static void check_random(struct check *check, struct bytes in, size_t first, size_t piece)
{
	_cleanup_(buf_done) struct buf want = BUF_NULL;
	ptrdiff_t end = true_end(in);
	struct bytes data = bytes_head(in, (size_t)end);
	struct outcome o;

	unstuff(data, &want);
	read_all(in, first, piece, false, &o);
	CHECK(o.ended);
	CHECK_EQ(o.used, end + 3);
	CHECK_BYTES(buf_bytes(&o.content), buf_bytes(&want));
	CHECK_EQ(o.reader.bare_lf, count_bare(data, '\n'));
	CHECK_EQ(o.reader.bare_cr, count_bare(data, '\r'));
	CHECK_EQ(o.reader.has_8bit, bytes_find_char(data, '\xc3') >= 0);
	buf_done(&o.content);

	read_all(in, first, piece, true, &o);
	CHECK(o.ended);
	CHECK_EQ(o.used, end + 3);
	CHECK(is_canonical(buf_bytes(&o.content)));
	CHECK_EQ(o.reader.bare_lf, count_bare(data, '\n'));
	CHECK_EQ(o.reader.bare_cr, count_bare(data, '\r'));
	buf_done(&o.content);
}

static void random_as_the_slow_one(struct check *check)
{
	_cleanup_(buf_done) struct buf in = BUF_NULL;
	struct rand rand;

	printf("# seed %d\n", SEED);
	rand_init(&rand, SEED);
	for (int i = 0; i < 30000; i++) {
		make_random(&rand, &in);
		check_random(check, buf_bytes(&in), 1 + (size_t)rand_below(&rand, in.n), 1 + (size_t)rand_below(&rand, 9));
	}
}

/* --- writing ---------------------------------------------------------------------------------- */

/* 0 with all that goes out, or -1. */
static int write_all(struct bytes content, size_t piece, struct buf *to)
{
	struct smtp_data_writer writer = { 0 };
	struct bytes span;

	for (size_t at = 0; at < content.n; at += piece) {
		struct bytes part = bytes_head(bytes_skip(content, at), piece);
		int got;

		while ((got = smtp_data_write(&writer, &part, &span)) > 0)
			buf_append_bytes(to, span);
		if (got < 0)
			return -1;
	}
	if (smtp_data_end(&writer, &span) < 0)
		return -1;
	buf_append_bytes(to, span);
	return 0;
}

/* S21: what is not canonical does not leave; what is comes back as it was, in any split. */
static void check_out(struct check *check, struct bytes content)
{
	for (size_t piece = 1; piece <= content.n + 1; piece++) {
		_cleanup_(buf_done) struct buf sent = BUF_NULL;
		struct outcome o;

		CHECK_EQ(write_all(content, piece, &sent), is_canonical(content) ? 0 : -1);
		if (!is_canonical(content))
			continue;
		CHECK_EQ(true_end(buf_bytes(&sent)), sent.n - 3);
		read_all(buf_bytes(&sent), sent.n, sent.n, false, &o);
		CHECK(o.ended);
		CHECK_EQ(o.used, sent.n);
		CHECK_BYTES(bytes_head(buf_bytes(&o.content), content.n), content);
		CHECK(o.content.n == content.n || o.content.n == content.n + 2);
		buf_done(&o.content);
	}
}

static void leaves_canonical_or_not(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(smuggles); i++) {
		check_out(check, smuggles[i].content);
		check_out(check, smuggles[i].normal);
	}
	check_out(check, BYTES("no end"));
	check_out(check, BYTES(".")); /* a dot that is last, without CRLF */
	check_out(check, BYTES("half an end\r"));
	check_out(check, BYTES("half an end\r\n.\r"));
}

static void stuffs_what_it_must(struct check *check)
{
	_cleanup_(buf_done) struct buf sent = BUF_NULL;

	CHECK_EQ(write_all(BYTES(".a\r\nb.\r\n.\r\n..\r\n"), 100, &sent), 0);
	CHECK_BYTES(buf_bytes(&sent), BYTES("..a\r\nb.\r\n..\r\n...\r\n.\r\n"));
}

/* --- lengths ---------------------------------------------------------------------------------- */

/* V5: lines of any length pass, and are measured whatever the split. */
static void measures_lines(struct check *check)
{
	static const size_t lengths[] = { 0, 1, 998, 999, 1000, 1001, 2048, 100000 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (int normalise = 0; normalise < 2; normalise++) {
			_cleanup_(buf_done) struct buf in = BUF_NULL;
			struct outcome o;

			for (size_t n = 0; n < lengths[i]; n++)
				buf_append_char(&in, 'x');
			buf_append_str(&in, "\r\n.\r\n");
			read_all(buf_bytes(&in), 1, 777, normalise, &o);
			CHECK(o.ended);
			CHECK_EQ(o.reader.longest, lengths[i]);
			CHECK_EQ(o.content.n, lengths[i] + 2);
			buf_done(&o.content);
			read_all(buf_bytes(&in), lengths[i] + 1, 1, normalise, &o);
			CHECK_EQ(o.reader.longest, lengths[i]);
			buf_done(&o.content);
		}
	}
}

/* No copies: ordinary mail is one span, and it lies in the buffer. */
static void spans_are_the_callers(struct check *check)
{
	struct bytes all = BYTES("Subject: x\r\n\r\nline\r\n.. two\r\nline\r\n.\r\n"), in = all, span;
	struct smtp_data_reader r = { 0 };

	CHECK_EQ(smtp_data_read(&r, &in, &span), SMTP_DATA_SPAN);
	CHECK(span.p == all.p);
	CHECK_BYTES(span, BYTES("Subject: x\r\n\r\nline\r\n"));
	CHECK_EQ(smtp_data_read(&r, &in, &span), SMTP_DATA_SPAN);
	CHECK(span.p == all.p + 21);
	CHECK_BYTES(span, BYTES(". two\r\nline\r\n"));
	CHECK_EQ(smtp_data_read(&r, &in, &span), SMTP_DATA_END);
	CHECK_EQ(in.n, 0);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "S1-S20: only CRLF . CRLF ends, in any split", ends_only_at_its_end },
		{ "random bytes as a slow reader reads them", random_as_the_slow_one },
		{ "S21: content leaves canonical or not at all", leaves_canonical_or_not },
		{ "dots are doubled at the beginning of lines only", stuffs_what_it_must },
		{ "V5: lines of any length", measures_lines },
		{ "spans lie in the caller's buffer", spans_are_the_callers },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
