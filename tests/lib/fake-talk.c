/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fake-talk.h"

#include <stdio.h>
#include <string.h>

struct end {
	struct fake_imap *fake;
	struct stream *stream;
};

static int serve(void *arg, struct fault *fault)
{
	struct end *end = arg;

	fake_imap_serve(end->fake, end->stream, -1);
	return 0;
}

static int talk_all(struct stream *client, struct fake_talk *t, const char *says,
		    struct fault *fault)
{
	int n;

	if (stream_write(client, bytes_of(says), fault) < 0)
		return -1;
	stream_shutdown(client);
	while ((n = stream_read(client, buf_reserve(&t->heard, 4096), 4096, fault)) > 0)
		t->heard.n += (size_t)n;
	return n;
}

static int talk_once(struct fake_talk *t, struct fake_imap *fake, const char *says,
		     struct fault *fault)
{
	_cleanup_(stream_freep) struct stream *client = NULL;
	struct nursery nursery;
	struct end end = { .fake = fake };
	int r;

	memory_stream_pair(t->max_read, &client, &end.stream);
	nursery_init(&nursery, "talk");
	nursery_start(&nursery, serve, &end, "server");
	r = talk_all(client, t, says, fault);
	client = stream_free(client);
	return nursery_wait(&nursery, fault) < 0 ? -1 : r;
}

static int run(void *arg, struct fault *fault)
{
	struct fake_talk *t = arg;
	_cleanup_(dialogue_freep) struct dialogue *dialogue = NULL;
	_cleanup_(fake_imap_freep) struct fake_imap *fake = NULL;
	int r;

	if (dialogue_parse("file", bytes_of(t->dialogue), &dialogue, fault) < 0)
		return -1;
	fake = fake_imap_new(dialogue, "from");
	r = talk_once(t, fake, t->says, fault);
	for (unsigned i = 0; r == 0 && i < FAKE_TALK_RUNS - 1 && t->next[i]; i++) {
		fake_imap_ended(fake, i + 1);
		fake_imap_run(fake, i + 2);
		r = talk_once(t, fake, t->next[i], fault);
		if (i == FAKE_TALK_RUNS - 2 || !t->next[i + 1])
			fake_imap_ended(fake, i + 2);
	}
	snprintf(t->verdict, sizeof(t->verdict), "%s", fake_imap_verdict(fake));
	buf_append_str(&t->heard, "");
	return r;
}

void fake_talk(struct check *check, struct fake_talk *t)
{
	static const size_t splits[] = { 0, 1, 2, 3, 7 };
	_cleanup_(buf_done) struct buf first = BUF_NULL;

	for (size_t i = 0; i < ARRAY_SIZE(splits); i++) {
		struct fault fault = FAULT_INIT;

		buf_done(&t->heard);
		t->max_read = splits[i];
		if (run_main("talk", run, t, &fault) < 0)
			CHECK_FAIL("%s", fault.text);
		if (i == 0)
			buf_append_bytes(&first, buf_bytes(&t->heard));
		CHECK_BYTES(buf_bytes(&t->heard), buf_bytes(&first));
	}
}

void fake_talk_hears(struct check *check, struct fake_talk *t, const char *text)
{
	if (!strstr(buf_str(&t->heard), text))
		CHECK_FAIL("\"%s\" was not said, but: %s", text, buf_str(&t->heard));
}
