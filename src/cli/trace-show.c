/* SPDX-License-Identifier: Apache-2.0 */
/* See trace-show.h. */
#include "cli/trace-show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/operate.h"
#include "gateway/book.h"
#include "gateway/index.h"
#include "gateway/tell.h"

/* --- legs ------------------------------------------------------------------------------------ */

/* NULL: no message has so many recipients. */
static struct trace_leg *leg_of(struct trace *t, const struct journal_leg *name)
{
	uint32_t slot;

	if (name->recipient >= FIELD_ELEMENTS_MAX || name->copy > 1)
		return NULL;
	slot = index_slot(name->recipient, name->copy);
	if (slot >= t->n_legs) {
		size_t n = slot + 1u;

		t->legs = xgrow(t->legs, &t->legs_size, n, sizeof(*t->legs));
		memset(t->legs + t->n_legs, 0, (n - t->n_legs) * sizeof(*t->legs));
		t->n_legs = n;
	}
	return &t->legs[slot];
}

static struct bytes address_of(const struct trace *t, uint64_t recipient)
{
	if (t->accept && recipient < t->accept->n_recipients)
		return t->accept->recipients[recipient].address;
	return BYTES_NULL;
}

static bool is_shown(struct trace *t, uint64_t recipient)
{
	return !t->only_some || bytes_equal(book_key(address_of(t, recipient), &t->arena), t->key);
}

static void accepted(struct trace *t, const struct journal_accept *accept, int64_t wall_us)
{
	t->accept = accept;
	t->key = book_key(t->name, &t->arena);
	for (size_t i = 0; i < accept->n_recipients; i++) {
		struct trace_leg *leg = leg_of(t, &(struct journal_leg){ accept->message, i, 0 });

		if (leg)
			*leg = (struct trace_leg){ .is_there = true, .fate = JOURNAL_OPEN, .since_us = wall_us };
		if (bytes_equal(book_key(accept->recipients[i].address, &t->arena), t->key))
			t->only_some = true;
	}
	if (accept->reverse_path.n && bytes_equal(book_key(accept->reverse_path, &t->arena), t->key))
		t->only_some = false;
}

static void follow_outcome(struct trace_leg *leg, const struct tell *tell)
{
	const struct journal_outcome *o = tell->outcome;

	leg->fate = o->fate;
	leg->code = o->code;
	leg->attempts = o->attempts;
	leg->cause = o->reason;
	leg->due_us = o->fate == JOURNAL_OPEN ? o->next_us : 0;
	leg->text = o->text.n ? o->text : tell->result->how;
	leg->is_flagged = o->flagged;
	if (tell->result->host.n)
		leg->host = tell->result->host;
}

static void follow_order(struct trace_leg *leg, const struct tell *tell)
{
	const struct journal_order *order = tell->order;

	leg->cause = BYTES_NULL;
	switch (tell->what) {
	case TELL_HELD:
		leg->fate = JOURNAL_HELD;
		leg->cause = bytes_starts(order->operator, BYTES("rule:")) ? bytes_skip(order->operator, 5) : BYTES("operator");
		leg->text = order->reason;
		break;
	case TELL_RETURNED:
		leg->fate = JOURNAL_IS_RETURNED;
		break;
	default:
		leg->fate = JOURNAL_OPEN;
		leg->due_us = order->next_us;
		break;
	}
}

/* What the leg is after this. */
static void follow(struct trace *t, struct trace_leg *leg, const struct tell *tell)
{
	leg->is_there = true;
	leg->since_us = t->step->wall_us;
	if (tell->outcome)
		follow_outcome(leg, tell);
	if (tell->order)
		follow_order(leg, tell);
	if (tell->opened)
		leg->fate = JOURNAL_OPEN;
	if (tell->what == TELL_ATTEMPT) {
		leg->fate = JOURNAL_ATTEMPTING;
		leg->target = tell->attempt->target;
		leg->host = tell->attempt->host;
		leg->epoch = tell->attempt->epoch;
		leg->attempt = tell->attempt->attempt;
	}
}

/* --- lines ----------------------------------------------------------------------------------- */

static void text(const char *before, struct bytes value, const char *after)
{
	if (value.n == 0)
		return;
	fputs(before, stdout);
	operate_text(bytes_head(value, TELL_TEXT));
	fputs(after, stdout);
}

static void show_accept(const struct trace *t, const struct journal_accept *a)
{
	if (a->dsn_for) {
		char id[QUEUE_ID_SIZE];

		queue_id_write(id, t->journal_id, a->dsn_for);
		printf("made here, about %s", id);
	} else {
		fputs("from <", stdout);
		operate_text(a->reverse_path);
		text("> by ", a->peer, "");
		text(" (", a->helo, ")");
		text(", ", a->protocol, "");
		text(", ", a->tls_version, "");
		text(" ", a->tls_cipher, "");
		text(", told by ", a->front, "");
	}
	if (t->only_some)
		text(", for ", t->key, "");
	else if (a->n_recipients == 1)
		text(", for ", a->recipients[0].address, "");
	if (a->n_recipients > 1)
		printf("%s%zu recipients", t->only_some ? ", one of " : ", for ", a->n_recipients);
	printf(", epoch %" PRIu64, a->epoch);
}

