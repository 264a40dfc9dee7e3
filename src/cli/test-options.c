/* SPDX-License-Identifier: Apache-2.0 */
/* Options from a table: each type, what it refuses, and that help names every line. */
#include "cli/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/check.h"

struct values {
	bool flag;
	const char *string;
	struct string_list list;
	unsigned count;
	int64_t seconds_us, day;
	struct rate rate;
};

static const struct option_line lines[] = {
	{ "Heading", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "flag", OPTION_FLAG, offsetof(struct values, flag), NULL, "a flag", 0, 0 },
	{ "string", OPTION_STRING, offsetof(struct values, string), "TEXT", "a text\non two lines", 0, 0 },
	{ "list", OPTION_LIST, offsetof(struct values, list), "GLOB", "a list", 0, 0 },
	{ "count", OPTION_COUNT, offsetof(struct values, count), "N", "a number", 1, 64 },
	{ "a-very-long-name-of-one", OPTION_SECONDS, offsetof(struct values, seconds_us), "SECONDS", "time", 0, 0 },
	{ "day", OPTION_DAY, offsetof(struct values, day), "DAY", "a day", 0, 0 },
	{ "rate", OPTION_RATE, offsetof(struct values, rate), "RATE", "a rate", 0, 0 },
	{ "moved", OPTION_ELSEWHERE, 0, NULL, "is an option of another form", 0, 0 },
};

enum { WORDS = 16 };

struct parsed {
	struct values values;
	struct string_list rest;
	struct fault fault;
	int result;
};

/* words: what follows the verb, with a blank between. */
static struct parsed parse(char *words)
{
	struct parsed p = { .fault = FAULT_INIT };
	char *argv[WORDS] = { (char[]){ "copy" } };
	int argc = 1;

	for (char *word; argc < WORDS - 1 && (word = strsep(&words, " "));)
		argv[argc++] = word;
	p.result = options_parse(lines, ARRAY_SIZE(lines), argc, argv, &p.values, &p.rest, &p.fault);
	return p;
}

static void done(struct parsed *p)
{
	string_list_done(&p->values.list);
	string_list_done(&p->rest);
}

static void takes_each_type(struct check *check)
{
	char words[] = "--flag --string=a=b --list x --count 64 --list=y --day 2020-02-29 --rate 4/s rest";
	struct parsed p = parse(words);

	CHECK_EQ(p.result, 0);
	CHECK(p.values.flag);
	CHECK_STR(p.values.string, "a=b");
	CHECK_EQ(p.values.list.n, 2);
	CHECK_STR(p.values.list.p[0], "x");
	CHECK_STR(p.values.list.p[1], "y");
	CHECK(!p.values.list.p[2]);
	CHECK_EQ(p.values.count, 64);
	CHECK_EQ(p.values.day, 1582934400);
	CHECK_EQ(p.values.rate.messages_per_second, 4);
	CHECK_EQ(p.values.rate.bytes_per_second, 0);
	CHECK_EQ(p.rest.n, 1);
	CHECK_STR(p.rest.p[0], "rest");
	done(&p);
}

static void leaves_what_was_not_given(struct check *check)
{
	struct parsed p = parse(NULL);

	CHECK_EQ(p.result, 0);
	CHECK(!p.values.flag && !p.values.string && !p.values.list.p && !p.values.count);
	CHECK_EQ(p.rest.n, 0);
}

static void ends_at_two_dashes(struct check *check)
{
	char words[] = "--flag -- --string";
	struct parsed p = parse(words);

	CHECK_EQ(p.result, 0);
	CHECK_EQ(p.rest.n, 1);
	CHECK_STR(p.rest.p[0], "--string");
	done(&p);
}

static void seconds_and_rates(struct check *check)
{
	static const struct {
		const char *text;
		int64_t us;
	} times[] = { { "90", 90 * SECOND }, { "0.5", SECOND / 2 }, { "2m", 120 * SECOND }, { "1.5s", 1500 * MSEC },
		      { "0.001", MSEC }, { "86400", 86400 * SECOND }, { "1440m", 86400 * SECOND } };
	static const struct {
		const char *text;
		uint64_t bytes, messages;
	} rates[] = { { "500K", 500 << 10, 0 }, { "2M", 2 << 20, 0 }, { "1.5K", 1536, 0 }, { "1", 1, 0 },
		      { "1G", 1 << 30, 0 }, { "1/s", 0, 1 } };
	char words[100];

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		snprintf(words, sizeof(words), "--a-very-long-name-of-one %s", times[i].text);
		CHECK_EQ(parse(words).values.seconds_us, times[i].us);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		struct parsed p;

		snprintf(words, sizeof(words), "--rate %s", rates[i].text);
		p = parse(words);
		CHECK_EQ(p.values.rate.bytes_per_second, rates[i].bytes);
		CHECK_EQ(p.values.rate.messages_per_second, rates[i].messages);
	}
}

