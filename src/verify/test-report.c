/* SPDX-License-Identifier: Apache-2.0 */
/* Reports: what servers and users wrote cannot leave its place in any of the formats. */
#include "verify/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "lib/check.h"

static struct verify *a_verify(void)
{
	struct verify *v = xzalloc(sizeof(*v));

	v->n = 2;
	v->folders = xzalloc(2 * sizeof(*v->folders));
	v->folders[0] = (struct verify_folder){
		.source_utf8 = BYTES("=HYPERLINK(\"x\")"), .source_name = BYTES("a"),
		.destination_utf8 = BYTES("b,\"c\"\r\n\033[2J"), .destination_name = BYTES("b"), .left_out = "",
		.state = VERIFY_DONE, .source = { .messages = 3, .counted = true },
		.destination = { .messages = 2, .counted = true }, .there = 2, .missing = 1,
	};
	v->folders[1] = (struct verify_folder){ .source_utf8 = BYTES("All"), .source_name = BYTES("All"),
						.left_out = "shows other folders' messages" };
	v->options.level = VERIFY_CONTENT;
	v->options.sample_ppm = 52500;
	v->options.seed = UINT64_MAX;
	v->finished = true;
	v->grade = VERIFY_NOT_READY;
	return v;
}

static struct verify *free_it(struct verify *v)
{
	free(v->folders);
	free(v);
	return NULL;
}
DEFINE_FREEP(struct verify, free_it);

static void write_report(struct verify *v, enum verify_format format, unsigned findings, struct buf *to)
{
	static const struct ledger_accepted someone = { "missing", "", 0, "+1 \"fine\"", "@root", 0 };
	static const unsigned char digest[32] = { 0xab, 1 };
	struct verify_report r = { .format = format, .from = "imaps://a@x", .to = "imaps://a@y",
				   .ledger = "l.db", .most = 2 };
	struct verify_finding f = {
		.kind = VERIFY_MISSING, .folder = &v->folders[0], .uid = 7, .copy_uid = 9, .messages = 1,
		.size = 100, .digest = digest, .message_id = "-cmd|' /C calc'!A0", .detail = "line\nend",
		.cause = "", .accepted = &someone,
	};

	for (unsigned i = 0; i < findings; i++) {
		verify_tally_add(v->tally, &f);
		verify_report_finding(&r, v, &f, to);
	}
	verify_report_end(&r, v, NULL, to);
	verify_report_done(&r);
}

static size_t lines_of(struct bytes b)
{
	size_t n = 0;

	for (size_t i = 0; i < b.n; i++)
		n += b.p[i] == '\n';
	return n;
}

static void formulas(struct check *check)
{
	static const char *const texts[][2] = {
		{ "=1+1", "\"'=1+1\"," }, { "+1", "\"'+1\"," }, { "-1", "\"'-1\"," }, { "@x", "\"'@x\"," },
		{ "  =1", "\"'  =1\"," }, { "a=1", "\"a=1\"," }, { "a\"b", "\"a\"\"b\"," }, { "", "," },
		{ "a,b", "\"a,b\"," }, { "\uff1d1", "\"'\uff1d1\"," }, { "%0A", "\"'%0A\"," },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(buf_done) struct buf text = BUF_NULL;

		verify_csv_cell(&text, texts[i][0]);
		CHECK_STR(buf_str(&text), texts[i][1]);
	}
}

/* Every line has as many cells as the head: nothing got out of its quotes. */
static size_t cells_of(struct bytes line)
{
	size_t n = 1;
	bool quoted = false;

	for (size_t i = 0; i < line.n; i++) {
		quoted ^= line.p[i] == '"';
		n += line.p[i] == ',' && !quoted;
	}
	return quoted ? 0 : n;
}

static void csv(struct check *check)
{
	_cleanup_(free_itp) struct verify *v = a_verify();
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct bytes rest;
	size_t cells = 0;

	write_report(v, VERIFY_CSV, 3, &text);
	rest = buf_bytes(&text);
	CHECK_EQ(lines_of(rest), 1 + 1 + 3 + 2 + 1 + 1);
	while (rest.n) {
		size_t n = cells_of(bytes_cut(&rest, '\n'));

		CHECK(n > 0);
		if (cells)
			CHECK_EQ(n, cells);
		cells = n;
	}
	CHECK(strstr(buf_str(&text), "finding,missing,yes,\"'=HYPERLINK(\"\"x\"\")\",\"b,\"\"c\"\""));
	CHECK(strstr(buf_str(&text), ",7,9,1,100,,ab0100"));
	CHECK(strstr(buf_str(&text), "\"'-cmd|' /C calc'!A0\""));
	CHECK(strstr(buf_str(&text), "\"'@root\",\"1970-01-01T00:00:00Z\",\"'+1 \"\"fine\"\"\""));
	CHECK(strstr(buf_str(&text), "sample 5.25%; seed 18446744073709551615"));
	CHECK(strstr(buf_str(&text), "\"grade\",\"not-ready\""));
	CHECK(!strchr(buf_str(&text), '\033'));
}

