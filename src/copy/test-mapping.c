/* SPDX-License-Identifier: Apache-2.0 */
/* Mapping by tables. Each row is two accounts, wishes, and the table that must come out.
 *
 * A side: first line "PREFIX SEPARATOR SERVER flags…" ("-" for none, NIL), then a folder a line
 * as on the wire, after a tab its attributes; besides those of IMAP: "sep=X" for a separator of
 * its own, "@other" for another namespace. Flags: "nonamespace", "utf8", "use"
 * (CREATE-SPECIAL-USE), "max=N".
 *
 * The table, a line an entry: "PATH -> WIRE", then "=" when it exists, "+\Sent" when created
 * for that use, and the reason when it is not "same"; "/" instead of "->" for structure, "PATH
 * x reason" for skipped. Last, "^ WIRE" for every parent that comes into being. */
#include "lib/check.h"

#include <stdio.h>

#include "base/buf.h"
#include "copy/mapping.h"
#include "mail/mutf7.h"

#define MAX_FOLDERS 64

struct account {
	struct mapping_side side;
	struct mapping_folder folders[MAX_FOLDERS];
};

static char separator_of(struct bytes word)
{
	return bytes_equal(word, BYTES("NIL")) ? '\0' : word.p[0];
}

static void read_attribute(struct mapping_folder *folder, struct bytes word)
{
	if (bytes_starts(word, BYTES("sep=")))
		folder->separator = separator_of(bytes_skip(word, 4));
	else if (bytes_equal(word, BYTES("@other")))
		folder->other_namespace = true;
	else
		mapping_folder_attribute(folder, word);
}

static void read_listed(struct account *a, struct bytes line, struct arena *arena)
{
	struct mapping_folder *folder = &a->folders[a->side.n_folders++];
	_cleanup_(buf_done) struct buf utf8 = BUF_NULL;

	folder->raw = bytes_cut(&line, '\t');
	folder->separator = a->side.separator;
	folder->utf8 = folder->raw;
	if (mutf7_decode(folder->raw, &utf8) >= 0)
		folder->utf8 = arena_copy(arena, buf_bytes(&utf8));
	while (line.n > 0)
		read_attribute(folder, bytes_cut(&line, ' '));
}

static void read_head(struct account *a, struct bytes line)
{
	struct bytes prefix = bytes_cut(&line, ' '), separator = bytes_cut(&line, ' ');
	uint64_t max;

	a->side.prefix = bytes_equal(prefix, BYTES("-")) ? BYTES_NULL : prefix;
	a->side.separator = separator_of(separator);
	a->side.server = mapping_server_of(bytes_cut(&line, ' '));
	a->side.has_namespace = true;
	while (line.n > 0) {
		struct bytes flag = bytes_cut(&line, ' ');

		if (bytes_equal(flag, BYTES("nonamespace")))
			a->side.has_namespace = false;
		else if (bytes_equal(flag, BYTES("utf8")))
			a->side.utf8_accept = true;
		else if (bytes_equal(flag, BYTES("use")))
			a->side.create_special_use = true;
		else if (bytes_to_u64(bytes_skip(flag, 4), 9999, &max) == 0)
			a->side.max_name = (size_t)max;
	}
}

static void read_account(struct account *a, const char *text, struct arena *arena)
{
	struct bytes rest = bytes_of(text);

	memset(a, 0, sizeof(*a));
	read_head(a, bytes_cut(&rest, '\n'));
	while (rest.n > 0 && a->side.n_folders < MAX_FOLDERS)
		read_listed(a, bytes_cut(&rest, '\n'), arena);
	a->side.folders = a->folders;
}

struct wishes {
	struct mapping_options options;
	struct bytes include[8], exclude[8];
	struct mapping_wish wishes[8];
};

static void read_wishes(struct wishes *w, const char *text)
{
	struct bytes rest = bytes_of(text);

	memset(w, 0, sizeof(*w));
	w->options.include = w->include;
	w->options.exclude = w->exclude;
	w->options.wishes = w->wishes;
	while (rest.n > 0) {
		struct bytes line = bytes_cut(&rest, '\n'), word = bytes_cut(&line, ' ');

		if (bytes_equal(word, BYTES("folder")))
			w->include[w->options.n_include++] = line;
		else if (bytes_equal(word, BYTES("exclude")))
			w->exclude[w->options.n_exclude++] = line;
		else
			w->wishes[w->options.n_wishes++] =
				(struct mapping_wish){ .from = bytes_cut(&line, '='), .to = line };
	}
}

