/* SPDX-License-Identifier: Apache-2.0 */
/* A session and a peer in memory that says exactly what a case wants said. For tests of session and commands. */
#ifndef IMAP_TEST_TALK_H
#define IMAP_TEST_TALK_H

#include "imap/commands.h"
#include "lib/check.h"

struct talk;

/* One case: what the client does while the server does the other. Both run in fibers. */
struct play {
	const char *capabilities; /* said in the greeting, besides IMAP4rev1 */
	const char *greeting;     /* all of it; the client connects by itself then: imap_connect(&t->account, &t->s, …) */
	int64_t silence_us;
	bool no_qresync;
	int (*client)(struct talk *t, struct fault *fault);
	int (*server)(struct talk *t, struct fault *fault);
	const char *const *script; /* in place of server: heard, said, heard, said …, NULL; then it closes */
	const void *want;          /* for the client */
};

struct talk {
	struct check *check;
	const struct play *play;
	struct imap_account account;
	struct imap_session *s;
	struct stream *client_end, *server_end;
	size_t max_read;
	struct imap_command commands[4];
	struct fault faults[4];
	int step; /* what the client has got to, for the server to see */
};

/* The server's side. Exactly this must be heard next. */
int say(struct talk *t, const char *text, struct fault *fault);
int hear(struct talk *t, const char *text, struct fault *fault);
int hear_and_say(struct talk *t, const char *heard, const char *said, struct fault *fault);
int hear_end(struct talk *t, struct fault *fault);
int let_wait(struct fault *fault); /* lets the client's fibers get to where they wait */
void close_server(struct talk *t);

/* Runs a case, with bytes as they come and one by one. */
void play(struct check *check, const struct play *p);

/* Holds what came, as text, against what play->want says. Texts of listings and faults: */
void same(struct talk *t, const struct buf *got);
void put_messages(struct buf *to, const struct imap_messages *messages);
void put_fault(struct buf *to, const struct fault *fault);

/* The same with a script: PLAY(client, "capabilities", "heard", "said" …). */
#define PLAY(client_fn, capabilities_text, ...)                                                    \
	play(check, &(struct play){ .client = (client_fn), .capabilities = (capabilities_text),    \
				    .script = (const char *const[]){ __VA_ARGS__, NULL } })

#endif
