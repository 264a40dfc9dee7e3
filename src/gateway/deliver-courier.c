/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's end of a courier's link: what it is told, and what it may say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/deliver-inside.h"

#define PROBE_EVERY (10 * MINUTE)

struct deliver_peer *deliver_choose(struct deliver *d)
{
	struct deliver_peer *best = NULL;

	list_for_each(link, &d->couriers) {
		struct deliver_peer *peer = list_entry(link, struct deliver_peer, of_deliver);

		if (peer->is_ready && !peer->is_over && !peer->is_retired && peer->config == d->settings.config &&
		    (!best || peer->n_jobs < best->n_jobs))
			best = peer;
	}
	return best;
}

/* --- SETUP ----------------------------------------------------------------------------------- */

static void put_target(const struct config *config, const struct config_platform *platform, struct arena *arena,
		       struct courier_target *to)
{
	const struct config_smtp *smtp = &platform->smtp;

	*to = (struct courier_target){
		.name = bytes_of(platform->name), .tls = (uint64_t)smtp->tls, .pin = bytes_of(smtp->pin),
		.client = (uint64_t)smtp->client, .messages_a_connection = smtp->messages_a_connection,
		.ca_file = bytes_of(platform->ca_file ? platform->ca_file : config->ca_file),
		.hosts = arena_alloc(arena, (smtp->hosts.n + 1) * sizeof(struct courier_host)),
		.n_hosts = smtp->text ? smtp->hosts.n : 0,
	};
	for (size_t i = 0; i < to->n_hosts; i++)
		to->hosts[i] = (struct courier_host){ smtp->hosts.p[i].scheme,
						      bytes_of(smtp->hosts.p[i].host), smtp->hosts.p[i].port };
}

static void put_setup(struct deliver_peer *peer, const struct config *config)
{
	const struct deliver_settings *s = &peer->deliver->settings;
	struct courier_target targets[BOOK_TARGETS];
	struct courier_setup setup = {
		.helo = bytes_of(config->gateway.hostname), .sandbox = s->sandbox,
		.timeout_us = (uint64_t)s->courier_timeout_us, .targets = targets, .n_targets = BOOK_TARGETS,
	};

	put_target(config, &config->old, &peer->arena, &targets[BOOK_OLD]);
	put_target(config, &config->new, &peer->arena, &targets[BOOK_NEW]);
	for (unsigned t = 0; t < BOOK_TARGETS; t++)
		peer->hosts[t] = (unsigned)targets[t].n_hosts;
	courier_put_order(peer->link, ORDER_SETUP, 0, &setup);
	arena_reset(&peer->arena);
}

/* --- what it says ---------------------------------------------------------------------------- */

static int decode(struct deliver_peer *peer, const struct link_frame *frame, void *to, struct fault *fault)
{
	arena_reset(&peer->arena);
	return fields_decode(courier_report_table(frame->type), frame->payload, &peer->arena, to, fault);
}

static int take_taken(struct deliver_peer *peer, struct deliver_job *job, const struct link_frame *frame,
		      struct fault *fault)
{
	struct courier_taken taken;

	if (decode(peer, frame, &taken, fault) < 0)
		return -1;
	if (taken.bytes > job->sent - job->taken)
		return fault_protocol(fault, "a courier took more than it got");
	job->taken += taken.bytes;
	return 0;
}

static int take_ask(struct deliver_peer *peer, struct deliver_job *job, const struct link_frame *frame,
		    struct fault *fault)
{
	struct courier_ask ask;

	if (decode(peer, frame, &ask, fault) < 0)
		return -1;
	if (job->has_asked || ask.n_recipients == 0 || job->sent < job->size)
		return fault_protocol(fault, "a courier asked out of turn");
	for (size_t i = 0; i < ask.n_recipients; i++) {
		if (ask.recipients[i] >= job->n || job->said[ask.recipients[i]].was_asked)
			return fault_protocol(fault, "a courier asked about nobody");
		job->said[ask.recipients[i]].was_asked = true;
	}
	job->has_asked = job->is_asking = true;
	return 0;
}

/* What gets into records, alarms and notifications. */
static bool is_line(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
			return false;
	return true;
}