static void write_entry(struct buf *out, const struct mapping_entry *e)
{
	buf_append_bytes(out, e->source_path);
	if (e->action == MAPPING_SKIP) {
		buf_appendf(out, " x %s\n", mapping_reason_name(e->reason));
		return;
	}
	buf_append_str(out, e->action == MAPPING_COPY ? " -> " : " / ");
	buf_append_bytes(out, e->wire);
	if (e->exists)
		buf_append_str(out, " =");
	if (e->create_role)
		buf_appendf(out, " +%s", role_attribute(e->create_role));
	if (e->reason != MAPPING_SAME && e->reason != MAPPING_INBOX &&
	    e->reason != MAPPING_NOSELECT)
		buf_appendf(out, " %s", mapping_reason_name(e->reason));
	buf_append_char(out, '\n');
}

static void write_table(struct buf *out, const struct mapping *mapping)
{
	for (size_t i = 0; i < mapping->n_entries; i++)
		write_entry(out, &mapping->entries[i]);
	for (size_t i = 0; i < mapping->n_parents; i++) {
		buf_append_str(out, "^ ");
		buf_append_bytes(out, mapping->parents[i].wire);
		buf_append_char(out, '\n');
	}
}

struct row {
	const char *name, *from, *to, *wishes, *want;
};

static void run_row(struct check *check, const struct row *row)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	struct account *from = arena_alloc(&arena, sizeof(*from));
	struct account *to = arena_alloc(&arena, sizeof(*to));
	struct mapping mapping;
	struct wishes wishes;
	struct fault fault = FAULT_INIT;
	bool same;

	read_account(from, row->from, &arena);
	read_account(to, row->to, &arena);
	read_wishes(&wishes, row->wishes ? row->wishes : "");
	if (mapping_make(&from->side, &to->side, &wishes.options, &arena, &mapping, &fault) < 0)
		buf_appendf(&got, "fault %s: %s", fault_kind_name(fault.kind), fault.text);
	else
		write_table(&got, &mapping);
	same = bytes_equal(buf_bytes(&got), bytes_of(row->want));
	if (!same)
		printf("# %s: got\n%s\n# wanted\n%s\n", row->name, buf_str(&got), row->want);
	check_expect(check, same, __FILE__, __LINE__, "%s", row->name);
}

static void run_rows(struct check *check, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		run_row(check, &rows[i]);
}

#define RUN(rows) run_rows(check, rows, ARRAY_SIZE(rows))

