/* SPDX-License-Identifier: Apache-2.0 */
/* What names a message: the same however it is cut into slices, and whatever servers are known to do to headers. */
#include "mail/identity.h"

#include <openssl/sha.h>

#include "base/buf.h"
#include "base/rand.h"
#include "lib/check.h"

static struct mail_identity identity_of(struct bytes message)
{
	struct mail_identify *m = mail_identify_new();
	struct mail_identity identity;

	mail_identify_begin(m);
	mail_identify_feed(m, message);
	mail_identify_end(m, &identity);
	mail_identify_free(m);
	return identity;
}

static bool header_is_same(const char *a, const char *b)
{
	struct mail_identity x = identity_of(bytes_of(a)), y = identity_of(bytes_of(b));

	return memcmp(x.header, y.header, 16) == 0;
}

static bool core_is_same(const char *a, const char *b)
{
	struct mail_identity x = identity_of(bytes_of(a)), y = identity_of(bytes_of(b));

	return memcmp(x.core, y.core, 16) == 0;
}

static bool is_digest_of(const unsigned char got[16], const char *text)
{
	unsigned char want[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)text, strlen(text), want);
	return memcmp(got, want, 16) == 0;
}

/* A header that no empty line ends: as it is in the message, and as Courier serves it apart. */
static void unended(struct check *check)
{
	static const char *const variants[] = { "Message-ID: <a@b>\r\n", "Message-ID: <a@b>", "Message-ID: <a@b>\r" };

	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		struct mail_identity identity = identity_of(bytes_of(variants[i]));

		CHECK(header_is_same(variants[0], variants[i]));
		CHECK_STR(identity.message_id, "<a@b>");
	}
	CHECK(core_is_same("Subject: a\r\n", "Subject: a\r"));
	CHECK(header_is_same("Subject: a", "Subject: a\r\n\r\n"));
	CHECK(!header_is_same("Subject: a", "Subject: a\r\nb"));
}

/* These digests lie in ledgers: they must not change. */
static void known(struct check *check)
{
	static const char message[] = "Received: x\r\nDate: Mon,\r\n\t1 Jan 2024 10:00:00 +0800\r\nsubject:  a  b \r\n"
				      "Message-Id: <a @b>\r\nSubject: two\r\n\r\nbody";
	struct mail_identity identity = identity_of(bytes_of(message));
	static const unsigned char none[16];

	CHECK(is_digest_of(identity.header, "Received: x\nDate: Mon,\n\t1 Jan 2024 10:00:00 +0800\nsubject:  a  b \n"
					    "Message-Id: <a @b>\nSubject: two\n"));
	CHECK(is_digest_of(identity.core, "Mon,1Jan202410:00:00+0800\nab"));
	CHECK_STR(identity.message_id, "<a@b>");

	identity = identity_of(BYTES("X: y\r\n\r\n"));
	CHECK(is_digest_of(identity.header, "X: y\n") && memcmp(identity.core, none, 16) == 0);
	CHECK_STR(identity.message_id, "");
	CHECK(is_digest_of(identity_of(BYTES("Date: x\n\n")).core, "x\n"));
	CHECK(is_digest_of(identity_of(BYTES("Subject: x\n\n")).core, "\nx"));
	CHECK(memcmp(identity_of(BYTES("Subject:\r\nDate: \r\n\r\n")).core, none, 16) == 0);

	identity = identity_of(BYTES(""));
	CHECK(is_digest_of(identity.header, "") && memcmp(identity.core, none, 16) == 0);
	CHECK(is_digest_of(identity_of(BYTES("\r\nall is body")).header, ""));
	CHECK(is_digest_of(identity_of(BYTES("no end")).header, "no end\n"));
}

static void line_ends(struct check *check)
{
	CHECK(header_is_same("A: b\r\nC: d\r\n\r\nbody", "A: b\nC: d\n\nbody"));
	CHECK(header_is_same("A: b\r\nC: d\r\n\r\nbody", "A: b\nC: d\r\n\nother body"));
	CHECK(header_is_same("A: b\r\nC: d\r\n\r\nbody", "A: b\r\nC: d\r\n\r\n")); /* BODY[HEADER] */
	CHECK(header_is_same("A: b\r\nC: d\r\n\r\n", "A: b\r\nC: d\r\n"));         /* without its empty line */
	CHECK(header_is_same("A: b\r\nC: d\r\n\r\n", "A: b\r\r\nC: d\r\n\r\n"));
	CHECK(!header_is_same("A: b\r\nC: d\r\n\r\n", "A: b\r\nC: d\r\n E\r\n\r\n"));
	CHECK(!header_is_same("A: b\r\nC: d\r\n\r\n", "C: d\r\nA: b\r\n\r\n"));
	CHECK(header_is_same("A: b\r\n\r\n", "A: b"));
}

