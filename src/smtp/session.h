/* SPDX-License-Identifier: Apache-2.0 */
/* A server's session, for server.c and the files of its verbs; nobody else includes it. */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include "smtp/server.h"

struct smtp_session {
	struct stream **stream;
	const struct smtp_settings *settings;
	const struct smtp_peer *peer;
	struct smtp_host *host;

	struct smtp_client client;
	struct arena client_arena; /* what client's slices are of */
	struct smtp_transaction t;

	char *in; /* in_n bytes from in_start on are still to be read */
	size_t in_size, in_start, in_n;

	bool may_xclient, may_xforward;
	unsigned offered;  /* of the settings as they were at EHLO: what was promised then holds */
	uint64_t max_size; /* likewise */
	bool greeted; /* EHLO or HELO was said */
	bool owes;    /* a reply to the command at hand */
	bool over;    /* the last reply was the last word */
	bool begun;   /* the host has a message of ours */
	bool unheard; /* a message was accepted, and the client may not know it */
	unsigned errors, idle;
};

/* --- server.c -------------------------------------------------------------------------------- */

/* The reply to the command at hand; exactly one. A 5xx counts as an error, and one too many becomes a 421. */
int smtp_session_answer(struct smtp_session *s, const struct smtp_answer *answer, struct fault *fault);
int smtp_session_say(struct smtp_session *s, const struct smtp_say *say, struct fault *fault);

/* The same, and the session is over. */
int smtp_session_answer_last(struct smtp_session *s, const struct smtp_answer *answer, struct fault *fault);

/* Raw lines of a reply whose last one is answered by the caller: a multi-line reply's, or 354. */
int smtp_session_line(struct smtp_session *s, const char *line, struct fault *fault);

/* Text of several lines, which is the reply to the command at hand. */
int smtp_session_text(struct smtp_session *s, struct bytes text, struct fault *fault);

/* What came and was not read yet. */
struct bytes smtp_session_input(const struct smtp_session *s);
void smtp_session_consume(struct smtp_session *s, size_t n);
void smtp_session_forget_input(struct smtp_session *s);

/* Reads more behind what is there. 1, 0: the end, -1. */
SUSPENDS int smtp_session_fill(struct smtp_session *s, size_t size, struct fault *fault);

/* What is known of the client from now on, copied. */
void smtp_session_know(struct smtp_session *s, struct bytes helo, struct bytes name, struct bytes login);

/* The transaction is gone, with what the host has of it. */
void smtp_session_reset(struct smtp_session *s);

/* The client's address is another one: the host may refuse it, in *say, which has the usual acceptance. -1: cancelled. */
int smtp_session_came(struct smtp_session *s, struct smtp_say *say, struct fault *fault);

/* Says what a host's failure sounds like to a client. -1 when it ends the session: cancelled. */
int smtp_session_excuse(const struct fault *fault, struct smtp_say *say);

/* --- one file a verb, or a few small ones: each gives its reply. -1: the session cannot go on -------------- */

SUSPENDS int smtp_serve_hello(struct smtp_session *s, const struct smtp_command *c, struct fault *fault);
SUSPENDS int smtp_serve_mail(struct smtp_session *s, const struct smtp_command *c, struct fault *fault);
SUSPENDS int smtp_serve_rcpt(struct smtp_session *s, const struct smtp_command *c, struct fault *fault);
SUSPENDS int smtp_serve_data(struct smtp_session *s, const struct smtp_command *c, struct fault *fault);
SUSPENDS int smtp_serve_starttls(struct smtp_session *s, const struct smtp_command *c, struct fault *fault);
SUSPENDS int smtp_serve_xclient(struct smtp_session *s, const struct smtp_command *c, struct fault *fault);
SUSPENDS int smtp_serve_xforward(struct smtp_session *s, const struct smtp_command *c, struct fault *fault);
int smtp_serve_rset(struct smtp_session *s, const struct smtp_command *c, struct fault *fault);
int smtp_serve_noop(struct smtp_session *s, const struct smtp_command *c, struct fault *fault);
int smtp_serve_vrfy(struct smtp_session *s, const struct smtp_command *c, struct fault *fault);
int smtp_serve_help(struct smtp_session *s, const struct smtp_command *c, struct fault *fault);
int smtp_serve_quit(struct smtp_session *s, const struct smtp_command *c, struct fault *fault);

#endif
