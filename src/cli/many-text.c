/* SPDX-License-Identifier: Apache-2.0 */
/* Events of many mailboxes as text, see many-show.h. Texts in events are printable already, but
 * they may have come through a pipe: whatever is printed passes show_name() once more. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/many-show.h"
#include "cli/show.h"
#include "mail/utf8.h"

static const int64_t print_every_us = 30 * SECOND;

static const char *word(const json_t *event, const char *key)
{
	const char *text = json_string_value(json_object_get(event, key));

	return text ? text : "";
}

static uint64_t count(const json_t *event, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(event, key));

	return n > 0 ? (uint64_t)n : 0;
}

static void print_word(FILE *to, const json_t *event, const char *key)
{
	show_name(to, bytes_of(word(event, key)));
}

void many_erase_line(struct many_show *show)
{
	if (show->line_drawn)
		fputs("\r\033[K", stderr);
	show->line_drawn = false;
}

/* --- one event ------------------------------------------------------------------------------- */

static void sentence(struct many_show *show, const json_t *event, const char *between)
{
	many_erase_line(show);
	fputs("  ", stderr);
	print_word(stderr, event, "mailbox");
	fputs(between, stderr);
	print_word(stderr, event, "text");
}

static uint64_t exceptions(const json_t *event)
{
	const json_t *causes = json_object_get(event, "exceptions"), *value;
	const char *key;
	uint64_t n = 0;

	json_object_foreach((json_t *)(uintptr_t)causes, key, value)
		n += json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
	return n;
}

static void done_line(struct many_show *show, const json_t *event)
{
	uint64_t copied = count(event, "copied"), deleted = count(event, "deleted");
	uint64_t flags = count(event, "flags_changed"), moved = count(event, "moved");
	uint64_t bad = exceptions(event);
	int64_t took = (int64_t)(count(event, "ended") - count(event, "began"));
	char a[32], b[32], c[32];

	/* Of those where nothing was to be done the summary tells. */
	if (show->quiet || (!copied && !deleted && !flags && !moved && !bad))
		return;

	many_erase_line(show);
	fputs("  ", stdout);
	print_word(stdout, event, "mailbox");
	fputs(": ", stdout);
	print_word(stdout, event, "pass");
	printf(", %s message%s copied, %s", show_count(a, copied), copied == 1 ? "" : "s",
	       show_bytes(b, count(event, "copied_bytes")));
	if (flags)
		printf(", flags of %s", show_count(a, flags));
	if (moved)
		printf(", %s moved", show_count(a, moved));
	if (deleted)
		printf(", %s deleted", show_count(a, deleted));
	if (bad)
		printf(", %s exception%s", show_count(a, bad), bad == 1 ? "" : "s");
	printf(", %s\n", show_duration(c, took));
}

static void ended(struct many_show *show, const json_t *event)
{
	const char *end = word(event, "end");

	if (strcmp(end, "done") == 0) {
		done_line(show, event);
	} else if (strcmp(end, "failed") == 0) {
		sentence(show, event, ": failed: ");
		fputc('\n', stderr);
	} else if (strcmp(end, "held") == 0) {
		sentence(show, event, ": left to another process: ");
		fputc('\n', stderr);
	}
}

static void parked(struct many_show *show, const json_t *event)
{
	char wait[32];

	if (show->quiet || json_is_true(json_object_get(event, "with_server")))
		return;

	sentence(show, event, ": ");
	fprintf(stderr, "; trying again in %s\n",
		show_duration(wait, (int64_t)count(event, "again_in_us")));
}

static void exception(struct many_show *show, const json_t *event)
{
	if (json_is_true(json_object_get(event, "earlier")))
		return; /* it was told when it was new; the summary counts it */

	many_erase_line(show);
	fputs("  ", stderr);
	print_word(stderr, event, "mailbox");
	fputs(": ", stderr);
	print_word(stderr, event, "folder");
	if (count(event, "uid"))
		fprintf(stderr, " UID %" PRIu64, count(event, "uid"));
	else if (count(event, "messages"))
		fprintf(stderr, ", %" PRIu64 " messages", count(event, "messages"));
	fputs(": ", stderr);
	print_word(stderr, event, "cause");
	if (word(event, "detail")[0])
		fputs(": ", stderr);
	print_word(stderr, event, "detail");
	fputc('\n', stderr);
}

