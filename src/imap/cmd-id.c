/* SPDX-License-Identifier: Apache-2.0 */
/* ID (RFC 2971). */
#include <stdio.h>

#include "imap/commands.h"

static void note(char *to, size_t size, struct bytes value)
{
	snprintf(to, size, "%.*s", BYTES_ARG(bytes_head(value, size - 1)));
}

static void note_server(struct imap_session *s, const struct imap_response *r)
{
	for (size_t i = 0; i < r->id.n; i++) {
		if (bytes_equal_nocase(r->id.names[i], BYTES("name")))
			note(s->server_name, sizeof(s->server_name), r->id.values[i]);
		if (bytes_equal_nocase(r->id.names[i], BYTES("version")))
			note(s->server_version, sizeof(s->server_version), r->id.values[i]);
	}
}

int imap_id(struct imap_session *s, struct fault *fault)
{
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
	struct imap_input input;

	if (!imap_can(&s->capabilities, IMAP_CAP_ID))
		return 0;

	imap_begin(s, &c, "ID ");
	imap_put(s, "(\"name\" \"mailferry\" \"version\" \"%s\")", MAILFERRY_VERSION);
	if (imap_send(s, &c, fault) < 0)
		return -1;

	while (!c.done) {
		if (imap_read(s, &input, fault) < 0)
			return -1;
		if (input.event == IMAP_EVENT_RESPONSE && input.response->kind == IMAP_ID)
			note_server(s, input.response);
	}
	return 0;
}
