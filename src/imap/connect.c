/* SPDX-License-Identifier: Apache-2.0 */
/* How a session comes to be: connection, greeting, STARTTLS, login, ID, ENABLE, COMPRESS. Capabilities are
 * asked again whenever the server may have changed them and did not say so itself (Q15). */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "imap/commands.h"

enum { READ_SIZE = 128 << 10, IMAPS_PORT = 993 };

/* How long a plain server on the port for TLS has to greet us, and any server to answer a handshake. */
static const int64_t imaps_patience_us = 5 * SECOND, tls_probe_us = 5 * SECOND;

static int learn_capabilities(struct imap_session *s, struct fault *fault)
{
	if (s->capabilities_known)
		return 0;

	if (imap_simple(s, "CAPABILITY", fault) < 0)
		return -1;

	s->capabilities_known = true; /* a server that lists nothing has nothing */
	return 0;
}

static int begin_tls(struct imap_session *s, struct fault *fault)
{
	const struct imap_account *a = s->account;
	_deadline_(a->silence_us);

	if (tls_client_start(&s->stream, a->tls, a->host, fault) < 0)
		return fault->kind == FAULT_CANCELLED ? -1 : fault_prefix(fault, "%s", a->label);

	s->encrypted = true;
	return 0;
}

static int open_stream(struct imap_session *s, struct fault *fault)
{
	const struct imap_account *a = s->account;
	_deadline_(a->silence_us);
	int r;

	if (a->dial)
		r = a->dial(a->dial_arg, &s->stream, fault);
	else if (a->host)
		r = tcp_connect(a->host, a->port, &s->stream, fault);
	else
		r = pipe_stream_new(a->command, &s->stream, fault);

	if (r < 0) {
		if (fault->kind == FAULT_TIMEOUT)
			fault_set(fault, FAULT_TIMEOUT, REACH_SERVER, AGAIN_LATER,
				  "no answer from %s port %u", a->host, a->port);
		return fault->kind == FAULT_CANCELLED ? -1 : fault_prefix(fault, "%s", a->label);
	}

	if (a->security == IMAP_TLS && a->host && begin_tls(s, fault) < 0)
		return -1;

	tap_start(&s->stream, a->transcript, a->label);
	return 0;
}

/* Whether the server, which said nothing, waited for us to begin TLS. The connection is of no use afterwards. */
static bool waits_for_tls(struct imap_session *s)
{
	const struct imap_account *a = s->account;
	struct fault fault = FAULT_INIT;
	_deadline_(tls_probe_us);

	if (!a->tls || !a->host)
		return false;
	if (tls_client_start(&s->stream, a->tls, a->host, &fault) == 0)
		return true;

	/* A certificate that is not to be trusted is TLS too; the words of one who speaks none are kept. */
	return fault.kind == FAULT_TLS && !fault.server[0];
}

/* On a port for TLS both sides wait for each other. */
static int no_greeting(struct imap_session *s, struct fault *fault)
{
	const struct imap_account *a = s->account;

	if (s->encrypted || !a->host)
		return -1;

	if (waits_for_tls(s))
		return fault_usage(fault, "%s: port %u speaks TLS from the start: write imaps:// in "
				   "place of imap://", a->label, a->port);

	return fault_set(fault, FAULT_TIMEOUT, REACH_SERVER, AGAIN_LATER,
			 "%s: the server said nothing on port %u; if that is a port for TLS, write imaps:// "
			 "in place of imap://", a->label, a->port);
}

static int read_greeting(struct imap_session *s, struct imap_input *input, struct fault *fault)
{
	const struct imap_account *a = s->account;
	bool doubtful = !s->encrypted && a->port == IMAPS_PORT && a->silence_us > imaps_patience_us;
	_deadline_(doubtful ? imaps_patience_us : a->silence_us);

	return imap_read(s, input, fault);
}

/* BYE in place of a greeting, or nonsense. */
static int turned_away(const struct imap_session *s, const struct imap_response *r, struct fault *fault)
{
	struct fault why;

	fault_set(fault, FAULT_REFUSED, REACH_SERVER, AGAIN_LATER, "%s: the server turns us away",
		  s->account->label);
	fault_server(fault, r->text);
	if (r->condition == IMAP_BYE && imap_said_bye(s, &why) < 0 && imap_is_throttle(&why)) {
		fault->kind = why.kind;
		fault->reach = why.reach;
		fault->after_us = why.after_us;
	}
	return -1;
}

