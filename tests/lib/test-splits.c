/* SPDX-License-Identifier: Apache-2.0 */
/* Plays the source side of every dialogue against a real session, in memory, with what the
 * server says cut at every byte, at every second, third and seventh, and not at all: folders,
 * messages, digests and faults must be the same. What they should be is
 * tests/dialogue/run.py's business. The folder with the dialogues is in the environment
 * variable DIALOGUES. */
#include <dirent.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/xalloc.h"
#include "imap/commands.h"
#include "lib/check.h"
#include "lib/fake-imap.h"

struct play {
	struct check *check;
	struct dialogue *dialogue;
	struct fake_imap *fake;
	struct nursery servers;
	size_t max_read;
	int64_t silence_us;
	struct buf seen;
};

struct end {
	struct fake_imap *fake;
	struct stream *stream;
};

static int serve(void *arg, struct fault *fault)
{
	struct end *end = arg;

	fake_imap_serve(end->fake, end->stream, -1);
	free(end);
	return 0;
}

static int dial(void *arg, struct stream **ret, struct fault *fault)
{
	struct play *p = arg;
	struct end *end = xmalloc(sizeof(*end));
	int64_t before = run_shield(HOUR); /* our deadline is not the server's */

	end->fake = p->fake;
	memory_stream_pair(p->max_read, ret, &end->stream);
	nursery_start(&p->servers, serve, end, "server");
	run_unshield(before);
	return 0;
}

/* --- what is seen ---------------------------------------------------------------------------- */

static void see_fetch(struct play *p, const struct imap_fetch_data *f)
{
	buf_appendf(&p->seen, "  fetch %u has %x flags", f->uid, f->has);
	for (size_t i = 0; i < f->flags.n; i++)
		buf_appendf(&p->seen, " %.*s", BYTES_ARG(f->flags.p[i]));
	buf_appendf(&p->seen, ", \"%.*s\", %llu bytes\n", BYTES_ARG(f->date_text),
		    (unsigned long long)f->body_size);
}

static void see_digest(struct play *p, EVP_MD_CTX *hash)
{
	unsigned char sum[EVP_MAX_MD_SIZE];

	EVP_DigestFinal_ex(hash, sum, NULL);
	buf_append_str(&p->seen, "  body ");
	for (int i = 0; i < 8; i++)
		buf_appendf(&p->seen, "%02x", sum[i]);
	buf_append_char(&p->seen, '\n');
}

static int take_bodies(struct play *p, struct imap_session *s, struct imap_command *c,
		       EVP_MD_CTX *hash, struct fault *fault)
{
	struct imap_input input;

	while (!c->done) {
		if (imap_read(s, &input, fault) < 0)
			return -1;
		if (input.event == IMAP_EVENT_BODY_BEGIN)
			EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
		else if (input.event == IMAP_EVENT_BODY)
			EVP_DigestUpdate(hash, input.data.p, input.data.n);
		else if (input.event == IMAP_EVENT_BODY_END)
			see_digest(p, hash);
		else if (input.response->kind == IMAP_FETCH)
			see_fetch(p, &input.response->fetch);
		else
			buf_appendf(&p->seen, "  response %d\n", (int)input.response->kind);
	}

	buf_appendf(&p->seen, "  ended %d [%s] %s\n", (int)c->condition, c->code, c->text);
	return 0;
}

static int read_messages(struct play *p, struct imap_session *s, struct fault *fault)
{
	struct imap_range all = { 1, UINT32_MAX };
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	struct imap_messages messages;
	struct imap_command c;
	int r;

	imap_messages_init(&messages);
	r = imap_fetch_messages(s, 1, UINT32_MAX, true, &messages, fault);
	for (size_t i = 0; i < messages.n && r == 0; i++)
		buf_appendf(&p->seen, "  message %u, %llu, \"%s\", %lld\n", messages.p[i].uid,
			    (unsigned long long)messages.p[i].size,
			    messages.flag_sets[messages.p[i].flags], (long long)messages.p[i].date);
	if (r == 0 && messages.n) {
		r = imap_fetch_bodies(s, &c, &all, 1, fault);
		if (r == 0)
			r = take_bodies(p, s, &c, hash, fault);
	}
	imap_messages_done(&messages);
	EVP_MD_CTX_free(hash);
	return r;
}

static int read_folder(struct play *p, struct imap_session *s, const struct imap_folder *folder,
		       struct fault *fault)
{
	buf_appendf(&p->seen, "folder %.*s %x %c, %llu\n", BYTES_ARG(folder->utf8), folder->flags,
		    folder->separator ? folder->separator : '-',
		    (unsigned long long)folder->messages);
	if (folder->flags & IMAP_FOLDER_NOSELECT)
		return 0;
	if (imap_select(s, folder->name, true, fault) < 0) {
		if (fault->reach > REACH_FOLDER)
			return -1;
		buf_appendf(&p->seen, "  cannot be opened: %s\n", fault->server);
		return 0;
	}

	buf_appendf(&p->seen, "  %u messages, UIDVALIDITY %u\n", s->selected.exists,
		    s->selected.uidvalidity);
	return read_messages(p, s, fault);
}

