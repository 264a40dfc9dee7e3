/* SPDX-License-Identifier: Apache-2.0 */
/* What operators may ask, and how it is answered. */
#include <string.h>

#include "gateway/control-inside.h"
#include "gateway/recipients.h"

enum { PAGE = 500, WORD_MAX = 512 };

/* --- routes ---------------------------------------------------------------------------------- */

/* The key of an address or of a domain's default. FAULT_USAGE: it is none. */
static int read_key(struct bytes text, struct arena *arena, struct bytes *ret, struct fault *fault)
{
	struct bytes key = arena_copy(arena, text);
	bool is_domain = text.n > 1 && text.p[0] == '@';

	if (is_domain && text.n <= ROUTER_MAX_KEY) {
		for (size_t i = 0; i < key.n; i++)
			((char *)(uintptr_t)key.p)[i] = ascii_lower(key.p[i]);
		*ret = key;
		return 0;
	}
	if (!is_domain && recipient_key(text, arena, ret))
		return 0;
	return fault_usage(fault, "\"%.*s\" is no address", BYTES_ARG(bytes_head(text, 200)));
}

static uint64_t route_number(enum route route)
{
	return route == ROUTE_UNKNOWN ? JOURNAL_ROUTE_UNKNOWN : (uint64_t)route;
}

SUSPENDS static int show_entry(struct control_session *s, const struct router_entry *entry, struct fault *fault)
{
	struct control_route route = { .name = entry->key, .key = entry->key, .target = entry->target,
				       .route = entry->target.n ? 0 : route_number(entry->route), .changed_s = entry->changed_s,
				       .match = entry->key.p[0] == '@' ? ROUTER_DOMAIN : ROUTER_ADDRESS };

	if (entry->target.n)
		route.match = ROUTER_ALIAS;
	return control_say(s, CONTROL_ROUTE, &control_route_table, &route, fault);
}

SUSPENDS static int show_name(struct control_session *s, const struct router *router, struct bytes name, struct fault *fault)
{
	struct control_route route = { .name = name };
	struct router_answer answer;
	struct router_entry entry;
	struct bytes key;

	if (read_key(name, &s->arena, &key, fault) < 0)
		return -1;
	if (key.p[0] == '@') {
		if (router_get(router, key, &entry))
			return show_entry(s, &entry, fault);
		return control_say(s, CONTROL_ROUTE, &control_route_table, &route, fault);
	}
	answer = router_find(router, key);
	route.key = answer.key;
	route.match = answer.match;
	route.changed_s = answer.changed_s;
	route.route = answer.match == ROUTER_NOT_OURS ? 0 : route_number(answer.route);
	if (router_get(router, key, &entry))
		route.target = entry.target;
	return control_say(s, CONTROL_ROUTE, &control_route_table, &route, fault);
}

SUSPENDS static int route_show(struct control_session *s, struct control_end *ret, struct fault *fault)
{
	_cleanup_(router_freep) struct router *router = router_use(queue_router(s->k->queue));
	struct router_entry entry;
	size_t at[3] = { 0 };

	ret->epoch = router_epoch(router);
	for (size_t i = 0; i < s->ask.n_names; i++, ret->n++)
		if (show_name(s, router, s->ask.names[i].text, fault) < 0)
			return -1;
	while (s->ask.n_names == 0 && router_next(router, at, &entry)) {
		if (show_entry(s, &entry, fault) < 0)
			return -1;
		ret->n++;
	}
	return 0;
}

/* It must be one of ours: routes of others would take their mail. */
static int check_domain(const struct router *router, struct bytes key, struct fault *fault)
{
	struct bytes domain = bytes_skip(key, (size_t)((const char *)memrchr(key.p, '@', key.n) - key.p));
	struct router_entry entry;

	if (router_get(router, domain, &entry))
		return 0;
	return fault_usage(fault, "\"%.*s\" is of none of the gateway's domains", BYTES_ARG(bytes_head(key, 200)));
}

SUSPENDS static int set_routes(struct control_session *s, struct control_end *ret, struct fault *fault)
{
	const struct router *router = queue_router(s->k->queue);
	struct journal_routes routes = { .epoch = UINT64_MAX, .operator = s->ask.operator, .reason = s->ask.reason };

	routes.entries = arena_alloc(&s->arena, s->ask.n_names * sizeof(*routes.entries));
	for (size_t i = 0; i < s->ask.n_names; i++) {
		struct journal_route_entry *e = &routes.entries[i];

		e->route = s->ask.route;
		if (read_key(s->ask.names[i].text, &s->arena, &e->address, fault) < 0 ||
		    check_domain(router, e->address, fault) < 0)
			return -1;
	}
	routes.n_entries = s->ask.n_names;
	buf_reset(&s->scratch);
	fields_encode(journal_table(JOURNAL_ROUTES), &routes, &s->scratch);
	if (s->scratch.n > JOURNAL_PAYLOAD_MAX)
		return fault_usage(fault, "%zu addresses are too many for one change (some 25,000 are not): make several",
				   s->ask.n_names);
	if (queue_change_routes(s->k->queue, &routes, fault) < 0)
		return -1;
	ret->n = routes.n_entries;
	ret->epoch = routes.epoch;
	return 0;
}

