/* SPDX-License-Identifier: Apache-2.0 */
/* What was used up of a day's bytes outlives the process: STATE/pace/NAME, a line each. Losing one
 * loses a day's memory and no mail, so failures are not told. */
#ifndef FLEET_QUOTA_H
#define FLEET_QUOTA_H

#include "pace/pace.h"
#include "run/run.h"

/* name: fit for a file. */
SUSPENDS void quota_load(struct pace *pace, const char *state_dir, const char *name);
SUSPENDS void quota_save(const struct pace *pace, const char *state_dir, const char *name);

#endif