static void separators(struct check *check)
{
	static const struct row rows[] = {
		{ "Q16: Courier to plain",
		  "INBOX. . courier\nINBOX\nINBOX.Work\nINBOX.Work.2019\nINBOX.a/b",
		  "- / dovecot\nINBOX", NULL,
		  "INBOX -> INBOX =\nWork -> Work\nWork/2019 -> Work/2019\n"
		  "a/b -> a_b separator\n" },
		{ "Q16: plain to Courier",
		  "- / dovecot\nINBOX\nWork\nWork/2019\nv1.2",
		  "INBOX. . courier\nInbox", NULL,
		  "INBOX -> INBOX =\nWork -> INBOX.Work\nWork/2019 -> INBOX.Work.2019\n"
		  "v1.2 -> INBOX.v1_2 separator\n" },
		{ "Q16: child of INBOX gets the prefix once",
		  "- / x\nInbox\nInbox/Sub\nInbox/Sub/Deep", "INBOX. . courier\nINBOX", NULL,
		  "INBOX -> INBOX =\nINBOX/Sub -> INBOX.Sub inbox-child\n"
		  "INBOX/Sub/Deep -> INBOX.Sub.Deep parent\n" },
		{ "Q16: child of INBOX beside a folder of its name, whatever the order",
		  "- / x\nINBOX/Sub\nINBOX\nSub\nINBOX/Sub/a\nSub/a", "INBOX. . courier\nINBOX",
		  NULL,
		  "INBOX -> INBOX =\nINBOX/Sub -> INBOX.Sub (2) collision\nSub -> INBOX.Sub\n"
		  "INBOX/Sub/a -> INBOX.Sub (2).a parent\nSub/a -> INBOX.Sub.a\n" },
		{ "child of INBOX stays one where it can",
		  "- . x\nINBOX\nINBOX.Sub\nOther", "- / x\nINBOX", NULL,
		  "INBOX -> INBOX =\nINBOX/Sub -> INBOX/Sub\nOther -> Other\n" },
		{ "below a prefix that is not INBOX",
		  "- / x\nINBOX\nINBOX/Sub\nA", "mail/ / x\nINBOX", NULL,
		  "INBOX -> INBOX =\nINBOX/Sub -> mail/INBOX/Sub\nA -> mail/A\n" },
		{ "INBOX.INBOX is not INBOX",
		  "INBOX. . dovecot\nINBOX\nINBOX.INBOX\nINBOX.a", "- / x\nINBOX", NULL,
		  "INBOX -> INBOX =\nINBOX -> INBOX (2) collision\na -> a\n" },
		{ "Cyrus netnews to altnamespace",
		  "INBOX. . cyrus\nINBOX\nINBOX.Sent\nINBOX.a.b\nINBOX.x^y\nuser.bob\t@other",
		  "- / cyrus\nINBOX", NULL,
		  "INBOX -> INBOX =\nSent -> Sent role\na/b -> a/b\nx^y -> x_y character\n"
		  "user.bob x other-namespace\n^ a\n" },
		{ "Cyrus altnamespace to netnews",
		  "- / cyrus\nINBOX\na\na/b.c\na%b\nuser", "INBOX. . cyrus\nINBOX", NULL,
		  "INBOX -> INBOX =\na -> INBOX.a\na/b.c -> INBOX.a.b_c separator\n"
		  "a%b -> INBOX.a_b character\n"
		  "user -> INBOX.user_ reserved\n" },
		{ "Q17: Domino's backslash, and a bar",
		  "- \\ domino\nInbox\nProjekte\\2019\nA/B", "- | x\nINBOX\n", NULL,
		  "INBOX -> INBOX =\nProjekte/2019 -> Projekte|2019\nA/B -> A_B separator\n"
		  "^ Projekte\n" },
		{ "Q17: no NAMESPACE, all below INBOX.",
		  "- . hmailserver nonamespace\nINBOX\nINBOX.Sent\nINBOX.a", "- / x\nINBOX", NULL,
		  "INBOX -> INBOX =\nSent -> Sent role\na -> a\n" },
		{ "Q17: no NAMESPACE, not all below INBOX.",
		  "- NIL x nonamespace\nINBOX\tsep=.\nINBOX.Sub\tsep=.\na.b\tsep=.", "- / x\n"
		  "INBOX", NULL,
		  "INBOX -> INBOX =\nINBOX/Sub -> INBOX/Sub\na/b -> a/b\n^ a\n" },
		{ "Q17: the destination without NAMESPACE", "- / x\nINBOX\nA/b",
		  "- NIL gmx nonamespace\nINBOX\tsep=NIL\nINBOX.Old\tsep=.", NULL,
		  "INBOX -> INBOX =\nA/b -> INBOX.A.b\n^ INBOX.A\n" },
		{ "Q21: NIL separator, numbers, ampersands, undecodable names, empty components",
		  "- / x\nINBOX\na/b\tsep=NIL\n2019\nA&-B\nA&B\n&AOk-t\n"
		  "\xe9t\na//b\n/x\ny/",
		  "- . x\nINBOX", NULL,
		  "INBOX -> INBOX =\na/b -> a_b separator\n2019 -> 2019\nA&B -> A&-B\n"
		  "A&B -> A&-B (2) collision\nét -> &AOk-t\n\xe9t -> _t character\n"
		  "a//b -> a._.b empty\n"
		  "/x -> _.x empty\ny -> y\n^ a\n^ a._\n^ _\n" },
		{ "Q21: UTF8=ACCEPT", "- / x\nINBOX\n&AOk-t&AOk-\n&ZeVnLIqe-/x", "- / x utf8\n"
		  "INBOX\n", NULL,
		  "INBOX -> INBOX =\nété -> été\n日本語/x -> 日本語/x\n^ 日本語\n" },
		{ "control characters, dots",
		  "- / x\nINBOX\na\x01z\n..\n.\n~t", "- / dovecot\nINBOX", NULL,
		  "INBOX -> INBOX =\na\x01z -> a_z character\n.. -> .._ reserved\n"
		  ". -> ._ reserved\n"
		  "~t -> _t character\n" },
	};

	RUN(rows);
}

