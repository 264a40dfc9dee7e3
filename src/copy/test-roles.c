/* SPDX-License-Identifier: Apache-2.0 */
/* Roles: attributes of both kinds, names in many languages, and the tables' own order. */
#include "lib/check.h"

#include <stdio.h>

#include "base/buf.h"
#include "copy/roles.h"
#include "mail/utf8.h"

static void attributes(struct check *check)
{
	static const struct {
		const char *attribute;
		enum role role;
	} rows[] = {
		{ "\\Sent", ROLE_SENT },
		{ "\\sent", ROLE_SENT },
		{ "\\Drafts", ROLE_DRAFTS },
		{ "\\Junk", ROLE_JUNK },
		{ "\\Spam", ROLE_JUNK },
		{ "\\Trash", ROLE_TRASH },
		{ "\\Archive", ROLE_ARCHIVE },
		{ "\\All", ROLE_ALL },
		{ "\\AllMail", ROLE_ALL },
		{ "\\Flagged", ROLE_FLAGGED },
		{ "\\Starred", ROLE_FLAGGED },
		{ "\\Inbox", ROLE_INBOX },
		{ "\\Important", ROLE_IMPORTANT },
		{ "Sent", ROLE_NONE },
		{ "\\Sen", ROLE_NONE },
		{ "", ROLE_NONE },
		{ "\\HasChildren", ROLE_NONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (role_of_attribute(bytes_of(rows[i].attribute)) != rows[i].role)
			CHECK_FAIL("%s is not %s", rows[i].attribute, role_name(rows[i].role));
	CHECK_STR(role_attribute(ROLE_TRASH), "\\Trash");
	CHECK_STR(role_attribute(ROLE_NONE), "");
	for (enum role role = ROLE_DRAFTS; role < ROLE_COUNT; role++)
		CHECK_EQ(role_of_attribute(bytes_of(role_attribute(role))), role);
	CHECK(role_is_view(ROLE_ALL) && role_is_view(ROLE_FLAGGED) && role_is_view(ROLE_IMPORTANT));
	CHECK(!role_is_view(ROLE_ARCHIVE) && !role_is_view(ROLE_NONE));
}

static void names(struct check *check)
{
	static const struct {
		enum role role;
		const char *name;
	} rows[] = {
		{ ROLE_SENT, "Sent Items" },
		{ ROLE_SENT, "SENT" },
		{ ROLE_SENT, "Gesendet" },
		{ ROLE_SENT, "已发送" },
		{ ROLE_SENT, "已发送邮件" },
		{ ROLE_SENT, "寄件備份" },
		{ ROLE_SENT, "Éléments envoyés" },
		{ ROLE_SENT, "ÉLÉMENTS ENVOYÉS" },
		{ ROLE_SENT, "E\xcc\x81le\xcc\x81ments envoye\xcc\x81s" }, /* decomposed */
		{ ROLE_SENT, "Отправленные" },
		{ ROLE_SENT, "送信済み" },
		{ ROLE_SENT, "Itens Enviados" },
		{ ROLE_SENT, "Gönderilmiş Öğeler" },
		{ ROLE_SENT, "보낸 편지함" },
		{ ROLE_SENT, "Απεσταλμένα" },
		{ ROLE_SENT, "Lähetetyt" },
		{ ROLE_SENT, "Надіслані" },
		{ ROLE_DRAFTS, "Entwürfe" },
		{ ROLE_DRAFTS, "草稿箱" },
		{ ROLE_DRAFTS, "Brouillons" },
		{ ROLE_DRAFTS, "Черновики" },
		{ ROLE_DRAFTS, "下書き" },
		{ ROLE_DRAFTS, "Wersje robocze" },
		{ ROLE_DRAFTS, "المسودات" },
		{ ROLE_DRAFTS, "טיוטות" },
		{ ROLE_DRAFTS, "Koncepty" },
		{ ROLE_JUNK, "垃圾邮件" },
		{ ROLE_JUNK, "Junk E-mail" },
		{ ROLE_JUNK, "Courrier indésirable" },
		{ ROLE_JUNK, "Skräppost" },
		{ ROLE_JUNK, "迷惑メール" },
		{ ROLE_JUNK, "Thư rác" },
		{ ROLE_JUNK, "İstenmeyen" },
		{ ROLE_JUNK, "Uønsket e-mail" },
		{ ROLE_TRASH, "已删除邮件" },
		{ ROLE_TRASH, "Papierkorb" },
		{ ROLE_TRASH, "Deleted Items" },
		{ ROLE_TRASH, "Prullenbak" },
		{ ROLE_TRASH, "Lixeira" },
		{ ROLE_TRASH, "ごみ箱" },
		{ ROLE_TRASH, "Törölt elemek" },
		{ ROLE_TRASH, "Elemente șterse" },
		{ ROLE_TRASH, "ถังขยะ" },
		{ ROLE_TRASH, "Papperskorgen" },
		{ ROLE_TRASH, "Slettet post" },
		{ ROLE_ARCHIVE, "Archives" },
		{ ROLE_ARCHIVE, "归档" },
		{ ROLE_ARCHIVE, "Arsip" },
		{ ROLE_ALL, "All Mail" },
		{ ROLE_FLAGGED, "Starred" },
		{ ROLE_IMPORTANT, "Wichtig" },
		{ ROLE_NONE, "Sent 2019" },
		{ ROLE_NONE, "" },
		{ ROLE_NONE, "垃圾箱" },
		{ ROLE_NONE, "Outbox" },
		{ ROLE_NONE, "\xff\xfe" },
		{ ROLE_NONE, "INBOX" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (role_of_name(bytes_of(rows[i].name), NULL) != rows[i].role)
			CHECK_FAIL("'%s' is not %s", rows[i].name, role_name(rows[i].role));
	CHECK_EQ(role_of_name((struct bytes){ "sent\0x", 6 }, NULL), ROLE_NONE);
}

static void ranks(struct check *check)
{
	size_t sent = 9, items = 9;

	role_of_name(BYTES("Sent"), &sent);
	role_of_name(BYTES("Sent Items"), &items);
	CHECK_EQ(sent, 0);
	CHECK(items > sent);
}

struct seen {
	struct check *check;
	size_t n, bad;
	char what[128];
};

static void look(void *arg, enum role role, const char *name)
{
	struct seen *seen = arg;
	_cleanup_(buf_done) struct buf key = BUF_NULL;
	bool ok =
		utf8_key(bytes_of(name), &key) == 0 && bytes_equal(buf_bytes(&key), bytes_of(name));

	/* In two tables, a name would give the role of the first. */
	ok = ok && role_of_name(bytes_of(name), NULL) == role;
	seen->n++;
	if (!ok) {
		seen->bad++;
		snprintf(seen->what, sizeof(seen->what), "%s", name);
	}
}

static void tables(struct check *check)
{
	struct seen seen = { .check = check };

	role_each_name(look, &seen);
	if (seen.bad)
		CHECK_FAIL("%zu names are no keys or stand twice, the last is '%s'", seen.bad,
			   seen.what);
	CHECK(seen.n > 500);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "attributes", attributes },
		{ "names", names },
		{ "ranks", ranks },
		{ "tables", tables },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
