/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that look random and follow from a seed: for jitter, simulations and tests.
 * Predictable, so never for nonces or anything secret: that is run_random(). xoshiro256**,
 * which its authors put in the public domain, seeded through splitmix64. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stdint.h>

struct rand {
	uint64_t s[4];
};

void rand_init(struct rand *r, uint64_t seed); /* any seed is good */
uint64_t rand_u64(struct rand *r);
uint64_t rand_below(struct rand *r, uint64_t limit); /* 0 … limit - 1, no bias; limit > 0 */

/* base less or more up to a quarter: for waits that must not all end at the same moment. */
int64_t rand_jitter(struct rand *r, int64_t base);

#endif
