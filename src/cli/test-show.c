/* SPDX-License-Identifier: Apache-2.0 */
/* Names, identifiers and words of servers never reach the terminal, or JSON, as anything but text. */
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/show.h"
#include "copy/mapping.h"
#include "lib/check.h"
#include "mail/utf8.h"

/* Clears the screen, sets the title, turns the text around, starts a line, is not UTF-8. */
#define HOSTILE "a\033[2J\033]0;t\a\r\nb\u202ec\xff\xc2\x9b" "1m\177z"

struct shown {
	struct check *check;
	bool json, progress;
	struct buf out, err;
};

static struct mapping_entry entries[] = {
	{ .source = 0, .action = MAPPING_COPY, .source_path = BYTES(HOSTILE), .path = BYTES(HOSTILE), .create = true,
	  .text = "same name" },
	{ .source = 0, .action = MAPPING_SKIP, .source_path = BYTES(HOSTILE), .text = "left out" },
};

static void fill(struct copy *copy, struct mapping *mapping, struct imap_folder *folder)
{
	*folder = (struct imap_folder){ .name = BYTES(HOSTILE), .flags = IMAP_FOLDER_STATUS, .messages = 3 };
	*mapping = (struct mapping){ .entries = entries, .n_entries = ARRAY_SIZE(entries) };
	*copy = (struct copy){ .stage = COPY_COPYING, .mapping = mapping, .source = { .p = folder, .n = 1 } };
	copy->books.folders = xzalloc(sizeof(*copy->books.folders));
	copy->books.n = 1;
	copy->books.folders[0] = (struct copy_folder){
		.source_utf8 = BYTES(HOSTILE), .destination_utf8 = BYTES(HOSTILE), .state = FOLDER_COPYING,
		.expected = 3, .listed = 3, .copied = 2,
	};
	books_except(&copy->books, 0, CAUSE_REFUSED, 7, 10, 1, "<" HOSTILE ">", "said " HOSTILE);
}

static void show_all(struct show *show, struct copy *copy)
{
	struct copy_event event = { .kind = EVENT_EXCEPTION };
	struct fault fault;

	show_plan(show, copy, false);
	show_event(show, copy, &event);
	event = (struct copy_event){ .kind = EVENT_NOTE, .text = "note " HOSTILE };
	show_event(show, copy, &event);
	event = (struct copy_event){ .kind = EVENT_FOLDER_ENDED };
	show_event(show, copy, &event);
	show->last_us = -3600 * SECOND;
	show_progress(show, copy);
	show_books(show, copy, false);
	fault_set(&fault, FAULT_REFUSED, REACH_FOLDER, AGAIN_NEVER, "folder %s", HOSTILE);
	fault_server(&fault, BYTES(HOSTILE));
	show_fault(show, &fault);
}

static int run_show(void *arg, struct fault *fault)
{
	struct shown *shown = arg;
	struct show show = { .json = shown->json, .progress = shown->progress, .columns = 100,
			     .from = "imaps://u@a.example", .to = "imaps://u@b.example" };
	struct mapping mapping;
	struct imap_folder folder;
	struct copy copy;

	fill(&copy, &mapping, &folder);
	show_all(&show, &copy);
	books_done(&copy.books);
	return 0;
}

static void read_back(FILE *file, struct buf *to)
{
	size_t n;

	rewind(file);
	while ((n = fread(buf_reserve(to, 4096), 1, 4096, file)) > 0)
		to->n += n;
	fclose(file);
	buf_str(to);
}

static void capture(struct check *check, struct shown *shown)
{
	FILE *files[2] = { tmpfile(), tmpfile() };
	int saved[2] = { dup(1), dup(2) };
	struct fault fault;
	int r;

	for (int i = 0; i < 2; i++) {
		fflush(i ? stderr : stdout);
		dup2(fileno(files[i]), i + 1);
	}
	r = run_main("test", run_show, shown, &fault);
	for (int i = 0; i < 2; i++) {
		fflush(i ? stderr : stdout);
		dup2(saved[i], i + 1);
		close(saved[i]);
	}
	read_back(files[0], &shown->out);
	read_back(files[1], &shown->err);
	CHECK_EQ(r, 0);
}

/* Valid UTF-8, and no control but line ends and, where the progress line is drawn, our own two. */
static void harmless(struct check *check, struct bytes text, bool drawn)
{
	struct bytes rest = text;

	CHECK(text.n > 0);
	CHECK(utf8_is_valid(text));
	while (rest.n) {
		uint32_t c;

		if (drawn && bytes_starts(rest, BYTES("\r\033[K"))) {
			rest = bytes_skip(rest, 4);
			continue;
		}
		utf8_next(&rest, &c);
		if ((c < 0x20 && c != '\n') || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e))
			CHECK_FAIL("U+%04X in: %.*s", c, BYTES_ARG(text));
	}
}

static void as_text(struct check *check)
{
	for (int progress = 0; progress < 2; progress++) {
		struct shown shown = { .progress = progress };

		capture(check, &shown);
		harmless(check, buf_bytes(&shown.out), false);
		harmless(check, buf_bytes(&shown.err), progress);
		CHECK(bytes_find(buf_bytes(&shown.out), BYTES("source 3 = copied 2 + excepted 1")) >= 0);
		CHECK(bytes_find(buf_bytes(&shown.err), BYTES("UID 7: refused: said a")) >= 0);
		CHECK(bytes_find(buf_bytes(&shown.err), BYTES("mailferry: folder a")) >= 0);
		if (progress)
			CHECK(bytes_find(buf_bytes(&shown.err), BYTES("\r\033[K3 of 3 messages")) >= 0);
		buf_done(&shown.out);
		buf_done(&shown.err);
	}
}

static void as_json(struct check *check)
{
	struct shown shown = { .json = true };
	struct bytes rest;
	size_t events = 0;

	capture(check, &shown);
	harmless(check, buf_bytes(&shown.out), false);
	rest = buf_bytes(&shown.out);
	while (rest.n) {
		struct bytes line = bytes_cut(&rest, '\n');
		json_t *object = json_loadb(line.p, line.n, 0, NULL);

		if (!json_is_object(object) || !json_is_string(json_object_get(object, "event")))
			CHECK_FAIL("not an event: %.*s", BYTES_ARG(line));
		json_decref(object);
		events++;
	}
	CHECK(events >= 8); /* plan, two maps, exception, note, folder, progress, total, fault … */
	buf_done(&shown.out);
	buf_done(&shown.err);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "text is only text", as_text }, { "JSON is JSON", as_json }, { 0 },
	};

	return check_main(argc, argv, cases);
}
