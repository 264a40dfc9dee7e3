/* SPDX-License-Identifier: Apache-2.0 */
/* Lines a client may send. What is accepted holds no control characters; an address that was read is written
 * as one that reads back the same, with the same key; an answer is one line of printable ASCII. */
#include <stdlib.h>
#include <string.h>

#include "smtp/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
	if (!condition)
		abort();
}

static void check_clean(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		insist((unsigned char)b.p[i] >= 0x20 && b.p[i] != 0x7f);
}

static void check_answer(const struct smtp_answer *answer)
{
	insist(answer->code >= 500 && answer->code <= 599 && answer->enhanced[0] == '5');
	check_clean(bytes_of(answer->text));
}

static void check_path(const struct smtp_address *a, enum smtp_path_role role, struct arena *arena)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct smtp_address again;
	struct bytes rest;

	buf_append_char(&text, '<');
	smtp_address_append(&text, a);
	buf_append_char(&text, '>');
	insist(text.n <= SMTP_ADDRESS_TEXT_MAX);
	check_clean(buf_bytes(&text));
	rest = buf_bytes(&text);
	insist(smtp_path_take(&rest, role, arena, &again) == NULL && rest.n == 0);
	insist(bytes_equal(again.local, a->local) && bytes_equal(again.domain, a->domain));
	insist(again.is_utf8 == a->is_utf8 && again.is_literal == a->is_literal);
	insist(bytes_equal(smtp_address_key(&again, arena), smtp_address_key(a, arena)));
}

static void check_command(const struct smtp_command *c, struct arena *arena)
{
	check_clean(c->argument);
	check_clean(c->mail.envid);
	check_clean(c->rcpt.orcpt);
	check_clean(c->attributes.name);
	check_clean(c->attributes.helo);
	check_clean(c->attributes.proto);
	check_clean(c->attributes.login);
	check_clean(c->attributes.ident);
	if (c->verb == SMTP_MAIL)
		check_path(&c->path, SMTP_PATH_REVERSE, arena);
	if (c->verb == SMTP_RCPT)
		check_path(&c->path, SMTP_PATH_FORWARD, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct bytes in = { (const char *)data, size }, line;
	enum smtp_line got;
	size_t n;

	while ((got = smtp_line_find(in, &line, &n)) == SMTP_LINE_READY) {
		struct smtp_command command;
		const struct smtp_answer *wrong;
		unsigned offered = SMTP_SIZE | SMTP_8BITMIME | SMTP_SMTPUTF8 | SMTP_DSN;

		insist(n == line.n + 2 && n <= SMTP_LINE_MAX && bytes_find_char(line, '\n') < 0);
		wrong = smtp_command_parse(line, offered, &arena, &command);
		if (wrong)
			check_answer(wrong);
		else
			check_command(&command, &arena);
		in = bytes_skip(in, n);
	}
	insist(got != SMTP_LINE_MORE || in.n < SMTP_LINE_MAX);
	return 0;
}
