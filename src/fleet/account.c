/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts from configuration, see account.h. A mailbox has its secrets only while somebody works
 * on it: with a hundred thousand mailboxes in the list some hundreds of passwords are in memory. */
#include "fleet/account.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* A password command that is the same for all mailboxes is not run for each of them, but often
 * enough for a password that is changed meanwhile to be noticed. */
static const int64_t shared_password_us = 5 * MINUTE;

/* Who holds connections to one side and waits for the other's may wait for one who does the same:
 * after so long it gives up what it holds. */
static const int64_t place_us = 5 * MINUTE;

enum { DEFAULT_SILENCE_S = 120 };

struct platform {
	const struct config_platform *config;
	const char *side;            /* "source" or "destination" */
	struct tls_context *tls;     /* of those whose files do not depend on the mailbox */
	struct pace *pace;
	char *password;              /* of a command that is the same for all */
	int64_t password_until;      /* run_now() */
	bool password_busy;          /* somebody runs the command now */
	struct waiters password_ready;
};

struct fleet_platforms {
	const struct config *config;
	struct arena arena;
	struct pace *total;
	struct platform old, new;
	struct logins *logins;
};

/* --- what is shared -------------------------------------------------------------------------- */

static uint64_t part_of(uint64_t limit, unsigned parts)
{
	return limit && limit / parts == 0 ? 1 : limit / parts;
}

static struct pace_limits divide_limits(struct pace_limits limits, unsigned parts)
{
	limits.connections = (unsigned)part_of(limits.connections, parts);
	limits.messages_per_second = part_of(limits.messages_per_second, parts);
	limits.bytes_per_second = part_of(limits.bytes_per_second, parts);
	limits.bytes_per_day = part_of(limits.bytes_per_day, parts);
	return limits;
}

struct pace_settings fleet_divide(const struct pace_settings *settings, unsigned parts,
				  struct arena *arena)
{
	struct pace_settings result = *settings;
	struct pace_times *times;

	result.limits = divide_limits(settings->limits, parts);
	if (!settings->times_n)
		return result;

	times = arena_alloc(arena, settings->times_n * sizeof(*times));
	for (size_t i = 0; i < settings->times_n; i++) {
		times[i] = settings->times[i];
		times[i].limits = divide_limits(times[i].limits, parts);
	}
	result.times = times;
	return result;
}

static bool depends(const char *text)
{
	return text && strchr(text, '{');
}

static bool own_files(const struct config_platform *c)
{
	return depends(c->ca_file) || depends(c->cert_file) || depends(c->key_file);
}

/* As far as the platform's own URL and files tell; what its trust is made of is in *ret in any case. */
static bool wants_tls(const struct fleet_platforms *p, const struct config_platform *c,
		      struct tls_config *ret)
{
	struct side_options options = {
		.url = c->url, .user = "nobody", .plaintext = c->plaintext, .ca_file = c->ca_file,
		.cert_file = c->cert_file, .key_file = c->key_file, .tls_unverified = c->tls_unverified,
	};
	_cleanup_(side_done) struct side side = { .name = c->name };
	struct fault ignored;
	bool known = !depends(c->url) && side_begin(&side, c->name, &options, "", &ignored) == 0;

	return side_wants_tls(&side, &options, p->config->ca_file, ret) || !known;
}

/* What is wrong with files is said before anything begins. Where nobody asks for TLS none are read (if a mailbox's own
 * URL does, open_tls() makes up for it). */
static int open_trust(struct fleet_platforms *p, struct platform *platform, struct fault *fault)
{
	const struct config_platform *c = platform->config;
	struct tls_config tls;

	if (own_files(c) || !wants_tls(p, c, &tls))
		return 0;
	platform->tls = tls_context_share(p->old.tls, &tls);
	if (!platform->tls && tls_context_new(&tls, &platform->tls, fault) < 0)
		return fault_prefix(fault, "%s: platform %s", p->config->path, c->name);
	return 0;
}

static int open_platform(struct fleet_platforms *p, struct platform *platform, unsigned parts,
			 struct fault *fault)
{
	const struct config_platform *c = platform->config;
	struct pace_settings settings = fleet_divide(&c->server, parts, &p->arena);

	waiters_init(&platform->password_ready);
	if (!settings.name)
		settings.name = arena_printf(&p->arena, "platform %s", c->name);
	platform->pace = pace_new(&settings, p->total);
	return open_trust(p, platform, fault);
}

static void find_logins(struct fleet_platforms *p);

