/* SPDX-License-Identifier: Apache-2.0 */
/* What a dialogue file expects of the mailbox and of what was asked of the server, at the end
 * or after a run. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "lib/fake-imap-parts.h"

/* --- comparing ------------------------------------------------------------------------------- */

static bool flags_in(struct bytes some, struct bytes all)
{
	while (some.n) {
		struct bytes flag = bytes_cut(&some, ' ');

		if (flag.n && !bytes_equal_nocase(flag, BYTES("\\Recent")) &&
		    !fake_has_flag(all, flag))
			return false;
	}

	return true;
}

static bool flags_equal(struct bytes a, struct bytes b)
{
	return flags_in(a, b) && flags_in(b, a);
}

static bool dates_equal(const struct fake_message *a, const struct fake_message *b)
{
	char one[64], other[64];

	fake_date(a, one);
	fake_date(b, other);
	return fake_instant(one) == fake_instant(other);
}

struct comparison {
	struct fake_imap *fake;
	int line;
	struct fake_folder *folder, *source;
	bool part, in_order, ignore_flags, ignore_dates;
	struct bytes except; /* UIDs, with blanks between */
};

static bool same_message(const struct comparison *c, struct fake_message *copy,
			 struct fake_message *original)
{
	return copy->size - copy->front.n == original->size - original->front.n &&
	       strcmp(fake_digest(c->fake, copy),
		      fake_digest(c->fake, original)) == 0 &&
	       (c->ignore_flags || flags_equal(copy->flags, original->flags)) &&
	       (c->ignore_dates || dates_equal(copy, original));
}

static bool is_excepted(const struct comparison *c, uint32_t uid)
{
	struct bytes rest = c->except, word;
	uint64_t number;

	while (rest.n) {
		word = bytes_cut(&rest, ' ');
		if (bytes_to_u64(word, UINT32_MAX, &number) == 0 && number == uid)
			return true;
	}

	return false;
}

static bool take_copy(const struct comparison *c, struct fake_message *original, bool *taken)
{
	for (size_t i = 0; i < c->folder->n; i++) {
		if (!taken[i] && same_message(c, &c->folder->messages[i], original))
			return taken[i] = true;
	}

	return false;
}

static void complain_missing(const struct comparison *c, const struct fake_message *original)
{
	char date[64];

	fake_date(original, date);
	fake_complain(c->fake, c->line,
		      "folder %.*s lacks a true copy of UID %u of %.*s (%" PRIu64 " bytes, (%.*s), "
		      "%s)%s", BYTES_ARG(c->folder->name), original->uid,
		      BYTES_ARG(c->source->name), original->size, BYTES_ARG(original->flags), date,
		      c->in_order ? ", or not in its place" : "");
}

/* The copies stand in the order of the originals; the first that does not is named. */
static void compare_order(const struct comparison *c)
{
	size_t k = 0;

	for (size_t i = 0; i < c->source->n; i++) {
		struct fake_message *original = &c->source->messages[i];

		if (is_excepted(c, original->uid))
			continue;
		if (k == c->folder->n || !same_message(c, &c->folder->messages[k++], original)) {
			complain_missing(c, original);
			return;
		}
	}
	if (k < c->folder->n)
		fake_complain(c->fake, c->line, "folder %.*s holds %zu messages too many",
			      BYTES_ARG(c->folder->name), c->folder->n - k);
}

/* Every original has one copy, and nothing else is there. */
static void compare(const struct comparison *c)
{
	bool *taken = xzalloc(c->folder->n + 1);
	char date[64];

	for (size_t i = 0; i < c->source->n; i++) {
		struct fake_message *original = &c->source->messages[i];
		bool wanted = !is_excepted(c, original->uid);

		if (wanted && !take_copy(c, original, taken) && !c->part)
			complain_missing(c, original);
	}
	for (size_t i = 0; i < c->folder->n; i++) {
		const struct fake_message *m = &c->folder->messages[i];

		if (taken[i])
			continue;
		fake_date(m, date);
		fake_complain(c->fake, c->line,
			      "folder %.*s holds a message that should not be there: UID %u, "
			      "%" PRIu64 " bytes, (%.*s), %s",
			      BYTES_ARG(c->folder->name), m->uid, m->size, BYTES_ARG(m->flags),
			      date);
	}
	free(taken);
}

/* --- expectations ---------------------------------------------------------------------------- */

struct judge {
	struct fake_imap *fake;
	unsigned run; /* 0: the end of all */
	int line;
	struct bytes all, rest;
};

static void malformed(const struct judge *j)
{
	fake_complain(j->fake, j->line, "an expectation nobody understands: %.*s",
		      BYTES_ARG(j->all));
}

static struct bytes word(struct judge *j)
{
	struct bytes w = BYTES_NULL;

	dialogue_word(&j->fake->arena, &j->rest, &w);
	return w;
}