static int greet(struct imap_session *s, struct fault *fault)
{
	const char *label = s->account->label;
	struct imap_input input;

	if (read_greeting(s, &input, fault) < 0)
		return fault->kind == FAULT_TIMEOUT ? no_greeting(s, fault) : -1;

	if (input.event != IMAP_EVENT_RESPONSE || input.response->kind != IMAP_CONDITION)
		return fault_protocol(fault, "%s: this is not an IMAP server: its first words are "
				      "no greeting", label);

	if (bytes_find(input.response->text, BYTES("Gimap")) >= 0)
		snprintf(s->server_name, sizeof(s->server_name), "Gmail");
	else if (bytes_find(input.response->text, BYTES("Microsoft Exchange")) >= 0)
		snprintf(s->server_name, sizeof(s->server_name), "Exchange");
	else if (bytes_find(input.response->text, BYTES("Courier")) >= 0)
		snprintf(s->server_name, sizeof(s->server_name), "Courier");
	else if (bytes_find(input.response->text, BYTES("Cyrus IMAP")) >= 0)
		snprintf(s->server_name, sizeof(s->server_name), "Cyrus");

	switch (input.response->condition) {
	case IMAP_OK:
		return 0;
	case IMAP_PREAUTH:
		s->preauthenticated = true;
		return 0;
	default:
		return turned_away(s, input.response, fault);
	}
}

/* What came before the handshake is not protected by it: whatever the server (or somebody in between) put
 * behind its OK is an attack, not an answer. */
static int start_tls(struct imap_session *s, struct fault *fault)
{
	if (imap_simple(s, "STARTTLS", fault) < 0)
		return -1;

	s->input = BYTES_NULL;
	imap_parser_reset(s->parser);
	if (begin_tls(s, fault) < 0)
		return -1;

	s->capabilities_known = false;
	return learn_capabilities(s, fault);
}

static int secure(struct imap_session *s, struct fault *fault)
{
	const struct imap_account *a = s->account;

	if (!a->host || s->encrypted)
		return 0;

	if (a->security == IMAP_STARTTLS && s->preauthenticated)
		return fault_set(fault, FAULT_TLS, REACH_SERVER, AGAIN_NEVER,
				 "%s: the server greets us as logged in before TLS, which forbids "
				 "STARTTLS: use imaps://", a->label);

	if (imap_can(&s->capabilities, IMAP_CAP_STARTTLS) && !s->preauthenticated &&
	    (a->security == IMAP_STARTTLS || a->tls))
		return start_tls(s, fault);

	if (a->security == IMAP_STARTTLS)
		return fault_set(fault, FAULT_TLS, REACH_SERVER, AGAIN_NEVER,
				 "%s: the server does not offer STARTTLS, so the password would travel "
				 "in the clear: use imaps://, or allow it in words", a->label);
	return 0;
}

static void note_enabled(struct imap_session *s, struct imap_atoms atoms)
{
	if (imap_atoms_has(atoms, "UTF8=ACCEPT"))
		s->utf8 = true;
	if (imap_atoms_has(atoms, "QRESYNC"))
		s->qresync = s->condstore = true;
	if (imap_atoms_has(atoms, "CONDSTORE"))
		s->condstore = true;
}

/* RFC 5161: what the server enabled stands in its ENABLED, what it does not know it leaves out. Returns 1 when it
 * refused the command all the same. */
static int enable_these(struct imap_session *s, const char *extensions, struct fault *fault)
{
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
	struct imap_input input;

	imap_begin(s, &c, "ENABLE");
	imap_put(s, "%s", extensions);
	if (imap_send(s, &c, fault) < 0)
		return -1;

	while (!c.done) {
		if (imap_read(s, &input, fault) < 0)
			return -1;
		if (input.event == IMAP_EVENT_RESPONSE && input.response->kind == IMAP_ENABLED)
			note_enabled(s, input.response->atoms);
	}
	return imap_told_off(s, &c, "cannot enable extensions", fault) < 0 ? -1 : c.condition != IMAP_OK;
}

/* UTF8=ACCEPT (RFC 6855): without it a server may hand out messages with 8-bit headers in a downgraded form, which
 * would not be the source's bytes. QRESYNC or at least CONDSTORE (RFC 7162): what changed costs one question then. */
