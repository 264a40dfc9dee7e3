/* SPDX-License-Identifier: Apache-2.0 */
/* A random sample that anybody can draw again: whether a message is in it follows from the seed, its folder's name and
 * UIDVALIDITY and its UID, not from order, ledger or time. No I/O. */
#ifndef VERIFY_SAMPLE_H
#define VERIFY_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"

enum { VERIFY_ALL_PPM = 1000000 };

struct verify_sample {
	uint64_t key0, key1;
	uint32_t ppm;
};

/* For the messages of one folder; name as on the wire. */
struct verify_sample verify_sample_of(uint64_t seed, uint32_t ppm, struct bytes folder_name,
				      uint32_t uidvalidity);
bool verify_sample_has(const struct verify_sample *sample, uint32_t uid);

/* "5%" or "0.25%" as parts per million, 1 to 1000000. FAULT_USAGE. */
int verify_sample_parse(const char *text, uint32_t *ret_ppm, struct fault *fault);

/* When `read` messages of a sample were all right: with 95 % confidence fewer than this share of all messages is not
 * (the rule of three). 1 for none read. */
double verify_sample_bound(uint64_t read);

#endif