int fleet_platforms_open(const struct config *config, unsigned parts, struct fleet_platforms **ret,
			 struct fault *fault)
{
	_cleanup_(fleet_platforms_freep) struct fleet_platforms *p = xzalloc(sizeof(*p));
	struct pace_settings total = fleet_divide(&config->total, parts, &p->arena);

	p->config = config;
	p->old = (struct platform){ .config = &config->old, .side = "source" };
	p->new = (struct platform){ .config = &config->new, .side = "destination" };
	if (!total.name)
		total.name = "all platforms together";
	p->total = pace_new(&total, NULL);
	if (open_platform(p, &p->old, parts, fault) < 0 ||
	    open_platform(p, &p->new, parts, fault) < 0)
		return -1;

	find_logins(p);
	*ret = TAKE_PTR(p);
	return 0;
}

static void close_platform(struct platform *platform)
{
	pace_free(platform->pace);
	tls_context_free(platform->tls);
	side_forget_secret(&platform->password);
}

struct fleet_platforms *fleet_platforms_free(struct fleet_platforms *p)
{
	if (!p)
		return NULL;

	close_platform(&p->old);
	close_platform(&p->new);
	pace_free(p->total);
	logins_free(p->logins);
	arena_done(&p->arena);
	free(p);
	return NULL;
}

struct pace *fleet_pace_of_server(struct fleet_platforms *p, bool destination)
{
	return destination ? p->new.pace : p->old.pace;
}

static unsigned bearable(const struct pace *pace)
{
	struct pace_state state;

	pace_look(pace, &state);
	return state.bearable ? state.bearable : UINT_MAX;
}

unsigned fleet_room(struct fleet_platforms *p)
{
	unsigned from = bearable(p->old.pace), to = bearable(p->new.pace);
	unsigned both = bearable(p->total);
	unsigned room = from < to ? from : to;

	if (both != UINT_MAX && both / 2 < room)
		room = both / 2 ? both / 2 : 1;
	return room == UINT_MAX ? 0 : room;
}

/* --- words for one mailbox ------------------------------------------------------------------- */

/* What the list says of one side of a mailbox. */
struct words {
	const char *login, *authzid, *password_file, *password_command, *url;
};

static struct words words_of(const struct config_mailbox *m, bool destination)
{
	if (destination)
		return (struct words){ m->new_login, m->new_authzid, m->new_password_file,
				       m->new_password_command, m->new_url };
	return (struct words){ m->old_login, m->old_authzid, m->old_password_file,
			       m->old_password_command, m->old_url };
}

static const char *or_null(const char *text)
{
	return text && text[0] ? text : NULL;
}

/* Whatever goes into a command was checked when the list was read (config/expand.c). */
static void side_words(const struct platform *platform, const struct config_mailbox *m,
		       bool destination, struct arena *arena, struct side_options *o)
{
	const struct config_platform *c = platform->config;
	struct words w = words_of(m, destination);
	const char *login = w.login[0] ? w.login : m->address;

	*o = (struct side_options){
		.url = or_null(w.url),
		.user = config_expand(c->login ? c->login : "{login}", m, login, arena),
		.password_file = or_null(w.password_file),
		.password_command = or_null(w.password_command),
		.authzid = or_null(w.authzid),
		.mechanism = c->mechanism,
		.ca_file = config_expand(c->ca_file, m, login, arena),
		.cert_file = config_expand(c->cert_file, m, login, arena),
		.key_file = config_expand(c->key_file, m, login, arena),
		.tls_unverified = c->tls_unverified,
		.plaintext = c->plaintext,
		.no_pipelining = c->no_pipelining,
		.no_qresync = c->no_qresync,
	};
	if (!o->authzid)
		o->authzid = config_expand(c->authzid, m, login, arena);
	if (!o->url)
		o->url = config_expand(c->url, m, login, arena);
	if (o->password_file || o->password_command)
		return;

	o->password_file = config_expand(c->password_file, m, login, arena);
	o->password_command = config_expand(c->password_command, m, login, arena);
	o->token_file = config_expand(c->token_file, m, login, arena);
	o->token_command = config_expand(c->token_command, m, login, arena);
}

/* Where the secret comes from, as one finds it to mend it. */
static const char *secret_words(const struct fleet_platforms *p, const struct platform *platform,
				const struct config_mailbox *m, bool destination, struct arena *arena)
{
	const struct words w = words_of(m, destination);
	const struct config_platform *c = platform->config;
	const char *key = w.password_file[0] ? "password_file" : "password_command";

	if (w.password_file[0] || w.password_command[0])
		return arena_printf(arena, "%s_%s, line %d of %s", c->name, key, m->line, p->config->list_path);

	key = c->password_file	    ? "password_file"
	      : c->password_command ? "password_command"
	      : c->token_file	    ? "token_file"
	      : c->token_command    ? "token_command"
				    : "cert_file";
	return arena_printf(arena, "%s of [platform %s] in %s", key, c->name, p->config->path);
}