static bool is_code(uint64_t code)
{
	return code == 0 || (code >= 200 && code <= 599);
}

/* "5.1.1", or nothing. */
static bool is_status(struct bytes text)
{
	struct bytes rest = text;
	uint64_t number;

	if (text.n == 0)
		return true;
	if (!strchr("245", text.p[0]) || text.n < 5 || text.p[1] != '.')
		return false;
	rest = bytes_skip(rest, 2);
	return bytes_to_u64(bytes_cut(&rest, '.'), 999, &number) == 0 && bytes_to_u64(rest, 999, &number) == 0;
}

static bool is_result(const struct courier_result *r)
{
	return r->end <= COURIER_STOPPED && is_code(r->code) && is_line(r->tls) && is_line(r->text);
}

/* A courier cannot have delivered what it was not allowed to. */
static bool can_be(const struct deliver_job *job, const struct courier_outcome *o)
{
	if (o->recipient >= job->n || job->said[o->recipient].is_known || o->outcome > SMTP_DOUBT)
		return false;
	if (o->stage > SMTP_AT_END || o->about >= SMTP_ABOUTS || !is_code(o->code) || !is_status(o->enhanced) ||
	    !is_line(o->text) || !is_line(o->remote_id))
		return false;
	if (o->outcome == SMTP_ACCEPTED || o->outcome == SMTP_DOUBT)
		return job->said[o->recipient].was_asked && !job->is_asking;
	return true;
}

static int take_result(struct deliver_peer *peer, struct deliver_job *job, const struct link_frame *frame,
		       struct fault *fault)
{
	struct courier_result result;

	if (decode(peer, frame, &result, fault) < 0)
		return -1;
	if (!is_result(&result))
		return fault_protocol(fault, "a courier told of an end that cannot be");
	for (size_t i = 0; i < result.n_outcomes; i++) {
		struct courier_outcome *o = &result.outcomes[i];
		struct deliver_said *said;

		if (!can_be(job, o))
			return fault_protocol(fault, "a courier told of an outcome that cannot be");
		said = &job->said[o->recipient];
		said->is_known = true;
		said->outcome = *o;
		said->outcome.enhanced = arena_copy(&job->arena, bytes_head(o->enhanced, 16));
		said->outcome.text = arena_copy(&job->arena, bytes_head(o->text, COURIER_TEXT));
		said->outcome.remote_id = arena_copy(&job->arena, bytes_head(o->remote_id, COURIER_TEXT));
	}
	if (!result.last)
		return 0;

	job->result = result;
	job->result.outcomes = NULL;
	job->result.tls = arena_copy(&job->arena, bytes_head(result.tls, 96));
	job->result.text = arena_copy(&job->arena, bytes_head(result.text, COURIER_TEXT));
	job->is_over = true;
	map_remove(&peer->by_id, (struct bytes){ (const char *)&job->id, sizeof(job->id) });
	return 0;
}

static int take_offers(struct deliver_peer *peer, const struct link_frame *frame, struct fault *fault)
{
	const struct deliver_settings *s = &peer->deliver->settings;
	struct courier_offers said;

	if (decode(peer, frame, &said, fault) < 0)
		return -1;
	if (said.target >= BOOK_TARGETS)
		return fault_protocol(fault, "a courier told of a host that there is not");
	/* One of an older configuration may have had more hosts. */
	if (s->offers && peer->config == s->config &&
	    said.host < deliver_smtp(peer->deliver, (unsigned)said.target)->hosts.n)
		s->offers(s->arg, (unsigned)said.target, (unsigned)said.host, (unsigned)said.offers, said.size);
	return 0;
}

/* Hosts are asked what they offer, mail or none. */
SUSPENDS static int probe_all(void *arg, struct fault *fault)
{
	struct deliver_peer *peer = arg;

	while (!peer->is_retired) {
		/* Of a courier that is only made ready nobody wants to know yet. */
		bool in_force = peer->config == peer->deliver->settings.config;

		for (unsigned t = 0; t < BOOK_TARGETS && in_force; t++)
			for (size_t h = 0; h < deliver_smtp(peer->deliver, t)->hosts.n; h++) {
				struct courier_offers of = { .target = t, .host = h };

				courier_put_order(peer->link, ORDER_PROBE, 0, &of);
			}
		if (run_sleep(in_force ? PROBE_EVERY : SECOND, fault) < 0)
			return -1;
	}
	return 0;
}

