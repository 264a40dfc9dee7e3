/* SPDX-License-Identifier: Apache-2.0 */
/* Inside config/: the table of everything mailferry.conf may hold, and how a value's text becomes a
 * member of a struct. Defaults are texts too and go through the same reader. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"
#include "config/config.h"

enum section {
	SECTION_MAILFERRY, /* struct config */
	SECTION_PLATFORM,  /* struct config_platform */
	SECTION_LIMITS,    /* struct config */
	SECTION_WINDOW,    /* struct config_window */
	SECTION_COPY,      /* struct config */
	SECTION_WAVE,      /* struct config_wave */
	SECTION_GATEWAY,   /* struct config, its member gateway */
	SECTION_COUNT,
};

struct section_line {
	const char *name;    /* "platform" */
	const char *names;   /* how a name behind it is called; NULL: it has none */
	const char *samples; /* the names that the sample has, with blanks between */
	bool optional;       /* the sample shows it, but does not have it */
	const char *help;
};

extern const struct section_line sections[SECTION_COUNT];

enum setting_type {
	SETTING_TEXT,     /* const char *; may hold words in braces if `words` */
	SETTING_PATH,     /* const char *, relative to the file it stands in; likewise */
	SETTING_COMMAND,  /* const char *, for a shell; likewise */
	SETTING_URL,      /* const char *, a store URL without user; likewise */
	SETTING_PRESET,   /* const char *, a name that pace_preset() knows, or "none" */
	SETTING_WINDOW,   /* struct pace_window */
	SETTING_LIST,     /* a key that may be given again: struct string_items */
	SETTING_MAPS,     /* likewise, SRC=DST */
	SETTING_CHOICE,   /* int, index into `choices` */
	SETTING_SWITCH,   /* bool, the second of two `choices` is true */
	SETTING_BOOL,     /* bool */
	SETTING_COUNT,    /* unsigned, min to max */
	SETTING_LIMIT,    /* unsigned, 1 to max, or "none": 0 */
	SETTING_RATE,     /* uint64_t, 1 to max, or "none": 0 */
	SETTING_SIZE,     /* uint64_t bytes, "500K" "2M", or "none": 0 */
	SETTING_DURATION, /* int64_t µs, "90" "2m" "3h" "2d" */
	SETTING_PERIOD,   /* likewise, or "forever": 0 */
	SETTING_DAY,      /* int64_t seconds, YYYY-MM-DD, or "none": INT64_MIN */
	SETTING_MOMENT,   /* int64_t µs since 1970, "2026-12-05 20:00 Europe/Berlin" */
};

struct setting {
	enum section section;
	enum setting_type type;
	const char *key;
	size_t offset;
	const char *initial;  /* the default, as it would be written; NULL: none */
	const char *example;  /* for the sample, when there is no default; NAME is the section's */
	uint64_t min, max;
	const char *choices;  /* with blanks between */
	bool words;           /* {address} and the like are replaced */
	bool set;             /* the sample sets it (to the example) instead of showing it */
	const char *help;     /* sentences, with line ends */
};

extern const struct setting settings[];
extern const size_t settings_n;

/* Whether its key may be given again. */
bool setting_may_repeat(const struct setting *setting);

enum { SETTINGS_MAX = 128 }; /* settings_n is less */

/* [window NAME], until it has become a pace_times of those it is of. */
struct config_window {
	const char *name;
	struct pace_times times;
	int of; /* of enum window_of */
	int line;
};

enum window_of { WINDOW_OF_ALL, WINDOW_OF_OLD, WINDOW_OF_NEW };

/* A NULL-terminated array that grows; the strings are somebody else's. */
struct string_items {
	const char **p;
	size_t n, size;
};

void string_items_add(struct string_items *items, const char *text);
void string_items_done(struct string_items *items);
/* Hands out a copy in the arena, never NULL. */
const char *const *string_items_copy(const struct string_items *items, struct arena *arena);

/* --- value.c -------------------------------------------------------------------------------- */

/* Where a value stands. */
struct value_place {
	const char *folder;       /* of the file, with its "/" at the end, or "" */
	struct arena *arena;      /* what is kept goes here */
	struct string_items *items; /* of LIST and MAPS: where they are gathered */
};

/* Reads the text into the member of *base. FAULT_USAGE says what would be right, not where. */
int value_read(const struct setting *setting, const char *text, const struct value_place *place,
	       void *base, struct fault *fault);

int value_path(const char *text, const struct value_place *place, const char **ret,
	       struct fault *fault);
int value_bool(const char *text, bool *ret); /* -1: it is none */
int value_moment(const char *text, int64_t *ret_us, struct fault *fault); /* moment.c */
int value_map(const char *text, struct fault *fault); /* checks SRC=DST */

/* A store URL as the configuration has it: without a user. words: it may hold words in braces. */
int value_url(const char *text, bool words, struct fault *fault);

/* The host in a URL that value_url() took, in the arena; NULL when it has none, or one with words
 * in it. */
const char *value_url_host(const char *url, struct arena *arena);

/* Up to max_n bytes of a text, fit for a fault: printable, cut between characters. */
const char *value_shown(const char *text, size_t max_n, char to[static 200]);

/* FAULT_USAGE: "…" will not do: write `right`. Returns -1. */
int value_wrong(const char *text, const char *right, struct fault *fault);

/* --- number.c ------------------------------------------------------------------------------- */

/* Each reads one type of a setting; "none" is 0 where the type has it. */
int number_limit(const struct setting *setting, const char *text, uint64_t *ret,
		 struct fault *fault);
int number_count(const struct setting *setting, const char *text, unsigned *ret,
		 struct fault *fault);
int number_size(const char *text, uint64_t *ret, struct fault *fault);
int number_duration(const struct setting *setting, const char *text, int64_t *ret,
		    struct fault *fault);

/* --- nearest.c ------------------------------------------------------------------------------ */

/* The one of n names that is so near to `text` that it must have been meant; NULL: none. */
const char *nearest_of(const char *text, const char *const *names, size_t n);

/* --- expand.c ------------------------------------------------------------------------------- */

enum expand_words { EXPAND_ADDRESS = 1, EXPAND_LOGIN = 2, EXPAND_LOCAL = 4, EXPAND_DOMAIN = 8 };

/* Which words the text holds; -1 with FAULT_USAGE when one is not known. */
int expand_words(const char *text, struct fault *fault);

/* What a word (one bit) is for this mailbox. */
struct bytes expand_word(enum expand_words word, const struct config_mailbox *mailbox,
			 const char *side_login);
const char *expand_name(enum expand_words word); /* "{address}" */

/* Whether a value is nothing but a word to a shell, and a name of its own in a path. */
bool expand_fits_command(struct bytes value);
bool expand_fits_path(struct bytes value);

#endif
