/* SPDX-License-Identifier: Apache-2.0 */
/* The list of mailboxes, often written by a spreadsheet or exported from a directory. Its text is
 * read once into the arena, and strings are slices of it: a hundred thousand lines cost little more
 * than reading the file. */
#include "config/list.h"

#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "config/conf.h"
#include "config/csv.h"
#include "mail/utf8.h"

enum { LIST_ROWS_MAX = 1000000, WAVES_MAX = 10000, WAVE_NAME_MAX = 200 };

struct reader {
	struct config *config;
	struct value_place place;
	struct csv csv;
	struct csv_row row;
	const struct list_column *columns[CSV_CELLS_MAX]; /* of each cell */
	size_t columns_n, mailboxes_size, waves_size;
	size_t sections_n;                                /* of waves: those that stand first */
	const struct list_column *address, *wave;
	const struct list_column *at;                     /* the column at hand, for faults */
};

int list_fault_at(const struct config *config, int line, const char *column, struct fault *fault)
{
	if (column)
		fault_prefix(fault, "column %.30s", column);
	return conf_fault_at(config->list_path, line, fault);
}

/* --- the header ----------------------------------------------------------------------------- */

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
	if (bytes_find_char(name, '\r') >= 0)
		return fault_usage(fault, "its lines end with CR alone: save it as CSV in UTF-8 anew");

	for (size_t i = 0; i < list_columns_n; i++)
		names[i] = list_columns[i].name;
	near = nearest_of(text, names, list_columns_n);
	value_shown(text, 60, shown);
	if (near)
		return fault_usage(fault, "there is no column \"%s\"; did you mean \"%s\"?", shown,
				   near);
	if (strstr(shown, "password"))
		return fault_usage(fault, "a password has no place in the list: old_password_file and "
					  "old_password_command say where it is, and new_…");
	if (bytes_find_char(name, '@') > 0)
		return fault_usage(fault,
				   "there is no column \"%s\": the first line names the columns, "
				   "such as address,wave",
				   shown);
	return fault_usage(fault, "there is no column \"%s\"; mailferry.conf(5) lists the columns",
			   shown);
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
		fault_usage(fault, "the list is empty: its first line names the columns, such as "
				   "address,wave");
		return list_fault_at(reader->config, 0, NULL, fault);
	}

	for (size_t i = 0; i < reader->row.n; i++) {
		reader->columns[i] = find_column(reader->row.cells[i]);
		if (!reader->columns[i])
			r = unknown_column(reader->row.cells[i], fault);
		for (size_t j = 0; r > 0 && j < i; j++)
			if (reader->columns[j] == reader->columns[i])
				r = fault_usage(fault, "the column \"%s\" is there twice",
						reader->columns[i]->name);
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

/* --- rows ----------------------------------------------------------------------------------- */

/* What two spellings of one address have in common. *to was empty. */
static void address_key(const char *address, struct buf *to)
{
	struct bytes b = bytes_of(address);

	buf_append_bytes(to, b);
	for (size_t i = 0; i < to->n; i++)
		to->p[i] = ascii_lower(to->p[i]);
	if (utf8_is_ascii(b))
		return;

	buf_reset(to);
	if (utf8_key(b, to) < 0)
		buf_append_bytes(to, b);
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

static int add_wave(struct reader *reader, const char *name, struct fault *fault)
{
	struct config *config = reader->config;

	if (strlen(name) > WAVE_NAME_MAX)
		return fault_usage(fault, "the wave's name is longer than %d bytes", WAVE_NAME_MAX);

	/* Waves need no section; but "legal" where the section is "Legal" would lose its hold. */
	for (size_t i = 0; i < reader->sections_n; i++)
		if (bytes_equal_nocase(bytes_of(name), bytes_of(config->waves[i].name)))
			return fault_usage(fault, "there is no wave \"%s\"; did you mean \"%s\"?",
					   name, config->waves[i].name);
	if (config->waves_n - reader->sections_n == WAVES_MAX)
		return fault_usage(fault, "there are more than %d waves", WAVES_MAX);

	config->waves = xgrow(config->waves, &reader->waves_size, config->waves_n + 1,
			      sizeof(*config->waves));
	config->waves[config->waves_n++] = (struct config_wave){ .name = name };
	map_put(&config->wave_by_name, bytes_of(name), (void *)(uintptr_t)config->waves_n);
	return 0;
}

static int note_wave(struct reader *reader, const char *name, struct fault *fault)
{
	struct config *config = reader->config;
	uintptr_t at;

	if (!map_has(&config->wave_by_name, bytes_of(name)) && add_wave(reader, name, fault) < 0)
		return -1;

	at = (uintptr_t)map_get(&config->wave_by_name, bytes_of(name));
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
		return fault_usage(fault, "%s stands on line %d already",
				   value_shown(m->address, 100, shown),
				   config->mailboxes[at - 1].line);
	if (config->mailboxes_n == LIST_ROWS_MAX)
		return fault_usage(fault, "the list has more than %d mailboxes", LIST_ROWS_MAX);

	config->mailboxes = xgrow(config->mailboxes, &reader->mailboxes_size,
				  config->mailboxes_n + 1, sizeof(*config->mailboxes));
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
		.address = "", .old_login = "", .new_login = "", .wave = "",
		.old_authzid = "", .new_authzid = "", .old_url = "", .new_url = "",
		.old_password_file = "", .new_password_file = "",
		.old_password_command = "", .new_password_command = "",
		.folders = none, .excludes = none, .maps = none, .line = line,
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
		return fault_usage(fault, "comments stand before the header only; a mailbox that "
					  "is not to be moved has yes in the column skip");
	if (row->n != reader->columns_n)
		return fault_usage(fault,
				   "this line has %zu cells, the header %zu: separate them with "
				   "\"%c\", and put a cell that holds one into quotes",
				   row->n, reader->columns_n, reader->csv.separator);

	for (size_t i = 0; i < row->n; i++) {
		reader->at = reader->columns[i];
		if (list_cell(reader->at, row->cells[i], &reader->place, &m, fault) < 0)
			return -1;
	}
	if (!m.old_login[0])
		m.old_login = m.address;
	if (!m.new_login[0])
		m.new_login = m.address;

	if (check_secrets(reader, &m, fault) < 0)
		return -1;
	reader->at = reader->wave;
	if (m.wave[0] && note_wave(reader, m.wave, fault) < 0)
		return -1;
	reader->at = reader->address;
	return add_mailbox(reader, &m, fault);
}

static int read_rows(struct reader *reader, struct fault *fault)
{
	int line = 1, r;

	if (read_header(reader, fault) < 0)
		return -1;

	while ((r = csv_read(&reader->csv, &reader->row, &line, fault)) > 0)
		if (read_row(reader, fault) < 0)
			return list_fault_at(reader->config, reader->row.line,
					     reader->at ? reader->at->name : NULL, fault);
	if (r < 0)
		return list_fault_at(reader->config, line, NULL, fault);
	return 0;
}

int list_read(struct config *config, struct bytes text, struct fault *fault)
{
	_cleanup_(freep) struct reader *reader = xzalloc(sizeof(*reader));
	const char *slash = strrchr(config->list_path, '/');
	size_t folder_n = slash ? (size_t)(slash + 1 - config->list_path) : 0;
	char *copy;

	if (bytes_starts(text, BYTES("\xff\xfe")) || bytes_starts(text, BYTES("\xfe\xff"))) {
		fault_usage(fault, "this file is UTF-16: save it as CSV in UTF-8");
		return list_fault_at(config, 1, NULL, fault);
	}

	copy = arena_alloc(&config->arena, text.n + 1);
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	reader->config = config;
	reader->address = find_column(BYTES("address"));
	reader->wave = find_column(BYTES("wave"));
	reader->waves_size = reader->sections_n = config->waves_n;
	reader->place.arena = &config->arena;
	reader->place.folder =
		arena_str(&config->arena, (struct bytes){ config->list_path, folder_n });
	csv_begin(&reader->csv, copy, text.n);
	return read_rows(reader, fault);
}