static bool is(struct bytes w, const char *s)
{
	return bytes_equal(w, bytes_of(s));
}

/* copies|part-of SERVER FOLDER [except UID…] [in order] [ignoring flags|dates…] */
static void judge_copies(struct judge *j, struct fake_folder *folder, bool part)
{
	struct bytes server = word(j), name = word(j), w;
	_cleanup_(freep) char *server_name = bytes_to_str(server);
	_cleanup_(fake_imap_freep) struct fake_imap *other =
		fake_imap_new(j->fake->dialogue, server_name);
	struct comparison c = { .fake = j->fake, .line = j->line, .folder = folder, .part = part };
	ptrdiff_t ignoring = bytes_find(j->rest, BYTES("ignoring")), order;

	fake_imap_run(other, j->run ? j->run : UINT_MAX);
	c.source = fake_folder_find(other, name);
	if (!c.source) {
		malformed(j);
		return;
	}
	if (ignoring >= 0) {
		struct bytes what = bytes_skip(j->rest, (size_t)ignoring);

		c.ignore_flags = bytes_find(what, BYTES("flags")) >= 0;
		c.ignore_dates = bytes_find(what, BYTES("dates")) >= 0;
		j->rest = bytes_head(j->rest, (size_t)ignoring);
	}
	order = bytes_find(j->rest, BYTES("in order"));
	if (order >= 0) {
		c.in_order = true;
		j->rest = bytes_head(j->rest, (size_t)order);
	}
	w = word(j);
	if (w.n && !is(w, "except"))
		malformed(j);
	c.except = j->rest;
	if (c.in_order)
		compare_order(&c);
	else
		compare(&c);
}

/* Its bytes are those of SERVER FOLDER UID, as the file describes it. */
static bool is_like(struct judge *j, struct fake_message *m, struct bytes server)
{
	_cleanup_(freep) char *name = bytes_to_str(server);
	_cleanup_(fake_imap_freep) struct fake_imap *other = fake_imap_new(j->fake->dialogue, name);
	struct fake_folder *folder;
	struct fake_message *wanted;
	uint64_t uid = 0;

	fake_imap_run(other, j->run ? j->run : UINT_MAX);
	folder = fake_folder_find(other, word(j));
	bytes_to_u64(word(j), UINT32_MAX, &uid);
	wanted = folder ? fake_message_find(folder, (uint32_t)uid) : NULL;
	if (!wanted)
		malformed(j);
	return wanted && strcmp(fake_digest(other, wanted), fake_digest(j->fake, m)) == 0;
}

/* flags (…) | date "…" | size N | sha256 HEX | is SERVER FOLDER UID */
static void judge_message(struct judge *j, const struct fake_folder *folder, struct fake_message *m)
{
	struct bytes what = word(j), want = word(j);
	struct fake_message wanted = { .date = want };
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	bool good = true;
	char date[64];

	if (is(what, "flags")) {
		buf_append_bytes(&got, m->flags);
		good = flags_equal(m->flags, want);
	} else if (is(what, "date")) {
		fake_date(m, date);
		buf_append_str(&got, date);
		good = dates_equal(m, &wanted);
	} else if (is(what, "size")) {
		buf_append_u64(&got, m->size);
		good = bytes_equal(buf_bytes(&got), want);
	} else if (is(what, "sha256")) {
		buf_append_str(&got, fake_digest(j->fake, m));
		good = bytes_equal(buf_bytes(&got), want);
	} else if (is(what, "is")) {
		buf_append_str(&got, "not");
		good = is_like(j, m, want);
	} else {
		malformed(j);
	}
	if (!good)
		fake_complain(j->fake, j->line, "UID %u of %.*s has %.*s %s, not %.*s", m->uid,
			      BYTES_ARG(folder->name), BYTES_ARG(what), buf_str(&got),
			      BYTES_ARG(j->all));
}

/* The message that is spoken of: its place in the folder, or (uid N) its UID. */
static void judge_one(struct judge *j, struct fake_folder *folder, uint64_t number, bool by_uid)
{
	struct fake_message *m = by_uid ? fake_message_find(folder, (uint32_t)number)
					: number && number <= folder->n
						? &folder->messages[number - 1] : NULL;

	if (m)
		judge_message(j, folder, m);
	else
		fake_complain(j->fake, j->line, "folder %.*s has %zu messages, and not this: %.*s",
			      BYTES_ARG(folder->name), folder->n, BYTES_ARG(j->all));
}

