/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in server's APPEND (RFC 3501), with several messages (RFC 3502), literals that
 * wait and that do not (RFC 7888). A message's digest and first bytes are kept. Its arrival
 * is an event, "arrived FOLDER SUBJECT", whose rule then speaks for the whole command; else a
 * rule for the command itself may. */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "lib/fake-imap-parts.h"

enum { MAX_KEPT = 1 << 20, MAX_MESSAGES = 4096 };

struct append {
	struct bytes folder;
	struct fake_message *messages; /* not yet in the folder */
	size_t n, capacity;
	uint64_t received;             /* bytes of messages, of the whole command */
	const struct dialogue_rule *at, *arrived;
};

/* --- one message ----------------------------------------------------------------------------- */

static void check_limit(struct fake_connection *c)
{
	static const char limit[] = "APPENDLIMIT=";
	struct bytes told = dialogue_setting(c->fake->told, "capability", "");
	ptrdiff_t at = bytes_find(told, BYTES("APPENDLIMIT="));
	uint64_t most;

	if (at < 0)
		return;
	told = bytes_skip(told, (size_t)at + sizeof(limit) - 1);
	if (bytes_to_u64(bytes_cut(&told, ' '), UINT64_MAX, &most) == 0 && c->literal > most)
		fake_complain(c->fake, 0, "APPEND of %" PRIu64 " bytes, over APPENDLIMIT",
			      c->literal);
}

static const char *hex_of(struct fake_connection *c, EVP_MD_CTX *sha)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	char hex[65];

	EVP_DigestFinal_ex(sha, sum, NULL);
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	return arena_strdup(&c->fake->arena, hex);
}

/* Plays the rule that waits for this byte, once. */
static int pass_byte(struct fake_connection *c, struct append *a)
{
	const struct dialogue_rule *rule = a->at;

	if (!rule || a->received < rule->at)
		return 0;
	a->at = NULL;
	return fake_play(c, rule->steps, NULL, NULL);
}

static int read_literal(struct fake_connection *c, struct append *a, struct buf *kept,
			EVP_MD_CTX *sha)
{
	uint64_t left = c->literal;
	char piece[3000];

	while (left) {
		size_t most = left < sizeof(piece) ? (size_t)left : sizeof(piece);
		int n;

		if (a->at && a->at->at > a->received && a->at->at - a->received < most)
			most = (size_t)(a->at->at - a->received);
		n = fake_read(c, piece, most);
		if (n < 0)
			return -1;
		left -= (uint64_t)n;
		a->received += (uint64_t)n;
		EVP_DigestUpdate(sha, piece, (size_t)n);
		if (kept->n < MAX_KEPT)
			buf_append(kept, piece, (size_t)n);
		if (pass_byte(c, a) < 0)
			return -1;
	}

	return 0;
}

static int read_message(struct fake_connection *c, struct append *a, struct fake_message *m)
{
	_cleanup_(buf_done) struct buf kept = BUF_NULL;
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	int r;

	check_limit(c);
	m->size = c->literal;
	EVP_DigestInit_ex(sha, EVP_sha256(), NULL);
	if (c->literal_waits && fake_sendf(c, "+ go on") < 0)
		r = -1;
	else
		r = read_literal(c, a, &kept, sha);
	if (r == 0)
		m->sha256 = hex_of(c, sha);
	EVP_MD_CTX_free(sha);
	m->kept = arena_copy(&c->fake->arena, buf_bytes(&kept));
	if (!m->kept.p)
		m->kept = BYTES("");
	return r;
}

/* --- flags and date -------------------------------------------------------------------------- */

