/* SPDX-License-Identifier: Apache-2.0 */
#include "base/xalloc.h"

#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/check.h"

static void gives_memory(struct check *check)
{
	_cleanup_(freep) char *zeroed = xzalloc(100);
	_cleanup_(freep) char *nothing = xmalloc(0);
	_cleanup_(freep) char *copy = xstrndup("abcdef", 3);
	_cleanup_(freep) char *array = xreallocarray(NULL, 0, 0);

	for (size_t i = 0; i < 100; i++)
		CHECK_EQ(zeroed[i], 0);
	CHECK(nothing && array);
	CHECK_STR(copy, "abc");
}

static void grows_by_doubling(struct check *check)
{
	size_t capacity = 0, moves = 0;
	_cleanup_(freep) int *numbers = NULL;

	for (size_t i = 0; i < 1000; i++) {
		size_t before = capacity;

		numbers = xgrow(numbers, &capacity, i + 1, sizeof(*numbers));
		moves += capacity != before;
		CHECK(capacity > i);
		numbers[i] = (int)i;
	}
	for (size_t i = 0; i < 1000; i++)
		CHECK_EQ(numbers[i], (int)i);
	CHECK_EQ(moves, 8);
}

static void wipes(struct check *check)
{
	char secret[16] = "secret";

	wipe(secret, sizeof(secret));
	for (size_t i = 0; i < sizeof(secret); i++)
		CHECK_EQ(secret[i], 0);
	wipe(NULL, 0);
}

static void too_much(void)
{
	volatile size_t size = SIZE_MAX / 2;

	xmalloc(size);
}

static void overflow(void)
{
	volatile size_t count = SIZE_MAX / 2;

	xreallocarray(NULL, count, 4);
}

static void grow_overflow(void)
{
	size_t capacity = 0;
	volatile size_t need = SIZE_MAX - 1;

	xgrow(NULL, &capacity, need, 8);
}

/* Asking for more than there is must end the process, never return. */
static void ends_the_process(struct check *check)
{
	static void (*const calls[])(void) = { too_much, overflow, grow_overflow };

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		pid_t pid = fork();
		int status;

		CHECK(pid >= 0);
		if (pid == 0) {
			close(2); /* the last words are expected */
			calls[i]();
			_exit(0);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
	}
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "gives-memory", gives_memory },
		{ "grows-by-doubling", grows_by_doubling },
		{ "wipes", wipes },
		{ "ends-the-process", ends_the_process },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