static void judge_folder(struct judge *j)
{
	struct bytes name = word(j), what = word(j);
	struct fake_folder *folder = fake_folder_find(j->fake, name);
	uint64_t number;
	bool by_uid;

	if (!folder) {
		fake_complain(j->fake, j->line, "there is no folder %.*s", BYTES_ARG(name));
		return;
	}
	if (is(what, "copies") || is(what, "part-of")) {
		judge_copies(j, folder, is(what, "part-of"));
		return;
	}
	if (is(what, "has") && bytes_to_u64(word(j), UINT64_MAX, &number) == 0) {
		if (folder->n != number)
			fake_complain(j->fake, j->line,
				      "folder %.*s has %zu messages, not %" PRIu64,
				      BYTES_ARG(name), folder->n, number);
		return;
	}
	if (is(what, "no") && is(word(j), "uid") &&
	    bytes_to_u64(word(j), UINT32_MAX, &number) == 0) {
		if (fake_message_find(folder, (uint32_t)number))
			fake_complain(j->fake, j->line, "this does not hold: %.*s",
				      BYTES_ARG(j->all));
		return;
	}
	if (is(what, "uidvalidity") && bytes_to_u64(word(j), UINT32_MAX, &number) == 0) {
		if (folder->uidvalidity != number)
			fake_complain(j->fake, j->line, "it is %u: %.*s", folder->uidvalidity,
				      BYTES_ARG(j->all));
		return;
	}

	by_uid = is(what, "uid");
	if (bytes_to_u64(by_uid ? word(j) : what, UINT32_MAX, &number) == 0)
		judge_one(j, folder, number, by_uid);
	else
		malformed(j);
}

static uint64_t count_commands(const struct fake_imap *fake, size_t from, struct bytes pattern)
{
	struct bytes all = bytes_skip(buf_bytes(&fake->commands), from);
	uint64_t n = 0;

	while (all.n)
		n += dialogue_match(pattern, bytes_cut(&all, '\n'), NULL);
	return n;
}

/* [no] command P · N commands P · connections N: of the run, or of all */
static bool judge_traffic(struct judge *j, struct bytes what, bool no, bool counts, uint64_t number)
{
	const struct fake_imap *fake = j->fake;
	uint64_t n = j->run ? fake->run_connections : fake->connections;

	if (fake->lenient)
		return true;
	if (is(what, "connections"))
		return bytes_to_u64(word(j), UINT32_MAX, &number) == 0 && number == n;
	n = count_commands(fake, j->run ? fake->run_commands : 0, j->rest);
	return counts ? n == number : (n > 0) != no;
}

/* [no] folder F · [not] subscribed F · [no] command P · N commands P · connections N */
static void judge_other(struct judge *j)
{
	struct bytes what = word(j);
	bool no = is(what, "no") || is(what, "not");
	uint64_t number = 0;
	bool counts = bytes_to_u64(what, UINT32_MAX, &number) == 0, good;
	const struct fake_folder *folder;

	if (no || counts)
		what = word(j);
	if (is(what, "folder") || is(what, "subscribed")) {
		folder = fake_folder_find(j->fake, word(j));
		good = (folder && (is(what, "folder") || folder->subscribed)) != no;
	} else if (is(what, "command") || is(what, "commands") || is(what, "connections")) {
		good = judge_traffic(j, what, no, counts, number);
	} else {
		malformed(j);
		return;
	}
	if (!good)
		fake_complain(j->fake, j->line, "this does not hold: %.*s", BYTES_ARG(j->all));
}

void fake_judge(struct fake_imap *fake, unsigned run)
{
	const struct dialogue_expectation *e = fake->told ? fake->told->expectations : NULL;

	for (; e; e = e->next) {
		struct judge j = { fake, run, e->line, e->text, e->text };

		if (e->after_run != run)
			continue;
		if (e->text.n && e->text.p[0] == '"')
			judge_folder(&j);
		else
			judge_other(&j);
	}
}

void fake_imap_ended(struct fake_imap *fake, unsigned number)
{
	fake_judge(fake, number);
}

void fake_imap_lenient(struct fake_imap *fake)
{
	fake->lenient = true;
}

void fake_imap_quiet(struct fake_imap *fake)
{
	static const char changing[] =
		"APPEND * | UID STORE * | STORE * | UID EXPUNGE * | EXPUNGE | UID COPY * | "
		"UID MOVE * | CREATE * | DELETE * | RENAME * | SUBSCRIBE * | UNSUBSCRIBE *";
	uint64_t n = count_commands(fake, fake->run_commands, bytes_of(changing));

	if (n)
		fake_complain(fake, 0, "%" PRIu64 " commands of a run with nothing to do change "
			      "something", n);
}

/* What a sweep put a number into must have been reached, or the sweep proves nothing. */
static void judge_rules(struct fake_imap *fake)
{
	const struct dialogue_rule *rule = fake->told ? fake->told->rules : NULL;

	for (; rule; rule = rule->next)
		if (rule->must_act && fake->rule_matches[rule->index] < rule->first)
			fake_complain(fake, rule->line, "this rule never acted");
}

const char *fake_imap_verdict(struct fake_imap *fake)
{
	fake_judge(fake, 0);
	judge_rules(fake);
	return buf_str(&fake->complaints);
}
