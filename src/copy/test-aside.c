/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that are never available: set aside while others may go through, and given up in the end; never for a server that
 * says so of all of them. No server is needed: what is told is noted, what follows is decided. */
#include <limits.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/worker.h"
#include "lib/check.h"

struct world {
	struct copy copy;
	struct copy_worker worker;
	struct copy_folder folder;
	struct copy_pass pass;
	struct fault fault;
	int64_t now;
	unsigned tries;
};

static void world_done(struct world *w)
{
	copy_pass_forget_put_off(&w->pass);
	free(w->pass.put_off);
	imap_messages_done(&w->pass.messages);
}

static void world_init(struct world *w, size_t n)
{
	world_done(w); /* the last one's */
	memset(w, 0, sizeof(*w));
	w->now = HOUR;
	w->worker.copy = &w->copy;
	w->pass.worker = &w->worker;
	w->pass.folder = &w->folder;
	imap_messages_init(&w->pass.messages);
	w->pass.messages.p = xzalloc(n * sizeof(*w->pass.messages.p));
	w->pass.messages.n = n;
	for (size_t i = 0; i < n; i++)
		w->pass.messages.p[i].uid = 10 + (uint32_t)i;
	copy_aside_begin(&w->pass);
	fault_set(&w->fault, FAULT_LIMIT, REACH_MAILBOX, AGAIN_LATER, "later");
}

/* As feed.c takes them: those set aside only when there are no others. */
static struct imap_message *next(struct world *w, size_t first)
{
	for (size_t i = first; i < w->pass.messages.n; i++) {
		struct imap_message *m = &w->pass.messages.p[i];

		if ((m->state & MESSAGE_STATE_MASK) == MESSAGE_WAITING &&
		    (w->pass.aside.only || !(m->state & MESSAGE_ASIDE)))
			return m;
	}
	return NULL;
}

/* One message is sent. Bit i of bad: number i is told to wait, which takes a minute. False: nothing is left. */
static bool try(struct world *w, unsigned bad)
{
	struct imap_message *m = next(w, copy_aside_decide(&w->pass, w->now));

	if (!m)
		return false;
	w->tries++;
	if (bad & 1u << (m - w->pass.messages.p) % 32) {
		copy_aside_note(&w->pass, m, &w->fault, w->now);
		w->now += MINUTE;
		return true;
	}
	m->state |= MESSAGE_COPIED;
	w->folder.copied++;
	return true;
}

static void run(struct world *w, unsigned bad)
{
	while (w->tries < 1000 && try(w, bad))
		;
}

static bool is_given_up(const struct world *w, uint32_t uid)
{
	for (size_t i = 0; i < w->pass.put_off_n; i++)
		if (w->pass.put_off[i].message->uid == uid)
			return w->pass.put_off[i].cause == CAUSE_UNAVAILABLE &&
			       strstr(w->pass.put_off[i].detail, "later");

	return false;
}

static void others_pass(struct check *check)
{
	static struct world w;

	world_init(&w, 6);
	run(&w, 1 << 1 | 1 << 2 | 1 << 5);
	CHECK(w.folder.copied == 3 && w.pass.put_off_n == 3);
	CHECK(is_given_up(&w, 11) && is_given_up(&w, 12) && is_given_up(&w, 15));
	CHECK(w.tries == 1 + 3 + 1 + 2 + 3 + 3); /* first, two told, two copied, the last told, and each once more */
}

/* It came last; what else was under way went through after it was told. */
static void others_passed_already(struct check *check)
{
	static struct world w;

	world_init(&w, 5);
	copy_aside_note(&w.pass, &w.pass.messages.p[0], &w.fault, w.now);
	for (size_t i = 1; i < 5; i++)
		w.pass.messages.p[i].state |= MESSAGE_COPIED;
	w.folder.copied = 4;
	run(&w, 1);
	CHECK(w.pass.put_off_n == 1 && is_given_up(&w, 10));
	CHECK(w.tries == 3);
}

static void nobody_passes(struct check *check)
{
	static struct world w;
	int64_t began;

	world_init(&w, 4);
	began = w.now;
	run(&w, 15);
	CHECK(w.pass.put_off_n == 4);
	CHECK(w.now - began == 30 * MINUTE || w.now - began == 31 * MINUTE);
}

/* Whatever a server that is busy for less than half an hour says to whom, nothing is given up. */
static void server_is_busy(struct check *check)
{
	for (unsigned busy = 0; busy < 30; busy++) {
		static struct world w;

		world_init(&w, 3);
		for (unsigned i = 0; i < busy; i++)
			try(&w, 7);
		run(&w, 0);
		CHECK(w.folder.copied == 3 && w.pass.put_off_n == 0);
	}
}

/* A window that is larger than can be tried in half an hour: nothing is given up before all were tried. */
static void server_is_busy_for_long(struct check *check)
{
	static struct world w;

	world_init(&w, 60);
	for (unsigned i = 0; i < 60; i++)
		try(&w, UINT_MAX);
	run(&w, 0);
	CHECK(w.folder.copied == 60 && w.pass.put_off_n == 0);
}

/* One that is told now and then, with others copied between, is no such message. */
static void now_and_then(struct check *check)
{
	static struct world w;

	world_init(&w, 8);
	for (unsigned i = 0; i < 8; i++) {
		try(&w, 0xff);
		try(&w, 0xff);
		try(&w, 0);
	}
	CHECK(w.folder.copied == 8 && !try(&w, 0) && w.pass.put_off_n == 0);
}

/* The pass before gave them up: told once, and the last. */
static void given_up_before(struct check *check)
{
	static struct world w;

	world_init(&w, 3);
	w.pass.messages.p[0].state |= MESSAGE_ASIDE | MESSAGE_ASIDE_BEFORE;
	w.pass.messages.p[1].state |= MESSAGE_ASIDE | MESSAGE_ASIDE_BEFORE;
	run(&w, 1);
	CHECK(w.folder.copied == 2 && w.pass.put_off_n == 1 && is_given_up(&w, 10) && w.tries == 3);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "others pass", others_pass },
		{ "others passed already", others_passed_already },
		{ "nobody passes", nobody_passes },
		{ "a server is busy", server_is_busy },
		{ "a server is busy for long", server_is_busy_for_long },
		{ "now and then", now_and_then },
		{ "given up before", given_up_before },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