static void knows_where_others_belong(struct check *check)
{
	static const char *const words[] = { "--moved", "--moved x", "--moved=x" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		char copy[20], sentence[100];
		struct parsed p;

		snprintf(copy, sizeof(copy), "%s", words[i]);
		p = parse(copy);
		CHECK_EQ(p.result, -1);
		CHECK_EQ(p.fault.kind, FAULT_USAGE);
		fault_format(&p.fault, sentence, sizeof(sentence));
		CHECK_STR(sentence, "--moved is an option of another form");
		done(&p);
	}
}

/* Each is refused with the option's name in the sentence. */
static void refuses(struct check *check)
{
	static const char *const words[] = {
		"--nothing", "--string", "--string a --string b", "--flag=yes", "--count 0", "--count 65", "--count x",
		"--count -1", "--count 1x", "--count=", "--count 99999999999999999999", "--a-very-long-name-of-one 0",
		"--a-very-long-name-of-one -1", "--a-very-long-name-of-one 1h", "--a-very-long-name-of-one 86401",
		"--a-very-long-name-of-one inf", "--a-very-long-name-of-one nan", "--a-very-long-name-of-one 1e99",
		"--day 2020-02-30", "--day yesterday", "--day 2020-2-1", "--rate 0", "--rate K", "--rate 4/m",
		"--rate -1", "--rate 2T", "--rate 1e300", "--rate 0.5/s", "-x", "-f",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		char text[100], name[100];
		struct parsed p;

		snprintf(text, sizeof(text), "%s", words[i]);
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(words[i], "= "), words[i]);
		p = parse(text);
		if (p.result != -1 || p.fault.kind != FAULT_USAGE || !strstr(p.fault.text, name))
			CHECK_FAIL("%s: %d, %s", words[i], p.result, p.fault.text);
		done(&p);
	}
}

static void says_what_was_meant(struct check *check)
{
	char words[] = "--strnig x";
	struct parsed p = parse(words);

	CHECK_EQ(p.result, -1);
	CHECK_STR(p.fault.text, "--strnig is not an option here; did you mean --string?");
	done(&p);
}

static void help_goes_first(struct check *check)
{
	char words[] = "--flag --help --nothing";

	CHECK_EQ(parse(words).result, 1);
}

static void help_names_every_line(struct check *check)
{
	char text[4000] = "";
	FILE *file = tmpfile();
	int saved = dup(1);

	fflush(stdout);
	dup2(fileno(file), 1);
	options_help(lines, ARRAY_SIZE(lines));
	fflush(stdout);
	dup2(saved, 1);
	close(saved);
	rewind(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);

	CHECK(strstr(text, "\nHeading:\n  --flag                      a flag\n"));
	CHECK(strstr(text, "  --string TEXT               a text\n                              on two lines\n"));
	CHECK(strstr(text, "  --a-very-long-name-of-one SECONDS\n                              time\n"));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) /* but those of other forms */
		CHECK(!strstr(text, lines[i].name) == (lines[i].type == OPTION_ELSEWHERE));
}

static void long_lists(struct check *check)
{
	struct string_list list = { .n = 0 };

	for (int i = 0; i < 1000; i++)
		string_list_add(&list, "x");
	CHECK_EQ(list.n, 1000);
	CHECK(!list.p[1000]);
	string_list_done(&list);
	CHECK(!list.p);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "takes each type", takes_each_type },
		{ "leaves what was not given", leaves_what_was_not_given },
		{ "ends at two dashes", ends_at_two_dashes },
		{ "seconds and rates", seconds_and_rates },
		{ "knows where others belong", knows_where_others_belong },
		{ "refuses what it does not understand", refuses },
		{ "says what was meant", says_what_was_meant },
		{ "help goes before what is wrong behind it", help_goes_first },
		{ "help names every line", help_names_every_line },
		{ "lists of any length", long_lists },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
