/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE (with RFC 6154 USE) and SUBSCRIBE. */
#include <string.h>
#include <strings.h>

#include "imap/commands.h"

/* Refused because it is there already: by code, or in the words of servers without codes (Q19). */
static bool exists_already(const struct imap_command *c)
{
	return strcmp(c->code, "ALREADYEXISTS") == 0 || strcasestr(c->text, "already exists") ||
	       strcasestr(c->text, "mailbox exists");
}

static int create(struct imap_session *s, struct bytes name, struct bytes role,
		  struct imap_command *c, struct fault *fault)
{
	int r;

	imap_begin(s, c, "CREATE ");
	r = imap_put_string(s, c, name, fault);
	if (r < 0)
		return -1;
	if (r == 0) {
		if (role.n)
			imap_put(s, " (USE (%.*s))", BYTES_ARG(role));
		if (imap_send(s, c, fault) < 0)
			return -1;
	}

	return imap_wait(s, c, fault);
}

int imap_create(struct imap_session *s, struct bytes name, struct bytes role, struct fault *fault)
{
	bool use = role.n && imap_can(&s->capabilities, IMAP_CAP_CREATE_SPECIAL_USE);
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };

	if (create(s, name, use ? role : BYTES_NULL, &c, fault) < 0)
		return -1;

	/* RFC 6154 §3: USEATTR says that only the use was the trouble. Others say so in words only. */
	if (use && c.condition != IMAP_OK && !exists_already(&c))
		if (imap_told_off(s, &c, "cannot create a folder", fault) < 0 ||
		    create(s, name, BYTES_NULL, &c, fault) < 0)
			return -1;

	if (c.condition != IMAP_OK && exists_already(&c))
		return 1;

	return imap_refused(s, &c, fault, "cannot create folder %.*s", BYTES_ARG(name));
}

int imap_subscribe(struct imap_session *s, struct bytes name, struct fault *fault)
{
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
	int r;

	imap_begin(s, &c, "SUBSCRIBE ");
	r = imap_put_string(s, &c, name, fault);
	if (r < 0 || (r == 0 && imap_send(s, &c, fault) < 0) || imap_wait(s, &c, fault) < 0)
		return -1;

	return imap_refused(s, &c, fault, "cannot subscribe folder %.*s", BYTES_ARG(name));
}
