/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says: a reply code (RFC 5321 section 4.2), an enhanced code (RFC 3463) and a sentence. The
 * grammar's errors are pointers to such constants: what is wrong and how to say it are one thing. Nothing a
 * peer sent ever stands in a text, so no reply can carry its bytes anywhere. */
#ifndef SMTP_ANSWER_H
#define SMTP_ANSWER_H

struct smtp_answer {
	unsigned code;        /* 200 … 599 */
	const char *enhanced; /* "5.1.3"; "" where RFC 2034 wants none (greeting, EHLO, 3xx) */
	const char *text;     /* printable ASCII, one line */
};

#endif
