/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a message's number, see queue-id.h. */
#include "gateway/queue-id.h"

#include <string.h>

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum { DIGITS_LEAST = 6, DIGITS_MOST = 13 };

void queue_id_write(char to[QUEUE_ID_SIZE], const char *journal_id, uint64_t number)
{
	char text[DIGITS_MOST];
	size_t n = 0;

	do {
		text[DIGITS_MOST - ++n] = digits[number % 32];
		number /= 32;
	} while (number > 0 || n < DIGITS_LEAST);

	memcpy(to, journal_id, JOURNAL_ID_LEN);
	to[JOURNAL_ID_LEN] = '-';
	memcpy(to + JOURNAL_ID_LEN + 1, text + DIGITS_MOST - n, n);
	to[JOURNAL_ID_LEN + 1 + n] = '\0';
}

static int digit(char c)
{
	const char *at;

	c = ascii_lower(c);
	if (c == 'o')
		c = '0';
	if (c == 'i' || c == 'l')
		c = '1';
	at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

int queue_id_read(struct bytes text, const char *journal_id, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (text.n < JOURNAL_ID_LEN + 1 + DIGITS_LEAST || text.n > JOURNAL_ID_LEN + 1 + DIGITS_MOST ||
	    text.p[JOURNAL_ID_LEN] != '-')
		return -1;
	for (size_t i = 0; i < JOURNAL_ID_LEN; i++)
		if (digit(text.p[i]) < 0 || digit(text.p[i]) != digit(journal_id[i]))
			return -1;
	for (size_t i = JOURNAL_ID_LEN + 1; i < text.n; i++) {
		int d = digit(text.p[i]);

		if (d < 0 || number >> 59)
			return -1;
		number = number * 32 + (uint64_t)d;
	}
	*ret_number = number;
	return 0;
}
