/* SPDX-License-Identifier: Apache-2.0 */
/* See control-frames.h. */
#include "gateway/control-frames.h"

static const struct field_line name_lines[] = {
	FIELD(1, FIELD_BYTES, control_name, text),
};
static const struct field_table name_table = FIELD_TABLE(name_lines, control_name);

static const struct field_line ask_lines[] = {
	FIELD_LIST_OF(1, control_ask, names, &name_table),
	FIELD(2, FIELD_U64, control_ask, route),
	FIELD(3, FIELD_U64, control_ask, order),
	FIELD(4, FIELD_U64, control_ask, target),
	FIELD(5, FIELD_U64, control_ask, fate),
	FIELD(6, FIELD_U64, control_ask, limit),
	FIELD(7, FIELD_BYTES, control_ask, cause),
	FIELD(8, FIELD_BYTES, control_ask, operator),
	FIELD(9, FIELD_BYTES, control_ask, reason),
};
const struct field_table control_ask_table = FIELD_TABLE(ask_lines, control_ask);

static const struct field_line route_lines[] = {
	FIELD(1, FIELD_BYTES, control_route, name),
	FIELD(2, FIELD_BYTES, control_route, key),
	FIELD(3, FIELD_BYTES, control_route, target),
	FIELD(4, FIELD_U64, control_route, route),
	FIELD(5, FIELD_U64, control_route, match),
	FIELD(6, FIELD_U64, control_route, changed_s),
};
const struct field_table control_route_table = FIELD_TABLE(route_lines, control_route);

static const struct field_line leg_lines[] = {
	FIELD(1, FIELD_BYTES, control_leg, queue_id),
	FIELD(2, FIELD_BYTES, control_leg, key),
	FIELD(3, FIELD_BYTES, control_leg, cause),
	FIELD(4, FIELD_U64, control_leg, recipient),
	FIELD(5, FIELD_U64, control_leg, copy),
	FIELD(6, FIELD_U64, control_leg, fate),
	FIELD(7, FIELD_U64, control_leg, target),
	FIELD(8, FIELD_U64, control_leg, size),
	FIELD(9, FIELD_U64, control_leg, attempt),
	FIELD(10, FIELD_U64, control_leg, attempts),
	FIELD(11, FIELD_U64, control_leg, code),
	FIELD(12, FIELD_U64, control_leg, flagged),
	FIELD(13, FIELD_I64, control_leg, accepted_us),
	FIELD(14, FIELD_I64, control_leg, since_us),
	FIELD(15, FIELD_I64, control_leg, due_us),
};
const struct field_table control_leg_table = FIELD_TABLE(leg_lines, control_leg);

static const struct field_line count_lines[] = {
	FIELD(1, FIELD_BYTES, control_count, cause),
	FIELD(2, FIELD_U64, control_count, target),
	FIELD(3, FIELD_U64, control_count, fate),
	FIELD(4, FIELD_U64, control_count, legs),
};
const struct field_table control_count_table = FIELD_TABLE(count_lines, control_count);

static const struct field_line message_lines[] = {
	FIELD(1, FIELD_BYTES, control_message, queue_id),
	FIELD(2, FIELD_U64, control_message, number),
};
const struct field_table control_message_table = FIELD_TABLE(message_lines, control_message);

static const struct field_line step_lines[] = {
	FIELD(1, FIELD_U64, control_step, type),
	FIELD(2, FIELD_U64, control_step, sequence),
	FIELD(3, FIELD_U64, control_step, segment),
	FIELD(4, FIELD_U64, control_step, offset),
	FIELD(5, FIELD_I64, control_step, wall_us),
	FIELD(6, FIELD_BYTES, control_step, record),
};
const struct field_table control_step_table = FIELD_TABLE(step_lines, control_step);

static const struct field_line end_lines[] = {
	FIELD(1, FIELD_U64, control_end, n),
	FIELD(2, FIELD_U64, control_end, epoch),
	FIELD(3, FIELD_U64, control_end, more),
};
const struct field_table control_end_table = FIELD_TABLE(end_lines, control_end);

void control_put(struct link *link, uint16_t type, uint16_t part, const struct field_table *table, const void *from,
		 struct buf *scratch)
{
	struct bytes rest;

	buf_reset(scratch);
	fields_encode(table, from, scratch);
	for (rest = buf_bytes(scratch); rest.n > LINK_PAYLOAD_MAX; rest = bytes_skip(rest, LINK_PAYLOAD_MAX))
		link_put(link, part, 0, bytes_head(rest, LINK_PAYLOAD_MAX), BYTES_NULL);
	link_put(link, type, 0, rest, BYTES_NULL);
}

int control_next(struct link *link, size_t max, uint16_t *ret_type, struct buf *payload, struct fault *fault)
{
	buf_reset(payload);
	for (;;) {
		struct link_frame frame;
		int r = link_next(link, &frame, fault);

		if (r == 0 && payload->n > 0)
			return fault_protocol(fault, "the other end stopped in the middle of what it said");
		if (r <= 0)
			return r;
		if (frame.payload.n > max - payload->n)
			return fault_set(fault, FAULT_LIMIT, REACH_SESSION, AGAIN_NEVER, "more than %zu bytes at once", max);
		buf_append_bytes(payload, frame.payload);
		if (frame.type != CONTROL_ASK_PART) {
			*ret_type = frame.type;
			return 1;
		}
	}
}
