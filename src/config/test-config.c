/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry.conf: what is read, what is filled in, and what every mistake is called. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/testing.h"
#include "lib/check.h"

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

static void defaults(struct check *check)
{
	setenv("XDG_STATE_HOME", "/some/where", 1);
	READ(PLAIN_CONF, PLAIN_LIST);

	CHECK_STR(config.state, "/some/where/mailferry");
	CHECK(strstr(config.list_path, "/mailboxes.csv"));
	CHECK(!config.ca_file && !config.old.preset && !config.old.authzid);
	CHECK_STR(config.old.name, "old");
	CHECK_STR(config.new.name, "new");
	CHECK_STR(config.old.url, "imaps://old.example");
	CHECK_STR(config.new.login, "{login}");
	CHECK_EQ(config.old.timeout_us, 120 * SECOND);
	CHECK(config.old.server.adaptive && !config.old.server.local && !config.old.compress);
	CHECK_EQ(config.old.server.bearable_us, 2 * SECOND);
	CHECK_EQ(config.total.limits.connections, 0);
	CHECK_EQ(config.total.times_n, 0);
	CHECK_EQ(config.connections, 4);
	CHECK_EQ(config.at_once, 8);
	CHECK_EQ(config.processes, 1);
	CHECK_EQ(config.retries, 5);
	CHECK_EQ(config.soon_us, 48 * HOUR);
	CHECK_EQ(config.flags, CONFIG_FLAGS_SOURCE);
	CHECK(config.since == INT64_MIN && config.before == INT64_MIN);
	CHECK(!config.mirror_deletes && !config.adopt && !config.recopy_missing);
	CHECK_EQ(config.delete_limit_percent, 10);
	CHECK(config.folders && !config.folders[0] && !config.excludes[0] && !config.maps[0]);
	CHECK_EQ(config.waves_n, 0);
	CHECK(!config.notes[0]);
	CHECK_EQ(config.mailboxes_n, 1);
}

static void everything(struct check *check)
{
	READ("\xef\xbb\xbf# all there is\r\n"
	     "[mailferry]\r\nstate = state dir\r\n  mailboxes=mailboxes.csv\r\n"
	     "\n[platform old]\nurl = imap+pipe:run {address} | tee '#x' ; true\nlogin = {login}*master\n"
	     "authzid = {local}\nmechanism = PLAIN\ntls_unverified = yes\nplaintext = On\ncompress = true\n"
	     "no_pipelining = yes\nno_qresync = yes\ntimeout = 1.5m\nserver_connections = 40\n"
	     "server_messages_per_second = 100\nserver_bytes_per_second = 1.5M\nserver_bytes_per_day = 2T\n"
	     "account_connections = 3\naccount_commands = 1\naccount_messages_per_second = 4\n"
	     "account_bytes_per_second = 500k\naccount_bytes_per_day = 10 G\nadaptive = no\nbearable = 500ms\n"
	     "[platform new]\nurl = imap://[::1]:1143\npassword_file = {address}.pw\n"
	     "[limits]\nconnections = 100\nmessages_per_second = 1000\nbytes_per_second = 10M\nbytes_per_day = none\n"
	     "[window night]\nwhen = 20:00-06:00 Asia/Shanghai\nof = new\nconnections = 50\n"
	     "[window office hours]\nwhen = Mon-Fri 08:00-18:00 UTC\nclosed = yes\n"
	     "[copy]\nfolder = A\nfolder = B;C,D\nexclude = Trash\nmap = A=B\nmap = C=D=E\nsince = 2020-01-31\n"
	     "before = 2026-01-01\nflags = add-only\ndeletes = mirror\ndelete_limit = 1\nmissing = recopy\n"
	     "adopt = yes\nconnections = 64\nmailboxes_at_once = 100\nprocesses = 2\nretries = 0\nsoon = 12h\n"
	     "[wave 1]\ncutover = 2026-12-05 20:00 Europe/Berlin\n[wave two words]\nhold = yes",
	     PLAIN_LIST);

	CHECK(strstr(config.state, "/state dir") && strstr(config.state, folder.path) == config.state);
	CHECK_STR(config.old.url, "imap+pipe:run {address} | tee '#x' ; true");
	CHECK_STR(config.old.login, "{login}*master");
	CHECK(config.old.tls_unverified && config.old.plaintext && config.old.compress);
	CHECK(config.old.no_pipelining && config.old.no_qresync && config.old.server.local);
	CHECK_EQ(config.old.timeout_us, 90 * SECOND);
	CHECK_EQ(config.old.server.limits.connections, 40);
	CHECK_EQ(config.old.server.limits.bytes_per_second, 3 << 19);
	CHECK_EQ(config.old.server.limits.bytes_per_day, INT64_C(2) << 40);
	CHECK_EQ(config.old.account.limits.commands, 1);
	CHECK_EQ(config.old.account.limits.bytes_per_second, 500 << 10);
	CHECK_EQ(config.old.account.limits.bytes_per_day, INT64_C(10) << 30);
	CHECK(!config.old.server.adaptive && config.new.server.adaptive && config.new.server.local);
	CHECK_EQ(config.old.server.bearable_us, 500 * MSEC);
	CHECK_EQ(config.total.limits.connections, 100);
	CHECK_EQ(config.new.server.times_n, 1);
	CHECK_EQ(config.new.server.times[0].limits.connections, 50);
	CHECK_EQ(config.new.server.times[0].window.from_minute, 20 * 60);
	CHECK(config.total.times_n == 1 && config.total.times[0].closed && config.old.server.times_n == 0);
	CHECK_STR(config.folders[0], "A");
	CHECK_STR(config.folders[1], "B;C,D");
	CHECK(!config.folders[2]);
	CHECK_STR(config.maps[1], "C=D=E");
	CHECK_EQ(config.since, 1580428800);
	CHECK_EQ(config.flags, CONFIG_FLAGS_ADD_ONLY);
	CHECK(config.mirror_deletes && config.recopy_missing && config.adopt);
	CHECK_EQ(config.delete_limit_percent, 1);
	CHECK_EQ(config.connections, 64);
	CHECK_EQ(config.at_once, 100);
	CHECK_EQ(config.processes, 2);
	CHECK_EQ(config.retries, 0);
	CHECK_EQ(config.soon_us, 12 * HOUR);
	CHECK_EQ(config.waves_n, 2);
	CHECK_EQ(config_wave(&config, "1")->cutover_us / SECOND, 1796497200);
	CHECK(config_wave(&config, "two words")->hold && !config_wave(&config, "two"));
	CHECK(strstr(config.notes[0], "[wave 1]") && strstr(config.notes[1], "[wave two words]") && !config.notes[2]);
}

