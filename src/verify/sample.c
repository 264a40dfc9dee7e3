/* SPDX-License-Identifier: Apache-2.0 */
/* See sample.h. */
#include "verify/sample.h"

#include "base/map.h"

struct verify_sample verify_sample_of(uint64_t seed, uint32_t ppm, struct bytes folder_name,
				      uint32_t uidvalidity)
{
	return (struct verify_sample){
		.key0 = siphash13(seed, uidvalidity, folder_name),
		.key1 = siphash13(~seed, uidvalidity, folder_name),
		.ppm = ppm,
	};
}

bool verify_sample_has(const struct verify_sample *s, uint32_t uid)
{
	/* The same on machines of either byte order. */
	unsigned char bytes[4] = { (unsigned char)uid, (unsigned char)(uid >> 8),
				   (unsigned char)(uid >> 16), (unsigned char)(uid >> 24) };
	struct bytes b = { (const char *)bytes, sizeof(bytes) };

	return s->ppm >= VERIFY_ALL_PPM || siphash13(s->key0, s->key1, b) % VERIFY_ALL_PPM < s->ppm;
}

static int bad(const char *text, struct fault *fault)
{
	return fault_usage(fault, "--sample %s: give a share of the messages from 0.0001%% to 100%%, such as "
			   "5%%", text);
}

int verify_sample_parse(const char *text, uint32_t *ret_ppm, struct fault *fault)
{
	enum { PER_PERCENT = VERIFY_ALL_PPM / 100, DIGITS = 4 };
	struct bytes rest = bytes_of(text), whole;
	uint64_t percent = 0, ppm, scale = PER_PERCENT;

	if (!rest.n || rest.p[rest.n - 1] != '%')
		return bad(text, fault);

	rest.n--;
	whole = bytes_cut(&rest, '.');
	if (bytes_to_u64(whole, 100, &percent) < 0 || rest.n > DIGITS)
		return bad(text, fault);

	ppm = percent * PER_PERCENT;
	for (size_t i = 0; i < rest.n; i++) {
		scale /= 10;
		if (!ascii_is_digit(rest.p[i]))
			return bad(text, fault);
		ppm += (uint64_t)(rest.p[i] - '0') * scale;
	}
	if (!ppm || ppm > VERIFY_ALL_PPM)
		return bad(text, fault);

	*ret_ppm = (uint32_t)ppm;
	return 0;
}

double verify_sample_bound(uint64_t read)
{
	return read > 3 ? 3.0 / (double)read : 1.0;
}
