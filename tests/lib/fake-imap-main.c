/* SPDX-License-Identifier: Apache-2.0 */
/* The fake IMAP server as a program, for tests from end to end:
 *
 *	fake-imap [--server NAME] [--cert FILE --key FILE] [--control] DIALOGUE-FILE
 *
 * listens on 127.0.0.1, prints "PORT n", and plays the dialogue until SIGTERM or SIGINT. Then
 * it prints what it has to complain about and exits 1, or exits 0; 2: the file or the
 * arguments are wrong.
 *
 * With --control it is told on standard input about the client's runs, a line each, and
 * answers each with a line, "ok" or what is wrong:
 *
 *	run N      run N begins; what the file says happens to the mailbox before it, happens now
 *	client P   the client is process P
 *	over       the client has ended: waits until all its connections are over
 *	ended N    the expectations for the end of run N are judged
 *	quiet      nothing was to be changed in this run
 *	lenient    numbers of commands and connections do not count from now on */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "lib/fake-imap.h"

enum { MAX_COMMAND = 256 };

struct program {
	const char *file, *server, *cert, *key;
	bool control;
	struct fake_imap *fake;
	int fd;
	struct watch *watch;
	struct nursery connections, accepting;
	unsigned open; /* connections */
};

struct one {
	struct program *program;
	int fd;
};

/* --- connections ----------------------------------------------------------------------------- */

static int serve(void *arg, struct fault *fault)
{
	struct one *one = arg;

	fake_imap_serve(one->program->fake, tcp_stream_new(one->fd, "client"), one->fd);
	one->program->open--;
	free(one);
	return 0;
}

/* Not net's listener: "reset" needs the socket itself. */
static int accept_all(void *arg, struct fault *fault)
{
	struct program *p = arg;

	for (;;) {
		int fd = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct one *one;

		if (fd < 0 && errno != EAGAIN)
			return fault_local(fault, "cannot accept: %s", strerror(errno));
		if (fd < 0) {
			if (watch_wait(p->watch, RUN_READABLE, "a connection", fault) < 0)
				return -1;
			continue;
		}
		one = xmalloc(sizeof(*one));
		*one = (struct one){ p, fd };
		p->open++;
		nursery_start(&p->connections, serve, one, "connection %d", fd);
	}
}

static int start_listening(struct program *p, struct fault *fault)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t n = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&address, n) < 0 || listen(p->fd, 64) < 0 ||
	    getsockname(p->fd, (struct sockaddr *)&address, &n) < 0)
		return fault_local(fault, "cannot listen: %s", strerror(errno));

	p->watch = watch_new(p->fd);
	printf("PORT %u\n", ntohs(address.sin_port));
	fflush(stdout);
	return 0;
}

/* --- control --------------------------------------------------------------------------------- */

/* The client is gone, and its connections find that out by themselves. NULL, or what is wrong. */
static const char *wait_for_end(struct program *p)
{
	struct fault fault;

	for (int64_t until = run_now() + 20 * SECOND; p->open; )
		if (run_now() > until || run_sleep(2 * MSEC, &fault) < 0)
			return "connections stay open";

	return "ok";
}

static const char *obey(struct program *p, struct bytes line)
{
	struct bytes verb = bytes_cut(&line, ' ');
	uint64_t number = 0;
	bool has_number = bytes_to_u64(line, INT32_MAX, &number) == 0;

	if (bytes_equal(verb, BYTES("over")))
		return wait_for_end(p);
	if (bytes_equal(verb, BYTES("run")) && has_number)
		fake_imap_run(p->fake, (unsigned)number);
	else if (bytes_equal(verb, BYTES("client")) && has_number)
		fake_imap_client(p->fake, (int)number);
	else if (bytes_equal(verb, BYTES("ended")) && has_number)
		fake_imap_ended(p->fake, (unsigned)number);
	else if (bytes_equal(verb, BYTES("quiet")))
		fake_imap_quiet(p->fake);
	else if (bytes_equal(verb, BYTES("lenient")))
		fake_imap_lenient(p->fake);
	else
		return "nobody knows this command";

	return "ok";
}

