/* SPDX-License-Identifier: Apache-2.0 */
/* See doubt-account.h. One mailbox now and then: nothing is shared between them. */
#include "gateway/doubt-account.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "fleet/side.h"

#define SILENCE (60 * SECOND)

struct doubt_account {
	struct arena arena;
	struct side_options options;
	struct side side;
	struct tls_config tls_config;
	struct tls_context *tls;
	char *password;
};

const struct imap_account *doubt_account(const struct doubt_account *account)
{
	return &account->side.account;
}

struct doubt_account *doubt_account_free(struct doubt_account *account)
{
	if (!account)
		return NULL;

	side_done(&account->side);
	side_forget_secret(&account->password);
	tls_context_free(account->tls);
	arena_done(&account->arena);
	free(account);
	return NULL;
}

static const char *or_null(const char *text)
{
	return text && text[0] ? text : NULL;
}

/* The configuration may be replaced while this one is in use. */
static void keep(struct doubt_account *a, const char **text)
{
	if (*text)
		*text = arena_strdup(&a->arena, *text);
}

static void keep_all(struct doubt_account *a, const struct config *config)
{
	struct side_options *o = &a->options;

	if (!o->ca_file)
		o->ca_file = config->ca_file;
	keep(a, &o->url);
	keep(a, &o->user);
	keep(a, &o->password_file);
	keep(a, &o->password_command);
	keep(a, &o->token_file);
	keep(a, &o->token_command);
	keep(a, &o->authzid);
	keep(a, &o->mechanism);
	keep(a, &o->ca_file);
	keep(a, &o->cert_file);
	keep(a, &o->key_file);
}

static void fill_options(struct doubt_account *a, const struct config *config, const struct config_platform *p,
			 const struct config_mailbox *m)
{
	bool is_new = p == &config->new;
	const char *of_list = is_new ? m->new_login : m->old_login, *login = or_null(of_list) ? of_list : m->address;
	struct side_options *o = &a->options;

	*o = (struct side_options){
		.url = or_null(is_new ? m->new_url : m->old_url),
		.user = config_expand(p->login ? p->login : "{login}", m, login, &a->arena),
		.password_file = or_null(is_new ? m->new_password_file : m->old_password_file),
		.password_command = or_null(is_new ? m->new_password_command : m->old_password_command),
		.authzid = or_null(is_new ? m->new_authzid : m->old_authzid),
		.mechanism = p->mechanism,
		.ca_file = config_expand(p->ca_file, m, login, &a->arena),
		.cert_file = config_expand(p->cert_file, m, login, &a->arena),
		.key_file = config_expand(p->key_file, m, login, &a->arena),
		.tls_unverified = p->tls_unverified, .plaintext = p->plaintext,
		.no_pipelining = p->no_pipelining, .no_qresync = p->no_qresync,
	};
	if (!o->authzid)
		o->authzid = config_expand(p->authzid, m, login, &a->arena);
	if (!o->url)
		o->url = config_expand(p->url, m, login, &a->arena);
	if (o->password_file || o->password_command)
		return;
	o->password_file = config_expand(p->password_file, m, login, &a->arena);
	o->password_command = config_expand(p->password_command, m, login, &a->arena);
	o->token_file = config_expand(p->token_file, m, login, &a->arena);
	o->token_command = config_expand(p->token_command, m, login, &a->arena);
}

/* On a worker thread. */
static int read_secrets(void *arg, struct fault *fault)
{
	struct doubt_account *a = arg;
	int r;

	if (side_wants_tls(&a->side, &a->options, NULL, &a->tls_config) &&
	    tls_context_new(&a->tls_config, &a->tls, fault) < 0)
		return -1;
	if (!side_wants_password(&a->side, &a->options))
		return 0;
	r = side_read_password(&a->options, &a->password, fault);
	return r > 0 ? fault_set(fault, FAULT_USAGE, REACH_MAILBOX, AGAIN_NEVER, "no password is named") : r;
}

SUSPENDS int doubt_account_open(const struct config *config, bool is_new,
				struct bytes address, struct doubt_account **ret, struct fault *fault)
{
	const struct config_platform *platform = is_new ? &config->new : &config->old;
	_cleanup_(freep) char *text = bytes_to_str(address);
	const struct config_mailbox *mailbox = text ? config_mailbox(config, text) : NULL;
	_cleanup_(doubt_account_freep) struct doubt_account *a = NULL;
	int64_t silence_us;

	if (!mailbox)
		return fault_set(fault, FAULT_USAGE, REACH_MAILBOX, AGAIN_NEVER,
				 "the mailbox list has no %.*s", BYTES_ARG(address));
	a = xzalloc(sizeof(*a));
	fill_options(a, config, platform, mailbox);
	if (!a->options.url)
		return fault_set(fault, FAULT_USAGE, REACH_MAILBOX, AGAIN_NEVER,
				 "platform %s has no url to look into mailboxes", platform->name);
	keep_all(a, config);
	silence_us = platform->timeout_us ? platform->timeout_us : SILENCE;
	if (side_begin(&a->side, is_new ? "new" : "old", &a->options, "url", fault) < 0 ||
	    pool_call("secrets of a mailbox", read_secrets, a, fault) < 0)
		return -1;
	if (a->tls)
		side_set_tls(&a->side, a->tls);
	if (a->password)
		side_set_password(&a->side, TAKE_PTR(a->password));
	a->side.account.silence_us = silence_us;
	*ret = TAKE_PTR(a);
	return 0;
}
