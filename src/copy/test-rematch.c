/* SPDX-License-Identifier: Apache-2.0 */
/* Who is whose mate, against mailboxes that are made up: first by hand, then by chance with what
 * must always hold. The servers are two functions here (struct rematch_wire) that note what they
 * are asked for. */
#include "copy/rematch-keys.h"

#include <stdio.h>

#include "base/map.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "lib/check.h"

/* What a message really is. Numbers stand for contents: equal numbers, equal contents; 0: it has
 * none. */
struct letter {
	unsigned header, body; /* both together are its bytes */
	unsigned id, core;
	unsigned size;
	bool vanished;   /* listed, but nothing of it can be fetched any more */
	bool unreadable; /* its header can, its body cannot */
	uint64_t told;   /* the size its server tells: once it is read, its item has the true one */
	bool foreign;    /* has nothing in common with anything at the other side */
	unsigned headers_asked, bodies_read;
};

enum { MOST = 120, SEEDS = 300 };

struct mailbox {
	struct rematch_side side;
	struct rematch_item items[MOST];
	struct letter letters[MOST];
	struct imap_session session;
	size_t headers_asked, bodies_read;
};

struct world {
	struct mailbox box[2];
};

static void fill(unsigned char *to, size_t n, uint64_t what, uint64_t which)
{
	for (size_t i = 0; i < n; i += 8) {
		uint64_t part =
			siphash13(what, i, (struct bytes){ (const char *)&which, sizeof(which) });

		memcpy(to + i, &part, 8);
	}
}

static void tell_header(struct rematch_item *item, const struct letter *l)
{
	item->has |= REMATCH_HEADER;
	if (l->header)
		fill(item->header, 16, 'h', l->header);
	if (l->core)
		fill(item->core, 16, 'c', l->core);
	item->id = l->id;
}

static void tell_digest(struct rematch_item *item, const struct letter *l)
{
	item->has |= REMATCH_DIGEST;
	item->size = l->size;
	fill(item->digest, 32, 'b', (uint64_t)l->header << 32 | l->body);
}

static int made_up_headers(void *arg, struct rematch_side *side, const uint32_t *want, size_t n,
			   struct fault *fault)
{
	struct world *world = arg;
	struct mailbox *box = &world->box[side == &world->box[1].side];

	for (size_t i = 0; i < n; i++) {
		struct letter *l = &box->letters[want[i]];

		box->headers_asked++;
		l->headers_asked++;
		if (l->vanished)
			side->p[want[i]].has |= REMATCH_NO_HEADER;
		else
			tell_header(&side->p[want[i]], l);
	}
	return 0;
}

static int made_up_digests(void *arg, struct rematch_side *side, const uint32_t *want, size_t n,
			   struct fault *fault)
{
	struct world *world = arg;
	struct mailbox *box = &world->box[side == &world->box[1].side];

	for (size_t i = 0; i < n; i++) {
		struct letter *l = &box->letters[want[i]];

		box->bodies_read++;
		l->bodies_read++;
		if (l->vanished || l->unreadable)
			side->p[want[i]].has |= REMATCH_NO_BODY;
		else
			tell_digest(&side->p[want[i]], l);
	}
	return 0;
}

static struct world *world_new(void)
{
	struct world *world = xzalloc(sizeof(*world));

	for (unsigned s = 0; s < 2; s++) {
		struct mailbox *box = &world->box[s];

		box->session.selected.is_selected = true;
		box->side = (struct rematch_side){ .p = box->items, .session = &box->session };
	}
	return world;
}

static struct rematch_item *add(struct mailbox *box, const struct letter *l, int64_t date)
{
	size_t n = box->side.n++;

	box->letters[n] = *l;
	box->items[n] = (struct rematch_item){
		.uid = (uint32_t)(3 * n + 1), .size = l->size, .date = date,
	};
	return &box->items[n];
}

static int rematch(struct world *world, bool prove)
{
	struct rematch_wire wire = { made_up_headers, made_up_digests, world };
	struct fault fault;

	return rematch_by_wire(&wire, &world->box[0].side, &world->box[1].side, prove, &fault);
}

