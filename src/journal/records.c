/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of records.h. Tags are for ever. */
#include "journal/records.h"

static const struct field_line recipient_lines[] = {
	FIELD(1, FIELD_BYTES, journal_recipient, address),
	FIELD(2, FIELD_BYTES, journal_recipient, parameters),
	FIELD(3, FIELD_BYTES, journal_recipient, orcpt),
	FIELD(4, FIELD_U64, journal_recipient, notify),
};
static const struct field_table recipient_table = FIELD_TABLE(recipient_lines, journal_recipient);

static const struct field_line leg_lines[] = {
	FIELD(1, FIELD_U64, journal_leg, message),
	FIELD(2, FIELD_U64, journal_leg, recipient),
	FIELD(3, FIELD_U64, journal_leg, copy),
};
static const struct field_table leg_table = FIELD_TABLE(leg_lines, journal_leg);

static const struct field_line accept_lines[] = {
	FIELD(1, FIELD_U64, journal_accept, message),
	FIELD(2, FIELD_BYTES, journal_accept, listener),
	FIELD(3, FIELD_BYTES, journal_accept, peer),
	FIELD(4, FIELD_U64, journal_accept, peer_port),
	FIELD(5, FIELD_BYTES, journal_accept, helo),
	FIELD(6, FIELD_BYTES, journal_accept, protocol),
	FIELD(7, FIELD_BYTES, journal_accept, tls_version),
	FIELD(8, FIELD_BYTES, journal_accept, tls_cipher),
	FIELD(9, FIELD_BYTES, journal_accept, front),
	FIELD(10, FIELD_U64, journal_accept, front_port),
	FIELD(11, FIELD_U64, journal_accept, front_kind),
	FIELD(12, FIELD_BYTES, journal_accept, reverse_path),
	FIELD(13, FIELD_BYTES, journal_accept, parameters),
	FIELD(14, FIELD_BYTES, journal_accept, envid),
	FIELD(15, FIELD_U64, journal_accept, ret),
	FIELD(16, FIELD_U64, journal_accept, body_kind),
	FIELD(17, FIELD_U64, journal_accept, smtputf8),
	FIELD(18, FIELD_U64, journal_accept, size),
	FIELD(19, FIELD_DIGEST, journal_accept, digest),
	FIELD_NUMBERS_OF(20, journal_accept, bodies),
	FIELD(21, FIELD_BYTES, journal_accept, trace),
	FIELD(22, FIELD_BYTES, journal_accept, message_id),
	FIELD(23, FIELD_U64, journal_accept, received),
	FIELD(24, FIELD_U64, journal_accept, epoch),
	FIELD(25, FIELD_U64, journal_accept, dsn_for),
	FIELD_LIST_OF(26, journal_accept, recipients, &recipient_table),
	FIELD_LIST_OF(27, journal_accept, returns, &leg_table),
};

static const struct field_line entry_lines[] = {
	FIELD(1, FIELD_BYTES, journal_route_entry, address),
	FIELD(2, FIELD_U64, journal_route_entry, route),
	FIELD(3, FIELD_BYTES, journal_route_entry, target),
	FIELD(4, FIELD_U64, journal_route_entry, changed_s),
};
static const struct field_table entry_table = FIELD_TABLE(entry_lines, journal_route_entry);

static const struct field_line routes_lines[] = {
	FIELD(1, FIELD_U64, journal_routes, epoch),
	FIELD(2, FIELD_U64, journal_routes, whole),
	FIELD(3, FIELD_BYTES, journal_routes, operator),
	FIELD(4, FIELD_BYTES, journal_routes, reason),
	FIELD_LIST_OF(5, journal_routes, entries, &entry_table),
};

static const struct field_line opened_lines[] = {
	FIELD(1, FIELD_U64, journal_leg_opened, message),
	FIELD(2, FIELD_U64, journal_leg_opened, recipient),
	FIELD(3, FIELD_U64, journal_leg_opened, route),
	FIELD(4, FIELD_U64, journal_leg_opened, epoch),
	FIELD(5, FIELD_BYTES, journal_leg_opened, target),
};

