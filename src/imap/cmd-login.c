/* SPDX-License-Identifier: Apache-2.0 */
/* AUTHENTICATE (RFC 3501 §6.2.2, RFC 4959) and LOGIN. Secrets pass the transcript hidden. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "imap/commands.h"
#include "sasl/base64.h"
#include "sasl/sasl.h"

static const char *why_none(const struct imap_session *s, const struct sasl_credentials *c)
{
	if (!s->encrypted && s->account->host &&
	    imap_can(&s->capabilities, IMAP_CAP_LOGINDISABLED))
		return "the server takes no password before TLS: use imaps://, or give --ca-file for "
		       "STARTTLS";
	if (!c->encrypted)
		return "the connection is not encrypted and the server offers no way that hides the "
		       "password";
	if (c->token)
		return "the server takes no OAuth tokens (AUTH=OAUTHBEARER or XOAUTH2)";
	if (c->external && !c->password)
		return "the server takes no client certificates for a login (AUTH=EXTERNAL)";
	if (c->authzid)
		return "the server offers no way to log in on behalf of somebody else (AUTH=PLAIN)";
	return "the server offers no way of logging in that we can use";
}

/* The server has not the mechanism that was asked for, or we not what it needs. */
static int fault_mechanism(const struct imap_session *s, const struct sasl_credentials *c,
			   struct fault *fault)
{
	const struct imap_capabilities *caps = &s->capabilities;
	const char *name = s->account->mechanism;
	char offered[200] = "";
	size_t n = 0;

	for (unsigned i = 0; i < caps->auth_n; i++) {
		if (strcasecmp(caps->auth[i], name) == 0)
			return fault_set(fault, FAULT_AUTH, REACH_SERVER, AGAIN_NEVER,
					 "%s: cannot log in with %s: %s", s->account->label, name,
					 c->encrypted ? "the password, token or certificate for it "
							"is missing or not fit for it" :
							"it needs an encrypted connection");
		if (n < sizeof(offered))
			n += (size_t)snprintf(offered + n, sizeof(offered) - n, " %s",
					      caps->auth[i]);
	}
	return fault_set(fault, FAULT_AUTH, REACH_SERVER, AGAIN_NEVER,
			 "%s: cannot log in with %s: the server offers%s", s->account->label, name,
			 n ? offered : " no mechanism");
}

/* There are servers that repeat in their answer the line they did not like. */
static void hide_secret(struct fault *fault, struct bytes secret)
{
	enum { SHORTEST = 4 }; /* less is found in any words */

	if (secret.n >= SHORTEST && bytes_find(bytes_of(fault->server), secret) >= 0)
		fault_server(fault, BYTES("(words that must not be shown)"));
}

/* first: the initial response that was sent, or empty. */
static void hide_secrets(const struct imap_session *s, struct bytes first, struct fault *fault)
{
	enum { ENOUGH = 24 }; /* the server's words may be cut */
	_cleanup_(buf_wipe) struct buf encoded = BUF_NULL;

	base64_encode(first, &encoded);
	hide_secret(fault, bytes_head(buf_bytes(&encoded), ENOUGH));
	if (s->account->password)
		hide_secret(fault, bytes_of(s->account->password));
}

/* mechanism: NULL for the LOGIN command. Of servers whose users have passwords in other forms than SCRAM's,
 * some offer it all the same: those users need another way. */
static int refused(struct imap_session *s, const struct imap_command *c,
		   const struct sasl_mechanism *mechanism, struct bytes first, struct fault *fault)
{
	const struct imap_account *a = s->account;
	bool chose_scram = mechanism && !a->mechanism &&
			   bytes_starts(bytes_of(sasl_name(mechanism)), BYTES("SCRAM-"));
	char way[100] = "";

	if (chose_scram)
		snprintf(way, sizeof(way), " with %s (--from-auth and --to-auth choose another way)",
			 sasl_name(mechanism));
	if (imap_refused(s, c, fault, "login as %s%s%s was refused%s", a->user,
			 a->authzid ? " on behalf of " : "", a->authzid ? a->authzid : "", way) == 0)
		return 0;

	s->known = strcmp(c->code, "AUTHORIZATIONFAILED") == 0;
	hide_secrets(s, first, fault);
	/* A wrong password often comes without a code; a throttle or a bug of the server does say what it is. */
	if (fault->kind == FAULT_REFUSED && fault->again != AGAIN_NEVER) {
		fault->reach = REACH_SESSION;
	} else if (fault->kind == FAULT_REFUSED) {
		fault->kind = FAULT_AUTH;
		fault->reach = REACH_MAILBOX;
		fault->again = AGAIN_NEVER;
	}
	return -1;
}