static void find_logins(struct fleet_platforms *p)
{
	const struct config *c = p->config;
	_cleanup_(arena_done) struct arena arena = { NULL };

	p->logins = logins_new(c->mailboxes_n);
	for (size_t i = 0; i < c->mailboxes_n; i++) {
		for (int destination = 0; destination < 2 && !c->mailboxes[i].skip; destination++) {
			struct side_options o;

			arena_reset(&arena);
			side_words(destination ? &p->new : &p->old, &c->mailboxes[i], destination, &arena, &o);
			logins_add(p->logins, i, destination, &o);
		}
	}
	logins_sort(p->logins);
}

void fleet_platforms_share(struct fleet_platforms *p, const char *state_dir, const char *round)
{
	logins_share(p->logins, state_dir, round);
}

struct login *fleet_login(const struct fleet_platforms *p, const struct config_mailbox *m, bool destination)
{
	return logins_of(p->logins, (size_t)(m - p->config->mailboxes), destination);
}

const struct fault *fleet_given_up(const struct fleet_platforms *p, const struct config_mailbox *m, bool *ret_news)
{
	const struct fault *why = NULL;

	*ret_news = false;
	for (int destination = 0; destination < 2 && !*ret_news; destination++) {
		struct login *login = fleet_login(p, m, destination);
		const struct fault *its = login ? login_given_up(login, ret_news) : NULL;

		why = its ? its : why;
	}
	return why;
}

/* --- TLS and secrets ------------------------------------------------------------------------- */

struct tls_call {
	const struct tls_config *config;
	struct tls_context *context;
};

static int make_tls(void *arg, struct fault *fault)
{
	struct tls_call *call = arg;

	return tls_context_new(call->config, &call->context, fault);
}

static int open_tls(struct platform *platform, const struct config *config, struct side *side,
		    const struct side_options *o, struct fault *fault)
{
	struct tls_config wanted;
	struct tls_call call = { &wanted, NULL };

	if (!side_wants_tls(side, o, config->ca_file, &wanted))
		return 0;

	if (platform->tls) {
		side_set_tls(side, platform->tls);
		return 0;
	}

	if (pool_call("certificates", make_tls, &call, fault) < 0)
		return -1;

	side_set_tls(side, call.context);
	if (own_files(platform->config) || platform->tls)
		tls_context_free(call.context);
	else
		platform->tls = call.context;
	return 0;
}

struct password_call {
	const struct side_options *options;
	char *password;
};

static int read_password(void *arg, struct fault *fault)
{
	struct password_call *call = arg;

	return side_read_password(call->options, &call->password, fault);
}

static int ask_password(const struct side_options *o, char **ret, struct fault *fault)
{
	struct password_call call = { o, NULL };
	int r = pool_call("a password", read_password, &call, fault);

	if (r > 0)
		return fault_set(fault, FAULT_USAGE, REACH_MAILBOX, AGAIN_NEVER,
				 "no password: the platform or the list must name a password_file, "
				 "password_command, token_file or token_command");
	*ret = call.password;
	return r;
}

/* One fiber runs the command, the others wait for it. */
static int ask_shared(struct platform *platform, const struct side_options *o, char **ret,
		      struct fault *fault)
{
	int r = 0;

	while (platform->password_busy)
		if (waiters_wait(&platform->password_ready, "the password command", fault) < 0)
			return -1;

	if (!platform->password || run_now() >= platform->password_until) {
		platform->password_busy = true;
		side_forget_secret(&platform->password);
		r = ask_password(o, &platform->password, fault);
		platform->password_busy = false;
		platform->password_until = run_now() + shared_password_us;
		waiters_wake_all(&platform->password_ready);
	}
	if (r == 0) {
		*ret = xstrdup(platform->password);
		return 0;
	}

	/* What all share has failed for all: once is enough to know. */
	if (fault->kind != FAULT_CANCELLED) {
		fault->reach = REACH_SERVER;
		fault->again = AGAIN_LATER;
	}
	return r;
}

static int open_password(struct platform *platform, struct side *side, const struct side_options *o,
			 struct fault *fault)
{
	/* Expanding gave a text of its own; one that depends on nothing is the same for all. */
	bool shared = o->password_command && platform->config->password_command &&
		      !depends(platform->config->password_command) &&
		      strcmp(o->password_command, platform->config->password_command) == 0;
	char *password = NULL;

