/* SPDX-License-Identifier: Apache-2.0 */
/* The narrow way between our processes (edge, keeper, courier): frames over a stream. A frame is
 * {u32 length of the payload, u16 type, u16 zero, u64 id}, little endian, and the payload, whose form is the
 * type's business (link-frames.h). What a peer sends is hostile: a length beyond LINK_PAYLOAD_MAX or a
 * type that was not agreed on ends the peer, not us.
 *
 * One fiber receives; any may put. What is put goes out before the loop next waits, many frames in one
 * system call. */
#ifndef GATEWAY_LINK_H
#define GATEWAY_LINK_H

#include "net/stream.h"

enum { LINK_PAYLOAD_MAX = 65536, LINK_HEAD = 16 };

struct link;

struct link_frame {
	uint16_t type;
	uint64_t id;          /* of a session, transaction or job: the sender's choice */
	struct bytes payload; /* good until the next link_next() */
};

/* Over a connected stream, which it owns. types: the peer's frames have types 1 to `types`. */
struct link *link_new(struct stream *stream, uint16_t types);
struct link *link_free(struct link *link); /* closes; accepts NULL, returns NULL */
DEFINE_FREEP(struct link, link_free);

/* Queues a frame, whose payload is first and second together; never suspends. Who may put much waits for room
 * between. A link that has failed takes it and forgets it: link_next() says so. */
void link_put(struct link *link, uint16_t type, uint64_t id, struct bytes first, struct bytes second);

/* Suspends while the peer takes less than is put. */
SUSPENDS int link_wait_room(struct link *link, struct fault *fault);

/* 1: a frame. 0: the peer has ended in order. -1: it is lost, or said what it may not (FAULT_PROTOCOL). */
SUSPENDS int link_next(struct link *link, struct link_frame *ret, struct fault *fault);

/* Whether another frame is here already, so that link_next() would not wait. */
bool link_has_frame(const struct link *link);

#endif
