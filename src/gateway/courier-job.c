/* SPDX-License-Identifier: Apache-2.0 */
/* One job: a connection, a transaction on it, and what came of it. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/gateway.h"
#include "gateway/courier-inside.h"
#include "os/step.h"

struct piece {
	struct list link;
	size_t n;
	char bytes[];
};

/* --- content --------------------------------------------------------------------------------- */

void courier_work_take_content(struct courier_work *work, struct bytes content)
{
	struct piece *piece;

	work->came += content.n;
	if (work->is_over || content.n == 0)
		return;

	piece = xmalloc(sizeof(*piece) + content.n);
	piece->n = content.n;
	memcpy(piece->bytes, content.p, content.n);
	list_append(&work->pieces, &piece->link);
	work->waiting += content.n;
	waiters_wake_all(&work->news);
}

static void drop_content(struct courier_work *work)
{
	free(work->at_hand);
	work->at_hand = NULL;
	list_for_each_safe(link, &work->pieces)
		free(list_entry(link, struct piece, link));
	list_init(&work->pieces);
	work->waiting = 0;
}

void courier_work_free(struct courier_work *work)
{
	drop_content(work);
	free(work->deliveries);
	arena_done(&work->arena);
	free(work);
}

/* What is sent makes room for more, told in steps. */
static void tell_taken(struct courier_work *work)
{
	struct courier_taken taken = { work->sent - work->told };

	if (work->job.size <= COURIER_WINDOW || taken.bytes < COURIER_WINDOW / 4)
		return;
	work->told = work->sent;
	courier_put_report(work->courier->link, REPORT_TAKEN, work->id, &taken);
}

SUSPENDS static int next_content(void *arg, struct bytes *ret_piece, struct fault *fault)
{
	struct courier_work *work = arg;
	struct piece *piece;

	free(work->at_hand);
	work->at_hand = NULL;
	tell_taken(work);
	if (work->sent == work->job.size)
		return 0;
	while (list_is_empty(&work->pieces)) {
		if (work->word == COURIER_SAID_NO)
			return fault_cancelled(fault);
		if (waiters_wait(&work->news, "content", fault) < 0)
			return -1;
	}

	piece = list_entry(work->pieces.next, struct piece, link);
	list_remove(&piece->link);
	work->waiting -= piece->n;
	work->sent += piece->n;
	work->at_hand = piece;
	*ret_piece = (struct bytes){ piece->bytes, piece->n };
	step_point("courier content");
	return 1;
}

/* --- before the dot -------------------------------------------------------------------------- */

SUSPENDS static int before_dot(void *arg, struct fault *fault)
{
	struct courier_work *work = arg;
	_cleanup_(arena_done) struct arena arena = { NULL };
	struct courier_ask ask = { NULL, 0 };

	ask.recipients = arena_alloc(&arena, work->job.n_recipients * sizeof(uint64_t));
	for (size_t i = 0; i < work->job.n_recipients; i++)
		if (work->deliveries[i].outcome == SMTP_UNTRIED &&
		    work->deliveries[i].stage == SMTP_AT_DATA)
			ask.recipients[ask.n_recipients++] = i;
	step_point("courier ask");
	work->asked = true;
	courier_put_report(work->courier->link, REPORT_ASK, work->id, &ask);
	while (work->word == COURIER_NOTHING_SAID)
		if (waiters_wait(&work->news, "go", fault) < 0)
			return -1;

	step_point("courier go");
	return work->word == COURIER_SAID_GO ? 0 : fault_cancelled(fault);
}

/* --- results --------------------------------------------------------------------------------- */

static void put_outcome(struct courier_work *work, size_t i, struct courier_outcome *to)
{
	const struct smtp_delivery *d = &work->deliveries[i];

	*to = (struct courier_outcome){
		.recipient = i, .outcome = d->outcome, .stage = d->stage,
		.about = d->judgement.about, .code = d->code,
		.after_us = d->judgement.after_us > 0 ? (uint64_t)d->judgement.after_us : 0,
		.closes = d->judgement.closes,
		.text = bytes_head(d->text, COURIER_TEXT),
		.remote_id = bytes_head(d->remote_id, COURIER_TEXT / 4),
	};
	if (d->enhanced[0])
		to->enhanced = bytes_of(arena_printf(&work->arena, "%u.%u.%u", d->enhanced[0],
						     d->enhanced[1], d->enhanced[2]));
}

/* In as many frames as the recipients need; `last` is what the last one says besides. */
static void report(struct courier_work *work, struct courier_result *last)
{
	size_t at = 0, n = work->job.n_recipients, most = n < COURIER_OUTCOMES ? n : COURIER_OUTCOMES;
	struct courier_outcome *outcomes = arena_alloc(&work->arena, (most + 1) * sizeof(*outcomes));

	work->is_over = true;
	drop_content(work);
	do {
		struct courier_result part = { .outcomes = outcomes };

		while (at < n && part.n_outcomes < COURIER_OUTCOMES)
			put_outcome(work, at++, &outcomes[part.n_outcomes++]);
		if (at == n) {
			last->outcomes = part.outcomes;
			last->n_outcomes = part.n_outcomes;
			last->last = 1;
			part = *last;
		}
		courier_put_report(work->courier->link, REPORT_RESULT, work->id, &part);
	} while (at < n);
}