static void levels(struct check *check)
{
	static const struct row rows[] = {
		{ "Q20: the destination has no levels",
		  "- / x\nINBOX\nA\nA/b\nA/b/c\nA_b\nINBOX/k", "- NIL x\nINBOX\tsep=NIL", NULL,
		  "INBOX -> INBOX =\nA -> A\nA/b -> A_b (2) collision\nA/b/c -> A_b (2)_c flat\n"
		  "A_b -> A_b\n"
		  "INBOX/k -> k inbox-child\n" },
		{ "Q20: Yahoo", "- / x\nINBOX\nA/b", "- / yahoo\nInbox\nDraft\nBulk Mail\nSent\n"
		  "Trash", NULL,
		  "INBOX -> INBOX =\nA/b -> A_b flat\n" },
		{ "Q20: a folder without inferiors",
		  "- / x\nINBOX\nA\nA/b\nA/b/c", "- / x\nINBOX\t\\Noinferiors\nA\t\\Noinferiors",
		  NULL,
		  "INBOX -> INBOX =\nA -> A =\nA/b -> A_b flat\nA/b/c -> A_b/c parent\n" },
		{ "Q20: case", "- / x\nINBOX\nTest\ntest\nTEST/a", "- / dovecot\nINBOX", NULL,
		  "INBOX -> INBOX =\nTest -> Test\ntest -> test\nTEST/a -> TEST/a\n^ TEST\n" },
		{ "Q20: no case at Exchange", "- / x\nINBOX\nTest\ntest\nÉT\t\n&AOk-t",
		  "- / exchange\nInbox", NULL,
		  "INBOX -> INBOX =\nTest -> Test\ntest -> test (2) collision\n"
		  "ÉT -> &AMk-T\nét -> &AOk-t (2) collision\n" },
		{ "Q20: composed and decomposed stay two", "- / x\nINBOX\n&AOk-t\ne&AwE-t",
		  "- / dovecot\nINBOX", NULL, "INBOX -> INBOX =\nét -> &AOk-t\n"
		  "e\xcc\x81t -> e&AwE-t\n" },
		{ "Q20: the destination composes", "- / x\nINBOX\n&AOk-t\ne&AwE-t",
		  "- / x utf8\nINBOX", NULL,
		  "INBOX -> INBOX =\nét -> ét\ne\xcc\x81t -> e\xcc\x81t (2) collision\n" },
		{ "Q20: lengths", "- / x\nINBOX\n"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
				  "short/&U,BTFw-", "INBOX. . courier max=40\nINBOX", NULL,
		  "INBOX -> INBOX =\n"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa -> "
		  "INBOX.aaaaaaaaaaaaaaaaaaaaaaaaa~10b5a309 length\n"
		  "short/台北 -> INBOX.short.&U,BTFw-\n^ INBOX.short\n" },
		{ "Noselect parents stay structure", "- / x\nINBOX\nA/b\nA\t\\Noselect\n"
		  "B\t\\Noselect",
		  "- / x\nINBOX", NULL, "INBOX -> INBOX =\nA / A\nA/b -> A/b\nB / B\n^ A\n" },
		{ "Q23: HasNoChildren lies; folders that are not there; listed twice",
		  "- / x\nINBOX\nA\t\\HasNoChildren\nA/b\nGone\t\\NonExistent\n"
		  "G\t\\NonExistent \\HasChildren\nG/x\nA\n"
		  "inbox\nA/\t\\Noselect", "- / x\nINBOX", NULL,
		  "INBOX -> INBOX =\nA -> A\nA/b -> A/b\nGone x nonexistent\nG / G\nG/x -> G/x\n"
		  "A x listed-twice\ninbox x listed-twice\nA/ x listed-twice\n^ G\n" },
		{ "a directory listed before its mailbox", "- / x\nINBOX\nA/\t\\Noselect\nA\nA/k",
		  "- / x\nINBOX",
		  NULL, "INBOX -> INBOX =\nA/ x listed-twice\nA -> A\nA/k -> A/k\n" },
		{ "parents first", "- / x\nA/b/c\nA/b\nA\nINBOX", "- / x\nINBOX", NULL,
		  "INBOX -> INBOX =\nA -> A\nA/b -> A/b\nA/b/c -> A/b/c\n" },
		{ "exists, in the destination's own bytes", "- / x\nINBOX\nTEST\n&AOk-t/a",
		  "- / exchange\nInbox\nTest\n&AMkAdA-", NULL,
		  "INBOX -> INBOX =\nTEST -> Test =\nét/a -> &AMkAdA-/a parent\n" },
	};

	RUN(rows);
}

