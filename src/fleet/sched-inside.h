/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the scheduler share; nobody else includes it. */
#ifndef FLEET_SCHED_INSIDE_H
#define FLEET_SCHED_INSIDE_H

#include "fleet/sched.h"

/* For a last status file or line of a job, whatever was cancelled. */
#define SCHED_LAST_WORDS (10 * SECOND)

void sched_set_phase(struct sched_job *job, enum sched_phase phase);
void sched_make_ready(struct sched_job *job);

/* Both tell. */
SUSPENDS void sched_end_job(struct sched_job *job, enum sched_end end, const struct fault *why);
SUSPENDS void sched_park(struct sched_job *job, int64_t for_us, const struct fault *why);

/* --- sched-gate.c ---------------------------------------------------------------------------- */

void sched_wait_at_gate(struct sched_job *job);

/* Of a job that tried a gate and learnt nothing: another one tries. */
void sched_stop_trying(struct sched_job *job);

/* The job's try ended with this fault: it is parked, ended, or waits; or all are stopped. */
SUSPENDS void sched_settle(struct sched_job *job, struct fault *fault);

#endif
