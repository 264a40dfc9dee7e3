/* SPDX-License-Identifier: Apache-2.0 */
/* The page: all figures in Prometheus' text format. All samples of a name stand together, behind its HELP and TYPE. */
#include <inttypes.h>

#include "gateway/deliver.h"
#include "gateway/events.h"
#include "gateway/keep.h"
#include "gateway/metrics-inside.h"

static const char *const targets[BOOK_TARGETS + 1] = { [BOOK_OLD] = "old", [BOOK_NEW] = "new", [BOOK_NOWHERE] = "none" };

/* --- the format ------------------------------------------------------------------------------ */

static void head(struct buf *to, const char *name, const char *type, const char *help)
{
	buf_appendf(to, "# HELP mailferry_%s %s\n# TYPE mailferry_%s %s\n", name, help, name, type);
}

static void put_u64(struct buf *to, const char *name, uint64_t value)
{
	buf_appendf(to, "mailferry_%s %" PRIu64 "\n", name, value);
}

static void one(struct buf *to, const char *name, const char *type, const char *help, uint64_t value)
{
	head(to, name, type, help);
	put_u64(to, name, value);
}

static void put_label(struct buf *to, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			buf_append_char(to, '\\');
		if (*value == '\n')
			buf_append_str(to, "\\n");
		else
			buf_append_char(to, *value);
	}
}

static void put_seconds(struct buf *to, int64_t us)
{
	buf_appendf(to, "%" PRId64 ".%06" PRId64 "\n", us / SECOND, us % SECOND);
}

static void by_target(struct buf *to, const char *name, const char *type, const char *help,
		      const uint64_t values[BOOK_TARGETS + 1])
{
	head(to, name, type, help);
	for (unsigned t = 0; t < BOOK_TARGETS; t++)
		buf_appendf(to, "mailferry_%s{target=\"%s\"} %" PRIu64 "\n", name, targets[t], values[t]);
	if (values[BOOK_NOWHERE])
		buf_appendf(to, "mailferry_%s{target=\"none\"} %" PRIu64 "\n", name, values[BOOK_NOWHERE]);
}

static void by_word(struct buf *to, const char *name, const char *label, bool with_target, const char *help,
		    const struct metrics_words *words)
{
	head(to, name, "counter", help);
	for (size_t i = 0; i < words->n; i++)
		for (unsigned t = 0; t <= BOOK_TARGETS; t++) {
			if (words->at[i].n[t] == 0)
				continue;
			buf_appendf(to, "mailferry_%s{", name);
			if (with_target)
				buf_appendf(to, "target=\"%s\",", targets[t]);
			buf_appendf(to, "%s=\"", label);
			put_label(to, words->at[i].name);
			buf_appendf(to, "\"} %" PRIu64 "\n", words->at[i].n[t]);
		}
}

/* labels: "" or ending in a comma. */
static void put_histogram(struct buf *to, const char *name, const char *labels, const struct metrics_histogram *h,
			  const int64_t *bounds)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; bounds[i]; i++) {
		sum += h->counts[i];
		buf_appendf(to, "mailferry_%s_bucket{%sle=\"%g\"} %" PRIu64 "\n", name, labels, (double)bounds[i] / SECOND, sum);
	}
	sum += h->counts[METRICS_BOUNDS];
	buf_appendf(to, "mailferry_%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, sum);
	buf_appendf(to, "mailferry_%s_sum%s%.*s%s ", name, labels[0] ? "{" : "", labels[0] ? (int)strlen(labels) - 1 : 0, labels,
		    labels[0] ? "}" : "");
	put_seconds(to, h->sum_us);
	buf_appendf(to, "mailferry_%s_count%s%.*s%s %" PRIu64 "\n", name, labels[0] ? "{" : "",
		    labels[0] ? (int)strlen(labels) - 1 : 0, labels, labels[0] ? "}" : "", sum);
}

/* --- what was counted ------------------------------------------------------------------------ */