SUSPENDS static int route_set(struct control_session *s, struct control_end *ret, struct fault *fault)
{
	int r;

	if (s->ask.n_names == 0)
		return fault_usage(fault, "no address was named");
	if (s->ask.route < JOURNAL_ROUTE_OLD || s->ask.route > JOURNAL_ROUTE_HOLD)
		return fault_usage(fault, "that is no route");
	if (keeper_take_routes(s->k, fault) < 0)
		return -1;
	r = set_routes(s, ret, fault);
	keeper_give_routes(s->k);
	return r;
}

/* --- the queue ------------------------------------------------------------------------------- */

/* What a name and the other words of the question choose. */
static int make_filter(struct control_session *s, struct bytes name, struct queue_filter *ret, struct fault *fault)
{
	*ret = (struct queue_filter){ .fate = (enum journal_fate)s->ask.fate, .target = (int)s->ask.target - 1,
				      .cause = s->ask.cause };
	if (name.n == 0)
		return 0;
	if (queue_id_read(name, journal_id(queue_journal(s->k->queue)), &ret->message) == 0)
		return 0;
	if (bytes_find_char(name, '@') < 0)
		return fault_usage(fault, "\"%.*s\" is no queue id of this gateway, and no address",
				   BYTES_ARG(bytes_head(name, 200)));
	return read_key(name, &s->arena, &ret->key, fault);
}

static void leg_of_row(const struct queue_row *row, const char *queue_id, struct control_leg *to)
{
	*to = (struct control_leg){
		.queue_id = bytes_of(queue_id), .key = row->key, .cause = row->cause, .recipient = row->leg.recipient,
		.copy = row->leg.copy, .fate = row->fate, .target = row->target, .size = row->size, .attempt = row->attempt,
		.attempts = row->attempts, .code = row->code, .flagged = row->is_flagged, .accepted_us = row->accepted_us,
		.since_us = row->since_us, .due_us = row->due_us };
}

SUSPENDS static int list_some(struct control_session *s, const struct queue_filter *filter, uint64_t limit,
			      struct control_end *ret, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct journal_leg after = { 0 };
	size_t n = PAGE;

	while (n == PAGE && ret->n < limit) {
		struct queue_row *rows;

		arena_reset(&arena);
		if (queue_list(s->k->queue, filter, &after, PAGE, &arena, &rows, &n, fault) < 0)
			return -1;
		for (size_t i = 0; i < n && ret->n < limit; i++, ret->n++) {
			char id[QUEUE_ID_SIZE];
			struct control_leg leg;

			queue_id_write(id, journal_id(queue_journal(s->k->queue)), rows[i].leg.message);
			leg_of_row(&rows[i], id, &leg);
			if (control_say(s, CONTROL_LEG, &control_leg_table, &leg, fault) < 0)
				return -1;
		}
		if (n > 0)
			after = rows[n - 1].leg;
	}
	return 0;
}

SUSPENDS static int list_asked(struct control_session *s, const struct queue_filter *filter, struct control_end *ret,
			       struct fault *fault)
{
	return list_some(s, filter, s->ask.limit ? s->ask.limit : UINT64_MAX, ret, fault);
}

/* Every filter that the question means. */
SUSPENDS static int for_filters(struct control_session *s, struct control_end *ret,
				int (*fn)(struct control_session *s, const struct queue_filter *filter, struct control_end *ret,
					  struct fault *fault),
				struct fault *fault)
{
	struct queue_filter filter;

	/* All must be good before anything is done. */
	for (size_t i = 0; i < s->ask.n_names; i++)
		if (make_filter(s, s->ask.names[i].text, &filter, fault) < 0)
			return -1;
	for (size_t i = 0; i < s->ask.n_names || (i == 0 && s->ask.n_names == 0); i++)
		if (make_filter(s, s->ask.n_names ? s->ask.names[i].text : BYTES_NULL, &filter, fault) < 0 ||
		    fn(s, &filter, ret, fault) < 0)
			return -1;
	return 0;
}

SUSPENDS static int order_some(struct control_session *s, const struct queue_filter *filter, struct control_end *ret,
			       struct fault *fault)
{
	const char *operator = arena_str(&s->arena, s->ask.operator), *reason = arena_str(&s->arena, s->ask.reason);
	uint64_t n = 0;

	if (queue_order(s->k->queue, (enum queue_order)(s->ask.order - 1), filter, operator, reason, &n, fault) < 0)
		return -1;
	ret->n += n;
	return 0;
}