static void say_why(struct courier_work *work, const struct fault *fault, struct courier_result *to)
{
	const char *between = fault->server[0] ? ": " : "";
	char *text = arena_printf(&work->arena, "%s%s%s", fault->text, between, fault->server);

	/* A server's words, in a certificate's name too: the keeper takes lines only. */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	to->text = bytes_head(bytes_of(text), COURIER_TEXT);
	to->after_us = fault->after_us > 0 ? (uint64_t)fault->after_us : 0;
}

/* The session could not begin. Who answers 421, or asks for less, is alive and has too many of us. */
static void explain_no_session(struct courier_work *work, const struct smtp_client *client,
			       const struct fault *fault, struct courier_result *to)
{
	enum smtp_stage stage;
	const struct smtp_reply *reply = smtp_client_refusal(client, &stage);
	struct smtp_judgement judgement;

	to->end = COURIER_UNREACHABLE;
	say_why(work, fault, to);
	if (!reply)
		return;

	to->code = reply->code;
	smtp_judge(reply, stage, &judgement);
	if (stage != SMTP_AT_STARTTLS &&
	    (reply->code == 421 || judgement.about == SMTP_ABOUT_SERVER_THROTTLE))
		to->end = COURIER_TOO_MANY;
}

/* --- a job ----------------------------------------------------------------------------------- */

static void read_origin(const struct courier_job *job, struct smtp_origin *to)
{
	*to = (struct smtp_origin){ job->name, job->addr, job->port, job->proto, job->helo, job->ident };
}

static void fill_message(struct courier_work *work, const struct smtp_origin *origin,
			 struct smtp_message *to)
{
	const struct courier_job *job = &work->job;

	work->deliveries = xzalloc((job->n_recipients ? job->n_recipients : 1) * sizeof(*work->deliveries));
	for (size_t i = 0; i < job->n_recipients; i++)
		work->deliveries[i] = (struct smtp_delivery){
			.to = job->recipients[i].to,
			.notify = (unsigned)job->recipients[i].notify,
			.orcpt = job->recipients[i].orcpt,
		};
	*to = (struct smtp_message){
		.from = job->from, .size = job->size, .has_8bit = job->has_8bit,
		.smtputf8 = job->smtputf8, .envid = job->envid,
		.ret = job->ret == SMTP_RET_FULL ? SMTP_RET_FULL
		       : job->ret == SMTP_RET_HDRS ? SMTP_RET_HDRS : SMTP_RET_NONE,
		.origin = work->place->target->client == CONFIG_CLIENT_XFORWARD ? origin : NULL,
		.recipients = work->deliveries, .n_recipients = job->n_recipients,
		.content = next_content, .before_dot = before_dot, .arg = work,
	};
}

/* Nothing was said and nothing sent: the server had closed while the connection was idle. */
static bool is_as_if_never_begun(const struct courier_work *work)
{
	if (work->sent > 0 || work->asked)
		return false;
	for (size_t i = 0; i < work->job.n_recipients; i++) {
		const struct smtp_delivery *d = &work->deliveries[i];

		if (d->outcome != SMTP_UNTRIED || d->stage == SMTP_AT_DATA || d->code)
			return false;
	}
	return true;
}

SUSPENDS static int obtain(struct courier_work *work, const struct smtp_origin *origin, bool fresh,
			   struct courier_connection **ret, struct courier_result *result,
			   struct fault *fault)
{
	*ret = fresh ? NULL : courier_take_idle(work->place);
	result->reused = *ret != NULL;
	if (*ret)
		return 0;
	if (courier_connect(work->place,
			    work->place->target->client == CONFIG_CLIENT_XCLIENT ? origin : NULL, ret,
			    fault) < 0)
		return -1;
	step_point("courier connected");
	return 0;
}

SUSPENDS static void transact(struct courier_work *work, struct courier_connection **ret_connection,
			      struct courier_result *result)
{
	struct courier_connection *connection = NULL;
	struct smtp_origin origin;
	struct smtp_message message;
	const char *tls;
	bool again = false;

	read_origin(&work->job, &origin);
	fill_message(work, &origin, &message);
	for (;;) {
		struct fault fault = FAULT_INIT;

		if (obtain(work, &origin, again, &connection, result, &fault) < 0) {
			explain_no_session(work, connection->client, &fault, result);
			break;
		}
		connection->messages++;
		result->end = COURIER_WORKED;
		tls = smtp_client_tls(connection->client);
		result->tls = tls ? bytes_of(arena_strdup(&work->arena, tls)) : BYTES_NULL;
		result->offers_dsn = (smtp_client_offers(connection->client) & SMTP_DSN) != 0;
		if (smtp_client_send(connection->client, &message, &work->arena, &fault) == 0)
			break;

		if (result->reused && !again && is_as_if_never_begun(work) && !run_is_cancelled()) {
			courier_connection_free(connection);
			again = true;
			continue;
		}
		say_why(work, &fault, result);
		result->end = fault.kind == FAULT_CANCELLED || fault.kind == FAULT_DATA ? COURIER_STOPPED
											: COURIER_LOST;
		break;
	}
	*ret_connection = connection;
}

SUSPENDS int courier_run_job(void *arg, struct fault *fault)
{
	struct courier_work *work = arg;
	struct courier_place *place = work->place;
	struct courier_connection *connection;
	struct courier_result result = { .last = 0 };

	(void)fault;
	transact(work, &connection, &result);
	report(work, &result);
	map_remove(&work->courier->by_id, (struct bytes){ (const char *)&work->id, sizeof(work->id) });
	courier_work_free(work);
	if (result.end == COURIER_WORKED)
		courier_give_back(place, connection);
	else
		courier_connection_free(connection);
	return 0;
}
