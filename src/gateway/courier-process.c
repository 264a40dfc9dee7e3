/* SPDX-License-Identifier: Apache-2.0 */
/* The process of a courier. */
#include <signal.h>

#include "gateway/courier.h"
#include "os/process.h"

/* As with an edge: the keeper has it end. */
static void let_the_keeper_decide(void *arg)
{
}

static int process(void *arg, struct fault *fault)
{
	run_on_signal(SIGINT, let_the_keeper_decide, NULL);
	run_on_signal(SIGTERM, let_the_keeper_decide, NULL);
	run_on_signal(SIGHUP, let_the_keeper_decide, NULL);
	os_raise_file_limit();
	return courier_serve(tcp_stream_new(0, "the keeper"), fault);
}

int courier_process(struct fault *fault)
{
	os_forbid_dumps();
	/* Taking mail comes first: what is taken can wait for its delivery, clients cannot. */
	os_yield_to_others();
	return run_main("courier", process, NULL, fault);
}
