/* SPDX-License-Identifier: Apache-2.0 */
/* Sends mail for gateway.py where Postfix's smtp-source cannot: over STARTTLS, or so many messages a second with the time
 * each 250 took; or opens sessions and leaves them. A thread a session, nothing shared with mailferry.
 *
 *	smtp-load PORT SESSIONS MESSAGES SIZE tls|plain keep|anew RATE      (RATE 0: as fast as it goes)
 *	smtp-load PORT SESSIONS idle tls|plain                              until its input ends
 *
 * Prints a line of JSON; latencies are from the last byte of the content to its reply. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE = 2048 };

static struct {
	uint16_t port;
	unsigned sessions;
	long messages;
	bool tls, anew;
	double rate, began;
	char *content;
	size_t size;
	SSL_CTX *context;
	atomic_long next;
	double *latencies;
} load;

struct session {
	int fd;
	SSL *ssl;
	char in[LINE];
	size_t n;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const char *more)
{
	fprintf(stderr, "smtp-load: %s: %s\n", what, more);
	exit(1);
}

static void put(struct session *s, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = s->ssl ? SSL_write(s->ssl, p, (int)n) : send(s->fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			die("cannot send", "the connection ended");
		p += sent;
		n -= (size_t)sent;
	}
}

/* The last line of a reply, whose code is to begin with `digit`. */
static void expect(struct session *s, char digit, const char *after)
{
	for (;;) {
		char *end;

		while (!(end = memchr(s->in, '\n', s->n))) {
			size_t room = sizeof(s->in) - 1 - s->n;
			ssize_t got = s->ssl ? SSL_read(s->ssl, s->in + s->n, (int)room) : recv(s->fd, s->in + s->n, room, 0);

			if (got <= 0)
				die(after, "the connection ended");
			s->n += (size_t)got;
		}
		*end = '\0';
		if (s->in[0] != digit)
			die(after, s->in);
		bool last = s->in[3] != '-';

		s->n -= (size_t)(end + 1 - s->in);
		memmove(s->in, end + 1, s->n);
		if (last)
			return;
	}
}

static void say(struct session *s, const char *line, char digit)
{
	put(s, line, strlen(line));
	expect(s, digit, line);
}

static void begin(struct session *s)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(load.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;

	*s = (struct session){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("cannot connect", "is it there?");
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	expect(s, '2', "greeting");
	say(s, "EHLO load.example\r\n", '2');
	if (!load.tls)
		return;
	say(s, "STARTTLS\r\n", '2');
	s->ssl = SSL_new(load.context);
	SSL_set_fd(s->ssl, s->fd);
	if (SSL_connect(s->ssl) != 1)
		die("STARTTLS", "no handshake");
	say(s, "EHLO load.example\r\n", '2');
}

static void end(struct session *s)
{
	say(s, "QUIT\r\n", '2');
	SSL_free(s->ssl);
	close(s->fd);
}

static void wait_until(double moment)
{
	double left = moment - now();

	if (left > 0)
		usleep((useconds_t)(left * 1e6));
}

static void *run(void *arg)
{
	struct session *s = arg;
	bool open = false;
	long i;

	while ((i = atomic_fetch_add(&load.next, 1)) < load.messages) {
		char line[200];
		double sent;
		int n;

		if (load.rate > 0)
			wait_until(load.began + (double)i / load.rate);
		if (!open)
			begin(s);
		open = true;
		say(s, "MAIL FROM:<from@example.org>\r\n", '2');
		say(s, "RCPT TO:<to@example.net>\r\n", '2');
		say(s, "DATA\r\n", '3');
		n = snprintf(line, sizeof(line), "From: <from@example.org>\r\nTo: <to@example.net>\r\nMessage-ID: <%ld.%d@load.example>\r\n\r\n", i,
			     (int)getpid());
		put(s, line, (size_t)n);
		put(s, load.content, load.size);
		sent = now();
		expect(s, '2', "content");
		load.latencies[i] = now() - sent;
		if (load.anew)
			end(s);
		open = !load.anew;
	}
	if (open)
		end(s);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double share(double of)
{
	return 1e6 * load.latencies[(long)((double)(load.messages - 1) * of)];
}

static void make_content(size_t size)
{
	static const char line[] = "The quick brown fox jumps over the lazy dog and the dog sleeps on 0123456789\r\n";

	load.content = malloc(size + sizeof(line) + 5);
	while (load.size < size) {
		memcpy(load.content + load.size, line, sizeof(line) - 1);
		load.size += sizeof(line) - 1;
	}
	memcpy(load.content + load.size, ".\r\n", 3);
	load.size += 3;
}

static int idle(void)
{
	struct session *all = calloc(load.sessions, sizeof(*all));
	double began = now();

	for (unsigned i = 0; i < load.sessions; i++)
		begin(&all[i]);
	printf("{\"sessions\": %u, \"seconds\": %.3f}\n", load.sessions, now() - began);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t *threads;
	struct session *all;
	double took;

	signal(SIGPIPE, SIG_IGN);
	if (argc != 5 && argc != 8)
		die("usage", "see the top of the source");
	load.port = (uint16_t)strtoul(argv[1], NULL, 10);
	load.sessions = (unsigned)strtoul(argv[2], NULL, 10);
	load.tls = strcmp(argv[argc == 5 ? 4 : 5], "tls") == 0;
	load.context = SSL_CTX_new(TLS_client_method());
	if (argc == 5)
		return idle();

	load.messages = strtol(argv[3], NULL, 10);
	make_content(strtoul(argv[4], NULL, 10));
	load.anew = strcmp(argv[6], "anew") == 0;
	load.rate = strtod(argv[7], NULL);
	load.latencies = calloc((size_t)load.messages + 1, sizeof(double));
	threads = calloc(load.sessions, sizeof(*threads));
	all = calloc(load.sessions, sizeof(*all));
	load.began = now();
	for (unsigned i = 0; i < load.sessions; i++)
		if (pthread_create(&threads[i], NULL, run, &all[i]) != 0)
			die("threads", "there are no more");
	for (unsigned i = 0; i < load.sessions; i++)
		pthread_join(threads[i], NULL);
	took = now() - load.began;
	qsort(load.latencies, (size_t)load.messages, sizeof(double), compare);
	printf("{\"messages\": %ld, \"seconds\": %.3f, \"p50_us\": %.0f, \"p99_us\": %.0f, \"most_us\": %.0f}\n", load.messages, took,
	       share(0.5), share(0.99), share(1));
	return 0;
}
