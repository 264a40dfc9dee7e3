/* SPDX-License-Identifier: Apache-2.0 */
/* The list of mailboxes: as spreadsheets write it, and what every mistake in it is called. */
#include <string.h>

#include "config/testing.h"
#include "lib/check.h"
#include "run/run.h"

#define FOLDER                                                                                     \
	_cleanup_(testing_folder_remove) struct testing_folder folder;                             \
	testing_folder_make(&folder)

#define READ(conf, list)                                                                           \
	_cleanup_(config_done) struct config config = { .path = NULL };                            \
	struct fault fault = FAULT_INIT;                                                           \
	FOLDER;                                                                                    \
	if (testing_config(&folder, conf, list, &config, &fault) < 0)                              \
	CHECK_FAIL("%s", fault.text)

/* --- what is read ------------------------------------------------------------------------------ */

static void columns(struct check *check)
{
	READ(PLAIN_CONF,
	     "# who moves when\n\n# see the plan\n"
	     "Address, new_login ,old_login,wave,hold,skip,folders,excludes,maps,old_url,new_authzid,"
	     "old_password_command\r\n"
	     "anna@example.org,anna,,first,,no,A|B/**|C\\|D\\*,,A=B,imap://[::1],admin,\"echo \"\"x, y\"\"\"\r\n"
	     "\r\n"
	     "\"Bob \"\"B\"\"@example.org\", bob ,robert,first,yes,YES,\"A\nB\r\n\",Trash,,,,\n"
	     ",,,,,,,,,,,\n"
	     "d\xc3\xb3ra@ex\xc3\xa1mple.org,,,second,,,,,,,,");
	const struct config_mailbox *m = config.mailboxes;

	CHECK_EQ(config.mailboxes_n, 3);
	CHECK_STR(m->address, "anna@example.org");
	CHECK_STR(m->new_login, "anna");
	CHECK_STR(m->old_login, "anna@example.org");
	CHECK_STR(m->wave, "first");
	CHECK(!m->hold && !m->skip);
	CHECK_STR(m->folders[0], "A");
	CHECK_STR(m->folders[1], "B/**");
	CHECK_STR(m->folders[2], "C|D\\*");
	CHECK(!m->folders[3] && !m->excludes[0]);
	CHECK_STR(m->maps[0], "A=B");
	CHECK_STR(m->old_url, "imap://[::1]");
	CHECK_STR(m->new_url, "");
	CHECK_STR(m->new_authzid, "admin");
	CHECK_STR(m->old_password_command, "echo \"x, y\"");
	CHECK_EQ(m->line, 5);

	m++;
	CHECK_STR(m->address, "Bob \"B\"@example.org");
	CHECK_STR(m->old_login, "robert");
	CHECK_STR(m->new_login, "bob");
	CHECK(m->hold && m->skip);
	CHECK_STR(m->folders[1], "B");
	CHECK(!m->folders[2]);
	CHECK_EQ(m->line, 7);

	m++;
	CHECK_EQ(m->line, 11);
	CHECK(config_mailbox(&config, "D\xc3\x93RA@ex\xc3\xa1mple.ORG") == m);
	CHECK(config_mailbox(&config, "Anna@Example.org") == config.mailboxes);
	CHECK(!config_mailbox(&config, "nobody@example.org"));
	CHECK_EQ(config.waves_n, 2);
	CHECK_EQ(config_wave(&config, "first")->mailboxes, 2);
	CHECK_EQ(config_wave(&config, "second")->line, 0);
	CHECK(!config_wave(&config, "third"));
}

static void semicolons(struct check *check)
{
	READ(PLAIN_CONF, "\xef\xbb\xbf" "address;wave\r\n\"a,b@example.org\";1\r\nc@example.org;\"x;y\"\r\n");

	CHECK_EQ(config.mailboxes_n, 2);
	CHECK_STR(config.mailboxes[0].address, "a,b@example.org");
	CHECK_STR(config.mailboxes[1].wave, "x;y");
}

static void waves(struct check *check)
{
	READ(CONF("", "", "[wave 1]\nhold = yes\n[wave 3]\n"), "wave,address\n1,a@x.org\n2,b@x.org\n1,c@x.org\n");

	CHECK_EQ(config.waves_n, 3);
	CHECK(config_wave(&config, "1")->hold && config_wave(&config, "1")->line > 0);
	CHECK_EQ(config_wave(&config, "1")->mailboxes, 2);
	CHECK(!config_wave(&config, "2")->hold);
	CHECK(strstr(config.notes[0], "[wave 3]") && !config.notes[1]);
}

static void nothing_to_move(struct check *check)
{
	READ(PLAIN_CONF, "address,skip\na@x.org,yes\n");

	CHECK(strstr(config.notes[0], "no mailbox that is to be moved") && !config.notes[1]);
}

/* --- mistakes ---------------------------------------------------------------------------------- */

struct mistake {
	const char *list;
	const char *place; /* behind the list's name */
	const char *said;
};

static void try_mistake(struct check *check, const char *conf, const struct mistake *m)
{
	_cleanup_(config_done) struct config config = { .path = NULL };
	struct fault fault = FAULT_INIT;
	char place[300];
	FOLDER;

	snprintf(place, sizeof(place), "%s/mailboxes.csv%s", folder.path, m->place);
	if (testing_config(&folder, conf, m->list, &config, &fault) == 0)
		CHECK_FAIL("was taken, but \"%s\" should be wrong:\n%s", m->said, m->list);
	CHECK_EQ(fault.kind, FAULT_USAGE);
	if (strncmp(fault.text, place, strlen(place)) != 0 || !strstr(fault.text, m->said))
		CHECK_FAIL("\"%s\"\ndoes not begin with %s and say \"%s\"", fault.text, place, m->said);
	CHECK(!config.arena.chunks && !config.mailboxes && !config.waves);
}

