/* SPDX-License-Identifier: Apache-2.0 */
/* Anything a server says, at once and byte by byte: the same reply, bounded, printable; and it can be judged. */
/* It runs on the stack that main() has, which is large. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

#include <stdlib.h>
#include <string.h>

#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
	if (!condition)
		abort();
}

static int read_slowly(struct smtp_reply_reader *r, struct bytes in, size_t *used)
{
	int got = 0;

	for (*used = 0; *used < in.n && got == 0; (*used)++) {
		struct bytes byte = { in.p + *used, 1 };

		got = smtp_reply_read(r, &byte);
	}
	return got;
}

static void check_reply(const struct smtp_reply *reply)
{
	struct smtp_judgement j;

	insist(reply->code >= 200 && reply->code <= 599 && reply->lines > 0);
	insist(reply->text_n < sizeof(reply->text) && reply->text[reply->text_n] == '\0');
	insist(strlen(reply->text) == reply->text_n);
	for (size_t i = 0; i < reply->text_n; i++)
		insist((unsigned char)reply->text[i] >= 0x20 || reply->text[i] == '\n');
	insist(reply->enhanced[0] == 0 || reply->enhanced[0] == reply->code / 100);

	for (int stage = SMTP_AT_GREETING; stage <= SMTP_AT_END; stage++) {
		smtp_judge(reply, (enum smtp_stage)stage, &j);
		insist(j.class != SMTP_CLASS_OK || reply->code / 100 == 2 || (stage == SMTP_AT_DATA && reply->code == 354));
		insist(j.after_us >= 0 && smtp_about_name(j.about));
	}
	insist(smtp_reply_line(reply, reply->lines).n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes all = { (const char *)data, size }, rest = all;
	struct smtp_reply_reader a = { 0 }, b = { 0 };
	size_t used;
	int got = smtp_reply_read(&a, &rest);

	insist(read_slowly(&b, all, &used) == got);
	insist(got != 0 || (rest.n == 0 && size <= SMTP_REPLY_BYTES_MAX));
	insist(used == all.n - rest.n);
	insist(a.wrong == b.wrong && a.reply.code == b.reply.code && a.reply.lines == b.reply.lines);
	insist(a.reply.text_n == b.reply.text_n && memcmp(a.reply.text, b.reply.text, a.reply.text_n) == 0);
	insist(memcmp(a.reply.enhanced, b.reply.enhanced, sizeof(a.reply.enhanced)) == 0);
	insist((got < 0) == (a.wrong != SMTP_REPLY_OK));
	if (got > 0)
		check_reply(&a.reply);
	return 0;
}
