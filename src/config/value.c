/* SPDX-License-Identifier: Apache-2.0 */
/* A value's text becomes a member of a struct. A fault quotes numbers, names and the like, but
 * never commands and URLs: people put passwords there. */
#include <string.h>

#include "base/buf.h"
#include "base/url.h"
#include "base/xalloc.h"
#include "config/settings.h"
#include "imap/date.h"
#include "mail/utf8.h"

/* --- texts ---------------------------------------------------------------------------------- */

const char *value_shown(const char *text, size_t max_n, char to[static 200])
{
	_cleanup_(buf_done) struct buf printable = BUF_NULL;
	struct bytes rest;
	size_t n = 0, head = strlen(text);

	if (head > max_n)
		for (head = max_n; head > 0 && ((unsigned char)text[head] & 0xc0) == 0x80;)
			head--;
	utf8_printable(&printable, bytes_head(bytes_of(text), head));
	rest = buf_bytes(&printable);
	while (rest.n > 0 && n + 8 < 200) {
		const char *begin = rest.p;
		uint32_t c;

		utf8_next(&rest, &c);
		memcpy(to + n, begin, (size_t)(rest.p - begin));
		n += (size_t)(rest.p - begin);
	}
	to[n] = '\0';
	if (text[head] || rest.n > 0)
		memcpy(to + n, "…", sizeof("…"));
	return to;
}

int value_wrong(const char *text, const char *right, struct fault *fault)
{
	char shown[200];
	/* A habit of other programs. */
	bool comment = strstr(text, " #") || strstr(text, " ;");

	return fault_usage(fault, "\"%s\" will not do: write %s%s", value_shown(text, 60, shown),
			   right, comment ? "; a comment needs a line of its own" : "");
}

void string_items_add(struct string_items *items, const char *text)
{
	items->p = xgrow(items->p, &items->size, items->n + 1, sizeof(*items->p));
	items->p[items->n++] = text;
}

void string_items_done(struct string_items *items)
{
	free(items->p);
	*items = (struct string_items){ .n = 0 };
}

const char *const *string_items_copy(const struct string_items *items, struct arena *arena)
{
	const char **copy = arena_alloc(arena, (items->n + 1) * sizeof(*copy));

	for (size_t i = 0; i < items->n; i++)
		copy[i] = items->p[i];
	return copy;
}

int value_path(const char *text, const struct value_place *place, const char **ret,
	       struct fault *fault)
{
	if (text[0] == '~')
		return fault_usage(fault, "\"~\" stands for nothing here: write the whole path; a "
					  "file that is called so is \"./~…\"");

	*ret = text[0] == '/' ? arena_strdup(place->arena, text)
			      : arena_printf(place->arena, "%s%s", place->folder, text);
	return 0;
}

int value_map(const char *text, struct fault *fault)
{
	const char *equals = strchr(text, '=');
	char shown[200];

	if (equals && equals > text && equals[1])
		return 0;

	return fault_usage(fault,
			   "\"%s\" will not do: write SRC=DST, the folder's name at the source and "
			   "the one it is to have at the destination",
			   value_shown(text, 60, shown));
}

/* --- URLs ----------------------------------------------------------------------------------- */

static bool is_network(struct bytes text)
{
	return bytes_starts_nocase(text, BYTES("imaps:")) ||
	       bytes_starts_nocase(text, BYTES("imap:"));
}

/* url_parse() of a URL without a user: one is put in, because it wants one. */
static int parse_url(const char *text, struct store_url *ret, struct fault *fault)
{
	_cleanup_(buf_done) struct buf filled = BUF_NULL;
	struct bytes rest = bytes_of(text), scheme;
	int r;

	if (is_network(rest) && strchr(text, '@'))
		return fault_usage(fault, "this URL stands without a user (imaps://HOST): who logs "
					  "in is said by login, or by the list's columns old_login "
					  "and new_login");

	scheme = bytes_cut(&rest, ':');
	if (is_network(bytes_of(text)) && bytes_starts(rest, BYTES("//"))) {
		buf_append_bytes(&filled, scheme);
		buf_append_str(&filled, "://user@");
		buf_append_bytes(&filled, bytes_skip(rest, 2));
	} else {
		buf_append_str(&filled, text);
	}
	r = url_parse(buf_str(&filled), ret, fault);
	if (r < 0 && !is_network(bytes_of(text)) && !bytes_starts_nocase(bytes_of(text), BYTES("imap+pipe:")))
		return fault_usage(fault, "this is no mail server; write imaps://HOST[:PORT], imap://HOST[:PORT] "
					  "or imap+pipe:COMMAND");
	return r;
}

int value_url(const char *text, bool words, struct fault *fault)
{
	static const struct config_mailbox somebody = { .address = "somebody@example.org" };
	_cleanup_(url_done) struct store_url url = { 0 };
	_cleanup_(arena_done) struct arena arena = { NULL };

	if (words)
		text = config_expand(text, &somebody, "somebody", &arena);
	if (parse_url(text, &url, fault) < 0)
		return -1;
	if (url.kind != URL_IMAPS && url.kind != URL_IMAP && url.kind != URL_IMAP_PIPE)
		return fault_usage(fault,
				   "a platform is imaps://HOST, imap://HOST or imap+pipe:COMMAND, "
				   "not %s:",
				   url_kind_name(url.kind));
	if (url.folder)
		return fault_usage(fault, "this URL stands without a folder: folders are chosen "
					  "with folder, exclude and map of [copy], or in the list");
	return 0;
}

