/* SPDX-License-Identifier: Apache-2.0 */
/* See loops.h. Counts are kept in a table of a fixed size, four places for each hash; of four the one seen longest ago
 * makes room. */
#include "gateway/loops.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "journal/format.h"

enum { SETS = 1 << 14, WAYS = 4, TEXT_MAX = 4096 };

struct count {
	uint64_t key;
	int64_t first, last; /* moments */
	uint32_t n;
};

struct loops {
	uint64_t seed[2];
	struct count sets[SETS][WAYS];
};

struct loops *loops_new(const uint64_t seed[2])
{
	struct loops *loops = xzalloc(sizeof(*loops));

	loops->seed[0] = seed[0];
	loops->seed[1] = seed[1];
	return loops;
}

struct loops *loops_free(struct loops *loops)
{
	free(loops);
	return NULL;
}

/* How often this key was seen within the window, this time included. */
static uint32_t count(struct loops *loops, uint64_t key, int64_t now)
{
	struct count *set = loops->sets[key % SETS], *oldest = set;

	key |= 1; /* 0 is an empty place */
	for (unsigned i = 0; i < WAYS; i++) {
		struct count *c = &set[i];

		if (c->key == key && now - c->first <= LOOPS_WINDOW) {
			c->last = now;
			return ++c->n;
		}
		if (c->key == key || c->last < oldest->last)
			oldest = c;
		if (c->key == key)
			break;
	}
	*oldest = (struct count){ .key = key, .first = now, .last = now, .n = 1 };
	return 1;
}

static void uncount(struct loops *loops, uint64_t key)
{
	struct count *set = loops->sets[key % SETS];

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].key == (key | 1) && set[i].n > 0)
			set[i].n--;
}

/* What is counted of a sight: 0 where it has none. */
static uint64_t return_key(const struct loops *loops, const struct loops_sight *sight, struct bytes key)
{
	uint64_t of_key = siphash13(loops->seed[0], loops->seed[1], key);

	return sight->origin ? of_key ^ sight->origin * UINT64_C(0x9e3779b97f4a7c15) : 0;
}

/* A text alone may repeat for good reasons, as monitors' do. */
static uint64_t repeat_key(const struct loops *loops, const struct loops_sight *sight, struct bytes key)
{
	uint64_t of_key = siphash13(loops->seed[0], loops->seed[1], key);

	if (!sight->text || !sight->message_id.n)
		return 0;
	return of_key + siphash13(loops->seed[0] ^ sight->text, loops->seed[1], sight->message_id);
}

enum loops_sign loops_see(struct loops *loops, const struct loops_sight *sight, struct bytes key, int64_t now)
{
	uint64_t returned = return_key(loops, sight, key), repeated = repeat_key(loops, sight, key);
	bool returns = returned && count(loops, returned, now) >= LOOPS_RETURNS;
	bool repeats = repeated && count(loops, repeated, now) >= LOOPS_REPEATS;

	if (sight->received > sight->received_limit)
		return LOOPS_RECEIVED;
	if (returns)
		return LOOPS_TOKEN;
	return repeats ? LOOPS_REPEATED : LOOPS_NONE;
}

void loops_unsee(struct loops *loops, const struct loops_sight *sight, struct bytes key)
{
	uint64_t returned = return_key(loops, sight, key), repeated = repeat_key(loops, sight, key);

	if (returned)
		uncount(loops, returned);
	if (repeated)
		uncount(loops, repeated);
}

uint64_t loops_text(const struct loops *loops, struct bytes content)
{
	ptrdiff_t at = bytes_find(content, BYTES("\r\n\r\n"));
	struct bytes text = at < 0 ? BYTES_NULL : bytes_head(bytes_skip(content, (size_t)at + 4), TEXT_MAX);

	return text.n ? siphash13(loops->seed[0], ~loops->seed[1], text) | 1 : 0;
}

const char *loops_reason(enum loops_sign sign)
{
	switch (sign) {
	case LOOPS_RECEIVED:
		return "it goes round in circles: too many Received fields";
	case LOOPS_TOKEN:
		return "it goes round in circles: it has come back to this recipient before";
	case LOOPS_REPEATED:
		return "it goes round in circles: the same message came for this recipient again and again";
	case LOOPS_NONE:
		break;
	}
	return "";
}

/* --- tokens: RFC 2104 ------------------------------------------------------------------------ */

enum { BLOCK = 64 };

struct token_maker {
	struct journal_hash *hash;
	char inner[BLOCK], outer[BLOCK]; /* the key, padded */
};

struct token_maker *token_maker_new(const unsigned char key[TOKEN_KEY])
{
	struct token_maker *maker = xzalloc(sizeof(*maker));

	maker->hash = journal_hash_new();
	for (unsigned i = 0; i < BLOCK; i++) {
		unsigned char of_key = i < TOKEN_KEY ? key[i] : 0;

		maker->inner[i] = (char)(of_key ^ 0x36);
		maker->outer[i] = (char)(of_key ^ 0x5c);
	}
	return maker;
}

struct token_maker *token_maker_free(struct token_maker *maker)
{
	if (!maker)
		return NULL;

	journal_hash_free(maker->hash);
	free(maker);
	return NULL;
}

void token_make(struct token_maker *maker, struct bytes queue_id, unsigned char to[TOKEN_SIZE])
{
	unsigned char digest[JOURNAL_DIGEST];

	journal_hash(maker->hash, (struct bytes){ maker->inner, BLOCK }, queue_id, digest);
	journal_hash(maker->hash, (struct bytes){ maker->outer, BLOCK },
		     (struct bytes){ (const char *)digest, sizeof(digest) }, digest);
	memcpy(to, digest, TOKEN_SIZE);
}

bool token_is_good(struct token_maker *maker, struct bytes text, struct bytes *ret_queue_id)
{
	static const char digits[] = "0123456789abcdef";
	struct bytes rest = text, id = bytes_cut(&rest, ' ');
	unsigned char token[TOKEN_SIZE];
	unsigned differ = 0;

	if (rest.n != 2 * TOKEN_SIZE)
		return false;
	token_make(maker, id, token);
	/* In the same time whatever is wrong. */
	for (unsigned i = 0; i < TOKEN_SIZE; i++)
		differ |= (unsigned)(digits[token[i] >> 4] ^ rest.p[2 * i]) | (unsigned)(digits[token[i] & 15] ^ rest.p[2 * i + 1]);
	*ret_queue_id = id;
	return differ == 0;
}
