/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors, idle work, signals, the worker pool and names. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/check.h"
#include "run/testing.h"

static void in_fiber(struct check *check, fiber_fn fn)
{
	struct fault fault = FAULT_INIT;

	CHECK_EQ(run_main("test", fn, check, &fault), 0);
}

/* A connected pair; a is watched. */
struct pair {
	struct check *check;
	int a, b;
	struct watch *watch;
	size_t read, written;
	size_t total;
	bool done;
};

static void pair_open(struct pair *pair, struct check *check)
{
	int ends[2] = { -1, -1 };

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0)
		abort();
	*pair = (struct pair){ .check = check, .a = ends[0], .b = ends[1] };
	pair->watch = watch_new(pair->a);
	if (!pair->watch)
		abort();
}

static void pair_close(struct pair *pair)
{
	pair->watch = watch_free(pair->watch);
	close(pair->a);
	if (pair->b >= 0)
		close(pair->b);
}

/* --- watches --------------------------------------------------------------------------------- */

static int read_some(struct pair *pair, struct fault *fault)
{
	char some[1000];
	ssize_t n;

	for (;;) {
		n = read(pair->a, some, sizeof(some));
		if (n >= 0)
			return (int)n;
		if (errno != EAGAIN)
			return fault_transport(fault, "%s", strerror(errno));
		if (watch_wait(pair->watch, RUN_READABLE, "data", fault) < 0)
			return -1;
	}
}

static int read_to_end(void *arg, struct fault *fault)
{
	struct pair *pair = arg;
	int n;

	while ((n = read_some(pair, fault)) > 0)
		pair->read += (size_t)n;
	pair->done = true;
	return n;
}

static int write_then_close(void *arg, struct fault *fault)
{
	struct pair *pair = arg;

	for (int i = 0; i < 50; i++) {
		if (write(pair->b, "0123456789", 10) != 10)
			return fault_local(fault, "write");
		/* Sometimes nobody waits when the data is there, sometimes somebody does. */
		if (i % 3 == 0 && run_yield(fault) < 0)
			return -1;
		if (i % 7 == 0 && run_sleep(MSEC, fault) < 0)
			return -1;
	}
	close(pair->b);
	pair->b = -1;
	return 0;
}

static int read_and_write(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pair pair;
	_cleanup_(nursery_done) struct nursery nursery;

	pair_open(&pair, check);
	nursery_init(&nursery, "pair");
	nursery_start(&nursery, read_to_end, &pair, "reader");
	nursery_start(&nursery, write_then_close, &pair, "writer");
	EXPECT(nursery_wait(&nursery, fault) == 0);
	EXPECT(pair.read == 500);
	pair_close(&pair);
	return 0;
}

static void readable(struct check *check)
{
	in_fiber(check, read_and_write);
}

/* Data comes while nobody waits and the loop turns: it must be there for the next wait. */
static int comes_unasked(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pair pair;

	pair_open(&pair, check);
	for (int i = 0; i < 3; i++) {
		EXPECT(write(pair.b, "abc", 3) == 3);
		EXPECT(read_some(&pair, fault) == 3);
		{
			_deadline_(MSEC);

			EXPECT(watch_wait(pair.watch, RUN_READABLE, "data", fault) == -1);
		}
		EXPECT(write(pair.b, "abc", 3) == 3);
		for (int turns = 0; turns < 3; turns++)
			EXPECT(run_sleep(MSEC, fault) == 0);
		EXPECT(watch_wait(pair.watch, RUN_READABLE, "data", fault) == 0);
		EXPECT(read_some(&pair, fault) == 3);
	}
	pair_close(&pair);
	return 0;
}

static void readable_unasked(struct check *check)
{
	in_fiber(check, comes_unasked);
}

static void count_turn(uv_prepare_t *prepare)
{
	++*(int *)prepare->data;
}

/* Data that nobody reads must not keep the loop turning. */
static int lies_unread(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pair pair;
	uv_prepare_t prepare;
	int turns = 0;

	uv_prepare_init(&loop_get()->uv, &prepare);
	prepare.data = &turns;
	pair_open(&pair, check);
	EXPECT(write(pair.b, "abc", 3) == 3);
	EXPECT(watch_wait(pair.watch, RUN_READABLE, "data", fault) == 0);
	uv_prepare_start(&prepare, count_turn);
	EXPECT(run_sleep(20 * MSEC, fault) == 0);
	EXPECT(turns < 10);
	uv_close((uv_handle_t *)&prepare, NULL);
	EXPECT(run_sleep(MSEC, fault) == 0);
	pair_close(&pair);
	return 0;
}

static void readable_unread(struct check *check)
{
	in_fiber(check, lies_unread);
}