static const struct field_line attempt_lines[] = {
	FIELD(1, FIELD_U64, journal_attempt, attempt),
	FIELD(2, FIELD_U64, journal_attempt, epoch),
	FIELD(3, FIELD_BYTES, journal_attempt, target),
	FIELD(4, FIELD_BYTES, journal_attempt, host),
	FIELD_LIST_OF(5, journal_attempt, legs, &leg_table),
};

static const struct field_line outcome_lines[] = {
	FIELD(1, FIELD_U64, journal_outcome, message),
	FIELD(2, FIELD_U64, journal_outcome, recipient),
	FIELD(3, FIELD_U64, journal_outcome, copy),
	FIELD(4, FIELD_U64, journal_outcome, fate),
	FIELD(5, FIELD_U64, journal_outcome, code),
	FIELD(6, FIELD_BYTES, journal_outcome, enhanced),
	FIELD(7, FIELD_BYTES, journal_outcome, text),
	FIELD(8, FIELD_BYTES, journal_outcome, remote_id),
	FIELD(9, FIELD_BYTES, journal_outcome, reason),
	FIELD(10, FIELD_I64, journal_outcome, next_us),
	FIELD(11, FIELD_U64, journal_outcome, flagged),
	FIELD(12, FIELD_BYTES, journal_outcome, folder),
	FIELD(13, FIELD_U64, journal_outcome, uid),
	FIELD(14, FIELD_U64, journal_outcome, attempts),
};
static const struct field_table outcome_table = FIELD_TABLE(outcome_lines, journal_outcome);

static const struct field_line result_lines[] = {
	FIELD(1, FIELD_U64, journal_result, attempt),
	FIELD(2, FIELD_BYTES, journal_result, host),
	FIELD(3, FIELD_BYTES, journal_result, tls_version),
	FIELD(4, FIELD_BYTES, journal_result, tls_cipher),
	FIELD(5, FIELD_BYTES, journal_result, how),
	FIELD_LIST_OF(6, journal_result, outcomes, &outcome_table),
};

static const struct field_line order_lines[] = {
	FIELD(1, FIELD_BYTES, journal_order, operator),
	FIELD(2, FIELD_BYTES, journal_order, reason),
	FIELD(3, FIELD_U64, journal_order, dsn),
	FIELD(4, FIELD_I64, journal_order, next_us),
	FIELD_LIST_OF(5, journal_order, legs, &leg_table),
};

static const struct field_line suppressed_lines[] = {
	FIELD(1, FIELD_U64, journal_suppressed, message),
	FIELD(2, FIELD_BYTES, journal_suppressed, peer),
	FIELD(3, FIELD_BYTES, journal_suppressed, helo),
	FIELD(4, FIELD_BYTES, journal_suppressed, message_id),
	FIELD(5, FIELD_DIGEST, journal_suppressed, digest),
};

static const struct field_line note_lines[] = {
	FIELD(1, FIELD_BYTES, journal_note, kind),
	FIELD(2, FIELD_BYTES, journal_note, operator),
	FIELD(3, FIELD_BYTES, journal_note, text),
};

static const struct field_line tallies_lines[] = {
	FIELD(1, FIELD_U64, journal_tallies, messages),
	FIELD(2, FIELD_U64, journal_tallies, legs),
	FIELD(3, FIELD_U64, journal_tallies, open),
	FIELD(4, FIELD_U64, journal_tallies, attempting),
	FIELD(5, FIELD_U64, journal_tallies, doubt),
	FIELD(6, FIELD_U64, journal_tallies, held),
	FIELD(7, FIELD_U64, journal_tallies, delivered),
	FIELD(8, FIELD_U64, journal_tallies, returned),
};
static const struct field_table tallies_table = FIELD_TABLE(tallies_lines, journal_tallies);

static const struct field_line checkpoint_lines[] = {
	FIELD(1, FIELD_U64, journal_checkpoint, sequence),
	FIELD(2, FIELD_DIGEST, journal_checkpoint, chain),
	FIELD(3, FIELD_BYTES, journal_checkpoint, signature),
	FIELD_LIST_OF(4, journal_checkpoint, tallies, &tallies_table),
};

