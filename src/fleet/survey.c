/* SPDX-License-Identifier: Apache-2.0 */
/* What earlier runs left, for the order of this one. */
#include "fleet/fleet.h"

#include <string.h>

static struct order_facts facts_of(const struct fleet_mailbox *m, const struct fleet_status *s)
{
	struct order_facts facts = {
		.seeded = m->seeded,
		.cutover_us = m->wave ? m->wave->cutover_us : 0,
		.delta_us = m->delta_us,
		.refused = s && s->state == FLEET_FAILED &&
			   strcmp(s->error_kind, fault_kind_name(FAULT_AUTH)) == 0,
	};

	if (!m->seeded && s && s->bytes)
		facts.bytes_left = s->bytes > s->bytes_done ? s->bytes - s->bytes_done : 1;
	return facts;
}

int fleet_survey(struct fleet *fleet, int64_t now, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	const struct fleet_options *o = &fleet->options;

	for (size_t i = 0; i < o->n; i++) {
		struct fleet_mailbox *m = &fleet->mailboxes[i];
		struct fleet_status status, *s = NULL;
		struct order_facts facts;

		buf_reset(&path);
		arena_reset(&arena);
		fleet_status_path(o->state_dir, m->config->address, &path);
		if (fleet_status_read(buf_str(&path), &arena, &status) == 0) {
			s = &status;
			m->seeded = s->seeded;
			m->size = s->size;
			m->delta_us = s->delta_us > 0 ? s->delta_us : 0;
			m->last_change = s->last_change;
		}
		facts = facts_of(m, s);
		m->job.order = order_make(&facts, i, now, o->config->soon_us);
	}
	return 0;
}
