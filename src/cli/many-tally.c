/* SPDX-License-Identifier: Apache-2.0 */
/* See many-tally.h. Memory is that of the waves and of forty sentences, however many mailboxes
 * there were. */
#include "cli/many-tally.h"

#include <stdio.h>

#include "cli/commands.h"
#include "cli/show.h"

static struct tally_line *line_of(struct tally *t, const char *wave)
{
	struct tally_line *line = map_get(&t->by_wave, bytes_of(wave));

	if (!line) {
		line = arena_alloc(&t->arena, sizeof(*line));
		line->wave = arena_strdup(&t->arena, wave);
		map_put(&t->by_wave, bytes_of(wave), line);
	}
	return line;
}

void tally_init(struct tally *t, const struct choice *choice)
{
	uint64_t seed;

	*t = (struct tally){ .took_us = 0 };
	run_random(&seed, sizeof(seed));
	map_init(&t->by_wave, seed);
	for (size_t i = 0; i < choice->n; i++)
		line_of(t, choice->mailboxes[i]->wave);
}

void tally_done(struct tally *t)
{
	map_done(&t->by_wave);
	arena_done(&t->arena);
}

/* --- adding ---------------------------------------------------------------------------------- */

static void add_books(struct tally_line *line, const struct fleet_status *s)
{
	line->source += s->source;
	line->present += s->present + s->moved;
	line->copied += s->copied;
	line->missing += s->excepted;
	line->changed += s->changed;
	line->bytes += s->copied_bytes;
	line->flags_changed += s->flags_changed;
	line->deleted += s->deleted;
	for (size_t i = 0; i < CAUSE_COUNT_; i++)
		line->causes[i] += s->causes[i];
}

static void add_to(struct tally_line *line, enum fleet_end end, const struct fleet_status *s)
{
	line->mailboxes++;
	line->done += end == FLEET_ENDED_DONE;
	line->excepted += end == FLEET_ENDED_DONE && s && s->exit_status == 1;
	line->failed += end == FLEET_ENDED_FAILED;
	line->stopped += end == FLEET_ENDED_STOPPED;
	line->held += end == FLEET_ENDED_HELD;
	if (s && end != FLEET_ENDED_HELD)
		add_books(line, s);
}

static void name(struct tally *t, struct tally_named *named, uint64_t before, const char *mailbox,
		 enum fleet_end end, const char *why)
{
	if (before >= TALLY_NAMED)
		return;

	named[before].mailbox = arena_strdup(&t->arena, mailbox);
	named[before].why = arena_strdup(&t->arena, why);
	named[before].end = end;
}

void tally_add(struct tally *t, const char *mailbox, const char *wave, enum fleet_end end,
	       const struct fleet_status *status, const char *why)
{
	if (end == FLEET_ENDED_SKIPPED)
		return;

	if (end == FLEET_ENDED_FAILED)
		name(t, t->failed, t->total.failed, mailbox, end, why);
	if (end == FLEET_ENDED_HELD)
		name(t, t->held, t->total.held, mailbox, end, why);
	add_to(&t->total, end, status);
	add_to(line_of(t, wave), end, status);
}

int tally_exit_status(const struct tally *t)
{
	int status = EXIT_DONE;

	if (t->total.excepted)
		status = EXIT_EXCEPTIONS;
	if (t->total.failed || t->total.stopped || t->total.held)
		status = EXIT_STOPPED;
	return t->status > status ? t->status : status;
}

/* --- tables ---------------------------------------------------------------------------------- */

static void print_line(const struct tally_line *line, size_t columns)
{
	const char *wave = !line->wave ? "total" : line->wave[0] ? line->wave : "no wave";
	char a[32], b[32], c[32], d[32], e[32], f[32], g[32];

	fputs("  ", stdout);
	show_cell(bytes_of(wave), columns);
	printf(" %10s %10s %10s %8s %8s %11s %10s\n", show_count(a, line->mailboxes),
	       show_count(b, line->done), show_count(c, line->excepted),
	       show_count(d, line->failed), show_count(e, line->stopped + line->held),
	       show_count(f, line->copied), show_bytes(g, line->bytes));
}

static size_t widest(const struct tally *t)
{
	struct map_entry entry;
	size_t at = 0, columns = 7;

	while (map_next(&t->by_wave, &at, &entry))
		if (entry.key.n > columns)
			columns = entry.key.n;
	return columns < 24 ? columns : 24;
}

static void print_waves(const struct tally *t)
{
	bool one = map_count(&t->by_wave) == 1, named = false;
	size_t columns = widest(t), at = 0;
	struct map_entry entry;

	printf("\n  ");
	show_cell(BYTES("wave"), columns);
	printf(" %10s %10s %10s %8s %8s %11s %10s\n", "mailboxes", "done", "exceptions", "failed",
	       "not done", "copied", "size");
	while (map_next(&t->by_wave, &at, &entry)) {
		named = one && entry.key.n; /* a single wave is the total */
		if (!one || named)
			print_line(entry.value, columns);
	}
	if (!named)
		print_line(&t->total, columns);
}