/* --- by hand --------------------------------------------------------------------------------- */

/* A side is a list of messages, "h1 b1, h2 b2 d7": the numbers of header and body; d date, s size (both
 * may be "?"), i Message-ID and c core (else as h); H its header is known from the start, K its digest
 * is, x vanished, n unreadable. "-" before all: there is no server to ask. */
static void read_message(struct check *check, struct mailbox *box, const char *text, size_t n)
{
	struct letter l = { .size = 100, .id = UINT32_MAX, .core = UINT32_MAX };
	struct rematch_item *item;
	int64_t date = 1;
	bool no_size = false, header = false, digest = false;

	for (size_t i = 0; i < n; i++) {
		unsigned number = (unsigned)strtoul(text + i + 1, NULL, 10);

		switch (text[i]) {
		case 'h': l.header = number; break;
		case 'b': l.body = number; break;
		case 'i': l.id = number; break;
		case 'c': l.core = number; break;
		case 'd': date = text[i + 1] == '?' ? INT64_MIN : number; break;
		case 's': no_size = text[i + 1] == '?'; l.size = no_size ? l.size : number; break;
		case 'H': header = true; break;
		case 'K': digest = true; break;
		case 'x': l.vanished = true; break;
		case 'n': l.unreadable = true; break;
		case '-': box->side.session = NULL; break;
		default: CHECK(strchr(" ?0123456789", text[i])); break;
		}
	}
	l.id = l.id == UINT32_MAX ? l.header : l.id;
	l.core = l.core == UINT32_MAX ? l.header : l.core;
	item = add(box, &l, date);
	if (header)
		tell_header(item, &l);
	if (digest)
		tell_digest(item, &l);
	item->size = no_size ? 0 : l.size;
}

static void read_side(struct check *check, struct mailbox *box, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ",");

		read_message(check, box, text, n);
		text += n + (text[n] == ',');
	}
}

/* "0=2 1~0": the first is the third's mate, the second the first's, in other bytes. */
static void show(const struct world *world, char *to, size_t size)
{
	const struct rematch_side *a = &world->box[0].side;
	size_t n = 0;

	to[0] = '\0';
	for (size_t i = 0; i < a->n; i++)
		if (a->p[i].mate)
			n += (size_t)snprintf(to + n, size - n, "%s%zu%c%u", n ? " " : "", i,
					      a->p[i].differs ? '~' : '=', a->p[i].mate - 1);
}

