/* SPDX-License-Identifier: Apache-2.0 */
/* Inside config/: mailferry.conf as read, before the list is. */
#ifndef CONFIG_CONF_H
#define CONFIG_CONF_H

#include "base/map.h"
#include "config/settings.h"

/* A section as it stands in the file, or as its defaults make it when it does not. */
struct conf_section {
	enum section section;
	const char *name;             /* behind the section's own: "old"; "" : none */
	void *base;                   /* the struct that is filled */
	int line;                     /* 0: not in the file */
	int lines[SETTINGS_MAX];      /* of each setting; 0: not set */
};

struct conf {
	const char *path;             /* for faults */
	struct config *config;
	struct value_place place;
	struct string_items items[SETTINGS_MAX]; /* of settings that may be given again */
	struct conf_section **sections;
	size_t sections_n, sections_size;
	struct map by_name;           /* of sections: "platform old" */
	struct conf_section *top;     /* [mailferry]; these five are never NULL once read */
	struct conf_section *old, *new, *copy, *gateway;
	bool for_gateway;             /* config_read_for_gateway() */
};

/* Reads the text of a file into conf->config; path, config and place are set. Defaults and presets
 * are filled in, the list is not read. */
int conf_read(struct conf *conf, struct bytes text, struct fault *fault);
void conf_done(struct conf *conf);

/* Steps of conf_read(): a section that is not there yet is added; what is not said is filled in. */
struct conf_section *conf_add_section(struct conf *conf, enum section which, struct bytes name,
				      int line);
int conf_fill(struct conf *conf, struct fault *fault);

/* The line of a setting by its key; 0: not set. */
int conf_line(const struct conf_section *section, const char *key);

/* Puts "FILE:LINE: " before the fault's text; line 0: "FILE: ". Returns -1. */
int conf_fault_at(const char *path, int line, struct fault *fault);

/* --- config.c ------------------------------------------------------------------------------- */

/* config_read() of texts that are at hand (NULL: of the files). path is for faults and for relative
 * names. */
struct config_texts {
	struct bytes conf, list;
};

int config_read_texts(const char *path, const struct config_texts *texts, bool for_gateway,
		      struct config *ret, struct fault *fault);

#endif
