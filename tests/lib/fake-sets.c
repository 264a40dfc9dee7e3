/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of UIDs and of sequence numbers (RFC 3501 section 9, sequence-set). */
#include "lib/fake-imap-parts.h"

static int read_end(struct bytes word, uint64_t largest, uint64_t *ret)
{
	*ret = largest;
	if (bytes_equal(word, BYTES("*")))
		return 0;
	return bytes_to_u64(word, UINT32_MAX, ret);
}

int fake_in_set(struct bytes set, uint64_t number, uint64_t largest)
{
	int found = 0;

	if (set.n == 0)
		return -1;
	while (set.n) {
		struct bytes high = bytes_cut(&set, ','), low = bytes_cut(&high, ':');
		uint64_t a, b;

		if (read_end(low, largest, &a) < 0 || a == 0)
			return -1;
		b = a;
		if (high.n && read_end(high, largest, &b) < 0)
			return -1;
		found |= (number >= a && number <= b) || (number >= b && number <= a);
	}

	return found;
}

/* The smallest and largest number of a set that fake_in_set() has taken. */
static void set_bounds(struct bytes set, uint64_t largest, uint64_t *ret_low, uint64_t *ret_high)
{
	*ret_low = UINT64_MAX;
	*ret_high = 0;
	while (set.n) {
		struct bytes range = bytes_cut(&set, ',');

		while (range.n) {
			uint64_t number = 0;

			read_end(bytes_cut(&range, ':'), largest, &number);
			*ret_low = number < *ret_low ? number : *ret_low;
			*ret_high = number > *ret_high ? number : *ret_high;
		}
	}
}

struct fake_message *fake_next_in_set(const struct fake_connection *c, struct bytes set,
				      bool by_uid, uint32_t after)
{
	const struct fake_folder *f = c->folder;
	uint64_t known = fake_message_index(f, (uint64_t)c->told_uid + 1), largest, low, high;
	size_t i = fake_message_index(f, (uint64_t)after + 1);

	largest = known == 0 ? 0 : by_uid ? f->messages[known - 1].uid
					  : fake_sequence(c, f->messages[known - 1].uid);
	set_bounds(set, largest, &low, &high);
	if (by_uid && low > after)
		i = fake_message_index(f, low);
	for (; i < known; i++) {
		struct fake_message *m = &f->messages[i];
		uint64_t number = by_uid ? m->uid : fake_sequence(c, m->uid);

		if (number > high)
			return NULL;
		if (fake_in_set(set, number, largest) > 0)
			return m;
	}

	return NULL;
}

/* --- writing --------------------------------------------------------------------------------- */

void fake_set_end(struct buf *to, struct fake_set_writer *state)
{
	if (!state->first)
		return;
	buf_appendf(to, "%s%u", to->n ? "," : "", state->first);
	if (state->last != state->first)
		buf_appendf(to, ":%u", state->last);
	*state = (struct fake_set_writer){ 0 };
}

void fake_set_add(struct buf *to, struct fake_set_writer *state, uint32_t uid)
{
	if (state->first && uid == state->last + 1) {
		state->last = uid;
		return;
	}
	fake_set_end(to, state);
	*state = (struct fake_set_writer){ uid, uid };
}
