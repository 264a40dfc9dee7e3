/* SPDX-License-Identifier: Apache-2.0 */
/* Mail data (RFC 5321 section 4.5.2): a strict reader and a writer. No I/O, no copies: both give spans of the
 * caller's own buffer, split only where a byte is taken out or put in.
 *
 * The end is CR LF . CR LF and nothing else, in any split; the DATA command's own CRLF counts as the first.
 * A line begins after CR LF and nowhere else, so a dot is taken away exactly where a conforming writer put one.
 * LF without CR, CR without LF and NUL are counted; what follows from it is the caller's policy: refuse after
 * the end, or let the reader normalise. */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* A zeroed struct, with `normalise` set or not, stands behind the DATA command. */
struct smtp_data_reader {
	/* A bare LF becomes CRLF; so does a bare CR, unless another CR follows, which then stands for both (CR CR LF
	 * is one line end). The result has CR and LF only as pairs; a dot alone on such a line stays content. */
	bool normalise;

	uint64_t size;    /* content so far, dots taken away, as given in spans */
	uint64_t longest; /* the longest line that has ended, in bytes as they came, without its CRLF */
	uint64_t bare_lf, bare_cr, nul;
	bool has_8bit;

	/* Private. */
	uint64_t line; /* bytes of the line at hand before this buffer */
	uint8_t state;
};

enum smtp_data { SMTP_DATA_SPAN, SMTP_DATA_MORE, SMTP_DATA_END };

/* Takes from the front of *in. SPAN: *ret_span is the next content (of *in, or a constant of a byte or two; never
 * empty). MORE: *in is used up. END: the end was taken, *in is what follows; the reader is done. Content is all
 * that came, so it ends in CRLF unless it is empty. */
enum smtp_data smtp_data_read(struct smtp_data_reader *reader, struct bytes *in, struct bytes *ret_span);

/* A zeroed struct is ready. */
struct smtp_data_writer {
	uint8_t state;
};

/* Takes from the front of *content. 1: *ret_span is what to send next (of *content, or a constant dot; never
 * empty). 0: *content is used up. -1: content that must not leave: CR or LF not as a pair. */
int smtp_data_write(struct smtp_data_writer *writer, struct bytes *content, struct bytes *ret_span);

/* After all content: what ends it, ".\r\n", behind "\r\n" if the content did not end in one. -1: it ended in a CR
 * alone, and must not leave. */
int smtp_data_end(struct smtp_data_writer *writer, struct bytes *ret_span);

#endif
