/* SPDX-License-Identifier: Apache-2.0 */
/* SCRAM against the examples of RFC 5802 §5 and RFC 7677 §3, vectors computed by another
 * implementation (Python's hashlib and hmac), and servers that cheat. */
#include "base/xalloc.h"
#include "lib/check.h"
#include "sasl/mechanism.h"

/* Gives the nonce AAECAwQFBgcICQoLDA0ODxAR. */
static void counting(void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((unsigned char *)p)[i] = (unsigned char)i;
}

#define N "AAECAwQFBgcICQoLDA0ODxAR"

static const char cb_exporter[] =
	"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
	"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f";

struct dialogue {
	const struct sasl_mechanism *mechanism;
	struct sasl_credentials credentials;
	bool offered_plus;
	const char *nonce;
	const char *first, *server_first, *final, *server_final;
};

static const struct dialogue good[] = {
	{ &sasl_scram_sha_1,
	  { .user = "user", .password = "pencil" },
	  false,
	  "fyko+d2lbbFgONRv9qkxdawL",
	  "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
	  "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
	  "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
	  "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=" },
	{ &sasl_scram_sha_256,
	  { .user = "user", .password = "pencil" },
	  true,
	  "rOprNGfwEbeRWgbNEkqO",
	  "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
	  "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	  "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	  "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	  "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
	/* bound to the exporter, with an authzid; extensions behind are for others */
	{ &sasl_scram_sha_256_plus,
	  { .user = "ann,=",
	    .password = "p\"\\% Äß",
	    .authzid = "boss=,",
	    .tls_exporter = { cb_exporter, 32 },
	    .tls_end_point = { "unused", 6 } },
	  true,
	  N,
	  "p=tls-exporter,a=boss=3D=2C,n=ann=2C=3D,r=" N,
	  "r=" N "SRV,s=MDEyMzQ1Njc4OQ==,i=1000",
	  "c=cD10bHMtZXhwb3J0ZXIsYT1ib3NzPTNEPTJDLAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f,r=" N
	  "SRV,"
	  "p=UWrEyEb7JrMp7qkwwnd9uq+pLpvs3DCOJTHGv/jlce0=",
	  "v=qLKlfHMrKpe9qncwwZu3xR2TAfagtMeUs8zpRQ1oh8E=" },
	/* bound to the certificate; user and password are prepared (RFC 4013) first */
	{ &sasl_scram_sha_1_plus,
	  { .user = "ju\xcc\x88rgen",
	    .password = "I\xc2\xadX",
	    .tls_end_point = { "certcertcertcertcert", 20 } },
	  true,
	  N,
	  "p=tls-server-end-point,,n=jürgen,r=" N,
	  "r=" N "SRV,s=AHNhbHQ=,i=1000",
	  "c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsY2VydGNlcnRjZXJ0Y2VydGNlcnQ=,r=" N "SRV,"
	  "p=s3RMVLgzNj5e3hZy6pSL5RFnCX8=",
	  "v=8xPvG8Wshedd5FNtxA9a5r0+oRA=" },
	/* "y": we could have bound the channel but nobody offered */
	{ &sasl_scram_sha_256,
	  { .user = "ann", .password = "x", .tls_exporter = { cb_exporter, 32 } },
	  false,
	  N,
	  "y,,n=ann,r=" N,
	  "r=" N "SRV,s=cw==,i=1000",
	  "c=eSws,r=" N "SRV,p=9LsWdSR7oMbSBIITySKAp5lB6ZpB4Zuo5V7wMy85Tzo=",
	  "v=j9qCNLH0NriB9LO1OUM9/ZvN7wtuFTaB2Z+YG5ZEjYs=" },
};

static struct sasl_exchange *start(const struct dialogue *d, struct sasl_credentials *c)
{
	struct sasl_exchange *e;

	*c = d->credentials;
	c->random = counting;
	e = sasl_start(d->mechanism, c, d->offered_plus);
	e->scram.nonce = strcmp(d->nonce, N) ? xstrdup(d->nonce) : NULL; /* N must come by itself */
	return e;
}

static void dialogues(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		const struct dialogue *d = &good[i];
		struct sasl_credentials c;
		_cleanup_(sasl_freep) struct sasl_exchange *e = start(d, &c);
		_cleanup_(buf_done) struct buf out = BUF_NULL;
		struct fault f;

		CHECK(d->mechanism->fits(d->mechanism, &c));
		CHECK_EQ(sasl_step(e, BYTES_NULL, &out, &f), 0);
		CHECK_STR(buf_str(&out), d->first);
		buf_reset(&out);
		CHECK_EQ(sasl_step(e, bytes_of(d->server_first), &out, &f), 0);
		CHECK_STR(buf_str(&out), d->final);
		CHECK(!sasl_is_done(e)); /* an OK now would be a lie */
		buf_reset(&out);
		CHECK_EQ(sasl_step(e, bytes_of(d->server_final), &out, &f), 0);
		CHECK_EQ(out.n, 0);
		CHECK(sasl_is_done(e));
		CHECK_EQ(sasl_step(e, bytes_of(d->server_final), &out, &f), -1);
		CHECK(!sasl_is_done(e));
	}
}

