/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes, cut in two places: the end is found where CRLF.CRLF first stands and nowhere else; a normalised
 * content is canonical, and comes back from the writer as it was. The first two bytes say where to cut. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
	if (!condition)
		abort();
}

static bool feed(struct smtp_data_reader *r, struct bytes in, struct buf *to, size_t *used)
{
	size_t n = in.n;
	struct bytes span;
	enum smtp_data got;

	while ((got = smtp_data_read(r, &in, &span)) == SMTP_DATA_SPAN) {
		insist(span.n > 0);
		buf_append_bytes(to, span);
	}
	insist(got == SMTP_DATA_END || in.n == 0);
	*used += n - in.n;
	return got == SMTP_DATA_END;
}

static bool read_cut(struct smtp_data_reader *r, struct bytes in, const size_t cuts[2], struct buf *to, size_t *used)
{
	size_t a = cuts[0] < in.n ? cuts[0] : in.n, b = a + cuts[1] < in.n ? a + cuts[1] : in.n;

	*used = 0;
	return feed(r, bytes_head(in, a), to, used) ||
	       feed(r, bytes_head(bytes_skip(in, a), b - a), to, used) || feed(r, bytes_skip(in, b), to, used);
}

static void write_back(struct bytes content)
{
	_cleanup_(buf_done) struct buf sent = BUF_NULL, again = BUF_NULL;
	struct smtp_data_writer w = { 0 };
	struct smtp_data_reader r = { 0 };
	struct bytes in = content, span;
	size_t used = 0;
	int got;

	while ((got = smtp_data_write(&w, &in, &span)) > 0)
		buf_append_bytes(&sent, span);
	insist(got == 0);
	insist(smtp_data_end(&w, &span) == 0);
	buf_append_bytes(&sent, span);
	insist(feed(&r, buf_bytes(&sent), &again, &used) && used == sent.n);
	insist(r.bare_lf == 0 && r.bare_cr == 0 && bytes_equal(buf_bytes(&again), content));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { (const char *)data, size };
	_cleanup_(buf_done) struct buf strict = BUF_NULL, whole = BUF_NULL, normal = BUF_NULL;
	struct smtp_data_reader a = { 0 }, b = { 0 }, c = { .normalise = true };
	size_t cuts[2], used, used_whole, used_normal, nowhere[2] = { 0, 0 };
	ptrdiff_t end;
	bool ended;

	if (size < 2)
		return 0;
	cuts[0] = data[0];
	cuts[1] = data[1];
	in = bytes_skip(in, 2);
	end = bytes_starts(in, BYTES(".\r\n")) ? -2 : bytes_find(in, BYTES("\r\n.\r\n"));

	ended = read_cut(&a, in, cuts, &strict, &used);
	insist(ended == (end != -1));
	insist(used == (ended ? (size_t)(end + 5) : in.n));
	insist(read_cut(&b, in, nowhere, &whole, &used_whole) == ended && used_whole == used);
	insist(bytes_equal(buf_bytes(&strict), buf_bytes(&whole)));
	insist(a.size == b.size && a.longest == b.longest && a.bare_lf == b.bare_lf && a.nul == b.nul && a.size == strict.n);

	insist(read_cut(&c, in, cuts, &normal, &used_normal) == ended && used_normal == used);
	if (ended) {
		insist(a.bare_cr == b.bare_cr && a.bare_cr == c.bare_cr && a.bare_lf == c.bare_lf);
		insist(a.longest == c.longest);
		write_back(buf_bytes(&normal));
	}
	return 0;
}
