/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of steps: of scripts, and of rules. */
#include "lib/dialogue-parts.h"

enum argument { NONE, LINE, PATTERN, ESCAPED, NUMBER, NUMBER_ESCAPED, CLIENT_LITERAL, CHANGE };

static const struct step_word {
	const char *word;
	enum dialogue_step_kind kind;
	enum argument argument;
} step_words[] = {
	{ "S:", STEP_SEND, LINE },
	{ "S-raw:", STEP_SEND, ESCAPED },
	{ "S-literal:", STEP_SEND_LITERAL, ESCAPED },
	{ "S-message", STEP_SEND_MESSAGE, NONE },
	{ "S-repeat:", STEP_SEND_REPEATED, NUMBER_ESCAPED },
	{ "C:", STEP_EXPECT, PATTERN },
	{ "C-optional:", STEP_EXPECT_OPTIONAL, PATTERN },
	{ "C-literal:", STEP_EXPECT_LITERAL, CLIENT_LITERAL },
	{ "C-end", STEP_EXPECT_END, NONE },
	{ "pause", STEP_PAUSE, NONE },
	{ "hang", STEP_HANG, NONE },
	{ "close", STEP_CLOSE, NONE },
	{ "reset", STEP_RESET, NONE },
	{ "tls", STEP_TLS, NONE },
	{ "starttls", STEP_STARTTLS, NONE },
	{ "deflate", STEP_DEFLATE, NONE },
	{ "split", STEP_SPLIT, NUMBER },
	{ "serve", STEP_SERVE, NONE },
	{ "bye", STEP_BYE, NONE },
	{ "default", STEP_DEFAULT, NONE },
	{ "answer:", STEP_ANSWER, PATTERN },
	{ "later", STEP_LATER, NONE },
	{ "do:", STEP_DO, CHANGE },
	{ "kill", STEP_KILL, NONE },
	{ "wait", STEP_WAIT, NUMBER },
};

/* C-literal: N bytes · C-literal: sha256 HEX · C-literal: "the bytes themselves" */
static int read_client_literal(struct dialogue_reader *r, struct dialogue_step *step,
			       struct bytes rest)
{
	struct bytes first;

	if (rest.n && rest.p[0] == '"')
		return dialogue_need_word(r, &rest, &step->text);
	if (dialogue_need_word(r, &rest, &first) < 0)
		return -1;
	if (dialogue_is(first, "sha256")) {
		step->kind = STEP_EXPECT_SHA256;
		return dialogue_need_word(r, &rest, &step->text);
	}

	step->kind = STEP_EXPECT_BYTES;
	return dialogue_number(r, first, UINT64_MAX, &step->number);
}

static int read_argument(struct dialogue_reader *r, struct dialogue_step *step,
			 enum argument argument, struct bytes rest)
{
	switch (argument) {
	case NONE:
		return rest.n ? dialogue_wrong(r, "nothing belongs behind this step:", rest) : 0;
	case LINE:
		step->text = bytes_of(arena_printf(r->arena, "%.*s\r\n", (int)rest.n,
						   rest.n ? rest.p : ""));
		return 0;
	case PATTERN:
		step->text = rest;
		return 0;
	case NUMBER:
		return dialogue_need_number(r, &rest, UINT64_MAX, &step->number);
	case NUMBER_ESCAPED:
		if (dialogue_need_number(r, &rest, UINT64_MAX, &step->number) < 0)
			return -1;
		__attribute__((fallthrough));
	case ESCAPED:
		if (dialogue_unescape(r->arena, rest, &step->text) < 0)
			return dialogue_wrong(r, "an escape that does not exist (a backslash is "
					      "\\\\) in", rest);
		return 0;
	case CLIENT_LITERAL:
		return read_client_literal(r, step, rest);
	case CHANGE:
		return dialogue_read_change(r, rest, &step->change);
	}

	return 0;
}

static const struct step_word *find(struct bytes word)
{
	for (size_t i = 0; i < ARRAY_SIZE(step_words); i++)
		if (dialogue_is(word, step_words[i].word))
			return &step_words[i];

	return NULL;
}

bool dialogue_is_step(struct bytes word)
{
	return find(word);
}

int dialogue_read_step(struct dialogue_reader *r, struct bytes word, struct bytes rest)
{
	const struct step_word *found = find(word);
	struct dialogue_step *step = arena_alloc(r->arena, sizeof(*step));

	*step = (struct dialogue_step){ .kind = found->kind, .line = r->line };
	LINK_LAST(*r->steps, step);
	return read_argument(r, step, found->argument, rest);
}
