/* SPDX-License-Identifier: Apache-2.0 */
/* APPEND and MULTIAPPEND (RFC 3501 §6.3.11, RFC 3502), streaming: the message is never in memory. */
#include "imap/commands.h"

void imap_append_begin(struct imap_session *s, struct imap_append *a, struct bytes folder_name)
{
	*a = (struct imap_append){ .messages = 0 };
	list_init(&a->command.link);
}

/* The first message brings the command line with it. */
static int begin_command(struct imap_session *s, struct imap_append *a, struct bytes folder_name,
			 struct fault *fault)
{
	int r;

	imap_begin(s, &a->command, "APPEND ");
	a->begun = true;
	r = imap_put_string(s, &a->command, folder_name, fault);
	if (r)
		buf_reset(&s->out);
	return r;
}

int imap_append_message(struct imap_session *s, struct imap_append *a, struct bytes folder_name,
			const char *flags, struct bytes date, uint64_t size, struct fault *fault)
{
	const char *suffix = imap_literal_suffix(s, size);
	int r;

	if (!a->begun) {
		r = begin_command(s, a, folder_name, fault);
		if (r)
			return r;
	}

	if (flags[0])
		imap_put(s, " (%s)", flags);
	if (date.n) {
		buf_append_char(&s->out, ' ');
		buf_append_bytes(&s->out, date);
	}
	imap_put(s, " {%llu%s}\r\n", (unsigned long long)size, suffix);
	a->messages++;
	if (suffix[0])
		return 0; /* goes out with the first data */

	s->continuations = 0;
	if (imap_flush(s, fault) < 0)
		return -1;

	return imap_wait_continuation(s, &a->command, fault);
}

int imap_append_data(struct imap_session *s, struct bytes data, struct fault *fault)
{
	enum { SMALL = 8192 };

	if (s->out.n + data.n <= SMALL) { /* small pieces are joined: one record, one send */
		buf_append_bytes(&s->out, data);
		return 0;
	}

	if (s->out.n && imap_flush(s, fault) < 0)
		return -1;

	if (data.n <= SMALL) {
		buf_append_bytes(&s->out, data);
		return 0;
	}

	return imap_flush_data(s, data, fault);
}

int imap_append_end(struct imap_session *s, struct imap_append *a, struct fault *fault)
{
	return imap_send(s, &a->command, fault);
}
