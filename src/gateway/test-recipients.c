/* SPDX-License-Identifier: Apache-2.0 */
/* Who recipients are: what sources may say, and what of it changes in the table of routes when others change it, too. */
/* Cases run on the stack that main() has, which is large. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

#include <stdio.h>

#include "base/rand.h"
#include "base/xalloc.h"
#include "gateway/recipients.h"
#include "gateway/testing-keeper.h"
#include "lib/check.h"
#include "os/testing.h"

enum { SEED = 20261201, STEPS = 150 };

/* --- texts ----------------------------------------------------------------------------------- */

static void table_of_ours(struct recipient_table *table)
{
	recipient_table_init(table, 1);
	recipient_put(table, BYTES("@example.org"), JOURNAL_ROUTE_UNKNOWN);
	recipient_put(table, BYTES("@xn--bcher-kva.example"), ROUTE_HOLD);
}

static void good_lines(struct check *check)
{
	static const struct {
		const char *text, *key;
		unsigned word;
	} cases[] = {
		{ "anna@example.org", "anna@example.org", RECIPIENT_LISTED },
		{ "anna@example.org\n", "anna@example.org", RECIPIENT_LISTED },
		{ "  Anna@EXAMPLE.org \t new \r\n", "anna@example.org", ROUTE_NEW },
		{ "anna@example.org both", "anna@example.org", ROUTE_BOTH },
		{ "anna@example.org hold\nanna@example.org old", "anna@example.org", ROUTE_OLD },
		{ "# new@example.org new\n\n \n\t#x\nanna@example.org", "anna@example.org", RECIPIENT_LISTED },
		{ "\"a new\"@example.org", "a new@example.org", RECIPIENT_LISTED },
		{ "\"a b\"@example.org new", "a b@example.org", ROUTE_NEW },
		{ "\"anna\"@example.org", "anna@example.org", RECIPIENT_LISTED },
		{ "anna+x@example.org old", "anna+x@example.org", ROUTE_OLD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(recipient_table_done) struct recipient_table table;
		struct fault fault = FAULT_INIT;
		size_t foreign;

		table_of_ours(&table);
		if (recipients_parse(bytes_of(cases[i].text), &table, &foreign, &fault) < 0)
			CHECK_FAIL("\"%s\": %s", cases[i].text, fault.text);
		if (recipient_word(&table, bytes_of(cases[i].key)) != (cases[i].word | RECIPIENT_SOURCE))
			CHECK_FAIL("\"%s\": %s is %u", cases[i].text, cases[i].key, recipient_word(&table, bytes_of(cases[i].key)));
		CHECK_EQ(foreign, 0);
		CHECK_EQ(table.n_source, 1);
	}
}

static void bad_lines(struct check *check)
{
	static const struct {
		struct bytes text;
		const char *line;
	} cases[] = {
		{ { "anna", 4 }, "line 1 " },
		{ { "anna@example.org\n\nben", 21 }, "line 3 " },
		{ { "anna@example.org nwe", 20 }, "line 1 " },
		{ { "anna@example.org unknown", 24 }, "line 1 " },
		{ { "anna@example.org new old", 24 }, "line 1 " },
		{ { "anna@", 5 }, "line 1 " },
		{ { "@example.org", 12 }, "line 1 " },
		{ { "an\0na@example.org", 17 }, "line 1 " },
		{ { "anna@example.org\0", 17 }, "line 1 " },
		{ { "anna@example.org\rben@example.org", 32 }, "line 1 " },
		{ { "new", 3 }, "line 1 " },
		{ { "anna@@example.org", 17 }, "line 1 " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(recipient_table_done) struct recipient_table table;
		struct fault fault = FAULT_INIT;
		size_t foreign;

		table_of_ours(&table);
		if (recipients_parse(cases[i].text, &table, &foreign, &fault) == 0)
			CHECK_FAIL("case %zu was taken", i);
		CHECK_EQ(fault.kind, FAULT_DATA);
		CHECK(strstr(fault.text, cases[i].line));
	}
}

static void foreign_and_aliases(struct check *check)
{
	_cleanup_(recipient_table_done) struct recipient_table table;
	struct fault fault;
	size_t foreign;

	table_of_ours(&table);
	CHECK(recipient_put_alias(&table, BYTES(" Info@example.org"), BYTES("ANNA@example.org ")));
	CHECK(!recipient_put_alias(&table, BYTES("info"), BYTES("anna@example.org")));
	CHECK(!recipient_put_alias(&table, BYTES("info@example.org"), BYTES("")));
	CHECK_EQ(recipients_parse(BYTES("a@elsewhere.example\ninfo@example.org new\nb@example.org\nc@example.org.\n"), &table, &foreign,
				  &fault), -1); /* no domain ends with a dot here */
	CHECK_EQ(recipients_parse(BYTES("a@elsewhere.example\ninfo@example.org new\nb@example.org\n"), &table, &foreign, &fault), 0);
	CHECK_EQ(foreign, 1);
	CHECK_EQ(recipient_word(&table, BYTES("info@example.org")), RECIPIENT_ALIAS); /* the configuration counts */
	CHECK_EQ(recipient_word(&table, BYTES("a@elsewhere.example")), 0);
	CHECK_EQ(table.n_source, 1);
	CHECK_STR((const char *)map_get(&table.aliases, BYTES("info@example.org")), "anna@example.org");
}

static void same_tables(struct check *check, const struct recipient_table *a, const struct recipient_table *b)
{
	struct map_entry entry;

	CHECK_EQ(map_count(&a->words), map_count(&b->words));
	CHECK_EQ(a->n_source, b->n_source);
	for (size_t at = 0; map_next(&a->words, &at, &entry);) {
		CHECK(map_get(&b->words, entry.key) == entry.value);
		CHECK_STR(map_get(&a->aliases, entry.key), map_get(&b->aliases, entry.key));
	}
}

static void written_and_read(struct check *check)
{
	_cleanup_(recipient_table_done) struct recipient_table table, again;
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct fault fault;
	size_t foreign;

	table_of_ours(&table);
	recipient_table_init(&again, 2);
	CHECK(recipient_put_alias(&table, BYTES("info@example.org"), BYTES("anna@example.org")));
	CHECK_EQ(recipients_parse(BYTES("anna@example.org\nben@example.org new\n\"a b\"@example.org hold\n"), &table, &foreign, &fault), 0);
	recipients_write(&table, &text);
	CHECK_EQ(recipients_read(buf_bytes(&text), &again, &fault), 0);
	same_tables(check, &table, &again);
}

static void not_what_was_written(struct check *check)
{
	static const char *const cases[] = { "x\tanna@example.org\n", "1\n", "1\tanna\n", "0\tanna@example.org\n", "64\ta@b\n", "\n",
					     "99999999999999999999\ta@b\n", "1 a@b\n" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(recipient_table_done) struct recipient_table table;
		struct fault fault = FAULT_INIT;

		recipient_table_init(&table, 1);
		if (recipients_read(bytes_of(cases[i]), &table, &fault) == 0)
			CHECK_FAIL("case %zu was taken", i);
		CHECK_EQ(fault.kind, FAULT_DATA);
	}
}

/* --- with a table of routes -------------------------------------------------------------------- */

struct scene {
	struct check *check;
	struct testing_folder folder;
	struct testing_keeper keeper;
	char source[300];
	struct config_mailbox *mailboxes;
	int (*run)(struct scene *s, struct fault *fault);
};

static int scene_main(void *arg, struct fault *fault)
{
	struct scene *s = arg;
	int r = testing_keeper_open(&s->keeper, s->folder.path, fault);

	s->keeper.config.gateway.recipients_file = s->source;
	if (r == 0)
		r = s->run(s, fault);
	s->keeper.k.recipients = recipients_free(s->keeper.k.recipients);
	testing_keeper_close(&s->keeper);
	return r;
}

static void remove_folder(const char *path, const char *name)
{
	struct testing_folder folder;

	snprintf(folder.path, sizeof(folder.path), "%.100s/%s", path, name);
	testing_folder_remove(&folder);
}

static void play(struct check *check, int (*run)(struct scene *s, struct fault *fault))
{
	struct scene s = { .check = check, .run = run };
	struct fault fault = FAULT_INIT;
	int r;

	testing_folder_make(&s.folder);
	snprintf(s.source, sizeof(s.source), "%s", testing_path(&s.folder, "source"));
	testing_write(s.source, "");
	r = run_main("test", scene_main, &s, &fault);
	remove_folder(s.folder.path, "journal/checkpoints");
	remove_folder(s.folder.path, "journal");
	remove_folder(s.folder.path, "gateway");
	testing_folder_remove(&s.folder);
	if (r < 0)
		CHECK_FAIL("%s", fault.text);
}

/* As at a start: what was read the last time comes from the file. */
SUSPENDS static int read_again(struct scene *s, const char *text, struct fault *fault)
{
	if (text)
		testing_write(s->source, text);
	s->keeper.k.recipients = recipients_free(s->keeper.k.recipients);
	return recipients_open(&s->keeper.k, fault);
}

static enum route route_of(struct scene *s, const char *key)
{
	struct router_entry entry;

	return router_get(queue_router(s->keeper.k.queue), bytes_of(key), &entry) ? entry.route : ROUTE_UNKNOWN;
}

static uint64_t epoch_of(struct scene *s)
{
	return router_epoch(queue_router(s->keeper.k.queue));
}

static int steps(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	uint64_t epoch;

	if (read_again(s, "anna@example.org\nben@example.org new\n", fault) < 0)
		return -1;
	EXPECT(route_of(s, "anna@example.org") == ROUTE_OLD && route_of(s, "ben@example.org") == ROUTE_NEW);
	epoch = epoch_of(s);
	if (read_again(s, NULL, fault) < 0)
		return -1;
	EXPECT(epoch_of(s) == epoch); /* nothing was news */

	/* what an operator says stays until the source says something else than it did */
	if (testing_keeper_route(&s->keeper, "ben@example.org", ROUTE_HOLD, fault) < 0 ||
	    testing_keeper_route(&s->keeper, "anna@example.org", ROUTE_NEW, fault) < 0 || read_again(s, NULL, fault) < 0)
		return -1;
	EXPECT(route_of(s, "ben@example.org") == ROUTE_HOLD && route_of(s, "anna@example.org") == ROUTE_NEW);
	if (read_again(s, "anna@example.org\nben@example.org both\n", fault) < 0)
		return -1;
	EXPECT(route_of(s, "ben@example.org") == ROUTE_BOTH && route_of(s, "anna@example.org") == ROUTE_NEW);

	/* who goes: only with the route that came from here */
	if (read_again(s, "chen@example.org\n", fault) < 0)
		return -1;
	EXPECT(route_of(s, "ben@example.org") == ROUTE_UNKNOWN && route_of(s, "anna@example.org") == ROUTE_NEW);

	/* a source that cannot be read, and one that names nobody */
	epoch = epoch_of(s);
	if (read_again(s, "chen@example.org\nnonsense\n", fault) < 0)
		return -1;
	EXPECT(s->keeper.k.is_unsure && epoch_of(s) == epoch && route_of(s, "chen@example.org") == ROUTE_OLD);
	if (read_again(s, "# nobody\n", fault) < 0)
		return -1;
	EXPECT(s->keeper.k.is_unsure && route_of(s, "chen@example.org") == ROUTE_OLD);
	if (read_again(s, "chen@example.org\n", fault) < 0)
		return -1;
	EXPECT(!s->keeper.k.is_unsure && epoch_of(s) == epoch);

	/* what was written about the last time is damaged: all that is there is taken for an operator's */
	testing_write(testing_path(&s->folder, "gateway/recipients"), "damaged\n");
	if (read_again(s, "ben@example.org\n", fault) < 0)
		return -1;
	EXPECT(route_of(s, "chen@example.org") == ROUTE_OLD && route_of(s, "ben@example.org") == ROUTE_OLD);
	return 0;
}

static void changes_the_table(struct check *check)
{
	play(check, steps);
}

/* --- any histories, beside a model --------------------------------------------------------------- */

enum { KEYS = 5 };

struct model {
	unsigned last[KEYS], word[KEYS]; /* what the source said of each: 0, LISTED or a route */
	enum route now[KEYS];            /* UNKNOWN: no entry */
};

/* The rules of recipients.h. */
static void model_read(struct model *m)
{
	unsigned n = 0, n_last = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		n += m->word[i] != 0;
		n_last += m->last[i] != 0;
	}
	if (n == 0 && n_last > 0)
		return; /* nobody is named: all stays as it is */
	for (unsigned i = 0; i < KEYS; i++) {
		unsigned word = m->word[i], last = m->last[i];

		if (word == RECIPIENT_LISTED && m->now[i] == ROUTE_UNKNOWN)
			m->now[i] = ROUTE_OLD;
		else if (word && word != RECIPIENT_LISTED && (word != last || m->now[i] == ROUTE_UNKNOWN))
			m->now[i] = (enum route)word;
		else if (!word && last && m->now[i] == (last == RECIPIENT_LISTED ? ROUTE_OLD : (enum route)last))
			m->now[i] = ROUTE_UNKNOWN;
		m->last[i] = word;
	}
}

static void draw_source(struct rand *rand, struct model *m, struct buf *text)
{
	for (unsigned i = 0; i < KEYS; i++) {
		static const unsigned words[] = { 0, 0, RECIPIENT_LISTED, RECIPIENT_LISTED, ROUTE_OLD, ROUTE_NEW, ROUTE_BOTH, ROUTE_HOLD };

		if (rand_below(rand, 2))
			m->word[i] = words[rand_below(rand, ARRAY_SIZE(words))];
		if (m->word[i])
			buf_appendf(text, "user%u@example.org %s\n", i,
				    m->word[i] == RECIPIENT_LISTED ? "" : route_name((enum route)m->word[i]));
	}
}

static int histories(struct scene *s, struct fault *fault)
{
	struct check *check = s->check;
	struct model model = { { 0 }, { 0 }, { 0 } };
	struct rand rand;

	rand_init(&rand, SEED);
	for (unsigned step = 0; step < STEPS && !check->failed; step++) {
		_cleanup_(buf_done) struct buf text = BUF_NULL;
		char key[40];

		if (rand_below(&rand, 3) == 0) {
			unsigned i = (unsigned)rand_below(&rand, KEYS);

			model.now[i] = (enum route)(1 + rand_below(&rand, 4));
			snprintf(key, sizeof(key), "user%u@example.org", i);
			if (testing_keeper_route(&s->keeper, key, model.now[i], fault) < 0)
				return -1;
		}
		draw_source(&rand, &model, &text);
		model_read(&model);
		if (read_again(s, buf_str(&text), fault) < 0)
			return -1;
		for (unsigned i = 0; i < KEYS; i++) {
			snprintf(key, sizeof(key), "user%u@example.org", i);
			check_expect(check, route_of(s, key) == model.now[i], __FILE__, __LINE__, "step %u: %s goes to %s, not %s", step, key,
				     route_name(route_of(s, key)), route_name(model.now[i]));
		}
	}
	return 0;
}

static void any_history(struct check *check)
{
	printf("# seed %d\n", SEED);
	play(check, histories);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "lines", good_lines },
		{ "lines that are none", bad_lines },
		{ "other domains, aliases", foreign_and_aliases },
		{ "written and read", written_and_read },
		{ "not what was written", not_what_was_written },
		{ "changes the table", changes_the_table },
		{ "any history", any_history },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