static int enable(struct imap_session *s, struct fault *fault)
{
	const struct imap_capabilities *caps = &s->capabilities;
	bool utf8 = imap_can(caps, IMAP_CAP_UTF8_ACCEPT) || imap_can(caps, IMAP_CAP_UTF8_ONLY);
	const char *changes = "";
	char both[40];
	int r;

	s->utf8 = !imap_can(caps, IMAP_CAP_IMAP4REV1) && imap_can(caps, IMAP_CAP_IMAP4REV2);
	if (!s->account->no_qresync && imap_can(caps, IMAP_CAP_QRESYNC))
		changes = " QRESYNC";
	else if (!s->account->no_qresync && imap_can(caps, IMAP_CAP_CONDSTORE))
		changes = " CONDSTORE";
	if (!imap_can(caps, IMAP_CAP_ENABLE) || (!utf8 && !changes[0]))
		return 0;

	snprintf(both, sizeof(both), "%s%s", utf8 ? " UTF8=ACCEPT" : "", changes);
	r = enable_these(s, both, fault);
	if (r > 0 && utf8 && changes[0]) { /* what of it did it not like? */
		r = enable_these(s, " UTF8=ACCEPT", fault);
		if (r >= 0)
			r = enable_these(s, changes, fault);
	}
	if (r > 0 && strcmp(changes, " QRESYNC") == 0 && imap_can(caps, IMAP_CAP_CONDSTORE))
		r = enable_these(s, " CONDSTORE", fault);
	return r < 0 ? -1 : 0;
}

static int compress(struct imap_session *s, struct fault *fault)
{
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };

	if (!s->account->compress || !imap_can(&s->capabilities, IMAP_CAP_COMPRESS_DEFLATE))
		return 0;

	imap_begin(s, &c, "COMPRESS DEFLATE");
	if (imap_send(s, &c, fault) < 0 || imap_wait(s, &c, fault) < 0)
		return -1;
	if (c.condition != IMAP_OK) /* RFC 4978: COMPRESSIONACTIVE, or the server has no memory */
		return 0;

	/* What was read behind the OK is compressed already. */
	if (deflate_start_with(&s->stream, s->input, fault) < 0)
		return -1;

	s->input = BYTES_NULL;
	return 0;
}

static int enter(struct imap_session *s, struct fault *fault)
{
	const struct imap_account *a = s->account;

	if (!a->enter)
		return 0;
	if (a->enter(a->enter_arg, fault) < 0)
		return -1;

	s->entered = true; /* imap_session_free() leaves */
	return 0;
}

static int log_in(struct imap_session *s, struct fault *fault)
{
	if (open_stream(s, fault) < 0 || greet(s, fault) < 0 || learn_capabilities(s, fault) < 0 ||
	    secure(s, fault) < 0)
		return -1;
	if (s->preauthenticated)
		return 0;

	if (!s->account->host && !s->account->dial)
		return fault_usage(fault, "%s: the command's server wants a login; it must be one "
				   "that takes whoever starts it for logged in (PREAUTH)",
				   s->account->label);
	if (!s->account->user || !s->account->user[0])
		return fault_usage(fault, "%s: no user name: write USER@HOST in the URL",
				   s->account->label);
	s->capabilities_known = false; /* unless the login answer brings them */
	return imap_login(s, fault);
}

static int open_session(struct imap_session *s, struct fault *fault)
{
	const struct imap_account *a = s->account;
	int r;

	if (enter(s, fault) < 0)
		return -1;

	r = log_in(s, fault);
	if (a->tried)
		a->tried(a->enter_arg, r < 0 ? fault : NULL, s->known);
	if (r < 0 || (!s->preauthenticated && learn_capabilities(s, fault) < 0))
		return -1;

	s->logged_in = true;
	if (imap_id(s, fault) < 0 || enable(s, fault) < 0)
		return -1;

	return compress(s, fault);
}

int imap_connect(const struct imap_account *account, struct imap_session **ret,
		 struct fault *fault)
{
	_cleanup_(imap_session_freep) struct imap_session *s = xzalloc(sizeof(*s));

	s->account = account;
	s->buffer = xmalloc(READ_SIZE);
	s->parser = imap_parser_new(IMAP_PARSER_LIMITS);
	list_init(&s->pending);
	waiters_init(&s->progress);
	if (open_session(s, fault) < 0)
		return -1;

	*ret = TAKE_PTR(s);
	return 0;
}