static int read_mailbox(struct play *p, struct imap_session *s, struct fault *fault)
{
	struct imap_folders folders;
	int r = imap_list(s, false, &folders, fault);

	for (size_t i = 0; i < folders.n && r == 0; i++)
		r = read_folder(p, s, &folders.p[i], fault);
	imap_folders_done(&folders);
	return r;
}

/* --- one file -------------------------------------------------------------------------------- */

static int client(struct play *p, struct fault *fault)
{
	struct imap_account account = {
		.label = "source", .host = "fake", .security = IMAP_PLAIN, .user = "u",
		.password = "secret", .silence_us = p->silence_us, .dial = dial, .dial_arg = p,
		.compress = true,
	};
	struct imap_session *s;
	int r;

	if (imap_connect(&account, &s, fault) < 0)
		return -1;
	if (stream_find(s->stream, "deflate"))
		buf_append_str(&p->seen, "compressed\n");
	r = read_mailbox(p, s, fault);
	imap_logout(s);
	return r;
}

static int play(void *arg, struct fault *fault)
{
	struct play *p = arg;

	nursery_init(&p->servers, "servers");
	p->fake = fake_imap_new(p->dialogue, "from");
	if (client(p, fault) < 0)
		buf_appendf(&p->seen, "fault %s, reach %d: %s; %s\n", fault_kind_name(fault->kind),
			    (int)fault->reach, fault->text, fault->server);
	nursery_done(&p->servers);
	p->fake = fake_imap_free(p->fake);
	return 0;
}

static bool has_step(const struct dialogue_step *steps, enum dialogue_step_kind kind)
{
	while (steps && steps->kind != kind)
		steps = steps->next;
	return steps;
}

/* Only those that hang have to be waited for. */
static bool hangs(const struct dialogue_server *server)
{
	for (const struct dialogue_rule *rule = server->rules; rule; rule = rule->next)
		if (has_step(rule->steps, STEP_HANG))
			return true;

	return false;
}

static const struct dialogue_server *load(struct play *p)
{
	const struct dialogue_server *server;
	struct fault fault;
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s.dlg", getenv("DIALOGUES"), p->check->name);
	if (dialogue_load(path, &p->dialogue, &fault) < 0) {
		check_expect(p->check, false, __FILE__, __LINE__, "%s", fault.text);
		return NULL;
	}
	server = dialogue_server(p->dialogue, "from");
	if (!server || bytes_equal(dialogue_setting(server, "tls", ""), BYTES("yes")))
		p->check->skipped = true;
	return p->check->skipped ? NULL : server;
}

/* The line of b in which it leaves a. */
static struct bytes first_difference(const char *a, const char *b)
{
	struct bytes rest;
	const char *line = b;

	for (; *a && *a == *b; a++, b++)
		if (*b == '\n')
			line = b + 1;
	rest = bytes_of(line);
	return bytes_head(bytes_cut(&rest, '\n'), 200);
}

static void run_file(struct check *check)
{
	static const size_t splits[] = { 0, 1, 2, 3, 7 };
	struct play p = { .check = check, .silence_us = 60 * SECOND };
	const struct dialogue_server *server = load(&p);
	struct buf first = BUF_NULL;
	struct fault fault;

	if (server && hangs(server))
		p.silence_us = 300 * MSEC;
	for (size_t i = 0; server && i < ARRAY_SIZE(splits); i++) {
		p.max_read = splits[i];
		buf_reset(&p.seen);
		EXPECT(run_main("play", play, &p, &fault) == 0);
		if (i == 0)
			buf_append_bytes(&first, buf_bytes(&p.seen));
		check_expect(check, bytes_equal(buf_bytes(&first), buf_bytes(&p.seen)), __FILE__,
			     __LINE__, "split at %zu: \"%.*s\" was not seen whole", splits[i],
			     BYTES_ARG(first_difference(buf_str(&first), buf_str(&p.seen))));
	}
	if (getenv("SHOW"))
		fputs(buf_str(&first), stderr);

	buf_done(&p.seen);
	buf_done(&first);
	dialogue_free(p.dialogue);
}

/* --- all files ------------------------------------------------------------------------------- */

/* The big ones are about memory, not about splits. */
static bool is_wanted(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && strcmp(name + n - 4, ".dlg") == 0 && strncmp(name, "big-", 4) != 0;
}

static int by_name(const void *a, const void *b)
{
	const struct check_case *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int main(int argc, char **argv)
{
	const char *folder = getenv("DIALOGUES");
	DIR *dir = folder ? opendir(folder) : NULL;
	struct check_case *cases = NULL;
	size_t n = 0, capacity = 0;
	struct dirent *entry;
	int r;

	if (!dir) {
		puts("Bail out! DIALOGUES names no folder");
		return 1;
	}
	while ((entry = readdir(dir))) {
		if (!is_wanted(entry->d_name))
			continue;
		cases = xgrow(cases, &capacity, n + 2, sizeof(*cases));
		cases[n++] = (struct check_case){
			xstrndup(entry->d_name, strlen(entry->d_name) - 4), run_file,
		};
		cases[n] = (struct check_case){ 0 };
	}
	closedir(dir);
	qsort(cases, n, sizeof(*cases), by_name);

	r = check_main(argc, argv, cases);
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)cases[i].name);
	free(cases);
	return r;
}