const char *value_url_host(const char *text, struct arena *arena)
{
	_cleanup_(url_done) struct store_url url = { 0 };
	struct fault fault = FAULT_INIT;

	if (!is_network(bytes_of(text)) || strchr(text, '{') || parse_url(text, &url, &fault) < 0)
		return NULL;

	return arena_strdup(arena, url.host);
}

/* --- values --------------------------------------------------------------------------------- */

int value_bool(const char *text, bool *ret)
{
	static const char *const yes[] = { "yes", "true", "on" };
	static const char *const no[] = { "no", "false", "off" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		bool is_yes = bytes_equal_nocase(bytes_of(text), bytes_of(yes[i]));

		if (is_yes || bytes_equal_nocase(bytes_of(text), bytes_of(no[i]))) {
			*ret = is_yes;
			return 0;
		}
	}
	return -1;
}

static int read_choice(const struct setting *s, const char *text, int *ret, struct fault *fault)
{
	struct bytes rest = bytes_of(s->choices);
	char right[200];

	for (int i = 0; rest.n > 0; i++)
		if (bytes_equal_nocase(bytes_cut(&rest, ' '), bytes_of(text))) {
			*ret = i;
			return 0;
		}

	snprintf(right, sizeof(right), "one of: %s", s->choices);
	return value_wrong(text, right, fault);
}

static int read_preset(const char *text, struct arena *arena, const char **ret, struct fault *fault)
{
	_cleanup_(buf_done) struct buf names = BUF_NULL;
	const struct pace_preset *presets;
	size_t n;

	if (strcmp(text, "none") == 0 || pace_preset(text)) {
		*ret = arena_strdup(arena, text);
		return 0;
	}

	presets = pace_presets(&n);
	for (size_t i = 0; i < n; i++)
		buf_appendf(&names, "%s, ", presets[i].name);
	buf_append_str(&names, "or none");
	return fault_usage(fault, "there is no preset of that name: write %.250s", buf_str(&names));
}

static int set_day(const char *text, int64_t *ret, struct fault *fault)
{
	if (strcmp(text, "none") == 0) {
		*ret = INT64_MIN;
		return 0;
	}
	if (strlen(text) == 10 && ascii_is_digit(text[0]) &&
	    imap_day_parse(bytes_of(text), ret) == 0)
		return 0;

	return value_wrong(text, "a day as 2026-12-31, or none", fault);
}

static int read_scalar(const struct setting *s, const char *text, void *at, struct fault *fault)
{
	uint64_t value = 0;
	int which = 0;

	switch (s->type) {
	case SETTING_SWITCH:
		if (read_choice(s, text, &which, fault) < 0)
			return -1;
		*(bool *)at = which == 1;
		return 0;
	case SETTING_BOOL:
		return value_bool(text, at) == 0 ? 0 : value_wrong(text, "yes or no", fault);
	case SETTING_CHOICE:
		return read_choice(s, text, at, fault);
	case SETTING_COUNT:
		return number_count(s, text, at, fault);
	case SETTING_LIMIT:
		if (number_limit(s, text, &value, fault) < 0)
			return -1;
		*(unsigned *)at = (unsigned)value;
		return 0;
	case SETTING_RATE:
		return number_limit(s, text, at, fault);
	case SETTING_SIZE:
		return number_size(text, at, fault);
	case SETTING_PERIOD:
	case SETTING_DURATION:
		return number_duration(s, text, at, fault);
	case SETTING_DAY:
		return set_day(text, at, fault);
	default:
		return value_moment(text, at, fault);
	}
}

/* Quotes around a value mean something elsewhere. Here they would be part of it. */
static bool is_quoted(const char *text)
{
	size_t n = strlen(text);

	return n >= 2 && (text[0] == '"' || text[0] == '\'') && text[n - 1] == text[0];
}

static int read_text(const struct setting *s, const char *text, const struct value_place *place,
		     const char **ret, struct fault *fault)
{
	if (s->type != SETTING_COMMAND && is_quoted(text))
		return fault_usage(fault, "write it without the quotes");
	if (s->words && expand_words(text, fault) < 0)
		return -1;

	switch (s->type) {
	case SETTING_PATH:
		return value_path(text, place, ret, fault);
	case SETTING_URL:
		if (value_url(text, s->words, fault) < 0)
			return -1;
		break;
	case SETTING_PRESET:
		return read_preset(text, place->arena, ret, fault);
	case SETTING_TEXT:
		if (s->choices) {
			int which;

			if (read_choice(s, text, &which, fault) < 0)
				return -1;
		}
		break;
	default:
		break;
	}
	*ret = arena_strdup(place->arena, text);
	return 0;
}

int value_read(const struct setting *s, const char *text, const struct value_place *place,
	       void *base, struct fault *fault)
{
	void *at = (char *)base + s->offset;

	if (!text[0])
		return fault_usage(fault, "there is nothing behind the \"=\": write a value, or "
					  "remove the line");
	if (s->type != SETTING_COMMAND && strchr(text, '\t'))
		return fault_usage(fault, "there is a tab within the value");

	switch (s->type) {
	case SETTING_TEXT:
	case SETTING_PATH:
	case SETTING_COMMAND:
	case SETTING_URL:
	case SETTING_PRESET:
		return read_text(s, text, place, at, fault);
	case SETTING_MAPS:
		if (value_map(text, fault) < 0)
			return -1;
		string_items_add(place->items, arena_strdup(place->arena, text));
		return 0;
	case SETTING_LIST:
		string_items_add(place->items, arena_strdup(place->arena, text));
		return 0;
	case SETTING_WINDOW:
		return pace_window_parse(text, place->arena, at, fault);
	default:
		return read_scalar(s, text, at, fault);
	}
}
