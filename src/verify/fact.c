/* SPDX-License-Identifier: Apache-2.0 */
/* See fact.h. */
#include "verify/fact.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "verify/sample.h"

/* --- time ------------------------------------------------------------------------------------ */

struct day {
	int64_t year;
	int month, day;
};

/* The Gregorian calendar from days since 1970, in eras of 400 years that begin in March. */
static struct day day_of(int64_t days)
{
	int64_t shifted = days + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t of_era = shifted - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;

	return (struct day){
		.year = year + era * 400 + (month >= 10),
		.month = (int)(month < 10 ? month + 3 : month - 9),
		.day = (int)(of_year - (153 * month + 2) / 5 + 1),
	};
}

void verify_time(struct buf *to, int64_t seconds)
{
	int64_t days = seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400;
	int64_t rest = seconds - days * 86400;
	struct day d = day_of(days);

	buf_appendf(to, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02dZ", d.year, d.month, d.day,
		    (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}

/* --- writing --------------------------------------------------------------------------------- */

static json_t *number(uint64_t n)
{
	const uint64_t most = (uint64_t)1 << 53;

	return json_integer((json_int_t)(n < most ? n : most));
}

static void failing(const struct verify *v, uint64_t *ret_found, uint64_t *ret_accepted)
{
	*ret_found = *ret_accepted = 0;
	for (int kind = 0; kind < VERIFY_KINDS; kind++)
		if (verify_kind_fails((enum verify_kind)kind)) {
			*ret_found += v->tally[kind].found;
			*ret_accepted += v->tally[kind].accepted;
		}
}

static json_t *findings(const struct verify *v)
{
	json_t *object = json_object();

	for (int kind = 0; kind < VERIFY_KINDS; kind++)
		if (v->tally[kind].found)
			json_object_set_new(object, verify_kind_name((enum verify_kind)kind),
					    number(v->tally[kind].found));
	return object;
}

void verify_fact_set(const struct verify *v)
{
	struct verify_folder total = verify_total(v);
	uint64_t found, accepted;
	json_t *object = json_object();
	char seed[24];
	char *text;

	failing(v, &found, &accepted);
	snprintf(seed, sizeof(seed), "%" PRIu64, v->options.seed);
	json_object_set_new(object, "at", json_integer(v->ended_us / SECOND));
	json_object_set_new(object, "level", json_string(verify_level_name(v->options.level)));
	json_object_set_new(object, "sample_ppm", number(v->options.sample_ppm));
	json_object_set_new(object, "seed", json_string(seed)); /* as text: it may pass 2^53 */
	json_object_set_new(object, "partial", json_boolean(v->options.partial));
	json_object_set_new(object, "grade", json_string(verify_grade_name(v->grade)));
	json_object_set_new(object, "messages", number(total.source.messages));
	json_object_set_new(object, "compared", number(total.compared));
	json_object_set_new(object, "new", number(total.fresh));
	json_object_set_new(object, "failing", number(found));
	json_object_set_new(object, "accepted", number(accepted));
	json_object_set_new(object, "findings", findings(v));
	text = json_dumps(object, JSON_COMPACT);
	ledger_set_fact(v->options.ledger, VERIFY_FACT, text);
	free(text);
	json_decref(object);
}

/* --- reading --------------------------------------------------------------------------------- */

static uint64_t get_number(const json_t *object, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(object, name));

	return n > 0 ? (uint64_t)n : 0;
}

static const char *get_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static int grade_of(const char *name)
{
	for (int grade = VERIFY_READY; grade <= VERIFY_NOT_READY; grade++)
		if (strcmp(name, verify_grade_name((enum verify_grade)grade)) == 0)
			return grade;

	return -1;
}

int verify_last_of(const char *text, struct verify_last *ret)
{
	json_t *object = text ? json_loads(text, 0, NULL) : NULL;
	int level = verify_level_of(get_text(object, "level"));
	int grade = grade_of(get_text(object, "grade"));

	if (level < 0 || grade < 0) {
		json_decref(object);
		return 1;
	}

	*ret = (struct verify_last){
		.at = (int64_t)get_number(object, "at"), .level = (enum verify_level)level,
		.sample_ppm = (uint32_t)get_number(object, "sample_ppm"),
		.partial = json_is_true(json_object_get(object, "partial")),
		.grade = (enum verify_grade)grade, .messages = get_number(object, "messages"),
		.compared = get_number(object, "compared"), .fresh = get_number(object, "new"),
		.failing = get_number(object, "failing"), .accepted = get_number(object, "accepted"),
	};
	bytes_to_u64(bytes_of(get_text(object, "seed")), UINT64_MAX, &ret->seed);
	json_decref(object);
	return 0;
}

int verify_last(const struct ledger *ledger, struct verify_last *ret)
{
	return verify_last_of(ledger_fact(ledger, VERIFY_FACT), ret);
}
