/* SPDX-License-Identifier: Apache-2.0 */
/* See state-dir.h. */
#include "cli/state-dir.h"

#include <stdlib.h>

int state_dir(const char *option, struct buf *to, struct fault *fault)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (option) {
		if (!option[0])
			return fault_usage(fault, "--state needs the name of a directory");
		buf_append_str(to, option);
		return 0;
	}

	/* The specification of these directories has relative ones ignored. */
	if (xdg && xdg[0] == '/') {
		buf_appendf(to, "%s/mailferry", xdg);
		return 0;
	}
	if (!home || home[0] != '/')
		return fault_usage(fault, "neither XDG_STATE_HOME nor HOME says where the state lies: give "
				   "--state DIR");

	buf_appendf(to, "%s/.local/state/mailferry", home);
	return 0;
}

void state_ends(const char *dir, const struct side *from, const struct side *to, struct state_ends *ret)
{
	*ret = (struct state_ends){ .source = BUF_NULL };
	side_end(from, &ret->source);
	side_end(to, &ret->destination);
	ret->ends = (struct ledger_ends){ buf_str(&ret->source), buf_str(&ret->destination) };
	ledger_path(dir, &ret->ends, &ret->path);
}

void state_ends_done(struct state_ends *ends)
{
	buf_done(&ends->source);
	buf_done(&ends->destination);
	buf_done(&ends->path);
	ends->ends = (struct ledger_ends){ NULL, NULL };
}