static const struct field_line drop_lines[] = {
	FIELD(1, FIELD_U64, journal_drop, sequence),
	FIELD(2, FIELD_U64, journal_drop, segment),
	FIELD(3, FIELD_U64, journal_drop, offset),
	FIELD(4, FIELD_U64, journal_drop, length),
};
static const struct field_table drop_table = FIELD_TABLE(drop_lines, journal_drop);

static const struct field_line base_lines[] = {
	FIELD(1, FIELD_U64, journal_base, messages),
	FIELD(2, FIELD_U64, journal_base, legs),
	FIELD(3, FIELD_U64, journal_base, delivered),
	FIELD(4, FIELD_U64, journal_base, returned),
	FIELD(5, FIELD_U64, journal_base, last_number),
	FIELD(6, FIELD_U64, journal_base, last_attempt),
};
static const struct field_table base_table = FIELD_TABLE(base_lines, journal_base);

static const struct field_line dropped_lines[] = {
	FIELD_LIST_OF(1, journal_dropped, bodies, &drop_table),
	FIELD(2, FIELD_U64, journal_dropped, segments_to),
	FIELD(3, FIELD_BYTES, journal_dropped, reason),
	FIELD_LIST_OF(4, journal_dropped, base, &base_table),
	FIELD(5, FIELD_U64, journal_dropped, looked_to),
	FIELD(6, FIELD_U64, journal_dropped, routes_from),
};

/* The two that share a struct share its table, too. */
static const struct field_table tables[] = {
	[JOURNAL_ACCEPT] = FIELD_TABLE(accept_lines, journal_accept),
	[JOURNAL_ROUTES] = FIELD_TABLE(routes_lines, journal_routes),
	[JOURNAL_LEG] = FIELD_TABLE(opened_lines, journal_leg_opened),
	[JOURNAL_ATTEMPT] = FIELD_TABLE(attempt_lines, journal_attempt),
	[JOURNAL_INTENT] = FIELD_TABLE(attempt_lines, journal_attempt),
	[JOURNAL_RESULT] = FIELD_TABLE(result_lines, journal_result),
	[JOURNAL_HOLD] = FIELD_TABLE(order_lines, journal_order),
	[JOURNAL_RELEASE] = FIELD_TABLE(order_lines, journal_order),
	[JOURNAL_RETRY] = FIELD_TABLE(order_lines, journal_order),
	[JOURNAL_DOUBT] = FIELD_TABLE(result_lines, journal_result),
	[JOURNAL_RETURNED] = FIELD_TABLE(order_lines, journal_order),
	[JOURNAL_SUPPRESSED] = FIELD_TABLE(suppressed_lines, journal_suppressed),
	[JOURNAL_NOTE] = FIELD_TABLE(note_lines, journal_note),
	[JOURNAL_CHECKPOINT] = FIELD_TABLE(checkpoint_lines, journal_checkpoint),
	[JOURNAL_DROPPED] = FIELD_TABLE(dropped_lines, journal_dropped),
	[JOURNAL_END] = { NULL, 0, 0 },
};

const struct field_table *journal_table(unsigned type)
{
	return type < ARRAY_SIZE(tables) && tables[type].n ? &tables[type] : NULL;
}

const char *journal_type_name(unsigned type)
{
	static const char *const names[JOURNAL_TYPES] = {
		NULL, "body", "accept", "routes", "leg", "attempt", "intent", "result", "hold", "release", "retry",
		"doubt", "returned", "suppressed", "note", "checkpoint", "dropped", "end",
	};

	return type < JOURNAL_TYPES ? names[type] : NULL;
}

const char *journal_fate_name(unsigned fate)
{
	static const char *const names[JOURNAL_FATES] = { "none", "open", "attempting", "doubt", "held",
							  "delivered", "returned" };

	return fate < JOURNAL_FATES ? names[fate] : NULL;
}
