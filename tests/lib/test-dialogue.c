/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of dialogue files and its pattern language. */
#include "base/buf.h"
#include "lib/check.h"
#include "lib/dialogue.h"

static bool matches(const char *pattern, const char *text)
{
	return dialogue_match(bytes_of(pattern), bytes_of(text), NULL);
}

static void patterns(struct check *check)
{
	CHECK(matches("NOOP", "NOOP"));
	CHECK(!matches("NOOP", "NOOP "));
	CHECK(!matches("NOOP", "NOO"));
	CHECK(matches("*", ""));
	CHECK(matches("UID FETCH *", "UID FETCH 1:3 (FLAGS)"));
	CHECK(matches("UID * (*FLAGS*)", "UID FETCH 1 (UID FLAGS)"));
	CHECK(!matches("UID * (*FLAGS)", "UID FETCH 1 (FLAGS UID)"));
	CHECK(matches("LIST \"\" \\*", "LIST \"\" *"));
	CHECK(!matches("LIST \"\" \\*", "LIST \"\" x"));
	CHECK(matches("SELECT a | EXAMINE a", "EXAMINE a"));
	CHECK(!matches("SELECT a | EXAMINE a", "EXAMINE b"));
	CHECK(matches("x FLAGS (\\Seen)", "x FLAGS (\\Seen)"));
	CHECK(matches("a {5+}", "a {5+}"));
}

static void names(struct check *check)
{
	struct dialogue_names names = { 0 };
	struct buf filled = BUF_NULL;

	CHECK(dialogue_match(BYTES("{a} LOGIN {who} *"), BYTES("A01 LOGIN joe secret"), &names));
	CHECK_EQ(names.n, 2);
	dialogue_fill(&filled, BYTES("{a} OK {who} {4} {nobody}"), &names);
	CHECK_STR(buf_str(&filled), "A01 OK joe {4} {nobody}");
	buf_done(&filled);

	CHECK(dialogue_match(BYTES("{a} NOOP"), BYTES("A01 NOOP"), &names));
	CHECK(!dialogue_match(BYTES("{a} NOOP"), BYTES("A02 NOOP"), &names));
	CHECK(!dialogue_match(BYTES("{b} NOOPS"), BYTES("A02 NOOP"), &names));
	CHECK_EQ(names.n, 2);
	CHECK(dialogue_match(BYTES("{b} {c}x"), BYTES("A02 foox"), &names));
	CHECK_STR(names.at[3].value, "foo");
}

static void words(struct check *check)
{
	struct arena arena = { 0 };
	struct bytes rest = BYTES("a  \"b \\\"c\\\\\" (d (e) f) g"), word = BYTES_NULL;

	CHECK_EQ(dialogue_word(&arena, &rest, &word), 1);
	CHECK_BYTES(word, BYTES("a"));
	CHECK_EQ(dialogue_word(&arena, &rest, &word), 1);
	CHECK_BYTES(word, BYTES("b \"c\\"));
	CHECK_EQ(dialogue_word(&arena, &rest, &word), 1);
	CHECK_BYTES(word, BYTES("d (e) f"));
	CHECK_EQ(dialogue_word(&arena, &rest, &word), 1);
	CHECK_BYTES(word, BYTES("g"));
	CHECK_EQ(dialogue_word(&arena, &rest, &word), 0);

	rest = BYTES("\"never ends");
	CHECK_EQ(dialogue_word(&arena, &rest, &word), -1);
	rest = BYTES("(never (ends)");
	CHECK_EQ(dialogue_word(&arena, &rest, &word), -1);

	CHECK_EQ(dialogue_unescape(&arena, BYTES("\\r\\n\\t\\0\\x41\\xfF\\\\\\\""), &word), 0);
	CHECK_BYTES(word, BYTES("\r\n\t\0A\xff\\\""));
	CHECK_EQ(dialogue_unescape(&arena, BYTES("\\Seen"), &word), -1);
	CHECK_EQ(dialogue_unescape(&arena, BYTES("\\x4"), &word), -1);
	CHECK_EQ(dialogue_unescape(&arena, BYTES("\\"), &word), -1);
	arena_done(&arena);
}

static const char example[] =
	"# a comment\n"
	"run\n"
	"  about: nothing\n"
	"  exit: 1\n"
	"\n"
	"server from\r\n"
	"  capability: -UIDPLUS +ID\n"
	"  folder \"Sent Mail\" uidvalidity 7 attributes (\\Sent)\n"
	"    message 3..5 flags (\\Seen $X) size 2K\n"
	"    message 9 text \"a\\0b\\r\\n\" date \" 1-Jan-2020 00:00:00 +0000\" claims 0\n"
	"  on early nth 2: APPEND * | SELECT x\n"
	"    S: {tag} NO [OVERQUOTA]  full \n"
	"    close\n"
	"  on at 100: message INBOX 4\n"
	"    reset\n"
	"  connection 2\n"
	"    S-repeat: 3 ab\\n\n"
	"    C-literal: \"x\\r\\n\"\n"
	"    C-literal: 12 bytes\n"
	"    C-literal: sha256 abcd\n"
	"  expect \"Sent Mail\" has 4 messages\n"
	"server to\n";

