/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of a mechanism, and all mechanisms but SCRAM. */
#include "sasl/sasl.h"

#include "lib/check.h"
#include "sasl/prep.h"

static void zeros(void *p, size_t n)
{
	memset(p, 0, n);
}

static const char *chosen(const char *offer, const struct sasl_credentials *c, const char *only)
{
	struct bytes offered[16], rest = bytes_of(offer);
	const struct sasl_mechanism *m;
	size_t n = 0;

	while (rest.n)
		offered[n++] = bytes_cut(&rest, ' ');

	m = sasl_choose(offered, n, c, only);
	return m ? sasl_name(m) : "none";
}

#define ALL                                                                                        \
	"LOGIN PLAIN SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS " \
	"EXTERNAL XOAUTH2 OAUTHBEARER"

static void chooses(struct check *check)
{
	struct sasl_credentials c = { .user = "ann", .password = "x", .random = zeros };

	CHECK_STR(chosen(ALL, &c, NULL), "SCRAM-SHA-256");
	CHECK_STR(chosen("PLAIN LOGIN CRAM-MD5", &c, NULL), "none"); /* not in clear text */
	CHECK_STR(chosen("PLAIN scram-sha-1", &c, NULL), "SCRAM-SHA-1");
	CHECK_STR(chosen("", &c, NULL), "none");
	c.encrypted = true;
	CHECK_STR(chosen("LOGIN PLAIN", &c, NULL), "PLAIN");
	CHECK_STR(chosen("LOGIN", &c, NULL), "LOGIN");
	CHECK_STR(chosen(ALL, &c, "LOGIN"), "LOGIN");
	CHECK_STR(chosen(ALL, &c, "plain"), "PLAIN");
	CHECK_STR(chosen("PLAIN", &c, "SCRAM-SHA-256"), "none");
	CHECK_STR(chosen(ALL, &c, "SCRAM-SHA-256-PLUS"), "none"); /* no channel to bind */
	c.authzid = "boss";
	CHECK_STR(chosen("LOGIN", &c, NULL), "none");
	CHECK_STR(chosen("LOGIN PLAIN", &c, NULL), "PLAIN");
	c.tls_end_point = BYTES("hash");
	CHECK_STR(chosen(ALL, &c, NULL), "SCRAM-SHA-256-PLUS");
	CHECK_STR(chosen("SCRAM-SHA-256 SCRAM-SHA-1-PLUS", &c, NULL), "SCRAM-SHA-256");
	c.external = true;
	CHECK_STR(chosen(ALL, &c, NULL), "EXTERNAL");
	c.token = "t";
	CHECK_STR(chosen(ALL, &c, NULL), "OAUTHBEARER");
	CHECK_STR(chosen("PLAIN XOAUTH2", &c, NULL), "XOAUTH2");
	c = (struct sasl_credentials){ .user = "ann", .token = "t", .random = zeros };
	CHECK_STR(chosen(ALL, &c, NULL), "none"); /* tokens are as good as passwords */
	c = (struct sasl_credentials){
		.user = "ann", .password = "Pa\xdf", .random = zeros, .encrypted = true
	};
	CHECK_STR(chosen(ALL, &c, NULL), "PLAIN"); /* Latin-1: nothing that SCRAM can hash */
}

static struct sasl_exchange *start(struct check *check, const char *name,
				   const struct sasl_credentials *c)
{
	struct bytes offered = bytes_of(name);
	const struct sasl_mechanism *m = sasl_choose(&offered, 1, c, NULL);

	CHECK(m != NULL);
	CHECK_EQ(sasl_client_first(m), strcmp(name, "LOGIN") != 0);
	return sasl_start(m, c, false);
}

/* Q14: quotes, backslash, %, blanks and 8-bit must arrive as they are. */
static const char *const passwords[] = {
	"x", "a\"b", "a\\b\\", "100%", "p\xc3\xa4ss w\xc3\xb6rd ", "Pa\xdf", "{5}", "(*&^",
	"\xe5\xaf\x86\xe7\xa0\x81", "\t",
};