static void core(struct check *check)
{
	_cleanup_(buf_done) struct buf unfolded = BUF_NULL, folded = BUF_NULL;

	CHECK(core_is_same("Date: d\r\nSubject: a b\r\n\r\n", "X-New: 1\r\nSubject: a\r\n b\r\nDate:\td\r\n\r\n"));
	CHECK(core_is_same("Date: d\r\n\r\n", "Date: d\r\nDate: e\r\n\r\n"));
	CHECK(!core_is_same("Date: d\r\nSubject: e\r\n\r\n", "Date: de\r\n\r\n"));
	CHECK(!core_is_same("Date: d\r\n\r\n", "Subject: d\r\n\r\n"));

	/* Long subjects, folded in another way each; what is behind the first 256 bytes does not count. */
	buf_append_str(&unfolded, "Subject: ");
	buf_append_str(&folded, "Subject: ");
	for (int i = 0; i < 600; i++) {
		buf_append_char(&unfolded, (char)('a' + i % 26));
		buf_append_str(&folded, i % 50 == 49 ? "\r\n " : "");
		buf_append_char(&folded, (char)('a' + i % 26));
	}
	CHECK(core_is_same(buf_str(&unfolded), buf_str(&folded)));
	folded.p[folded.n - 1] = '!';
	CHECK(core_is_same(buf_str(&unfolded), buf_str(&folded)));
	buf_reset(&folded);
	buf_append_bytes(&folded, buf_bytes(&unfolded));
	folded.p[9 + 256] = '!';
	CHECK(core_is_same(buf_str(&unfolded), buf_str(&folded)));
	folded.p[9 + 255] = '!';
	CHECK(!core_is_same(buf_str(&unfolded), buf_str(&folded)));
}

static void long_ids(struct check *check)
{
	_cleanup_(buf_done) struct buf message = BUF_NULL;
	struct mail_identity identity;

	buf_append_str(&message, "Message-ID: ");
	for (int i = 0; i < 2000; i++)
		buf_append_str(&message, i % 10 ? "x" : "\r\n x");
	buf_append_str(&message, "\r\nMessage-ID: <other>\r\n\r\n");
	identity = identity_of(buf_bytes(&message));
	CHECK_EQ(strlen(identity.message_id), sizeof(identity.message_id) - 1);
	CHECK_EQ(strspn(identity.message_id, "x"), sizeof(identity.message_id) - 1);
}

/* Bytes that headers are made of, more often than not. */
static void make(struct buf *to, struct rand *rand)
{
	static const char *const pieces[] = { "\r\n", "\n", "\r", "\r\n\r\n", "\n\n", " ", "\t", "Date: ", "Subject:", "x",
					      "Message-ID: <a@b>", ":", "\r\n ", "y: z", "longer words to be cut" };
	size_t n = rand_below(rand, 20);

	buf_reset(to);
	for (size_t i = 0; i < n; i++)
		buf_append_str(to, pieces[rand_below(rand, ARRAY_SIZE(pieces))]);
	if (rand_below(rand, 4) == 0)
		buf_append(to, "\0\377", 2);
}

/* However it is cut, with one struct used again and again. */
static void any_cut(struct check *check)
{
	_cleanup_(buf_done) struct buf message = BUF_NULL;
	struct mail_identify *m = mail_identify_new();
	struct mail_identity whole, cut;
	unsigned notes;
	struct rand rand;

	rand_init(&rand, 1);
	for (int round = 0; round < 5000; round++) {
		struct bytes rest;

		make(&message, &rand);
		mail_identify_begin(m);
		mail_identify_feed(m, buf_bytes(&message));
		mail_identify_end(m, &whole);
		notes = mail_identify_notes(m);

		mail_identify_begin(m);
		for (rest = buf_bytes(&message); rest.n;) {
			struct bytes slice = bytes_head(rest, rand_below(&rand, 7));

			mail_identify_feed(m, slice);
			rest = bytes_skip(rest, slice.n);
		}
		mail_identify_end(m, &cut);
		CHECK(memcmp(&whole, &cut, sizeof(whole)) == 0);
		CHECK_EQ(mail_identify_notes(m), notes);
	}
	mail_identify_free(m);
}

/* LF in place of CR LF names the same message (where no CR stands alone). */
static void any_line_end(struct check *check)
{
	_cleanup_(buf_done) struct buf crlf = BUF_NULL, lf = BUF_NULL;
	struct mail_identity a, b;
	struct rand rand;

	rand_init(&rand, 2);
	for (int round = 0; round < 5000; round++) {
		make(&lf, &rand);
		buf_reset(&crlf);
		for (size_t i = 0, n = 0; i <= lf.n; i++) { /* to LF alone, then to CR LF alone */
			if (i < lf.n && lf.p[i] != '\r')
				lf.p[n++] = lf.p[i];
			if (i == lf.n)
				lf.n = n;
		}
		for (size_t i = 0; i < lf.n; i++) {
			if (lf.p[i] == '\n')
				buf_append_char(&crlf, '\r');
			buf_append_char(&crlf, lf.p[i]);
		}
		a = identity_of(buf_bytes(&lf));
		b = identity_of(buf_bytes(&crlf));
		CHECK(memcmp(&a, &b, sizeof(a)) == 0);
	}
}

/* The body is not looked at, so it costs nothing and is no part of the notes. */
static void body(struct check *check)
{
	struct mail_identify *m = mail_identify_new();
	struct mail_identity a, b;

	mail_identify_begin(m);
	mail_identify_feed(m, BYTES("A: b\r\n\r\n"));
	for (int i = 0; i < 1000000; i++) /* 64 GiB */
		mail_identify_feed(m, (struct bytes){ "not read", 65536 });
	mail_identify_end(m, &a);
	CHECK_EQ(mail_identify_notes(m), 0);
	mail_identify_begin(m);
	mail_identify_feed(m, BYTES("A: b\r\n\r\nDate: x\n\0\r"));
	mail_identify_end(m, &b);
	CHECK_EQ(mail_identify_notes(m), 0);
	CHECK(memcmp(&a, &b, sizeof(a)) == 0);
	CHECK(mail_identify_free(m) == NULL && mail_identify_free(NULL) == NULL);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "digests", known },
		{ "unended", unended },
		{ "line ends", line_ends },
		{ "Date and Subject", core },
		{ "long Message-IDs", long_ids },
		{ "cut anywhere", any_cut },
		{ "any line end", any_line_end },
		{ "bodies are not looked at", body },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