static void servers(struct check *check)
{
	static const struct row rows[] = {
		{ "Q18: to Gmail", "- / x\nINBOX\n lead\ntrail \ntwo  blanks\na^b\nTrash2\n"
		  "Starred\nSent/2019",
		  "- / gimap\nINBOX\n[Gmail]\t\\Noselect \\HasChildren\n[Gmail]/Sent Mail\t\\Sent\n"
		  "[Gmail]/Starred\t\\Flagged", NULL,
		  "INBOX -> INBOX =\n lead -> lead blanks\ntrail  -> trail blanks\n"
		  "two  blanks -> two blanks blanks\n"
		  "a^b -> a_b character\nTrash2 -> Trash2\nStarred -> Starred_ reserved\n"
		  "Sent/2019 -> Sent_/2019 reserved\n^ Sent_\n" },
		{ "Q18: Gmail's own folders take no children", "- / x\nINBOX\nSent\nSent/2019\n"
		  "Sent/2019/05",
		  "- / gimap\nINBOX\n[Gmail]\t\\Noselect\n[Gmail]/Gesendet\t\\Sent", NULL,
		  "INBOX -> INBOX =\nSent -> [Gmail]/Gesendet = role\n"
		  "Sent/2019 -> Gesendet_2019 flat\n"
		  "Sent/2019/05 -> Gesendet_2019/05 parent\n" },
		{ "from Gmail, in German",
		  "- / gimap\nINBOX\n[Gmail]\t\\Noselect\n[Gmail]/Alle Nachrichten\t\\All\n"
		  "[Gmail]/Entw&APw-rfe\t\\Drafts\n[Gmail]/Gesendet\t\\Sent\n"
		  "[Gmail]/Markiert\t\\Flagged\n"
		  "[Gmail]/Papierkorb\t\\Trash\n[Gmail]/Spam\t\\Junk\n"
		  "[Gmail]/Wichtig\t\\Important\nKunden/A",
		  "- / dovecot use\nINBOX\nDrafts\t\\Drafts\nSent\t\\Sent", NULL,
		  "INBOX -> INBOX =\n[Gmail]/Entwürfe -> Drafts = role\n"
		  "[Gmail]/Gesendet -> Sent = role\n"
		  "[Gmail]/Spam -> Spam +\\Junk role\n"
		  "[Gmail]/Papierkorb -> Papierkorb +\\Trash role\n"
		  "[Gmail]/Alle Nachrichten x view\n[Gmail]/Markiert x view\n"
		  "[Gmail]/Wichtig x view\n"
		  "[Gmail] / [Gmail]\nKunden/A -> Kunden/A\n^ Kunden\n" },
		{ "from Gmail by XLIST",
		  "- / gimap\nPosteingang\t\\Inbox\n[Gmail]/Alle\t\\AllMail\n"
		  "[Gmail]/Spam\t\\Spam", "- / x\nINBOX\n", NULL,
		  "Posteingang -> INBOX =\n[Gmail]/Spam -> Spam role\n[Gmail]/Alle x view\n" },
		{ "from Gmail without attributes: views by name, chosen ones are copied",
		  "- / gimap\nINBOX\n[Gmail]/All Mail\n[Gmail]/Starred\nImportant", "- / x\n"
		  "INBOX\n",
		  "folder [Gmail]/All Mail\nfolder INBOX\nfolder Important",
		  "INBOX -> INBOX =\n[Gmail]/All Mail -> All Mail role\n"
		  "[Gmail]/Starred x not-chosen\n"
		  "Important -> Important\n" },
		{ "elsewhere a name makes no view", "- / x\nINBOX\n[Gmail]/All Mail\nImportant\n"
		  "Starred",
		  "- / x\nINBOX", NULL,
		  "INBOX -> INBOX =\n[Gmail]/All Mail -> [Gmail]/All Mail\n"
		  "Important -> Important\nStarred -> Starred\n"
		  "^ [Gmail]\n" },
		{ "a view at the destination takes nothing", "- / x\nINBOX\nFlagged",
		  "- / dovecot\nINBOX\nFlagged\t\\Flagged",
		  NULL, "INBOX -> INBOX =\nFlagged -> Flagged (2) collision\n" },
		{ "Q19: to Exchange", "INBOX. . dovecot\nINBOX\nINBOX.Trash\t\\Trash\n"
		  "INBOX.Files\nINBOX.end \nINBOX.Calendar\n"
				      "INBOX.Sent\t\\Sent\nINBOX.Junk",
		  "- / exchange\nINBOX\nCalendar\nDeleted Items\t\\Trash\nSent Items\n"
		  "Junk Email\t\\Junk\nDrafts\t\\Drafts", NULL,
		  "INBOX -> INBOX =\nSent -> Sent Items = role\nJunk -> Junk Email = role\n"
		  "Trash -> Deleted Items = role\n"
		  "Files -> Files_ reserved\nend  -> end blanks\n"
		  "Calendar -> Calendar_ reserved\n" },
		{ "Courier refuses beyond the BMP", "- / x\nINBOX\n&2D3eAA- x",
		  "INBOX. . courier\nINBOX", NULL,
		  "INBOX -> INBOX =\n\xf0\x9f\x98\x80 x -> INBOX._ x character\n" },
		{ "Cyrus refuses patterns", "- / x\nINBOX\na*b\na%b\nOther Users", "- / cyrus\n"
		  "INBOX\na*b", NULL,
		  "INBOX -> INBOX =\na*b -> a*b =\na%b -> a_b character\n"
		  "Other Users -> Other Users_ reserved\n" },
		{ "Dovecot refuses cur, new, tmp", "- . x\nINBOX\nnew.tmp\nnews", "- / dovecot\n"
		  "INBOX", NULL,
		  "INBOX -> INBOX =\nnew/tmp -> new_/tmp_ reserved\nnews -> news\n^ new_\n" },
	};

	RUN(rows);
}

