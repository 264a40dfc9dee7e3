/* SPDX-License-Identifier: Apache-2.0 */
/* Any message, cut anywhere: the scanner's result does not depend on the cuts. The first byte
 * seeds them. */
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
	if (!condition)
		abort();
}

static void feed_in_parts(struct header_scan *s, struct bytes message, uint64_t seed)
{
	struct rand r;

	rand_init(&r, seed);
	while (message.n) {
		size_t n = (size_t)rand_below(&r, 1 + rand_below(&r, 40));

		header_feed(s, bytes_head(message, n));
		message = bytes_skip(message, n);
	}
}

static void check_text(const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	insist(n < size);
	insist(n == 0 || (text[0] != ' ' && text[n - 1] != ' '));
	for (size_t i = 0; i < n; i++)
		insist((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct header_scan whole, parts;
	struct bytes message = bytes_skip((struct bytes){ (const char *)data, size }, 1);

	whole = parts = (struct header_scan){ .skip_body = size && data[0] & 1 };
	header_feed(&whole, message);
	header_finish(&whole);
	feed_in_parts(&parts, message, size ? data[0] : 0);
	header_finish(&parts);

	insist(whole.notes == parts.notes && whole.longest == parts.longest);
	insist(whole.size == parts.size && whole.ended == parts.ended);
	insist(strcmp(whole.message_id, parts.message_id) == 0 &&
	       strcmp(whole.date, parts.date) == 0);
	insist(strcmp(whole.subject, parts.subject) == 0);
	insist(whole.size <= message.n && whole.longest <= message.n);
	check_text(whole.message_id, sizeof(whole.message_id));
	check_text(whole.date, sizeof(whole.date));
	check_text(whole.subject, sizeof(whole.subject));
	return 0;
}
