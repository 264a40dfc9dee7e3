/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/link.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "net/testing.h"

enum { SEED = 20261201, FRAMES = 3000 };

/* Frames that follow from a seed; the reader draws the same. */
static size_t draw(struct rand *rand, char *payload, uint16_t *type, uint64_t *id)
{
	size_t n = (size_t)rand_below(rand, rand_below(rand, 20) ? 300 : LINK_PAYLOAD_MAX + 1);

	*type = (uint16_t)(1 + rand_below(rand, 7));
	*id = rand_u64(rand);
	memset(payload, (int)*id, n);
	return n;
}

struct pair {
	struct check *check;
	struct link *a, *b;
};

static int send_all(void *arg, struct fault *fault)
{
	struct pair *pair = arg;
	char *payload = xmalloc(LINK_PAYLOAD_MAX);
	struct rand rand;
	int r = 0;

	rand_init(&rand, SEED);
	for (int i = 0; i < FRAMES && r == 0; i++) {
		uint16_t type;
		uint64_t id;
		size_t n = draw(&rand, payload, &type, &id), first = n / 3;

		link_put(pair->a, type, id, (struct bytes){ payload, first }, (struct bytes){ payload + first, n - first });
		r = link_wait_room(pair->a, fault);
	}
	free(payload);
	return r;
}

static int receive_all(struct check *check, size_t max_read, struct fault *fault)
{
	_cleanup_(nursery_done) struct nursery nursery;
	char *payload = xmalloc(LINK_PAYLOAD_MAX);
	struct stream *a, *b;
	struct pair pair = { check, NULL, NULL };
	struct rand rand;
	int r = 1;

	memory_stream_pair(max_read, &a, &b);
	pair.a = link_new(a, 7);
	pair.b = link_new(b, 7);
	nursery_init(&nursery, "sender");
	nursery_start(&nursery, send_all, &pair, "sender");
	rand_init(&rand, SEED);
	for (int i = 0; i < FRAMES && r == 1; i++) {
		struct link_frame frame;
		uint16_t type;
		uint64_t id;
		size_t n = draw(&rand, payload, &type, &id);

		r = link_next(pair.b, &frame, fault);
		if (r == 1 && !EXPECT(frame.type == type && frame.id == id &&
				      bytes_equal(frame.payload, (struct bytes){ payload, n })))
			break;
	}
	EXPECT(r == 1);
	r = nursery_wait(&nursery, fault);
	link_free(pair.a);
	if (r == 0) {
		struct link_frame frame;

		EXPECT(!link_has_frame(pair.b));
		EXPECT(link_next(pair.b, &frame, fault) == 0);
	}
	link_free(pair.b);
	free(payload);
	return r;
}

static int any_split(void *arg, struct fault *fault)
{
	static const size_t reads[] = { 0, 1000, 17 };

	for (size_t i = 0; i < ARRAY_SIZE(reads); i++)
		if (receive_all(arg, reads[i], fault) < 0)
			return -1;
	return 0;
}

static void splits(struct check *check)
{
	printf("# seed %d\n", SEED);
	in_fiber(check, any_split);
}

/* What no peer of ours would send. */
static int hostile(void *arg, struct fault *fault)
{
	static const struct {
		struct bytes raw;
		const char *said;
	} cases[] = {
		{ BYTES("\xff\xff\xff\xff\1\0\0\0\0\0\0\0\0\0\0\0"), "no frame" },
		{ BYTES("\1\0\1\0\1\0\0\0\0\0\0\0\0\0\0\0"), "no frame" },
		{ BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "no frame" },
		{ BYTES("\0\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0"), "no frame" },
		{ BYTES("\0\0\0\0\1\0\1\0\0\0\0\0\0\0\0\0"), "no frame" },
		{ BYTES("\5\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0abcd"), "in the middle" },
		{ BYTES("\5\0\0"), "in the middle" },
	};
	struct check *check = arg;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fault said = FAULT_INIT;
		struct link_frame frame;
		struct stream *a, *b;
		struct link *link;

		memory_stream_pair(0, &a, &b);
		link = link_new(b, 3);
		if (stream_write(a, cases[i].raw, fault) < 0)
			return -1;
		stream_free(a);
		EXPECT(link_next(link, &frame, &said) == -1);
		EXPECT(said.kind == FAULT_PROTOCOL && strstr(said.text, cases[i].said));
		link_free(link);
	}
	return 0;
}

static void lies(struct check *check)
{
	in_fiber(check, hostile);
}

/* Putting into a link whose peer is gone is no mistake; reading tells. */
static int gone(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct fault said = FAULT_INIT;
	struct link_frame frame;
	struct stream *a, *b;
	struct link *link;

	memory_stream_pair(0, &a, &b);
	link = link_new(b, 3);
	stream_free(a);
	for (int i = 0; i < 1000; i++)
		link_put(link, 1, 1, BYTES("x"), BYTES_NULL);
	EXPECT(link_next(link, &frame, &said) <= 0);
	link_free(link);
	return 0;
}

static void peer_gone(struct check *check)
{
	in_fiber(check, gone);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "any split", splits }, { "lies", lies }, { "the peer is gone", peer_gone }, { 0 },
	};

	return check_main(argc, argv, cases);
}
