/* SPDX-License-Identifier: Apache-2.0 */
/* A client and a peer in memory that says exactly what a case wants said. For the client's tests. */
#ifndef SMTP_TEST_CLIENT_TALK_H
#define SMTP_TEST_CLIENT_TALK_H

#include "lib/check.h"
#include "smtp/client.h"

enum { TALK_RECIPIENTS = 220 };

/* The peer's script, entry by entry, NULL at the end (then it closes):
 *	"> MAIL FROM:<a@b>"   this line must come next
 *	">> "                 any lines must come, up to and with one that is a dot
 *	"< 250 ok\r\n"        this is said
 *	"= "                  nothing more may have come, once the client waits
 *	"tls"                 the handshake, as a server
 *	"tls and no more"     the same, however it ends
 *	"anything"            may come, until the client closes
 *	"ehlo"                hears EHLO, says 250-PIPELINING and more: see test-client-talk.c */
struct talk_client;

struct play {
	const char *const *script;
	struct smtp_client_settings settings;
	int (*client)(struct talk_client *t, struct fault *fault);
	struct tls_context *server_tls;
	enum fault_kind fails; /* the session does not begin, for this reason */
	const char *fails_with;
};

struct talk_client {
	struct check *check;
	const struct play *play;
	struct smtp_client *client;
	struct stream *server;
	struct arena arena;
	size_t max_read;

	/* The message: send_to() sends it. */
	struct smtp_message message;
	struct smtp_delivery recipients[TALK_RECIPIENTS];
	const char *content[4];
	unsigned next_content;
	bool fail_content, fail_before_dot; /* what the hooks do */
	unsigned before_dots;               /* how often it was called and succeeded */
	unsigned dots_before;               /* dots when this message began */
	unsigned dots;                      /* how often the peer heard one */
	struct buf results;                 /* of send_to(), a line a recipient */
};

/* Runs a case, with bytes as they come and one by one. */
void play(struct check *check, const struct play *p);

/* Sends content to the recipients, words of `to` ("a b c"; each gets "@x.org"). Returns what smtp_client_send() did,
 * with t->results "a: accepted 250 2.0.0 id=…". */
SUSPENDS int send_to(struct talk_client *t, const char *to, struct fault *fault);

/* Whether the results are these; notes a failure if not. */
bool has_results(struct talk_client *t, const char *want);
bool is_fault(struct talk_client *t, const struct fault *fault, enum fault_kind kind, const char *words);

#endif
