/* SPDX-License-Identifier: Apache-2.0 */
/* The list of mailboxes, often written by a spreadsheet or exported from a directory. Its text is read once into the
 * arena, and strings are slices of it: a hundred thousand lines cost little more than reading the file. */
#include "config/list.h"

#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "config/conf.h"
#include "config/csv.h"
#include "mail/utf8.h"
#include "os/file.h"
#include "os/look.h"

enum { LIST_BYTES_MAX = 256 << 20, LIST_ROWS_MAX = 1000000, ADDRESS_MAX = 320, WAVE_MAX = 200 };

#define COLUMN(name, type, example, help) { #name, example, help, type, offsetof(struct config_mailbox, name) }

const struct list_column list_columns[] = {
	COLUMN(address, LIST_ADDRESS, "anna@example.org", "the mailbox: how it is called everywhere"),
	COLUMN(old_login, LIST_TEXT, "", "who logs in at the old platform; empty: the address"),
	COLUMN(new_login, LIST_TEXT, "", "… at the new one"),
	COLUMN(wave, LIST_TEXT, "1", "with whom it moves"),
	COLUMN(hold, LIST_BOOL, "no", "yes: nothing is ever removed from its copy"),
	COLUMN(skip, LIST_BOOL, "no", "yes: it is listed, but not moved"),
	COLUMN(old_authzid, LIST_TEXT, "", "on whose behalf, when an administrator logs in"),
	COLUMN(new_authzid, LIST_TEXT, "", ""),
	COLUMN(old_password_file, LIST_PATH, "", "in place of what the platform says"),
	COLUMN(new_password_file, LIST_PATH, "", ""),
	COLUMN(old_password_command, LIST_COMMAND, "", ""),
	COLUMN(new_password_command, LIST_COMMAND, "", ""),
	COLUMN(old_url, LIST_URL, "", "in place of the platform's, without a user"),
	COLUMN(new_url, LIST_URL, "", ""),
	COLUMN(folders, LIST_ITEMS, "", "only these folders; several with | between"),
	COLUMN(excludes, LIST_ITEMS, "", "not these"),
	COLUMN(maps, LIST_MAPS, "", "SRC=DST: source folder SRC becomes DST"),
};

const size_t list_columns_n = ARRAY_SIZE(list_columns);

struct reader {
	struct config *config;
	struct value_place place;
	struct csv csv;
	struct csv_row row;
	const struct list_column *columns[CSV_CELLS_MAX]; /* of each cell */
	size_t columns_n, mailboxes_size, waves_size;
	const struct list_column *at;                     /* the column at hand, for faults */
};

int list_fault_at(const struct config *config, int line, const char *column, struct fault *fault)
{
	if (column)
		fault_prefix(fault, "column %.30s", column);
	return conf_fault_at(config->list_path, line, fault);
}

/* --- the header --------------------------------------------------------------------------------- */

static const struct list_column *find_column(struct bytes name)
{
	for (size_t i = 0; i < list_columns_n; i++)
		if (bytes_equal_nocase(name, bytes_of(list_columns[i].name)))
			return &list_columns[i];

	return NULL;
}

static int unknown_column(struct bytes name, struct fault *fault)
{
	_cleanup_(freep) char *text = bytes_to_str(name);
	const char *names[CSV_CELLS_MAX], *near;
	char shown[200];

	if (name.n == 0)
		return fault_usage(fault, "a column of the header has no name");

	for (size_t i = 0; i < list_columns_n; i++)
		names[i] = list_columns[i].name;
	near = nearest_of(text, names, list_columns_n);
	value_shown(text, 60, shown);
	if (near)
		return fault_usage(fault, "there is no column \"%s\"; did you mean \"%s\"?", shown, near);
	if (find_column(BYTES("address")) && bytes_find_char(name, '@') > 0)
		return fault_usage(fault, "there is no column \"%s\": the first line names the columns, such as "
				   "address,wave", shown);
	return fault_usage(fault, "there is no column \"%s\"; mailferry.conf(5) lists the columns", shown);
}

static int read_header(struct reader *reader, struct fault *fault)
{
	bool has_address = false;
	int line = 1, r;

	csv_find_header(&reader->csv);
	r = csv_read(&reader->csv, &reader->row, &line, fault);
	if (r < 0)
		return list_fault_at(reader->config, line, NULL, fault);
	if (r == 0) {
		fault_usage(fault, "the list is empty: its first line names the columns, such as address,wave");
		return list_fault_at(reader->config, 0, NULL, fault);
	}

	for (size_t i = 0; i < reader->row.n; i++) {
		reader->columns[i] = find_column(reader->row.cells[i]);
		if (!reader->columns[i])
			r = unknown_column(reader->row.cells[i], fault);
		for (size_t j = 0; r > 0 && j < i; j++)
			if (reader->columns[j] == reader->columns[i])
				r = fault_usage(fault, "the column \"%s\" is there twice", reader->columns[i]->name);
		if (r < 0)
			return list_fault_at(reader->config, reader->row.line, NULL, fault);
		has_address |= reader->columns[i]->type == LIST_ADDRESS;
	}
	reader->columns_n = reader->row.n;
	if (has_address)
		return 0;

	fault_usage(fault, "the header names no column \"address\"");
	return list_fault_at(reader->config, reader->row.line, NULL, fault);
}

