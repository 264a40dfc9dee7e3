/* SPDX-License-Identifier: Apache-2.0 */
/* See pressure.h. */
#include "pace/pressure.h"

#include "base/buf.h"
#include "os/file.h"

/* "12.34"; the kernel writes two places always. */
static bool parse_percent(struct bytes text, double *ret)
{
	struct bytes rest = text, whole = bytes_cut(&rest, '.');
	uint64_t a, b = 0;

	if (bytes_to_u64(whole, 100, &a) < 0 || rest.n > 2 ||
	    (rest.n && bytes_to_u64(rest, 99, &b) < 0))
		return false;

	*ret = (double)a + (double)b / (rest.n == 1 ? 10 : 100);
	return true;
}

/* "some avg10=0.00 avg60=0.04 avg300=0.24 total=5931518" */
static bool parse_line(struct bytes line, double *ret)
{
	while (line.n > 0) {
		struct bytes word = bytes_cut(&line, ' ');

		if (bytes_starts(word, BYTES("avg10=")))
			return parse_percent(bytes_skip(word, 6), ret);
	}
	return false;
}

bool pressure_parse(struct bytes text, struct pressure *ret)
{
	struct pressure got = { 0 };

	while (text.n > 0) {
		struct bytes line = bytes_cut(&text, '\n');
		struct bytes name = bytes_cut(&line, ' ');

		if (bytes_equal(name, BYTES("some")) && parse_line(line, &got.some))
			got.known = true;
		else if (bytes_equal(name, BYTES("full")) && !parse_line(line, &got.full))
			return false;
	}
	if (!got.known)
		return false;

	*ret = got;
	return true;
}

int pressure_read(void *arg, struct fault *fault)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct pressure *pressure = arg;

	if (os_read_file("/proc/pressure/io", 4096, &text, fault) < 0 ||
	    !pressure_parse(buf_bytes(&text), pressure))
		pressure->known = false; /* an old kernel, or one that was told not to tell */
	return 0;
}
