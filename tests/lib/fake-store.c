/* SPDX-License-Identifier: Apache-2.0 */
/* The fake server's mailbox: folders and messages made from their description, appended ones
 * by digest and first bytes, and what the file expects of them at the end. Messages without
 * text are made on the fly from folder name, UID and size, so that one of gigabytes costs no
 * memory. */
#include <openssl/evp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "lib/fake-imap-parts.h"

/* --- folders and messages -------------------------------------------------------------------- */

struct fake_folder *fake_folder_find(const struct fake_imap *fake, struct bytes name)
{
	bool inbox = bytes_equal_nocase(name, BYTES("INBOX"));
	bool fold = bytes_equal(dialogue_setting(fake->told, "case", ""), BYTES("insensitive"));

	for (struct fake_folder *f = fake->folders; f; f = f->next)
		if (bytes_equal(f->name, inbox ? BYTES("INBOX") : name) ||
		    (fold && bytes_equal_nocase(f->name, name)))
			return f;

	return NULL;
}

struct fake_folder *fake_folder_add(struct fake_imap *fake, struct bytes name)
{
	struct fake_folder *folder = arena_alloc(&fake->arena, sizeof(*folder));
	struct fake_folder **end = &fake->folders;

	while (*end)
		end = &(*end)->next;
	*end = folder;
	folder->name = arena_copy(&fake->arena, name);
	folder->uidvalidity = 1700000000 + ++fake->folders_made;
	folder->uidnext = 1;
	return folder;
}

struct fake_message *fake_message_add(struct fake_folder *folder)
{
	struct fake_message *message;

	folder->messages = xgrow(folder->messages, &folder->capacity, folder->n + 1,
				 sizeof(*message));
	message = &folder->messages[folder->n++];
	*message = (struct fake_message){ .uid = folder->uidnext++ };
	return message;
}

static void add_told_messages(struct fake_folder *folder, const struct dialogue_message *told)
{
	for (uint64_t uid = told->first; uid <= told->last; uid++) {
		struct fake_message *message;

		folder->uidnext = (uint32_t)uid;
		message = fake_message_add(folder);
		message->told = told;
		message->flags = told->flags;
		message->date = told->date;
		message->kept = told->text;
		message->size = told->text.p ? told->text.n : told->size;
	}
}

static void add_told_folder(struct fake_imap *fake, const struct dialogue_folder *told,
			    struct bytes name)
{
	struct fake_folder *folder = fake_folder_add(fake, name);

	folder->attributes = told->attributes;
	folder->subscribed = !told->unsubscribed;
	if (told->uidvalidity)
		folder->uidvalidity = told->uidvalidity;
	for (const struct dialogue_message *m = told->messages; m; m = m->next)
		add_told_messages(folder, m);
	if (told->uidnext)
		folder->uidnext = told->uidnext;
}

void fake_store_fill(struct fake_imap *fake)
{
	const struct dialogue_folder *told = fake->told ? fake->told->folders : NULL;

	for (; told; told = told->next) {
		if (!told->repeat)
			add_told_folder(fake, told, told->name);
		for (uint32_t i = 1; i <= told->repeat; i++)
			add_told_folder(fake, told,
					bytes_of(arena_printf(&fake->arena, "%.*s%u",
							      BYTES_ARG(told->name), i)));
	}
	if (!fake_folder_find(fake, BYTES("INBOX")))
		fake_folder_add(fake, BYTES("INBOX"))->subscribed = true;
}

void fake_store_free(struct fake_imap *fake)
{
	for (struct fake_folder *f = fake->folders; f; f = f->next)
		free(f->messages);
	arena_done(&fake->arena);
}

/* --- bytes of messages ----------------------------------------------------------------------- */

static struct bytes made_header(const struct fake_folder *folder,
				const struct fake_message *message, char to[1024])
{
	int n = snprintf(to, 1024,
			 "From: Fake Server <fake@example.org>\r\n"
			 "To: somebody@example.net\r\n"
			 "Subject: message %" PRIu32 " of %.200s\r\n"
			 "Message-ID: <%" PRIu32 ".%zx.%" PRIx64 "@fake.example.org>\r\n"
			 "Date: Thu, 2 Jan 2020 10:00:00 +0000\r\n\r\n",
			 message->uid, folder->name.p, message->uid, folder->name.n, message->size);

	return bytes_head((struct bytes){ to, (size_t)n }, message->size);
}

