/* SPDX-License-Identifier: Apache-2.0 */
/* The edge: the process that talks to clients, and to nobody else but the keeper. It has no files and no rights; what
 * it may lose by crashing are sessions that have heard no 250.
 *
 * edge.c: the process, its limits, who is served. edge-host.c: what stands behind a session (smtp/server.h): frames. */
#ifndef GATEWAY_EDGE_H
#define GATEWAY_EDGE_H

#include "base/map.h"
#include "config/gateway.h"
#include "gateway/link-frames.h"
#include "gateway/link.h"
#include "smtp/server.h"

struct edge;

/* The process of `mailferry gateway --part edge`: its link is descriptor 0, its listeners those from OS_PART_FDS on. The
 * process' whole life. */
int edge_process(unsigned listeners, struct fault *fault);

/* --- inside; for edge.c, edge-host.c and tests ------------------------------------------------- */

struct edge_session;

enum edge_owed { EDGE_OWED_NOTHING, EDGE_OWED_ASK, EDGE_OWED_FINISH };

/* What the keeper knows a session by. */
struct edge_slot {
	uint32_t index, turn;
	enum edge_owed owed;          /* an answer that has not come */
	struct edge_session *session; /* NULL: it is gone, and the answer is still owed */
	struct edge_slot *next_free;
};

struct edge {
	struct arena arena; /* of the settings */
	struct link *link;
	struct smtp_settings settings;
	unsigned max_sessions, max_per_address;
	bool proxy;
	struct networks trusted;
	struct listener **listeners;
	size_t n_listeners;

	struct edge_slot **slots, *free_slots;
	size_t n_slots, size_slots;
	struct map addresses; /* prefix → how many sessions */
	struct map welcome;   /* keys of recipients that the keeper takes; values mean nothing */
	int64_t welcome_since; /* the first of them: they hold for a second */
	struct edge_counts counts;
	bool counts_changed;
	struct buf scratch, payload; /* while a frame is made */

	struct nursery accepting, sessions, work;
	bool is_stopping, is_over;
	int64_t stop_at; /* run_now(): what is left then is cancelled */
	bool was_left;     /* the link has ended in order */
	struct fault deaf; /* why it cannot listen any more; kind 0: it can */
	struct waiters ended; /* a session did */
};

/* Over a link of its own: takes KEEP_SETUP, then serves until the keeper says KEEP_STOP and all sessions are over, or the
 * link ends, or a listener fails for good. Listeners may be none. enclosed: enters the sandbox. */
SUSPENDS int edge_serve(struct edge *edge, bool enclosed, struct fault *fault);
void edge_done(struct edge *edge);

/* Serves a client that is connected. The stream is the edge's from here on; listener, a name, outlives the edge's sessions. */
void edge_take(struct edge *edge, struct stream *stream, const char *listener, const struct ip *address, uint16_t port);

#define EDGE_TOO_MANY "Too many connections from your address"

struct edge_session {
	struct smtp_host host;
	struct edge *edge;
	struct edge_slot *slot; /* NULL: none yet, or no more */
	struct stream *stream;
	const char *listener;
	struct smtp_peer peer;
	struct fiber *fiber;
	char prefix[40]; /* key of edge->addresses: so many bytes; 0: it counts for no address */
	size_t counted;

	struct waiters answered;
	struct bytes asked;  /* the recipient, while that is owed */
	struct smtp_say say; /* the answer */
	struct buf body;     /* content not sent to the keeper yet */
	bool has_sent, unheard;
	bool owes_heard; /* EDGE_HEARD, before the next frame */
	size_t envelope; /* bytes that the recipients take */
};

/* Whose session it is, as far as we know now. False: that address has as many as it may. */
bool edge_session_is_of(struct edge_session *s, const struct ip *address);

extern const struct smtp_host_ops edge_host_ops;

struct edge_slot *edge_slot_take(struct edge *edge); /* NULL: none is left */
void edge_slot_leave(struct edge *edge, struct edge_slot *slot); /* its session is over */
void edge_give_up(struct edge *edge); /* the keeper is gone: nobody waits for its answers any more */
int edge_hear(struct edge *edge, const struct link_frame *frame, struct fault *fault); /* KEEP_SAY */

#endif
