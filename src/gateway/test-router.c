/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/router.h"

#include <stdio.h>
#include <time.h>

#include "base/map.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "lib/check.h"

static const uint64_t SEED[2] = { 17, 42 };

static void put(struct check *check, struct router_change *change, const char *key,
		enum route route, uint32_t changed_s)
{
	struct fault fault = FAULT_INIT;

	if (router_change_put(change, bytes_of(key), route, changed_s, &fault) < 0)
		CHECK_FAIL("%s: %s", key, fault.text);
}

static void alias(struct check *check, struct router_change *change, const char *key,
		  const char *target)
{
	struct fault fault = FAULT_INIT;

	if (router_change_alias(change, bytes_of(key), bytes_of(target), 1, &fault) < 0)
		CHECK_FAIL("%s: %s", key, fault.text);
}

static void is_answer(struct check *check, const struct router *router, const char *key,
		      enum router_match match, enum route route)
{
	struct router_answer answer = router_find(router, bytes_of(key));

	if (answer.match != match || answer.route != route)
		CHECK_FAIL("%s: %s by %s, not %s by %s", key, route_name(answer.route),
			   router_match_name(answer.match), route_name(route),
			   router_match_name(match));
}

static void looks_in_order(struct check *check)
{
	_cleanup_(router_freep) struct router *none = router_new(SEED, '+'), *router = NULL;
	struct router_change *change = router_change_new(none);
	struct fault fault = FAULT_INIT;

	put(check, change, "ann@example.org", ROUTE_NEW, 5);
	put(check, change, "ann+news@example.org", ROUTE_HOLD, 6);
	put(check, change, "bob@example.org", ROUTE_BOTH, 7);
	put(check, change, "@example.org", ROUTE_OLD, 8);
	put(check, change, "a@b@example.org", ROUTE_NEW, 9);
	alias(check, change, "info@example.org", "bob@example.org");
	alias(check, change, "info2@example.org", "info@example.org");
	alias(check, change, "lost@example.org", "nobody@example.org");
	alias(check, change, "bob+x@example.org", "ann@example.org");
	if (router_change_alias(change, BYTES("new@example.org"), BYTES("bob@example.org"), 20, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	put(check, change, "carl@example.com", ROUTE_OLD, 1);
	router = router_change_finish(change, 3);

	CHECK_EQ(router_epoch(router), 3);
	CHECK_EQ(router_count(router), 11);
	is_answer(check, router, "ann@example.org", ROUTER_ADDRESS, ROUTE_NEW);
	is_answer(check, router, "ann+news@example.org", ROUTER_ADDRESS, ROUTE_HOLD);
	is_answer(check, router, "ann+any+thing@example.org", ROUTER_SUBADDRESS, ROUTE_NEW);
	is_answer(check, router, "bob+x@example.org", ROUTER_ALIAS, ROUTE_NEW);
	is_answer(check, router, "info@example.org", ROUTER_ALIAS, ROUTE_BOTH);
	is_answer(check, router, "info+x@example.org", ROUTER_ALIAS, ROUTE_BOTH);
	is_answer(check, router, "info2@example.org", ROUTER_DOMAIN, ROUTE_OLD);
	is_answer(check, router, "lost@example.org", ROUTER_DOMAIN, ROUTE_OLD);
	is_answer(check, router, "eve@example.org", ROUTER_DOMAIN, ROUTE_OLD);
	is_answer(check, router, "+x@example.org", ROUTER_DOMAIN, ROUTE_OLD);
	is_answer(check, router, "a@b@example.org", ROUTER_ADDRESS, ROUTE_NEW);
	is_answer(check, router, "carl@example.com", ROUTER_ADDRESS, ROUTE_OLD);
	is_answer(check, router, "eve@example.com", ROUTER_NOT_OURS, ROUTE_UNKNOWN);
	is_answer(check, router, "@example.org", ROUTER_NOT_OURS, ROUTE_UNKNOWN);
	is_answer(check, router, "ann", ROUTER_NOT_OURS, ROUTE_UNKNOWN);
	is_answer(check, router, "", ROUTER_NOT_OURS, ROUTE_UNKNOWN);

	CHECK_BYTES(router_find(router, BYTES("ann+q@example.org")).key, BYTES("ann@example.org"));
	CHECK_EQ(router_find(router, BYTES("ann+q@example.org")).changed_s, 5);
	CHECK_EQ(router_find(router, BYTES("eve@example.org")).changed_s, 8);
	/* of an alias, when it or what it stands for changed */
	CHECK_EQ(router_find(router, BYTES("info@example.org")).changed_s, 7);
	CHECK_EQ(router_find(router, BYTES("new@example.org")).changed_s, 20);
	CHECK_EQ(router_find(router, BYTES("new+x@example.org")).changed_s, 20);
	is_answer(check, none, "ann@example.org", ROUTER_NOT_OURS, ROUTE_UNKNOWN);
}

static void without_a_separator_there_are_no_subaddresses(struct check *check)
{
	_cleanup_(router_freep) struct router *none = router_new(SEED, '\0'), *router = NULL;
	struct router_change *change = router_change_new(none);

	put(check, change, "ann@example.org", ROUTE_NEW, 5);
	router = router_change_finish(change, 1);
	is_answer(check, router, "ann+x@example.org", ROUTER_NOT_OURS, ROUTE_UNKNOWN);
}

static void is_no_key(struct check *check, struct bytes key, const char *why)
{
	_cleanup_(router_freep) struct router *none = router_new(SEED, '+');
	_cleanup_(router_change_freep) struct router_change *change = router_change_new(none);
	struct fault fault = FAULT_INIT;

	CHECK(router_change_put(change, key, ROUTE_OLD, 0, &fault) < 0);
	CHECK_EQ(fault.kind, FAULT_DATA);
	if (!strstr(fault.text, why))
		CHECK_FAIL("\"%s\" does not say \"%s\"", fault.text, why);
}

static void refuses_what_is_no_key(struct check *check)
{
	char longest[ROUTER_MAX_KEY + 1];
	struct fault fault = FAULT_INIT;
	_cleanup_(router_freep) struct router *none = router_new(SEED, '+');
	_cleanup_(router_change_freep) struct router_change *change = router_change_new(none);

	memset(longest, 'a', sizeof(longest));
	longest[64] = '@';
	is_no_key(check, BYTES("example.org"), "no @");
	is_no_key(check, BYTES(""), "no @");
	is_no_key(check, BYTES("ann@"), "no domain");
	is_no_key(check, BYTES("a\0b@example.org"), "NUL");
	is_no_key(check, (struct bytes){ longest, sizeof(longest) }, "longer");
	CHECK(router_change_put(change, (struct bytes){ longest, ROUTER_MAX_KEY }, ROUTE_OLD, 0,
				&fault) == 0);
	CHECK(router_change_alias(change, BYTES("@example.org"), BYTES("a@example.org"), 0,
				  &fault) < 0);
	CHECK(router_change_alias(change, BYTES("a@example.org"), BYTES("@example.org"), 0,
				  &fault) < 0);
}

static void names_routes(struct check *check)
{
	enum route route;

	for (int i = ROUTE_UNKNOWN; i <= ROUTE_HOLD; i++) {
		CHECK(route_from(bytes_of(route_name((enum route)i)), &route) == 0);
		CHECK_EQ(route, i);
	}
	CHECK(route_from(BYTES("newer"), &route) < 0);
}

/* --- against a model -------------------------------------------------------------------------------- */

enum { KEYS = 3000, GENERATIONS = 12 };

static struct bytes numbered(char to[64], unsigned i)
{
	return (struct bytes){ to, (size_t)snprintf(to, 64, "user.%u@example.org", i) };
}

/* What each table must say: its routes at the time; 255: no entry. */
struct generation {
	struct router *router;
	uint8_t routes[KEYS];
};

static void agrees(struct check *check, const struct generation *generation)
{
	struct router_entry entry;
	size_t at[3] = { 0 }, n = 0, walked = 0;
	char key[64];

	for (unsigned i = 0; i < KEYS; i++) {
		struct router_answer answer = router_find(generation->router, numbered(key, i));

		if (generation->routes[i] == 255) {
			CHECK_EQ(answer.match, ROUTER_NOT_OURS);
			continue;
		}
		n++;
		CHECK_EQ(answer.match, ROUTER_ADDRESS);
		CHECK_EQ(answer.route, generation->routes[i]);
	}
	CHECK_EQ(router_count(generation->router), n);
	while (router_next(generation->router, at, &entry))
		walked++;
	CHECK_EQ(walked, n);
}

static void change_some(struct check *check, struct rand *rand, struct generation *to,
			struct router *from)
{
	struct router_change *change = router_change_new(from);
	char key[64];

	for (unsigned k = 0; k < 700; k++) {
		unsigned i = (unsigned)rand_below(rand, KEYS);
		uint64_t what = rand_below(rand, 5);

		if (what == 0) {
			CHECK_EQ(router_change_remove(change, numbered(key, i)),
				 to->routes[i] != 255);
			to->routes[i] = 255;
			continue;
		}
		to->routes[i] = (uint8_t)what;
		numbered(key, i);
		put(check, change, key, (enum route)what, 0);
	}
	to->router = router_change_finish(change, router_epoch(from) + 1);
}

/* Random changes, each of a random earlier table; all tables go on saying what they said. */
static void old_tables_stay_as_they_were(struct check *check)
{
	struct generation *all = xzalloc(GENERATIONS * sizeof(*all));
	struct rand rand;

	rand_init(&rand, 7);
	all[0].router = router_new(SEED, '+');
	memset(all[0].routes, 255, KEYS);
	for (unsigned g = 1; g < GENERATIONS; g++) {
		unsigned from = g < 8 ? g - 1 : (unsigned)rand_below(&rand, g);

		memcpy(all[g].routes, all[from].routes, KEYS);
		change_some(check, &rand, &all[g], all[from].router);
	}
	for (unsigned g = 0; g < GENERATIONS; g++)
		agrees(check, &all[g]);
	for (unsigned g = 0; g < GENERATIONS; g += 2)
		all[g].router = router_free(all[g].router);
	for (unsigned g = 1; g < GENERATIONS; g += 2) {
		agrees(check, &all[g]);
		router_free(all[g].router);
	}
	free(all);
}

static void a_change_may_be_forgotten(struct check *check)
{
	_cleanup_(router_freep) struct router *none = router_new(SEED, '+'), *router = NULL;
	struct router_change *change = router_change_new(none);

	put(check, change, "ann@example.org", ROUTE_NEW, 5);
	router = router_change_finish(change, 1);
	change = router_change_new(router);
	put(check, change, "ann@example.org", ROUTE_OLD, 6);
	CHECK(router_change_remove(change, BYTES("ann@example.org")));
	router_change_free(change);
	is_answer(check, router, "ann@example.org", ROUTER_ADDRESS, ROUTE_NEW);

	change = router_change_new(router);
	put(check, change, "ann@example.org", ROUTE_NEW, 9); /* nothing new: changed_s stays */
	router_free(router);
	router = router_change_finish(change, 2);
	CHECK_EQ(router_find(router, BYTES("ann@example.org")).changed_s, 5);
}

/* --- size and speed --------------------------------------------------------------------------------- */

/* Of this processor, so that a busy machine counts little. */
static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct bytes realistic(char to[64], unsigned i)
{
	return (struct bytes){ to, (size_t)snprintf(to, 64, "first.last%u@example.org", i) };
}

static double time_lookups(struct check *check, const struct router *router, unsigned n)
{
	enum { LOOKUPS = 1000000 };
	char (*keys)[64] = xmalloc(LOOKUPS * sizeof(*keys));
	size_t *lengths = xmalloc(LOOKUPS * sizeof(*lengths));
	unsigned good = 0;
	struct rand rand;
	double began;

	rand_init(&rand, 3);
	for (unsigned i = 0; i < LOOKUPS; i++)
		lengths[i] = realistic(keys[i], (unsigned)rand_below(&rand, n)).n;
	began = seconds();
	for (unsigned i = 0; i < LOOKUPS; i++)
		good += router_find(router, (struct bytes){ keys[i], lengths[i] }).route ==
			ROUTE_OLD;
	began = (seconds() - began) / LOOKUPS;
	CHECK_EQ(good, LOOKUPS);
	free(keys);
	free(lengths);
	return began;
}

/* Times are for reading; what fails is what no slow machine explains. */
static void a_million_addresses(struct check *check)
{
	unsigned n = 1000000;
	_cleanup_(router_freep) struct router *none = router_new(SEED, '+'), *router = NULL;
	_cleanup_(router_freep) struct router *flipped = NULL, *one = NULL;
	struct router_change *change = router_change_new(none);
	double began = seconds(), built, wave, single;
	struct rand rand;
	char key[64];

	for (unsigned i = 0; i < n; i++) {
		realistic(key, i);
		put(check, change, key, ROUTE_OLD, 1);
	}
	router = router_change_finish(change, 1);
	built = seconds() - began;
	CHECK_EQ(router_count(router), n);
	CHECK(router_memory(router) / n < 64);

	rand_init(&rand, 5);
	began = seconds();
	change = router_change_new(router);
	for (unsigned i = 0; i < 1000; i++) {
		realistic(key, (unsigned)rand_below(&rand, n));
		put(check, change, key, ROUTE_NEW, 2);
	}
	flipped = router_change_finish(change, 2);
	wave = seconds() - began;

	began = seconds();
	change = router_change_new(flipped);
	put(check, change, key, ROUTE_OLD, 3);
	one = router_change_finish(change, 3);
	single = seconds() - began;
	is_answer(check, flipped, key, ROUTER_ADDRESS, ROUTE_NEW);
	is_answer(check, one, key, ROUTER_ADDRESS, ROUTE_OLD);

	printf("# %zu bytes an entry; built in %.0f ms, lookup %.0f ns, 1,000 flipped in %.2f ms, "
	       "one in %.1f us; lookup among 1,000 %.0f ns\n",
	       router_memory(router) / n, built * 1e3, time_lookups(check, router, n) * 1e9,
	       wave * 1e3, single * 1e6, time_lookups(check, router, 1000) * 1e9);
	CHECK(wave < 0.1 || wave < built / 20);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "looks in order", looks_in_order },
		{ "no separator", without_a_separator_there_are_no_subaddresses },
		{ "refuses what is no key", refuses_what_is_no_key },
		{ "names routes", names_routes },
		{ "old tables stay as they were", old_tables_stay_as_they_were },
		{ "a change may be forgotten", a_change_may_be_forgotten },
		{ "a million addresses", a_million_addresses },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
