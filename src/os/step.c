/* SPDX-License-Identifier: Apache-2.0 */
/* Step points, see step.h. The counters are state of the process by nature: they count what the whole process
 * did. Nobody's behaviour depends on them but in a test that set the environment. */
#include "os/step.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <threads.h>
#include <unistd.h>

#include "base/bytes.h"

/* "name:N": count up at each name, act at N. */
struct trigger {
	const char *name; /* not terminated */
	size_t name_len;
	uint64_t at; /* 0: never */
	atomic_ullong passed;
};

static once_flag once = ONCE_FLAG_INIT;
static struct trigger kill_at, fail_at;
static const char *trace_path;
static bool on;

/* A test set it up wrong: there is nobody to give a fault to. */
static void die(const char *variable, const char *value)
{
	fprintf(stderr, "%s=%s cannot be used\n", variable, value);
	abort();
}

static void read_trigger(struct trigger *trigger, const char *variable)
{
	const char *value = getenv(variable);
	struct bytes rest = bytes_of(value), name;

	if (!value)
		return;

	name = bytes_cut(&rest, ':');
	if (bytes_to_u64(rest, UINT64_MAX, &trigger->at) < 0 || trigger->at == 0)
		die(variable, value);
	trigger->name = name.p;
	trigger->name_len = name.n;
	on = true;
}

static void read_environment(void)
{
	read_trigger(&kill_at, "MAILFERRY_STEP_KILL");
	read_trigger(&fail_at, "MAILFERRY_STEP_FAIL");
	trace_path = getenv("MAILFERRY_STEP_TRACE");
	if (trace_path)
		on = true;
}

bool step_is_on(void)
{
	call_once(&once, read_environment);
	return on;
}

static bool is_due(struct trigger *trigger, const char *name)
{
	struct bytes wanted = { trigger->name, trigger->name_len };

	if (trigger->at == 0 || (wanted.n > 0 && !bytes_equal(wanted, bytes_of(name))))
		return false;

	return atomic_fetch_add(&trigger->passed, 1) + 1 == trigger->at;
}

static void trace(const char *name)
{
	char line[128];
	int fd, n = snprintf(line, sizeof(line), "%.120s\n", name);

	fd = open(trace_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		die("MAILFERRY_STEP_TRACE", trace_path);
	close(fd);
}

void step_point(const char *name)
{
	if (!step_is_on())
		return;

	if (trace_path)
		trace(name);
	if (is_due(&kill_at, name)) {
		raise(SIGKILL); /* for the whole process, and within any sandbox */
		for (;;)
			pause(); /* another thread may run on for a moment; this one does not */
	}
}

bool step_fails(const char *kind)
{
	if (!step_is_on() || !is_due(&fail_at, kind))
		return false;

	errno = strcmp(kind, "write") == 0 || strcmp(kind, "fill") == 0 ? ENOSPC : EIO;
	return true;
}
