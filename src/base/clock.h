/* SPDX-License-Identifier: Apache-2.0 */
/* Units of time. Reading a clock is run/run.h's job: here is no I/O. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Durations and moments are int64_t counts of microseconds; names end in _us or say so. */
#define USEC INT64_C(1)
#define MSEC (1000 * USEC)
#define SECOND (1000 * MSEC)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

/* A deadline that never comes. */
#define MOMENT_NEVER INT64_MAX

#endif
