/* SPDX-License-Identifier: Apache-2.0 */
/* The courier: a process of its own that hands messages to the targets' servers (smtp/client.h) and tells the keeper
 * what came of it, as courier-frames.h has it. It has no files; what it knows of a message it got from the
 * keeper.
 *
 * What must stay true:
 * - the dot goes out only after GO;
 * - each job has one last RESULT, or the link is lost;
 * - memory is bounded by the jobs the keeper gives: COURIER_WINDOW of content for each;
 * - a keeper that says what it may not ends the courier.
 *
 * Connections are kept after a transaction for the next one to the same host, for a few seconds, and closed after
 * as many messages as the target's setting says. */
#ifndef GATEWAY_COURIER_H
#define GATEWAY_COURIER_H

#include "net/stream.h"

/* Serves the keeper at the other end of keeper (owned) until that ends the link: 0. Negative: the link was lost, or
 * SETUP cannot be followed. Jobs under way are given up then: what was sent without an answer is the keeper's
 * doubt. With SETUP's sandbox set the process gives up its rights before the first job. */
SUSPENDS int courier_serve(struct stream *keeper, struct fault *fault);

/* The process of `mailferry gateway --part courier`: its link is descriptor 0. The process' whole life. */
int courier_process(struct fault *fault);

#endif
