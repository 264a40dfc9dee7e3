/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of many mailboxes: sums, exit statuses, the word one process gives another; and that
 * nothing out of a pipe, a file or a server drives the terminal. */
#include <stdio.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/commands.h"
#include "cli/many.h"
#include "cli/status-show.h"
#include "lib/check.h"
#include "mail/utf8.h"
#include "os/testing.h"

#define HOSTILE "a\033[2J\033]0;t\a\r\nb\u202ec\xff\xc2\x9b" "1m\177z"

struct printed {
	void (*print)(void *arg);
	void *arg;
	struct buf out, err;
};

static void read_back(FILE *file, struct buf *to)
{
	size_t n;

	rewind(file);
	while ((n = fread(buf_reserve(to, 4096), 1, 4096, file)) > 0)
		to->n += n;
	fclose(file);
	buf_str(to);
}

static int print_in_fiber(void *arg, struct fault *fault)
{
	struct printed *p = arg;

	p->print(p->arg);
	return 0;
}

static void capture(struct printed *p)
{
	FILE *files[2] = { tmpfile(), tmpfile() };
	int saved[2] = { dup(1), dup(2) };
	struct fault fault;

	for (int i = 0; i < 2; i++) {
		fflush(i ? stderr : stdout);
		dup2(fileno(files[i]), i + 1);
	}
	run_main("test", print_in_fiber, p, &fault);
	for (int i = 0; i < 2; i++) {
		fflush(i ? stderr : stdout);
		dup2(saved[i], i + 1);
		close(saved[i]);
	}
	read_back(files[0], &p->out);
	read_back(files[1], &p->err);
	buf_append_char(&p->out, '\0');
	buf_append_char(&p->err, '\0');
	p->out.n--;
	p->err.n--;
}

static void harmless(struct check *check, struct bytes text)
{
	struct bytes rest = text;

	CHECK(utf8_is_valid(text));
	while (rest.n) {
		uint32_t c;

		utf8_next(&rest, &c);
		if ((c < 0x20 && c != '\n') || (c >= 0x7f && c < 0xa0) ||
		    (c >= 0x202a && c <= 0x202e))
			CHECK_FAIL("U+%04X in: %.*s", c, BYTES_ARG(text));
	}
}

static bool holds(const struct buf *text, const char *words)
{
	return bytes_find(buf_bytes(text), bytes_of(words)) >= 0;
}

static size_t occurrences(const struct buf *text, const char *words)
{
	struct bytes rest = buf_bytes(text);
	ptrdiff_t at;
	size_t n = 0;

	for (; (at = bytes_find(rest, bytes_of(words))) >= 0; n++)
		rest = bytes_skip(rest, (size_t)at + 1);
	return n;
}

/* --- sums ------------------------------------------------------------------------------------ */

static struct config_mailbox listed[] = { { .address = "a", .wave = "second" },
					  { .address = "b", .wave = "first" } };
static const struct config_mailbox *chosen[] = { &listed[0], &listed[1] };
static struct choice choice = { .mailboxes = chosen, .n = 2 };

static struct fleet_status status_of(int exit_status, uint64_t copied)
{
	struct fleet_status s;

	fleet_status_init(&s, "x", "");
	s.exit_status = exit_status;
	s.source = s.copied = copied;
	s.copied_bytes = 1000 * copied;
	s.causes[CAUSE_REFUSED] = exit_status == 1 ? 2 : 0;
	return s;
}

struct summed {
	struct tally tally;
	int statuses[6];
};