static void show_result(const struct tell *tell)
{
	const struct journal_outcome *o = tell->outcome;
	char when[TELL_TIME_SIZE];

	text(": ", o->reason, "");
	if (o->code)
		printf(": %" PRIu64, o->code);
	if (!bytes_starts(o->text, o->enhanced)) /* most servers' texts begin with it */
		text(" ", o->enhanced, "");
	text(o->code ? " " : ": ", o->text, "");
	if (o->text.n == 0 || (tell->what == TELL_DELIVERED && !o->code))
		text(": ", tell->result->how, "");
	text(", remote id ", o->remote_id, "");
	text(", in ", o->folder, "");
	if (o->uid)
		printf(" UID %" PRIu64, o->uid);
	text(", ", tell->result->tls_version, "");
	text(" ", tell->result->tls_cipher, "");
	if (o->fate == JOURNAL_OPEN && o->next_us && tell->what == TELL_DEFERRED)
		printf("; again %s", tell_time(when, o->next_us, false));
	if (o->flagged)
		fputs("; the next one may be a duplicate", stdout);
}

static void show_order(const struct trace *t, const struct tell *tell)
{
	const struct journal_order *order = tell->order;
	char id[QUEUE_ID_SIZE];

	if (bytes_starts(order->operator, BYTES("rule:")))
		text(": ", bytes_skip(order->operator, 5), "");
	else if (!bytes_equal(order->operator, BYTES("gateway")))
		text(" by ", order->operator, "");
	text(": ", order->reason, "");
	if (!order->dsn)
		return;
	queue_id_write(id, t->journal_id, order->dsn);
	printf(", its sender is told by %s", id);
}

static void show_words(const struct trace *t, const struct tell *tell)
{
	if (tell->has_leg) {
		struct bytes address = address_of(t, tell->leg.recipient);

		if (address.n)
			operate_text(address);
		else
			printf("recipient %" PRIu64, tell->leg.recipient);
		if (tell->leg.copy)
			fputs(" (copy)", stdout);
	}
	switch (tell->what) {
	case TELL_ACCEPTED:
		show_accept(t, tell->accept);
		break;
	case TELL_SUPPRESSED:
		text("its sender came again, from ", tell->suppressed->peer, "");
		text(" (", tell->suppressed->helo, ")");
		break;
	case TELL_COPIED:
		printf(": both sides get it, epoch %" PRIu64, tell->opened->epoch);
		break;
	case TELL_ROUTED:
		text(" to ", tell->attempt->target, "");
		printf(", epoch %" PRIu64, tell->attempt->epoch);
		break;
	case TELL_ATTEMPT:
		text(" at ", tell->attempt->host, "");
		printf(", attempt %" PRIu64, tell->attempt->attempt);
		break;
	case TELL_INTENT:
		fputs(": the server takes the recipient, the message follows", stdout);
		break;
	default:
		break;
	}
	if (tell->outcome)
		show_result(tell);
	if (tell->order)
		show_order(t, tell);
}

static void show(struct trace *t, const struct tell *tell)
{
	char when[TELL_TIME_SIZE];

	if (t->json) {
		struct tell_frame frame = { .journal_id = t->journal_id, .wall_us = t->step->wall_us, .sequence = t->step->sequence };
		struct trace_leg *leg = tell->has_leg ? leg_of(t, &tell->leg) : NULL;

		frame.address = address_of(t, tell->leg.recipient);
		frame.target = leg && leg->target.n ? arena_str(&t->arena, leg->target) : NULL;
		operate_print(tell_json(tell, &frame));
		return;
	}
	printf("  %s  %-10s ", tell_time(when, t->step->wall_us, true), tell_name(tell->what));
	show_words(t, tell);
	putchar('\n');
}

/* --- where they are -------------------------------------------------------------------------- */

static void now_json(const struct trace *t, uint32_t slot, const struct trace_leg *leg)
{
	json_t *object = json_pack("{s:s, s:s, s:I, s:b, s:s, s:I, s:I, s:b}", "event", "now", "queue_id", t->queue_id,
				   "recipient", (json_int_t)(slot / 2), "copy", (int)(slot & 1), "fate",
				   journal_fate_name((unsigned)leg->fate), "attempts", (json_int_t)leg->attempts, "code",
				   (json_int_t)leg->code, "possible_duplicate", (int)leg->is_flagged);

	tell_put(object, "address", address_of(t, slot / 2), TELL_TEXT);
	tell_put(object, "target", leg->target, TELL_TEXT);
	tell_put(object, "host", leg->host, TELL_TEXT);
	tell_put(object, "cause", leg->cause, TELL_TEXT);
	tell_put(object, "text", leg->text, TELL_TEXT);
	operate_put_time(object, "since", leg->since_us);
	operate_put_time(object, "due", leg->due_us);
	operate_print(object);
}

