/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's parts: none of them ends in silence. */
#include "gateway/keeper.h"
#include "lib/check.h"

struct part {
	struct keeper *k;
	int result; /* after a while; 1: it waits until it is told to stop */
	bool was_cancelled;
};

SUSPENDS static int run_part(void *arg, struct fault *fault)
{
	struct part *part = arg;

	if (run_sleep(part->result == 1 ? MINUTE : 10 * MSEC, fault) < 0) {
		part->was_cancelled = true;
		return -1;
	}
	return part->result < 0 ? fault_local(fault, "the disk is gone") : 0;
}

struct scene {
	struct check *check;
	int result;
	const char *want;
};

SUSPENDS static int scene(void *arg, struct fault *fault)
{
	struct scene *s = arg;
	struct check *check = s->check;
	struct keeper k = { .seed = { 1, 2 } };
	struct part lasting = { &k, 1, false }, ending = { &k, s->result, false };
	struct nursery nursery;
	int r = 0;

	_deadline_(10 * SECOND);

	nursery_init(&nursery, "keeper");
	waiters_init(&k.changed);
	k.nursery = &nursery;
	keeper_start(&k, run_part, &lasting, "lasting");
	keeper_start(&k, run_part, &ending, "ending");
	while (r == 0 && !k.failed.kind)
		r = waiters_wait(&k.changed, "news", fault);
	nursery_done(&nursery);
	EXPECT(r == 0);
	EXPECT(strcmp(k.failed.text, s->want) == 0 && k.failed.kind == FAULT_LOCAL);
	EXPECT(lasting.was_cancelled);
	return 0;
}

static void play(struct check *check, int result, const char *want)
{
	struct scene s = { check, result, want };
	struct fault fault;

	CHECK_EQ(run_main("main", scene, &s, &fault), 0);
}

static void a_part_that_fails(struct check *check)
{
	play(check, -1, "the disk is gone");
}

static void a_part_that_ends(struct check *check)
{
	play(check, 0, "the keeper's ending ended unasked");
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "a part that fails", a_part_that_fails },
		{ "a part that ends", a_part_that_ends },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