static void sum_and_show(void *arg)
{
	struct summed *s = arg;
	struct fleet_status well = status_of(0, 5), so_so = status_of(1, 7),
			    stopped = status_of(-1, 2);
	struct tally *t = &s->tally;

	tally_init(t, &choice);
	s->statuses[0] = tally_exit_status(t);
	tally_add(t, "a", "second", FLEET_ENDED_DONE, &well, "");
	tally_add(t, "a", "second", FLEET_ENDED_SKIPPED, NULL, "");
	s->statuses[1] = tally_exit_status(t);
	tally_add(t, "b", "first", FLEET_ENDED_DONE, &so_so, "");
	s->statuses[2] = tally_exit_status(t);
	tally_add(t, "c", "first", FLEET_ENDED_STOPPED, &stopped, "");
	s->statuses[3] = tally_exit_status(t);
	for (int i = 0; i < 25; i++)
		tally_add(t, HOSTILE, "first", FLEET_ENDED_FAILED, NULL, "it said " HOSTILE);
	tally_add(t, "d", HOSTILE, FLEET_ENDED_HELD, &well, "process 1");
	t->took_us = 2 * SECOND;
	tally_show(t, false);
}

static void sums(struct check *check)
{
	struct summed s;
	struct printed p = { .print = sum_and_show, .arg = &s };
	json_t *json;

	capture(&p);
	CHECK_EQ(s.statuses[0], EXIT_DONE);
	CHECK_EQ(s.statuses[1], EXIT_DONE);
	CHECK_EQ(s.statuses[2], EXIT_EXCEPTIONS);
	CHECK_EQ(s.statuses[3], EXIT_STOPPED);
	harmless(check, buf_bytes(&p.out));
	CHECK(holds(&p.out, "… and 5 more"));
	CHECK_EQ(occurrences(&p.out, "it said a"), 20);
	CHECK(holds(&p.out, "Failed (25)"));
	CHECK(holds(&p.out, "In use by other processes (1)"));
	CHECK(holds(&p.out, "refused 2 (not at the destination)"));
	CHECK(holds(&p.out, "source 14 = present 0 + copied 14"));
	CHECK(strstr(buf_str(&p.out), "second") < strstr(buf_str(&p.out), "first")); /* as listed */
	CHECK(holds(&p.out, "27 mailboxes in 2.0 s"));

	CHECK_EQ(s.tally.total.mailboxes, 29);
	json = tally_json(&s.tally);
	CHECK_EQ(json_integer_value(json_object_get(json, "failed")), 25);
	CHECK_EQ(json_integer_value(json_object_get(json, "exit_status")), EXIT_STOPPED);
	CHECK_EQ(json_integer_value(json_object_get(
			 json_object_get(json_object_get(json, "waves"), "first"), "done")),
		 1);
	json_decref(json);
	tally_done(&s.tally);
	buf_done(&p.out);
	buf_done(&p.err);
}

struct small {
	struct choice choice;
	enum fleet_end end;
	bool dry;
};

static void show_small(void *arg)
{
	const struct small *small = arg;
	struct fleet_status well = status_of(0, 5);
	bool done = small->end == FLEET_ENDED_DONE;
	struct tally t;

	tally_init(&t, &small->choice);
	tally_add(&t, "a", "second", small->end, done ? &well : NULL, "");
	t.planned = 5;
	tally_show(&t, small->dry);
	tally_done(&t);
}

static struct buf shown(enum fleet_end end, bool dry)
{
	struct small small = { .choice = { .mailboxes = chosen, .n = 1 }, .end = end, .dry = dry };
	struct printed p = { .print = show_small, .arg = &small };

	capture(&p);
	buf_done(&p.err);
	return p.out;
}

static void one_wave(struct check *check)
{
	_cleanup_(buf_done) struct buf done = shown(FLEET_ENDED_DONE, false);
	_cleanup_(buf_done) struct buf failed = shown(FLEET_ENDED_FAILED, false);
	_cleanup_(buf_done) struct buf dry = shown(FLEET_ENDED_DONE, true);

	CHECK(holds(&done, "  second ") && !holds(&done, "total")); /* by its name, once */
	CHECK(holds(&done, "source 5 = present 0 + copied 5"));
	CHECK(holds(&done, "the books close"));
	CHECK(holds(&failed, "1 mailbox was not gone through."));
	CHECK(!holds(&failed, "source") && !holds(&failed, "close")); /* there are no books */
	CHECK(holds(&dry, "Nothing was changed"));
	CHECK(holds(&dry, "hold 5 messages"));
	CHECK(!holds(&dry, "wave") && !holds(&dry, "done") && !holds(&dry, "close"));
}