static int control(void *arg, struct fault *fault)
{
	struct program *p = arg;
	_cleanup_(watch_freep) struct watch *watch = watch_new(STDIN_FILENO);
	_cleanup_(buf_done) struct buf in = BUF_NULL;

	if (!watch)
		return fault_usage(fault, "--control needs a pipe: %s", strerror(errno));
	for (;;) {
		ssize_t n = read(STDIN_FILENO, buf_reserve(&in, MAX_COMMAND), MAX_COMMAND);
		ptrdiff_t end;

		if (n == 0)
			return 0;
		if (n < 0 && errno != EAGAIN)
			return fault_local(fault, "cannot read: %s", strerror(errno));
		in.n += n > 0 ? (size_t)n : 0;
		while ((end = bytes_find_char(buf_bytes(&in), '\n')) >= 0) {
			puts(obey(p, bytes_head(buf_bytes(&in), (size_t)end)));
			fflush(stdout);
			buf_consume(&in, (size_t)end + 1);
		}
		if (n < 0 && watch_wait(watch, RUN_READABLE, "a command", fault) < 0)
			return -1;
	}
}

/* --- the loop -------------------------------------------------------------------------------- */

static void on_signal(void *arg)
{
	struct program *p = arg;

	nursery_cancel(&p->accepting);
}

/* The client is gone when the signal comes; its connections find that out by themselves, and
 * have a moment to do so. */
static int run(void *arg, struct fault *fault)
{
	struct program *p = arg;

	if (start_listening(p, fault) < 0)
		return -1;
	nursery_init(&p->connections, "connections");
	nursery_init(&p->accepting, "accepting");
	run_on_signal(SIGTERM, on_signal, p);
	run_on_signal(SIGINT, on_signal, p);
	nursery_start(&p->accepting, accept_all, p, "accept");
	if (p->control)
		nursery_start(&p->accepting, control, p, "control");
	if (nursery_wait(&p->accepting, fault) < 0 && fault->kind != FAULT_CANCELLED)
		fprintf(stderr, "fake-imap: %s\n", fault->text);
	{
		_deadline_(2 * SECOND);

		nursery_wait(&p->connections, fault);
	}
	p->watch = watch_free(p->watch);
	return 0;
}

/* --- the program ----------------------------------------------------------------------------- */

static int usage(const char *message)
{
	fprintf(stderr, "fake-imap: %s\n", message);
	return 2;
}

static const char **option(struct program *p, const char *name)
{
	if (strcmp(name, "--server") == 0)
		return &p->server;
	if (strcmp(name, "--cert") == 0)
		return &p->cert;
	return strcmp(name, "--key") == 0 ? &p->key : NULL;
}

static int play(struct program *p, const struct dialogue *dialogue)
{
	_cleanup_(tls_context_freep) struct tls_context *tls = NULL;
	_cleanup_(fake_imap_freep) struct fake_imap *fake = fake_imap_new(dialogue, p->server);
	struct fault fault = FAULT_INIT;
	const char *verdict;

	if (p->cert && tls_server_context_new(p->cert, p->key, &tls, &fault) < 0)
		return usage(fault.text);
	fake_imap_tls(fake, tls);
	p->fake = fake;
	if (run_main("fake-imap", run, p, &fault) < 0)
		return usage(fault.text);

	verdict = fake_imap_verdict(fake);
	fputs(verdict, stdout);
	return verdict[0] ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct program p = { .server = "from", .fd = -1 };
	_cleanup_(dialogue_freep) struct dialogue *dialogue = NULL;
	struct fault fault = FAULT_INIT;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (int i = 1; i < argc; i++) {
		const char **value = option(&p, argv[i]);

		if (strcmp(argv[i], "--control") == 0)
			p.control = true;
		else if (value && i + 1 < argc)
			*value = argv[++i];
		else if (!value && !p.file)
			p.file = argv[i];
		else
			return usage("[--server NAME] [--cert FILE --key FILE] [--control] "
				     "DIALOGUE-FILE");
	}
	if (!p.file || (p.cert && !p.key))
		return usage("a dialogue file is needed, and a key with each certificate");
	if (dialogue_load(p.file, &dialogue, &fault) < 0)
		return usage(fault.text);

	return play(&p, dialogue);
}