static void roles(struct check *check)
{
	static const struct row rows[] = {
		{ "attribute to attribute", "- / x\nINBOX\nGesendet\t\\Sent\nGesendet/2019",
		  "- / x\nINBOX\nSent\nObjets envoy&AOk-s\t\\Sent", NULL,
		  "INBOX -> INBOX =\nGesendet -> Objets envoy&AOk-s = role\n"
		  "Gesendet/2019 -> Objets envoy&AOk-s/2019 parent\n" },
		{ "attribute to name", "- / x\nINBOX\nx\t\\Sent", "- / x\nINBOX\nSent Messages\n"
		  "Sent Items", NULL,
		  "INBOX -> INBOX =\nx -> Sent Items = role\n" },
		{ "name to attribute, below INBOX too", "- . x\nINBOX\nINBOX.&XfJT0ZAB-\nINBOX.a",
		  "- / x\nINBOX\nSent\t\\Sent", NULL,
		  "INBOX -> INBOX =\nINBOX/已发送 -> Sent = role\nINBOX/a -> INBOX/a\n" },
		{ "a name deep down is a name", "- / x\nINBOX\nA/Sent", "- / x\nINBOX\n"
		  "Sent\t\\Sent", NULL,
		  "INBOX -> INBOX =\nA/Sent -> A/Sent\n^ A\n" },
		{ "none there: made, with its use", "- / x\nINBOX\nPapierkorb\nx\t\\Sent",
		  "- / x use\nINBOX", NULL,
		  "INBOX -> INBOX =\nx -> x +\\Sent role\n"
		  "Papierkorb -> Papierkorb +\\Trash role\n" },
		{ "attribute beats name", "- / x\nINBOX\nSent\nx\t\\Sent\nTrash\t\\Archive",
		  "- / x use\nINBOX\nSent\t\\Sent", NULL,
		  "INBOX -> INBOX =\nx -> Sent = role\nTrash -> Trash +\\Archive role\n"
		  "Sent -> Sent (2) collision\n" },
		{ "two claim by name", "- / x\nINBOX\nSent\nSent Items", "- / x\nINBOX\n"
		  "Gesendet\t\\Sent\nSent", NULL,
		  "INBOX -> INBOX =\nSent -> Sent = role-claimed\n"
		  "Sent Items -> Sent Items role-claimed\n" },
		{ "two claim by attribute: the plainest name", "- / x\nINBOX\n"
		  "Sent Messages\t\\Sent\nSent\t\\Sent",
		  "- / x\nINBOX\nSent Items\t\\Sent", NULL,
		  "INBOX -> INBOX =\nSent -> Sent Items = role\n"
		  "Sent Messages -> Sent Messages role-claimed\n" },
		{ "two have it there: the same name", "- / x\nINBOX\nSent Messages\t\\Sent",
		  "- / x\nINBOX\nSent\t\\Sent\nSent Messages\t\\Sent", NULL,
		  "INBOX -> INBOX =\nSent Messages -> Sent Messages = role\n" },
		{ "a plain folder's name is taken by a role", "- / x\nINBOX\nSent\t\\Sent\n"
		  "Sent Items\nSent Items/a",
		  "- / x\nINBOX\nSent Items\t\\Sent", NULL,
		  "INBOX -> INBOX =\nSent -> Sent Items = role\n"
		  "Sent Items -> Sent Items (2) collision\n"
		  "Sent Items/a -> Sent Items (2)/a parent\n" },
		{ "a \\Noselect one has no role", "- / x\nINBOX\nSent\t\\Noselect\nSent/a",
		  "- / x\nINBOX\nG\t\\Sent", NULL,
		  "INBOX -> INBOX =\nSent / Sent\nSent/a -> Sent/a\n^ Sent\n" },
		{ "languages", "- / x\nINBOX\nEntw&APw-rfe\n&V4NXPpCuTvY-\n&XfJSIJZkkK5O9g-\nArkiv",
		  "- / x\nINBOX\nDrafts\t\\Drafts\nJunk\t\\Junk\nTrash\t\\Trash\n"
		  "Archive\t\\Archive", NULL,
		  "INBOX -> INBOX =\nEntwürfe -> Drafts = role\nArkiv -> Archive = role\n"
		  "垃圾邮件 -> Junk = role\n"
		  "已删除邮件 -> Trash = role\n" },
	};

	RUN(rows);
}

