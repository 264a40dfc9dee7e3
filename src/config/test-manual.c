/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of docs/man/mailferry.conf.5 are made of the tables that reading goes by. With the page's
 * name: whether what stands there between its marks is that; without: prints what belongs there. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "config/list.h"
#include "config/settings.h"
#include "os/file.h"

#define BEGIN(what) ".\\\" begin " what ": made by test-config-manual\n"
#define END(what) ".\\\" end " what "\n"

/* Text as mdoc wants it: a line for each sentence. */
static void add_text(struct buf *to, const char *text)
{
	for (const char *p = text; *p; p++) {
		bool sentence = *p == '.' && (p[1] == ' ' || p[1] == '\n') && p[2];

		if (strncmp(p, "…", strlen("…")) == 0) {
			buf_append_str(to, "\\&...");
			p += strlen("…") - 1;
		} else if (sentence) {
			buf_append_str(to, ".\n");
			p++;
		} else if (*p == '\\') {
			buf_append_str(to, "\\e");
		} else {
			buf_append_char(to, *p);
		}
	}
	buf_append_char(to, '\n');
}

static void add_choices(struct buf *to, const char *choices)
{
	struct bytes rest = bytes_of(choices);

	while (rest.n > 0) {
		struct bytes choice = bytes_cut(&rest, ' ');

		buf_appendf(to, "Cm %.*s%s", BYTES_ARG(choice), rest.n ? " | " : "");
	}
}

static void add_form(struct buf *to, const struct setting *s)
{
	static const char *const forms[] = {
		[SETTING_TEXT] = "Ar TEXT", [SETTING_PATH] = "Ar FILE",
		[SETTING_COMMAND] = "Ar COMMAND",
		[SETTING_URL] = "Ar URL", [SETTING_PRESET] = "Ar NAME | Cm none",
		[SETTING_WINDOW] = "Ar TIME", [SETTING_LIST] = "Ar GLOB", [SETTING_MAPS] = "Ar SRC=DST",
		[SETTING_BOOL] = "Cm yes | Cm no", [SETTING_COUNT] = "Ar N",
		[SETTING_LIMIT] = "Ar N | Cm none", [SETTING_RATE] = "Ar N | Cm none",
		[SETTING_SIZE] = "Ar BYTES | Cm none", [SETTING_DURATION] = "Ar DURATION",
		[SETTING_PERIOD] = "Ar DURATION | Cm forever",
		[SETTING_DAY] = "Ar DAY | Cm none", [SETTING_MOMENT] = "Ar MOMENT",
	};

	buf_appendf(to, ".It Ic %s No = ", s->key);
	if (s->type == SETTING_CHOICE || s->type == SETTING_SWITCH)
		add_choices(to, s->choices);
	else
		buf_append_str(to, forms[s->type]);
	buf_append_char(to, '\n');
}

static void add_setting(struct buf *to, const struct setting *s)
{
	add_form(to, s);
	add_text(to, s->help);
	if (s->type == SETTING_TEXT && s->choices) {
		buf_append_str(to, "One of:\n.Li ");
		for (const char *p = s->choices; *p; p++)
			buf_append_str(to, *p == ' ' ? " ,\n.Li " : (char[]){ *p, '\0' });
		buf_append_str(to, " .\n");
	}
	if (s->type == SETTING_COUNT)
		buf_appendf(to, "From %llu to %llu.\n", (unsigned long long)s->min,
			    (unsigned long long)s->max);
	if (s->initial)
		buf_appendf(to, "The default is\n.Li %s .\n", s->initial);
}

static void add_settings(struct buf *to)
{
	buf_append_str(to, BEGIN("settings"));
	for (int i = 0; i < SECTION_COUNT; i++) {
		const struct section_line *section = &sections[i];

		buf_appendf(to, ".Ss [%s%s%s]\\&\n", section->name, section->names ? " " : "",
			    section->names ? section->names : "");
		add_text(to, section->help);
		buf_append_str(to, ".Bl -tag -width Ds\n");
		for (size_t j = 0; j < settings_n; j++)
			if (settings[j].section == (enum section)i)
				add_setting(to, &settings[j]);
		buf_append_str(to, ".El\n");
	}
	buf_append_str(to, END("settings"));
}

static void add_columns(struct buf *to)
{
	buf_append_str(to, BEGIN("columns") ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < list_columns_n; i++) {
		buf_appendf(to, ".It Ic %s\n", list_columns[i].name);
		add_text(to, list_columns[i].help);
	}
	buf_append_str(to, ".El\n" END("columns"));
}

static bool holds(const struct buf *page, void (*add)(struct buf *to))
{
	_cleanup_(buf_done) struct buf part = BUF_NULL;

	add(&part);
	return bytes_find(buf_bytes(page), buf_bytes(&part)) >= 0;
}

int main(int argc, char **argv)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct fault fault = FAULT_INIT;
	bool good;

	if (argc < 2) {
		add_settings(&text);
		add_columns(&text);
		fputs(buf_str(&text), stdout);
		return 0;
	}

	puts("1..2");
	if (os_read_file(argv[1], 1 << 20, &text, &fault) < 0)
		printf("# %s\n", fault.text);
	good = holds(&text, add_settings);
	printf("%s 1 - the page lists the settings\n", good ? "ok" : "not ok");
	good = holds(&text, add_columns);
	printf("%s 2 - the page lists the columns\n", good ? "ok" : "not ok");
	return 0;
}
