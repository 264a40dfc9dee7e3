/* SPDX-License-Identifier: Apache-2.0 */
/* The fake server's mailbox: folders and messages made from their description, appended ones
 * by digest and first bytes. Messages without text are made on the fly from folder name, UID
 * and size, so that one of gigabytes costs no memory. */
#include <openssl/evp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "lib/fake-imap-parts.h"

/* --- folders --------------------------------------------------------------------------------- */

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
	folder->name = folder->told_name = arena_copy(&fake->arena, name);
	folder->object = ++fake->folders_made;
	folder->uidvalidity = 1700000000 + folder->object;
	folder->uidnext = 1;
	folder->modseq = 1;
	return folder;
}

/* Connections may have it open: it stays in memory. */
void fake_folder_remove(struct fake_imap *fake, struct fake_folder *folder)
{
	struct fake_folder **at = &fake->folders;

	while (*at != folder)
		at = &(*at)->next;
	*at = folder->next;
	folder->next = fake->gone;
	fake->gone = folder;
	folder->is_gone = true;
}

void fake_folder_empty(struct fake_folder *folder)
{
	while (folder->n)
		fake_message_remove(folder, folder->messages[folder->n - 1].uid, 0);
}

char fake_separator(const struct fake_imap *fake)
{
	struct bytes told = dialogue_setting(fake->told, "separator", "/");

	return bytes_equal_nocase(told, BYTES("nil")) || told.n == 0 ? '\0' : told.p[0];
}

void fake_folder_rename(struct fake_imap *fake, struct fake_folder *folder, struct bytes name)
{
	struct bytes from = folder->name;
	char stop = fake_separator(fake);

	for (struct fake_folder *f = fake->folders; f; f = f->next) {
		_cleanup_(buf_done) struct buf renamed = BUF_NULL;

		if (f != folder && !(stop && bytes_starts(f->name, from) && f->name.n > from.n &&
				     f->name.p[from.n] == stop))
			continue;
		buf_append_bytes(&renamed, name);
		buf_append_bytes(&renamed, bytes_skip(f->name, from.n));
		f->name = arena_copy(&fake->arena, buf_bytes(&renamed));
	}
}

/* --- messages -------------------------------------------------------------------------------- */

struct fake_message *fake_message_add(struct fake_folder *folder)
{
	struct fake_message *message;

	folder->messages = xgrow(folder->messages, &folder->capacity, folder->n + 1,
				 sizeof(*message));
	message = &folder->messages[folder->n++];
	*message = (struct fake_message){ .uid = folder->uidnext++, .modseq = ++folder->modseq };
	return message;
}

