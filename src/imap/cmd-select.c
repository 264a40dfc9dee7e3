/* SPDX-License-Identifier: Apache-2.0 */
/* SELECT and EXAMINE. */
#include "imap/commands.h"

int imap_select(struct imap_session *s, struct bytes name, bool read_only, struct fault *fault)
{
	struct buf permanent = s->selected.permanent;
	struct imap_command c;
	int r;

	buf_reset(&permanent);
	s->selected = (struct imap_selected){ .permanent = permanent };
	imap_begin(s, &c, read_only ? "EXAMINE " : "SELECT ");
	r = imap_put_string(s, &c, name, fault);
	if (r < 0 || (r == 0 && imap_send(s, &c, fault) < 0) || imap_wait(s, &c, fault) < 0)
		return -1;

	if (imap_refused(s, &c, fault, "cannot open folder %.*s", BYTES_ARG(name)) < 0) {
		if (fault->reach < REACH_FOLDER)
			fault->reach = REACH_FOLDER;
		return -1;
	}

	s->selected.is_selected = true;
	return 0;
}
