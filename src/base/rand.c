/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers from a seed, see rand.h. */
#include "base/rand.h"

#include <assert.h>

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void rand_init(struct rand *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix(&seed);
}

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

uint64_t rand_u64(struct rand *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t rand_below(struct rand *r, uint64_t limit)
{
	uint64_t bias, value;

	assert(limit > 0);

	bias = -limit % limit; /* 2^64 mod limit: that many of the lowest values are one too many */
	do {
		value = rand_u64(r);
	} while (value < bias);

	return value % limit;
}

int64_t rand_jitter(struct rand *r, int64_t base)
{
	int64_t quarter = base / 4;

	if (quarter <= 0)
		return base;

	return base - quarter + (int64_t)rand_below(r, 2 * (uint64_t)quarter + 1);
}
