/* SPDX-License-Identifier: Apache-2.0 */
/* Who shares a login, and whether it may be tried, see logins.h. With a hundred thousand mailboxes that share nothing
 * this keeps two pointers for each: who shares what is found by hashes, sorted. */
#include "fleet/logins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "fleet/round.h"
#include "run/run.h"

/* Whether another process of the round knows more is asked so often. */
static const int64_t ask_again_us = 250 * MSEC;

/* For a note to the other processes, whatever was cancelled. */
static const int64_t note_us = 10 * SECOND;

static const char known_word[] = "known";

struct login {
	const struct logins *logins;
	uint64_t key;
	unsigned refused;   /* in a row */
	unsigned under_way; /* entered, and nothing came of it yet */
	bool proven;        /* let in before, here or in another process of the round */
	bool ours;          /* this process tries it for the round */
	bool asking;        /* a fiber asks the round */
	bool told;
	struct fault *why;  /* given up */
	struct waiters news;
};

struct logins {
	size_t n;                        /* sides: two for each mailbox */
	uint64_t *by_user, *by_secret;   /* of each side; 0: none */
	struct login **of;               /* of each side, or NULL */
	struct map logins;               /* by key */
	const char *state_dir, *round;   /* NULL: this process is alone */
};

/* --- who shares what --------------------------------------------------------------------------- */

struct logins *logins_new(size_t mailboxes)
{
	struct logins *l = xzalloc(sizeof(*l));

	l->n = 2 * mailboxes;
	l->by_user = xzalloc((l->n + 1) * sizeof(*l->by_user));
	l->by_secret = xzalloc((l->n + 1) * sizeof(*l->by_secret));
	return l;
}

static void free_keys(struct logins *l)
{
	free(l->by_user);
	free(l->by_secret);
	l->by_user = l->by_secret = NULL;
}

struct logins *logins_free(struct logins *l)
{
	struct map_entry entry;
	size_t at = 0;

	if (!l)
		return NULL;

	while (map_next(&l->logins, &at, &entry)) {
		free(((struct login *)entry.value)->why);
		free(entry.value);
	}
	map_done(&l->logins);
	free_keys(l);
	free(l->of);
	free(l);
	return NULL;
}

/* The same in every process of a round. */
static uint64_t key_of(const struct side *side, const char *what, const char *text)
{
	_cleanup_(buf_done) struct buf key = BUF_NULL;
	uint64_t hash;

	for (const char *p = side->url.host; *p; p++)
		buf_append_char(&key, ascii_lower(*p));
	buf_appendf(&key, ":%u\n%s\n%s", side->url.port, what, text);
	hash = siphash13(0, 0, buf_bytes(&key));
	return hash ? hash : 1;
}

static const char *secret_of(const struct side_options *o)
{
	return o->password_file	     ? o->password_file
	       : o->password_command ? o->password_command
	       : o->token_file	     ? o->token_file
				     : o->token_command;
}

