/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a running gateway: what route, queue and trace have in common. */
#ifndef CLI_OPERATE_H
#define CLI_OPERATE_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/options.h"
#include "config/config.h"
#include "gateway/control-frames.h"

struct operate {
	const char *config_path, *state_option; /* --config, --state; NULL: not given */
	bool json;
	bool is_config_needed; /* even when --state says where the gateway is */

	struct config config;
	bool has_config;
	struct buf state;
};

/* Finds the gateway. Reads files. operate_done() in any case. */
int operate_open(struct operate *operate, struct fault *fault);
void operate_done(struct operate *operate);

/* An answer: `said` is the struct of that type, good until the call returns. */
typedef int (*operate_fn)(void *arg, enum control_say_type type, const void *said, struct fault *fault);

/* Asks, calls fn for each answer, and gives the end. Runs a loop of its own. FAULT_TRANSPORT with is_absent: no gateway runs
 * there. FAULT_REFUSED: it said why. */
int operate_ask(struct operate *operate, enum control_ask_type type, const struct control_ask *ask, operate_fn fn, void *arg,
		struct control_end *ret, bool *ret_is_absent, struct fault *fault);

/* Who gives an order: a name for the journal. */
const char *operate_who(void);

/* The names behind the options as they are asked with; the array is the caller's to free. */
struct control_name *operate_names(const struct string_list *words);

/* --- printing --------------------------------------------------------------------------------- */

void operate_print(json_t *object); /* one line; frees it */
void operate_put(json_t *object, const char *key, struct bytes value); /* not UTF-8: bytes become '?' */
void operate_put_time(json_t *object, const char *key, int64_t wall_us); /* 0: left out */
const char *operate_time(char to[32], int64_t wall_us); /* "2026-12-01T12:00:00Z" */
void operate_text(struct bytes value); /* to stdout, printable */
const char *operate_target(uint64_t target); /* enum book_target */

/* A command as a whole: reads its options and words, runs it, and gives its exit status. config and state are where the options
 * of these names are read to. */
struct operate_command {
	const char *verb;
	const struct option_line *lines;
	size_t n_lines;
	void (*help)(void);
	int (*run)(struct operate *operate, void *options, struct string_list *words, struct fault *fault);
};

int operate_command(const struct operate_command *command, void *options, const char *const *config, const char *const *state,
		    int argc, char **argv);

#endif
