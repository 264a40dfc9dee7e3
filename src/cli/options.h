/* SPDX-License-Identifier: Apache-2.0 */
/* Command-line options from a const table: parsing, checking and --help come from the same lines, so that
 * help cannot lie. Long options only, with "--name value" or "--name=value". */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

enum option_type {
	OPTION_HEADING,  /* help text only: name is the heading */
	OPTION_FLAG,     /* bool */
	OPTION_STRING,   /* const char *; given twice: an error */
	OPTION_LIST,     /* struct string_list; may be given many times */
	OPTION_COUNT,    /* unsigned, min to max */
	OPTION_SECONDS,  /* int64_t microseconds; "90", "0.5", "2m" */
	OPTION_DAY,      /* int64_t seconds since 1970 of a day's first moment (UTC): YYYY-MM-DD */
	OPTION_CHOICE,   /* unsigned: which of the words in `value`, "one|two|three" */
	OPTION_RATE,     /* struct rate: "2M" bytes, "4/s" messages a second */
	OPTION_ELSEWHERE, /* is no option here, but whoever gives it is told by `help` what would be right */
};

struct rate {
	uint64_t bytes_per_second, messages_per_second;
};

struct string_list {
	const char **p; /* NULL-terminated, or NULL when empty */
	size_t n, size;
};

struct option_line {
	const char *name;  /* without "--" */
	enum option_type type;
	size_t offset;     /* in the struct that is filled */
	const char *value; /* how help calls the value: "FILE" */
	const char *help;  /* may hold line ends */
	unsigned min, max; /* of COUNT */
};

/* Fills *values from argv[1..]; what is no option goes to *ret_rest. -1 with FAULT_USAGE. The strings are argv's
 * own. Returns 1 when --help was asked for. */
int options_parse(const struct option_line *lines, size_t n, int argc, char **argv, void *values,
		  struct string_list *ret_rest, struct fault *fault);

/* Prints the table to stdout. */
void options_help(const struct option_line *lines, size_t n);

void string_list_add(struct string_list *list, const char *s);
void string_list_done(struct string_list *list);

#endif