static void put_counts(struct buf *to, const struct metrics *m)
{
	one(to, "accepted_messages_total", "counter", "Messages answered 250, or about to be.", m->messages);
	one(to, "accepted_bytes_total", "counter", "Bytes of content of accepted messages and of notifications.", m->bytes);
	one(to, "accepted_recipients_total", "counter", "Recipients of accepted messages and of notifications.", m->recipients);
	one(to, "notifications_total", "counter", "Messages of our own to senders (RFC 3464).", m->notices);
	one(to, "copies_total", "counter", "Second deliveries opened under route both.", m->copies);
	one(to, "repeated_messages_total", "counter", "Messages that a sender brought again and that got the first one's queue id.",
	    m->suppressed);
	by_target(to, "attempts_total", "counter", "Attempts, a recipient each.", m->attempts);
	by_target(to, "delivered_total", "counter", "Recipients delivered.", m->delivered);
	by_target(to, "possible_duplicates_total", "counter", "Of these, after an attempt that nobody knows the end of.",
		  m->duplicates);
	by_word(to, "deferred_total", "cause", true, "Attempts that have to be made again, by cause.", &m->deferred);
	by_target(to, "refused_total", "counter", "Recipients that a platform refused for good.", m->refused);
	by_target(to, "doubts_total", "counter", "Attempts whose end nobody knew.", m->doubts);
	by_target(to, "returned_total", "counter", "Recipients given back to the sender (bounced).", m->returned);
	by_word(to, "held_total", "cause", true, "Recipients held, by cause.", &m->held);
	one(to, "released_total", "counter", "Recipients released.", m->released);
	one(to, "retried_total", "counter", "Recipients tried at once by an operator's order.", m->retried);
	by_word(to, "alarms_total", "kind", false, "What an operator should look at.", &m->alarms);
	one(to, "route_changes_total", "counter", "Changes of the table of routes.", m->route_changes);

	head(to, "answer_seconds", "histogram", "From the end of a message, at the keeper, to its 250: the journal's sync is in it.");
	put_histogram(to, "answer_seconds", "", &m->answer, metrics_answer_bounds);
	head(to, "delivery_seconds", "histogram", "From acceptance to delivery, a recipient each.");
	for (unsigned t = 0; t < BOOK_TARGETS; t++)
		put_histogram(to, "delivery_seconds", t == BOOK_OLD ? "target=\"old\"," : "target=\"new\",", &m->delivery[t],
			      metrics_delivery_bounds);
}

/* --- what is ----------------------------------------------------------------------------------- */

static void put_queue(struct buf *to, struct queue *queue, int64_t oldest_us)
{
	const struct book *book = queue_book(queue);
	struct book_cause_view view;

	head(to, "queue_recipients", "gauge", "Recipients that are not settled, by where they go and what they are up to.");
	for (unsigned t = 0; t <= BOOK_TARGETS; t++)
		for (unsigned f = JOURNAL_OPEN; f <= JOURNAL_HELD; f++)
			buf_appendf(to, "mailferry_queue_recipients{target=\"%s\",fate=\"%s\"} %" PRIu64 "\n", targets[t],
				    journal_fate_name(f), book_count(book, t, f));
	head(to, "queue_waiting", "gauge", "Of these, those that wait or are held for a cause.");
	for (size_t at = 0; book_next_cause(book, &at, &view);)
		for (unsigned t = 0; t <= BOOK_TARGETS; t++)
			for (unsigned f = JOURNAL_OPEN; f <= JOURNAL_HELD; f++) {
				if (view.legs[t][f] == 0)
					continue;
				buf_appendf(to, "mailferry_queue_waiting{target=\"%s\",fate=\"%s\",cause=\"", targets[t],
					    journal_fate_name(f));
				put_label(to, view.name);
				buf_appendf(to, "\"} %" PRIu64 "\n", view.legs[t][f]);
			}
	head(to, "queue_oldest_seconds", "gauge", "Age of the oldest message that is not settled; 0: there is none.");
	buf_append_str(to, "mailferry_queue_oldest_seconds ");
	put_seconds(to, oldest_us && oldest_us < run_wall() ? run_wall() - oldest_us : 0);
	one(to, "queue_recipients_in_memory", "gauge", "Unsettled recipients in memory; the others are in the index only.",
	    book_legs_in_memory(book));
	one(to, "route_epoch", "gauge", "Of the table of routes.", router_epoch(queue_router(queue)));
}

static void put_targets(struct buf *to, struct queue *queue)
{
	static const struct {
		const char *name, *help;
	} names[] = {
		{ "target_connections", "Connections that the platform's hosts are given now, as learned from their answers." },
		{ "target_jobs", "Transactions under way." },
		{ "target_waiting", "Recipients in memory that wait." },
		{ "target_dead_hosts", "Hosts that cannot be reached." },
		{ "target_paused_seconds", "How long nothing is begun, since the platform or an operator said so." },
	};
	struct schedule_view views[BOOK_TARGETS] = { { 0 } };
	int64_t now = run_now();

	for (unsigned t = 0; t < BOOK_TARGETS; t++)
		if (queue_target(queue, t))
			schedule_look(queue_target(queue, t), now, &views[t]);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		head(to, names[i].name, "gauge", names[i].help);
		for (unsigned t = 0; t < BOOK_TARGETS; t++) {
			const struct schedule_view *v = &views[t];
			int64_t pause = v->pause_until > now ? v->pause_until - now : 0;
			uint64_t values[ARRAY_SIZE(names)] = { v->connections, v->going, v->waiting, v->dead_hosts,
							       (uint64_t)(pause / SECOND) };

			if (queue_target(queue, t))
				buf_appendf(to, "mailferry_%s{target=\"%s\"} %" PRIu64 "\n", names[i].name, targets[t], values[i]);
		}
	}
}

