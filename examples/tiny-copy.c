/* SPDX-License-Identifier: Apache-2.0 */
/* Copies one folder from one IMAP server to another with mailferry's libraries: the smallest program that
 * shows how they fit together. No retries, no mapping, no books: src/copy/ has those.
 *
 *	tiny-copy SOURCE-URL DESTINATION-URL FOLDER
 *
 * imap:// URLs on this machine, imap+pipe:COMMAND anywhere. Passwords: TINY_FROM_PASSWORD, TINY_TO_PASSWORD.
 *
 * Reading it, look for three things. Everything that can fail takes a fault and is checked at once. Calls that
 * wait (the SUSPENDS of the headers) look like any other call: we are in a fiber, run_main() runs it. And a
 * message is never in memory: imap_read() gives slices of its body, imap_append_data() passes them on. */
#include <stdio.h>
#include <stdlib.h>

#include "base/url.h"
#include "imap/commands.h"
#include "imap/date.h"

struct job {
	struct imap_account from, to;
	const char *folder;
	struct imap_session *source, *destination;
	struct imap_messages messages;
	unsigned copied;
};

static struct imap_message *find(struct job *job, uint32_t uid)
{
	for (size_t i = 0; i < job->messages.n; i++)
		if (job->messages.p[i].uid == uid)
			return &job->messages.p[i];

	return NULL;
}

/* The body of one message begins: open an APPEND for it with its own flags and date. */
static int begin(struct job *job, struct imap_append *append, const struct imap_fetch_data *data,
		 struct fault *fault)
{
	_cleanup_(buf_done) struct buf date = BUF_NULL;
	const struct imap_message *m = find(job, data->uid);
	int r;

	if (!m)
		return fault_protocol(fault, "a message that was not asked for");

	if (m->date != IMAP_NO_DATE)
		imap_date_write(&date, m->date, m->zone_minutes);
	imap_append_begin(job->destination, append, bytes_of(job->folder));
	r = imap_append_message(job->destination, append, bytes_of(job->folder),
				job->messages.flag_sets[m->flags], buf_bytes(&date), data->body_size,
				fault);
	if (r > 0) /* answered before it was sent */
		return imap_refused(job->destination, &append->command, fault, "message not taken");

	return r;
}

/* It is complete: end the APPEND and wait for the answer. */
static int end(struct job *job, struct imap_append *append, struct fault *fault)
{
	if (imap_append_end(job->destination, append, fault) < 0 ||
	    imap_wait(job->destination, &append->command, fault) < 0)
		return -1;

	job->copied++;
	return imap_refused(job->destination, &append->command, fault, "message not taken");
}

static int copy_bodies(struct job *job, struct fault *fault)
{
	struct imap_range all = { 1, UINT32_MAX };
	struct imap_append append;
	struct imap_command fetch;
	struct imap_input input;
	int r = 0;

	if (imap_fetch_bodies(job->source, &fetch, &all, 1, fault) < 0)
		return -1;

	while (!fetch.done && r >= 0) {
		if (imap_read(job->source, &input, fault) < 0)
			return -1;

		switch (input.event) {
		case IMAP_EVENT_BODY_BEGIN:
			r = begin(job, &append, &input.response->fetch, fault);
			break;
		case IMAP_EVENT_BODY:
			r = imap_append_data(job->destination, input.data, fault);
			break;
		case IMAP_EVENT_BODY_END:
			r = end(job, &append, fault);
			break;
		default:
			break;
		}
	}
	return r < 0 ? -1 : imap_refused(job->source, &fetch, fault, "cannot read messages");
}

static int copy_folder(struct job *job, struct fault *fault)
{
	struct bytes folder = bytes_of(job->folder);

	if (imap_connect(&job->from, &job->source, fault) < 0 ||
	    imap_connect(&job->to, &job->destination, fault) < 0 ||
	    imap_select(job->source, folder, true, fault) < 0 ||
	    imap_create(job->destination, folder, BYTES_NULL, fault) < 0)
		return -1;

	if (job->source->selected.exists == 0)
		return 0;

	if (imap_fetch_messages(job->source, 1, UINT32_MAX, false, &job->messages, fault) < 0)
		return -1;

	return copy_bodies(job, fault);
}

static int run(void *arg, struct fault *fault)
{
	struct job *job = arg;
	int r;

	imap_messages_init(&job->messages);
	r = copy_folder(job, fault);
	imap_messages_done(&job->messages);
	imap_logout(job->source);
	imap_logout(job->destination);
	return r;
}

static int account(const char *text, const char *label, const char *password,
		   struct store_url *url, struct imap_account *ret, struct fault *fault)
{
	if (url_parse(text, url, fault) < 0)
		return -1;

	if (url->kind != URL_IMAP && url->kind != URL_IMAP_PIPE)
		return fault_usage(fault, "%s: write imap:// or imap+pipe:", text);

	*ret = (struct imap_account){
		.label = label, .host = url->host, .port = url->port, .command = url->command,
		.security = IMAP_PLAIN, .user = url->user, .password = password,
		.silence_us = 60 * SECOND,
	};
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_(url_done) struct store_url from = { 0 }, to = { 0 };
	struct job job = { .folder = argc == 4 ? argv[3] : NULL };
	struct fault fault;
	int r;

	if (argc != 4) {
		fputs("usage: tiny-copy SOURCE-URL DESTINATION-URL FOLDER\n", stderr);
		return 2;
	}

	r = account(argv[1], "source", getenv("TINY_FROM_PASSWORD"), &from, &job.from, &fault);
	if (r == 0)
		r = account(argv[2], "destination", getenv("TINY_TO_PASSWORD"), &to, &job.to, &fault);
	if (r == 0)
		r = run_main("tiny-copy", run, &job, &fault);
	if (r < 0) {
		char text[700];

		fault_format(&fault, text, sizeof(text));
		fprintf(stderr, "tiny-copy: %s\n", text);
		return 1;
	}

	printf("%u messages copied\n", job.copied);
	return 0;
}