struct heir {
	struct pair *pair;
	struct fiber *first;
	int result;
};

static int wait_readable(void *arg, struct fault *fault)
{
	struct heir *heir = arg;

	heir->first = fiber_current();
	return watch_wait(heir->pair->watch, RUN_READABLE, "data", fault);
}

static int wait_readable_after(void *arg, struct fault *fault)
{
	struct heir *heir = arg;
	char some[10];

	while (heir->first->state != FIBER_READY) {
		if (run_yield(fault) < 0)
			return -1;
	}
	if (read(heir->pair->a, some, sizeof(some)) != 3)
		return fault_local(fault, "read");
	return watch_wait(heir->pair->watch, RUN_READABLE, "data", fault);
}

/* A second fiber begins to wait when the first was woken, but did not run yet. */
static int second_reader(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pair pair;
	struct heir heir = { .pair = &pair };
	_cleanup_(nursery_done) struct nursery nursery;

	loop_shuffle(0);
	pair_open(&pair, check);
	nursery_init(&nursery, "readers");
	nursery_start(&nursery, wait_readable, &heir, "first");
	nursery_start(&nursery, wait_readable_after, &heir, "second");
	EXPECT(run_yield(fault) == 0);
	EXPECT(write(pair.b, "abc", 3) == 3);
	EXPECT(run_sleep(3 * MSEC, fault) == 0);
	EXPECT(write(pair.b, "abc", 3) == 3);
	EXPECT(nursery_wait(&nursery, fault) == 0);
	pair_close(&pair);
	return 0;
}

static void readable_by_two(struct check *check)
{
	in_fiber(check, second_reader);
}

static int write_much(void *arg, struct fault *fault)
{
	static const char zeros[30000];
	struct pair *pair = arg;

	while (pair->written < pair->total) {
		size_t left = pair->total - pair->written;
		ssize_t n = write(pair->a, zeros, left < sizeof(zeros) ? left : sizeof(zeros));

		if (n > 0)
			pair->written += (size_t)n;
		else if (watch_wait(pair->watch, RUN_WRITABLE, "room", fault) < 0)
			return -1;
	}
	return 0;
}

static int read_much(void *arg, struct fault *fault)
{
	struct pair *pair = arg;
	struct watch *watch = watch_new(pair->b);
	char some[3000];
	int r = 0;

	while (pair->read < pair->total && r == 0) {
		ssize_t n = read(pair->b, some, sizeof(some));

		if (n > 0)
			pair->read += (size_t)n;
		else
			r = watch_wait(watch, RUN_READABLE, "data", fault);
	}
	watch_free(watch);
	return r;
}

static int both_ways(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pair pair;
	_cleanup_(nursery_done) struct nursery nursery, reader;

	pair_open(&pair, check);
	pair.total = 3000000;
	nursery_init(&reader, "reader");
	nursery_init(&nursery, "pair");
	/* A third fiber waits for data on the same watch all the time. */
	nursery_start(&reader, read_to_end, &pair, "reader of a");
	nursery_start(&nursery, write_much, &pair, "writer");
	nursery_start(&nursery, read_much, &pair, "reader");
	EXPECT(nursery_wait(&nursery, fault) == 0);
	EXPECT(pair.read == pair.total);
	EXPECT(!pair.done);
	close(pair.b);
	pair.b = -1;
	EXPECT(nursery_wait(&reader, fault) == 0);
	EXPECT(pair.done);
	pair_close(&pair);
	return 0;
}

static void writable(struct check *check)
{
	in_fiber(check, both_ways);
}

static void drain(void *arg)
{
	static const char zeros[30000];
	struct pair *pair = arg;
	struct check *check = pair->check;
	ssize_t n;

	EXPECT(!loop_get()->current);
	while (pair->written < pair->total && (n = write(pair->a, zeros, sizeof(zeros))) > 0)
		pair->written += (size_t)n;
	if (pair->written >= pair->total)
		watch_on_writable(pair->watch, NULL, NULL);
}

static int drain_queue(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pair pair;
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "pair");
	pair_open(&pair, check);
	pair.total = 3000000;
	watch_on_writable(pair.watch, drain, &pair);
	nursery_start(&nursery, read_much, &pair, "reader");
	EXPECT(nursery_wait(&nursery, fault) == 0);
	EXPECT(pair.read == pair.total);
	/* Switched off: a fiber may wait for it again. */
	EXPECT(watch_wait(pair.watch, RUN_WRITABLE, "room", fault) == 0);
	pair_close(&pair);
	return 0;
}

static void on_writable(struct check *check)
{
	in_fiber(check, drain_queue);
}

