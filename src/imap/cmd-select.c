/* SPDX-License-Identifier: Apache-2.0 */
/* SELECT, EXAMINE, and leaving a folder without changing it: UNSELECT (RFC 3691). */
#include "imap/commands.h"

int imap_select(struct imap_session *s, struct bytes name, bool read_only, struct fault *fault)
{
	struct buf permanent = s->selected.permanent;
	struct imap_command c;
	int r;

	buf_reset(&permanent);
	s->selected = (struct imap_selected){ .permanent = permanent,
					      .opened_read_only = read_only };
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

int imap_unselect(struct imap_session *s, struct bytes name, struct fault *fault)
{
	bool read_only = s->selected.opened_read_only;

	s->selected.is_selected = false;
	if (imap_can(&s->capabilities, IMAP_CAP_UNSELECT))
		return imap_simple(s, "UNSELECT", fault);

	/* CLOSE expunges, but for a folder opened read-only. */
	if (!read_only && imap_select(s, name, true, fault) < 0)
		return -1;

	s->selected.is_selected = false;
	return imap_simple(s, "CLOSE", fault);
}