/* --- events ---------------------------------------------------------------------------------- */

static const char *const events[] = {
	"{\"event\":\"mailbox-ended\",\"end\":\"failed\",\"mailbox\":\""
	"\\u001b[2J\\r\\nx"
	"\",\"text\":\"\\u009b1m\\u202e\"}",
	"{\"event\":\"mailbox-ended\",\"end\":\"done\",\"mailbox\":7,\"copied\":-3,\"copied_bytes\":1e300,\"exceptions\":[]}",
	"{\"event\":\"mailbox-ended\",\"end\":\"done\",\"mailbox\":\"a\",\"pass\":\"\\u0007\",\"copied\":1,\"exceptions\":{\"x\":\"y\"}}",
	"{\"event\":\"mailbox-ended\",\"end\":\"held\",\"mailbox\":\"a\",\"text\":\"\\u0000\"}",
	"{\"event\":\"mailbox-ended\"}",
	"{\"event\":\"mailbox-parked\",\"mailbox\":\"\\u001b\",\"again_in_us\":\"soon\"}",
	"{\"event\":\"exception\",\"mailbox\":\"a\",\"folder\":\"\\u001b]0;t\\u0007\",\"uid\":3,\"cause\":\"\\n\",\"detail\":\"\\u007f\"}",
	"{\"event\":\"server\",\"state\":\"waiting\",\"text\":\"\\u001b[1m\",\"again_in_us\":5000000}",
	"{\"event\":\"server\",\"state\":{}}",
	"{\"event\":\"waiting\",\"text\":[],\"again_in_us\":-1}",
	"{\"event\":\"mailbox-plan\",\"mailbox\":\"\\u001b\",\"folders\":1}",
	"{\"event\":\"unheard-of\",\"mailbox\":\"\\u001b\"}",
	"{\"event\":9}",
	"[1]",
	"\"x\"",
};