static void reads_all(struct check *check)
{
	_cleanup_(dialogue_freep) struct dialogue *d = NULL;
	const struct dialogue_server *s;
	const struct dialogue_message *m;
	const struct dialogue_rule *rule;
	const struct dialogue_step *step;
	struct fault fault;

	if (dialogue_parse("example", bytes_of(example), &d, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	s = dialogue_server(d, "from");
	CHECK(s && dialogue_server(d, "to") && !dialogue_server(d, "other"));
	CHECK_BYTES(dialogue_setting(s, "capability", "x"), BYTES("-UIDPLUS +ID"));
	CHECK_BYTES(dialogue_setting(s, "login", "x"), BYTES("x"));

	CHECK_BYTES(s->folders->name, BYTES("Sent Mail"));
	CHECK_BYTES(s->folders->attributes, BYTES("\\Sent"));
	CHECK_EQ(s->folders->uidvalidity, 7);
	m = s->folders->messages;
	CHECK(m->first == 3 && m->last == 5 && m->size == 2048 && !m->has_claim);
	CHECK_BYTES(m->flags, BYTES("\\Seen $X"));
	m = m->next;
	CHECK(m->first == 9 && m->last == 9 && m->has_claim && m->claim == 0);
	CHECK_BYTES(m->text, BYTES("a\0b\r\n"));
	CHECK_BYTES(m->date, BYTES(" 1-Jan-2020 00:00:00 +0000"));

	rule = s->rules;
	CHECK(rule->when == RULE_EARLY && rule->first == 2 && rule->last == 2);
	CHECK_BYTES(rule->pattern, BYTES("APPEND * | SELECT x"));
	CHECK_BYTES(rule->steps->text, BYTES("{tag} NO [OVERQUOTA]  full \r\n"));
	CHECK_EQ(rule->steps->next->kind, STEP_CLOSE);
	CHECK(rule->next->when == RULE_AT && rule->next->at == 100 && rule->next->index == 1);

	CHECK_EQ(s->scripts->connection, 2);
	step = s->scripts->steps;
	CHECK(step->kind == STEP_SEND_REPEATED && step->number == 3);
	CHECK_BYTES(step->text, BYTES("ab\n"));
	CHECK_EQ(step->next->kind, STEP_EXPECT_LITERAL);
	CHECK_EQ(step->next->next->kind, STEP_EXPECT_BYTES);
	CHECK_EQ(step->next->next->number, 12);
	CHECK_EQ(step->next->next->next->kind, STEP_EXPECT_SHA256);
	CHECK_BYTES(s->expectations->text, BYTES("\"Sent Mail\" has 4 messages"));
}

static const char runs_example[] =
	"sweep k 3..9\n"
	"sweep words \"a b\" \"c\"\n"
	"run\n"
	"change to\n"
	"flags \"INBOX\" 1..2,{k} add ($x)\n"
	"run\n"
	"change from\n"
	"add \"A\" message 5..6 like to B 7 front \"X: y\\r\\n\" flags ()\n"
	"change to\n"
	"uidvalidity \"INBOX\" 9 renumber from 4\n"
	"server from\n"
	"folder A nomodseq\n"
	"message 1 like to B\n"
	"on command from run 2 nth {k}: *{words}{k}{other}\n"
	"do: copy \"A\" * to \"B\" as 17\n"
	"on until run 3: x\n"
	"on run 2: x\n"
	"connection 2 run 3\n"
	"close\n"
	"expect after run 2: 1 commands x: y\n";

static void reads_runs(struct check *check)
{
	_cleanup_(dialogue_freep) struct dialogue *d = NULL;
	const struct dialogue_server *s;
	const struct dialogue_change *c;
	const struct dialogue_message *m;
	const struct dialogue_rule *rule;
	struct fault fault;

	if (dialogue_parse("example", bytes_of(runs_example), &d, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK_EQ(d->runs, 2);
	c = dialogue_server(d, "to")->changes;
	CHECK(c->kind == CHANGE_FLAGS && c->after_run == 1 && c->sign == '+' && c->line == 5);
	CHECK_BYTES(c->uids, BYTES("1..2,3"));
	CHECK_BYTES(c->flags, BYTES("$x"));
	c = c->next;
	CHECK(c->kind == CHANGE_UIDVALIDITY && c->after_run == 2 && c->number == 9);
	CHECK(c->renumber_from == 4 && !c->next);

	s = dialogue_server(d, "from");
	CHECK(s->changes->kind == CHANGE_ADD && s->changes->after_run == 2 && !s->changes->next);
	m = s->changes->message;
	CHECK(m->first == 5 && m->last == 6 && m->like_uid == 7 && m->has_flags);
	CHECK_BYTES(m->like_server, BYTES("to"));
	CHECK_BYTES(m->front, BYTES("X: y\r\n"));
	CHECK(s->folders->no_modseq && s->folders->messages->like_uid == 1);

	rule = s->rules;
	CHECK_BYTES(rule->pattern, BYTES("*a b3{other}"));
	CHECK(rule->must_act && rule->commands_only && rule->first == 3 && rule->last == 3);
	CHECK(rule->first_run == 2 && rule->last_run > 9);
	CHECK(rule->steps->kind == STEP_DO && rule->steps->change->kind == CHANGE_COPY);
	CHECK(rule->steps->change->number == 17);
	rule = rule->next;
	CHECK(rule->first_run == 1 && rule->last_run == 3 && !rule->must_act && rule->first == 1);
	rule = rule->next;
	CHECK(rule->first_run == 2 && rule->last_run == 2 && rule->last > 9);
	CHECK(s->scripts->connection == 2 && s->scripts->run == 3);
	CHECK_EQ(s->expectations->after_run, 2);
	CHECK_BYTES(s->expectations->text, BYTES("1 commands x: y"));
}

static void says_where(struct check *check)
{
	static const struct {
		const char *text;
		int line;
	} wrong[] = {
		{ "message 3\n", 1 },
		{ "server\n", 1 },
		{ "server from\nmessage 3\n", 2 },
		{ "server from\nfolder \"x\n", 2 },
		{ "server from\nfolder x color red\n", 2 },
		{ "server from\nfolder x\nmessage 3 size x\n", 3 },
		{ "server from\nfolder x\nmessage 3 date (x\n", 3 },
		{ "server from\nS: x\n", 2 },
		{ "server from\ncolour: red\n", 2 },
		{ "run\nlogin: x\n", 2 },
		{ "server from\non nth: x\nclose\n", 2 },
		{ "server from\non soon: x\nclose\n", 2 },
		{ "server from\non early:\nclose\n", 2 },
		{ "server from\nconnection x\n", 2 },
		{ "server from\nconnection 1\nS-raw: \\Seen\n", 3 },
		{ "server from\nconnection 1\nclose now\n", 3 },
		{ "server from\nconnection 1 often\nclose\n", 2 },
		{ "server from\non run: NOOP\nclose\n", 2 },
		{ "server from\non nth run 2: NOOP\nclose\n", 2 },
		{ "server from\non: NOOP\ndo: explode \"INBOX\"\n", 3 },
		{ "change\n", 1 },
		{ "change from\nexplode INBOX\n", 2 },
		{ "change from\nremove INBOX\n", 2 },
		{ "change from\nremove INBOX 1..x\n", 2 },
		{ "change from\nremove INBOX 1 2\n", 2 },
		{ "change from\nflags INBOX 1 maybe (x)\n", 2 },
		{ "change from\nmove INBOX 1 into Box\n", 2 },
		{ "change from\nmove INBOX 1 to Box as\n", 2 },
		{ "change from\nadd INBOX letter 1\n", 2 },
		{ "change from\nadd INBOX message 1 colour red\n", 2 },
		{ "change from\ncreate INBOX colour red\n", 2 },
		{ "change from\nuidvalidity INBOX 3 renumber to 4\n", 2 },
		{ "change from\nexit: 0\n", 2 },
		{ "sweep k\n", 1 },
		{ "run\nexit: 0\nserver from\nexpect after run 2: folder X\n", 4 },
		{ "server from\nexpect after run x: folder X\n", 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_cleanup_(dialogue_freep) struct dialogue *d = NULL;
		struct fault fault;
		char where[16];

		if (dialogue_parse("f", bytes_of(wrong[i].text), &d, &fault) == 0)
			CHECK_FAIL("accepted: %s", wrong[i].text);
		snprintf(where, sizeof(where), "f:%d: ", wrong[i].line);
		if (strncmp(fault.text, where, strlen(where)) != 0)
			CHECK_FAIL("not %s: %s", where, fault.text);
	}
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "patterns", patterns }, { "names", names },	      { "words", words },
		{ "reads all", reads_all }, { "says where", says_where },
		{ "reads runs", reads_runs }, { 0 },
	};

	return check_main(argc, argv, cases);
}
