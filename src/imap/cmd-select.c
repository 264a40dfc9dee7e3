/* SPDX-License-Identifier: Apache-2.0 */
/* SELECT, EXAMINE, and leaving a folder without changing it: UNSELECT (RFC 3691). */
#include "imap/commands.h"

static int open_folder(struct imap_session *s, struct imap_command *c, struct bytes name,
		       bool read_only, bool with_condstore, struct fault *fault)
{
	struct buf permanent = s->selected.permanent;
	int r;

	buf_reset(&permanent);
	s->selected = (struct imap_selected){ .permanent = permanent,
					      .opened_read_only = read_only };
	imap_begin(s, c, read_only ? "EXAMINE " : "SELECT ");
	r = imap_put_string(s, c, name, fault);
	if (r == 0) {
		imap_put(s, "%s", with_condstore ? " (CONDSTORE)" : "");
		r = imap_send(s, c, fault);
	}
	return r < 0 ? -1 : imap_wait(s, c, fault);
}

/* Where ENABLE was not to be had, this puts CONDSTORE in force (RFC 7162 section 3.1.8). */
static bool wants_condstore(const struct imap_session *s)
{
	return imap_can(&s->capabilities, IMAP_CAP_CONDSTORE) && !s->condstore &&
	       !s->account->no_qresync && !s->no_condstore;
}

int imap_select(struct imap_session *s, struct bytes name, bool read_only, struct fault *fault)
{
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
	bool with_condstore = wants_condstore(s);

	if (open_folder(s, &c, name, read_only, with_condstore, fault) < 0)
		return -1;

	if (with_condstore && c.condition == IMAP_BAD) { /* it can be done without */
		if (imap_told_off(s, &c, "cannot open a folder", fault) < 0)
			return -1;
		s->no_condstore = true;
		if (open_folder(s, &c, name, read_only, false, fault) < 0)
			return -1;
	} else if (with_condstore && c.condition == IMAP_OK) {
		s->condstore = true;
	}

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