SUSPENDS static int count_queue(struct control_session *s, struct control_end *ret, struct fault *fault)
{
	const struct book *book = queue_book(s->k->queue);
	struct book_cause_view view;
	uint64_t with_cause[BOOK_TARGETS + 1][JOURNAL_FATES] = { { 0 } };

	/* All of one moment: put without waiting between. */
	for (size_t at = 0; book_next_cause(book, &at, &view);)
		for (unsigned t = 0; t <= BOOK_TARGETS; t++)
			for (unsigned f = 0; f < JOURNAL_FATES; f++) {
				struct control_count count = { bytes_of(view.name), t, f, view.legs[t][f] };

				with_cause[t][f] += count.legs;
				ret->n += count.legs;
				if (count.legs)
					control_put(s->link, CONTROL_COUNT, CONTROL_SAY_PART, &control_count_table, &count, &s->scratch);
			}
	for (unsigned t = 0; t <= BOOK_TARGETS; t++)
		for (unsigned f = JOURNAL_OPEN; f <= JOURNAL_HELD; f++) {
			struct control_count count = { BYTES_NULL, t, f, book_count(book, t, f) - with_cause[t][f] };

			ret->n += count.legs;
			if (count.legs)
				control_put(s->link, CONTROL_COUNT, CONTROL_SAY_PART, &control_count_table, &count, &s->scratch);
		}
	return link_wait_room(s->link, fault);
}

/* --- traces ---------------------------------------------------------------------------------- */

SUSPENDS static int trace_one(struct control_session *s, uint64_t number, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(buf_done) struct buf record = BUF_NULL;
	struct queue_filter all_of_it = { .message = number, .target = -1 };
	struct control_message message = { .number = number };
	struct control_end ignored = { .n = 0 };
	struct queue_step *steps;
	char id[QUEUE_ID_SIZE];
	size_t n;

	if (queue_trace(s->k->queue, number, &arena, &steps, &n, fault) < 0)
		return -1;
	queue_id_write(id, journal_id(queue_journal(s->k->queue)), number);
	message.queue_id = bytes_of(id);
	if (control_say(s, CONTROL_MESSAGE, &control_message_table, &message, fault) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct control_step step = { .type = steps[i].type, .sequence = steps[i].place.sequence,
					     .segment = steps[i].place.segment, .offset = steps[i].place.offset,
					     .wall_us = steps[i].wall_us };

		buf_reset(&record);
		fields_encode(journal_table(steps[i].type), steps[i].record, &record);
		step.record = buf_bytes(&record);
		if (control_say(s, CONTROL_STEP, &control_step_table, &step, fault) < 0)
			return -1;
	}
	return list_some(s, &all_of_it, UINT64_MAX, &ignored, fault);
}

SUSPENDS static int trace(struct control_session *s, struct control_end *ret, struct fault *fault)
{
	size_t limit = s->ask.limit && s->ask.limit < CONTROL_TRACED ? (size_t)s->ask.limit : CONTROL_TRACED;

	for (size_t i = 0; i < s->ask.n_names; i++) {
		uint64_t *numbers, more;
		size_t n;

		if (queue_find(s->k->queue, s->ask.names[i].text, limit, &s->arena, &numbers, &n, &more, fault) < 0)
			return -1;
		ret->more += more;
		for (; n > 0; n--, ret->n++)
			if (trace_one(s, numbers[n - 1], fault) < 0)
				return -1;
	}
	return 0;
}

/* --- all ------------------------------------------------------------------------------------- */

static int check(const struct control_ask *ask, struct fault *fault)
{
	for (size_t i = 0; i < ask->n_names; i++)
		if (ask->names[i].text.n == 0 || ask->names[i].text.n > 1000)
			return fault_usage(fault, "a name is empty, or longer than 1,000 bytes");
	if (ask->target > BOOK_TARGETS + 1 || ask->fate >= JOURNAL_FATES || ask->order > QUEUE_RELEASE + 1 ||
	    ask->operator.n > WORD_MAX || ask->reason.n > WORD_MAX || ask->cause.n > WORD_MAX)
		return fault_usage(fault, "a question with a number that is too large, or a text that is too long");
	return 0;
}

/* Who it is by the kernel; and who he says he is, as behind sudo. */
static void name_operator(struct control_session *s)
{
	struct bytes claimed = s->ask.operator;

	s->ask.operator = bytes_of(s->user);
	if (claimed.n > 0 && !bytes_equal(claimed, s->ask.operator))
		s->ask.operator = bytes_of(arena_printf(&s->arena, "%s (%.*s)", s->user, BYTES_ARG(claimed)));
}

int control_answer(struct control_session *s, uint16_t type, struct control_end *ret, struct fault *fault)
{
	if (check(&s->ask, fault) < 0)
		return -1;
	name_operator(s);
	switch ((enum control_ask_type)type) {
	case CONTROL_ROUTE_SHOW:
		return route_show(s, ret, fault);
	case CONTROL_ROUTE_SET:
		return route_set(s, ret, fault);
	case CONTROL_QUEUE_LIST:
		return for_filters(s, ret, list_asked, fault);
	case CONTROL_QUEUE_COUNT:
		return count_queue(s, ret, fault);
	case CONTROL_QUEUE_ORDER:
		if (s->ask.order == 0)
			return fault_usage(fault, "no order was given");
		return for_filters(s, ret, order_some, fault);
	case CONTROL_TRACE:
		return trace(s, ret, fault);
	case CONTROL_ASK_PART:
		break;
	}
	return fault_usage(fault, "that is no question");
}
