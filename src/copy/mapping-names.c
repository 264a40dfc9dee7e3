/* SPDX-License-Identifier: Apache-2.0 */
/* What servers refuse in names, as data, and making a component acceptable by it.
 *
 * The rows come from the servers' sources, from trying (Dovecot 2.3), and from what migrations
 * ran into (docs/servers/). A server that is not in the table gets the common part only:
 * controls, separator, "/", "." and "..", empty components. A refusal we do not know of shows
 * when the folder is created; what must not happen is that two folders become one, and for that
 * a rule too many does no harm. */
#include "copy/mapping-names.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "mail/mutf7.h"
#include "mail/utf8.h"

/* Refused by Dovecot as parts of a path where folders are directories (separator "/"). */
static const char *const maildir_parts[] = { "cur", "new", "tmp", NULL };

/* Cyrus with altnamespace shows other people's folders below these. */
static const char *const cyrus_top[] = { "user", "other users", "shared folders", NULL };

/* Labels of Gmail's own that CREATE refuses ("Folder name is not allowed"). */
static const char *const gmail_top[] = {
	"all mail", "chat", "chats", "draft", "drafts", "important", "muted", "scheduled",
	"sent", "snoozed", "spam", "starred", "trash", "unread", "[gmail]", "[google mail]", NULL,
};

/* Folders of every Exchange mailbox that hold other things than mail, some never listed over
 * IMAP. */
static const char *const exchange_top[] = {
	"calendar", "contacts", "conversation history", "files", "journal", "notes",
	"outbox", "sync issues", "tasks", NULL,
};

/* The first row that fits is taken. Lengths are rounded down from the known ones (Maildir++
 * keeps a whole path in one directory name of at most 255 bytes; Cyrus counts "user.NAME." in). */
static const struct mapping_rules table[] = {
	{ .server = MAPPING_SERVER_DOVECOT, .separator = '/', .refused = "", .refused_first = "~",
	  .reserved = maildir_parts, .max_component = 250, .max_name = 4000 },
	{ .server = MAPPING_SERVER_DOVECOT, .refused = "", .refused_first = "~",
	  .max_component = 250, .max_name = 250 },
	{ .server = MAPPING_SERVER_CYRUS, .separator = '/', .refused = "!\"%*;<>\\`{|}^",
	  .refused_first = "~$", .reserved_top = cyrus_top, .max_component = 250, .max_name = 400 },
	{ .server = MAPPING_SERVER_CYRUS, .refused = "!\"%*;<>\\`{|}", .refused_first = "~$",
	  .reserved_top = cyrus_top, .max_component = 250, .max_name = 400 },
	{ .server = MAPPING_SERVER_COURIER, .refused = "", .refused_first = "~", .bmp_only = true,
	  .max_component = 240, .max_name = 240 },
	{ .server = MAPPING_SERVER_EXCHANGE, .refused = "", .refused_first = "",
	  .reserved_top = exchange_top, .case_blind = true, .trim_left = true, .trim_right = true,
	  .max_component = 250 },
	{ .server = MAPPING_SERVER_GMAIL, .refused = "^", .refused_first = "",
	  .reserved_top = gmail_top, .case_blind = true, .trim_left = true, .trim_right = true,
	  .single_blanks = true, .max_component = 225, .max_name = 225 },
	{ .server = MAPPING_SERVER_YAHOO, .refused = "", .refused_first = "", .case_blind = true,
	  .trim_left = true, .trim_right = true, .flat = true, .max_component = 250 },
	{ .server = MAPPING_SERVER_DOMINO, .refused = "", .refused_first = "", .case_blind = true },
	{ .server = MAPPING_SERVER_HMAILSERVER, .refused = "", .refused_first = "",
	  .case_blind = true, .max_component = 250 },
	{ .server = MAPPING_SERVER_UNKNOWN, .refused = "", .refused_first = "",
	  .max_component = 255 },
};

static const struct {
	const char *word;
	enum mapping_server server;
} words_of[] = {
	{ "dovecot", MAPPING_SERVER_DOVECOT },	   { "cyrus", MAPPING_SERVER_CYRUS },
	{ "courier", MAPPING_SERVER_COURIER },	   { "exchange", MAPPING_SERVER_EXCHANGE },
	{ "microsoft", MAPPING_SERVER_EXCHANGE },  { "outlook", MAPPING_SERVER_EXCHANGE },
	{ "gimap", MAPPING_SERVER_GMAIL },	   { "gmail", MAPPING_SERVER_GMAIL },
	{ "yahoo", MAPPING_SERVER_YAHOO },	   { "domino", MAPPING_SERVER_DOMINO },
	{ "hmailserver", MAPPING_SERVER_HMAILSERVER },
};

static bool contains_nocase(struct bytes text, struct bytes word)
{
	for (size_t i = 0; i + word.n <= text.n; i++)
		if (bytes_starts_nocase(bytes_skip(text, i), word))
			return true;
	return false;
}

enum mapping_server mapping_server_of(struct bytes words)
{
	for (size_t i = 0; i < ARRAY_SIZE(words_of); i++)
		if (contains_nocase(bytes_head(words, 1024), bytes_of(words_of[i].word)))
			return words_of[i].server;
	return MAPPING_SERVER_UNKNOWN;
}

const struct mapping_rules *mapping_rules_for(enum mapping_server server, char separator)
{
	const struct mapping_rules *row = table;

	while (row->server != MAPPING_SERVER_UNKNOWN &&
	       (row->server != server || (row->separator && row->separator != separator)))
		row++;
	return row;
}

static bool in_list(const char *const *list, struct bytes name)
{
	for (; list && *list; list++)
		if (bytes_equal_nocase(name, bytes_of(*list)))
			return true;
	return false;
}