static void wishes(struct check *check)
{
	static const struct row rows[] = {
		{ "--map moves a tree and beats roles", "- / x\nINBOX\nSent\t\\Sent\nSent/a\nB",
		  "- / x use\nINBOX\nS\t\\Sent",
		  "map Sent=Old/Sent", "INBOX -> INBOX =\nSent -> Old/Sent map\n"
		  "Sent/a -> Old/Sent/a parent\nB -> B\n^ Old\n" },
		{ "--map onto another's name", "- / x\nINBOX\nA\nB\nB/k", "- / x\nINBOX", "map A=B",
		  "INBOX -> INBOX =\nA -> B map\nB -> B (2) collision\nB/k -> B (2)/k parent\n" },
		{ "--map swaps", "- / x\nINBOX\nA\nB", "INBOX. . x\nINBOX", "map A=B\n"
		  "map B=INBOX/A",
		  "INBOX -> INBOX =\nA -> INBOX.B map\nB -> INBOX.A map\n" },
		{ "--map of INBOX, a \\Noselect and another namespace",
		  "- / x\nINBOX\nINBOX/k\nN\t\\Noselect\nN/a\nuser/joe\t@other\nuser/jim\t@other",
		  "- / x\nINBOX",
		  "map inbox=Old\nmap N=Neu\nmap user/joe=Joe",
		  "INBOX -> Old map\nINBOX/k -> Old/k parent\nN / Neu\nN/a -> Neu/a parent\n"
		  "user/joe -> Joe map\n"
		  "user/jim x other-namespace\n" },
		{ "--map finds composed names", "- / x\nINBOX\ne&AwE-t", "- / x\nINBOX", "map ét=T",
		  "INBOX -> INBOX =\ne\xcc\x81t -> T map\n" },
		{ "--map of a view copies it", "- / x\nINBOX\nAll\t\\All", "- / x\nINBOX",
		  "map All=Everything",
		  "INBOX -> INBOX =\nAll -> Everything map\n" },
		{ "--map unknown", "- / x\nINBOX\nA", "- / x\nINBOX", "map B=C",
		  "fault usage: --map 'B=C': the source has no folder 'B'" },
		{ "--map two to one", "- / x\nINBOX\nA\nB", "- / exchange\nINBOX", "map A=C\n"
		  "map B=c",
		  "fault usage: --map puts both 'A' and 'B' into 'C'" },
		{ "--map one twice", "- / x\nINBOX\nA", "- / x\nINBOX", "map A=C\nmap A=D",
		  "fault usage: --map names the source folder 'A' twice" },
		{ "--map into INBOX", "- / x\nINBOX\nA", "- / x\nINBOX", "map A=INBOX",
		  "fault usage: --map puts 'A' into INBOX, where INBOX itself goes" },
		{ "--map to nothing", "- / x\nINBOX\nA", "- / x\nINBOX", "map A=/",
		  "fault usage: --map 'A=/': the right side names no folder" },
		{ "--folder and --exclude choose, and change nothing",
		  "- / x\nINBOX\nA\nA/b\nA/b/c\na\nAll\t\\All", "- / exchange\nINBOX",
		  "folder A/**\nfolder a\nexclude A/b",
		  "INBOX x not-chosen\nAll x not-chosen\nA -> A\nA/b x excluded\nA/b/c -> A/b/c\n"
		  "a -> a (2) collision\n^ A/b\n" },
		{ "--folder chooses a view", "- / x\nINBOX\nVirtual/All\t\\All", "- / x\nINBOX\n"
		  "All\t\\All", "folder Virtual/*",
		  "INBOX x not-chosen\nVirtual/All -> Virtual/All role\n^ Virtual\n" },
	};

	RUN(rows);
}

