/* SPDX-License-Identifier: Apache-2.0 */
/* Servers without an end: what they list must neither fill our memory nor keep us for ever. */
#include <stdio.h>

#include "base/xalloc.h"
#include "imap/commands.h"
#include "lib/check.h"

enum { LONG = 900 << 10 }; /* bytes of a line, below what the parser takes for one response */

struct flood {
	struct check *check;
	const char *capabilities;
	void (*write)(struct buf *to, unsigned n, const char *letters); /* one response, about LONG */
	int (*client)(struct flood *f, struct imap_session *s, struct fault *fault);
	struct stream *client_end, *server_end;
	unsigned sent;
};

static int dial(void *arg, struct stream **ret, struct fault *fault)
{
	struct flood *f = arg;

	*ret = TAKE_PTR(f->client_end);
	return 0;
}

/* Until the client has gone. */
static int pour(void *arg, struct fault *fault)
{
	_cleanup_(freep) char *letters = xmalloc(LONG + 1);
	_cleanup_(buf_done) struct buf line = BUF_NULL;
	struct flood *f = arg;
	char heard[1000];

	memset(letters, 'x', LONG);
	letters[LONG] = '\0';
	buf_appendf(&line, "* PREAUTH [CAPABILITY IMAP4rev1 NAMESPACE %s] hi\r\n", f->capabilities ? f->capabilities : "");
	if (stream_write(f->server_end, buf_bytes(&line), fault) < 0 ||
	    stream_read(f->server_end, heard, sizeof(heard), fault) <= 0)
		return -1;

	while (f->sent < 200) {
		buf_reset(&line);
		f->write(&line, f->sent + 1, letters);
		if (stream_write(f->server_end, buf_bytes(&line), fault) < 0)
			return 0;
		f->sent++;
	}
	return fault_protocol(fault, "the client takes everything");
}

static int run(void *arg, struct fault *fault)
{
	struct flood *f = arg;
	struct check *check = f->check;
	struct imap_account account = { .label = "source", .host = "fake", .security = IMAP_PLAIN,
					.silence_us = 20 * SECOND, .dial = dial, .dial_arg = f };
	_cleanup_(nursery_done) struct nursery nursery;
	struct imap_session *s = NULL;
	int r;

	memory_stream_pair(0, &f->client_end, &f->server_end);
	nursery_init(&nursery, "case");
	nursery_start(&nursery, pour, f, "server");
	r = imap_connect(&account, &s, fault);
	if (r == 0) {
		EXPECT(f->client(f, s, fault) < 0);
		EXPECT(fault->kind == FAULT_LIMIT && fault->again == AGAIN_NEVER);
		EXPECT(s->broken); /* the rest of the answer is still to come */
	}
	imap_session_free(s);
	if (r == 0)
		r = nursery_wait(&nursery, fault);
	nursery_done(&nursery);
	stream_free(f->server_end);
	stream_free(f->client_end);
	return r;
}

static void flood(struct check *check, struct flood f)
{
	struct fault fault = FAULT_INIT;

	f.check = check;
	if (run_main("test", run, &f, &fault) < 0 && !check->failed)
		CHECK_FAIL("%s", fault.text);
}

static int list(struct flood *f, struct imap_session *s, struct fault *fault)
{
	struct check *check = f->check;
	struct imap_folders folders;
	int r = imap_list(s, false, &folders, fault);

	imap_folders_done(&folders);
	EXPECT(fault->reach == REACH_MAILBOX);
	return r;
}

static void write_folder(struct buf *to, unsigned n, const char *letters)
{
	buf_appendf(to, "* LIST () \"/\" \"%u%s\"\r\n", n, letters);
}

static void long_names(struct check *check)
{
	flood(check, (struct flood){ .write = write_folder, .client = list });
}

static int list_messages(struct flood *f, struct imap_session *s, struct fault *fault)
{
	struct check *check = f->check;
	struct imap_messages messages;
	int r;

	imap_messages_init(&messages);
	r = imap_fetch_messages(s, 1, UINT32_MAX, false, &messages, fault);
	imap_messages_done(&messages);
	EXPECT(fault->reach == REACH_FOLDER);
	return r;
}

static void write_message(struct buf *to, unsigned n, const char *letters)
{
	buf_appendf(to, "* 1 FETCH (UID %u FLAGS (%u%s))\r\n", n, n, letters);
}

static void long_flags(struct check *check)
{
	flood(check, (struct flood){ .write = write_message, .client = list_messages });
}

/* Of messages that were asked for by name too. */
static int list_some(struct flood *f, struct imap_session *s, struct fault *fault)
{
	static const struct imap_range uids[] = { { 1, 40 }, { 50, UINT32_MAX } };
	struct check *check = f->check;
	struct imap_messages messages;
	int r;

	imap_messages_init(&messages);
	r = imap_fetch_items_of(s, uids, 2, IMAP_ITEM_FLAGS, &messages, fault);
	imap_messages_done(&messages);
	EXPECT(fault->reach == REACH_FOLDER);
	return r;
}

static void long_flags_of_some(struct check *check)
{
	flood(check, (struct flood){ .write = write_message, .client = list_some });
}

static int ask_changes(struct flood *f, struct imap_session *s, struct fault *fault)
{
	struct check *check = f->check;
	struct imap_changes changes;
	int r = imap_fetch_changes(s, 1, UINT32_MAX, &changes, fault);

	EXPECT(f->sent > 40); /* what a large folder may have is taken */
	EXPECT(fault->reach == REACH_FOLDER && strstr(fault->text, "vanished"));
	imap_changes_done(&changes);
	return r;
}

/* Every second UID. */
static void write_vanished(struct buf *to, unsigned n, const char *letters)
{
	enum { A_LINE = 100000 };
	uint32_t uid = 1000001 + 2 * A_LINE * (n - 1);

	if (n == 1)
		buf_append_str(to, "* ENABLED QRESYNC\r\nm1 OK\r\n");
	buf_append_str(to, "* VANISHED (EARLIER) ");
	for (unsigned i = 0; i < A_LINE; i++)
		buf_appendf(to, "%s%u", i ? "," : "", uid + 2 * i);
	buf_append_str(to, "\r\n");
}

static void many_vanished(struct check *check)
{
	flood(check, (struct flood){ .write = write_vanished, .client = ask_changes,
				     .capabilities = "ENABLE QRESYNC" });
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "names of folders", long_names },
		{ "flags of messages", long_flags },
		{ "flags of some messages", long_flags_of_some },
		{ "vanished messages", many_vanished },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
