/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the journal with time: contents of settled messages go after [gateway] keep_bodies, whole segments after
 * keep_records, a checkpoint is signed every hour. In the background, a little at a time. */
#ifndef GATEWAY_RETAIN_H
#define GATEWAY_RETAIN_H

#include "gateway/keeper.h"

/* A fiber of the keeper, until it is cancelled. arg is the keeper. What cannot be given back now is told, and tried again. */
SUSPENDS int retain_run(void *arg, struct fault *fault);

/* At the end, and whenever the last checkpoint is old: signs the journal up to here with the books' sums. */
SUSPENDS int retain_sign(struct keeper *k, struct fault *fault);

#endif