/* The words that users read. */
static void texts(struct check *check)
{
	_cleanup_(arena_done) struct arena arena = { 0 };
	struct account *from = arena_alloc(&arena, sizeof(*from));
	struct account *to = arena_alloc(&arena, sizeof(*to));
	struct wishes none;
	struct mapping mapping;
	struct fault fault;

	read_account(from, "- / x\nINBOX\nGesendet\na.b\na.b\x01\na_b\nINBOX/x.y", &arena);
	read_account(to, "INBOX. . x\nINBOX", &arena);
	read_wishes(&none, "");
	CHECK_EQ(mapping_make(&from->side, &to->side, &none.options, &arena, &mapping, &fault), 0);
	CHECK_STR(mapping.by_source[0]->text, "inbox");
	CHECK_STR(mapping.by_source[1]->text, "role sent by name");
	CHECK_STR(mapping.by_source[2]->text, "renamed: separator in name, collision");
	CHECK_STR(mapping.by_source[3]->text, "renamed: separator in name, character refused");
	CHECK_STR(mapping.by_source[4]->text, "same name");
	CHECK_STR(mapping.by_source[5]->text, "renamed: below INBOX, separator in name");
	CHECK_BYTES(mapping.by_source[5]->path, BYTES("x_y"));
}

static void kinds(struct check *check)
{
	CHECK_EQ(mapping_server_of(BYTES("Dovecot ready.")), MAPPING_SERVER_DOVECOT);
	CHECK_EQ(mapping_server_of(BYTES("GImap")), MAPPING_SERVER_GMAIL);
	CHECK_EQ(mapping_server_of(BYTES("The Microsoft Exchange IMAP4 service is ready.")),
		 MAPPING_SERVER_EXCHANGE);
	CHECK_EQ(mapping_server_of(BYTES_NULL), MAPPING_SERVER_UNKNOWN);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "separators and prefixes", separators },
		{ "levels, case, composition, length", levels },
		{ "what servers refuse", servers },
		{ "roles", roles },
		{ "wishes", wishes },
		{ "texts", texts },
		{ "kinds of server", kinds },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