/* Lines of 76 digits and letters; a message ends in CRLF whatever its size. */
static void make_text(uint64_t at, uint64_t size, char *to, size_t n)
{
	static const char line[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZzyxwvutsrqponm\r\n";
	const size_t length = sizeof(line) - 1;

	for (size_t done = 0; done < n;) {
		size_t column = (size_t)((at + done) % length), piece = length - column;

		if (piece > n - done)
			piece = n - done;
		memcpy(to + done, line + column, piece);
		done += piece;
	}
	if (n && at + n == size)
		to[n - 1] = '\n';
	if (size >= 2 && at <= size - 2 && at + n > size - 2)
		to[size - 2 - at] = '\r';
}

size_t fake_body(const struct fake_folder *folder, const struct fake_message *message,
		 uint64_t offset, char *to, size_t n)
{
	char room[1024];
	struct bytes header = message->kept;

	if (offset >= message->size)
		return 0;
	if (n > message->size - offset)
		n = (size_t)(message->size - offset);
	if (!message->kept.p)
		header = made_header(folder, message, room);
	if (offset < header.n) {
		n = n < header.n - offset ? n : (size_t)(header.n - offset);
		memcpy(to, header.p + offset, n);
		return n;
	}
	if (message->kept.p)
		return 0; /* appended, and too long to be kept */

	make_text(offset - header.n, message->size - header.n, to, n);
	return n;
}

void fake_date(const struct fake_message *message, char to[64])
{
	if (message->date.p)
		snprintf(to, 64, "%.*s", BYTES_ARG(message->date));
	else
		snprintf(to, 64, "%2u-Jan-2020 10:%02u:%02u +0100", message->uid % 28 + 1,
			 message->uid / 60 % 60, message->uid % 60);
}

static const char *digest(struct fake_imap *fake, const struct fake_folder *folder,
			  struct fake_message *message)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	char piece[3000], hex[65];
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	uint64_t offset = 0;
	size_t n;

	if (!message->sha256) {
		EVP_DigestInit_ex(sha, EVP_sha256(), NULL);
		while ((n = fake_body(folder, message, offset, piece, sizeof(piece)))) {
			EVP_DigestUpdate(sha, piece, n);
			offset += n;
		}
		EVP_DigestFinal_ex(sha, sum, NULL);
		for (int i = 0; i < 32; i++)
			snprintf(hex + 2 * i, 3, "%02x", sum[i]);
		message->sha256 = arena_strdup(&fake->arena, hex);
	}

	EVP_MD_CTX_free(sha);
	return message->sha256;
}

/* --- comparing ------------------------------------------------------------------------------- */

static bool flags_in(struct bytes some, struct bytes all)
{
	while (some.n) {
		struct bytes flag = bytes_cut(&some, ' '), rest = all;
		bool found = flag.n == 0 || bytes_equal_nocase(flag, BYTES("\\Recent"));

		while (!found && rest.n)
			found = bytes_equal_nocase(bytes_cut(&rest, ' '), flag);
		if (!found)
			return false;
	}

	return true;
}

static bool flags_equal(struct bytes a, struct bytes b)
{
	return flags_in(a, b) && flags_in(b, a);
}

int64_t fake_instant(const char *date)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = { 0 };
	char month[4] = "", sign = '+';
	int zone = 0;
	const char *at;

	if (sscanf(date, "%d-%3s-%d %d:%d:%d %c%d", &tm.tm_mday, month, &tm.tm_year, &tm.tm_hour,
		   &tm.tm_min, &tm.tm_sec, &sign, &zone) != 8)
		return INT64_MIN;
	at = strcasestr(months, month);
	tm.tm_mon = at ? (int)(at - months) / 3 : 0;
	tm.tm_year -= 1900;
	zone = (zone / 100 * 60 + zone % 100) * 60;
	return (int64_t)timegm(&tm) - (sign == '-' ? -zone : zone);
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
	return copy->size == original->size &&
	       strcmp(digest(c->fake, c->folder, copy),
		      digest(c->fake, c->source, original)) == 0 &&
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
	struct comparison c = { .fake = j->fake, .line = j->line, .folder = folder, .part = part,
				.source = fake_folder_find(other, name) };
	ptrdiff_t ignoring = bytes_find(j->rest, BYTES("ignoring")), order;

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