/* A connection that is refused, and a pipe whose reader is gone: both directions wake. */
static int errors_wake(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(1) };
	int ends[2], fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 0;
	socklen_t len = sizeof(error);
	struct watch *watch;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	watch = watch_new(fd);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == EINPROGRESS)
		EXPECT(watch_wait(watch, RUN_WRITABLE, "connect", fault) == 0);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	watch_free(watch);
	close(fd);

	EXPECT(pipe2(ends, O_NONBLOCK) == 0);
	while (write(ends[1], "0123456789abcdef", 16) > 0)
		;
	watch = watch_new(ends[1]);
	{
		_deadline_(MSEC);

		EXPECT(watch_wait(watch, RUN_WRITABLE, "room", fault) == -1);
	}
	close(ends[0]);
	EXPECT(watch_wait(watch, RUN_WRITABLE, "room", fault) == 0);
	EXPECT(write(ends[1], "x", 1) == -1 && errno == EPIPE);
	watch_free(watch);
	close(ends[1]);
	return 0;
}

static void errors(struct check *check)
{
	in_fiber(check, errors_wake);
}

/* The number of a closed descriptor comes back at once, before libuv forgot the old handle. */
static int reuse_number(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pair pair;
	int former = -1;

	for (int i = 0; i < 5; i++) {
		pair_open(&pair, check);
		EXPECT(former < 0 || former == pair.a);
		former = pair.a;
		EXPECT(write(pair.b, "abc", 3) == 3);
		EXPECT(watch_wait(pair.watch, RUN_READABLE, "data", fault) == 0);
		pair_close(&pair);
	}
	return 0;
}

static void reuse(struct check *check)
{
	in_fiber(check, reuse_number);
}

static int watch_a_file(void *arg, struct fault *fault)
{
	struct check *check = arg;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	EXPECT(fd >= 0);
	errno = 0;
	EXPECT(watch_new(fd) == NULL);
	EXPECT(errno == EPERM);
	EXPECT(watch_free(NULL) == NULL);
	close(fd);
	return 0;
}

static void no_watch(struct check *check)
{
	in_fiber(check, watch_a_file);
}

/* Two fibers that keep each other ready do not keep the loop from looking at descriptors. */
static int spin(void *arg, struct fault *fault)
{
	struct pair *pair = arg;

	while (!pair->done) {
		if (run_yield(fault) < 0)
			return -1;
	}
	return 0;
}

static int never_idle(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct pair pair;
	_cleanup_(nursery_done) struct nursery nursery;

	pair_open(&pair, check);
	nursery_init(&nursery, "busy");
	nursery_start(&nursery, spin, &pair, "one");
	nursery_start(&nursery, spin, &pair, "two");
	nursery_start(&nursery, read_to_end, &pair, "reader");
	nursery_start(&nursery, write_then_close, &pair, "writer");
	EXPECT(nursery_wait(&nursery, fault) == 0);
	EXPECT(pair.read == 500);
	pair_close(&pair);
	return 0;
}

static void busy_loop_polls(struct check *check)
{
	in_fiber(check, never_idle);
}

/* --- idle work ------------------------------------------------------------------------------- */

struct flush {
	struct idle_work work, other;
	struct waiters waiters;
	int runs, again;
	bool in_fiber;
};

static void flush(void *arg)
{
	struct flush *flush = arg;

	flush->runs++;
	flush->in_fiber = loop_get()->current != NULL;
	waiters_wake_all(&flush->waiters);
	if (flush->again > 0) {
		flush->again--;
		idle_work_schedule(&flush->work);
	}
}

static int idle_work_runs(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct flush f = { .runs = 0 };

	waiters_init(&f.waiters);
	idle_work_init(&f.work, flush, &f);
	idle_work_init(&f.other, flush, &f);

	idle_work_schedule(&f.work);
	idle_work_schedule(&f.work);
	idle_work_schedule(&f.other);
	idle_work_cancel(&f.other);
	EXPECT(f.runs == 0);
	/* Nothing else can wake this fiber, and the loop must not sleep before it flushed. */
	EXPECT(waiters_wait(&f.waiters, "the flush", fault) == 0);
	EXPECT(f.runs == 1);
	EXPECT(!f.in_fiber);

	f.again = 2;
	idle_work_schedule(&f.work);
	while (f.runs < 4)
		EXPECT(waiters_wait(&f.waiters, "the flush", fault) == 0);
	EXPECT(f.runs == 4);
	idle_work_cancel(&f.work);
	return 0;
}

static void idle(struct check *check)
{
	in_fiber(check, idle_work_runs);
}

/* --- signals --------------------------------------------------------------------------------- */

static void cancel_all(void *arg)
{
	nursery_cancel(arg);
}