static int send_response(struct imap_session *s, struct bytes response, struct fault *fault)
{
	_cleanup_(buf_wipe) struct buf line = BUF_NULL;
	int r;

	base64_encode(response, &line);
	buf_append_str(&line, "\r\n");
	tap_hide_out(s->stream, "login");
	r = imap_flush_data(s, buf_bytes(&line), fault);
	tap_show_out(s->stream);
	return r;
}

struct step_call {
	struct sasl_exchange *exchange;
	struct bytes challenge;
	struct buf *response;
};

static int step(void *arg, struct fault *fault)
{
	struct step_call *call = arg;

	return sasl_step(call->exchange, call->challenge, call->response, fault);
}

/* SCRAM lets the server choose how often to hash, up to seconds of work: not on the loop. */
static int step_in_pool(struct sasl_exchange *exchange, struct bytes challenge,
			struct buf *response, struct fault *fault)
{
	struct step_call call = { exchange, challenge, response };

	return pool_call("a login step", step, &call, fault);
}

/* Ends an exchange that failed on our side. A refused OAuth token wants its last line (RFC 7628 §3.2.3);
 * all else is cancelled. The server's NO must still be read. */
static void give_up(struct imap_session *s, struct imap_command *c, struct bytes last_line)
{
	struct fault ignored;
	int r;

	if (s->account->token)
		r = send_response(s, last_line, &ignored);
	else
		r = imap_flush_data(s, BYTES("*\r\n"), &ignored);
	if (r == 0)
		imap_wait(s, c, &ignored);
}

/* Answers challenges until the command is done. */
static int answer_challenges(struct imap_session *s, struct imap_command *c,
			     struct sasl_exchange *exchange, struct fault *fault)
{
	int r;

	while ((r = imap_wait_continuation(s, c, fault)) == 0) {
		_cleanup_(buf_wipe) struct buf challenge = BUF_NULL, response = BUF_NULL;

		/* Words in the clear ("+ go ahead") are for the mechanism to judge: some look at none. */
		if (base64_decode(bytes_of(s->continuation), &challenge) < 0)
			buf_append_str(&challenge, s->continuation);
		if (step_in_pool(exchange, buf_bytes(&challenge), &response, fault) < 0) {
			give_up(s, c, buf_bytes(&response));
			return fault_prefix(fault, "%s: login as %s", s->account->label,
					    s->account->user);
		}
		if (send_response(s, buf_bytes(&response), fault) < 0)
			return -1;
	}

	return r < 0 ? -1 : 0;
}

/* The command is shown, its response is not. */
static int send_authenticate(struct imap_session *s, struct imap_command *c,
			     const struct sasl_mechanism *mechanism, const struct buf *first,
			     struct fault *fault)
{
	int r;

	s->continuations = 0;
	imap_begin(s, c, "AUTHENTICATE ");
	imap_put(s, "%s", sasl_name(mechanism));
	if (!first)
		return imap_send(s, c, fault);

	buf_append_char(&s->out, ' ');
	if (imap_flush(s, fault) < 0)
		return -1;

	if (first->n)
		base64_encode(buf_bytes(first), &s->out);
	else
		buf_append_char(&s->out, '=');
	tap_hide_out(s->stream, "login");
	r = imap_send(s, c, fault);
	tap_show_out(s->stream);
	wipe(s->out.p, s->out.size);
	buf_reset(&s->out);
	return r;
}

static int authenticate(struct imap_session *s, const struct sasl_mechanism *mechanism,
			const struct sasl_credentials *credentials, bool offered_plus,
			struct fault *fault)
{
	_cleanup_(sasl_freep) struct sasl_exchange *exchange =
		sasl_start(mechanism, credentials, offered_plus);
	_cleanup_(buf_wipe) struct buf first = BUF_NULL;
	bool initial = sasl_client_first(mechanism) &&
		       imap_can(&s->capabilities, IMAP_CAP_SASL_IR);
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };

	if (initial && sasl_step(exchange, BYTES_NULL, &first, fault) < 0)
		return fault_prefix(fault, "%s", s->account->label);

	/* From SCRAM's challenges together with its signature passwords can be guessed at leisure. */
	tap_hide_challenges(s->stream, true);
	if (send_authenticate(s, &c, mechanism, initial ? &first : NULL, fault) < 0 ||
	    answer_challenges(s, &c, exchange, fault) < 0)
		return -1;

	tap_hide_challenges(s->stream, false);
	if (refused(s, &c, mechanism, buf_bytes(&first), fault) < 0)
		return -1;

	if (!sasl_is_done(exchange))
		return fault_set(fault, FAULT_AUTH, REACH_SERVER, AGAIN_NEVER,
				 "%s: the server said OK without proving who it is (%s)",
				 s->account->label, sasl_name(mechanism));
	return 0;
}

