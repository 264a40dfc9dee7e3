/* SPDX-License-Identifier: Apache-2.0 */
/* What keeper and edges say to each other over their links (link.h): the types of frames and what they carry. (Couriers:
 * courier-frames.h.) Payloads are fields (journal/fields.h) by the tables below, but for content, which is itself.
 *
 * The keeper believes of an edge what only an edge can know (peer, words, content) and nothing else: recipients,
 * sizes and digests are its own business once more. */
#ifndef GATEWAY_LINK_FRAMES_H
#define GATEWAY_LINK_FRAMES_H

#include "journal/records.h"

/* What an edge says. id: of the transaction: the session's slot (below keep_setup.sessions) and, above its lower 32 bits, a
 * number that rises with each transaction of the slot. A slot gets another session when no answer is owed to the last one. */
enum edge_frame {
	EDGE_READY = 1, /* link_word: it serves from here on; the words are about its walls */
	EDGE_ASK,       /* edge_ask: may this recipient come? Answered by KEEP_SAY. A yes holds for all who ask, for a second or until KEEP_FORGET */
	EDGE_BODY,      /* content, in order */
	EDGE_ENVELOPE,  /* the beginning of an EDGE_FINISH that is too large for one frame */
	EDGE_FINISH,    /* edge_finish: all content has come. Answered by KEEP_SAY, once it is durable */
	EDGE_DROP,      /* after EDGE_BODY: the message will not come */
	EDGE_HEARD,     /* of the slot: the client went on after all answers of 2xx to EDGE_FINISH so far, so it has heard them. Said
			 * before the slot's next frame, or at its session's end */
	EDGE_UNHEARD,   /* of the slot: it went away before it said anything else */
	EDGE_COUNTS,    /* edge_counts, now and then */
	EDGE_DONE,      /* after KEEP_STOP: no session is left */
	EDGE_FRAMES = EDGE_DONE,
};

/* What the keeper says to an edge. */
enum keep_frame {
	KEEP_SETUP = 1, /* keep_setup: the first frame */
	KEEP_SAY,       /* keep_say, for the transaction */
	KEEP_STOP,      /* keep_stop: accept no more connections, and end once the sessions have. Again: only sooner than it
			 * was told before */
	KEEP_FORGET,    /* recipients that were taken may not be any more: ask again */
	KEEP_OFFER,     /* keep_offer: what clients are offered from their next EHLO on */
	KEEP_FRAMES = KEEP_OFFER,
};

struct link_word {
	struct bytes text;
};

struct keep_offer {
	uint64_t offered, max_message; /* as of keep_setup */
};

struct keep_stop {
	uint64_t within_us; /* sessions that are left then are cancelled (421) */
	uint64_t idle_too;  /* those without a transaction are so now, the others as soon as theirs is over */
};

enum { LINK_ENVELOPE_MAX = 960 << 10 }; /* of all of an edge_finish: an ACCEPT record must hold it */

struct edge_ask {
	struct bytes key; /* smtp_address_key() */
};

struct edge_token {
	struct bytes text; /* "QUEUE-ID HEX" of an X-Mailferry-Trace field */
};

/* The record as far as an edge knows it: no message, size, digest, bodies, trace, epoch. */
struct edge_finish {
	struct bytes accept; /* JOURNAL_ACCEPT, encoded */
	struct edge_token *tokens;
	size_t n_tokens;
	uint64_t esmtp;
};

struct edge_counts {
	uint64_t sessions, tls_sessions, connections, turned_away, recipients_refused, accept_errors; /* the first two: now */
	uint64_t recipients_known; /* taken without asking */
};

struct keep_network {
	struct bytes text;
};

struct keep_setup {
	struct bytes hostname, cert_file, key_file;
	uint64_t offered; /* of enum smtp_extension */
	uint64_t max_message, max_recipients, sessions, sessions_per_address, normalise, proxy;
	struct keep_network *trusted;
	size_t n_trusted;
};

struct keep_say {
	uint64_t code;
	struct bytes enhanced, text;
};

extern const struct field_table link_word_table, keep_stop_table, keep_offer_table, edge_ask_table, edge_finish_table, edge_counts_table,
	keep_setup_table, keep_say_table;

#endif