static int hear(struct deliver_peer *peer, const struct link_frame *frame, struct fault *fault)
{
	struct deliver_job *job;
	int r;

	if (frame->type == REPORT_OFFERS)
		return take_offers(peer, frame, fault);

	if (frame->type == REPORT_READY) {
		if (!peer->is_ready && peer->ready)
			peer->ready(peer->arg);
		peer->is_ready = true;
		waiters_wake_all(queue_work(peer->deliver->settings.queue));
		return 0;
	}
	job = map_get(&peer->by_id, (struct bytes){ (const char *)&frame->id, sizeof(frame->id) });
	if (!job)
		return 0; /* given up meanwhile */
	switch (frame->type) {
	case REPORT_TAKEN:
		r = take_taken(peer, job, frame, fault);
		break;
	case REPORT_ASK:
		r = take_ask(peer, job, frame, fault);
		break;
	default:
		r = take_result(peer, job, frame, fault);
		break;
	}
	if (r == 0)
		waiters_wake_all(&job->news);
	return r;
}

/* --- its life -------------------------------------------------------------------------------- */

static void lose_jobs(struct deliver_peer *peer)
{
	list_for_each_safe(link, &peer->jobs) {
		struct deliver_job *job = list_entry(link, struct deliver_job, of_peer);

		list_remove(link);
		job->peer = NULL;
		if (job->is_over)
			continue;
		job->is_over = true;
		job->result.end = COURIER_LOST;
		job->result.text = BYTES("the courier ended in the middle");
		waiters_wake_all(&job->news);
	}
}

SUSPENDS static int hear_all(void *arg, struct fault *fault)
{
	struct deliver_peer *peer = arg;
	struct link_frame frame;
	int r;

	while ((r = link_next(peer->link, &frame, fault)) > 0)
		if (hear(peer, &frame, fault) < 0) {
			r = -1;
			break;
		}
	if (peer->is_over) /* it was let go */
		return 0;
	if (r == 0)
		r = fault_transport(fault, "the courier ended unasked");
	peer->result = r;
	peer->fault = *fault;
	peer->is_over = true;
	waiters_wake_all(&peer->changed);
	return 0;
}

/* It is needed no more: nobody has a job for it. */
static bool may_go(const struct deliver_peer *peer)
{
	const struct deliver *d = peer->deliver;

	return peer->n_jobs == 0 && (d->is_stopping || peer->is_retired);
}

SUSPENDS int deliver_courier(struct deliver *d, const struct config *config, struct stream *stream, void (*ready)(void *arg),
			     void *arg, struct fault *fault)
{
	struct deliver_peer peer = { .deliver = d, .link = link_new(stream, REPORT_REPORTS), .config = config,
				     .ready = ready, .arg = arg };
	struct nursery nursery;
	uint64_t seed;
	int r = 0;

	run_random(&seed, sizeof(seed));
	map_init(&peer.by_id, seed);
	waiters_init(&peer.changed);
	list_init(&peer.jobs);
	list_append(&d->couriers, &peer.of_deliver);
	put_setup(&peer, config);
	nursery_init(&nursery, "courier");
	nursery_start(&nursery, hear_all, &peer, "what a courier says");
	if (d->settings.offers)
		nursery_start(&nursery, probe_all, &peer, "what hosts offer");
	while (!peer.is_over && !may_go(&peer) && r == 0)
		r = waiters_wait(&peer.changed, "a courier", fault);

	peer.is_over = true;
	nursery_done(&nursery);
	list_remove(&peer.of_deliver);
	lose_jobs(&peer);
	link_free(peer.link);
	map_done(&peer.by_id);
	arena_done(&peer.arena);
	waiters_wake_all(queue_work(d->settings.queue));
	if (r == 0 && peer.result < 0) {
		*fault = peer.fault;
		r = -1;
	}
	return r;
}
