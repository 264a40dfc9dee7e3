/* SPDX-License-Identifier: Apache-2.0 */
/* A server on loopback for tests, that keeps books of what it took and behaves as a script says. */
#ifndef GATEWAY_TEST_SINK_H
#define GATEWAY_TEST_SINK_H

#include "base/buf.h"
#include "lib/check.h"
#include "net/stream.h"

/* Rules, divided by ";": WHERE [N] ACTION. WHERE is greeting, ehlo, mail, rcpt, data, end, or rcpt=LOCALPART;
 * N: only at the Nth time on this connection (or N+: from then on); *N: at the Nth of all connections (*N+).
 * ACTION: a reply as it stands ("451 4.3.2 later"; "|" divides lines), or
 *	close         no answer, the connection is closed
 *	hang          no answer, for ever
 *	drip          the usual answer, a byte each 10 ms
 *	reply+close   (written "421 bye+close") the reply, then it is closed
 *	take+close    of end: the message counts as taken, and the connection is closed without an answer
 * The first rule that fits is followed; without one, all is well. Of LMTP, end is asked once for each recipient that
 * was accepted. */
struct sink {
	struct check *check;
	const char *script;
	bool lmtp, pipelining, dsn, xforward;
	unsigned most;       /* connections at once, beyond which 421 is the greeting; 0: any number */
	unsigned connections, at_once, at_once_most, messages, dots, mails, quits;
	unsigned counts[16]; /* of each WHERE, over all connections */
	struct buf books;    /* "sender>recipient,recipient\n" of each message taken */
	struct buf content;  /* of the last message, dots taken away */
	struct buf commands; /* each command line */
	struct listener *listener;
	struct nursery nursery;
};

/* Listens on 127.0.0.1 and serves, in a fiber of its own. */
struct sink *sink_start(struct check *check, const char *script, struct fault *fault);
uint16_t sink_port(const struct sink *sink);
SUSPENDS struct sink *sink_stop(struct sink *sink);

#endif
