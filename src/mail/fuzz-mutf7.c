/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes, taken for a mailbox name off the wire and for a name in UTF-8: what is decoded can
 * be written, what is written reads back, and nothing that is shown can drive a terminal. */
#include <stdlib.h>

#include "mail/mutf7.h"
#include "mail/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
	if (!condition)
		abort();
}

static void round_trip(struct bytes utf8)
{
	_cleanup_(buf_done) struct buf mutf7 = BUF_NULL, back = BUF_NULL;

	if (mutf7_encode(utf8, &mutf7) < 0) {
		insist(!utf8_is_valid(utf8) || bytes_find_char(utf8, '\0') >= 0);
		return;
	}

	for (size_t i = 0; i < mutf7.n; i++)
		insist(mutf7.p[i] >= 0x20 && mutf7.p[i] <= 0x7e);
	insist(mutf7_decode(buf_bytes(&mutf7), &back) == 0);
	insist(bytes_equal(buf_bytes(&back), utf8));
}

static void decode(struct bytes in)
{
	_cleanup_(buf_done) struct buf utf8 = BUF_NULL, mutf7 = BUF_NULL;
	int r = mutf7_decode(in, &utf8);

	if (r < 0) {
		insist(utf8.n == 0);
		return;
	}

	insist(utf8_is_valid(buf_bytes(&utf8)));
	insist(mutf7_encode(buf_bytes(&utf8), &mutf7) == 0);
	insist(bytes_equal(buf_bytes(&mutf7), in) == (r == 0));
	round_trip(buf_bytes(&utf8));
}

static void show(struct bytes b, size_t columns)
{
	_cleanup_(buf_done) struct buf shown = BUF_NULL, again = BUF_NULL, cell = BUF_NULL;

	utf8_printable(&shown, b);
	insist(utf8_is_valid(buf_bytes(&shown)));
	for (size_t i = 0; i < shown.n; i++)
		insist((unsigned char)shown.p[i] >= 0x20 && shown.p[i] != 0x7f);
	utf8_printable(&again, buf_bytes(&shown));
	insist(bytes_equal(buf_bytes(&again), buf_bytes(&shown)));
	insist(utf8_width(buf_bytes(&shown)) == utf8_width(b));

	utf8_cell(&cell, b, columns);
	insist(utf8_width(buf_bytes(&cell)) == columns);
}

static void compare(struct bytes b)
{
	_cleanup_(buf_done) struct buf nfc = BUF_NULL, nfc_again = BUF_NULL, key = BUF_NULL,
				       nfc_key = BUF_NULL;

	if (utf8_nfc(b, &nfc) < 0) {
		insist(utf8_key(b, &key) < 0);
		return;
	}

	insist(utf8_nfc(buf_bytes(&nfc), &nfc_again) == 0);
	insist(bytes_equal(buf_bytes(&nfc), buf_bytes(&nfc_again)));
	insist(utf8_key(b, &key) == 0 && utf8_key(buf_bytes(&nfc), &nfc_key) == 0);
	insist(bytes_equal(buf_bytes(&key), buf_bytes(&nfc_key)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { (const char *)data, size };

	decode(in);
	round_trip(in);
	show(in, size % 40);
	compare(in);
	return 0;
}