static void plain(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(passwords); i++) {
		struct sasl_credentials c = { .user = "ann@example.org", .password = passwords[i],
					      .authzid = i % 2 ? "boss" : NULL, .encrypted = true };
		_cleanup_(sasl_freep) struct sasl_exchange *e = start(check, "PLAIN", &c);
		_cleanup_(buf_done) struct buf out = BUF_NULL;
		struct bytes rest;
		struct fault f;

		CHECK(!sasl_is_done(e));
		CHECK_EQ(sasl_step(e, BYTES_NULL, &out, &f), 0);
		CHECK(sasl_is_done(e));
		rest = buf_bytes(&out);
		CHECK_BYTES(bytes_cut(&rest, '\0'), bytes_of(i % 2 ? "boss" : ""));
		CHECK_BYTES(bytes_cut(&rest, '\0'), BYTES("ann@example.org"));
		CHECK_BYTES(rest, bytes_of(passwords[i]));

		CHECK_EQ(sasl_step(e, BYTES("more?"), &out, &f), -1);
		CHECK_EQ(f.kind, FAULT_AUTH);
		CHECK(!sasl_is_done(e));
	}
}

static void login(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(passwords); i++) {
		struct sasl_credentials c = { .user = "ann",
					      .password = passwords[i],
					      .encrypted = true };
		_cleanup_(sasl_freep) struct sasl_exchange *e = start(check, "LOGIN", &c);
		_cleanup_(buf_done) struct buf out = BUF_NULL;
		struct fault f;

		CHECK_EQ(sasl_step(e, BYTES("Username:"), &out, &f), 0);
		CHECK_STR(buf_str(&out), "ann");
		CHECK(!sasl_is_done(e));
		buf_reset(&out);
		CHECK_EQ(sasl_step(e, i % 2 ? BYTES("Password:") : BYTES_NULL, &out, &f), 0);
		CHECK_STR(buf_str(&out), passwords[i]);
		CHECK(sasl_is_done(e));
		CHECK_EQ(sasl_step(e, BYTES_NULL, &out, &f), -1);
	}
}

static void external(struct check *check)
{
	struct sasl_credentials c = { .user = "ann", .external = true };
	_cleanup_(sasl_freep) struct sasl_exchange *e = start(check, "EXTERNAL", &c);
	_cleanup_(buf_done) struct buf out = BUF_NULL;
	struct fault f;

	CHECK_EQ(sasl_step(e, BYTES_NULL, &out, &f), 0);
	CHECK_EQ(out.n, 0);
	CHECK(sasl_is_done(e));

	c.authzid = "boss";
	e = sasl_free(e);
	e = start(check, "EXTERNAL", &c);
	CHECK_EQ(sasl_step(e, BYTES_NULL, &out, &f), 0);
	CHECK_STR(buf_str(&out), "boss");
}

static void oauthbearer(struct check *check)
{
	struct sasl_credentials c = { .user = "a=n,n@example.org",
				      .token = "ya29.to-ken==",
				      .encrypted = true,
				      .host = "imap.example.org",
				      .port = 993 };
	_cleanup_(sasl_freep) struct sasl_exchange *e = start(check, "OAUTHBEARER", &c);
	_cleanup_(buf_done) struct buf out = BUF_NULL;
	struct fault f;

	CHECK_EQ(sasl_step(e, BYTES_NULL, &out, &f), 0);
	CHECK_STR(buf_str(&out),
		  "n,a=a=3Dn=2Cn@example.org,\x01host=imap.example.org\x01port=993\x01"
		  "auth=Bearer ya29.to-ken==\x01\x01");
	CHECK(sasl_is_done(e));

	buf_reset(&out);
	CHECK_EQ(sasl_step(e, BYTES("{\"status\":\"invalid_token\",\"scope\":\"mail\"}"), &out, &f),
		 -1);
	CHECK_STR(buf_str(&out), "\x01");
	CHECK_EQ(f.kind, FAULT_AUTH);
	CHECK_EQ(f.reach, REACH_MAILBOX);
	CHECK(strstr(f.text, "\"invalid_token\""));
	CHECK_STR(f.server, "{\"status\":\"invalid_token\",\"scope\":\"mail\"}");
	CHECK(!sasl_is_done(e));
	CHECK_EQ(sasl_step(e, BYTES_NULL, &out, &f), -1); /* and stays so */
}

