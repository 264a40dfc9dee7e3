/* SPDX-License-Identifier: Apache-2.0 */
/* What `mailferry init` writes, made of the same tables that reading goes by. What is set there is
 * what holds anyway, but for what nobody can know; the rest is commented out, with its default or
 * an example. */
#include <string.h>

#include "config/list.h"
#include "config/settings.h"

enum { SAMPLE_COLUMNS = 4 };

/* Each line of the text behind "# ". */
static void add_comment(struct buf *to, const char *text)
{
	struct bytes rest = bytes_of(text);

	while (rest.n > 0) {
		struct bytes line = bytes_cut(&rest, '\n');

		buf_appendf(to, line.n ? "# %.*s\n" : "#%.*s\n", BYTES_ARG(line));
	}
}

static void add_value(struct buf *to, const struct setting *s, struct bytes name)
{
	const char *value = s->initial ? s->initial : s->example, *at = strstr(value, "NAME");

	if (!at || s->initial) {
		buf_append_str(to, value);
		return;
	}
	buf_append(to, value, (size_t)(at - value));
	buf_append_bytes(to, name);
	buf_append_str(to, at + strlen("NAME"));
}

static void add_section(struct buf *to, enum section which, struct bytes name, bool with_help)
{
	const struct section_line *line = &sections[which];
	const char *mark = line->optional ? "#" : "";

	buf_append_char(to, '\n');
	if (with_help)
		add_comment(to, line->help);
	buf_appendf(to, "%s[%s%s%.*s]\n", mark, line->name, name.n ? " " : "", BYTES_ARG(name));
	for (size_t i = 0; i < settings_n; i++) {
		const struct setting *s = &settings[i];

		if (s->section != which)
			continue;
		if (with_help) {
			buf_append_char(to, '\n');
			add_comment(to, s->help);
			if (!s->initial && !s->set)
				add_comment(to, "Not set unless it is written here; for example:");
		}
		buf_appendf(to, "%s%s = ", s->set ? mark : "#", s->key);
		add_value(to, s, name);
		buf_append_char(to, '\n');
	}
}

void config_sample(struct buf *to)
{
	add_comment(to,
		    "mailferry.conf: what is moved, from where to where, and how. See\n"
		    "mailferry.conf(5).\n"
		    "\n"
		    "A line is \"[section]\", \"key = value\", or a comment (\"#\" first); a value\n"
		    "ends with its line. What stands behind a \"#\" without a blank is the\n"
		    "default, or an example. A file's name begins at the folder of this one, if\n"
		    "not with \"/\"; \"~\" stands for nothing.");
	for (int i = 0; i < SECTION_COUNT; i++) {
		struct bytes names = bytes_of(sections[i].samples);
		bool first = true;

		do {
			add_section(to, (enum section)i, bytes_cut(&names, ' '), first);
			first = false;
		} while (names.n > 0);
	}
}

void config_sample_list(struct buf *to)
{
	add_comment(to,
		    "The mailboxes to move: CSV, a header line that names the columns, then a line\n"
		    "for each mailbox. Comments stand before the header only. Columns, of which\n"
		    "\"address\" must be there, in any order:\n"
		    "\n");
	for (size_t i = 0; i < list_columns_n; i++)
		buf_appendf(to, "#   %-20s   %s\n", list_columns[i].name, list_columns[i].help);
	buf_append_str(to, "#\n# For example:\n#\n#   ");
	for (size_t i = 0; i < SAMPLE_COLUMNS; i++)
		buf_appendf(to, "%s%s", i ? "," : "", list_columns[i].example);
	buf_append_str(to, "\n\n");
	for (size_t i = 0; i < SAMPLE_COLUMNS; i++)
		buf_appendf(to, "%s%s", i ? "," : "", list_columns[i].name);
	buf_append_char(to, '\n');
}
