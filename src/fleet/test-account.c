/* SPDX-License-Identifier: Apache-2.0 */
/* From a line of the list to two accounts: who logs in for whom, where the secret comes from, what
 * is shared. */
#include "fleet/account.h"

#include <stdio.h>

#include "config/testing.h"
#include "lib/check.h"

/* Opens the mailboxes of a list one by one, and lets the case look at each. */
struct opened {
	struct check *check;
	struct config config;
	void (*look)(struct check *check, size_t i, const struct fleet_sides *sides,
		     const struct fault *fault);
	unsigned times;
};

static int open_all(void *arg, struct fault *fault)
{
	struct opened *o = arg;
	_cleanup_(fleet_platforms_freep) struct fleet_platforms *platforms = NULL;

	if (fleet_platforms_open(&o->config, 1, &platforms, fault) < 0)
		return -1;
	for (unsigned time = 0; time < o->times; time++) {
		for (size_t i = 0; i < o->config.mailboxes_n; i++) {
			_cleanup_(fleet_sides_freep) struct fleet_sides *sides = NULL;
			struct fault why = FAULT_INIT;

			fleet_sides_open(platforms, &o->config.mailboxes[i], &sides, &why);
			o->look(o->check, i, sides, &why);
		}
	}
	return 0;
}

static void open_each(struct check *check, struct testing_folder *folder, const char *conf,
		      const char *list, unsigned times,
		      void (*look)(struct check *check, size_t i, const struct fleet_sides *sides,
				   const struct fault *fault))
{
	struct opened o = { .check = check, .look = look, .times = times };
	struct fault fault = FAULT_INIT;

	if (testing_config(folder, conf, list, &o.config, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	if (run_main("test", open_all, &o, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	config_done(&o.config);
}

static void look_at_plain(struct check *check, size_t i, const struct fleet_sides *s,
			  const struct fault *fault)
{
	if (!EXPECT(s != NULL))
		return;

	if (i == 0) {
		EXPECT(strcmp(s->from.account.user, "anna@example.org") == 0);
		EXPECT(strcmp(s->from.account.host, "old.example") == 0);
		EXPECT(strcmp(s->from.account.password, "of old") == 0);
		EXPECT(strcmp(s->to.account.password, "of anna@example.org") == 0);
		EXPECT(strcmp(s->from.account.label, "source old.example") == 0);
		EXPECT(strcmp(s->ends.source, "imaps://anna@example.org@old.example:993") == 0);
		EXPECT(strcmp(s->ends.destination, "imaps://anna@example.org@new.example:993") ==
		       0);
		EXPECT(!s->from.account.authzid && s->from.account.tls && s->from_pace &&
		       s->to_pace);
		EXPECT(s->from.account.enter && s->from.account.enter_arg == &s->from_door &&
		       s->from_door.pace == s->from_pace);
		EXPECT(!s->from.account.compress && s->from.account.silence_us == 120 * SECOND);
	}
	if (i == 1) {
		EXPECT(strcmp(s->from.account.user, "odd/us%er") ==
		       0); /* not a part of a URL any more */
		EXPECT(strcmp(s->to.account.host, "127.0.0.1") == 0);
		EXPECT(s->to.account.port == 1143 && s->to.account.security == IMAP_PLAIN);
		EXPECT(strcmp(s->to.account.password, "of command") == 0);
		EXPECT(strcmp(s->ends.destination, "imap://berta@127.0.0.1:1143") == 0);
	}
}

static void plain(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;

	testing_folder_make(&folder);
	testing_write(testing_path(&folder, "old"), "of old\n");
	testing_write(testing_path(&folder, "anna@example.org"), "of anna@example.org\n");
	open_each(check, &folder,
		  "[mailferry]\n[platform old]\nurl = imaps://old.example\npassword_file = old\n"
		  "[platform new]\nurl = imaps://new.example\npassword_file = {address}\n",
		  "address,old_login,new_login,new_url,new_password_command\n"
		  "anna@example.org,,,,\n"
		  "berta@example.org,odd/us%er,berta,imap://127.0.0.1:1143,echo of command\n",
		  1, look_at_plain);
}

static void look_at_admin(struct check *check, size_t i, const struct fleet_sides *s,
			  const struct fault *fault)
{
	if (!EXPECT(s != NULL))
		return;

	EXPECT(strcmp(s->from.account.user, "admin") == 0);
	EXPECT(strcmp(s->from.account.authzid, i ? "b" : "anna@example.org") == 0);
	/* The ledger is the mailbox's, whoever opens it. */
	EXPECT(strcmp(s->ends.source, i ? "imaps://b@old.example:993"
					: "imaps://anna@example.org@old.example:993") == 0);
	EXPECT(strcmp(s->to.account.user, "anna*master") == 0 || i == 1);
}

static void an_administrator(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;

	testing_folder_make(&folder);
	testing_write(testing_path(&folder, "pw"), "x\n");
	open_each(
		check, &folder,
		"[mailferry]\n[platform old]\nurl = imaps://old.example\npassword_file = pw\nlogin = admin\n"
		"authzid = {login}\n[platform new]\nurl = imaps://new.example\npassword_file = pw\n"
		"login = {local}*master\n",
		"address,old_login\nanna@example.org,\nberta@example.org,b\n", 1, look_at_admin);
}

static void look_at_shared(struct check *check, size_t i, const struct fleet_sides *s,
			   const struct fault *fault)
{
	if (!EXPECT(s != NULL))
		return;

	EXPECT(strcmp(s->from.account.password, "secret") == 0);
	EXPECT(strcmp(s->to.account.password, i ? "b@x.org" : "a@x.org") == 0);
}

/* A command that is the same for all is not run for each; one that names the mailbox is. */
static void shared_commands(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	char conf[2000];

	testing_folder_make(&folder);
	snprintf(conf, sizeof(conf),
		 "[mailferry]\n[platform old]\nurl = imaps://old.example\n"
		 "password_command = echo ran >>%s/ran; echo secret\n"
		 "[platform new]\nurl = imaps://new.example\npassword_command = echo {address}\n",
		 folder.path);
	open_each(check, &folder, conf, "address\na@x.org\nb@x.org\n", 3, look_at_shared);
	text = testing_read(testing_path(&folder, "ran"));
	CHECK_STR(buf_str(&text), "ran\n");
}

static struct tls_context *first_tls;

static void look_at_tls(struct check *check, size_t i, const struct fleet_sides *s,
			const struct fault *fault)
{
	if (!EXPECT(s != NULL))
		return;

	if (!first_tls)
		first_tls = s->from.account.tls;
	EXPECT(s->from.account.tls == first_tls);
	EXPECT(s->to.account.tls == first_tls); /* trust is read once, where both platforms' is the same */
}

static void look_at_other_tls(struct check *check, size_t i, const struct fleet_sides *s,
			      const struct fault *fault)
{
	if (!EXPECT(s != NULL))
		return;

	EXPECT(s->from.account.tls && s->to.account.tls);
	EXPECT(s->from.account.tls != s->to.account.tls);
}

static void other_trust(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;

	testing_folder_make(&folder);
	open_each(check, &folder,
		  "[mailferry]\n[platform old]\nurl = imaps://old.example\ntls_unverified = yes\n"
		  "password_command = echo a\n"
		  "[platform new]\nurl = imaps://new.example\npassword_command = echo b\n",
		  "address\na@x.org\n", 1, look_at_other_tls);
}

static void no_tls(struct check *check, size_t i, const struct fleet_sides *s,
		   const struct fault *fault)
{
	if (!EXPECT(s != NULL))
		return;

	EXPECT(!s->from.account.tls); /* plain on this machine: nothing is read */
	EXPECT(s->to.account.tls); /* its own URL wants it */
}

static void trust_of_one_mailbox(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;

	testing_folder_make(&folder);
	open_each(check, &folder,
		  "[mailferry]\n[platform old]\nurl = imap://127.0.0.1\npassword_command = echo a\n"
		  "[platform new]\nurl = imap://127.0.0.1\npassword_command = echo b\n",
		  "address,new_url\na@x.org,imaps://new.example\nb@x.org,imaps://new.example\n", 2, no_tls);
}

static void shared_trust(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;

	testing_folder_make(&folder);
	first_tls = NULL;
	open_each(check, &folder, PLAIN_CONF, "address\na@x.org\nb@x.org\n", 2, look_at_tls);
}

static void look_at_faults(struct check *check, size_t i, const struct fleet_sides *s,
			   const struct fault *fault)
{
	EXPECT(!s && fault->kind == FAULT_USAGE);
	EXPECT(strncmp(fault->text, "source: ", 8) == 0);
	EXPECT(fault->reach == (i ? REACH_MAILBOX : REACH_SERVER)); /* an empty file, too */
	EXPECT(fault->again == (i ? AGAIN_NEVER : AGAIN_LATER));
}

/* One mailbox's missing file is its own trouble, a command of all is everybody's. */
static void reach(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;

	testing_folder_make(&folder);
	testing_write(testing_path(&folder, "empty"), "");
	open_each(
		check, &folder,
		"[mailferry]\n[platform old]\nurl = imaps://old.example\npassword_command = exit 3\n"
		"[platform new]\nurl = imaps://new.example\npassword_command = echo x\n",
		"address,old_password_command,old_password_file\na@x.org,,\n"
		"b@x.org,exit 4,\nc@x.org,,empty\n", 1, look_at_faults);
}

static void divided(struct check *check)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct pace_times times = { .limits = { .connections = 5, .bytes_per_second = 3000 } };
	struct pace_settings whole = {
		.name = "x",
		.limits = { 10, 7, 100, 0, 1000 },
		.times = &times,
		.times_n = 1,
		.adaptive = true,
	};
	struct pace_settings part = fleet_divide(&whole, 3, &arena);

	CHECK_EQ(part.limits.connections, 3);
	CHECK_EQ(part.limits.commands, 7); /* of one connection */
	CHECK_EQ(part.limits.messages_per_second, 33);
	CHECK_EQ(part.limits.bytes_per_second, 0);
	CHECK_EQ(part.limits.bytes_per_day, 333);
	CHECK_EQ(part.times[0].limits.connections, 1);
	CHECK_EQ(part.times[0].limits.bytes_per_second, 1000);
	CHECK_EQ(times.limits.connections, 5);
	CHECK(part.adaptive);
	part = fleet_divide(&whole, 64, &arena);
	CHECK_EQ(part.limits.connections, 1); /* a limit never becomes none */
	CHECK_EQ(part.limits.messages_per_second, 1);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "plain accounts", plain },
		{ "an administrator", an_administrator },
		{ "commands that all share", shared_commands },
		{ "trust that all share", shared_trust },
		{ "trust of each platform", other_trust },
		{ "trust for one mailbox", trust_of_one_mailbox },
		{ "how far faults reach", reach },
		{ "divided limits", divided },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
