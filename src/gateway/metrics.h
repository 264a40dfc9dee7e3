/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of the gateway, as text for Prometheus (exposition format 0.0.4) at http://[gateway] metrics/metrics.
 *
 * Counters begin at 0 with the process and follow the records that it writes; gauges are read when they are asked for. Labels
 * are of small sets: targets, fates, our own words for causes and alarms, edges by number. No address, no name of a peer.
 *
 * The responder is our own, some hundred lines: it answers one path to one kind of client on a loopback address, on the loop
 * that everything else is on, bounded in size, time and connections as everything else is (metrics-serve.c). A library would
 * bring threads and sockets of its own into the process that has the journal. */
#ifndef GATEWAY_METRICS_H
#define GATEWAY_METRICS_H

#include "gateway/keeper.h"
#include "net/stream.h"

/* Sets k->metrics. Listens nowhere yet. */
void metrics_open(struct keeper *k);
struct metrics *metrics_free(struct metrics *metrics); /* accepts NULL, returns NULL */

/* A record, as queue_settings.seen has it. */
void metrics_record(struct metrics *metrics, const struct book *book, enum journal_type type, const void *record,
		    int64_t wall_us);

/* A message was answered so long after all of it had come to the keeper. */
void metrics_answered(struct metrics *metrics, int64_t took_us);

void metrics_alarm(struct metrics *metrics, const char *kind);

/* Listens as configured, also after reloads, and answers, until cancelled: a fiber. arg: struct keeper. When it cannot listen, that
 * is told, and the gateway goes on without. */
SUSPENDS int metrics_run(void *arg, struct fault *fault);

/* --- for tests --------------------------------------------------------------------------------- */

/* One client, until it is answered; takes the stream. */
SUSPENDS void metrics_serve(struct keeper *k, struct stream *stream);

/* All figures. Parts of the keeper that are not there are left out. */
SUSPENDS int metrics_write(struct keeper *k, struct buf *to, struct fault *fault);

#endif