static void offered_but_not_possible_is_n(struct check *check)
{
	struct dialogue d = good[4];
	struct sasl_credentials c;
	_cleanup_(buf_done) struct buf out = BUF_NULL;
	struct fault f;

	d.offered_plus = true; /* asked for by name: "y" would be taken for an attack */
	_cleanup_(sasl_freep) struct sasl_exchange *e = start(&d, &c);

	CHECK_EQ(sasl_step(e, BYTES_NULL, &out, &f), 0);
	CHECK(bytes_starts(buf_bytes(&out), BYTES("n,,")));
}

/* The first example, in which the server says something else at its first turn. */
static void check_first(struct check *check, struct bytes server_first, const char *speaks_of)
{
	struct sasl_credentials c;
	_cleanup_(sasl_freep) struct sasl_exchange *e = start(&good[0], &c);
	_cleanup_(buf_done) struct buf out = BUF_NULL;
	struct fault f;

	CHECK_EQ(sasl_step(e, BYTES_NULL, &out, &f), 0);
	buf_reset(&out);
	if (sasl_step(e, server_first, &out, &f) == 0)
		CHECK_FAIL("\"%.*s\" was accepted", BYTES_ARG(server_first));
	CHECK_EQ(out.n, 0); /* no proof for somebody who cheats */
	CHECK_EQ(f.kind, FAULT_AUTH);
	CHECK_EQ(f.reach, REACH_MAILBOX);
	if (!strstr(f.text, speaks_of))
		CHECK_FAIL("\"%.*s\": %s", BYTES_ARG(server_first), f.text);

	/* Whoever goes on regardless gets nowhere. */
	CHECK_EQ(sasl_step(e, BYTES("v=AAAAAAAAAAAAAAAAAAAAAAAAAAA="), &out, &f), -1);
	CHECK(!sasl_is_done(e));
}