void logins_add(struct logins *l, size_t i, bool destination, const struct side_options *o)
{
	_cleanup_(side_done) struct side side = { .name = NULL };
	const char *secret = secret_of(o);
	size_t at = 2 * i + destination;
	struct fault ignored;

	if (!o->url || side_begin(&side, "", o, "", &ignored) < 0 || !side.account.host || !side.account.user)
		return;

	l->by_user[at] = key_of(&side, "user", side.account.user);
	if (secret)
		l->by_secret[at] = key_of(&side, "secret", secret);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* A sorted copy; the caller owns it. */
static uint64_t *sorted(const uint64_t *keys, size_t n)
{
	uint64_t *copy = xmalloc((n + 1) * sizeof(*copy));

	if (n)
		memcpy(copy, keys, n * sizeof(*copy));
	qsort(copy, n, sizeof(*copy), compare);
	return copy;
}

static bool is_shared(const uint64_t *among, size_t n, uint64_t key)
{
	const uint64_t *found = key ? bsearch(&key, among, n, sizeof(key), compare) : NULL;

	return found && ((found > among && found[-1] == key) || (found + 1 < among + n && found[1] == key));
}

static struct login *login_of(struct logins *l, uint64_t key)
{
	const struct bytes bytes = { (const char *)&key, sizeof(key) };
	struct login *login = map_get(&l->logins, bytes);

	if (login)
		return login;

	login = xzalloc(sizeof(*login));
	login->logins = l;
	login->key = key;
	waiters_init(&login->news);
	map_put(&l->logins, bytes, login);
	return login;
}

void logins_sort(struct logins *l)
{
	_cleanup_(freep) uint64_t *users = sorted(l->by_user, l->n), *secrets = sorted(l->by_secret, l->n);

	l->of = xzalloc((l->n + 1) * sizeof(*l->of));
	for (size_t i = 0; i < l->n; i++) {
		if (is_shared(users, l->n, l->by_user[i]))
			l->of[i] = login_of(l, l->by_user[i]);
		else if (is_shared(secrets, l->n, l->by_secret[i]))
			l->of[i] = login_of(l, l->by_secret[i]);
	}
	free_keys(l);
}

struct login *logins_of(const struct logins *l, size_t i, bool destination)
{
	return 2 * i + 1 < l->n ? l->of[2 * i + destination] : NULL;
}

void logins_share(struct logins *l, const char *state_dir, const char *round)
{
	l->state_dir = state_dir;
	l->round = round;
}

/* --- among processes --------------------------------------------------------------------------- */

enum answer { TRY_IT, IS_PROVEN, IS_GIVEN_UP, ASK_AGAIN };

struct round_call {
	const struct login *login;
	bool claims;                  /* else only whether it was given up */
	enum answer answer;
	char text[sizeof(((struct fault *)NULL)->text)];
};

static void slug_of(const struct login *login, bool given_up, char to[48])
{
	snprintf(to, 48, "login-%016llx%s", (unsigned long long)login->key, given_up ? "-off" : "");
}

static int ask_round(void *arg, struct fault *fault)
{
	struct round_call *call = arg;
	const struct logins *l = call->login->logins;
	enum round_answer answer;
	char slug[48], how[sizeof(known_word)];
	int r;

	call->answer = IS_GIVEN_UP;
	slug_of(call->login, true, slug);
	r = round_ask(l->state_dir, l->round, slug, call->text, sizeof(call->text), fault);
	if (r <= 0)
		return r;

	call->answer = IS_PROVEN;
	slug_of(call->login, false, slug);
	r = round_ask(l->state_dir, l->round, slug, how, sizeof(how), fault);
	if (r <= 0)
		return r;

	call->answer = ASK_AGAIN;
	if (!call->claims)
		return 0;

	/* Should those who tried it have ended one after the other, each counts by itself. */
	if (round_claim(l->state_dir, l->round, slug, &answer, fault) < 0)
		return -1;
	if (answer == ROUND_OURS || answer == ROUND_CURSED)
		call->answer = TRY_IT;
	return 0;
}

struct note_call {
	const struct login *login;
	bool given_up;
	const char *how;
};

static int note(void *arg, struct fault *fault)
{
	struct note_call *call = arg;
	const struct logins *l = call->login->logins;
	char slug[48];

	slug_of(call->login, call->given_up, slug);
	return round_note(l->state_dir, l->round, slug, call->how, fault);
}

/* That it cannot be noted is no news: a claim that could not be made ends the run. */
static void tell_round(const struct login *login, bool given_up, const char *how)
{
	struct note_call call = { login, given_up, how };
	struct fault ignored;
	int64_t former;

	if (!login->logins->round)
		return;

	former = run_shield(note_us);
	pool_call("noting what came of a login", note, &call, &ignored);
	run_unshield(former);
}

static void give_up(struct login *login, const char *text, const struct fault *last)
{
	if (login->why)
		return;

	login->why = xzalloc(sizeof(*login->why));
	fault_set(login->why, FAULT_AUTH, REACH_SERVER, AGAIN_NEVER, "%s", text);
	if (last)
		snprintf(login->why->server, sizeof(login->why->server), "%s", last->server);
	login->told = !last; /* who found out tells it */
}

/* Asks once, for all fibers of this process. */
static int learn(struct login *login, bool claims, struct fault *fault)
{
	struct round_call call = { .login = login, .claims = claims };
	int r;

	login->asking = true;
	r = pool_call("asking what became of a login", ask_round, &call, fault);
	if (r == 0 && claims && call.answer == ASK_AGAIN)
		r = run_sleep(ask_again_us, fault);
	login->asking = false;
	if (r == 0 && call.answer == IS_GIVEN_UP)
		give_up(login, call.text, NULL);
	login->proven |= r == 0 && call.answer == IS_PROVEN;
	login->ours |= r == 0 && call.answer == TRY_IT;
	waiters_wake_all(&login->news);
	return r;
}

/* --- trying ------------------------------------------------------------------------------------ */

static bool is_others(const struct login *login)
{
	return login->logins->round && !login->proven && !login->ours;
}

static bool may_try(const struct login *login)
{
	if (login->proven && !login->refused)
		return true;
	return !is_others(login) && login->refused + login->under_way < LOGINS_REFUSED;
}

int login_enter(struct login *login, struct fault *fault)
{
	while (!login->why && !may_try(login))
		if ((is_others(login) && !login->asking
			     ? learn(login, true, fault)
			     : waiters_wait(&login->news, "what becomes of a login that others share", fault)) < 0)
			return -1;

	if (login->why) {
		*fault = *login->why;
		return -1;
	}
	login->under_way++;
	return 0;
}

static void count_refusal(struct login *login, const struct fault *why, const struct login_words *w)
{
	char text[sizeof(why->text)];
	struct fault ignored;

	if (++login->refused < LOGINS_REFUSED) {
		if (login->logins->round && !login->asking)
			learn(login, false, &ignored);
		return;
	}
	if (login->why)
		return;

	snprintf(text, sizeof(text),
		 "%s: login as %.60s was refused %d times in a row, at last for %.60s; nobody else tries it in "
		 "this run, so that the account is not locked: check %.120s, and which mailboxes this login may open", w->side, w->user,
		 LOGINS_REFUSED, w->mailbox, w->secret);
	give_up(login, text, why);
	tell_round(login, true, login->why->text);
}

void login_tried(struct login *login, const struct fault *why, bool known, const struct login_words *words)
{
	bool refused = why && !known && why->kind == FAULT_AUTH && why->reach == REACH_MAILBOX &&
		       why->again == AGAIN_NEVER;
	bool first = !login->proven && (!why || known);

	login->under_way--;
	if (!why || known) {
		login->proven = true;
		login->refused = 0;
	}
	if (first)
		tell_round(login, false, known_word);
	if (refused)
		count_refusal(login, why, words);
	waiters_wake_all(&login->news);
}

const struct fault *login_given_up(struct login *login, bool *ret_news)
{
	*ret_news = login->why && !login->told;
	if (*ret_news)
		login->told = true;
	return login->why;
}
