/* SPDX-License-Identifier: Apache-2.0 */
/* Command-line options from a table, see options.h. */
#include "cli/options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "config/settings.h"
#include "imap/date.h"

enum { HELP = 1000000 };

void string_list_add(struct string_list *list, const char *s)
{
	list->p = xgrow(list->p, &list->size, list->n + 2, sizeof(*list->p));
	list->p[list->n++] = s;
	list->p[list->n] = NULL;
}

void string_list_done(struct string_list *list)
{
	free(list->p);
	*list = (struct string_list){ .n = 0 };
}

static int set_count(const struct option_line *line, const char *text, unsigned *to,
		     struct fault *fault)
{
	uint64_t value;

	if (bytes_to_u64(bytes_of(text), line->max, &value) < 0 || value < line->min)
		return fault_usage(fault, "--%s %s: write a number from %u to %u", line->name, text,
				   line->min, line->max);

	*to = (unsigned)value;
	return 0;
}

/* A decimal number and what follows it. */
static int number_and_unit(const char *text, double *ret_number, const char **ret_unit)
{
	char *end;

	if (!ascii_is_digit(text[0]))
		return -1;

	*ret_number = strtod(text, &end);
	*ret_unit = end;
	return 0;
}

static int set_seconds(const struct option_line *line, const char *text, int64_t *to,
		       struct fault *fault)
{
	double number, factor = 1;
	const char *unit;

	if (number_and_unit(text, &number, &unit) == 0) {
		if (strcmp(unit, "m") == 0)
			factor = 60;
		if (strcmp(unit, "") == 0 || strcmp(unit, "s") == 0 || factor > 1) {
			number *= factor * (double)SECOND;
			if (number >= (double)MSEC && number <= 24 * 3600 * (double)SECOND) {
				*to = (int64_t)number;
				return 0;
			}
		}
	}
	return fault_usage(fault, "--%s %s: write seconds (\"90\", \"0.5\") or minutes (\"2m\"), at most "
			   "a day", line->name, text);
}

static int set_rate(const struct option_line *line, const char *text, struct rate *to,
		    struct fault *fault)
{
	static const struct {
		const char *unit;
		double factor;
	} units[] = { { "", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 } };
	const char *unit;
	double number;

	if (number_and_unit(text, &number, &unit) == 0 && number >= 1 && number < 1e12) {
		if (strcmp(unit, "/s") == 0) {
			to->messages_per_second = (uint64_t)number;
			return 0;
		}
		for (size_t i = 0; i < ARRAY_SIZE(units); i++)
			if (strcmp(unit, units[i].unit) == 0) {
				to->bytes_per_second = (uint64_t)(number * units[i].factor);
				return 0;
			}
	}
	return fault_usage(fault, "--%s %s: write bytes a second (\"500K\", \"2M\") or messages a second "
			   "(\"4/s\")", line->name, text);
}

static int set_day(const struct option_line *line, const char *text, int64_t *to,
		   struct fault *fault)
{
	if (imap_day_parse(bytes_of(text), to) < 0)
		return fault_usage(fault, "--%s %s: write a day as YYYY-MM-DD", line->name, text);

	return 0;
}

static int set_choice(const struct option_line *line, const char *text, unsigned *to, struct fault *fault)
{
	struct bytes rest = bytes_of(line->value);

	for (unsigned i = 0; rest.n; i++)
		if (bytes_equal(bytes_cut(&rest, '|'), bytes_of(text))) {
			*to = i;
			return 0;
		}

	return fault_usage(fault, "--%s %s: write one of %s", line->name, text, line->value);
}

static int set(const struct option_line *line, const char *text, void *values, struct fault *fault)
{
	void *to = (char *)values + line->offset;

	switch (line->type) {
	case OPTION_HEADING:
		return 0;
	case OPTION_FLAG:
		*(bool *)to = true;
		return 0;
	case OPTION_STRING:
		if (*(const char **)to)
			return fault_usage(fault, "--%s was given twice", line->name);
		*(const char **)to = text;
		return 0;
	case OPTION_LIST:
		string_list_add(to, text);
		return 0;
	case OPTION_COUNT:
		return set_count(line, text, to, fault);
	case OPTION_SECONDS:
		return set_seconds(line, text, to, fault);
	case OPTION_DAY:
		return set_day(line, text, to, fault);
	case OPTION_CHOICE:
		return set_choice(line, text, to, fault);
	case OPTION_RATE:
		return set_rate(line, text, to, fault);
	case OPTION_ELSEWHERE:
		return fault_usage(fault, "--%s %s", line->name, line->help);
	}
	return 0;
}

static int arguments(const struct option_line *line)
{
	if (line->type == OPTION_ELSEWHERE)
		return optional_argument;
	return line->type == OPTION_FLAG ? no_argument : required_argument;
}

static int unknown(const char *given, int code, const struct option_line *lines, size_t n, struct fault *fault)
{
	_cleanup_(freep) const char **names = xzalloc((n + 1) * sizeof(*names));
	const char *meant;
	size_t known = 0;

	if (code == ':')
		return fault_usage(fault, "%s needs a value; --help lists the options", given);

	for (size_t i = 0; i < n; i++)
		if (lines[i].type != OPTION_HEADING && lines[i].type != OPTION_ELSEWHERE)
			names[known++] = lines[i].name;
	meant = strncmp(given, "--", 2) == 0 ? nearest_of(given + 2, names, known) : NULL;
	if (meant)
		return fault_usage(fault, "%s is not an option here; did you mean --%s?", given, meant);
	return fault_usage(fault, "%s is not an option here; --help lists them", given);
}

int options_parse(const struct option_line *lines, size_t n, int argc, char **argv, void *values,
		  struct string_list *ret_rest, struct fault *fault)
{
	_cleanup_(freep) struct option *table = xzalloc((n + 2) * sizeof(*table));
	size_t used = 0;
	int code;

	for (size_t i = 0; i < n; i++)
		if (lines[i].type != OPTION_HEADING)
			table[used++] = (struct option){
				lines[i].name,
				arguments(&lines[i]), NULL, (int)i + 256,
			};
	table[used] = (struct option){ "help", no_argument, NULL, HELP };

	optind = 0;
	opterr = 0;
	while ((code = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (code == HELP)
			return 1;
		if (code == '?' || code == ':')
			return unknown(argv[optind - 1], code, lines, n, fault);
		if (set(&lines[code - 256], optarg, values, fault) < 0)
			return -1;
	}

	for (int i = optind; i < argc; i++)
		string_list_add(ret_rest, argv[i]);
	return 0;
}

void options_help(const struct option_line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct option_line *line = &lines[i];
		struct bytes rest = bytes_of(line->help);
		char left[64];

		if (line->type == OPTION_ELSEWHERE)
			continue;
		if (line->type == OPTION_HEADING) {
			printf("\n%s:\n", line->name);
			continue;
		}
		snprintf(left, sizeof(left), "--%s%s%s", line->name, line->value ? " " : "",
			 line->value ? line->value : "");
		printf("  %-27s", left);
		if (strlen(left) > 26)
			printf("\n  %-27s", "");
		for (bool first = true; rest.n; first = false) {
			struct bytes one = bytes_cut(&rest, '\n');

			printf("%s %.*s\n", first ? "" : "                             ",
			       BYTES_ARG(one));
		}
	}
}
