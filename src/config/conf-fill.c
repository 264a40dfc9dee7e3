/* SPDX-License-Identifier: Apache-2.0 */
/* What mailferry.conf does not say: defaults, presets; and its windows, put where they belong. */
#include <string.h>

#include "config/conf.h"

/* What stands nowhere gets its default, which is read like what stands there. */
static int fill_section(struct conf *conf, struct conf_section *section, struct fault *fault)
{
	for (size_t i = 0; i < settings_n; i++) {
		const struct setting *s = &settings[i];

		if (s->section != section->section || section->lines[i] || !s->initial)
			continue;
		if (value_read(s, s->initial, &conf->place, section->base, fault) < 0)
			return fault_prefix(fault, "default of %s", s->key);
	}
	return 0;
}

static struct conf_section *find_section(struct conf *conf, enum section which, const char *name)
{
	for (size_t i = 0; i < conf->sections_n; i++)
		if (conf->sections[i]->section == which &&
		    strcmp(conf->sections[i]->name, name) == 0)
			return conf->sections[i];

	return NULL;
}

static struct conf_section *need_section(struct conf *conf, enum section which, const char *name)
{
	struct conf_section *section = find_section(conf, which, name);

	return section ? section : conf_add_section(conf, which, bytes_of(name), 0);
}

/* The preset's limits are those of an account. */
static void fill_preset(struct conf *conf, struct conf_section *section)
{
	struct config_platform *platform = section->base;
	struct pace_limits *limits = &platform->account.limits;
	const char *host = platform->url ? value_url_host(platform->url, conf->place.arena) : NULL;
	const struct pace_preset *preset = NULL;

	if (platform->preset)
		preset = pace_preset(platform->preset); /* NULL for "none" */
	else if (host)
		preset = pace_preset_of_host(host);
	platform->preset = preset ? preset->name : NULL;
	if (!preset)
		return;

	if (!conf_line(section, "no_pipelining"))
		platform->no_pipelining = preset->no_pipelining;
	if (!conf_line(section, "no_qresync"))
		platform->no_qresync = preset->no_qresync;
	if (!conf_line(section, "account_connections"))
		limits->connections = preset->limits.connections;
	if (!conf_line(section, "account_commands"))
		limits->commands = preset->limits.commands;
	if (!conf_line(section, "account_messages_per_second"))
		limits->messages_per_second = preset->limits.messages_per_second;
	if (!conf_line(section, "account_bytes_per_second"))
		limits->bytes_per_second = preset->limits.bytes_per_second;
	if (!conf_line(section, "account_bytes_per_day"))
		limits->bytes_per_day = preset->limits.bytes_per_day;
}

static struct conf_section *fill_platform(struct conf *conf, const char *name)
{
	struct conf_section *section = need_section(conf, SECTION_PLATFORM, name);
	struct config_platform *platform = section->base;

	platform->name = section->name;
	return section;
}

/* The windows of one platform, or of both together. */
static void gather_windows(struct conf *conf, int of, struct pace_settings *to)
{
	struct pace_times *times;
	size_t n = 0;

	for (size_t i = 0; i < conf->sections_n; i++)
		if (conf->sections[i]->section == SECTION_WINDOW)
			n += ((struct config_window *)conf->sections[i]->base)->of == of;
	if (n == 0)
		return;

	times = arena_alloc(conf->place.arena, n * sizeof(*times));
	to->times = times;
	to->times_n = n;
	for (size_t i = 0; i < conf->sections_n; i++) {
		struct config_window *window = conf->sections[i]->base;

		if (conf->sections[i]->section == SECTION_WINDOW && window->of == of)
			*times++ = window->times;
	}
}

static int check_window(const struct conf *conf, const struct conf_section *section,
			struct fault *fault)
{
	const struct config_window *window = section->base;
	const struct pace_limits *limits = &window->times.limits;

	if (!conf_line(section, "when"))
		fault_usage(fault,
			    "[window %s] does not say when: add when = 08:00-18:00 Europe/Berlin",
			    section->name);
	else if (!window->times.closed && !limits->connections && !limits->messages_per_second &&
		 !limits->bytes_per_second && !limits->bytes_per_day)
		fault_usage(fault, "[window %s] changes nothing: add closed = yes, or a limit",
			    section->name);
	else
		return 0;
	return conf_fault_at(conf->path, section->line, fault);
}

static int fill_all(struct conf *conf, struct fault *fault)
{
	conf->top = need_section(conf, SECTION_MAILFERRY, "");
	need_section(conf, SECTION_LIMITS, "");
	conf->copy = need_section(conf, SECTION_COPY, "");
	conf->gateway = need_section(conf, SECTION_GATEWAY, "");
	conf->old = fill_platform(conf, "old");
	conf->new = fill_platform(conf, "new");
	for (size_t i = 0; i < conf->sections_n; i++)
		if (fill_section(conf, conf->sections[i], fault) < 0)
			return -1;

	fill_preset(conf, conf->old);
	fill_preset(conf, conf->new);
	for (size_t i = 0; i < settings_n; i++)
		if (setting_may_repeat(&settings[i])) {
			void *at = (char *)conf->config + settings[i].offset;

			*(const char *const **)at =
				string_items_copy(&conf->items[i], conf->place.arena);
		}
	return 0;
}

int conf_fill(struct conf *conf, struct fault *fault)
{
	if (fill_all(conf, fault) < 0)
		return -1;

	for (size_t i = 0; i < conf->sections_n; i++)
		if (conf->sections[i]->section == SECTION_WINDOW &&
		    check_window(conf, conf->sections[i], fault) < 0)
			return -1;

	gather_windows(conf, WINDOW_OF_ALL, &conf->config->total);
	gather_windows(conf, WINDOW_OF_OLD, &conf->config->old.server);
	gather_windows(conf, WINDOW_OF_NEW, &conf->config->new.server);
	return 0;
}