static bool is_known_flag(struct bytes flag)
{
	static const char *const known[] = { "\\Answered", "\\Flagged", "\\Deleted", "\\Seen",
					     "\\Draft" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (bytes_equal_nocase(flag, bytes_of(known[i])))
			return true;

	return false;
}

int fake_keep_flags(const struct fake_connection *c, struct bytes flags, struct buf *to)
{
	struct bytes allowed = fake_permanent_flags(c);
	bool keywords = fake_has_flag(allowed, BYTES("\\*"));

	while (flags.n) {
		struct bytes flag = bytes_cut(&flags, ' ');
		bool is_system = flag.n && flag.p[0] == '\\';

		if (is_system && !is_known_flag(flag))
			return -1;
		if (flag.n && (fake_has_flag(allowed, flag) || (keywords && !is_system)))
			buf_appendf(to, "%s%.*s", to->n ? " " : "", BYTES_ARG(flag));
	}

	return 0;
}

/* [(flags)] ["date"] in front of a literal. NULL, or what is wrong. */
static const char *read_attributes(struct fake_connection *c, struct fake_message *m)
{
	_cleanup_(buf_done) struct buf flags = BUF_NULL;
	struct bytes word;

	c->arguments = bytes_trim(c->arguments);
	if (c->arguments.n && c->arguments.p[0] == '(' &&
	    fake_keep_flags(c, fake_word(c), &flags) < 0)
		return "a system flag that does not exist";
	word = fake_word(c);
	m->flags = arena_copy(&c->fake->arena, buf_bytes(&flags));
	m->date = BYTES("17-Nov-2099 00:00:00 +0000"); /* the server's clock: visibly no copy */
	if (word.n == 0)
		return NULL;
	m->date = bytes_of(arena_str(&c->fake->arena, word));
	return word.n == 26 && fake_instant(m->date.p) != INT64_MIN ? NULL : "not a date";
}

/* --- the command ----------------------------------------------------------------------------- */

static struct bytes subject(struct bytes message)
{
	ptrdiff_t at = bytes_find(message, BYTES("Subject: "));

	message = bytes_skip(message, at < 0 ? message.n : (size_t)at + 9);
	return bytes_trim(bytes_cut(&message, '\n'));
}

/* One message with what stands in front of it. NULL, or what is wrong; *ret_over: the end. */
static const char *take_message(struct fake_connection *c, struct append *a, bool *ret_over)
{
	_cleanup_(buf_done) struct buf event = BUF_NULL;
	const struct dialogue_rule *rule;
	struct fake_message *m;
	const char *wrong;

	a->messages = xgrow(a->messages, &a->capacity, a->n + 1, sizeof(*m));
	m = &a->messages[a->n++];
	*m = (struct fake_message){ 0 };
	wrong = read_attributes(c, m);
	*ret_over = read_message(c, a, m) < 0;
	if (*ret_over)
		return NULL;

	buf_appendf(&event, "arrived %.*s %.*s", BYTES_ARG(a->folder), BYTES_ARG(subject(m->kept)));
	rule = fake_rule(c, buf_bytes(&event), RULE_COMPLETE);
	if (rule && !a->arrived)
		a->arrived = rule;
	return wrong;
}

/* As this server keeps it: with a line of its own in front, if the file says so. */
static const struct fake_message *rewritten(struct fake_connection *c, struct fake_message *m)
{
	struct bytes line = dialogue_setting(c->fake->told, "rewrites", "");

	if (line.n && !m->front.n) {
		m->front = bytes_of(arena_printf(&c->fake->arena, "%.*s\r\n", BYTES_ARG(line)));
		m->size += m->front.n;
	}
	return m;
}

static int commit(struct fake_connection *c, void *arg)
{
	struct append *a = arg;
	struct fake_folder *folder = fake_folder_find(c->fake, a->folder);
	uint32_t first;

	if (!folder)
		return fake_answer(c, "NO [TRYCREATE] No such mailbox");
	first = folder->uidnext;
	for (size_t i = 0; i < a->n; i++)
		fake_message_copy(folder, rewritten(c, &a->messages[i]));
	if (c->answer.n)
		return fake_answer(c, "OK");
	if (c->folder == folder && fake_tell(c) < 0)
		return -1;
	if (!fake_can(c, "UIDPLUS"))
		return fake_answer(c, "OK appended");
	if (a->n == 1)
		return fake_answer(c, "OK [APPENDUID %u %u] appended", folder->uidvalidity, first);
	return fake_answer(c, "OK [APPENDUID %u %u:%u] appended", folder->uidvalidity, first,
			   folder->uidnext - 1);
}

/* Reads message after message until the line ends without one. */
static int take_messages(struct fake_connection *c, struct append *a, const char **ret_wrong)
{
	_cleanup_(buf_done) struct buf command = BUF_NULL;
	bool is_over = false;
	const char *wrong;

	*ret_wrong = NULL;
	for (;;) {
		wrong = take_message(c, a, &is_over);
		if (wrong && !*ret_wrong)
			*ret_wrong = wrong;
		buf_reset(&command);
		if (is_over || a->n > MAX_MESSAGES || fake_read_plain(c, &command) < 0)
			return -1;
		if (!c->has_literal)
			break;
		if (!fake_can(c, "MULTIAPPEND"))
			*ret_wrong = "several messages without MULTIAPPEND";
		c->arguments = buf_bytes(&command);
	}

	if (bytes_trim(buf_bytes(&command)).n)
		*ret_wrong = "something behind the message";
	return 0;
}

/* The literal of the command's line is still ahead. */
int fake_append(struct fake_connection *c)
{
	struct append a = { .folder = fake_word(c) };
	const char *wrong;
	int r;

	if (!c->has_literal)
		return fake_bad(c, "APPEND without a message");
	fake_rule_at(c, buf_bytes(&c->command), &a.at);
	r = take_messages(c, &a, &wrong);
	if (r == 0 && wrong)
		r = fake_bad(c, wrong);
	else if (r == 0 && a.arrived)
		r = fake_play(c, a.arrived->steps, commit, &a);
	else if (r == 0)
		r = fake_event(c, buf_bytes(&c->command), commit, &a);

	free(a.messages);
	return r;
}