static void xoauth2(struct check *check)
{
	struct sasl_credentials c = { .user = "ann", .authzid = "shared@example.org", .token = "t",
				      .encrypted = true, .host = "h", .port = 1 };
	_cleanup_(sasl_freep) struct sasl_exchange *e = start(check, "XOAUTH2", &c);
	_cleanup_(buf_done) struct buf out = BUF_NULL;
	struct fault f;

	CHECK_EQ(sasl_step(e, BYTES_NULL, &out, &f), 0);
	CHECK_STR(buf_str(&out), "user=shared@example.org\x01" "auth=Bearer t\x01\x01");
	CHECK(sasl_is_done(e));

	buf_reset(&out);
	CHECK_EQ(sasl_step(e, BYTES("{\"status\":401,\"schemes\":\"Bearer\"}"), &out, &f), -1);
	CHECK_EQ(out.n, 0);
	CHECK(strstr(f.text, "\"401\""));
}

/* What a hostile server calls JSON must neither break nor reach the terminal. */
static void odd_oauth_errors(struct check *check)
{
	static const struct bytes odd[] = {
		BYTES_NULL, BYTES("{"), BYTES("[]"), BYTES("null"), BYTES("{\"status\":{}}"),
		BYTES("{\"status\":\"\\u001b[31m\"}"), BYTES("{\"status\":\"a\\u0000b\"}"),
		BYTES("\xff\0\x1b"),
	};
	struct sasl_credentials c = { .user = "ann", .token = "t", .encrypted = true };

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		_cleanup_(sasl_freep) struct sasl_exchange *e = start(check, "XOAUTH2", &c);
		_cleanup_(buf_done) struct buf out = BUF_NULL;
		struct fault f;

		CHECK_EQ(sasl_step(e, BYTES_NULL, &out, &f), 0);
		CHECK_EQ(sasl_step(e, odd[i], &out, &f), -1);
		CHECK_EQ(f.kind, FAULT_AUTH);
		CHECK(!strchr(f.text, '\x1b') && !strchr(f.server, '\x1b'));
	}
}

static void oauth_fields_cannot_break_out(struct check *check)
{
	static const struct { const char *user, *token; } bad[] = {
		{ "ann", "token\n" }, { "ann", "t\x01" "auth=x" }, { "ann\x01", "t" },
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(bad); i++) {
		struct sasl_credentials c = { .user = bad[i / 2].user, .token = bad[i / 2].token,
					      .encrypted = true };
		_cleanup_(sasl_freep) struct sasl_exchange *e =
			start(check, i % 2 ? "XOAUTH2" : "OAUTHBEARER", &c);
		_cleanup_(buf_done) struct buf out = BUF_NULL;
		struct fault f;

		CHECK_EQ(sasl_step(e, BYTES_NULL, &out, &f), -1);
		CHECK_EQ(out.n, 0);
		CHECK(!strstr(f.text, "auth=x")); /* no secret in a fault */
	}
}

static void prepares(struct check *check)
{
	static const struct { const char *in, *out; } known[] = {
		{ "I\xc2\xadX", "IX" }, { "user", "user" }, { "USER", "USER" }, { "\xc2\xaa", "a" },
		/* RFC 4013 §3 */
		{ "\xe2\x85\xa8", "IX" },
		{ "a\xc2\xa0" "b", "a b" }, { "a\xe3\x80\x80" "b", "a b" },
		{ "u\xcc\x88", "\xc3\xbc" },
		{ "", "" }, { " \"\\% ", " \"\\% " }, { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
	};
	static const char *const bad[] = {
		"\x07", "a\x7f", "\xd8\xa7\xe2\x80\x8f", "\xee\x80\x80", "\xef\xbf\xbf",
		"\xf0\x9f\xbf\xbe", "\xff", "Pa\xdf", "\xf3\xa0\x80\x81", "\xc2\x85",
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		_cleanup_(buf_done) struct buf to = BUF_NULL;

		CHECK_EQ(sasl_prep(known[i].in, &to), 0);
		CHECK_STR(buf_str(&to), known[i].out);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(buf_done) struct buf to = BUF_NULL;

		CHECK_EQ(sasl_prep(bad[i], &to), -1);
		CHECK_EQ(to.n, 0);
	}
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "chooses", chooses },
		{ "plain", plain },
		{ "login", login },
		{ "external", external },
		{ "oauthbearer", oauthbearer },
		{ "xoauth2", xoauth2 },
		{ "odd-oauth-errors", odd_oauth_errors },
		{ "oauth-fields-cannot-break-out", oauth_fields_cannot_break_out },
		{ "prepares", prepares },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