size_t fake_message_index(const struct fake_folder *folder, uint64_t uid)
{
	size_t low = 0, high = folder->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (folder->messages[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct fake_message *fake_message_find(const struct fake_folder *folder, uint32_t uid)
{
	size_t i = fake_message_index(folder, uid);

	return i < folder->n && folder->messages[i].uid == uid ? &folder->messages[i] : NULL;
}

static void note_event(struct fake_folder *folder, uint32_t uid, bool is_expunge, unsigned by)
{
	folder->events = xgrow(folder->events, &folder->events_capacity, folder->events_n + 1,
			       sizeof(struct fake_event));
	folder->events[folder->events_n++] = (struct fake_event){
		.uid = uid, .modseq = ++folder->modseq, .is_expunge = is_expunge, .by = by,
	};
}

void fake_message_remove(struct fake_folder *folder, uint32_t uid, unsigned by)
{
	size_t i = fake_message_index(folder, uid);

	memmove(&folder->messages[i], &folder->messages[i + 1],
		(--folder->n - i) * sizeof(folder->messages[0]));
	note_event(folder, uid, true, by);
}

struct fake_message *fake_message_copy(struct fake_folder *to, const struct fake_message *message)
{
	struct fake_message original = *message, *copy = fake_message_add(to);

	original.uid = copy->uid;
	original.modseq = copy->modseq;
	*copy = original;
	return copy;
}

bool fake_has_flag(struct bytes flags, struct bytes flag)
{
	while (flags.n)
		if (bytes_equal_nocase(bytes_cut(&flags, ' '), flag))
			return true;

	return false;
}

/* Appends those of `some` that are in `all`, or those that are not. */
static void select_flags(struct buf *to, struct bytes some, struct bytes all, bool in)
{
	while (some.n) {
		struct bytes flag = bytes_cut(&some, ' ');

		if (flag.n && fake_has_flag(all, flag) == in)
			buf_appendf(to, "%s%.*s", to->n ? " " : "", BYTES_ARG(flag));
	}
}

void fake_message_flags(struct fake_imap *fake, struct fake_folder *folder,
			struct fake_message *message, char sign, struct bytes flags, unsigned by)
{
	_cleanup_(buf_done) struct buf now = BUF_NULL;

	if (sign)
		select_flags(&now, message->flags, flags, false);
	if (sign != '-')
		select_flags(&now, flags, BYTES_NULL, false);
	message->flags = arena_copy(&fake->arena, buf_bytes(&now));
	note_event(folder, message->uid, false, by);
	message->modseq = folder->modseq;
}

/* --- what the file describes ----------------------------------------------------------------- */

/* The line that describes the message with this UID in a folder of a server. */
static const struct dialogue_message *find_told(const struct fake_imap *fake, struct bytes server,
						struct bytes folder, uint32_t uid)
{
	_cleanup_(freep) char *name = bytes_to_str(server);
	const struct dialogue_folder *f =
		dialogue_folder(dialogue_server(fake->dialogue, name ? name : ""), folder);
	const struct dialogue_message *m = f ? f->messages : NULL;

	while (m && (uid < m->first || uid > m->last))
		m = m->next;
	return m;
}

static void describe(struct fake_message *m, const struct dialogue_message *told,
		     struct bytes made_of, uint32_t made_uid)
{
	m->told = told;
	m->flags = told->flags;
	m->date = told->date;
	m->kept = told->text;
	m->front = told->front;
	m->made_of = made_of;
	m->made_uid = made_uid;
	m->size = (told->text.p ? told->text.n : told->size) + told->front.n;
}

/* like SERVER FOLDER UID: its bytes, and of the rest what the line itself does not say. */
static void describe_like(struct fake_imap *fake, struct fake_message *m,
			  const struct dialogue_message *told, uint32_t uid)
{
	const struct dialogue_message *original =
		find_told(fake, told->like_server, told->like_folder, uid);

	if (!original) {
		fake_complain(fake, told->line, "there is no message %u to be like", uid);
		return;
	}
	describe(m, original, told->like_folder, uid);
	m->told = told;
	m->front = told->front;
	m->size += told->front.n - original->front.n;
	if (told->has_flags)
		m->flags = told->flags;
	if (told->date.p)
		m->date = told->date;
}

void fake_messages_describe(struct fake_imap *fake, struct fake_folder *folder,
			    const struct dialogue_message *told, bool renumber)
{
	for (uint64_t uid = told->first; uid <= told->last; uid++) {
		uint32_t offset = (uint32_t)(uid - told->first);
		struct fake_message *message;

		if (!renumber && folder->n && uid <= folder->messages[folder->n - 1].uid) {
			fake_complain(fake, told->line, "UID %u does not rise", (uint32_t)uid);
			return;
		}
		if (!renumber)
			folder->uidnext = (uint32_t)uid;
		message = fake_message_add(folder);
		describe(message, told, folder->told_name, (uint32_t)uid);
		if (told->like_server.p)
			describe_like(fake, message, told, told->like_uid + offset);
	}
}

static void add_told_folder(struct fake_imap *fake, const struct dialogue_folder *told,
			    struct bytes name)
{
	struct fake_folder *folder = fake_folder_add(fake, name);

	folder->told = told;
	folder->attributes = told->attributes;
	folder->subscribed = !told->unsubscribed;
	folder->no_modseq = told->no_modseq;
	if (told->uidvalidity)
		folder->uidvalidity = told->uidvalidity;
	for (const struct dialogue_message *m = told->messages; m; m = m->next)
		fake_messages_describe(fake, folder, m, false);
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

static void free_folders(struct fake_folder *folder)
{
	for (; folder; folder = folder->next) {
		free(folder->messages);
		free(folder->events);
	}
}

void fake_store_free(struct fake_imap *fake)
{
	free_folders(fake->folders);
	free_folders(fake->gone);
	arena_done(&fake->arena);
}

/* --- bytes of messages ----------------------------------------------------------------------- */

/* size: of the whole message without its front. */
static struct bytes made_header(const struct fake_message *message, uint64_t size, char to[1024])
{
	int n = snprintf(to, 1024,
			 "From: Fake Server <fake@example.org>\r\n"
			 "To: somebody@example.net\r\n"
			 "Subject: message %" PRIu32 " of %.*s\r\n"
			 "Message-ID: <%" PRIu32 ".%zx.%" PRIx64 "@fake.example.org>\r\n"
			 "Date: Thu, 2 Jan 2020 10:00:00 +0000\r\n\r\n",
			 message->made_uid, BYTES_ARG(bytes_head(message->made_of, 200)),
			 message->made_uid, message->made_of.n, size);

	return bytes_head((struct bytes){ to, (size_t)n }, size);
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

static size_t copy_from(struct bytes part, uint64_t offset, char *to, size_t n)
{
	struct bytes rest = bytes_head(bytes_skip(part, (size_t)offset), n);

	memcpy(to, rest.p, rest.n);
	return rest.n;
}

size_t fake_body(const struct fake_message *message, uint64_t offset, char *to, size_t n)
{
	uint64_t size = message->size - message->front.n; /* without the front, as all below */
	struct bytes header = message->kept;
	char room[1024];

	if (offset < message->front.n)
		return copy_from(message->front, offset, to, n);
	offset -= message->front.n;
	if (offset >= size)
		return 0;
	if (n > size - offset)
		n = (size_t)(size - offset);
	if (!message->kept.p)
		header = made_header(message, size, room);
	if (offset < header.n)
		return copy_from(header, offset, to, n);
	if (message->kept.p)
		return 0; /* appended, and too long to be kept */

	make_text(offset - header.n, size - header.n, to, n);
	return n;
}

void fake_date(const struct fake_message *message, char to[64])
{
	uint32_t uid = message->made_uid;

	if (message->date.p)
		snprintf(to, 64, "%.*s", BYTES_ARG(message->date));
	else
		snprintf(to, 64, "%2u-Jan-2020 10:%02u:%02u +0100", uid % 28 + 1, uid / 60 % 60,
			 uid % 60);
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

const char *fake_digest(struct fake_imap *fake, struct fake_message *message)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	char piece[3000], hex[65];
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	uint64_t offset = message->front.n;
	size_t n;

	if (!message->sha256) {
		EVP_DigestInit_ex(sha, EVP_sha256(), NULL);
		while ((n = fake_body(message, offset, piece, sizeof(piece)))) {
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

size_t fake_imap_body(struct fake_imap *fake, const char *folder, uint32_t uid, uint64_t offset,
		      char *to, size_t n)
{
	const struct fake_folder *f = fake_folder_find(fake, bytes_of(folder));
	const struct fake_message *m = f ? fake_message_find(f, uid) : NULL;

	return m ? fake_body(m, offset, to, n) : 0;
}
