/* SPDX-License-Identifier: Apache-2.0 */
/* Which folders may be named for acceptance: those that were shown, and those of the ledger in whatever form. */
#include <string.h>

#include "lib/check.h"
#include "verify/fact.h"

struct known {
	const char *fact;
	struct ledger_folder folders[4];
	size_t n;
};

static struct known known(const char *fact, const char *a, const char *b, const char *c)
{
	const char *names[] = { a, b, c };
	struct known k = { .fact = fact };

	for (size_t i = 0; i < ARRAY_SIZE(names) && names[i]; i++)
		k.folders[k.n++].source_name = bytes_of(names[i]);
	return k;
}

static bool is_there(const struct known *k, const char *folder, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };

	*fault = FAULT_INIT;
	return verify_accept_folder(k->fact, k->folders, k->n, folder, &arena, fault) == 0;
}

static void of_the_ledger(struct check *check)
{
	static const struct {
		const char *names[3], *folder;
		bool there;
	} cases[] = {
		{ { "INBOX", "Sent", NULL }, "Sent", true },
		{ { "INBOX", "Sent", NULL }, "", true },
		{ { "Sent", NULL, NULL }, "INBOX", true },
		{ { "INBOX", "Sent", NULL }, "sent", false },
		{ { "INBOX", "Sent", NULL }, "Sen", false },
		{ { "INBOX", "Sent", NULL }, "ent", false },
		{ { "INBOX", "A/B", "C" }, "A/B", true },
		{ { "INBOX", "A/B", "C" }, "B", false },
		{ { "INBOX", "A.B", "C" }, "A/B", true },
		{ { "INBOX", "A\\B", "C" }, "A/B", true },
		{ { "INBOX", "INBOX.A.B", "INBOX.C" }, "A/B", true },
		{ { "INBOX", "INBOX.A.B", "INBOX.C" }, "C", true },
		{ { "INBOX", "INBOX.A.B", "INBOX.C" }, "B", false },
		{ { "INBOX", "mail/A", "mail/C" }, "A", true },
		{ { "INBOX", "Gel&APY-scht", NULL }, "Gelöscht", true },
	};
	struct fault fault;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct known k = known(NULL, cases[i].names[0], cases[i].names[1], cases[i].names[2]);

		CHECK_EQ(is_there(&k, cases[i].folder, &fault), cases[i].there);
		CHECK_EQ(fault.kind, cases[i].there ? FAULT_NONE : FAULT_USAGE);
	}
}

/* A folder that was never copied may fail a mailbox, too. */
static void as_shown(struct check *check)
{
	struct known k = known("[\"INBOX\",\"Never copied\",\"Sent\"]", "INBOX", "Sent", NULL);
	struct fault fault;

	CHECK(is_there(&k, "Never copied", &fault));
	CHECK(!is_there(&k, "Never copid", &fault));
	CHECK_STR(fault.text, "there is no folder Never copid at the source: did you mean Never copied?");
	CHECK(!is_there(&k, "Something else", &fault));
	CHECK(strstr(fault.text, "there is no folder Something else at the source: write it as"));
	k.fact = "nonsense";
	CHECK(!is_there(&k, "Snet", &fault));
	CHECK_STR(fault.text, "there is no folder Snet at the source: did you mean Sent?");
	k.fact = "[1,null]";
	CHECK(!is_there(&k, "Never copied", &fault));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "of the ledger", of_the_ledger },
		{ "as shown", as_shown },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
