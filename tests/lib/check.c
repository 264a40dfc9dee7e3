/* SPDX-License-Identifier: Apache-2.0 */
/* The test harness, see check.h. */
#include "lib/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"

void check_fail(struct check *check, const char *file, int line, const char *format, ...)
{
	va_list args;
	int n = snprintf(check->note, sizeof(check->note), "%s:%d: ", file, line);

	va_start(args, format);
	vsnprintf(check->note + n, sizeof(check->note) - (size_t)n, format, args);
	va_end(args);
	check->failed = true;
	longjmp(check->end, 1);
}

bool check_expect(struct check *check, bool condition, const char *file, int line,
		  const char *format, ...)
{
	va_list args;
	int n;

	if (condition || check->failed)
		return condition;

	n = snprintf(check->note, sizeof(check->note), "%s:%d: ", file, line);
	va_start(args, format);
	vsnprintf(check->note + n, sizeof(check->note) - (size_t)n, format, args);
	va_end(args);
	check->failed = true;
	return false;
}

void check_skip(struct check *check, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(check->note, sizeof(check->note), format, args);
	va_end(args);
	check->skipped = true;
	longjmp(check->end, 1);
}

void check_eq(struct check *check, const char *file, int line, const char *what, int64_t got,
	      int64_t want)
{
	if (got != want)
		check_fail(check, file, line, "%s is %" PRId64 ", not %" PRId64, what, got, want);
}

static void append_escaped(struct buf *b, struct bytes bytes)
{
	for (size_t i = 0; i < bytes.n && i < 160; i++) {
		unsigned char c = (unsigned char)bytes.p[i];

		if (c < 0x20 || c >= 0x7f || c == '\\')
			buf_appendf(b, "\\x%02x", c);
		else
			buf_append_char(b, (char)c);
	}
	if (bytes.n > 160)
		buf_appendf(b, "… (%zu bytes)", bytes.n);
}

void check_bytes(struct check *check, const char *file, int line, const char *what,
		 struct bytes got, struct bytes want)
{
	struct buf b = BUF_NULL;
	char note[400];

	if (bytes_equal(got, want))
		return;

	buf_append_char(&b, '"');
	append_escaped(&b, got);
	buf_append_str(&b, "\", not \"");
	append_escaped(&b, want);
	buf_append_char(&b, '"');
	snprintf(note, sizeof(note), "%s", buf_str(&b));
	buf_done(&b);
	check_fail(check, file, line, "%s is %s", what, note);
}

static bool run_case(const struct check_case *c, size_t number)
{
	struct check check = { .name = c->name };

	if (setjmp(check.end) == 0)
		c->run(&check);

	printf("%s %zu - %s%s%s\n", check.failed ? "not ok" : "ok", number, c->name,
	       check.skipped ? " # SKIP " : "", check.skipped ? check.note : "");
	if (check.failed)
		printf("# %s\n", check.note);
	fflush(stdout);
	return !check.failed;
}

int check_main(int argc, char **argv, const struct check_case *cases)
{
	size_t number = 0;
	bool good = true;

	for (const struct check_case *c = cases; c->name; c++) {
		if (argc > 1 && !strstr(c->name, argv[1]))
			continue;
		good &= run_case(c, ++number);
	}

	printf("1..%zu\n", number);
	return good ? 0 : 1;
}