/* The LOGIN command: for servers without AUTH=PLAIN (Alibaba Mail), and those that list nothing. */
static int login_command(struct imap_session *s, struct fault *fault)
{
	const struct imap_account *a = s->account;
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
	int r;

	imap_begin(s, &c, "LOGIN ");
	r = imap_put_string(s, &c, bytes_of(a->user), fault);
	if (r == 0) {
		imap_put(s, " ");
		r = imap_flush(s, fault);
	}
	if (r == 0) {
		tap_hide_out(s->stream, "login");
		r = imap_put_string(s, &c, bytes_of(a->password), fault);
		if (r == 0)
			r = imap_send(s, &c, fault);
		tap_show_out(s->stream);
	}
	wipe(s->out.p, s->out.size);
	buf_reset(&s->out);
	if (r < 0 || imap_wait(s, &c, fault) < 0)
		return -1;

	return refused(s, &c, NULL, BYTES_NULL, fault);
}

static bool may_use_login(const struct imap_session *s, const struct sasl_credentials *c)
{
	const char *only = s->account->mechanism;

	return c->password && !c->authzid && c->encrypted && (!only || strcmp(only, "LOGIN") == 0) &&
	       !imap_can(&s->capabilities, IMAP_CAP_LOGINDISABLED);
}

/* IMAP does not say which bindings a server knows. Those of TLS 1.3 and certificates are what most know; Cyrus
 * 3.6 offers -PLUS with the one of TLS 1.2 alone, and says no to us: there only the user can ask for it. */
static void bind_channel(struct imap_session *s, struct sasl_credentials *c, char exporter[64],
			 char end_point[64])
{
	size_t n;

	if (strcmp(s->server_name, "Cyrus") == 0 && !s->account->mechanism)
		return;

	if (tls_channel_binding(s->stream, TLS_BINDING_EXPORTER, exporter, &n) == 0)
		c->tls_exporter = (struct bytes){ exporter, n };
	if (tls_channel_binding(s->stream, TLS_BINDING_SERVER_END_POINT, end_point, &n) == 0)
		c->tls_end_point = (struct bytes){ end_point, n };
}

static int login_with(struct imap_session *s, char *token, struct fault *fault)
{
	const struct imap_account *a = s->account;
	const struct imap_capabilities *caps = &s->capabilities;
	char exporter[64], end_point[64];
	struct sasl_credentials credentials = {
		.user = a->user, .authzid = a->authzid, .password = a->password, .token = token,
		.external = a->external, .host = a->host, .port = a->port,
		.encrypted = s->encrypted || a->security == IMAP_PLAIN, .random = run_random,
	};
	struct bytes offered[ARRAY_SIZE(caps->auth)];
	const struct sasl_mechanism *mechanism;
	bool offered_plus = false;

	bind_channel(s, &credentials, exporter, end_point);
	for (unsigned i = 0; i < caps->auth_n; i++) {
		offered[i] = bytes_of(caps->auth[i]);
		offered_plus |= offered[i].n > 5 &&
				bytes_equal(bytes_skip(offered[i], offered[i].n - 5), BYTES("-PLUS"));
	}

	mechanism = sasl_choose(offered, caps->auth_n, &credentials, a->mechanism);
	if (mechanism)
		return authenticate(s, mechanism, &credentials, offered_plus, fault);

	if (may_use_login(s, &credentials))
		return login_command(s, fault);

	if (a->mechanism)
		return fault_mechanism(s, &credentials, fault);

	return fault_set(fault, FAULT_AUTH, REACH_SERVER, AGAIN_NEVER, "%s: cannot log in: %s",
			 a->label, why_none(s, &credentials));
}

int imap_login(struct imap_session *s, struct fault *fault)
{
	const struct imap_account *a = s->account;
	char *token = NULL;
	int r;

	if (a->token && a->token(a->token_arg, &token, fault) < 0)
		return -1;

	r = login_with(s, token, fault);
	if (token) {
		wipe(token, strlen(token));
		freep(&token);
	}
	return r;
}
