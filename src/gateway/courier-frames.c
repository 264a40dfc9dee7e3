/* SPDX-License-Identifier: Apache-2.0 */
/* See courier-frames.h. */
#include "gateway/courier-frames.h"

#include "base/cleanup.h"

static const struct field_line host_lines[] = {
	FIELD(1, FIELD_U64, courier_host, scheme),
	FIELD(2, FIELD_BYTES, courier_host, name),
	FIELD(3, FIELD_U64, courier_host, port),
};
static const struct field_table host_table = FIELD_TABLE(host_lines, courier_host);

static const struct field_line target_lines[] = {
	FIELD(1, FIELD_BYTES, courier_target, name),
	FIELD(2, FIELD_U64, courier_target, tls),
	FIELD(3, FIELD_BYTES, courier_target, pin),
	FIELD(4, FIELD_U64, courier_target, client),
	FIELD(5, FIELD_U64, courier_target, messages_a_connection),
	FIELD_LIST_OF(6, courier_target, hosts, &host_table),
	FIELD(7, FIELD_BYTES, courier_target, ca_file),
};
static const struct field_table target_table = FIELD_TABLE(target_lines, courier_target);

static const struct field_line setup_lines[] = {
	FIELD(1, FIELD_BYTES, courier_setup, helo),
	FIELD(3, FIELD_U64, courier_setup, timeout_us),
	FIELD(4, FIELD_U64, courier_setup, sandbox),
	FIELD_LIST_OF(5, courier_setup, targets, &target_table),
};
static const struct field_table setup_table = FIELD_TABLE(setup_lines, courier_setup);

static const struct field_line recipient_lines[] = {
	FIELD(1, FIELD_BYTES, courier_recipient, to),
	FIELD(2, FIELD_BYTES, courier_recipient, orcpt),
	FIELD(3, FIELD_U64, courier_recipient, notify),
};
static const struct field_table recipient_table = FIELD_TABLE(recipient_lines, courier_recipient);

static const struct field_line job_lines[] = {
	FIELD(1, FIELD_U64, courier_job, target),
	FIELD(2, FIELD_U64, courier_job, host),
	FIELD(3, FIELD_BYTES, courier_job, from),
	FIELD(4, FIELD_BYTES, courier_job, envid),
	FIELD(5, FIELD_U64, courier_job, ret),
	FIELD(6, FIELD_U64, courier_job, has_8bit),
	FIELD(7, FIELD_U64, courier_job, smtputf8),
	FIELD(8, FIELD_U64, courier_job, size),
	FIELD(9, FIELD_BYTES, courier_job, name),
	FIELD(10, FIELD_BYTES, courier_job, addr),
	FIELD(11, FIELD_BYTES, courier_job, port),
	FIELD(12, FIELD_BYTES, courier_job, proto),
	FIELD(13, FIELD_BYTES, courier_job, helo),
	FIELD(14, FIELD_BYTES, courier_job, ident),
	FIELD_LIST_OF(15, courier_job, recipients, &recipient_table),
};
static const struct field_table job_table = FIELD_TABLE(job_lines, courier_job);

static const struct field_line shrink_lines[] = {
	FIELD(1, FIELD_U64, courier_shrink, target),
	FIELD(2, FIELD_U64, courier_shrink, host),
	FIELD(3, FIELD_U64, courier_shrink, keep),
};
static const struct field_table shrink_table = FIELD_TABLE(shrink_lines, courier_shrink);

static const struct field_line offers_lines[] = {
	FIELD(1, FIELD_U64, courier_offers, target),
	FIELD(2, FIELD_U64, courier_offers, host),
	FIELD(3, FIELD_U64, courier_offers, offers),
	FIELD(4, FIELD_U64, courier_offers, size),
};
static const struct field_table offers_table = FIELD_TABLE(offers_lines, courier_offers);

static const struct field_line taken_lines[] = { FIELD(1, FIELD_U64, courier_taken, bytes) };
static const struct field_table taken_table = FIELD_TABLE(taken_lines, courier_taken);

static const struct field_line ask_lines[] = { FIELD_NUMBERS_OF(1, courier_ask, recipients) };
static const struct field_table ask_table = FIELD_TABLE(ask_lines, courier_ask);

static const struct field_line outcome_lines[] = {
	FIELD(1, FIELD_U64, courier_outcome, recipient),
	FIELD(2, FIELD_U64, courier_outcome, outcome),
	FIELD(3, FIELD_U64, courier_outcome, stage),
	FIELD(4, FIELD_U64, courier_outcome, about),
	FIELD(5, FIELD_U64, courier_outcome, code),
	FIELD(6, FIELD_U64, courier_outcome, after_us),
	FIELD(7, FIELD_U64, courier_outcome, closes),
	FIELD(8, FIELD_BYTES, courier_outcome, enhanced),
	FIELD(9, FIELD_BYTES, courier_outcome, text),
	FIELD(10, FIELD_BYTES, courier_outcome, remote_id),
};
static const struct field_table outcome_table = FIELD_TABLE(outcome_lines, courier_outcome);

static const struct field_line result_lines[] = {
	FIELD_LIST_OF(1, courier_result, outcomes, &outcome_table),
	FIELD(2, FIELD_U64, courier_result, last),
	FIELD(3, FIELD_U64, courier_result, end),
	FIELD(4, FIELD_U64, courier_result, after_us),
	FIELD(5, FIELD_U64, courier_result, reused),
	FIELD(6, FIELD_U64, courier_result, offers_dsn),
	FIELD(7, FIELD_BYTES, courier_result, tls),
	FIELD(8, FIELD_BYTES, courier_result, text),
	FIELD(9, FIELD_U64, courier_result, code),
};
static const struct field_table result_table = FIELD_TABLE(result_lines, courier_result);

const struct field_table *courier_order_table(unsigned type)
{
	switch (type) {
	case ORDER_SETUP:
		return &setup_table;
	case ORDER_JOB:
		return &job_table;
	case ORDER_PROBE:
		return &offers_table;
	case ORDER_SHRINK:
		return &shrink_table;
	default:
		return NULL;
	}
}

const struct field_table *courier_report_table(unsigned type)
{
	switch (type) {
	case REPORT_TAKEN:
		return &taken_table;
	case REPORT_ASK:
		return &ask_table;
	case REPORT_RESULT:
		return &result_table;
	case REPORT_OFFERS:
		return &offers_table;
	default:
		return NULL;
	}
}

static void put(struct link *link, unsigned type, uint64_t id, const struct field_table *table,
		const void *payload)
{
	_cleanup_(buf_done) struct buf encoded = BUF_NULL;

	if (table)
		fields_encode(table, payload, &encoded);
	link_put(link, (uint16_t)type, id, buf_bytes(&encoded), BYTES_NULL);
}

void courier_put_order(struct link *link, enum courier_order type, uint64_t id, const void *payload)
{
	put(link, type, id, courier_order_table(type), payload);
}

void courier_put_report(struct link *link, enum courier_report type, uint64_t id, const void *payload)
{
	put(link, type, id, courier_report_table(type), payload);
}

size_t courier_room(const struct courier_recipient *recipient)
{
	return recipient->to.n + recipient->orcpt.n + 24; /* tags and lengths */
}
