/* SPDX-License-Identifier: Apache-2.0 */
/* The columns of the list, and what a cell may hold. */
#include <string.h>

#include "base/buf.h"
#include "config/list.h"
#include "mail/utf8.h"
#include "os/look.h"

enum { ADDRESS_MAX = 320 };

#define COLUMN(name, type, example, help)                                                          \
	{ #name, example, help, type, offsetof(struct config_mailbox, name) }

const struct list_column list_columns[] = {
	COLUMN(address, LIST_ADDRESS, "anna@example.org", "the mailbox: how it is called everywhere"),
	COLUMN(old_login, LIST_TEXT, "", "who logs in at the old platform; empty: the address"),
	COLUMN(new_login, LIST_TEXT, "anna", "who logs in at the new one; empty: the address"),
	COLUMN(wave, LIST_TEXT, "1", "with whom it moves"),
	COLUMN(hold, LIST_BOOL, "no", "yes: nothing is ever removed from its copy"),
	COLUMN(skip, LIST_BOOL, "no", "yes: it is listed, but not moved"),
	COLUMN(old_authzid, LIST_TEXT, "", "on whose behalf, when an administrator logs in"),
	COLUMN(new_authzid, LIST_TEXT, "", "likewise"),
	COLUMN(old_password_file, LIST_PATH, "", "in place of what the platform says"),
	COLUMN(new_password_file, LIST_PATH, "", "likewise"),
	COLUMN(old_password_command, LIST_COMMAND, "", "in place of what the platform says"),
	COLUMN(new_password_command, LIST_COMMAND, "", "likewise"),
	COLUMN(old_url, LIST_URL, "", "in place of the platform's, without a user"),
	COLUMN(new_url, LIST_URL, "", "likewise"),
	COLUMN(folders, LIST_ITEMS, "", "only these folders; several with | between"),
	COLUMN(excludes, LIST_ITEMS, "", "not these; likewise"),
	COLUMN(maps, LIST_MAPS, "", "SRC=DST: source folder SRC becomes DST; likewise"),
};

const size_t list_columns_n = ARRAY_SIZE(list_columns);

static bool has_control(struct bytes b, bool lines_too)
{
	for (size_t i = 0; i < b.n; i++)
		if (((unsigned char)b.p[i] < 0x20 &&
		     !(lines_too && (b.p[i] == '\n' || b.p[i] == '\r'))) ||
		    b.p[i] == 0x7f)
			return true;

	return false;
}

static int check_cell(const struct list_column *column, struct bytes cell, struct fault *fault)
{
	bool lines = column->type == LIST_ITEMS || column->type == LIST_MAPS;

	if (utf8_is_ascii(cell) && !has_control(cell, lines))
		return 0;
	if (!utf8_is_valid(cell))
		return fault_usage(fault, "this is not UTF-8: a spreadsheet calls it \"CSV "
					  "UTF-8\"");
	if (has_control(cell, lines))
		return fault_usage(fault, "the cell holds a control character");
	return 0;
}

/* What a spreadsheet or a web page leaves in a text without anybody seeing it; and what turns its
 * direction. */
static bool holds_invisible(struct bytes b)
{
	_cleanup_(buf_done) struct buf shown = BUF_NULL;

	utf8_printable(&shown, b);
	if (!bytes_equal(buf_bytes(&shown), b))
		return true;

	while (b.n > 0) {
		uint32_t c;

		utf8_next(&b, &c);
		if (c == 0xa0 || c == 0xad || c == 0x200b || c == 0x2060 || c == 0xfeff)
			return true;
	}
	return false;
}

static int check_address(struct bytes b, struct fault *fault)
{
	const char *at = b.n ? memrchr(b.p, '@', b.n) : NULL;

	if (b.n == 0)
		return fault_usage(fault, "the address is missing");
	if (b.n > ADDRESS_MAX)
		return fault_usage(fault, "the address is longer than %d bytes", ADDRESS_MAX);
	if (!utf8_is_ascii(b) && holds_invisible(b))
		return fault_usage(fault, "the address holds a character that cannot be seen: type "
					  "it anew");
	if (!at || at == b.p || at + 1 == b.p + b.n)
		return fault_usage(fault, "this is no address: write it in full, as "
					  "anna@example.org");
	for (const char *p = at; p < b.p + b.n; p++)
		if (*p == ' ')
			return fault_usage(fault, "there is a blank in the domain of the address");
	if (b.p[0] == ' ')
		return fault_usage(fault, "the address begins with a blank");
	return 0;
}

/* Items are cut at "|" and line ends. A backslash keeps the character behind it, of which only "|"
 * loses its backslash: others mean something in patterns. */
static int read_items(const struct list_column *column, struct bytes cell,
		      const struct value_place *place, const char *const **ret, struct fault *fault)
{
	struct string_items items = { .n = 0 };
	char *to = arena_alloc(place->arena, cell.n + 1), *begin = to;
	int r = 0;

	for (size_t i = 0; r == 0 && i <= cell.n; i++) {
		char c = i < cell.n ? cell.p[i] : '|';

		if (c == '\\' && i + 1 < cell.n) {
			if (cell.p[++i] != '|')
				*to++ = c;
			*to++ = cell.p[i];
			continue;
		}
		if (c != '|' && c != '\n' && c != '\r') {
			*to++ = c;
			continue;
		}
		*to++ = '\0';
		if (begin[0])
			string_items_add(&items, begin);
		if (begin[0] && column->type == LIST_MAPS)
			r = value_map(begin, fault);
		begin = to;
	}
	*ret = string_items_copy(&items, place->arena);
	string_items_done(&items);
	return r;
}

static int read_secret_path(const char *text, const struct value_place *place, const char **ret,
			    struct fault *fault)
{
	if (value_path(text, place, ret, fault) < 0)
		return -1;
	return os_look_for_file(*ret, fault);
}

/* Words are replaced in mailferry.conf only: a line can say what it means. */
static int check_no_words(const char *text, struct fault *fault)
{
	struct fault ignored = FAULT_INIT;

	if (strchr(text, '{') && expand_words(text, &ignored) > 0)
		return fault_usage(fault, "words in braces are replaced in mailferry.conf, not in "
					  "the list: write what is meant");
	return 0;
}

int list_cell(const struct list_column *column, struct bytes cell, const struct value_place *place,
	      struct config_mailbox *m, struct fault *fault)
{
	void *at = (char *)m + column->offset;
	const char *text = cell.p; /* with a NUL behind it */

	if (check_cell(column, cell, fault) < 0)
		return -1;
	if (column->type == LIST_ADDRESS && check_address(cell, fault) < 0)
		return -1;
	if (cell.n == 0)
		return 0;

	switch (column->type) {
	case LIST_ADDRESS:
		*(const char **)at = text;
		return 0;
	case LIST_TEXT:
	case LIST_COMMAND:
		*(const char **)at = text;
		return check_no_words(text, fault);
	case LIST_PATH:
		if (check_no_words(text, fault) < 0)
			return -1;
		return read_secret_path(text, place, at, fault);
	case LIST_URL:
		*(const char **)at = text;
		return check_no_words(text, fault) < 0 ? -1 : value_url(text, false, fault);
	case LIST_ITEMS:
	case LIST_MAPS:
		return read_items(column, cell, place, at, fault);
	case LIST_BOOL:
		return value_bool(text, at) == 0 ? 0 : fault_usage(fault, "write yes or no");
	}
	return 0;
}
