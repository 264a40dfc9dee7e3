/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's ear for operators: STATE/gateway/control, a Unix socket of mode 0600. What may be asked is in control-frames.h.
 * Whoever may open it may do all of it; what he says is bounded all the same. */
#ifndef GATEWAY_CONTROL_H
#define GATEWAY_CONTROL_H

#include "gateway/keeper.h"
#include "net/stream.h"

/* Makes the socket: k->control. */
int control_open(struct keeper *k, struct fault *fault);

/* Answers until cancelled: a fiber. arg: struct control. */
SUSPENDS int control_run(void *arg, struct fault *fault);

struct control *control_free(struct control *control); /* accepts NULL, returns NULL */

/* One operator's connection, until it ends; takes the stream. For control_run(), and for tests. */
SUSPENDS void control_serve(struct keeper *k, struct stream *stream, unsigned uid);

#endif
