/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON object, its findings streamed. Keys are promises: add, never change. No number passes 2^53. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/utf8.h"
#include "verify/fact.h"
#include "verify/report.h"

/* JSON must be UTF-8, so what is not becomes U+FFFD. */
json_t *verify_json_text(struct bytes b)
{
	_cleanup_(buf_done) struct buf printable = BUF_NULL;

	utf8_printable(&printable, b);
	return json_stringn(buf_str(&printable), printable.n);
}

json_t *verify_json_number(uint64_t n)
{
	const uint64_t most = (uint64_t)1 << 53;

	return json_integer((json_int_t)(n < most ? n : most));
}

static void put_text(json_t *object, const char *key, const char *text)
{
	if (text && text[0])
		json_object_set_new(object, key, verify_json_text(bytes_of(text)));
}

static void put_number(json_t *object, const char *key, uint64_t n)
{
	json_object_set_new(object, key, verify_json_number(n));
}

static void put_known(json_t *object, const char *key, uint64_t n)
{
	if (n)
		put_number(object, key, n);
}

static void put_digest(json_t *object, const char *key, const unsigned char *digest)
{
	char hex[65];

	if (!digest)
		return;

	verify_hex(hex, digest);
	json_object_set_new(object, key, json_string(hex));
}

static void put_time(json_t *object, const char *key, int64_t us)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	verify_time(&text, us / SECOND);
	put_text(object, key, buf_str(&text));
}

static json_t *accepted(const struct ledger_accepted *a)
{
	json_t *object = json_object();

	put_text(object, "cause", a->cause);
	put_text(object, "folder", a->folder);
	put_known(object, "uid", a->uid);
	put_text(object, "who", a->who);
	put_time(object, "at", a->at);
	put_text(object, "reason", a->reason);
	return object;
}

json_t *verify_json_finding(const struct verify_finding *f)
{
	json_t *object = json_object();

	put_text(object, "finding", verify_kind_name(f->kind));
	json_object_set_new(object, "fails", json_boolean(verify_kind_fails(f->kind)));
	if (f->folder) {
		json_object_set_new(object, "folder", verify_json_text(f->folder->source_utf8));
		json_object_set_new(object, "destination_folder", verify_json_text(f->folder->destination_utf8));
	}
	put_known(object, "uid", f->uid);
	put_known(object, "copy_uid", f->copy_uid);
	put_number(object, "messages", f->messages);
	put_known(object, "size", f->size);
	put_known(object, "copy_size", f->copy_size);
	put_digest(object, "sha256", f->digest);
	put_digest(object, "copy_sha256", f->copy_digest);
	put_text(object, "message_id", f->message_id);
	put_text(object, "cause", f->cause);
	put_text(object, "detail", f->detail);
	if (f->accepted)
		json_object_set_new(object, "accepted", accepted(f->accepted));
	return object;
}

static json_t *count(const struct verify_count *c)
{
	json_t *object;

	if (!c->counted)
		return json_null();

	object = json_object();
	put_number(object, "messages", c->messages);
	put_number(object, "bytes", c->bytes);
	put_number(object, "seen", c->seen);
	put_number(object, "answered", c->answered);
	put_number(object, "flagged", c->flagged);
	put_number(object, "deleted", c->deleted);
	put_number(object, "draft", c->draft);
	put_number(object, "keywords", c->keywords);
	json_object_set_new(object, "from_ledger", json_boolean(c->from_ledger));
	return object;
}

static void put_books(json_t *object, const struct verify_folder *f)
{
	json_object_set_new(object, "source", count(&f->source));
	json_object_set_new(object, "destination", count(&f->destination));
	put_number(object, "copied", f->copied);
	put_number(object, "excepted", f->excepted);
	put_number(object, "there", f->there);
	put_number(object, "elsewhere", f->elsewhere);
	put_number(object, "missing", f->missing);
	put_number(object, "not_copied", f->not_copied);
	put_number(object, "new", f->fresh);
	put_number(object, "filtered", f->filtered);
	put_number(object, "unaccounted", f->unaccounted);
	put_number(object, "unlisted", f->unlisted);
	put_number(object, "kept", f->kept);
	put_number(object, "strangers", f->strangers);
	put_number(object, "compared", f->compared);
	put_number(object, "bytes_read", f->bytes);
	json_object_set_new(object, "closed", json_boolean(verify_closes(f)));
	json_object_set_new(object, "findings", verify_json_tally(f->tally));
}