static void server(struct many_show *show, const json_t *event)
{
	const char *state = word(event, "state");
	char wait[32];

	many_erase_line(show);
	if (strcmp(state, "answers") == 0) {
		if (!show->quiet)
			fputs("  the servers answer again\n", stderr);
		return;
	}

	fputs("  ", stderr);
	print_word(stderr, event, "text");
	if (strcmp(state, "given-up") == 0)
		fputs("; no other mailbox will try it\n", stderr);
	else
		fprintf(stderr, "; all wait, and one tries again in %s\n",
			show_duration(wait, (int64_t)count(event, "again_in_us")));
}

static void login(struct many_show *show, const json_t *event)
{
	many_erase_line(show);
	fputs("mailferry: ", stderr);
	print_word(stderr, event, "text");
	fputc('\n', stderr);
}

static void waiting(struct many_show *show, const json_t *event)
{
	char wait[32];

	many_erase_line(show);
	if (show->quiet)
		return;

	fprintf(stderr, "  nothing can begin for %s: ",
		show_duration(wait, (int64_t)count(event, "again_in_us")));
	print_word(stderr, event, "text");
	fputc('\n', stderr);
}

static void plan(struct many_show *show, const json_t *event)
{
	char a[32], b[32];

	many_erase_line(show);
	fputs("  ", stdout);
	print_word(stdout, event, "mailbox");
	fputs(": ", stdout);
	print_word(stdout, event, "pass");
	printf(", %" PRIu64 " folder%s (%" PRIu64 " to create, %" PRIu64 " not to copy), %s message%s, %s\n",
	       count(event, "folders"), count(event, "folders") == 1 ? "" : "s", count(event, "create"),
	       count(event, "skip"), show_count(a, count(event, "messages")),
	       count(event, "messages") == 1 ? "" : "s", show_bytes(b, count(event, "bytes")));
}

void many_text(struct many_show *show, const json_t *event)
{
	static const struct {
		const char *name;
		void (*print)(struct many_show *show, const json_t *event);
	} events[] = {
		{ "exception", exception },
		{ "login", login },
		{ "mailbox-ended", ended },
		{ "mailbox-parked", parked },
		{ "mailbox-plan", plan },
		{ "server", server },
		{ "waiting", waiting },
	};

	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (strcmp(word(event, "event"), events[i].name) == 0)
			events[i].print(show, event);
	fflush(stdout);
}

void many_tell(struct many_show *show, json_t *event)
{
	if (show->json) {
		char *line = json_dumps(event, JSON_COMPACT);

		printf("%s\n", line); /* in one piece */
		fflush(stdout);
		free(line);
	} else {
		many_text(show, event);
	}
	json_decref(event);
}

/* --- progress -------------------------------------------------------------------------------- */

static void progress_words(const struct many_progress *p, struct buf *to)
{
	char a[32], b[32], c[32], d[32], e[32];

	buf_appendf(to, "%s of %s mailboxes  %s at work", show_count(a, p->done + p->failed),
		    show_count(b, p->mailboxes), show_count(c, p->active));
	if (p->parked)
		buf_appendf(to, "  %s parked", show_count(d, p->parked));
	if (p->failed)
		buf_appendf(to, "  %s failed", show_count(d, p->failed));
	buf_appendf(to, "  %s messages  %s  %s/s", show_count(a, p->messages),
		    show_bytes(d, p->bytes), show_bytes(e, p->bytes_per_second));
}

void many_draw(struct many_show *show, const struct many_progress *progress)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL, line = BUF_NULL;

	if (show->quiet)
		return;

	if (show->progress) {
		progress_words(progress, &text);
		utf8_truncate(&line, buf_bytes(&text), show->columns > 1 ? show->columns - 1 : 79);
		fprintf(stderr, "\r\033[K%s", buf_str(&line));
		show->line_drawn = true;
		return;
	}

	if (!show->printed_us)
		show->printed_us = run_now();
	if (run_now() - show->printed_us < print_every_us)
		return;
	show->printed_us = run_now();
	if (show->json) {
		many_tell(show, many_progress(progress));
		return;
	}
	progress_words(progress, &text);
	printf("  … %s\n", buf_str(&text));
	fflush(stdout);
}
