/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry init: a mailferry.conf and a list of mailboxes to be edited. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/show.h"
#include "config/config.h"
#include "os/file.h"
#include "os/look.h"

struct options {
	const char *dir;
	bool force;
};

static const struct option_line lines[] = {
	{ "What and where", OPTION_HEADING, 0, NULL, "", 0, 0 },
	{ "dir", OPTION_STRING, offsetof(struct options, dir), "DIR",
	  "the folder to write them into, which is made if need be;\nwithout it: the current one" },
	{ "force", OPTION_FLAG, offsetof(struct options, force), NULL,
	  "write over files that are there already" },
};

static void help(void)
{
	puts("usage: mailferry init [--dir DIR] [--force]\n\n"
	     "Writes mailferry.conf and mailboxes.csv, commented, to be edited.");
	options_help(lines, ARRAY_SIZE(lines));
	puts("\nExit status: 0 written; 2 wrong usage, or a file is there already; 3 they could "
	     "not be written.");
}

/* A file that is there may hold a day's work. */
static int refuse_existing(const char *path, struct fault *fault)
{
	if (!os_is_there(path))
		return 0;

	return fault_usage(fault,
			   "%s is there already, and nothing was written; --force writes over it",
			   path);
}

static int write_file(const char *path, bool force, const struct buf *content, struct fault *fault)
{
	_cleanup_(os_file_closep) struct os_file *file = NULL;

	if (force)
		return os_replace_file(path, buf_bytes(content), fault);

	/* Does not open a file that came into being meanwhile. */
	if (os_file_create(path, &file, fault) < 0 ||
	    os_file_write(file, buf_bytes(content), fault) < 0)
		return -1;
	return os_sync(file, fault);
}

static void tell_next(const char *conf, const char *list)
{
	printf("%s and %s are written. Next:\n\n"
	       "  1. In %s, say under [platform old] and [platform new] where the servers are (url) and\n"
	       "     how to come by passwords or tokens (password_file, password_command, token_command).\n"
	       "  2. In %s, write a line for each mailbox, or have a spreadsheet write it.\n"
	       "  3. Look at what would be done, do it (again each night), and prove it:\n\n"
	       "         mailferry copy --config %s --dry-run\n"
	       "         mailferry copy --config %s\n"
	       "         mailferry status --config %s\n"
	       "         mailferry verify --config %s --level content\n\n"
	       "mailferry.conf(5) explains both files.\n", conf, list, conf, list, conf, conf, conf, conf);
}

static int write_both(const struct options *o, struct fault *fault)
{
	_cleanup_(buf_done) struct buf conf = BUF_NULL, list = BUF_NULL, conf_text = BUF_NULL,
				       list_text = BUF_NULL;

	if (o->dir && !o->dir[0])
		return fault_usage(fault, "--dir needs the name of a folder");

	if (o->dir)
		buf_appendf(&conf, "%s/", o->dir);
	buf_append_bytes(&list, buf_bytes(&conf));
	buf_append_str(&conf, "mailferry.conf");
	buf_append_str(&list, "mailboxes.csv");
	if (!o->force && (refuse_existing(buf_str(&conf), fault) < 0 ||
			  refuse_existing(buf_str(&list), fault) < 0))
		return -1;

	config_sample(&conf_text);
	config_sample_list(&list_text);
	if ((o->dir && os_make_folder_of(buf_str(&conf), fault) < 0) ||
	    write_file(buf_str(&list), o->force, &list_text, fault) < 0 ||
	    write_file(buf_str(&conf), o->force, &conf_text, fault) < 0)
		return -1;

	tell_next(buf_str(&conf), buf_str(&list));
	return 0;
}

int cmd_init(int argc, char **argv)
{
	struct options o = { .dir = NULL };
	struct string_list rest = { .n = 0 };
	struct fault fault = FAULT_INIT;
	int r = options_parse(lines, ARRAY_SIZE(lines), argc, argv, &o, &rest, &fault);

	if (r == 0 && rest.n)
		r = fault_usage(&fault, "%s is no option; write mailferry init --dir DIR",
				rest.p[0]);
	string_list_done(&rest);
	if (r > 0) {
		help();
		return EXIT_DONE;
	}
	if (r == 0)
		r = write_both(&o, &fault);
	if (r == 0)
		return EXIT_DONE;

	show_fault(&(struct show){ .json = false }, &fault);
	return fault.kind == FAULT_USAGE ? EXIT_USAGE : EXIT_STOPPED;
}
