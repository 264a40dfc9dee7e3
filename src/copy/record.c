/* SPDX-License-Identifier: Apache-2.0 */
/* See record.h. */
#include "copy/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/late.h"
#include "copy/links.h"

enum { COMMIT_ROWS = 400 };                        /* so many queued rows are committed at once, … */
static const int64_t commit_after_us = SECOND / 2; /* … or what has come in this time */

static struct ledger *ledger_of(const struct copy_pass *pass)
{
	return pass->worker->copy->options.ledger;
}

void copy_record_folder(struct copy_pass *pass)
{
	struct copy *copy = pass->worker->copy;
	struct copy_link *link = &copy->links[pass->index];
	struct ledger_folder *known, *former;
	size_t at = 0;

	if (link->known)
		return;

	known = arena_alloc(&copy->known_arena, sizeof(*known));
	*known = (struct ledger_folder){
		.current = true, .source_name = pass->folder->source_name,
		.destination_name = pass->folder->destination_name,
		.source_object = link->object,
		.source_uidvalidity = pass->worker->from->selected.uidvalidity,
		.since = copy->options.since, .before = copy->options.before,
	};
	ledger_add_folder(ledger_of(pass), known);
	link->known = known;
	while ((former = copy_link_next_former(copy, pass->index, &at))) { /* its copies are where they were */
		if (former->destination_uidvalidity) {
			known->destination_uidvalidity = former->destination_uidvalidity;
			known->destination = former->destination;
		}
		ledger_put_folder(ledger_of(pass), known);
	}
}

void copy_record_mark(struct copy_pass *pass, uint32_t uidnext)
{
	struct ledger_folder *known = pass->worker->copy->links[pass->index].known;

	if (known->mark)
		return;

	ledger_set_mark(ledger_of(pass), known, uidnext ? uidnext : 1);
	pass->mark_due = true;
}

void copy_record_no_mark(struct copy_pass *pass)
{
	struct ledger_folder *known = pass->worker->copy->links[pass->index].known;

	if (known && known->mark && !pass->worker->copy->links[pass->index].late)
		ledger_set_mark(ledger_of(pass), known, 0);
}

uint32_t copy_record_set(struct ledger *ledger, const char *flags)
{
	_cleanup_(buf_done) struct buf kept = BUF_NULL;
	struct bytes rest = bytes_of(flags);

	if (!strchr(flags, LEDGER_IN_DOUBT))
		return ledger_flags_id(ledger, flags);

	while (rest.n) {
		struct bytes flag = bytes_cut(&rest, ' ');

		if (!flag.n || flag.p[0] == LEDGER_IN_DOUBT)
			continue;
		if (kept.n)
			buf_append_char(&kept, ' ');
		buf_append_bytes(&kept, flag);
	}
	return ledger_flags_id(ledger, buf_str(&kept));
}

uint32_t copy_record_flags(struct copy_pass *pass, uint32_t index)
{
	if (index >= pass->flag_ids_n) {
		size_t n = pass->messages.flag_sets_n;

		pass->flag_ids = xreallocarray(pass->flag_ids, n, sizeof(*pass->flag_ids));
		memset(pass->flag_ids + pass->flag_ids_n, 0, (n - pass->flag_ids_n) * sizeof(*pass->flag_ids));
		pass->flag_ids_n = n;
	}
	if (!pass->flag_ids[index])
		pass->flag_ids[index] = 1 + copy_record_set(ledger_of(pass), pass->messages.flag_sets[index]);
	return pass->flag_ids[index] - 1;
}

void copy_record_fill(struct copy_pass *pass, const struct imap_message *m, enum ledger_state state,
		      struct ledger_message *ret)
{
	bool sent = pass->flags_n > m->flags;

	*ret = (struct ledger_message){
		.folder = pass->worker->copy->links[pass->index].known->id,
		.uid = m->uid, .copy_uid = m->copy_uid, .state = (uint8_t)state, .size = m->size,
		.date = m->state & MESSAGE_OWN_DATE ? IMAP_NO_DATE : m->date,
		.zone_minutes = (int16_t)m->zone_minutes,
		.flags = copy_record_flags(pass, m->flags),
	};
	if (state == LEDGER_COPIED && sent)
		ret->copy_flags = ledger_flags_id(ledger_of(pass), copy_pass_flags(pass, m));
}

/* Whether somebody should commit now. */
static void queued(struct copy *copy)
{
	if (ledger_queued(copy->options.ledger) >= COMMIT_ROWS)
		waiters_wake_all(&copy->to_record);
}

void copy_record_intent(struct copy_pass *pass, const struct imap_message *m)
{
	struct ledger_message row;

	copy_record_fill(pass, m, LEDGER_SENDING, &row);
	row.has = m->state & MESSAGE_AGAIN ? LEDGER_AGAIN : 0;
	ledger_put_message(ledger_of(pass), &row);
	if (m->state & MESSAGE_AGAIN) /* this try, too, may turn up beside the next */
		copy_late_expect(pass->worker->copy);
}

void copy_record_copied(struct copy_pass *pass, const struct imap_message *m,
			const unsigned char *header, const char *message_id)
{
	struct ledger_message row;

	copy_record_fill(pass, m, LEDGER_COPIED, &row);
	row.has = LEDGER_HAS_DIGEST | (m->state & MESSAGE_AGAIN ? LEDGER_AGAIN : 0);
	memcpy(row.digest, copy_pass_digest(pass, m), sizeof(row.digest));
	row.message_id = message_id;
	if (header) {
		row.has |= LEDGER_HAS_HEADER;
		memcpy(row.header, header, sizeof(row.header));
	}
	ledger_put_message(ledger_of(pass), &row);
	queued(pass->worker->copy);
}

void copy_record_excepted(struct copy_pass *pass, const struct imap_message *m, enum copy_cause cause,
			  uint64_t size, const char *message_id, const char *detail)
{
	struct ledger_message row;

	copy_record_fill(pass, m, LEDGER_EXCEPTED, &row);
	row.cause = (uint8_t)(cause + 1);
	row.size = size;
	row.message_id = message_id;
	row.detail = detail;
	ledger_put_message(ledger_of(pass), &row);
	queued(pass->worker->copy);
}

void copy_record_loss(struct copy_pass *pass, const struct imap_message *m, enum copy_cause cause,
		      const char *detail, uint64_t copy_size, const unsigned char *copy_digest)
{
	ledger_set_cause(ledger_of(pass), pass->worker->copy->links[pass->index].known->id, m->uid,
			 (uint8_t)(cause + 1), detail, copy_size, copy_digest);
	queued(pass->worker->copy);
}

void copy_record_end(struct copy *copy)
{
	copy->recorded_all = true;
	waiters_wake_all(&copy->to_record);
}

/* Waits until there are rows enough, or for a while. */
static int wait_for_rows(struct copy *copy, struct fault *fault)
{
	_deadline_(commit_after_us);
	int r = 0;

	while (r == 0 && !copy->recorded_all && ledger_queued(copy->options.ledger) < COMMIT_ROWS)
		r = waiters_wait(&copy->to_record, "rows for the ledger", fault);

	return r < 0 && fault->kind == FAULT_TIMEOUT ? 0 : r;
}

int copy_record_run(void *arg, struct fault *fault)
{
	struct copy *copy = arg;

	while (!copy->recorded_all) {
		unsigned number;

		if (wait_for_rows(copy, fault) < 0)
			return -1;
		number = ++copy->commits_begun;
		if (ledger_commit(copy->options.ledger, fault) < 0)
			return -1;
		copy->commits_done = number;
	}
	return 0;
}
