/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's parts, and what it says of itself: to whoever watches, and to the journal. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/events.h"
#include "gateway/keep.h"
#include "gateway/metrics.h"

/* --- parts ----------------------------------------------------------------------------------- */

struct part_of_keeper {
	struct keeper *k;
	fiber_fn fn;
	void *arg;
	const char *name;
};

SUSPENDS static int run_part(void *arg, struct fault *fault)
{
	struct part_of_keeper part = *(struct part_of_keeper *)arg;
	struct keeper *k = part.k;
	int r;

	free(arg);
	r = part.fn(part.arg, fault);
	if (r >= 0 && !k->is_stopping)
		r = fault_local(fault, "the keeper's %s ended unasked", part.name);
	if (r < 0 && !k->failed.kind)
		k->failed = *fault;
	waiters_wake_all(&k->changed);
	return r;
}

void keeper_start(struct keeper *k, fiber_fn fn, void *arg, const char *name)
{
	struct part_of_keeper *part = xmalloc(sizeof(*part));

	*part = (struct part_of_keeper){ k, fn, arg, name };
	nursery_start(k->nursery, run_part, part, "%s", name);
}

/* --- what it says ---------------------------------------------------------------------------- */

struct note {
	struct keeper *k;
	char *kind, *text;
};

/* A journal that cannot be written is found by everybody else. */
SUSPENDS static int put_note(void *arg, struct fault *fault)
{
	struct note *note = arg;
	struct journal_note record = { .kind = bytes_of(note->kind), .text = bytes_of(note->text) };

	(void)queue_note(note->k->queue, JOURNAL_NOTE, &record, fault);
	free(note->kind);
	free(note->text);
	free(note);
	return 0;
}

void keeper_note_quietly(struct keeper *k, const char *kind, const char *text)
{
	struct note *note;

	if (!k->queue || !k->nursery)
		return;
	note = xmalloc(sizeof(*note));
	*note = (struct note){ k, xstrdup(kind), xstrdup(text) };
	nursery_start(k->nursery, put_note, note, "note");
}

/* Who does not read what is shown keeps no mail waiting: it is in the journal, and that some was dropped is said later. */
static void show(struct keeper *k, bool is_alarm, const char *kind, const char *text)
{
	char missed[80];

	snprintf(missed, sizeof(missed), "%u lines were dropped, nobody read them", k->unshown);
	if (k->unshown && k->show(true, "stderr", missed))
		k->unshown = 0;
	if (!k->show(is_alarm, kind, text))
		k->unshown++;
}

PRINTF_LIKE(4, 0) static void say(struct keeper *k, bool is_alarm, const char *kind, const char *format, va_list args)
{
	char text[600];

	vsnprintf(text, sizeof(text), format, args);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	if (is_alarm && k->metrics)
		metrics_alarm(k->metrics, kind);
	if (k->events)
		events_note(k->events, is_alarm, kind, text);
	if (k->show)
		show(k, is_alarm, kind, text);
	keeper_note_quietly(k, kind, text);
}

void keeper_alarm(struct keeper *k, const char *kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(k, true, kind, format, args);
	va_end(args);
}

void keeper_note(struct keeper *k, const char *kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(k, false, kind, format, args);
	va_end(args);
}

void keeper_seen(void *arg, const struct book *book, enum journal_type type, const void *record, uint64_t sequence,
		 int64_t wall_us)
{
	struct keeper *k = arg;

	if (k->metrics)
		metrics_record(k->metrics, book, type, record, wall_us);
	if (k->events)
		events_record(k->events, book, type, record, sequence, wall_us);
}

int keeper_take_routes(struct keeper *k, struct fault *fault)
{
	while (k->are_routes_taken)
		if (waiters_wait(&k->routes_given, "the table of routes", fault) < 0)
			return -1;
	k->are_routes_taken = true;
	return 0;
}

void keeper_give_routes(struct keeper *k)
{
	k->are_routes_taken = false;
	keep_look(k->keep);
	waiters_wake_one(&k->routes_given);
}
