/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of mailferry.conf: plain ones, bytes, durations. No floating point, and nothing of the
 * locale. */
#include "base/clock.h"
#include "config/settings.h"

#include <stdio.h>
#include <string.h>

/* A decimal number with up to three digits behind its point, in thousandths, and its unit. */
static int read_number(const char *text, uint64_t *ret_thousandths, const char **ret_unit)
{
	uint64_t value = 0;
	unsigned behind = 0;

	if (!ascii_is_digit(*text))
		return -1;
	for (; ascii_is_digit(*text); text++) {
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > UINT64_C(1000000000000)) /* keeps all that follows far from overflow */
			return -1;
	}
	if (*text == '.' && ascii_is_digit(text[1]))
		for (text++; ascii_is_digit(*text); text++) {
			if (++behind > 3)
				return -1;
			value = value * 10 + (uint64_t)(*text - '0');
		}
	for (; behind < 3; behind++)
		value *= 10;

	while (*text == ' ')
		text++;
	*ret_thousandths = value;
	*ret_unit = text;
	return 0;
}

static int read_whole(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	return bytes_to_u64(bytes_of(text), max, ret) < 0 || *ret < min ? -1 : 0;
}

static int read_size(const char *text, uint64_t *ret)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = { { "", 0 }, { "K", 10 }, { "M", 20 }, { "G", 30 }, { "T", 40 } };
	uint64_t thousandths, whole, part;
	const char *unit;

	if (read_number(text, &thousandths, &unit) < 0)
		return -1;

	whole = thousandths / 1000;
	part = thousandths % 1000;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!bytes_equal_nocase(bytes_of(unit), bytes_of(units[i].unit)))
			continue;
		if (whole >= UINT64_C(1) << (60 - units[i].shift) || (part && !units[i].shift))
			return -1;
		*ret = (whole << units[i].shift) + (part << units[i].shift) / 1000;
		return *ret > 0 ? 0 : -1;
	}
	return -1;
}

static int read_duration(const char *text, uint64_t min_us, uint64_t max_us, int64_t *ret)
{
	static const struct {
		const char *unit;
		int64_t us;
	} units[] = {
		{ "", SECOND }, { "ms", MSEC }, { "s", SECOND }, { "m", MINUTE }, { "h", HOUR },
		{ "d", 24 * HOUR },
	};
	uint64_t thousandths;
	const char *unit;

	if (read_number(text, &thousandths, &unit) < 0)
		return -1;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		uint64_t each = (uint64_t)units[i].us / 1000;

		if (strcmp(unit, units[i].unit) != 0)
			continue;
		if (thousandths > max_us / each || thousandths * each < min_us)
			return -1;
		*ret = (int64_t)(thousandths * each);
		return 0;
	}
	return -1;
}

int number_limit(const struct setting *s, const char *text, uint64_t *ret, struct fault *fault)
{
	char right[80];

	if (strcmp(text, "none") == 0) {
		*ret = 0;
		return 0;
	}
	if (read_whole(text, 1, s->max, ret) == 0)
		return 0;

	snprintf(right, sizeof(right), "a number from 1 to %llu, or none",
		 (unsigned long long)s->max);
	return value_wrong(text, right, fault);
}

int number_count(const struct setting *s, const char *text, unsigned *ret, struct fault *fault)
{
	char right[80];
	uint64_t value;

	if (read_whole(text, s->min, s->max, &value) == 0) {
		*ret = (unsigned)value;
		return 0;
	}

	snprintf(right, sizeof(right), "a number from %llu to %llu", (unsigned long long)s->min,
		 (unsigned long long)s->max);
	return value_wrong(text, right, fault);
}

int number_size(const char *text, uint64_t *ret, struct fault *fault)
{
	uint64_t value = 0;

	if (strcmp(text, "none") != 0 && read_size(text, &value) < 0)
		return value_wrong(text, "bytes, as \"500K\", \"2M\" or \"10G\" (1K is 1024), or "
					 "none",
				   fault);

	*ret = value;
	return 0;
}

int number_duration(const struct setting *s, const char *text, int64_t *ret, struct fault *fault)
{
	bool may_be_forever = s->type == SETTING_PERIOD;
	char right[120];

	if (may_be_forever && strcmp(text, "forever") == 0) {
		*ret = 0;
		return 0;
	}
	if (read_duration(text, s->min, s->max, ret) == 0)
		return 0;

	snprintf(right, sizeof(right),
		 "%sa duration, as \"90\" (seconds), \"2m\", \"3h\" or \"2d\", of at most %llu s",
		 may_be_forever ? "\"forever\", or " : "", (unsigned long long)s->max / SECOND);
	return value_wrong(text, right, fault);
}
