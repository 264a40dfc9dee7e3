/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of mailferry.conf. A line is blank, a comment ("#" or ";" first), "[section]",
 * "[section name]" or "key = value"; nothing goes over several lines, and a value ends with its
 * line and nowhere before: in a command ";" and "#" have a meaning of their own. */
#include "config/conf.h"

#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "mail/utf8.h"

enum { NAME_MAX_BYTES = 200 };

int conf_fault_at(const char *path, int line, struct fault *fault)
{
	size_t n = strlen(path);
	const char *shown = n > 120 ? path + n - 120 : path;

	while (shown > path && ((unsigned char)*shown & 0xc0) == 0x80)
		shown++;
	if (line == 0)
		return fault_prefix(fault, "%s%s", n > 120 ? "…" : "", shown);
	return fault_prefix(fault, "%s%s:%d", n > 120 ? "…" : "", shown, line);
}

int conf_line(const struct conf_section *section, const char *key)
{
	for (size_t i = 0; i < settings_n; i++)
		if (settings[i].section == section->section && strcmp(settings[i].key, key) == 0)
			return section->lines[i];

	return 0;
}

/* --- sections ------------------------------------------------------------------------------- */

static void *section_base(struct conf *conf, enum section which, const char *name, int line)
{
	struct config *config = conf->config;
	struct config_window *window;
	struct config_wave *wave;

	switch (which) {
	case SECTION_PLATFORM:
		return strcmp(name, "old") == 0 ? &config->old : &config->new;
	case SECTION_WINDOW:
		window = arena_alloc(conf->place.arena, sizeof(*window));
		*window = (struct config_window){ .name = name, .line = line };
		return window;
	case SECTION_WAVE:
		wave = arena_alloc(conf->place.arena, sizeof(*wave));
		*wave = (struct config_wave){ .name = name, .line = line };
		return wave;
	default:
		return config;
	}
}

struct conf_section *conf_add_section(struct conf *conf, enum section which, struct bytes name,
				      int line)
{
	struct conf_section *section = xzalloc(sizeof(*section));

	section->section = which;
	section->name = arena_str(conf->place.arena, name);
	section->line = line;
	section->base = section_base(conf, which, section->name, line);
	conf->sections = xgrow(conf->sections, &conf->sections_size, conf->sections_n + 1,
			       sizeof(*conf->sections));
	conf->sections[conf->sections_n++] = section;
	return section;
}

static int unknown_section(const char *word, struct fault *fault)
{
	const char *names[SECTION_COUNT], *near;
	char shown[200];

	for (size_t i = 0; i < SECTION_COUNT; i++)
		names[i] = sections[i].name;
	near = nearest_of(word, names, SECTION_COUNT);
	if (near)
		return fault_usage(fault, "there is no section [%s]; did you mean [%s]?",
				   value_shown(word, 60, shown), near);
	return fault_usage(fault,
			   "there is no section [%s]: write [mailferry], [platform old], [platform "
			   "new], [limits], [window NAME], [copy], [wave NAME] or [gateway]",
			   value_shown(word, 60, shown));
}

static int check_section_name(enum section which, struct bytes name, struct fault *fault)
{
	const char *word = sections[which].name;

	if (!sections[which].names && name.n > 0)
		return fault_usage(fault, "this section has no name of its own: write [%s]", word);
	if (sections[which].names && name.n == 0)
		return fault_usage(fault, "this section needs a name: write [%s %s]", word,
				   sections[which].names);
	if (bytes_find_char(name, '\t') >= 0)
		return fault_usage(fault, "there is a tab within this name");
	if (name.n > NAME_MAX_BYTES)
		return fault_usage(fault, "this name is longer than %d bytes", NAME_MAX_BYTES);
	if (which == SECTION_PLATFORM && !bytes_equal(name, BYTES("old")) &&
	    !bytes_equal(name, BYTES("new")))
		return fault_usage(fault, "there are two platforms: write [platform old] or "
					  "[platform new]");
	return 0;
}

static int begin_section(struct conf *conf, struct bytes line, int number,
			 struct conf_section **ret, struct fault *fault)
{
	_cleanup_(buf_done) struct buf key = BUF_NULL;
	struct bytes rest, word;
	size_t which = 0;

	if (line.n < 2 || line.p[line.n - 1] != ']')
		return fault_usage(fault, "a section's line is its name in brackets and nothing "
					  "else: [platform old]");

	rest = bytes_trim((struct bytes){ line.p + 1, line.n - 2 });
	word = bytes_cut(&rest, ' ');
	rest = bytes_trim(rest);
	buf_append_bytes(&key, word);
	while (which < SECTION_COUNT && strcmp(sections[which].name, buf_str(&key)) != 0)
		which++;
	if (which == SECTION_COUNT)
		return unknown_section(buf_str(&key), fault);
	if (check_section_name((enum section)which, rest, fault) < 0)
		return -1;

	buf_append_char(&key, ' ');
	buf_append_bytes(&key, rest);
	*ret = map_get(&conf->by_name, buf_bytes(&key));
	if (*ret)
		return fault_usage(fault, "[%.*s] stands on line %d already: a section comes once",
				   BYTES_ARG(bytes_trim(buf_bytes(&key))), (*ret)->line);