static void presets(struct check *check)
{
	READ("[platform old]\nurl = imaps://outlook.office365.com\npassword_command = x\n"
	     "account_connections = 2\n[platform new]\nurl = imaps://outlook.office365.com\npreset = none\n"
	     "password_command = x\n", PLAIN_LIST);

	CHECK_STR(config.old.preset, "m365");
	CHECK_EQ(config.old.account.limits.connections, 2);
	CHECK_EQ(config.old.account.limits.messages_per_second, 4);
	CHECK(!config.new.preset);
	CHECK_EQ(config.new.account.limits.messages_per_second, 0);
}

static void moments(struct check *check)
{
	READ(CONF("", "", "[wave a]\ncutover = 2026-07-01 12:00:30 UTC\n"
		  "[wave twice]\ncutover = 2026-10-25 02:30 Europe/Berlin\n"
		  "[wave later]\ncutover = 2026-10-25 03:30 Europe/Berlin\n"), PLAIN_LIST);

	CHECK_EQ(config_wave(&config, "a")->cutover_us, INT64_C(1782907230) * SECOND);
	/* Of the two the first: 00:30 UTC, and 02:30 UTC after the change. */
	CHECK_EQ(config_wave(&config, "twice")->cutover_us / SECOND, 1792888200);
	CHECK_EQ(config_wave(&config, "later")->cutover_us / SECOND, 1792895400);
}

static void secrets_stay_out(struct check *check)
{
	_cleanup_(config_done) struct config config = { .path = NULL };
	struct fault fault = FAULT_INIT;
	FOLDER;

	CHECK_EQ(testing_config(&folder, "[platform old]\npassword = hunter2\n", NULL, &config, &fault), -1);
	CHECK(strstr(fault.text, "password_file") && !strstr(fault.text, "hunter2"));
	CHECK_EQ(testing_config(&folder, "[platform old]\nurl = imaps://u:hunter2@h\n", NULL, &config, &fault), -1);
	CHECK(!strstr(fault.text, "hunter2"));
	CHECK_EQ(testing_config(&folder, "[platform old]\npassword_command = echo {hunter}\n", NULL, &config,
				&fault), -1);
	CHECK(!strstr(fault.text, "echo"));
}

/* --- mistakes ---------------------------------------------------------------------------------- */

struct mistake {
	const char *conf, *list;
	const char *place; /* behind the file's name */
	const char *said;
};

