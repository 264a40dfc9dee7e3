/* SPDX-License-Identifier: Apache-2.0 */
/* Events as JSON objects, see many-show.h. */
#include "cli/many-show.h"

#include <stdio.h>

#include "copy/mapping.h"
#include "mail/utf8.h"

static json_t *text(struct bytes b)
{
	_cleanup_(buf_done) struct buf printable = BUF_NULL;

	utf8_printable(&printable, b);
	return json_stringn(buf_str(&printable), printable.n);
}

/* Above 2^53 readers that know only doubles begin to err. */
static json_t *number(uint64_t n)
{
	const uint64_t most = (uint64_t)1 << 53;

	return json_integer((json_int_t)(n < most ? n : most));
}

static json_t *event_of(const char *name, const struct fleet_mailbox *m)
{
	json_t *object = json_pack("{s:s, s:o}", "event", name, "mailbox",
				   text(bytes_of(m->config->address)));

	if (m->config->wave[0])
		json_object_set_new(object, "wave", text(bytes_of(m->config->wave)));
	return object;
}

static void put_fault(json_t *object, const struct fault *fault)
{
	char words[700];

	fault_format(fault, words, sizeof(words));
	json_object_set_new(object, "kind", json_string(fault_kind_name(fault->kind)));
	json_object_set_new(object, "text", text(bytes_of(words)));
}

json_t *many_begun(const struct fleet_mailbox *m)
{
	json_t *object = event_of("mailbox-begun", m);

	json_object_set_new(object, "pass", json_string(m->status->pass));
	json_object_set_new(object, "try", json_integer(m->job.tries));
	return object;
}

json_t *many_plan(const struct fleet_mailbox *m, const struct copy *copy)
{
	json_t *object = event_of("mailbox-plan", m);
	struct copy_folder t = books_total(&copy->books);
	json_int_t create = 0, skip = 0;

	for (size_t i = 0; i < copy->mapping->n_entries; i++) {
		const struct mapping_entry *e = &copy->mapping->entries[i];

		create += e->action != MAPPING_SKIP && e->create;
		skip += e->action == MAPPING_SKIP;
	}
	json_object_set_new(object, "pass", json_string(m->status->pass));
	json_object_set_new(object, "folders", json_integer((json_int_t)copy->books.n));
	json_object_set_new(object, "create", json_integer(create));
	json_object_set_new(object, "skip", json_integer(skip));
	json_object_set_new(object, "messages", number(t.expected));
	json_object_set_new(object, "bytes", number(t.expected_bytes));
	return object;
}

json_t *many_exception(const struct fleet_mailbox *m, const struct copy_exception *e)
{
	json_t *object = event_of("exception", m);

	json_object_set_new(object, "cause", json_string(books_cause_name(e->cause)));
	json_object_set_new(object, "missing", json_boolean(books_cause_loses(e->cause)));
	json_object_set_new(object, "earlier", json_boolean(e->earlier));
	json_object_set_new(object, "folder", text(e->name));
	json_object_set_new(object, "messages", number(e->messages));
	if (e->uid)
		json_object_set_new(object, "uid", number(e->uid));
	if (e->size)
		json_object_set_new(object, "size", number(e->size));
	if (e->message_id[0])
		json_object_set_new(object, "message_id", text(bytes_of(e->message_id)));
	if (e->detail[0])
		json_object_set_new(object, "detail", text(bytes_of(e->detail)));
	return object;
}

json_t *many_note(const struct fleet_mailbox *m, const char *words)
{
	json_t *object = event_of("note", m);

	json_object_set_new(object, "text", text(bytes_of(words)));
	return object;
}

json_t *many_parked(const struct fleet_mailbox *m, const struct fault *why, int64_t for_us)
{
	json_t *object = event_of("mailbox-parked", m);

	put_fault(object, why);
	json_object_set_new(object, "again_in_us", json_integer(for_us));
	/* Of a server that is away an event of its own tells. */
	json_object_set_new(object, "with_server", json_boolean(m->job.gate->state != GATE_OPEN));
	return object;
}

json_t *many_ended(const struct fleet_mailbox *m, enum fleet_end end, const struct fault *why)
{
	static const char *const names[] = {
		[FLEET_ENDED_DONE] = "done",	   [FLEET_ENDED_FAILED] = "failed",
		[FLEET_ENDED_STOPPED] = "stopped", [FLEET_ENDED_HELD] = "held",
		[FLEET_ENDED_SKIPPED] = "skipped",
	};
	json_t *object = event_of("mailbox-ended", m);

	json_object_set_new(object, "end", json_string(names[end]));
	if (m->status) {
		json_t *books = fleet_status_json(m->status);

		json_object_update_missing(object, books);
		json_decref(books);
	}
	if (why)
		put_fault(object, why);
	else if (end == FLEET_ENDED_HELD && m->error)
		json_object_set_new(object, "text", text(bytes_of(m->error)));
	return object;
}

json_t *many_server(const struct sched_gate *gate)
{
	static const char *const names[] = {
		[GATE_OPEN] = "answers",
		[GATE_SHUT] = "waiting",
		[GATE_TRIED] = "tried",
		[GATE_DEAD] = "given-up",
	};
	json_t *object = json_pack("{s:s, s:s}", "event", "server", "state", names[gate->state]);

	if (gate->state == GATE_OPEN)
		return object;

	put_fault(object, &gate->why);
	json_object_set_new(object, "again_in_us", json_integer(gate->try_at - run_now()));
	return object;
}

json_t *many_waiting(const char *why, int64_t for_us)
{
	return json_pack("{s:s, s:o, s:I}", "event", "waiting", "text", text(bytes_of(why)),
			 "again_in_us", (json_int_t)for_us);
}

json_t *many_login(const struct fault *why)
{
	json_t *object = json_pack("{s:s, s:s}", "event", "login", "state", "given-up");

	put_fault(object, why);
	return object;
}

/* --- progress -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t offset;
} counts[] = {
	{ "mailboxes", offsetof(struct many_progress, mailboxes) },
	{ "done", offsetof(struct many_progress, done) },
	{ "failed", offsetof(struct many_progress, failed) },
	{ "parked", offsetof(struct many_progress, parked) },
	{ "active", offsetof(struct many_progress, active) },
	{ "messages", offsetof(struct many_progress, messages) },
	{ "bytes", offsetof(struct many_progress, bytes) },
	{ "bytes_per_second", offsetof(struct many_progress, bytes_per_second) },
};

static uint64_t *count_at(struct many_progress *p, size_t i)
{
	return (uint64_t *)(void *)((char *)p + counts[i].offset);
}

json_t *many_progress(const struct many_progress *progress)
{
	json_t *object = json_pack("{s:s}", "event", "progress");
	struct many_progress p = *progress;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		json_object_set_new(object, counts[i].name, number(*count_at(&p, i)));
	return object;
}

void many_progress_of(const json_t *event, struct many_progress *ret)
{
	*ret = (struct many_progress){ .mailboxes = 0 };
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		json_int_t n = json_integer_value(json_object_get(event, counts[i].name));

		*count_at(ret, i) = n > 0 ? (uint64_t)n : 0;
	}
}

/* The number of mailboxes is everybody's. */
void many_progress_add(struct many_progress *sum, const struct many_progress *part)
{
	struct many_progress p = *part;

	for (size_t i = 1; i < ARRAY_SIZE(counts); i++)
		*count_at(sum, i) += *count_at(&p, i);
}
