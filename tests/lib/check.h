/* SPDX-License-Identifier: Apache-2.0 */
/* The project's small test harness. A test program is
 *
 *	static void appends(struct check *check) { … CHECK_EQ(b.n, 3); … }
 *
 *	int main(int argc, char **argv)
 *	{
 *		static const struct check_case cases[] = { { "appends", appends }, { 0 } };
 *		return check_main(argc, argv, cases);
 *	}
 *
 * Output is TAP. An argument runs only the cases whose name contains it. A failed check is printed with
 * its place and ends the case, not the program. check_skip() marks a case as skipped with a reason. */
#ifndef TESTS_LIB_CHECK_H
#define TESTS_LIB_CHECK_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"

struct check {
	const char *name;
	jmp_buf end;
	bool failed, skipped;
	char note[512];
};

struct check_case {
	const char *name;
	void (*run)(struct check *check);
};

int check_main(int argc, char **argv, const struct check_case *cases);

/* End the case. Only in the stack the case was called on: inside a fiber return instead. */
void check_fail(struct check *check, const char *file, int line, const char *format, ...)
	PRINTF_LIKE(4, 5) __attribute__((noreturn));
void check_skip(struct check *check, const char *format, ...) PRINTF_LIKE(2, 3)
	__attribute__((noreturn));

void check_eq(struct check *check, const char *file, int line, const char *what, int64_t got,
	      int64_t want);
void check_bytes(struct check *check, const char *file, int line, const char *what,
		 struct bytes got, struct bytes want);

/* Notes the first failure of a case without ending it: the form to use inside a fiber, whose stack
 * CHECK's long jump must not leave. Returns condition. */
bool check_expect(struct check *check, bool condition, const char *file, int line,
		  const char *format, ...) PRINTF_LIKE(5, 6);

#define EXPECT(condition)                                                                          \
	check_expect(check, (condition), __FILE__, __LINE__, "%s", #condition)

#define CHECK(condition)                                                                           \
	((condition) ? (void)0 : check_fail(check, __FILE__, __LINE__, "%s", #condition))
#define CHECK_EQ(got, want)                                                                        \
	check_eq(check, __FILE__, __LINE__, #got, (int64_t)(got), (int64_t)(want))
#define CHECK_STR(got, want)                                                                       \
	check_bytes(check, __FILE__, __LINE__, #got, bytes_of(got), bytes_of(want))
#define CHECK_BYTES(got, want) check_bytes(check, __FILE__, __LINE__, #got, (got), (want))
#define CHECK_FAIL(...) check_fail(check, __FILE__, __LINE__, __VA_ARGS__)

#endif
