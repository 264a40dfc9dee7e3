/* SPDX-License-Identifier: Apache-2.0 */
/* The log of events where it cannot keep up, and what peers' words may be. What is told when: tests/servers/test_gateway_events.py. */
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/events.h"
#include "gateway/tell.h"
#include "lib/check.h"
#include "os/file.h"
#include "os/testing.h"

enum { NOTES = 60000 };

struct test {
	struct check *check;
	struct keeper k;
	struct config config;
};

static unsigned alarms;

static bool show(bool is_alarm, const char *kind, const char *text)
{
	alarms += is_alarm;
	return true;
}

static int in_loop(void *arg, struct fault *fault)
{
	struct test *t = arg;
	struct check *check = t->check;
	struct nursery nursery;
	struct events_view view;

	events_open(&t->k);
	for (unsigned i = 0; i < NOTES; i++)
		events_note(t->k.events, false, "test", "a note that is some hundred bytes long, so that there is no room for all of them");
	events_look(t->k.events, &view);
	EXPECT(view.written == 0);
	EXPECT(view.dropped > 1000 && view.dropped < NOTES);
	nursery_init(&nursery, "test");
	nursery_start(&nursery, events_run, t->k.events, "events");
	while (view.written + view.dropped < NOTES + 2) /* that so many were dropped, and the alarm about it */
		if (run_sleep(MSEC, fault) < 0)
			return -1;
		else
			events_look(t->k.events, &view);
	events_note(t->k.events, false, "last", "");
	nursery_done(&nursery);
	events_close(t->k.events);
	return 0;
}

/* Lines before the gap, the gap, the alarm of it, the last one. */
static void cannot_keep_up(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	struct test t = { .check = check };
	struct fault fault = FAULT_INIT;
	_cleanup_(buf_done) struct buf content = BUF_NULL;
	struct bytes rest;
	size_t n = 0, dropped = 0;

	testing_folder_make(&folder);
	alarms = 0;
	t.config.gateway.events = testing_path(&folder, "log");
	t.k.config = &t.config;
	t.k.show = show;
	CHECK_EQ(run_main("test", in_loop, &t, &fault), 0);
	CHECK_EQ(os_read_file(testing_path(&folder, "log"), 2 * EVENTS_MAX, &content, &fault), 0);
	rest = buf_bytes(&content);
	while (rest.n > 0) {
		struct bytes line = bytes_cut(&rest, '\n');
		json_t *object = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
		const char *event = json_string_value(json_object_get(object, "event"));

		CHECK(object && event && json_string_value(json_object_get(object, "time")));
		if (strcmp(event, "dropped") == 0) {
			CHECK_EQ(dropped, 0);
			dropped = (size_t)json_integer_value(json_object_get(object, "lines"));
		}
		n += strcmp(event, "note") == 0 && strcmp(json_string_value(json_object_get(object, "kind")), "test") == 0;
		json_decref(object);
	}
	CHECK_EQ(n + dropped, NOTES);
	CHECK_EQ(alarms, 1);
}

/* --- words ------------------------------------------------------------------------------------- */