static void try_mistake(struct check *check, const struct mistake *m)
{
	_cleanup_(config_done) struct config config = { .path = NULL };
	struct fault fault = FAULT_INIT;
	char place[300];
	FOLDER;

	snprintf(place, sizeof(place), "%s/mailferry.conf%s", folder.path, m->place);
	if (testing_config(&folder, m->conf, m->list ? m->list : PLAIN_LIST, &config, &fault) == 0)
		CHECK_FAIL("was taken, but \"%s\" should be wrong:\n%s", m->said, m->conf);
	CHECK_EQ(fault.kind, FAULT_USAGE);
	if (strncmp(fault.text, place, strlen(place)) != 0 || !strstr(fault.text, m->said))
		CHECK_FAIL("\"%s\"\ndoes not begin with %s and say \"%s\"", fault.text, place, m->said);
	CHECK(!config.arena.chunks && !config.mailboxes && !config.waves);
}

#define TRY(...)                                                                                   \
	static const struct mistake mistakes[] = { __VA_ARGS__ };                                  \
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++)                                          \
	try_mistake(check, &mistakes[i])

static void wrong_lines(struct check *check)
{
	TRY({ "state = x\n", NULL, ":1: ", "a section must come before" },
	    { "\n[mailferry\n", NULL, ":2: ", "name in brackets" },
	    { "[mailferry] x\n", NULL, ":1: ", "name in brackets" },
	    { "[mailferry]\nstate\n", NULL, ":2: ", "neither" },
	    { "[mailferry]\nstate =  \n", NULL, ":2: state: ", "nothing behind" },
	    { "[mailferry]\nstate = a\001b\n", NULL, ":2: ", "control character (0x01)" },
	    { "[mailferry]\nstate = a\xe4\n", NULL, ":2: ", "not UTF-8" },
	    { "\xff\xfe[\1", NULL, ": ", "UTF-16" },
	    { "[mailfery]\n", NULL, ":1: ", "did you mean [mailferry]?" },
	    { "[smtp]\n", NULL, ":1: ", "there is no section [smtp]: write [mailferry]" },
	    { "[platform]\n", NULL, ":1: ", "needs a name: write [platform old|new]" },
	    { "[platform odl]\n", NULL, ":1: ", "[platform old] or [platform new]" },
	    { "[copy x]\n", NULL, ":1: ", "write [copy]" },
	    { "[copy]\n[limits]\n[copy]\n", NULL, ":3: ", "[copy] stands on line 1 already" },
	    { "[wave a]\n[wave  a ]\n", NULL, ":2: ", "[wave a] stands on line 1 already" });
}

static void wrong_keys(struct check *check)
{
	TRY({ "[copy]\nfolders = x\n", NULL, ":2: ", "did you mean \"folder\"?" },
	    { "[platform old]\nulr = x\n", NULL, ":2: ", "did you mean \"url\"?" },
	    { "[mailferry]\ndeletes = mirror\n", NULL, ":2: ", "it belongs into [copy]" },
	    { "[mailferry]\npassword_file = x\n", NULL, ":2: ", "it belongs into [platform old|new]" },
	    { "[mailferry]\nsomething = x\n", NULL, ":2: ", "mailferry.conf(5)" },
	    { "[mailferry]\nstate = a\nstate = b\n", NULL, ":3: ", "state stands on line 2 already" });
}

static void wrong_values(struct check *check)
{
	TRY({ "[copy]\nconnections = 0\n", NULL, ":2: connections: ", "a number from 1 to 64" },
	    { "[copy]\nconnections = 4 # four\n", NULL, ":2: ", "a comment needs a line of its own" },
	    { "[copy]\nfolder = a\tb\n", NULL, ":2: folder: ", "a tab" },
	    { "[wave a\tb]\n", NULL, ":1: ", "a tab" },
	    { "[copy]\nadopt = maybe\n", NULL, ":2: adopt: \"maybe\"", "yes or no" },
	    { "[copy]\nflags = old\n", NULL, ":2: flags: ", "one of: source newer add-only" },
	    { "[copy]\nsince = 2026-02-30\n", NULL, ":2: since: ", "a day as" },
	    { "[copy]\nsoon = 2 weeks\n", NULL, ":2: soon: ", "a duration" },
	    { "[copy]\nmap = A\n", NULL, ":2: map: ", "SRC=DST" },
	    { "[copy]\nsince = 2026-01-02\nbefore = 2026-01-02\n", NULL, ":3: before: ", "not later than since" },
	    { "[limits]\nconnections = 0\n", NULL, ":2: ", "from 1 to 100000, or none" },
	    { "[limits]\nbytes_per_second = 2X\n", NULL, ":2: ", "500K" },
	    { "[limits]\nbytes_per_second = 99999999T\n", NULL, ":2: ", "500K" },
	    { "[limits]\nbytes_per_second = 0.5\n", NULL, ":2: ", "500K" },
	    { "[limits]\nbytes_per_second = -2M\n", NULL, ":2: ", "500K" },
	    { "[platform old]\ntimeout = 0\n", NULL, ":2: timeout: ", "a duration" },
	    { "[platform old]\nmechanism = NTLM\n", NULL, ":2: mechanism: ", "SCRAM-SHA-256" },
	    { "[platform old]\npreset = exchange\n", NULL, ":2: preset: ", "or none" },
	    { "[platform old]\nlogin = {user}\n", NULL, ":2: login: {user}", "{address}, {login}" },
	    { "[platform old]\nca_file = ~/ca.pem\n", NULL, ":2: ca_file: ", "write the whole path" },
	    { "[platform old]\nca_file = \"ca.pem\"\n", NULL, ":2: ca_file: ", "without the quotes" },
	    { "[wave 1]\ncutover = tomorrow\n", NULL, ":2: cutover: ", "2026-12-05 20:00 Europe/Berlin" },
	    { "[wave 1]\ncutover = 2026-12-05 20:00\n", NULL, ":2: cutover: ", "add a zone" },
	    { "[wave 1]\ncutover = 2026-12-05 24:00 UTC\n", NULL, ":2: cutover: ", "will not do" },
	    { "[wave 1]\ncutover = 2026-12-05 20:00 Europe/Berlni\n", NULL, ":2: cutover: ", "Berlni" },
	    { "[wave 1]\ncutover = 2026-03-29 02:30 Europe/Berlin\n", NULL, ":2: cutover: ", "no such time" },
	    { "[window a]\nwhen = always\n", NULL, ":2: when: ", "" },
	    { "[window a]\nclosed = yes\n", NULL, ":1: ", "add when" },
	    { "[window a]\nwhen = 20:00-06:00 UTC\n", NULL, ":1: ", "changes nothing" });
}