static void cheating_at_first(struct check *check)
{
	static const char *const malformed[] = {
		"", "r", "r=", "x", ",,,", "s=QSXCR+Q6sek8bf92,i=4096",
		"r=fyko+d2lbbFgONRv9qkxdawLx", "r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXC",
		"r=fyko+d2lbbFgONRv9qkxdawLx,i=4096,s=QSXC",
		"r=fyko+d2lbbFgONRv9qkxdawLx,s=,i=4096", "r=fyko+d2lbbFgONRv9qkxdawLx,s=!!,i=4096",
	};

	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++)
		check_first(check, bytes_of(malformed[i]), "not SCRAM's");

	/* nothing added */
	check_first(check, BYTES("r=fyko+d2lbbFgONRv9qkxdawL,s=QSXC,i=4096"), "nonce");
	check_first(check, BYTES("r=Xyko+d2lbbFgONRv9qkxdawLx,s=QSXC,i=4096"), "nonce");
	check_first(check, BYTES("r=fyko,s=QSXC,i=4096"), "nonce");
	check_first(check, BYTES("r=fyko+d2lbbFgONRv9qkxdawL\0x,s=QSXC,i=4096"), "nonce");
	check_first(check, BYTES("r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXC,i=999"), "iteration");
	check_first(check, BYTES("r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXC,i=0"), "iteration");
	check_first(check, BYTES("r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXC,i=-4096"), "iteration");
	check_first(check, BYTES("r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXC,i="), "iteration");
	check_first(check, BYTES("r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXC,i=10000001"), "iteration");
	check_first(check, BYTES("r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXC,i=99999999999999999999999"),
		    "iteration");
	check_first(check, BYTES("m=x,r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXC,i=4096"), "extension");
	check_first(check, BYTES("r=fyko+d2lbbFgONRv9qkxdawLx,s=QSXC,i=4096,m=x"), "extension");
	check_first(check, BYTES("e=unknown-user"), "user or password");
	check_first(check, BYTES("e=server-does-support-channel-binding"), "between us");
	check_first(check, BYTES("e=other-error"), "its own word");
}

static void long_messages(struct check *check)
{
	_cleanup_(buf_done) struct buf b = BUF_NULL;

	buf_append_str(&b, "r=fyko+d2lbbFgONRv9qkxdawL");
	for (int i = 0; i < 5000; i++)
		buf_append_char(&b, 'x');
	buf_append_str(&b, ",s=QSXC,i=4096");
	check_first(check, buf_bytes(&b), "not SCRAM's");
}

static void cheating_at_the_end(struct check *check)
{
	static const struct { const char *message, *speaks_of; } bad[] = {
		{ "v=rmF9pqV8S7suAoZWja4dJRkFsKA=", "does not know the password" },
		{ "v=rmF9pqV8S7suAoZWja4dJRkFsA==", "does not know the password" },
		{ "v=", "does not know the password" },
		{ "v=!", "not SCRAM's" },
		{ "", "not SCRAM's" },
		{ "rmF9pqV8S7suAoZWja4dJRkFsKQ=", "not SCRAM's" },
		{ "e=invalid-proof", "user or password" },
		{ "e=channel-bindings-dont-match", "between us" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct sasl_credentials c;
		_cleanup_(sasl_freep) struct sasl_exchange *e = start(&good[0], &c);
		_cleanup_(buf_done) struct buf out = BUF_NULL;
		struct fault f;

		CHECK_EQ(sasl_step(e, BYTES_NULL, &out, &f), 0);
		CHECK_EQ(sasl_step(e, bytes_of(good[0].server_first), &out, &f), 0);
		CHECK_EQ(sasl_step(e, bytes_of(bad[i].message), &out, &f), -1);
		if (!strstr(f.text, bad[i].speaks_of))
			CHECK_FAIL("\"%s\": %s", bad[i].message, f.text);
		CHECK(!sasl_is_done(e));
	}
}

static void nonces_are_random(struct check *check)
{
	struct sasl_credentials c;
	_cleanup_(sasl_freep) struct sasl_exchange *e = start(&good[4], &c);
	_cleanup_(buf_done) struct buf out = BUF_NULL;
	struct fault f;

	CHECK_EQ(sasl_step(e, BYTES_NULL, &out, &f), 0);
	CHECK_STR(e->scram.nonce, N); /* all 18 bytes come from the given source */
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "dialogues", dialogues },
		{ "offered-but-not-possible-is-n", offered_but_not_possible_is_n },
		{ "cheating-at-first", cheating_at_first },
		{ "long-messages", long_messages },
		{ "cheating-at-the-end", cheating_at_the_end },
		{ "nonces-are-random", nonces_are_random },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
