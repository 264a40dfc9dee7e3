/* SPDX-License-Identifier: Apache-2.0 */
/* What the formats share, see report.h. */
#include "verify/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int verify_format_of(const char *path, enum verify_format *ret, struct fault *fault)
{
	static const char *const ends[] = { ".txt", ".json", ".csv" };
	size_t n = strlen(path);

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		size_t end = strlen(ends[i]);

		if (n > end && strcmp(path + n - end, ends[i]) == 0) {
			*ret = (enum verify_format)i;
			return 0;
		}
	}
	return fault_usage(fault, "--report %s: the name must end in .txt, .json or .csv", path);
}

static void begin(struct verify_report *r, const struct verify *v, struct buf *to)
{
	if (r->begun)
		return;

	r->begun = true;
	if (r->format == VERIFY_JSON)
		verify_json_head(r, v, to);
	if (r->format == VERIFY_CSV)
		verify_csv_head(r, v, to);
}

void verify_report_finding(struct verify_report *r, const struct verify *v, const struct verify_finding *f,
			   struct buf *to)
{
	json_t *object;
	char *text;

	begin(r, v, to);
	r->findings++;
	switch (r->format) {
	case VERIFY_TEXT:
		verify_text_finding(r, f);
		break;
	case VERIFY_CSV:
		verify_csv_finding(f, to);
		break;
	case VERIFY_JSON:
		object = verify_json_finding(f);
		text = json_dumps(object, JSON_COMPACT);
		buf_appendf(to, "%s\n", r->findings > 1 ? "," : "");
		buf_append_str(to, text);
		free(text);
		json_decref(object);
		break;
	}
}

void verify_report_end(struct verify_report *r, const struct verify *v, const struct fault *stopped,
		       struct buf *to)
{
	begin(r, v, to);
	if (r->format == VERIFY_TEXT)
		verify_text_end(r, v, stopped, to);
	else if (r->format == VERIFY_CSV)
		verify_csv_end(r, v, stopped, to);
	else
		verify_json_end(r, v, stopped, to);
}

void verify_report_done(struct verify_report *r)
{
	for (size_t i = 0; i < VERIFY_KINDS; i++)
		buf_done(&r->kept[i]);
}

bool verify_closes(const struct verify_folder *f)
{
	bool source = f->source.messages == f->there + f->elsewhere + f->missing + f->not_copied + f->fresh +
						    f->filtered + f->unaccounted + f->unlisted;
	bool destination = f->destination.messages == f->there + f->kept + f->strangers;

	return f->state == VERIFY_DONE && f->source.counted && f->destination.counted && source && destination;
}

void verify_share(struct buf *to, uint32_t ppm)
{
	char digits[8];
	size_t n;

	buf_appendf(to, "%u", ppm / 10000);
	snprintf(digits, sizeof(digits), "%04u", ppm % 10000);
	for (n = 4; n && digits[n - 1] == '0'; n--)
		;
	if (n)
		buf_appendf(to, ".%.*s", (int)n, digits);
	buf_append_char(to, '%');
}

void verify_hex(char to[65], const unsigned char digest[32])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 32; i++) {
		to[2 * i] = digits[digest[i] >> 4];
		to[2 * i + 1] = digits[digest[i] & 15];
	}
	to[64] = '\0';
}