static const struct {
	const char *what, *a, *b;
	bool prove;
	const char *want;
	unsigned headers, bodies; /* asked for at both sides together */
} by_hand[] = {
	{ "nothing here, nothing asked", "", "h1 b1, h2 b2", false, "", 0, 0 },
	{ "one to one", "h1 b1, h2 b2 d2", "h2 b2 d2, h1 b1", false, "0=1 1=0", 4, 0 },
	{ "only those that could be are asked for", "h1 b1 d1, h2 b2 d2, h3 b3 d3", "h2 b2 d2",
	  false, "1=0", 2, 0 },
	{ "all when something is left at both", "h1 b1 d1, h2 b2 d2", "h2 b2 d2, h4 b4 d4", false,
	  "1=0", 4, 0 },
	{ "what is known is not asked for", "-h1 b1 H, h2 b2 H d2", "h2 b2 d2, h1 b1", false,
	  "0=1 1=0", 2, 0 },
	{ "another date", "h1 b1 d1", "h1 b1 d2", false, "0=0", 2, 0 },
	{ "another size is told", "h1 b1 s90", "h1 b1 s30", false, "0=0", 2, 0 },
	{ "no size, no date", "h1 b1 s? d1, h2 b2 s90 d?", "h2 b2 d2 s90, h1 b1 d1 s?", false,
	  "0=1 1=0", 4, 0 },
	{ "proved", "h1 b1", "h1 b1", true, "0=0", 2, 2 },
	{ "not the same", "h1 b1", "h1 b2", true, "0~0", 2, 2 },
	{ "not asked, not known", "h1 b1", "h1 b2", false, "0=0", 2, 0 },
	{ "known to differ", "h1 b1 K", "h1 b2 K", false, "0~0", 2, 0 },
	{ "… and nothing to know it by", "h1 b1 i0 c0", "h1 b2 i0 c0", true, "", 2, 2 },

	{ "twins in order", "h1 b1, h1 b1, h2 b2", "h2 b2, h1 b1, h1 b1", false, "0=1 1=2 2=0", 6,
	  4 },
	{ "more twins here", "h1 b1, h1 b1, h1 b1", "h1 b1, h1 b1", false, "0=0 1=1", 5, 5 },
	{ "near twins by their bytes", "h1 b1, h1 b2", "h1 b2, h1 b1", false, "0=1 1=0", 4, 4 },
	{ "… by their dates", "h1 b1 d1, h1 b2 d2", "h1 b2 d2, h1 b1 d1", false, "0=1 1=0", 4, 0 },
	{ "… believed while nothing speaks against it", "h1 b1 d1, h1 b2 d2, h5 b5",
	  "h1 b2 d2, h1 b1 d1, h6 b6", false,
	  "0=1 1=0", 6, 0 },
	{ "one of two near twins", "h1 b1, h1 b2", "h1 b2", false, "1=0", 3, 3 },
	{ "a date that is not known cannot tell twins apart", "h1 b1 d1, h1 b2 d?",
	  "h1 b1 d?, h1 b2 d1", false,
	  "0=0 1=1", 4, 4 },
	{ "dates and sizes that contradict", "h1 b1 s300 i0 c0, h1 b2 s100 i0 c0, h1 b3 s100 i0 c0",
	  "h1 b1 s100 i0 c0, h1 b2 s300 i0 c0, h1 b3 s100 i0 c0", false, "0=0 1=1 2=2", 6, 6 },
	{ "… with names", "h1 b1 s300, h1 b2 s100, h1 b3 s100",
	  "h1 b1 s100, h1 b2 s300, h1 b3 s100", false,
	  "0=0 1=1 2=2", 6, 6 },
	{ "what is left at one side alone is no contradiction", "h1 b1 d1 H, h1 b1 d2",
	  "h1 b1 d2", false, "1=0", 2, 0 },

	{ "rewritten", "h1 b1", "h2 b1 s150 i1 c1", false, "0~0", 2, 2 },
	{ "rewritten, and nothing else left to ask", "h1 b1, h2 b2 d2",
	  "h2 b2 d2, h3 b1 i1 c1 d9", false, "0~1 1=0", 4, 2 },
	{ "the same Message-ID, another subject", "h1 b1", "h2 b1 i1 c2", false, "", 2, 0 },
	{ "a core that was not kept", "-h1 b1 c0 H K", "h2 b1 i1 c1", false, "0~0", 1, 1 },
	{ "rewritten twins are any one's", "h1 b1, h1 b1",
	  "h2 b1 i1 c1, h2 b1 i1 c1, h2 b1 i1 c1", false, "0~0 1~1",
	  5, 5 },
	{ "two that are rewritten, told by the date", "h1 b1 d1, h2 b1 i1 c1 d2",
	  "h3 b1 i1 c1 d2, h4 b1 i1 c1 d1", false,
	  "0~1 1~0", 4, 4 },
	{ "… and not told", "h1 b1 d1, h2 b1 i1 c1 d2", "h3 b1 i1 c1 d3, h4 b1 i1 c1 d4", false,
	  "", 4, 4 },
	{ "a Message-ID was added", "h1 b1 i0", "h2 b1 i7 c1", false, "0~0", 2, 2 },
	{ "… on another day", "h1 b1 i0 d1", "h2 b1 i7 c1 d2", false, "", 2, 0 },
	{ "two Message-IDs are two messages", "h1 b1 i6", "h2 b1 i7 c1", false, "", 2, 0 },
	{ "who has none may be either's", "h1 b1 i5 c1, h2 b2 i6 c1", "h3 b1 i0 c1", false, "", 3,
	  3 },

	{ "headers that say nothing are not enough", "h1 b1 i0 c0", "h1 b2 i0 c0", false, "", 2,
	  2 },
	{ "… their bytes are", "h1 b1 i0 c0 d1", "h1 b1 i0 c0 d2", false, "0=0", 2, 2 },

	{ "rows without digests in order", "-h1 b1 H, h1 b1 H", "h1 b1, h1 b1", false, "0=0 1=1",
	  2, 0 },
	{ "… one of them has one", "-h1 b1 H, h1 b2 H K", "h1 b2, h1 b1", false, "0=1 1=0", 2, 2 },
	{ "… cannot be proved", "-h1 b1 H, h1 b1 H", "h1 b1, h1 b1", true, "0~0 1~1", 2, 2 },
	{ "rows of messages that are gone", "-h1 b1 H K, h2 b2 H K d2", "h2 b2 d9, h3 b3 d3",
	  false, "1=0", 2, 0 },
	{ "rows without header or digest", "-d1 s50, d2 s60", "h1 b1 d2 s60, h2 b2 d3 s50", false,
	  "1=0", 0, 0 },
	{ "… prove nothing", "-d1 s50", "h1 b1 d1 s50", true, "", 0, 0 },
	{ "… nor do two", "-d1 s50", "h1 b1 d1 s50, h2 b2 d1 s50", false, "", 0, 0 },

	{ "a digest whose message has left", "h1 b1 x K", "h1 b1 d7", true, "0=0", 2, 1 },
	{ "digests are all there is", "-h1 b1 K, h2 b2 K", "h2 b2 s30 d4, h9 b9 d5, h1 b1 d6", true,
	  "0=2 1=0", 0, 3 },
	{ "there is no header", "h0 b1, h2 b2 d2, h0 b2", "h2 b2 d2, h0 b1 d5, h0 b3 d7", false, "0=1 1=0",
	  6, 4 },
	{ "vanished ones are nobody's", "h1 b1 x, h2 b2", "h1 b1, h2 b2", false, "1=1", 4, 0 },
	{ "unreadable twins are left alone", "h1 b1 n, h1 b1 n", "h1 b1, h1 b1", false, "", 4, 4 },
	{ "… the last one is not", "h1 b1, h1 b2 n", "h1 b1, h1 b2", false, "0=0 1=1", 4, 4 },
	{ "unreadable, so not proved", "h1 b1", "h1 b1 n", true, "0~0", 2, 2 },
};