static void wrong_platforms(struct check *check)
{
	TRY({ "[platform old]\nurl = imaps://anna@old.example\n", NULL, ":2: url: ", "without a user" },
	    { "[platform old]\nurl = imaps://{address}\n", NULL, ":2: url: ", "without a user" },
	    { "[platform old]\nurl = imaps://old.example/INBOX\n", NULL, ":2: url: ", "without a folder" },
	    { "[platform old]\nurl = maildir:/x\n", NULL, ":2: url: ", "not maildir:" },
	    { "[platform old]\nurl = old.example\n", NULL, ":2: url: ", "write imaps://HOST[:PORT]" },
	    { "[mailferry]\n\nca_file = no.pem\n", NULL, ":3: ca_file: ", "No such file" },
	    { "", NULL, ": ", "[platform old] does not say where" },
	    { "\n[platform old]\n", NULL, ":2: ", "[platform old] does not say where" },
	    { "[platform old]\nurl = imaps://h\n", NULL, ":1: ", "no password for line 2" },
	    { CONF("", "password_file = x", ""), NULL, ":6: password_file: ", "password_command is there too" },
	    { CONF("", "ca_file = not-there.pem", ""), NULL, ":6: ca_file: ", "No such file" },
	    { CONF("", "ca_file = /", ""), NULL, ":6: ca_file: ", "is a folder" },
	    { CONF("", "key_file = mailboxes.csv", ""), NULL, ":6: key_file: ", "add cert_file" },
	    { CONF("mailboxes = other.csv", "", ""), NULL, ":2: mailboxes: ", "other.csv: No such file" });
}

/* One login for all, and nobody says whose mailboxes it opens. */
static void one_mailbox_for_all(struct check *check)
{
	static const char two[] = "address\na@example.org\nb@example.org\n";

	TRY({ CONF("", "login = master", ""), two, ":6: login: ",
	      "a@example.org and b@example.org (lines 2 and 3 of the list) would be one mailbox: write authzid = {login}" },
	    { CONF("", "login = master\nauthzid = anna", ""), two, ":7: authzid: ", "anna is the same for all" },
	    { CONF("", "login = master", ""), "address,old_authzid\na@example.org,a\nb@example.org,\nc@example.org,\n",
	      ":6: login: ", "b@example.org and c@example.org" });
	{
		READ(CONF("", "login = master\nauthzid = {local}", ""), two);
		CHECK_EQ(config.mailboxes_n, 2);
	}
	{
		READ(CONF("", "login = {local}*master", ""), two);
		CHECK_EQ(config.mailboxes_n, 2);
	}
	{
		READ(CONF("", "login = master", ""), "address,old_authzid,skip\na@example.org,,\nb@example.org,b,\n"
						    "c@example.org,,yes\n");
		CHECK_EQ(config.mailboxes_n, 3);
	}
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "defaults", defaults },
		{ "everything", everything },
		{ "presets", presets },
		{ "moments", moments },
		{ "secrets stay out of faults", secrets_stay_out },
		{ "wrong lines", wrong_lines },
		{ "wrong keys", wrong_keys },
		{ "wrong values", wrong_values },
		{ "wrong platforms", wrong_platforms },
		{ "one mailbox for all", one_mailbox_for_all },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
