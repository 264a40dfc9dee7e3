/* SPDX-License-Identifier: Apache-2.0 */
/* The same as JSON, an object a line on stdout. Names of events and keys are promises: add, never change.
 * No number passes 2^53, above which readers that know only doubles begin to err. */
#include <jansson.h>
#include <stdio.h>

#include "cli/show.h"
#include "copy/mapping.h"
#include "mail/utf8.h"

static void put_line(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	fputc('\n', stdout);
	fflush(stdout);
	json_decref(object);
}

/* Text of servers: JSON must be UTF-8, so what is not becomes U+FFFD. */
static json_t *text(struct bytes b)
{
	_cleanup_(buf_done) struct buf printable = BUF_NULL;

	utf8_printable(&printable, b);
	return json_stringn(buf_str(&printable), printable.n);
}

/* Some are the servers' word: one that claims more than there can be is cut, not made negative. */
static json_t *number(uint64_t n)
{
	const uint64_t most = (uint64_t)1 << 53;

	return json_integer((json_int_t)(n < most ? n : most));
}

static void put_counts(json_t *object, const struct copy_folder *f)
{
	json_object_set_new(object, "source", number(f->listed - f->filtered));
	json_object_set_new(object, "present", number(f->present));
	json_object_set_new(object, "copied", number(f->copied));
	json_object_set_new(object, "moved", number(f->moved));
	json_object_set_new(object, "adopted", number(f->adopted));
	json_object_set_new(object, "flags_changed", number(f->flags_changed));
	json_object_set_new(object, "gone", number(f->gone));
	json_object_set_new(object, "deleted", number(f->deleted));
	json_object_set_new(object, "removed", number(f->removed));
	json_object_set_new(object, "excepted", number(f->excepted));
	json_object_set_new(object, "changed", number(f->changed));
	json_object_set_new(object, "not_reached", number(books_not_reached(f)));
	json_object_set_new(object, "in_doubt", number(f->in_doubt));
	json_object_set_new(object, "filtered", number(f->filtered));
	json_object_set_new(object, "arrived", number(f->arrived));
	json_object_set_new(object, "bytes", number(f->bytes));
}

void show_json_plan(const struct show *show, const struct copy *copy, bool dry)
{
	static const char *const actions[] = { "copy", "structure", "skip" };

	put_line(json_pack("{s:s, s:o, s:o, s:I, s:o}", "event", "plan", "from",
			   text(bytes_of(show->from)), "to", text(bytes_of(show->to)), "folders",
			   (json_int_t)copy->books.n, "messages",
			   number(books_total(&copy->books).expected)));
	for (size_t i = 0; i < copy->mapping->n_entries; i++) {
		const struct mapping_entry *e = &copy->mapping->entries[i];
		const struct imap_folder *f = &copy->source.p[e->source];
		json_t *object = json_pack("{s:s, s:s, s:o, s:s, s:o}", "event", "map", "action",
					   actions[e->action], "folder", text(e->source_path),
					   "reason", mapping_reason_name(e->reason), "text",
					   text(bytes_of(e->text)));

		if (e->action == MAPPING_COPY) {
			json_object_set_new(object, "destination", text(e->path));
			json_object_set_new(object, "create", json_boolean(e->create));
			json_object_set_new(object, "already_there", number(copy_already_there(copy, e)));
		}
		if (f->flags & IMAP_FOLDER_STATUS)
			json_object_set_new(object, "messages", number(f->messages));
		if (f->flags & IMAP_FOLDER_SIZE)
			json_object_set_new(object, "bytes", number(f->size));
		put_line(object);
	}
}

static void put_exception(const struct copy_exception *e)
{
	json_t *object = json_pack("{s:s, s:s, s:b, s:o, s:I}", "event", "exception", "cause",
				   books_cause_name(e->cause), "missing",
				   books_cause_loses(e->cause), "folder",
				   text(e->name), "messages",
				   (json_int_t)e->messages);

	json_object_set_new(object, "earlier", json_boolean(e->earlier));
	if (e->uid)
		json_object_set_new(object, "uid", number(e->uid));
	if (e->size)
		json_object_set_new(object, "size", number(e->size));
	if (e->message_id[0])
		json_object_set_new(object, "message_id", text(bytes_of(e->message_id)));
	if (e->detail[0])
		json_object_set_new(object, "detail", text(bytes_of(e->detail)));
	put_line(object);
}

static void put_folder(const struct copy *copy, size_t index)
{
	const struct copy_folder *f = &copy->books.folders[index];
	char digest[65];
	json_t *object = json_pack("{s:s, s:o, s:o, s:b}", "event", "folder", "folder",
				   text(f->source_utf8), "destination", text(f->destination_utf8),
				   "complete", f->state == FOLDER_DONE);

	json_object_set_new(object, "unchanged", json_boolean(f->unchanged));

	for (size_t i = 0; i < sizeof(f->digest); i++)
		snprintf(digest + 2 * i, 3, "%02x", f->digest[i]);
	json_object_set_new(object, "uidvalidity", number(f->uidvalidity));
	put_counts(object, f);
	json_object_set_new(object, "sha256", json_string(digest));
	put_line(object);
}

void show_json_event(const struct copy *copy, const struct copy_event *event)
{
	switch (event->kind) {
	case EVENT_EXCEPTION:
		put_exception(&copy->books.exceptions[event->exception]);
		break;
	case EVENT_NOTE:
		put_line(json_pack("{s:s, s:o}", "event", "note", "text",
				   text(bytes_of(event->text))));
		break;
	case EVENT_FOLDER_ENDED:
		put_folder(copy, event->folder);
		break;
	case EVENT_FOLDER_BEGUN:
		break;
	}
}

void show_json_progress(const struct copy *copy)
{
	struct copy_folder t = books_total(&copy->books);
	json_t *object = json_pack("{s:s, s:o, s:o}", "event", "progress", "expected",
				   number(t.expected), "bytes_read", number(t.bytes_read));

	put_counts(object, &t);
	put_line(object);
}

void show_json_books(const struct copy *copy, bool stopped)
{
	struct copy_folder t = books_total(&copy->books);
	int64_t took = copy->began_us ? run_now() - copy->began_us : 0;
	json_t *object = json_pack("{s:s, s:b, s:b, s:I, s:I}", "event", "total", "stopped", stopped,
				   "closed", books_not_reached(&t) == 0, "exceptions",
				   (json_int_t)copy->books.exceptions_n, "milliseconds",
				   (json_int_t)(took / MSEC));

	/* Folders that ended have been told; those that did not are told now. */
	for (size_t i = 0; i < copy->books.n; i++)
		if (copy->books.folders[i].state == FOLDER_WAITING ||
		    copy->books.folders[i].state == FOLDER_COPYING || copy->books.folders[i].unchanged)
			put_folder(copy, i);

	put_counts(object, &t);
	put_line(object);
}

void show_json_fault(const struct fault *fault)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:o}", "event", "fault", "kind",
				   fault_kind_name(fault->kind), "reach",
				   fault_reach_name(fault->reach), "text",
				   text(bytes_of(fault->text)));

	if (fault->server[0])
		json_object_set_new(object, "server", text(bytes_of(fault->server)));
	if (fault->again == AGAIN_LATER && fault->after_us)
		json_object_set_new(object, "after_seconds", json_integer(fault->after_us / SECOND));
	put_line(object);
}