static void cases_by_hand(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(by_hand); i++) {
		_cleanup_(freep) struct world *world = world_new();
		size_t headers, read;
		char got[500];

		read_side(check, &world->box[0], by_hand[i].a);
		read_side(check, &world->box[1], by_hand[i].b);
		CHECK_EQ(rematch(world, by_hand[i].prove), 0);
		show(world, got, sizeof(got));
		headers = world->box[0].headers_asked + world->box[1].headers_asked;
		read = world->box[0].bodies_read + world->box[1].bodies_read;
		if (strcmp(got, by_hand[i].want) != 0 || headers != by_hand[i].headers ||
		    read != by_hand[i].bodies)
			CHECK_FAIL("%s: \"%s\", not \"%s\"; %zu headers and %zu bodies, not %u and %u",
				   by_hand[i].what, got, by_hand[i].want, headers, read,
				   by_hand[i].headers, by_hand[i].bodies);
	}
}

/* --- by chance ------------------------------------------------------------------------------- */

/* What may happen in a world. */
enum {
	TWINS = 1,
	NEAR_TWINS = 2,
	DATES = 4,        /* another tool changed some dates, */
	FEW_DATES = 8,    /* … and there are only few of them */
	SIZES = 16,       /* 0, or a third */
	NO_SIZES = 32,    /* 0 for some */
	REWRITTEN = 64,   /* b has other headers */
	NAMELESS = 128,   /* no Message-ID, no Date */
	VANISHED = 256,
	UNREADABLE = 512,
	MISSING = 1024,   /* not all are at both sides */
	FOREIGN = 2048,
	ROWS = 4096,      /* a is a ledger: no server, headers and digests are known */
};