/* What a pass of copy noted names both digests; they are not told again. */
static void noted(struct check *check)
{
	static const unsigned char ours[32] = { 0xab, 1 }, theirs[32] = { 0xcd, 2 };
	_cleanup_(free_itp) struct verify *v = a_verify();
	struct verify_report r = { .format = VERIFY_TEXT, .most = 2 };
	struct verify_finding f = {
		.kind = VERIFY_ALTERED, .folder = &v->folders[0], .uid = 7, .size = 100, .copy_size = 99,
		.digest = ours, .copy_digest = theirs, .cause = "altered", .message_id = "", .detail = "sent ",
	};

	for (unsigned told = 0; told < 2; told++) {
		_cleanup_(buf_done) struct buf detail = BUF_NULL, text = BUF_NULL;
		char here[65], there[65];

		verify_hex(here, ours);
		verify_hex(there, theirs);
		buf_appendf(&detail, told ? "sent %s, there %s" : "sent %s", here, there);
		f.detail = buf_str(&detail);
		verify_report_finding(&r, v, &f, &text);
		buf_append_bytes(&text, buf_bytes(&r.kept[VERIFY_ALTERED]));
		CHECK_EQ(strstr(buf_str(&text), ", 100 bytes, at the destination 99") != NULL, !told);
		CHECK_EQ(strstr(buf_str(&text), ", SHA-256 ab01") != NULL, !told);
		verify_report_done(&r);
		r = (struct verify_report){ .format = VERIFY_TEXT, .most = 2 };
	}
}

static void json(struct check *check)
{
	for (unsigned n = 0; n < 3; n++) {
		_cleanup_(free_itp) struct verify *v = a_verify();
		_cleanup_(buf_done) struct buf text = BUF_NULL;
		json_t *all, *finding;

		write_report(v, VERIFY_JSON, n, &text);
		all = json_loads(buf_str(&text), JSON_REJECT_DUPLICATES, NULL);
		CHECK(all);
		CHECK_EQ(json_array_size(json_object_get(all, "findings")), n);
		CHECK_EQ(json_array_size(json_object_get(all, "folders")), 2);
		CHECK_STR(json_string_value(json_object_get(all, "grade")), "not-ready");
		CHECK_STR(json_string_value(json_object_get(all, "seed")), "18446744073709551615");
		CHECK(json_is_true(json_object_get(json_object_get(all, "total"), "closed")));
		finding = json_array_get(json_object_get(all, "findings"), 0);
		if (n) {
			CHECK_STR(json_string_value(json_object_get(finding, "finding")), "missing");
			CHECK_STR(json_string_value(json_object_get(finding, "folder")),
				  "=HYPERLINK(\"x\")");
			CHECK_STR(json_string_value(json_object_get(json_object_get(finding, "accepted"), "who")),
				  "@root");
		}
		json_decref(all);
	}
}

static void text(struct check *check)
{
	_cleanup_(free_itp) struct verify *v = a_verify();
	_cleanup_(buf_done) struct buf out = BUF_NULL;

	write_report(v, VERIFY_TEXT, 5, &out);
	CHECK(strstr(buf_str(&out), "verdict      not ready: 5 missing (5 accepted)\n"));
	CHECK(strstr(buf_str(&out), "missing (5): copied, but not at the destination\n"));
	CHECK(strstr(buf_str(&out), "  … and 3 more;"));
	CHECK(strstr(buf_str(&out), "The books close.\n"));
	CHECK(strstr(buf_str(&out), "  All: shows other folders' messages\n"));
	CHECK(!strchr(buf_str(&out), '\033'));
	CHECK(!strchr(buf_str(&out), '\r'));
}

static void closing(struct check *check)
{
	struct verify_folder f = { .source = { .messages = 36, .counted = true },
				   .destination = { .messages = 12, .counted = true }, .state = VERIFY_DONE,
				   .there = 1, .elsewhere = 2, .missing = 3, .not_copied = 4, .fresh = 5,
				   .filtered = 6, .unaccounted = 7, .unlisted = 8, .kept = 5, .strangers = 6 };

	CHECK(verify_closes(&f));
	f.source.messages++;
	CHECK(!verify_closes(&f));
	f.source.messages--;
	f.strangers++;
	CHECK(!verify_closes(&f));
	f.strangers--;
	f.source.counted = false;
	CHECK(!verify_closes(&f));
	f.source.counted = true;
	CHECK(verify_closes(&f));
	f.state = VERIFY_FAILED;
	CHECK(!verify_closes(&f));
}

static void formats(struct check *check)
{
	enum verify_format format;
	struct fault fault;

	CHECK_EQ(verify_format_of("a.txt", &format, &fault), 0);
	CHECK_EQ(format, VERIFY_TEXT);
	CHECK_EQ(verify_format_of("a.b.json", &format, &fault), 0);
	CHECK_EQ(format, VERIFY_JSON);
	CHECK_EQ(verify_format_of("a.csv", &format, &fault), 0);
	CHECK_EQ(format, VERIFY_CSV);
	CHECK_EQ(verify_format_of("csv", &format, &fault), -1);
	CHECK_EQ(verify_format_of(".csv", &format, &fault), -1);
	CHECK_EQ(verify_format_of("a.xls", &format, &fault), -1);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "no cell is a formula", formulas },
		{ "CSV", csv },
		{ "digests that were noted are told once", noted },
		{ "JSON", json },
		{ "text", text },
		{ "books close at both sides, or not", closing },
		{ "formats by name", formats },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