#define TRY(conf, ...)                                                                             \
	static const struct mistake mistakes[] = { __VA_ARGS__ };                                  \
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++)                                          \
	try_mistake(check, conf, &mistakes[i])

static void wrong_headers(struct check *check)
{
	TRY(PLAIN_CONF,
	    { "", ": ", "the list is empty" },
	    { "# only this\n\n", ": ", "the list is empty" },
	    { "wave,old_login\n", ":1: ", "no column \"address\"" },
	    { "\nadress,wave\n", ":2: ", "did you mean \"address\"?" },
	    { "address,password\n", ":1: ", "no place in the list" },
	    { "address,old_password\n", ":1: ", "no place in the list" },
	    { "address,phone number\n", ":1: ", "mailferry.conf(5)" },
	    { "address\ranna@x.org\rbob@x.org\r", ":1: ", "CR alone" },
	    { "anna@example.org,1\n", ":1: ", "the first line names the columns" },
	    { "address,wave,Address\n", ":1: ", "\"address\" is there twice" },
	    { "address,wave,\n", ":1: ", "has no name" },
	    { "\xff\xfe" "a\n", ":1: ", "UTF-16" });
}

static void wrong_rows(struct check *check)
{
	TRY(PLAIN_CONF,
	    { "address,wave\na@x.org\n", ":2: ", "1 cells, the header 2" },
	    { "address,wave\na@x.org,1,2\n", ":2: ", "3 cells, the header 2" },
	    { "address\na@x.org\n\nb@x.org\nA@X.org\n", ":5: column address: ", "A@X.org stands on line 2" },
	    { "address,wave\n,1\n", ":2: column address: ", "is missing" },
	    { "address\nanna\n", ":2: column address: ", "as anna@example.org" },
	    { "address\n@x.org\n", ":2: column address: ", "as anna@example.org" },
	    { "address\nanna@\n", ":2: column address: ", "as anna@example.org" },
	    { "address\nan\001na@x.org\n", ":2: column address: ", "control character" },
	    { "address\nanna@x.org\rbob@x.org\n", ":2: column address: ", "control character" },
	    { "address\nanna@x. org\n", ":2: column address: ", "blank in the domain" },
	    { "address\n\" anna@x.org\"\n", ":2: column address: ", "begins with a blank" },
	    { "address\nan\xe2\x80\x8bna@x.org\n", ":2: column address: ", "cannot be seen" },
	    { "address\nan\xe2\x80\xaena@x.org\n", ":2: column address: ", "cannot be seen" },
	    { "address\nan\xe4@x.org\n", ":2: column address: ", "CSV UTF-8" },
	    { "address\n#a@x.org\n", ":2: ", "column skip" },
	    { "address\na\"b@x.org\n", ":2: ", "stands in quotes" },
	    { "address\n\"a@x.org\" b\n", ":2: ", "may follow a closing quote" },
	    { "address,wave\na@x.org,\"1\n\n", ":2: ", "never closed" },
	    { "address,hold\na@x.org,perhaps\n", ":2: column hold: ", "yes or no" },
	    { "address,maps\na@x.org,A=B|C\n", ":2: column maps: ", "SRC=DST" },
	    { "address,old_url\na@x.org,imaps://a@x.org\n", ":2: column old_url: ", "without a user" },
	    { "address,old_url\na@x.org,x.org\n", ":2: column old_url: ", "write imaps://HOST[:PORT]" },
	    { "address,old_password_file\na@x.org,no.pw\n", ":2: column old_password_file: ", "No such file" },
	    { "address,old_password_file\na@x.org,~/no\n", ":2: column old_password_file: ", "whole path" },
	    { "address,old_password_command\na@x.org,echo {login}\n", ":2: column old_password_command: ",
	      "write what is meant" },
	    { "address,old_password_file,old_password_command\na@x.org,/dev/null,x\n",
	      ":2: column old_password_command: ", "write one of them" });
}

static void wrong_waves(struct check *check)
{
	TRY(CONF("", "", "[wave First]\n"),
	    { "address,wave\na@x.org,first\n", ":2: column wave: ", "did you mean \"First\"?" });
}

/* --- size -------------------------------------------------------------------------------------- */

static void a_hundred_thousand(struct check *check)
{
	_cleanup_(config_done) struct config config = { .path = NULL };
	_cleanup_(buf_done) struct buf list = BUF_NULL;
	struct fault fault = FAULT_INIT;
	int64_t began;
	FOLDER;

	buf_append_str(&list, "address,old_login,new_login,wave,old_password_command,folders\r\n");
	for (int i = 0; i < 100000; i++)
		buf_appendf(&list, "person.%d@department-%d.example.org,login%d,,wave %d,\"get, %d\",A|B\r\n", i,
			    i % 10, i, i % 50, i);
	began = run_now();
	if (testing_config(&folder, PLAIN_CONF, buf_str(&list), &config, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	printf("# %d ms for 100,000 mailboxes\n", (int)((run_now() - began) / 1000));
	CHECK_EQ(config.mailboxes_n, 100000);
	CHECK_EQ(config.waves_n, 50);
	CHECK_STR(config_mailbox(&config, "person.99999@department-9.example.org")->old_login, "login99999");
	CHECK(run_now() - began < 10 * SECOND); /* a slow machine, sanitized; measured in seconds it would be square */
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "columns", columns },
		{ "semicolons", semicolons },
		{ "waves", waves },
		{ "nothing to move", nothing_to_move },
		{ "wrong headers", wrong_headers },
		{ "wrong rows", wrong_rows },
		{ "wrong waves", wrong_waves },
		{ "a hundred thousand", a_hundred_thousand },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