static bool chance(struct rand *rand, unsigned percent)
{
	return rand_below(rand, 100) < percent;
}

struct making {
	struct rand rand;
	unsigned what;
	unsigned next;   /* number not used yet */
	struct letter letters[MOST / 2]; /* of both sides */
	int64_t dates[MOST / 2];
};

static int64_t other_date(struct making *m, int64_t date)
{
	if (!(m->what & DATES) || chance(&m->rand, 50))
		return date;
	if (chance(&m->rand, 10))
		return INT64_MIN;

	return m->what & FEW_DATES ? (int64_t)rand_below(&m->rand, 4) : 1000000 + m->next++;
}

static void put(struct making *m, struct world *world, unsigned s, struct letter l, int64_t date)
{
	struct mailbox *box = &world->box[s];
	struct rematch_item *item;

	if (box->side.n == MOST || (m->what & MISSING && chance(&m->rand, 15)))
		return;

	l.vanished = m->what & VANISHED && chance(&m->rand, 5);
	l.unreadable = m->what & UNREADABLE && chance(&m->rand, 10);
	if (s && m->what & REWRITTEN && chance(&m->rand, 30)) {
		l.header += 1000000;
		l.size += 60;
	}
	item = add(box, &l, s ? other_date(m, date) : date);
	if (m->what & SIZES && chance(&m->rand, 30))
		item->size = chance(&m->rand, 50) ? 0 : l.size / 3;
	if (m->what & NO_SIZES && chance(&m->rand, 30))
		item->size = 0;
	box->letters[box->side.n - 1].told = item->size;
}

/* The same letters at both sides, each side in an order of its own. */
static void put_all(struct making *m, struct world *world, size_t n)
{
	struct letter *letters = m->letters;
	int64_t *dates = m->dates;

	for (unsigned s = 0; s < 2; s++)
		for (size_t left = n; left; left--) {
			size_t i = rand_below(&m->rand, left);
			struct letter l = letters[i];
			int64_t date = dates[i];

			put(m, world, s, l, date);
			letters[i] = letters[left - 1];
			dates[i] = dates[left - 1];
			letters[left - 1] = l;
			dates[left - 1] = date;
		}
}

static struct letter new_letter(struct making *m)
{
	unsigned number = m->next++;
	bool nameless = m->what & NAMELESS && chance(&m->rand, 30);

	return (struct letter){
		.header = number, .body = number, .id = nameless ? 0 : number,
		.core = nameless && chance(&m->rand, 50) ? 0 : number,
		.size = 300 + 3 * (unsigned)rand_below(&m->rand, 50),
	};
}

static void make(struct making *m, struct world *world)
{
	struct letter *letters = m->letters;
	int64_t *dates = m->dates;
	size_t n = rand_below(&m->rand, MOST / 2) + 1;

	for (size_t i = 0; i < n; i++) {
		unsigned like = (unsigned)rand_below(&m->rand, i + 1);

		letters[i] = new_letter(m);
		dates[i] = (int64_t)rand_below(&m->rand, m->what & FEW_DATES ? 4 : 1000);
		if (i == 0 || !chance(&m->rand, 40) || !(m->what & (TWINS | NEAR_TWINS)))
			continue;
		letters[i] = letters[like];
		dates[i] = dates[like];
		if (m->what & NEAR_TWINS && (!(m->what & TWINS) || chance(&m->rand, 50)))
			letters[i].body = m->next++;
	}
	put_all(m, world, n);
	for (unsigned i = 0; i < 20 && m->what & FOREIGN; i++) {
		struct letter l = new_letter(m);

		l.foreign = true;
		l.core = l.core ? l.core : m->next++;
		if (world->box[i % 2].side.n < MOST)
			add(&world->box[i % 2], &l, (int64_t)rand_below(&m->rand, 4));
	}
	for (size_t i = 0; i < world->box[0].side.n && m->what & ROWS; i++) {
		world->box[0].side.session = NULL;
		tell_header(&world->box[0].items[i], &world->box[0].letters[i]);
		tell_digest(&world->box[0].items[i], &world->box[0].letters[i]);
		memset(world->box[0].items[i].core, 0, 16); /* a ledger has none */
	}
}

