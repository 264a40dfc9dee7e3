/* SPDX-License-Identifier: Apache-2.0 */
/* Status files: what is written is read, and what anybody may have put there does no harm. */
#include "fleet/status.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "lib/check.h"
#include "os/testing.h"

static void slugs(struct check *check)
{
	static const struct {
		const char *address, *begins;
	} cases[] = {
		{ "Anna.Arnold@old.example", "anna.arnold@old.example-" },
		{ "../../etc/passwd", "_.________" },
		{ "..", "_.-" },
		{ "a/b\nc", "a_b_c-" },
		{ "", "-" },
		{ "m\xc3\xbcller", "m__ller-" },
	};
	_cleanup_(buf_done) struct buf a = BUF_NULL, b = BUF_NULL;
	char longest[4000];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		buf_reset(&a);
		fleet_slug(cases[i].address, &a);
		if (i != 1 && strncmp(buf_str(&a), cases[i].begins, strlen(cases[i].begins)) != 0)
			CHECK_FAIL("%s becomes %s", cases[i].address, buf_str(&a));
		CHECK(!strchr(buf_str(&a), '/') && buf_str(&a)[0] != '.');
	}

	buf_reset(&a);
	fleet_slug("anna", &a);
	fleet_slug("Anna", &b);
	CHECK(strcmp(buf_str(&a), buf_str(&b)) !=
	      0); /* two accounts, until somebody says otherwise */

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	buf_reset(&a);
	fleet_slug(longest, &a);
	CHECK(a.n < 100);
}

static void there_and_back(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(freep) char *words = NULL;
	struct fleet_status s, back;

	testing_folder_make(&folder);
	testing_path(&folder, "status.json");
	fleet_status_init(&s, "anna@old.example", "first");
	CHECK_EQ(fleet_status_read(folder.file, &arena, &back), 1);
	s.state = FLEET_PARKED;
	s.pass = "seed";
	s.folders = 7;
	s.messages = UINT64_MAX; /* a server's word */
	s.messages_done = 5;
	s.left_us = 90 * SECOND;
	s.causes[CAUSE_TOO_LARGE] = 3;
	s.error = "it said \x1b[31mno";
	s.error_kind = "limit";
	s.retry_at = 1700000000 * SECOND;
	s.exit_status = 3;
	s.process = os_this_process();
	s.seeded = true;
	s.tries = 4;
	words = fleet_status_words(&s);
	testing_write(folder.file, words);

	CHECK_EQ(fleet_status_read(folder.file, &arena, &back), 0);
	CHECK_STR(back.mailbox, "anna@old.example");
	CHECK_STR(back.wave, "first");
	CHECK_EQ(back.state, FLEET_PARKED);
	CHECK_STR(back.pass, "seed");
	CHECK_EQ(back.folders, 7);
	CHECK_EQ(back.messages, INT64_C(1) << 53);
	CHECK_EQ(back.messages_done, 5);
	CHECK_EQ(back.left_us, 90 * SECOND);
	CHECK_EQ(back.causes[CAUSE_TOO_LARGE], 3);
	CHECK_EQ(back.causes[CAUSE_REFUSED], 0);
	CHECK_STR(back.error, "it said \xef\xbf\xbd[31mno");
	CHECK_EQ(back.retry_at, 1700000000 * SECOND);
	CHECK_EQ(back.exit_status, 3);
	CHECK_EQ(back.tries, 4);
	CHECK_EQ(back.process.pid, s.process.pid);
	CHECK_EQ(back.process.began, s.process.began);
	CHECK(back.seeded);
	CHECK_STR(back.host, "");
}

