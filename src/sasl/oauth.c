/* SPDX-License-Identifier: Apache-2.0 */
/* OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's and Microsoft's elder form): a bearer token that
 * somebody else obtained. The answer to a token that is not liked is a JSON object, then a line
 * from us, then NO. */
#include <stdio.h>

#include <jansson.h>

#include "sasl/mechanism.h"

enum { MAX_JSON = 16 * 1024 };

static bool fits(const struct sasl_mechanism *mechanism, const struct sasl_credentials *c)
{
	return c->encrypted && sasl_is_given(c->user) && sasl_is_given(c->token);
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;

	return false;
}

/* The mailbox to open. A token names its owner by itself. */
static const char *whose(const struct sasl_credentials *c)
{
	return sasl_is_given(c->authzid) ? c->authzid : c->user;
}

/* What would break out of its field. */
static int check_fields(const struct sasl_credentials *c, struct fault *fault)
{
	if (has_control(c->token))
		return auth_fault(fault, "the OAuth token holds a control character or a line end; "
					 "it must be the token alone");

	if (has_control(whose(c)))
		return auth_fault(fault, "the user holds a control character");

	return 0;
}

/* "invalid_token" of {"status":"invalid_token",…}, or "". */
static void read_status(struct bytes json, char *to, size_t size)
{
	json_t *root = json.n && json.n <= MAX_JSON ? json_loadb(json.p, json.n, 0, NULL) : NULL;
	json_t *status = json_object_get(root, "status");

	to[0] = '\0';
	if (json_is_string(status))
		snprintf(to, size, "%s", json_string_value(status));
	else if (json_is_integer(status))
		snprintf(to, size, "%lld", (long long)json_integer_value(status));
	json_decref(root);

	for (; *to; to++)
		if ((unsigned char)*to < 0x20 || (unsigned char)*to >= 0x7f)
			*to = '?';
}

static int refused(struct bytes json, struct fault *fault)
{
	char status[64];

	read_status(json, status, sizeof(status));
	if (status[0])
		auth_fault(fault,
			   "the server refused the OAuth token with the status \"%s\"; it may have "
			   "expired, belong to another user or lack the scope for IMAP",
			   status);
	else
		auth_fault(fault, "the server refused the OAuth token");
	return fault_server(fault, json);
}

static int step_oauthbearer(struct sasl_exchange *e, struct bytes challenge, struct buf *response,
			    struct fault *fault)
{
	const struct sasl_credentials *c = e->credentials;

	if (e->step > 0) {
		buf_append_char(response, '\x01');
		return refused(challenge, fault);
	}

	if (check_fields(c, fault) < 0)
		return -1;

	buf_append_str(response, "n,a=");
	sasl_append_name(response, whose(c));
	buf_append_str(response, ",\x01");
	if (sasl_is_given(c->host))
		buf_appendf(response, "host=%s\x01", c->host);
	if (c->port)
		buf_appendf(response, "port=%u\x01", c->port);
	buf_append_str(response, "auth=Bearer ");
	buf_append_str(response, c->token);
	buf_append_str(response, "\x01\x01");
	e->done = true;
	return 0;
}

static int step_xoauth2(struct sasl_exchange *e, struct bytes challenge, struct buf *response,
			struct fault *fault)
{
	const struct sasl_credentials *c = e->credentials;

	if (e->step > 0)
		return refused(challenge, fault); /* the response to it is empty */

	if (check_fields(c, fault) < 0)
		return -1;

	buf_append_str(response, "user=");
	buf_append_str(response, whose(c));
	buf_append_str(response, "\x01" "auth=Bearer ");
	buf_append_str(response, c->token);
	buf_append_str(response, "\x01\x01");
	e->done = true;
	return 0;
}

const struct sasl_mechanism sasl_oauthbearer = {
	.name = "OAUTHBEARER", .client_first = true, .fits = fits, .step = step_oauthbearer,
};

const struct sasl_mechanism sasl_xoauth2 = {
	.name = "XOAUTH2", .client_first = true, .fits = fits, .step = step_xoauth2,
};