static void put_journal(struct buf *to, const struct journal *journal)
{
	struct journal_stand s;

	journal_stand(journal, &s);
	one(to, "journal_records_total", "counter", "Records written to the journal.", s.records);
	one(to, "journal_bytes_total", "counter", "Bytes written to the journal.", s.bytes);
	head(to, "journal_commit_seconds", "summary", "Group commits: one write and one sync each.");
	buf_append_str(to, "mailferry_journal_commit_seconds_sum ");
	put_seconds(to, s.commit_us);
	put_u64(to, "journal_commit_seconds_count", s.batches);
	one(to, "journal_segments", "gauge", "Segments of the journal.", s.segments);
	one(to, "journal_retired_segments_total", "counter", "Segments given up after a write or a sync failed.", s.retired);
	one(to, "journal_free_bytes", "gauge", "Free space of its file system, at the last look.", s.free_bytes);
	one(to, "journal_low", "gauge", "1 while mail is deferred for want of room.", s.is_low);
}

static uint64_t edge_value(const struct edge_counts *c, unsigned i)
{
	const uint64_t values[] = { c->sessions, c->tls_sessions, c->connections, c->turned_away, c->recipients_refused };

	return values[i];
}

static void put_edges(struct buf *to, const struct keep *keep)
{
	static const struct {
		const char *name, *type, *help;
	} names[] = {
		{ "sessions", "gauge", "Clients connected." },
		{ "tls_sessions", "gauge", "Of these, with TLS." },
		{ "connections_total", "counter", "Clients that connected." },
		{ "turned_away_total", "counter", "Of these, turned away for a limit." },
		{ "edge_recipients_refused_total", "counter", "Recipients refused." },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		head(to, names[i].name, names[i].type, names[i].help);
		list_for_each(link, &keep->edges) {
			struct keep_edge_view view;

			keep_edge_look(list_entry(link, struct keep_edge, of_keep), &view);
			buf_appendf(to, "mailferry_%s{edge=\"%u\"} %" PRIu64 "\n", names[i].name, view.number,
				    edge_value(&view.counts, i));
		}
	}
}

static void put_keep(struct buf *to, const struct keep *keep)
{
	const struct keep_counts *c = &keep->counts;
	const struct {
		const char *why;
		uint64_t n;
	} refused[] = { { "unknown", c->unknown }, { "not ours", c->not_ours }, { "unsure", c->unsure }, { "low", c->low } };

	one(to, "recipients_asked_total", "counter", "Recipients that clients named.", c->asked);
	head(to, "recipients_refused_total", "counter", "Of these, refused or deferred, and why.");
	for (unsigned i = 0; i < ARRAY_SIZE(refused); i++)
		buf_appendf(to, "mailferry_recipients_refused_total{cause=\"%s\"} %" PRIu64 "\n", refused[i].why, refused[i].n);
	one(to, "messages_deferred_total", "counter", "Messages answered 452 for want of room.", c->deferred);
	one(to, "messages_failed_total", "counter", "Messages answered 451.", c->failed);
	one(to, "loops_total", "counter", "Messages held since they go round in circles.", c->looped);
	put_edges(to, keep);
}

static void put_delivery(struct buf *to, const struct deliver *deliver)
{
	struct deliver_view v;

	deliver_look(deliver, &v);
	one(to, "couriers", "gauge", "Processes that talk to the platforms.", v.couriers);
	one(to, "connections_reused_total", "counter", "Transactions on a connection that was there already.",
	    v.connections_reused);
	one(to, "doubts_found_total", "counter", "Doubts settled by finding the message in the mailbox.", v.doubts_found);
	one(to, "doubts_again_total", "counter", "Doubts settled by sending again.", v.doubts_again);
	one(to, "route_faults_total", "counter", "Recipients held since a platform refused them soon after their route changed.",
	    v.route_faults);
}

static void put_events(struct buf *to, const struct events *events)
{
	struct events_view v;

	events_look(events, &v);
	one(to, "events_written_total", "counter", "Lines written to the log of events.", v.written);
	one(to, "events_dropped_total", "counter", "Lines that are not in it: it could not be written, or too slowly.", v.dropped);
}

int metrics_write(struct keeper *k, struct buf *to, struct fault *fault)
{
	int64_t oldest_us = 0;

	if (k->queue && queue_oldest(k->queue, &oldest_us, fault) < 0)
		return -1;
	head(to, "build_info", "gauge", "The version.");
	buf_append_str(to, "mailferry_build_info{version=\"" MAILFERRY_VERSION "\"} 1\n");
	head(to, "start_time_seconds", "gauge", "When this process began, since 1970.");
	buf_append_str(to, "mailferry_start_time_seconds ");
	put_seconds(to, k->metrics->started_us);
	put_counts(to, k->metrics);
	if (k->queue) {
		put_queue(to, k->queue, oldest_us);
		put_targets(to, k->queue);
		put_journal(to, queue_journal(k->queue));
	}
	if (k->events)
		put_events(to, k->events);
	if (k->keep)
		put_keep(to, k->keep);
	if (k->deliver)
		put_delivery(to, k->deliver);
	return 0;
}