	if (!side_wants_password(side, o))
		return 0;

	if ((shared ? ask_shared(platform, o, &password, fault)
		    : ask_password(o, &password, fault)) < 0)
		return -1;

	side_set_password(side, password);
	return 0;
}

/* --- sides ----------------------------------------------------------------------------------- */

static int take_place(struct pace *pace, struct fault *fault)
{
	_deadline_(place_us);

	if (pace_enter(pace, fault) == 0)
		return 0;
	if (fault->kind != FAULT_TIMEOUT)
		return -1;

	return fault_set(fault, FAULT_LIMIT, REACH_MAILBOX, AGAIN_LATER,
			 "no connection became free within %d minutes", (int)(place_us / MINUTE));
}

/* In this order: who waits for a login has no connection that others could use. */
static int enter(void *arg, struct fault *fault)
{
	struct fleet_door *door = arg;

	if (door->login && login_enter(door->login, fault) < 0)
		return -1;
	if (take_place(door->pace, fault) == 0)
		return 0;

	if (door->login)
		login_tried(door->login, fault, false, &door->words);
	return -1;
}

static void tried(void *arg, const struct fault *why, bool known)
{
	struct fleet_door *door = arg;

	if (door->login)
		login_tried(door->login, why, known, &door->words);
}

static void leave(void *arg)
{
	struct fleet_door *door = arg;

	pace_leave(door->pace);
}

static int open_side(struct fleet_platforms *p, const struct config_mailbox *m, bool destination,
		     struct fleet_sides *sides, struct fault *fault)
{
	struct platform *platform = destination ? &p->new : &p->old;
	struct side *side = destination ? &sides->to : &sides->from;
	struct pace **pace = destination ? &sides->to_pace : &sides->from_pace;
	struct fleet_door *door = destination ? &sides->to_door : &sides->from_door;
	struct pace_settings settings = platform->config->account;
	struct side_options o;

	side_words(platform, m, destination, &sides->arena, &o);
	if (side_begin(side, platform->side, &o, "url", fault) < 0 ||
	    open_tls(platform, p->config, side, &o, fault) < 0 ||
	    open_password(platform, side, &o, fault) < 0)
		return -1;

	settings.name = arena_printf(&sides->arena, "account %.100s at the %s", m->address,
				     platform->side);
	*pace = pace_new(&settings, platform->pace);
	*door = (struct fleet_door){
		.login = fleet_login(p, m, destination), .pace = *pace,
		.words = { side->account.label, side->account.user, m->address,
			   secret_words(p, platform, m, destination, &sides->arena) },
	};
	side->account.enter = enter;
	side->account.tried = tried;
	side->account.leave = leave;
	side->account.enter_arg = door;
	side->account.compress = platform->config->compress;
	side->account.silence_us = platform->config->timeout_us ? platform->config->timeout_us
								: DEFAULT_SILENCE_S * SECOND;
	return 0;
}

static const char *end_of(const struct side *side, struct arena *arena)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	side_end(side, &text);
	return arena_str(arena, buf_bytes(&text));
}

/* One mailbox's missing file is nobody else's fault. */
static int of_mailbox(const char *side, struct fault *fault)
{
	if (fault->kind == FAULT_CANCELLED)
		return -1;

	if (fault->reach > REACH_SERVER)
		fault->reach = REACH_MAILBOX;
	return fault_prefix(fault, "%s", side);
}

int fleet_sides_open(struct fleet_platforms *p, const struct config_mailbox *m,
		     struct fleet_sides **ret, struct fault *fault)
{
	_cleanup_(fleet_sides_freep) struct fleet_sides *sides = xzalloc(sizeof(*sides));

	if (open_side(p, m, false, sides, fault) < 0)
		return of_mailbox("source", fault);
	if (open_side(p, m, true, sides, fault) < 0)
		return of_mailbox("destination", fault);

	sides->ends.source = end_of(&sides->from, &sides->arena);
	sides->ends.destination = end_of(&sides->to, &sides->arena);
	*ret = TAKE_PTR(sides);
	return 0;
}

struct fleet_sides *fleet_sides_free(struct fleet_sides *sides)
{
	if (!sides)
		return NULL;

	side_done(&sides->from);
	side_done(&sides->to);
	pace_free(sides->from_pace);
	pace_free(sides->to_pace);
	arena_done(&sides->arena);
	free(sides);
	return NULL;
}