/* N flags (…) | N date "…" | N size N | N sha256 HEX: of the Nth message */
static void judge_message(struct judge *j, struct fake_folder *folder, uint64_t number)
{
	struct bytes what = word(j), want = word(j);
	struct fake_message wanted = { .date = want }, *m;
	_cleanup_(buf_done) struct buf got = BUF_NULL;
	bool good = true;
	char date[64];

	if (number < 1 || number > folder->n) {
		fake_complain(j->fake, j->line, "folder %.*s has %zu messages",
			      BYTES_ARG(folder->name), folder->n);
		return;
	}

	m = &folder->messages[number - 1];
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
		buf_append_str(&got, digest(j->fake, folder, m));
		good = bytes_equal(buf_bytes(&got), want);
	} else {
		malformed(j);
	}
	if (!good)
		fake_complain(j->fake, j->line, "message %" PRIu64 " of %.*s has %.*s %s, not %.*s",
			      number, BYTES_ARG(folder->name), BYTES_ARG(what), buf_str(&got),
			      BYTES_ARG(want));
}

static void judge_folder(struct judge *j)
{
	struct bytes name = word(j), what = word(j);
	struct fake_folder *folder = fake_folder_find(j->fake, name);
	uint64_t number;

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
	if (bytes_to_u64(what, UINT32_MAX, &number) == 0)
		judge_message(j, folder, number);
	else
		malformed(j);
}

static uint64_t count_commands(const struct fake_imap *fake, struct bytes pattern)
{
	struct bytes all = buf_bytes(&fake->commands);
	uint64_t n = 0;

	while (all.n)
		n += dialogue_match(pattern, bytes_cut(&all, '\n'), NULL);
	return n;
}

/* [no] folder F · [not] subscribed F · [no] command P · N commands P · connections N */
static void judge_other(struct judge *j)
{
	struct bytes what = word(j);
	bool no = is(what, "no") || is(what, "not");
	uint64_t number = 0, n;
	bool counts = bytes_to_u64(what, UINT32_MAX, &number) == 0, good;
	const struct fake_folder *folder;

	if (no || counts)
		what = word(j);
	if (is(what, "folder") || is(what, "subscribed")) {
		folder = fake_folder_find(j->fake, word(j));
		good = (folder && (is(what, "folder") || folder->subscribed)) != no;
	} else if (is(what, "command") || is(what, "commands")) {
		n = count_commands(j->fake, j->rest);
		good = counts ? n == number : (n > 0) != no;
	} else if (is(what, "connections")) {
		good = bytes_to_u64(word(j), UINT32_MAX, &number) == 0 &&
		       number == j->fake->connections;
	} else {
		malformed(j);
		return;
	}
	if (!good)
		fake_complain(j->fake, j->line, "this does not hold: %.*s", BYTES_ARG(j->all));
}

void fake_judge(struct fake_imap *fake)
{
	const struct dialogue_expectation *e = fake->told ? fake->told->expectations : NULL;

	for (; e; e = e->next) {
		struct judge j = { fake, e->line, e->text, e->text };

		if (e->text.n && e->text.p[0] == '"')
			judge_folder(&j);
		else
			judge_other(&j);
	}
}

size_t fake_imap_body(struct fake_imap *fake, const char *folder, uint32_t uid, uint64_t offset,
		      char *to, size_t n)
{
	const struct fake_folder *f = fake_folder_find(fake, bytes_of(folder));

	for (size_t i = 0; f && i < f->n; i++)
		if (f->messages[i].uid == uid)
			return fake_body(f, &f->messages[i], offset, to, n);

	return 0;
}