/* --- cells -------------------------------------------------------------------------------------- */

static bool has_control(struct bytes b, bool lines_too)
{
	for (size_t i = 0; i < b.n; i++)
		if (((unsigned char)b.p[i] < 0x20 && !(lines_too && (b.p[i] == '\n' || b.p[i] == '\r'))) ||
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
		return fault_usage(fault, "this is not UTF-8: a spreadsheet calls it \"CSV UTF-8\"");
	if (has_control(cell, lines))
		return fault_usage(fault, "the cell holds a control character");
	return 0;
}

/* What a spreadsheet or a web page leaves in a text without anybody seeing it; and what turns its direction. */
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
		return fault_usage(fault, "the address holds a character that cannot be seen: type it anew");
	if (!at || at == b.p || at + 1 == b.p + b.n)
		return fault_usage(fault, "this is no address: write it in full, as anna@example.org");
	for (const char *p = at; p < b.p + b.n; p++)
		if (*p == ' ')
			return fault_usage(fault, "there is a blank in the domain of the address");
	if (b.p[0] == ' ')
		return fault_usage(fault, "the address begins with a blank");
	return 0;
}

/* Items are cut at "|" and line ends. A backslash keeps the character behind it, of which only "|" loses its
 * backslash: others mean something in patterns. */
static int read_items(struct reader *reader, const struct list_column *column, struct bytes cell,
		      const char *const **ret, struct fault *fault)
{
	struct string_items items = { .n = 0 };
	char *to = arena_alloc(reader->place.arena, cell.n + 1), *begin = to;
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
	*ret = string_items_copy(&items, reader->place.arena);
	string_items_done(&items);
	return r;
}

static int read_secret_path(struct reader *reader, const char *text, const char **ret, struct fault *fault)
{
	if (value_path(text, &reader->place, ret, fault) < 0)
		return -1;
	return os_look_for_file(*ret, fault);
}

/* Words are replaced in mailferry.conf only: a line can say what it means. */
static int check_no_words(const char *text, struct fault *fault)
{
	struct fault ignored = FAULT_INIT;

	if (strchr(text, '{') && expand_words(text, &ignored) > 0)
		return fault_usage(fault, "words in braces are replaced in mailferry.conf, not in the list: write "
				   "what is meant");
	return 0;
}

static int read_cell(struct reader *reader, const struct list_column *column, struct bytes cell,
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
		return check_no_words(text, fault) < 0 ? -1 : read_secret_path(reader, text, at, fault);
	case LIST_URL:
		*(const char **)at = text;
		return check_no_words(text, fault) < 0 ? -1 : value_url(text, false, fault);
	case LIST_ITEMS:
	case LIST_MAPS:
		return read_items(reader, column, cell, at, fault);
	case LIST_BOOL:
		return value_bool(text, at) == 0 ? 0 : fault_usage(fault, "write yes or no");
	}
	return 0;
}

/* --- rows --------------------------------------------------------------------------------------- */

static void address_key(const char *address, struct buf *to)
{
	if (utf8_is_ascii(bytes_of(address)))
		for (const char *p = address; *p; p++)
			buf_append_char(to, ascii_lower(*p));
	else if (utf8_key(bytes_of(address), to) < 0)
		buf_append_str(to, address);
}

const struct config_mailbox *config_mailbox(const struct config *config, const char *address)
{
	_cleanup_(buf_done) struct buf key = BUF_NULL;
	uintptr_t at;

	address_key(address, &key);
	at = (uintptr_t)map_get(&config->mailbox_by_address, buf_bytes(&key));
	return at ? &config->mailboxes[at - 1] : NULL;
}

const struct config_wave *config_wave(const struct config *config, const char *name)
{
	uintptr_t at = (uintptr_t)map_get(&config->wave_by_name, bytes_of(name));

	return at ? &config->waves[at - 1] : NULL;
}

static int note_wave(struct reader *reader, const char *name, struct fault *fault)
{
	struct config *config = reader->config;
	uintptr_t at = (uintptr_t)map_get(&config->wave_by_name, bytes_of(name));

	if (strlen(name) > WAVE_MAX)
		return fault_usage(fault, "the wave's name is longer than %d bytes", WAVE_MAX);

	for (size_t i = 0; !at && i < config->waves_n; i++)
		if (config->waves[i].line && bytes_equal_nocase(bytes_of(name), bytes_of(config->waves[i].name)))
			return fault_usage(fault, "there is no wave \"%s\"; did you mean \"%s\"?", name,
					   config->waves[i].name);
	if (!at) {
		config->waves = xgrow(config->waves, &reader->waves_size, config->waves_n + 1,
				      sizeof(*config->waves));
		config->waves[config->waves_n++] = (struct config_wave){ .name = name };
		at = config->waves_n;
		map_put(&config->wave_by_name, bytes_of(name), (void *)at);
	}
	config->waves[at - 1].mailboxes++;
	return 0;
}