bool mapping_name_reserved(const struct mapping_rules *rules, struct bytes name, bool top)
{
	return in_list(rules->reserved, name) || (top && in_list(rules->reserved_top, name));
}

static bool in_set(const char *set, uint32_t c)
{
	return c > 0 && c < 0x80 && strchr(set, (int)c) != NULL;
}

/* Why this character cannot stay, or 0. "/" never stays: almost no server takes it in a name,
 * and our own paths are written with it. */
static unsigned refusal(const struct mapping_rules *rules, char separator, uint32_t c)
{
	if (c == '/' || (separator && c == (unsigned char)separator))
		return 1u << MAPPING_SEPARATOR;
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || in_set(rules->refused, c))
		return 1u << MAPPING_CHARACTER;
	if (c > 0xffff && rules->bmp_only)
		return 1u << MAPPING_CHARACTER;
	return 0;
}

static unsigned replace_refused(const struct mapping_rules *rules, char separator,
				struct bytes name, struct buf *to)
{
	unsigned reasons = 0;

	while (name.n > 0) {
		struct bytes before = name;
		uint32_t c;
		unsigned why = utf8_next(&name, &c) < 0 ? 1u << MAPPING_CHARACTER
							: refusal(rules, separator, c);

		if (why)
			buf_append_char(to, MAPPING_SUBSTITUTE);
		else
			buf_append(to, before.p, before.n - name.n);
		reasons |= why;
	}
	return reasons;
}

/* Takes out, from offset at on, the blanks that the server does not take. */
static unsigned drop_blanks(const struct mapping_rules *rules, size_t at, struct buf *b)
{
	size_t n = b->n, w = at;

	for (size_t r = at; r < n; r++) {
		bool first = w == at && rules->trim_left;
		bool second = w > at && b->p[w - 1] == ' ' && rules->single_blanks;

		if (b->p[r] == ' ' && (first || second))
			continue;
		b->p[w++] = b->p[r];
	}
	while (rules->trim_right && w > at && b->p[w - 1] == ' ')
		w--;
	if (w == n)
		return 0;
	b->n = w;
	b->p[w] = '\0';
	return 1u << MAPPING_BLANKS;
}

static bool is_dots(struct bytes name)
{
	return bytes_equal(name, BYTES(".")) || bytes_equal(name, BYTES(".."));
}

unsigned mapping_name_clean(const struct mapping_rules *rules, char separator, struct bytes name,
			    bool top, struct buf *to)
{
	size_t at = to->n;
	unsigned reasons = replace_refused(rules, separator, name, to);

	reasons |= drop_blanks(rules, at, to);

	struct bytes now = bytes_skip(buf_bytes(to), at);

	if (now.n == 0) {
		buf_append_char(to, MAPPING_SUBSTITUTE);
		return reasons | 1u << MAPPING_EMPTY;
	}
	if (top && in_set(rules->refused_first, (unsigned char)now.p[0])) {
		to->p[at] = MAPPING_SUBSTITUTE;
		reasons |= 1u << MAPPING_CHARACTER;
	}
	if (is_dots(now) || mapping_name_reserved(rules, now, top)) {
		buf_append_char(to, MAPPING_SUBSTITUTE);
		reasons |= 1u << MAPPING_RESERVED;
	}
	return reasons;
}

void mapping_name_encode(struct bytes name, bool utf8, struct buf *to)
{
	if (utf8 || mutf7_encode(name, to) < 0)
		buf_append_bytes(to, name);
}

static size_t wire_length(struct bytes name, bool utf8)
{
	_cleanup_(buf_done) struct buf wire = BUF_NULL;

	if (utf8)
		return name.n;
	mapping_name_encode(name, false, &wire);
	return wire.n;
}

static size_t character_start(struct bytes name, size_t at)
{
	while (at > 0 && at < name.n && ((unsigned char)name.p[at] & 0xc0) == 0x80)
		at--;
	return at;
}

/* The longest head of name, whole characters, with wire length of at most max. The length grows
 * with the head, so halving finds it. */
static struct bytes cut_to(struct bytes name, size_t max, bool utf8)
{
	size_t low = 0, high = name.n < max ? name.n : max;

	while (low < high) {
		size_t middle = low + (high - low + 1) / 2;
		size_t at = character_start(name, middle);

		if (wire_length(bytes_head(name, at), utf8) <= max)
			low = middle;
		else
			high = at - 1;
	}
	return bytes_head(name, character_start(name, low));
}

unsigned mapping_name_fit(struct bytes name, struct bytes suffix, size_t max, bool utf8,
			  uint32_t id, struct buf *to)
{
	if (wire_length(name, utf8) + suffix.n <= max) {
		buf_append_bytes(to, name);
		buf_append_bytes(to, suffix);
		return 0;
	}

	size_t tail = 9 + suffix.n;

	buf_append_bytes(to, cut_to(name, max > tail ? max - tail : 0, utf8));
	buf_appendf(to, "~%08" PRIx32, id);
	buf_append_bytes(to, suffix);
	return 1u << MAPPING_LENGTH;
}

void mapping_name_key(const struct mapping_rules *rules, struct bytes name, bool utf8_accept,
		      bool top, struct buf *to)
{
	if (top && bytes_equal_nocase(name, BYTES("INBOX"))) {
		buf_append_str(to, "INBOX");
		return;
	}
	if (rules->case_blind && utf8_key(name, to) == 0)
		return;
	/* RFC 9051 §5.1 has servers compose what comes as UTF-8. */
	if (utf8_accept && utf8_nfc(name, to) == 0)
		return;
	buf_append_bytes(to, name);
}
