/* SPDX-License-Identifier: Apache-2.0 */
/* See config.h: mailferry.conf, then the list, then what shows only with both. */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/url.h"
#include "base/xalloc.h"
#include "config/check.h"
#include "config/conf.h"
#include "config/list.h"
#include "os/file.h"
#include "os/look.h"
#include "run/run.h"

enum { CONF_BYTES_MAX = 1 << 20, LIST_BYTES_MAX = 256 << 20 };

static int default_state(struct config *config, struct fault *fault)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	/* The specification of these folders has relative ones ignored. */
	if (xdg && xdg[0] == '/')
		config->state = arena_printf(&config->arena, "%s/mailferry", xdg);
	else if (home && home[0] == '/')
		config->state = arena_printf(&config->arena, "%s/.local/state/mailferry", home);
	else
		return fault_usage(fault,
				   "%s: neither XDG_STATE_HOME nor HOME says where the state lies: "
				   "add state = DIR to [mailferry]",
				   config->path);
	return 0;
}

/* The waves that have sections; those that only the list names come behind them. */
static void gather_waves(struct conf *conf)
{
	struct config *config = conf->config;
	size_t size = 0;

	for (size_t i = 0; i < conf->sections_n; i++) {
		const struct config_wave *wave = conf->sections[i]->base;

		if (conf->sections[i]->section != SECTION_WAVE)
			continue;
		config->waves =
			xgrow(config->waves, &size, config->waves_n + 1, sizeof(*config->waves));
		config->waves[config->waves_n++] = *wave;
		map_put(&config->wave_by_name, bytes_of(wave->name),
			(void *)(uintptr_t)config->waves_n);
	}
}

static bool is_here(const char *url)
{
	struct arena arena = { NULL };
	const char *host = url ? value_url_host(url, &arena) : NULL;
	bool here = (url && bytes_starts_nocase(bytes_of(url), BYTES("imap+pipe:"))) ||
		    (host && host_is_loopback(host));

	arena_done(&arena);
	return here;
}

static int read_conf(struct conf *conf, struct bytes text, struct fault *fault)
{
	struct config *config = conf->config;

	if (conf_read(conf, text, fault) < 0)
		return -1;
	if (!config->state && default_state(config, fault) < 0)
		return -1;

	config->old.server.local = is_here(config->old.url);
	config->new.server.local = is_here(config->new.url);
	gather_waves(conf);
	return 0;
}

static int load_list(const struct conf *conf, struct buf *to, struct fault *fault)
{
	/* A gateway may know all its recipients from elsewhere. */
	if (conf->for_gateway && !conf_line(conf->top, "mailboxes") &&
	    !os_is_there(conf->config->list_path)) {
		buf_append_str(to, "address\n");
		return 0;
	}
	if (os_read_file(conf->config->list_path, LIST_BYTES_MAX, to, fault) == 0)
		return 0;

	fault_prefix(fault, "mailboxes");
	return conf_fault_at(conf->path, conf_line(conf->top, "mailboxes"), fault);
}

static int read_all(struct conf *conf, const struct config_texts *texts, struct fault *fault)
{
	_cleanup_(buf_done) struct buf conf_text = BUF_NULL, list_text = BUF_NULL;
	struct config *config = conf->config;

	if (!texts && os_read_file(config->path, CONF_BYTES_MAX, &conf_text, fault) < 0)
		return -1;
	if (read_conf(conf, texts ? texts->conf : buf_bytes(&conf_text), fault) < 0)
		return -1;
	if (!texts && load_list(conf, &list_text, fault) < 0)
		return -1;
	if (list_read(config, texts ? texts->list : buf_bytes(&list_text), fault) < 0 ||
	    check_all(conf, fault) < 0)
		return -1;

	config->notes = check_notes(conf);
	return 0;
}

int config_read_texts(const char *path, const struct config_texts *texts, bool for_gateway,
		      struct config *ret, struct fault *fault)
{
	_cleanup_(freep) struct conf *conf = xzalloc(sizeof(*conf));
	struct config config = { .path = NULL };
	const char *slash = strrchr(path, '/');
	size_t folder_n = slash ? (size_t)(slash + 1 - path) : 0;
	uint64_t seeds[2];
	int r;

	run_random(seeds, sizeof(seeds));
	map_init(&config.mailbox_by_address, seeds[0]);
	map_init(&config.wave_by_name, seeds[1]);
	map_init(&conf->by_name, seeds[0]);
	config.path = arena_strdup(&config.arena, path);
	conf->path = config.path;
	conf->config = &config;
	conf->for_gateway = for_gateway;
	conf->place.arena = &config.arena;
	conf->place.folder = arena_str(&config.arena, (struct bytes){ path, folder_n });

	r = read_all(conf, texts, fault);
	conf_done(conf);
	if (r == 0) {
		*ret = config;
		return 0;
	}
	config_done(&config);
	fault->kind = FAULT_USAGE;
	fault->reach = REACH_PROCESS;
	fault->again = AGAIN_NEVER;
	return -1;
}

int config_read(const char *path, struct config *ret, struct fault *fault)
{
	return config_read_texts(path, NULL, false, ret, fault);
}

int config_read_for_gateway(const char *path, struct config *ret, struct fault *fault)
{
	return config_read_texts(path, NULL, true, ret, fault);
}

void config_done(struct config *config)
{
	free(config->waves);
	free(config->mailboxes);
	map_done(&config->mailbox_by_address);
	map_done(&config->wave_by_name);
	arena_done(&config->arena);
	*config = (struct config){ .path = NULL };
}
