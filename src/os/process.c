/* SPDX-License-Identifier: Apache-2.0 */
/* See process.h. */
#include "os/process.h"

#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* A failure of either changes nothing that we could do better, so it is not looked at: a system without them
 * still runs us. The soft limit alone, so that programs we start may raise it again. */
void os_forbid_dumps(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = 0;
		setrlimit(RLIMIT_CORE, &limit);
	}
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