static int add_mailbox(struct reader *reader, const struct config_mailbox *m, struct fault *fault)
{
	_cleanup_(buf_done) struct buf key = BUF_NULL;
	struct config *config = reader->config;
	char shown[200];
	uintptr_t at;

	address_key(m->address, &key);
	at = (uintptr_t)map_get(&config->mailbox_by_address, buf_bytes(&key));
	if (at)
		return fault_usage(fault, "%s stands on line %d already", value_shown(m->address, 100, shown),
				   config->mailboxes[at - 1].line);
	if (config->mailboxes_n == LIST_ROWS_MAX)
		return fault_usage(fault, "the list has more than %d mailboxes", LIST_ROWS_MAX);

	config->mailboxes = xgrow(config->mailboxes, &reader->mailboxes_size, config->mailboxes_n + 1,
				  sizeof(*config->mailboxes));
	config->mailboxes[config->mailboxes_n++] = *m;
	map_put(&config->mailbox_by_address, buf_bytes(&key), (void *)config->mailboxes_n);
	return 0;
}

static bool is_empty(const struct csv_row *row)
{
	for (size_t i = 0; i < row->n; i++)
		if (row->cells[i].n > 0)
			return false;

	return true;
}

static struct config_mailbox empty_mailbox(int line)
{
	static const char *const none[] = { NULL };

	return (struct config_mailbox){
		.address = "", .old_login = "", .new_login = "", .wave = "", .old_authzid = "", .new_authzid = "",
		.old_password_file = "", .new_password_file = "", .old_password_command = "",
		.new_password_command = "", .old_url = "", .new_url = "", .folders = none, .excludes = none,
		.maps = none, .line = line,
	};
}

static int check_secrets(struct reader *reader, const struct config_mailbox *m, struct fault *fault)
{
	if (m->old_password_file[0] && m->old_password_command[0])
		reader->at = find_column(BYTES("old_password_command"));
	else if (m->new_password_file[0] && m->new_password_command[0])
		reader->at = find_column(BYTES("new_password_command"));
	else
		return 0;
	return fault_usage(fault, "there is a password file too: write one of them");
}

static int read_row(struct reader *reader, struct fault *fault)
{
	const struct csv_row *row = &reader->row;
	struct config_mailbox m = empty_mailbox(row->line);

	reader->at = NULL;
	if (is_empty(row))
		return 0;
	if (row->cells[0].n > 0 && row->cells[0].p[0] == '#' && !row->quoted[0])
		return fault_usage(fault, "comments stand before the header only; a mailbox that is not to be moved "
				   "has yes in the column skip");
	if (row->n != reader->columns_n)
		return fault_usage(fault, "this line has %zu cells, the header %zu: separate them with \"%c\", and put "
				   "a cell that holds one into quotes", row->n, reader->columns_n, reader->csv.separator);

	for (size_t i = 0; i < row->n; i++) {
		reader->at = reader->columns[i];
		if (read_cell(reader, reader->at, row->cells[i], &m, fault) < 0)
			return -1;
	}
	if (!m.old_login[0])
		m.old_login = m.address;
	if (!m.new_login[0])
		m.new_login = m.address;

	if (check_secrets(reader, &m, fault) < 0)
		return -1;
	reader->at = find_column(BYTES("wave"));
	if (m.wave[0] && note_wave(reader, m.wave, fault) < 0)
		return -1;
	reader->at = find_column(BYTES("address"));
	return add_mailbox(reader, &m, fault);
}

static int read_rows(struct reader *reader, struct fault *fault)
{
	int line = 1, r;

	if (read_header(reader, fault) < 0)
		return -1;

	while ((r = csv_read(&reader->csv, &reader->row, &line, fault)) > 0)
		if (read_row(reader, fault) < 0)
			return list_fault_at(reader->config, reader->row.line, reader->at ? reader->at->name : NULL, fault);
	if (r < 0)
		return list_fault_at(reader->config, line, NULL, fault);
	return 0;
}

static char *load_text(struct config *config, size_t *ret_n, struct fault *fault)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	char *copy;

	if (os_read_file(config->list_path, LIST_BYTES_MAX, &text, fault) < 0)
		return NULL;

	copy = arena_alloc(&config->arena, text.n + 1);
	memcpy(copy, buf_str(&text), text.n);
	*ret_n = text.n;
	return copy;
}

int list_read(struct config *config, struct fault *fault)
{
	_cleanup_(freep) struct reader *reader = xzalloc(sizeof(*reader));
	const char *slash = strrchr(config->list_path, '/');
	size_t n = 0;
	char *text = load_text(config, &n, fault);

	if (!text)
		return 1;

	reader->config = config;
	reader->waves_size = config->waves_n;
	reader->place.arena = &config->arena;
	reader->place.folder = slash ? arena_str(&config->arena, (struct bytes){ config->list_path,
						(size_t)(slash + 1 - config->list_path) }) : "";
	if (n >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
		fault_usage(fault, "this file is UTF-16: save it as CSV in UTF-8");
		return list_fault_at(config, 1, NULL, fault);
	}

	csv_begin(&reader->csv, text, n);
	return read_rows(reader, fault);
}