	*ret = conf_add_section(conf, (enum section)which, rest, number);
	map_put(&conf->by_name, buf_bytes(&key), *ret);
	return 0;
}

/* --- keys ----------------------------------------------------------------------------------- */

static const struct setting *find_setting(enum section section, const char *key)
{
	for (size_t i = 0; i < settings_n; i++)
		if (settings[i].section == section && strcmp(settings[i].key, key) == 0)
			return &settings[i];

	return NULL;
}

static int unknown_key(enum section section, const char *key, struct fault *fault)
{
	const char *names[SETTINGS_MAX], *near;
	const char *word = sections[section].name;
	char shown[200];
	size_t n = 0;

	if (strcmp(key, "password") == 0 || strcmp(key, "token") == 0)
		return fault_usage(fault,
				   "a %s has no place in this file: write %s_file or %s_command in "
				   "[platform old] and [platform new]",
				   key, key, key);

	for (size_t i = 0; i < settings_n; i++)
		if (settings[i].section == section)
			names[n++] = settings[i].key;
	near = nearest_of(key, names, n);
	value_shown(key, 60, shown);
	if (near)
		return fault_usage(fault, "[%s] has no key \"%s\"; did you mean \"%s\"?", word,
				   shown, near);

	for (int i = 0; i < SECTION_COUNT; i++)
		if (find_setting((enum section)i, key))
			return fault_usage(fault,
					   "[%s] has no key \"%s\": it belongs into [%s%s%s]", word,
					   shown, sections[i].name, sections[i].names ? " " : "",
					   sections[i].names ? sections[i].names : "");
	return fault_usage(fault,
			   "[%s] has no key \"%s\"; the manual page mailferry.conf(5) lists them",
			   word, shown);
}

static int set_key(struct conf *conf, struct conf_section *section, struct bytes key_text,
		   struct bytes value_text, int number, struct fault *fault)
{
	_cleanup_(freep) char *key = bytes_to_str(key_text), *value = bytes_to_str(value_text);
	const struct setting *s = find_setting(section->section, key);
	struct value_place place = conf->place;
	size_t at;

	if (!s)
		return unknown_key(section->section, key, fault);

	at = (size_t)(s - settings);
	if (section->lines[at] && !setting_may_repeat(s))
		return fault_usage(fault, "%s stands on line %d already: a key comes once", key,
				   section->lines[at]);

	place.items = &conf->items[at];
	section->lines[at] = number;
	if (value_read(s, value, &place, section->base, fault) < 0)
		return fault_prefix(fault, "%s", key);
	return 0;
}

/* --- lines ---------------------------------------------------------------------------------- */

static int check_line(struct bytes line, struct fault *fault)
{
	if (!utf8_is_valid(line))
		return fault_usage(fault, "this line is not UTF-8: save the file as UTF-8");
	for (size_t i = 0; i < line.n; i++)
		if (((unsigned char)line.p[i] < 0x20 && line.p[i] != '\t') || line.p[i] == 0x7f)
			return fault_usage(fault, "this line holds a control character (%#04x)",
					   (unsigned)(unsigned char)line.p[i]);
	return 0;
}

static int read_line(struct conf *conf, struct conf_section **section, struct bytes line,
		     int number, struct fault *fault)
{
	struct bytes key, value;

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (check_line(line, fault) < 0)
		return -1;

	line = bytes_trim(line);
	if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
		return 0;
	if (line.p[0] == '[')
		return begin_section(conf, line, number, section, fault);
	if (bytes_find_char(line, '=') < 0)
		return fault_usage(fault, "this line is neither \"key = value\" nor \"[section]\" "
					  "nor a comment (\"#\" first)");

	value = line;
	key = bytes_trim(bytes_cut(&value, '='));
	if (!*section)
		return fault_usage(fault, "a section must come before the first key, such as "
					  "[mailferry]");
	return set_key(conf, *section, key, bytes_trim(value), number, fault);
}

static int read_lines(struct conf *conf, struct bytes text, struct fault *fault)
{
	struct conf_section *section = NULL;
	int number = 0;

	if (bytes_starts(text, BYTES("\xef\xbb\xbf")))
		text = bytes_skip(text, 3);
	if (bytes_starts(text, BYTES("\xff\xfe")) || bytes_starts(text, BYTES("\xfe\xff"))) {
		fault_usage(fault, "this file is UTF-16: save it as UTF-8");
		return conf_fault_at(conf->path, 0, fault);
	}

	while (text.n > 0) {
		struct bytes line = bytes_cut(&text, '\n');

		number++;
		if (read_line(conf, &section, line, number, fault) < 0)
			return conf_fault_at(conf->path, number, fault);
	}
	return 0;
}

int conf_read(struct conf *conf, struct bytes text, struct fault *fault)
{
	return read_lines(conf, text, fault) < 0 ? -1 : conf_fill(conf, fault);
}

void conf_done(struct conf *conf)
{
	for (size_t i = 0; i < conf->sections_n; i++)
		free(conf->sections[i]);
	for (size_t i = 0; i < settings_n; i++)
		string_items_done(&conf->items[i]);
	free(conf->sections);
	map_done(&conf->by_name);
	*conf = (struct conf){ .path = NULL };
}