static void print_causes(const struct tally_line *total)
{
	const char *before = "\nExceptions by cause: ";
	char count[32];

	for (size_t i = 0; i < CAUSE_COUNT_; i++) {
		if (!total->causes[i])
			continue;
		printf("%s%s %s%s", before, books_cause_name(i),
		       show_count(count, total->causes[i]),
		       books_cause_loses(i) ? " (not at the destination)" : "");
		before = ", ";
	}
	if (before[0] == ',')
		printf("\n");
}

static void print_named(const char *what, const struct tally_named *named, uint64_t n)
{
	char count[32];

	if (!n)
		return;

	printf("\n%s (%s):\n", what, show_count(count, n));
	for (uint64_t i = 0; i < n && i < TALLY_NAMED; i++) {
		fputs("  ", stdout);
		show_name(stdout, bytes_of(named[i].mailbox));
		fputs(": ", stdout);
		show_name(stdout, bytes_of(named[i].why));
		fputc('\n', stdout);
	}
	if (n > TALLY_NAMED)
		printf("  … and %s more\n", show_count(count, n - TALLY_NAMED));
}

static void print_books(const struct tally_line *l, uint64_t open)
{
	bool close = l->source == l->present + l->copied + l->missing + l->changed;
	char a[32], b[32], c[32], d[32], e[32];

	if (!open || l->source)
		printf("\nsource %s = present %s + copied %s + excepted %s + changed meanwhile %s%s",
		       show_count(a, l->source), show_count(b, l->present), show_count(c, l->copied),
		       show_count(d, l->missing), show_count(e, l->changed),
		       !close ? ", and the rest not reached" : open ? "" : ": the books close");
	if (open)
		printf("%s%s mailbox%s not gone through", l->source ? "; " : "\n", show_count(a, open),
		       open == 1 ? " was" : "es were");
	puts(".");
}

void tally_show(const struct tally *t, bool dry)
{
	const struct tally_line *l = &t->total;
	uint64_t tried = l->done + l->failed;
	double seconds = (double)(t->took_us > 0 ? t->took_us : 1) / (double)SECOND;
	char a[32], b[32], c[32];

	if (!dry)
		print_waves(t);
	print_causes(l);
	print_named("Failed", t->failed, l->failed);
	print_named("In use by other processes", t->held, l->held);
	if (l->stopped)
		printf("\n%s mailbox%s not reached or not finished: the same command goes on%s.\n",
		       show_count(a, l->stopped), l->stopped == 1 ? " was" : "es were",
		       t->given_up ? ", once what it was given up for is mended" : "");
	if (dry)
		printf("\nNothing was changed. Those looked at hold %s messages, %s, at the source.\n",
		       show_count(a, t->planned), show_bytes(b, t->planned_bytes));
	else
		print_books(l, l->failed + l->held + l->stopped);
	printf("%s mailbox%s in %s", show_count(a, tried), tried == 1 ? "" : "es", show_duration(b, t->took_us));
	if (l->copied)
		printf(": %.1f mailboxes/s, %s/s", (double)tried / seconds,
		       show_bytes(c, (uint64_t)((double)l->bytes / seconds)));
	puts(".");
	fflush(stdout);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static json_t *line_json(const struct tally_line *l)
{
	json_t *causes = json_object();
	json_t *object = json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"mailboxes", (json_int_t)l->mailboxes, "done", (json_int_t)l->done,
		"with_exceptions", (json_int_t)l->excepted, "failed", (json_int_t)l->failed,
		"stopped", (json_int_t)l->stopped, "held", (json_int_t)l->held, "source",
		(json_int_t)l->source, "present", (json_int_t)l->present, "copied",
		(json_int_t)l->copied, "excepted", (json_int_t)l->missing, "changed",
		(json_int_t)l->changed, "bytes", (json_int_t)l->bytes, "flags_changed",
		(json_int_t)l->flags_changed, "deleted", (json_int_t)l->deleted);

	for (size_t i = 0; i < CAUSE_COUNT_; i++)
		if (l->causes[i])
			json_object_set_new(causes, books_cause_name(i),
					    json_integer((json_int_t)l->causes[i]));
	json_object_set_new(object, "exceptions", causes);
	return object;
}

json_t *tally_json(const struct tally *t)
{
	json_t *object = line_json(&t->total), *waves = json_object();
	struct map_entry entry;
	size_t at = 0;

	while (map_next(&t->by_wave, &at, &entry))
		json_object_set_new(waves, ((struct tally_line *)entry.value)->wave,
				    line_json(entry.value));
	json_object_set_new(object, "event", json_string("summary"));
	json_object_set_new(object, "waves", waves);
	json_object_set_new(object, "milliseconds", json_integer(t->took_us / MSEC));
	json_object_set_new(object, "exit_status", json_integer(tally_exit_status(t)));
	return object;
}