static void put_words(struct check *check)
{
	static const struct {
		struct bytes words;
		size_t max;
		const char *want;
	} cases[] = {
		{ { "plain", 5 }, 100, "{\"x\":\"plain\"}" },
		{ { "a\"b\\c\n\x01\x7f", 8 }, 100, "{\"x\":\"a\\\"b\\\\c\\n\\u0001\x7f\"}" },
		{ { "nul\0in", 6 }, 100, "{\"x\":\"nul\\u0000in\"}" },
		{ { "gr\xc3\xbc\xc3\x9f", 6 }, 100, "{\"x\":\"gr\xc3\xbc\xc3\x9f\"}" },
		{ { "gr\xc3\xbc\xc3\x9f", 6 }, 4, "{\"x\":\"gr\xc3\xbc\"}" },
		{ { "gr\xc3\xbc\xc3\x9f", 6 }, 3, "{\"x\":\"gr\"}" },
		{ { "latin \xfc", 7 }, 100, "{\"x\":\"latin ?\"}" },
		{ { "\x80\x80\x80", 3 }, 2, "{\"x\":\"??\"}" },
		{ { "\x80\x80", 2 }, 2, "{\"x\":\"??\"}" },
		{ { "", 0 }, 100, "{}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *object = json_object();
		char *text;

		tell_put(object, "x", cases[i].words, cases[i].max);
		text = json_dumps(object, JSON_COMPACT);
		CHECK_STR(text, cases[i].want);
		free(text);
		json_decref(object);
	}
}

static size_t told, longest;

static void on_tell(void *arg, const struct tell *tell)
{
	struct tell_frame frame = { .journal_id = "k3f9z", .wall_us = INT64_MAX / 2, .sequence = UINT64_MAX,
				    .address = tell->accept ? BYTES_NULL : *(struct bytes *)arg, .target = "new" };
	json_t *object = tell_json(tell, &frame);
	char *text = json_dumps(object, JSON_COMPACT);

	told++;
	longest = strlen(text) > longest ? strlen(text) : longest;
	free(text);
	json_decref(object);
}

/* Whatever a record has in it, what is told of it is bounded. */
static void bounded(struct check *check)
{
	_cleanup_(freep) char *much = xmalloc(100000);
	struct bytes long_one = { much, 100000 };
	static struct journal_recipient recipients[3000];
	struct journal_accept accept = { .message = UINT64_MAX, .peer = long_one, .helo = long_one, .reverse_path = long_one,
					 .message_id = long_one, .recipients = recipients, .n_recipients = 3000, .front_kind = 77 };
	struct journal_outcome outcomes[2] = { { .message = 1, .fate = JOURNAL_OPEN, .text = long_one, .reason = long_one,
						 .enhanced = long_one, .remote_id = long_one, .next_us = INT64_MAX },
					       { .message = 2, .fate = 99 } };
	struct journal_result result = { .how = long_one, .host = long_one, .outcomes = outcomes, .n_outcomes = 2 };
	static struct journal_route_entry entries[100];
	struct journal_routes routes = { .entries = entries, .n_entries = 100, .reason = long_one };

	memset(much, 'x', 100000);
	for (size_t i = 0; i < 3000; i++)
		recipients[i] = (struct journal_recipient){ .address = long_one };
	for (size_t i = 0; i < 100; i++)
		entries[i] = (struct journal_route_entry){ .address = long_one, .route = i };
	tell_record(JOURNAL_ACCEPT, &accept, 0, on_tell, &long_one);
	tell_record(JOURNAL_ROUTES, &routes, 0, on_tell, &long_one);
	tell_record(JOURNAL_RESULT, &result, 0, on_tell, &long_one);
	CHECK_EQ(told, 3); /* what is no outcome is not told */
	CHECK(longest > 5000 && longest < 16384);
	told = 0;
	tell_record(JOURNAL_RESULT, &result, 7, on_tell, &long_one);
	tell_record(JOURNAL_ACCEPT, &accept, 7, on_tell, &long_one);
	tell_record(JOURNAL_CHECKPOINT, &accept, 0, on_tell, &long_one);
	CHECK_EQ(told, 0);
}

static void times(struct check *check)
{
	char text[TELL_TIME_SIZE];

	CHECK_STR(tell_time(text, 0, false), "1970-01-01T00:00:00Z");
	CHECK_STR(tell_time(text, 1709251199999999, true), "2024-02-29T23:59:59.999Z");
	CHECK_STR(tell_time(text, 1709251200000000, false), "2024-03-01T00:00:00Z");
	CHECK_STR(tell_time(text, 4102444800000000, false), "2100-01-01T00:00:00Z");
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "what it cannot take is counted", cannot_keep_up },
		{ "words of strangers", put_words },
		{ "lines are bounded", bounded },
		{ "times", times },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