static bool same_bytes(const struct letter *x, const struct letter *y)
{
	return x->header == y->header && x->body == y->body;
}

/* P1, P2, P5: holds whatever happens. */
static void check_pairs(struct check *check, const struct world *world, bool prove)
{
	const struct mailbox *a = &world->box[0], *b = &world->box[1];

	for (size_t i = 0; i < a->side.n; i++) {
		const struct rematch_item *x = &a->items[i], *y;
		const struct letter *l = &a->letters[i], *k;

		CHECK(x->mate <= b->side.n);
		if (!x->mate)
			continue;
		y = &b->items[x->mate - 1];
		k = &b->letters[x->mate - 1];
		CHECK_EQ(y->mate, i + 1);
		CHECK_EQ(y->differs, x->differs);
		CHECK(!l->foreign && !k->foreign);
		if (x->has & y->has & REMATCH_DIGEST)
			CHECK_EQ(x->differs, !same_bytes(l, k));
		if (prove && !x->differs)
			CHECK(x->has & y->has & REMATCH_DIGEST && same_bytes(l, k));
		if (x->differs && !prove)
			CHECK(l->unreadable || l->vanished || x->has & REMATCH_DIGEST);
	}
	for (size_t i = 0; i < b->side.n; i++)
		if (b->items[i].mate)
			CHECK_EQ(a->items[b->items[i].mate - 1].mate, i + 1);
}

/* P3 */
static void check_complete(struct check *check, const struct world *world)
{
	for (unsigned s = 0; s < 2; s++)
		for (size_t i = 0; i < world->box[s].side.n; i++)
			CHECK(world->box[s].items[i].mate && !world->box[s].items[i].differs);
}

/* P4 */
static void check_twins(struct check *check, const struct world *world)
{
	const struct mailbox *a = &world->box[0];

	for (size_t i = 0; i < a->side.n; i++) {
		size_t count[2] = { 0, 0 }, pairs = 0;

		for (unsigned s = 0; s < 2; s++)
			for (size_t j = 0; j < world->box[s].side.n; j++)
				count[s] += same_bytes(&world->box[s].letters[j], &a->letters[i]);
		for (size_t j = 0; j < a->side.n; j++)
			pairs += same_bytes(&a->letters[j], &a->letters[i]) && a->items[j].mate &&
				 same_bytes(&world->box[1].letters[a->items[j].mate - 1],
					    &a->letters[i]);
		CHECK_EQ(pairs, count[0] < count[1] ? count[0] : count[1]);
	}
}

static bool look_the_same(const struct mailbox *box, size_t i, size_t j)
{
	return box->letters[i].told == box->letters[j].told &&
	       box->items[i].date == box->items[j].date;
}

/* P6: of twins with the same size and date the first's mate comes before the second's, if these are
 * alike, too. */
static void check_order(struct check *check, const struct world *world)
{
	const struct mailbox *a = &world->box[0], *b = &world->box[1];

	for (size_t i = 0; i < a->side.n; i++)
		for (size_t j = i + 1; j < a->side.n; j++) {
			uint32_t m = a->items[i].mate, n = a->items[j].mate;

			if (m && n && !a->items[i].differs && !a->items[j].differs &&
			    same_bytes(&a->letters[i], &a->letters[j]) && look_the_same(a, i, j) &&
			    look_the_same(b, m - 1, n - 1))
				CHECK(m < n);
		}
}