static void print_events(void *arg)
{
	struct many_show show = { .columns = 80 };

	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		many_tell(&show, json_loads(events[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
}

static void hostile_events(struct check *check)
{
	struct printed p = { .print = print_events };

	capture(&p);
	CHECK(p.out.n > 0 && p.err.n > 0);
	harmless(check, buf_bytes(&p.out));
	harmless(check, buf_bytes(&p.err));
	CHECK(holds(&p.err, "all wait, and one tries again in 5.0 s"));
	buf_done(&p.out);
	buf_done(&p.err);
}

static void progress(struct check *check)
{
	struct many_progress p = { 10, 1, 2, 3, 4, 5, 6, 7 }, back, sum = { .mailboxes = 10 };
	json_t *json = many_progress(&p);

	many_progress_of(json, &back);
	json_decref(json);
	CHECK_EQ(memcmp(&p, &back, sizeof(p)), 0);
	many_progress_add(&sum, &p);
	many_progress_add(&sum, &p);
	CHECK_EQ(sum.mailboxes, 10);
	CHECK_EQ(sum.done, 2);
	CHECK_EQ(sum.bytes_per_second, 14);
	json = json_pack("{s:i, s:s}", "done", -5, "bytes", "x");
	many_progress_of(json, &back);
	json_decref(json);
	CHECK_EQ(back.done + back.bytes, 0);
}

static void words_between_processes(struct check *check)
{
	struct many_worker worker = { "123-456-789", 2, 5 }, back;
	static const char *const bad[] = {
		MANY_WORKER,
		MANY_WORKER "1",
		MANY_WORKER "1-2:0/0",
		MANY_WORKER "1-2:3/3",
		MANY_WORKER "../x:0/2",
		MANY_WORKER "1-2:0/2x",
		MANY_WORKER ":0/2",
		MANY_WORKER "1-2:0/100000",
	};
	char word[128];

	many_worker_word(&worker, word);
	CHECK_EQ(many_worker_of(word, &back), 1);
	CHECK_STR(back.round, worker.round);
	CHECK_EQ(back.part, 2);
	CHECK_EQ(back.parts, 5);
	CHECK_EQ(many_worker_of("--json", &back), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(many_worker_of(bad[i], &back), -1);
}

/* --- status ---------------------------------------------------------------------------------- */

static void show_status(void *arg)
{
	status_show(arg);
}

static void hostile_status(struct check *check)
{
	enum { ROWS = FLEET_STATES_ + 1 };
	_cleanup_(freep) struct status_row *rows = xzalloc(ROWS * sizeof(*rows));
	struct status_view view = { .rows_p = rows, .n = ROWS, .now = 1000 };

	for (int i = 0; i <= FLEET_STATES_; i++) {
		struct fleet_status *s = &rows[i].status;

		fleet_status_init(s, HOSTILE, i % 2 ? HOSTILE : "");
		s->state = i < FLEET_STATES_ ? (enum fleet_state)i : FLEET_DELTA;
		s->error = HOSTILE;
		s->bytes = s->messages = UINT64_MAX;
		s->folders = 3;
		s->left_us = INT64_MAX / 2;
		s->retry_at = 2000;
		s->causes[CAUSE_FOLDER] = 1;
		rows[i].fresh = true;
	}
	for (int how = 0; how < 6; how++) {
		struct printed p = { .print = show_status, .arg = &view };

		view.all = how == 1;
		view.failed = how == 2;
		view.watch = how == 3;
		view.json = how == 4;
		view.columns = how == 5 ? 60 : 0;
		view.rows = how == 5 ? 7 : 0;
		capture(&p);
		CHECK(p.out.n > 0);
		harmless(check, buf_bytes(&p.out));
		if (how == 5) {
			struct bytes rest = buf_bytes(&p.out);
			size_t lines = 0;

			for (; rest.n; lines++)
				CHECK(utf8_width(bytes_cut(&rest, '\n')) <= 60);
			CHECK(lines < 7);
		}
		buf_done(&p.out);
		buf_done(&p.err);
	}
}

static void of_files(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	struct choice here = { .mailboxes = chosen, .n = 2 };
	struct status_view view = { .n = 0 };
	struct status_sum total, *sums_of;
	struct fault fault;
	size_t n;

	testing_folder_make(&folder);
	here.state = folder.path;
	status_view_open(&view, &here);
	for (size_t i = 0; i < 2; i++) { /* in the folder itself: only its own files go with it */
		free(view.rows_p[i].path);
		view.rows_p[i].path = strdup(testing_path(&folder, chosen[i]->address));
	}
	CHECK_EQ(status_exit_status(&view), EXIT_STOPPED); /* nobody has begun */

	testing_write(testing_path(&folder, "a"),
		      "{\"mailbox\":\"x\",\"state\":\"done\",\"exit_status\":0,\"size\":5}");
	testing_write(testing_path(&folder, "b"), "nonsense");
	CHECK_EQ(status_view_refresh(&view, &fault), 0);
	CHECK_EQ(view.rows_p[0].status.state, FLEET_DONE);
	CHECK_STR(view.rows_p[0].status.mailbox, "a"); /* the list knows better */
	CHECK_EQ(view.rows_p[1].status.state, FLEET_WAITING);

	testing_write(testing_path(&folder, "b"),
		      "{\"mailbox\":\"b\",\"state\":\"delta\",\"pid\":1,\"pid_began\":1}");
	CHECK_EQ(status_view_refresh(&view, &fault), 0);
	status_sums(&view, &total, &sums_of, &n);
	CHECK_EQ(n, 2);
	CHECK_STR(sums_of[0].wave, "second");
	CHECK_EQ(total.states[FLEET_DONE], 1);
	CHECK_EQ(total.size, 5);
	free(sums_of);
	status_view_close(&view);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "sums", sums },
		{ "one wave", one_wave },
		{ "hostile events", hostile_events },
		{ "progress", progress },
		{ "words between processes", words_between_processes },
		{ "hostile status", hostile_status },
		{ "status of files", of_files },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