static int sleep_long(void *arg, struct fault *fault)
{
	return run_sleep(HOUR, fault);
}

static int signal_cancels(void *arg, struct fault *fault)
{
	struct check *check = arg;
	_cleanup_(nursery_done) struct nursery nursery;

	nursery_init(&nursery, "all");
	run_on_signal(SIGUSR1, cancel_all, &nursery);
	for (int i = 0; i < 2; i++) {
		nursery_start(&nursery, sleep_long, NULL, "sleeper");
		nursery_start(&nursery, sleep_long, NULL, "sleeper too");
		EXPECT(run_yield(fault) == 0);
		kill(getpid(), SIGUSR1);
		EXPECT(nursery_wait(&nursery, fault) == -1);
		EXPECT(fault->kind == FAULT_CANCELLED);
	}
	kill(getpid(), SIGPIPE);
	return 0;
}

static void signals(struct check *check)
{
	in_fiber(check, signal_cancels);
}

/* --- the pool and names ---------------------------------------------------------------------- */

static int fail_on_thread(void *arg, struct fault *fault)
{
	return fault_set(fault, FAULT_DATA, REACH_MESSAGE, AGAIN_NEVER, "worker %d", *(int *)arg);
}

static int add_on_thread(void *arg, struct fault *fault)
{
	return *(int *)arg + 1;
}

static int use_pool(void *arg, struct fault *fault)
{
	struct check *check = arg;
	int number = 41;

	EXPECT(pool_call("sum", add_on_thread, &number, fault) == 42);
	EXPECT(fault->kind == FAULT_NONE);
	EXPECT(pool_call("failure", fail_on_thread, &number, fault) == -1);
	EXPECT(fault->kind == FAULT_DATA && fault->reach == REACH_MESSAGE);
	EXPECT(strcmp(fault->text, "worker 41") == 0);
	return 0;
}

static void pool(struct check *check)
{
	in_fiber(check, use_pool);
}

static int literals(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct addresses found;
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	EXPECT(resolve("127.0.0.1", 993, &found, fault) == 0);
	EXPECT(found.n == 1 && found.at[0].len == sizeof(sin));
	memcpy(&sin, found.at[0].bytes, sizeof(sin));
	EXPECT(sin.sin_family == AF_INET && sin.sin_port == htons(993));
	EXPECT(sin.sin_addr.s_addr == htonl(INADDR_LOOPBACK));

	EXPECT(resolve("::1", 143, &found, fault) == 0);
	EXPECT(found.n == 1 && found.at[0].len == sizeof(sin6));
	memcpy(&sin6, found.at[0].bytes, sizeof(sin6));
	EXPECT(sin6.sin6_family == AF_INET6 && sin6.sin6_port == htons(143));
	EXPECT(memcmp(&sin6.sin6_addr, &in6addr_loopback, 16) == 0);
	return 0;
}

static void resolve_literals(struct check *check)
{
	in_fiber(check, literals);
}

static int names(void *arg, struct fault *fault)
{
	struct check *check = arg;
	struct addresses found = { .n = 99 };
	char long_name[400];

	EXPECT(resolve("no-such-host.invalid", 1, &found, fault) == -1);
	EXPECT(found.n == 99);
	EXPECT(fault->kind == FAULT_TRANSPORT);
	/* Without a resolver nobody can say that it does not exist. */
	EXPECT(fault->again == AGAIN_NEVER || fault->again == AGAIN_LATER);
	EXPECT(strstr(fault->text, "no-such-host.invalid") != NULL);

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	EXPECT(resolve(long_name, 1, &found, fault) == -1);
	EXPECT(fault->kind == FAULT_TRANSPORT && fault->again == AGAIN_NEVER);
	EXPECT(resolve("", 1, &found, fault) == -1);
	EXPECT(fault->kind == FAULT_TRANSPORT);

	EXPECT(resolve("localhost", 25, &found, fault) == 0);
	EXPECT(found.n >= 1 && found.n <= 4);
	return 0;
}

static void resolve_names(struct check *check)
{
	in_fiber(check, names);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "a reader is woken", readable },
		{ "data that comes unasked stays", readable_unasked },
		{ "data that lies unread", readable_unread },
		{ "one reader after another", readable_by_two },
		{ "a writer is woken, beside a reader", writable },
		{ "on_writable drains a queue", on_writable },
		{ "errors wake", errors },
		{ "a descriptor's number comes back", reuse },
		{ "what cannot be watched", no_watch },
		{ "busy fibers do not starve descriptors", busy_loop_polls },
		{ "idle work", idle },
		{ "a signal cancels", signals },
		{ "calls on the pool", pool },
		{ "address literals", resolve_literals },
		{ "host names", resolve_names },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