/* P7: nothing is asked twice, and no body is read of what could have no mate. */
static void check_economy(struct check *check, const struct world *world)
{
	for (unsigned s = 0; s < 2; s++)
		for (size_t i = 0; i < world->box[s].side.n; i++) {
			const struct letter *l = &world->box[s].letters[i];
			bool could = false;

			CHECK(l->headers_asked <= 1 && l->bodies_read <= 1);
			for (size_t j = 0; j < world->box[!s].side.n; j++) {
				const struct letter *k = &world->box[!s].letters[j];

				could |= k->header == l->header || (k->id && k->id == l->id) ||
					 (k->core && k->core == l->core);
			}
			CHECK(could || !l->bodies_read);
		}
}

static void check_world(struct check *inner, const struct world *world, bool prove,
			void (*holds)(struct check *check, const struct world *world))
{
	if (setjmp(inner->end) != 0)
		return;

	check_pairs(inner, world, prove);
	check_economy(inner, world);
	if (holds)
		holds(inner, world);
}

/* Looks at many worlds, and says which one failed. */
static void for_seeds(struct check *check, unsigned what, bool prove,
		      void (*holds)(struct check *check, const struct world *world))
{
	for (unsigned seed = 0; seed < SEEDS; seed++) {
		_cleanup_(freep) struct world *world = world_new();
		_cleanup_(freep) struct making *m = xzalloc(sizeof(*m));
		struct check inner = { .name = check->name };

		m->what = what;
		m->next = 1;
		rand_init(&m->rand, (uint64_t)seed << 16 | what);
		make(m, world);
		CHECK_EQ(rematch(world, prove), 0);
		check_world(&inner, world, prove, holds);
		if (inner.failed)
			CHECK_FAIL("world %u, prove %d, seed %u: %s", what, prove, seed,
				   inner.note);
	}
}

/* P1, P2, P5, P7 in all worlds. */
static void always(struct check *check)
{
	static const unsigned lies =
		DATES | SIZES | NO_SIZES | REWRITTEN | NAMELESS | MISSING | FOREIGN;

	for (unsigned prove = 0; prove < 2; prove++) {
		for_seeds(check, lies, prove, NULL);
		for_seeds(check, lies | TWINS | NEAR_TWINS, prove, NULL);
		for_seeds(check, lies | TWINS | NEAR_TWINS | FEW_DATES, prove, NULL);
		for_seeds(check, lies | TWINS | NEAR_TWINS | FEW_DATES | VANISHED | UNREADABLE,
			  prove, NULL);
		for_seeds(check, lies | TWINS | NEAR_TWINS | FEW_DATES | ROWS, prove, NULL);
		for_seeds(check, VANISHED | UNREADABLE | FOREIGN | TWINS, prove, NULL);
	}
}

static void equal_sides(struct check *check)
{
	static const unsigned worlds[] = {
		0, TWINS, NEAR_TWINS, TWINS | NEAR_TWINS, DATES | SIZES | NAMELESS,
		TWINS | NEAR_TWINS | DATES | SIZES | NO_SIZES | NAMELESS,
		TWINS | NEAR_TWINS | DATES | FEW_DATES | SIZES | NO_SIZES | NAMELESS,
		NEAR_TWINS | DATES | FEW_DATES | SIZES | NAMELESS,
		TWINS | NEAR_TWINS | DATES | FEW_DATES | SIZES | NAMELESS | ROWS,
	};

	for (size_t i = 0; i < ARRAY_SIZE(worlds); i++)
		for (unsigned prove = 0; prove < 2; prove++)
			for_seeds(check, worlds[i], prove, check_complete);
}

static void twins(struct check *check)
{
	static const unsigned lies =
		DATES | FEW_DATES | SIZES | NO_SIZES | NAMELESS | MISSING | FOREIGN;

	for_seeds(check, TWINS | lies, false, check_twins);
	for_seeds(check, TWINS | lies | ROWS, false, check_twins);
	for_seeds(check, TWINS | NEAR_TWINS | NO_SIZES | NAMELESS | MISSING | FOREIGN, false,
		  check_twins);
	for_seeds(check, TWINS | NEAR_TWINS | lies | REWRITTEN, true, check_twins);
	for_seeds(check, TWINS | NEAR_TWINS | lies | ROWS, true, check_twins);
}