static void now_line(const struct trace *t, uint32_t slot, const struct trace_leg *leg)
{
	char when[TELL_TIME_SIZE];

	printf("  now  ");
	operate_text(address_of(t, slot / 2));
	fputs(slot & 1 ? " (copy)" : "", stdout);
	switch (leg->fate) {
	case JOURNAL_OPEN:
		fputs(": waits", stdout);
		text(" for ", leg->target, "");
		if (leg->due_us)
			printf(", not before %s", tell_time(when, leg->due_us, false));
		break;
	case JOURNAL_ATTEMPTING:
		fputs(t->is_offline ? ": was being delivered when the gateway stopped, which will see to that when it starts"
				    : ": is being delivered", stdout);
		break;
	case JOURNAL_IN_DOUBT:
		fputs(": in doubt: it was sent, and the server did not answer; it is looked for in the mailbox", stdout);
		break;
	default:
		printf(": held since %s, until it is released", tell_time(when, leg->since_us, false));
		break;
	}
	text("; ", leg->cause, "");
	if (leg->code)
		printf(": %" PRIu64, leg->code);
	text(leg->code ? " " : ": ", leg->text, "");
	putchar('\n');
}

void trace_end(struct trace *t)
{
	for (uint32_t slot = 0; slot < t->n_legs; slot++) {
		const struct trace_leg *leg = &t->legs[slot];

		if (!leg->is_there || leg->fate < JOURNAL_OPEN || leg->fate > JOURNAL_HELD || !is_shown(t, slot / 2))
			continue;
		if (t->json)
			now_json(t, slot, leg);
		else
			now_line(t, slot, leg);
	}
	if (t->number && !t->json && !t->accept)
		puts("  the journal does not have its beginning any more");
	arena_reset(&t->arena);
	t->number = 0;
	t->n_legs = 0;
	t->accept = NULL;
	t->only_some = false;
}

void trace_done(struct trace *t)
{
	free(t->legs);
	arena_done(&t->arena);
}

/* --- answers --------------------------------------------------------------------------------- */

static void on_tell(void *arg, const struct tell *tell)
{
	struct trace *t = arg;
	struct trace_leg *leg;

	if (tell->what == TELL_ACCEPTED)
		accepted(t, tell->accept, t->step->wall_us);
	if (!tell->has_leg) {
		show(t, tell);
		return;
	}
	leg = leg_of(t, &tell->leg);
	if (!leg || !is_shown(t, tell->leg.recipient))
		return;
	if (tell->what == TELL_ATTEMPT &&
	    (!bytes_equal(leg->target, tell->attempt->target) || leg->epoch != tell->attempt->epoch)) {
		struct tell routed = *tell;

		routed.what = TELL_ROUTED;
		leg->target = tell->attempt->target;
		show(t, &routed);
	}
	follow(t, leg, tell);
	show(t, tell);
}

static int on_step(struct trace *t, const struct control_step *step, struct fault *fault)
{
	const struct field_table *table = step->type < JOURNAL_TYPES ? journal_table((unsigned)step->type) : NULL;
	void *record;

	if (!table)
		return 0;
	record = arena_alloc(&t->arena, table->size);
	if (fields_decode(table, arena_copy(&t->arena, step->record), &t->arena, record, fault) < 0)
		return -1;
	t->step = step;
	tell_record((enum journal_type)step->type, record, t->number, on_tell, t);
	return 0;
}

static void on_message(struct trace *t, const struct control_message *message)
{
	trace_end(t);
	t->number = message->number;
	snprintf(t->queue_id, sizeof(t->queue_id), "%.*s", (int)(message->queue_id.n < 31 ? message->queue_id.n : 31),
		 message->queue_id.n ? message->queue_id.p : "");
	snprintf(t->journal_id, sizeof(t->journal_id), "%.*s", JOURNAL_ID_LEN, t->queue_id);
	if (!t->json)
		printf("%s\n", t->queue_id);
}

/* What the records do not say: where it goes by the routes of this moment. */
static void on_leg(struct trace *t, const struct control_leg *row)
{
	struct trace_leg *leg = leg_of(t, &(struct journal_leg){ t->number, row->recipient, row->copy });

	if (!leg || !leg->is_there || row->fate != leg->fate)
		return;
	if (row->target < BOOK_TARGETS)
		leg->target = bytes_of(operate_target(row->target));
	leg->due_us = row->due_us;
	leg->cause = arena_copy(&t->arena, row->cause);
}

int trace_said(void *arg, enum control_say_type type, const void *said, struct fault *fault)
{
	struct trace *t = arg;

	switch (type) {
	case CONTROL_MESSAGE:
		on_message(t, said);
		return 0;
	case CONTROL_STEP:
		return on_step(t, said, fault);
	case CONTROL_LEG:
		on_leg(t, said);
		return 0;
	default:
		return 0;
	}
}
