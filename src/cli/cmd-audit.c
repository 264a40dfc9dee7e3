/* SPDX-License-Identifier: Apache-2.0 */
/* mailferry audit: holds a gateway's journal against itself, from its files alone. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "journal/audit.h"

struct options {
	bool json;
	const char *message;
};

static const struct option_line lines[] = {
	{ "json", OPTION_FLAG, offsetof(struct options, json), NULL,
	  "one JSON object a line on standard output", 0, 0 },
	{ "message", OPTION_STRING, offsetof(struct options, message), "NUMBER",
	  "also list the records that name this message", 0, 0 },
};

static void help(void)
{
	puts("usage: mailferry audit PATH [option …]\n\n"
	     "Reads the journal of a gateway (PATH is its folder, STATE/journal) and changes nothing: the chain over\n"
	     "all records, the digest of each, the signatures of checkpoints, and what became of each recipient of each\n"
	     "message, counted anew. It may run beside the gateway, or on a copy of the files.");
	options_help(lines, ARRAY_SIZE(lines));
	puts("\nExit status: 0 nothing is wrong; 4 something is, and listed; 2 wrong usage, or no journal that can be\n"
	     "read.");
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void print(json_t *object)
{
	char *line = json_dumps(object, JSON_COMPACT);

	puts(line);
	free(line);
	json_decref(object);
}

static void put(json_t *object, const char *key, uint64_t n)
{
	json_object_set_new(object, key, json_integer((json_int_t)n));
}

static json_t *event(const char *name)
{
	return json_pack("{s:s}", "event", name);
}

static void finding_json(const struct journal_finding *f)
{
	json_t *object = event("finding");

	json_object_set_new(object, "kind", json_string(f->name));
	if (f->segment) {
		put(object, "segment", f->segment);
		put(object, "offset", f->offset);
	}
	if (f->sequence)
		put(object, "record", f->sequence);
	json_object_set_new(object, "text", json_string(f->text));
	print(object);
}

static void record_json(const struct journal_record *record, const char *what)
{
	json_t *object = event("record");

	put(object, "record", record->head.sequence);
	json_object_set_new(object, "type", json_string(what));
	put(object, "segment", record->segment);
	put(object, "offset", record->offset);
	put(object, "time_us", (uint64_t)record->head.wall_us);
	print(object);
}

static void sum_json(const struct journal_audit *a)
{
	const struct journal_tallies *t = &a->tallies;
	json_t *object = event("audit");

	json_object_set_new(object, "journal", json_string(a->id));
	put(object, "segments", a->segments);
	put(object, "records", a->records);
	put(object, "checkpoints", a->checkpoints);
	put(object, "dropped", a->dropped);
	put(object, "removed_segments", a->removed);
	put(object, "removed_messages", a->base.messages);
	put(object, "removed_legs", a->base.legs);
	put(object, "torn", a->torn);
	put(object, "messages", t->messages);
	put(object, "legs", t->legs);
	put(object, "open", t->open);
	put(object, "attempting", t->attempting);
	put(object, "doubt", t->doubt);
	put(object, "held", t->held);
	put(object, "delivered", t->delivered);
	put(object, "returned", t->returned);
	put(object, "findings", a->found);
	print(object);
}

/* --- text ------------------------------------------------------------------------------------ */

static void sum_text(const struct journal_audit *a)
{
	const struct journal_tallies *t = &a->tallies;

	printf("journal %s: %" PRIu64 " segments, %" PRIu64 " records from %" PRIu64 " on, %" PRIu64 " checkpoints signed, %"
	       PRIu64 " bodies dropped\n", a->id, a->segments, a->records, a->first, a->checkpoints, a->dropped);
	if (a->removed)
		printf("segments up to %010" PRIu64 ".seg were removed, as the journal says; %" PRIu64 " messages, %" PRIu64
		       " recipients in them = %" PRIu64 " delivered + %" PRIu64 " returned, counted with the others\n", a->removed,
		       a->base.messages, a->base.legs, a->base.delivered, a->base.returned);
	printf("%" PRIu64 " messages, %" PRIu64 " recipients = %" PRIu64 " delivered + %" PRIu64 " open + %" PRIu64
	       " under way + %" PRIu64 " in doubt + %" PRIu64 " held + %" PRIu64 " returned\n", t->messages, t->legs,
	       t->delivered, t->open, t->attempting, t->doubt, t->held, t->returned);
	if (a->torn)
		printf("the last %" PRIu64 " bytes are a batch that is not written whole: being written, or left by a crash\n",
		       a->torn);
	if (a->found)
		printf("%" PRIu64 " things are wrong\n", a->found);
	else
		puts("nothing is wrong");
}

static void on_found(void *arg, const struct journal_finding *finding)
{
	const struct options *o = arg;

	if (o->json)
		finding_json(finding);
	else
		printf("%s: %s\n", finding->name, finding->text);
}

static void on_record(void *arg, const struct journal_record *record, const char *what)
{
	const struct options *o = arg;

	if (o->json)
		record_json(record, what);
	else
		printf("record %" PRIu64 ": %s, segment %010" PRIu64 ".seg, offset %" PRIu64 "\n", record->head.sequence, what,
		       record->segment, record->offset);
}

static int audit(struct options *o, const struct string_list *names, struct fault *fault)
{
	struct journal_audit_options options = { .found = on_found, .record = on_record, .arg = o };
	struct journal_audit result;

	if (names->n != 1)
		return fault_usage(fault, "audit needs one journal's folder");
	if (o->message && (bytes_to_u64(bytes_of(o->message), UINT64_MAX, &options.message) < 0 || !options.message))
		return fault_usage(fault, "--message needs a message's number, not \"%s\"", o->message);
	if (journal_audit(names->p[0], &options, &result, fault) < 0)
		return -1;

	if (o->json)
		sum_json(&result);
	else
		sum_text(&result);
	return result.found ? EXIT_GATE : EXIT_DONE;
}

int cmd_audit(int argc, char **argv)
{
	struct string_list names = { .n = 0 };
	struct fault fault = FAULT_INIT;
	struct options o = { .json = false };
	int r;

	r = options_parse(lines, ARRAY_SIZE(lines), argc, argv, &o, &names, &fault);
	if (r > 0) {
		help();
		r = EXIT_DONE;
	} else if (r == 0) {
		r = audit(&o, &names, &fault);
	}
	string_list_done(&names);
	if (r < 0) {
		fprintf(stderr, "mailferry: %s\n", fault.text);
		return EXIT_USAGE;
	}
	return r;
}