json_t *verify_json_tally(const struct verify_tally tally[VERIFY_KINDS])
{
	json_t *object = json_object();

	for (int kind = 0; kind < VERIFY_KINDS; kind++) {
		const struct verify_tally *t = &tally[kind];
		json_t *one;

		if (!t->found)
			continue;
		one = json_object();
		put_number(one, "found", t->found);
		put_number(one, "accepted", t->accepted);
		put_number(one, "messages", t->messages);
		json_object_set_new(object, verify_kind_name((enum verify_kind)kind), one);
	}
	return object;
}

json_t *verify_json_folder(const struct verify_folder *f)
{
	json_t *object = json_object();

	json_object_set_new(object, "folder", verify_json_text(f->source_utf8));
	if (f->left_out[0]) {
		put_text(object, "left_out", f->left_out);
		return object;
	}
	json_object_set_new(object, "destination_folder", verify_json_text(f->destination_utf8));
	json_object_set_new(object, "complete", json_boolean(f->state == VERIFY_DONE));
	put_books(object, f);
	return object;
}

void verify_json_run(json_t *object, const struct verify *v)
{
	char seed[24];

	put_text(object, "level", verify_level_name(v->options.level));
	if (v->options.level == VERIFY_CONTENT) {
		snprintf(seed, sizeof(seed), "%" PRIu64, v->options.seed);
		json_object_set_new(object, "sample_percent", json_real(v->options.sample_ppm / 1e4));
		json_object_set_new(object, "seed", json_string(seed)); /* as text: it may pass 2^53 */
	}
	json_object_set_new(object, "partial", json_boolean(v->options.partial));
	put_text(object, "source_server", v->from_server);
	put_text(object, "destination_server", v->to_server);
	put_time(object, "began", v->began_us);
}

/* Without the brace at its end. */
static void open_object(struct buf *to, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	buf_append(to, text, strlen(text) - 1);
	free(text);
	json_decref(object);
}

void verify_json_head(const struct verify_report *r, const struct verify *v, struct buf *to)
{
	json_t *object = json_object();

	put_text(object, "report", "mailferry verify");
	put_text(object, "version", MAILFERRY_VERSION);
	put_text(object, "from", r->from);
	put_text(object, "to", r->to);
	put_text(object, "ledger", r->ledger);
	verify_json_run(object, v);
	open_object(to, object);
	buf_append_str(to, ",\n\"findings\":[");
}

static json_t *folders(const struct verify *v)
{
	json_t *array = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(array, verify_json_folder(&v->folders[i]));
	return array;
}

static json_t *all_accepted(const struct verify *v)
{
	json_t *array = json_array();

	for (size_t i = 0; i < v->accepted_n; i++)
		json_array_append_new(array, accepted(&v->accepted[i]));
	return array;
}

void verify_json_end(const struct verify_report *r, const struct verify *v, const struct fault *stopped,
		     struct buf *to)
{
	struct verify_folder total = verify_total(v);
	json_t *object = json_object(), *sum = json_object();
	char *text;

	put_books(sum, &total);
	json_object_set_new(object, "folders", folders(v));
	json_object_set_new(object, "total", sum);
	json_object_set_new(object, "accepted", all_accepted(v));
	put_time(object, "ended", v->ended_us);
	json_object_set_new(object, "stopped", stopped ? verify_json_text(bytes_of(stopped->text)) : json_null());
	json_object_set_new(object, "grade", json_string(verify_grade_name(v->grade)));
	text = json_dumps(object, JSON_COMPACT);
	buf_append_str(to, "],\n");
	buf_append_str(to, text + 1); /* its brace stands at the beginning of all */
	buf_append_char(to, '\n');
	free(text);
	json_decref(object);
}