static void hostile(struct check *check)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{ "", 1 },
		{ "{", 1 },
		{ "[]", 1 },
		{ "null", 1 },
		{ "\"x\"", 1 },
		{ "{}", 1 },
		{ "{\"mailbox\":\"a\"}", 1 },
		{ "{\"mailbox\":\"a\",\"state\":\"unheard of\"}", 1 },
		{ "{\"mailbox\":\"a\",\"state\":7}", 1 },
		{ "{\"mailbox\":[\"a\"],\"state\":\"done\"}", 1 },
		{ "{\"mailbox\":\"\",\"state\":\"done\"}", 1 },
		{ "{\"mailbox\":\"a\",\"mailbox\":\"b\",\"state\":\"done\"}", 1 },
		{ "{\"mailbox\":\"a\",\"state\":\"done\"}", 0 },
		{ "{\"mailbox\":\"a\",\"state\":\"done\",\"folders\":-5,\"messages\":1.5,\"bytes\":\"many\","
		  "\"exceptions\":7,\"pid\":-1,\"tries\":-9,\"exit_status\":4711,\"retry_at\":-8,\"left_us\":-77,"
		  "\"seeded\":\"yes\",\"wave\":null,\"error\":{}}",
		  0 },
		{ "{\"mailbox\":\"a\",\"state\":\"done\",\"folders\":99999999999999999999}", 1 },
	};
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct fleet_status s;

	testing_folder_make(&folder);
	testing_path(&folder, "status.json");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		testing_write(folder.file, cases[i].text);
		if (fleet_status_read(folder.file, &arena, &s) != cases[i].want)
			CHECK_FAIL("%s: not %d", cases[i].text, cases[i].want);
		if (cases[i].want)
			continue;
		CHECK_EQ(s.folders, 0);
		CHECK_EQ(s.messages, 0);
		CHECK_EQ(s.exit_status, -1);
		CHECK_EQ(s.process.pid, 0);
		CHECK_EQ(s.left_us, -1);
		CHECK_EQ(s.retry_at, 0);
		CHECK(!s.seeded && !s.wave[0] && !s.error[0]);
	}
}

static void huge(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct fleet_status s;

	testing_folder_make(&folder);
	testing_path(&folder, "status.json");
	buf_append_str(&text, "{\"mailbox\":\"a\",\"state\":\"failed\",\"error\":\"");
	for (int i = 0; i < 5000; i++)
		buf_append_str(&text, "\xc3\xa4""bc\\n");
	buf_append_str(&text, "\"}");
	testing_write(folder.file, buf_str(&text));
	CHECK_EQ(fleet_status_read(folder.file, &arena, &s), 0);
	CHECK(strlen(s.error) < 3000 && !strchr(s.error, '\n'));

	for (int i = 0; i < 100000; i++)
		buf_append_str(&text, " ");
	testing_write(folder.file, buf_str(&text));
	CHECK_EQ(fleet_status_read(folder.file, &arena, &s), 1);

	buf_reset(&text);
	for (int i = 0; i < 30000; i++)
		buf_append_str(&text, "[");
	testing_write(folder.file, buf_str(&text));
	CHECK_EQ(fleet_status_read(folder.file, &arena, &s), 1);
}

static void of_the_dead(struct check *check)
{
	struct fleet_status s;
	int64_t now = 1700000000 * SECOND;

	fleet_status_init(&s, "a", "");
	s.host = "here";
	s.updated = now;
	s.state = FLEET_DELTA;
	s.process = os_this_process();
	fleet_status_look(&s, "here", now);
	CHECK_EQ(s.state, FLEET_DELTA);

	s.process.began++; /* another one has the number now */
	fleet_status_look(&s, "here", now);
	CHECK_EQ(s.state, FLEET_INTERRUPTED);

	s.state = FLEET_DONE;
	fleet_status_look(&s, "here", now);
	CHECK_EQ(s.state, FLEET_DONE);

	s.state = FLEET_SEEDING;
	fleet_status_look(&s, "there", now + 59 * SECOND);
	CHECK_EQ(s.state, FLEET_SEEDING);
	fleet_status_look(&s, "there", now + 61 * SECOND);
	CHECK_EQ(s.state, FLEET_INTERRUPTED);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "names of files", slugs },
		{ "there and back", there_and_back },
		{ "hostile files", hostile },
		{ "huge files", huge },
		{ "of the dead", of_the_dead },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
