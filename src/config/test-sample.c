/* SPDX-License-Identifier: Apache-2.0 */
/* What `mailferry init` writes can be read, says what holds anyway, and shows values that can be
 * set; and the manual page lists the same settings and columns. */
/* Cases run on the stack that main() has, which is large. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/list.h"
#include "config/settings.h"
#include "config/testing.h"
#include "lib/check.h"

#define FOLDER                                                                                     \
	_cleanup_(testing_folder_remove) struct testing_folder folder;                             \
	testing_folder_make(&folder)

static const struct setting *setting_of(struct bytes section, struct bytes key)
{
	for (size_t i = 0; i < settings_n; i++)
		if (bytes_equal(section, bytes_of(sections[settings[i].section].name)) &&
		    bytes_equal(key, bytes_of(settings[i].key)))
			return &settings[i];

	return NULL;
}

/* "#[wave 1]" and "[wave 1]": "wave"; "#key = value" and "key = value". */
static bool is_section(struct bytes line, struct bytes *ret)
{
	struct bytes rest = bytes_skip(line, bytes_starts(line, BYTES("#")));

	if (!bytes_starts(rest, BYTES("[")))
		return false;
	rest = bytes_head(bytes_skip(rest, 1), rest.n - 2);
	*ret = bytes_cut(&rest, ' ');
	return true;
}

static bool is_setting(struct bytes line, struct bytes *ret_key, struct bytes *ret_value)
{
	struct bytes rest = bytes_skip(line, bytes_starts(line, BYTES("#")));

	if (bytes_starts(rest, BYTES(" ")) || bytes_find(rest, BYTES(" = ")) < 0)
		return false;
	*ret_key = bytes_trim(bytes_cut(&rest, '='));
	*ret_value = bytes_trim(rest);
	return true;
}

/* All that has a default is set to it, in the sections that are there. */
static void uncomment(struct check *check, struct bytes sample, struct buf *to, size_t *ret_seen)
{
	struct bytes section = BYTES_NULL, key, value;
	bool optional = false;

	*ret_seen = 0;
	while (sample.n > 0) {
		struct bytes line = bytes_cut(&sample, '\n');
		const struct setting *s = NULL;

		if (is_section(line, &section)) {
			optional = line.p[0] == '#';
		} else if (is_setting(line, &key, &value)) {
			s = setting_of(section, key);
			CHECK(s);
			++*ret_seen;
		}
		if (s && s->initial) {
			CHECK_BYTES(value, bytes_of(s->initial));
			line = bytes_skip(line, line.p[0] == '#' && !optional);
		}
		buf_append_bytes(to, line);
		buf_append_char(to, '\n');
	}
}

static void same_limits(struct check *check, const struct pace_settings *a,
			const struct pace_settings *b)
{
	CHECK(memcmp(&a->limits, &b->limits, sizeof(a->limits)) == 0);
	CHECK(a->times_n == 0 && b->times_n == 0);
	CHECK(a->adaptive == b->adaptive && a->local == b->local &&
	      a->bearable_us == b->bearable_us);
}

static void same_platform(struct check *check, const struct config_platform *a,
			  const struct config_platform *b)
{
	CHECK_STR(a->login, b->login);
	CHECK(!a->preset && !b->preset && !a->authzid && !b->authzid && !a->mechanism &&
	      !b->mechanism);
	CHECK(!a->ca_file && !b->ca_file);
	CHECK(a->tls_unverified == b->tls_unverified && a->plaintext == b->plaintext &&
	      a->compress == b->compress && a->no_pipelining == b->no_pipelining &&
	      a->no_qresync == b->no_qresync);
	CHECK_EQ(a->timeout_us, b->timeout_us);
	same_limits(check, &a->server, &b->server);
	same_limits(check, &a->account, &b->account);
}

/* The two configurations say the same of all that has a default. */
static void same(struct check *check, const struct config *a, const struct config *b)
{
	same_platform(check, &a->old, &b->old);
	same_platform(check, &a->new, &b->new);
	same_limits(check, &a->total, &b->total);
	CHECK_STR(strrchr(a->list_path, '/'), strrchr(b->list_path, '/'));
	CHECK_STR(a->state, b->state);
	CHECK(!a->ca_file && !b->ca_file && !a->folders[0] && !a->excludes[0] && !a->maps[0]);
	CHECK(!b->folders[0] && !b->excludes[0] && !b->maps[0]);
	CHECK(a->since == b->since && a->before == b->before && a->flags == b->flags);
	CHECK(a->mirror_deletes == b->mirror_deletes && a->recopy_missing == b->recopy_missing &&
	      a->adopt == b->adopt);
	CHECK(a->delete_limit_percent == b->delete_limit_percent &&
	      a->connections == b->connections && a->at_once == b->at_once &&
	      a->processes == b->processes && a->retries == b->retries && a->soon_us == b->soon_us);
	CHECK(a->waves_n == 0 && b->waves_n == 0);
}

static void sample_is_defaults(struct check *check)
{
	_cleanup_(config_done) struct config plain = { .path = NULL },
					     as_written = { .path = NULL }, set = { .path = NULL };
	_cleanup_(buf_done) struct buf sample = BUF_NULL, list = BUF_NULL, uncommented = BUF_NULL;
	struct fault fault = FAULT_INIT;
	size_t seen, expected = 0;
	FOLDER;

	setenv("XDG_STATE_HOME", "/some/where", 1);
	config_sample(&sample);
	config_sample_list(&list);
	uncomment(check, buf_bytes(&sample), &uncommented, &seen);
	for (size_t i = 0; i < settings_n; i++)
		expected += settings[i].section == SECTION_PLATFORM ? 2 : 1;
	CHECK_EQ(seen, expected);

	if (testing_config(&folder, PLAIN_CONF, PLAIN_LIST, &plain, &fault) < 0 ||
	    testing_config(&folder, buf_str(&sample), buf_str(&list), &as_written, &fault) < 0 ||
	    testing_config(&folder, buf_str(&uncommented), buf_str(&list), &set, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	same(check, &plain, &as_written);
	same(check, &plain, &set);
	CHECK_EQ(as_written.mailboxes_n, 0);
	CHECK_STR(as_written.old.url, "imaps://imap.old.example");
	CHECK_STR(as_written.new.url, "imaps://imap.new.example");
}

/* Every example is a value, and so is every default. */
static void examples(struct check *check)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct string_items items = { .n = 0 };
	struct value_place place = { .folder = "", .arena = &arena, .items = &items };
	struct fault fault = FAULT_INIT;
	_Alignas(max_align_t) char room[sizeof(struct config)];

	for (size_t i = 0; i < settings_n; i++) {
		const struct setting *s = &settings[i];

		CHECK(s->initial || s->example);
		if ((s->initial && value_read(s, s->initial, &place, room, &fault) < 0) ||
		    (s->example && value_read(s, s->example, &place, room, &fault) < 0))
			CHECK_FAIL("%s: %s", s->key, fault.text);
		for (size_t j = 0; j < i; j++)
			CHECK(settings[j].section != s->section ||
			      strcmp(settings[j].key, s->key) != 0);
	}
	string_items_done(&items);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "the sample says the defaults", sample_is_defaults },
		{ "examples", examples },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
