/* SPDX-License-Identifier: Apache-2.0 */
/* Any text: no crash, and what was read and can be written reads back as the same second
 * and zone. */
#include <stdlib.h>

#include "imap/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
	if (!condition)
		abort();
}

static void try_date(struct bytes text)
{
	_cleanup_(buf_done) struct buf written = BUF_NULL;
	int64_t seconds, again;
	struct bytes inside;
	int zone, zone_again;

	if (imap_date_parse(text, &seconds, &zone) < 0)
		return;

	imap_date_write(&written, seconds, zone);
	inside = bytes_skip(buf_bytes(&written), 1);
	insist(inside.n == 27 && inside.p[26] == '"');
	inside.n--;
	insist(imap_date_parse(inside, &again, &zone_again) == 0);
	insist(zone_again == zone);
	insist(again == seconds);
}

static void try_day(struct bytes text)
{
	_cleanup_(buf_done) struct buf written = BUF_NULL;
	int64_t seconds, again;

	if (imap_day_parse(text, &seconds) < 0)
		return;

	imap_day_write(&written, seconds);
	insist(imap_day_parse(buf_bytes(&written), &again) == 0);
	insist(again == seconds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = { (const char *)data, size };

	try_date(text);
	try_day(text);
	return 0;
}
