/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/pressure/io, as it is and as it should not be. */
#include "lib/check.h"
#include "pace/pressure.h"

static void as_it_is(struct check *check)
{
	struct pressure p = { 0 };

	CHECK(pressure_parse(BYTES("some avg10=12.34 avg60=0.04 avg300=0.24 total=5931518\n"
				   "full avg10=1.05 avg60=0.04 avg300=0.24 total=5788089\n"),
			     &p));
	CHECK(p.known && p.some > 12.339 && p.some < 12.341 && p.full > 1.049 && p.full < 1.051);
	CHECK(pressure_parse(BYTES("some avg10=100.00 avg60=0.04\n"), &p)); /* old kernels have no "full" for all */
	CHECK(p.some > 99.9 && p.full == 0);
}

static void as_it_should_not_be(struct check *check)
{
	static const char *const texts[] = {
		"", "\n", "some\n", "some avg10=\n", "some avg10=x\n", "some avg10=-1.00\n", "some avg10=101.00\n",
		"some avg10=1.234\n", "some avg60=1.00\n", "full avg10=1.00\n", "some avg10=1.00\nfull avg10=nan\n",
		"some avg10=1e3\n", "SOME avg10=1.00\n", "some avg10=.\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct pressure p = { .some = 7 };

		CHECK(!pressure_parse(bytes_of(texts[i]), &p));
		CHECK(p.some == 7);
	}
}

static void this_machine(struct check *check)
{
	struct fault fault = FAULT_INIT;
	struct pressure p = { 0 };

	CHECK_EQ(pressure_read(&p, &fault), 0);
	if (!p.known)
		check_skip(check, "this kernel does not tell");
	CHECK(p.some >= 0 && p.some <= 100 && p.full >= 0 && p.full <= 100);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "as it is", as_it_is },
		{ "as it should not be", as_it_should_not_be },
		{ "of this machine", this_machine },
		{ 0 },
	};

	return check_main(argc, argv, cases);
}
