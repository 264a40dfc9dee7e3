/* SPDX-License-Identifier: Apache-2.0 */
/* RENAME and UNSUBSCRIBE. */
#include "imap/commands.h"

/* What is wrong with one folder's name stops no other. */
static int refused(const struct imap_session *s, const struct imap_command *c, const char *what,
		   struct bytes name, struct fault *fault)
{
	if (imap_refused(s, c, fault, "cannot %s folder %.*s", what, BYTES_ARG(name)) == 0)
		return 0;

	if (fault->reach < REACH_FOLDER)
		fault->reach = REACH_FOLDER;
	return -1;
}

int imap_rename(struct imap_session *s, struct bytes from, struct bytes to, struct fault *fault)
{
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
	int r;

	imap_begin(s, &c, "RENAME ");
	r = imap_put_string(s, &c, from, fault);
	if (r == 0) {
		imap_put(s, " ");
		r = imap_put_string(s, &c, to, fault);
	}
	if (r < 0 || (r == 0 && imap_send(s, &c, fault) < 0) || imap_wait(s, &c, fault) < 0)
		return -1;

	return refused(s, &c, "rename", from, fault);
}

int imap_unsubscribe(struct imap_session *s, struct bytes name, struct fault *fault)
{
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
	int r;

	imap_begin(s, &c, "UNSUBSCRIBE ");
	r = imap_put_string(s, &c, name, fault);
	if (r < 0 || (r == 0 && imap_send(s, &c, fault) < 0) || imap_wait(s, &c, fault) < 0)
		return -1;

	return refused(s, &c, "unsubscribe", name, fault);
}