static void order(struct check *check)
{
	for (unsigned prove = 0; prove < 2; prove++) {
		for_seeds(check, TWINS | MISSING, prove, check_order);
		for_seeds(check, TWINS | DATES | FEW_DATES | SIZES | MISSING | NAMELESS, prove,
			  check_order);
		for_seeds(check, TWINS | NEAR_TWINS | MISSING | ROWS, prove, check_order);
	}
	for_seeds(check, TWINS | NEAR_TWINS | DATES | FEW_DATES | SIZES | MISSING, true,
		  check_order);
}

static void nothing_read(struct check *check, const struct world *world)
{
	CHECK_EQ(world->box[0].bodies_read + world->box[1].bodies_read, 0);
}

static void unique_keys(struct check *check)
{
	for_seeds(check, DATES | SIZES | NO_SIZES | MISSING | FOREIGN | VANISHED, false,
		  nothing_read);
}

/* --- the rest -------------------------------------------------------------------------------- */

static void ids(struct check *check)
{
	CHECK_EQ(rematch_id(NULL), 0);
	CHECK_EQ(rematch_id(""), 0);
	CHECK_EQ(rematch_id(" <> "), 0);
	CHECK(rematch_id("<a@b.example>"));
	CHECK(rematch_id("<A@B.example>") == rematch_id(" a@b.EXAMPLE"));
	CHECK(rematch_id("<a@b.example>") != rematch_id("<a@c.example>"));
}

/* One header and one size, a hundred dates: enough to tell them all. */
static void dates(struct check *check)
{
	enum { MANY = 100 };
	_cleanup_(freep) struct world *world = world_new();

	for (unsigned s = 0; s < 2; s++)
		for (unsigned i = 0; i < MANY; i++) {
			unsigned date = s ? i * 37 % MANY : i;
			struct letter l = {
				.header = 1, .body = date, .id = 1, .core = 1, .size = 10
			};

			add(&world->box[s], &l, date);
		}
	CHECK_EQ(rematch(world, false), 0);
	for (unsigned i = 0; i < MANY; i++)
		CHECK_EQ(world->box[1].items[i].mate, i * 37 % MANY + 1);
	CHECK_EQ(world->box[0].bodies_read + world->box[1].bodies_read, 0);
}

/* A hundred thousand messages that are all the same, and as many of one Message-ID, each in other
 * bytes: time that grows with the square would be hours. */
static void hostile(struct check *check)
{
	enum { MANY = 100000 };
	_cleanup_(freep) struct rematch_item *items = xzalloc(2 * MANY * sizeof(*items));
	struct letter l = { .header = 1, .body = 1, .id = 1, .core = 1, .size = 10 };

	for (unsigned kind = 0; kind < 3; kind++) {
		struct rematch_side a = { .p = items, .n = MANY },
				    b = { .p = items + MANY, .n = MANY };
		struct rematch_keys keys;

		for (uint32_t i = 0; i < 2 * MANY; i++) {
			if (kind)
				l.header = l.body = i + 1;
			if (kind == 2)
				l.id = 0;
			items[i] = (struct rematch_item){ .uid = i % MANY + 1, .date = 5 };
			tell_header(&items[i], &l);
			tell_digest(&items[i], &l);
		}
		rematch_keys_init(&keys, &a, &b, true);
		for (unsigned step = 0; step < REMATCH_STEPS; step++) {
			rematch_find(&keys, step);
			rematch_settle(&keys, step);
		}
		rematch_keys_done(&keys);
		for (uint32_t i = 0; i < MANY; i++)
			CHECK_EQ(items[i].mate, kind ? 0 : i + 1);
	}
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "Message-IDs", ids },
		{ "by hand", cases_by_hand },
		{ "P1 P2 P5 P7: once, proved, nothing foreign, nothing in vain", always },
		{ "P3: equal sides pair completely", equal_sides },
		{ "P4: as many twins as there are", twins },
		{ "P6: twins in order", order },
		{ "P7: nothing is read when keys are unique", unique_keys },
		{ "all the same but for the date", dates },
		{ "all the same", hostile },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
