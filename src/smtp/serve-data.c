/* SPDX-License-Identifier: Apache-2.0 */
/* DATA: the content goes to the host as it comes. What will be refused is read to its true end and thrown away:
 * only then there is a reply, and nothing of it can be taken for a command. */
#include "smtp/session.h"

enum { BUFFER = 32768 };

static const struct smtp_answer *why_not(const struct smtp_session *s)
{
	static const struct smtp_answer no_mail = { 503, "5.5.1", "MAIL and RCPT come first" };
	static const struct smtp_answer nobody = { 554, "5.5.1", "No valid recipients" };

	if (!s->t.is_open)
		return &no_mail;
	return s->t.recipients_n == 0 ? &nobody : NULL;
}

/* What in the content itself stands against it, so far. */
static const struct smtp_answer *content_fault(const struct smtp_session *s, const struct smtp_data_reader *d)
{
	static const struct smtp_answer too_large = { 552, "5.3.4", "Message size exceeds the limit" };
	static const struct smtp_answer bare = { 550, "5.6.11", "Lines end in CR LF: bare CR or LF received" };
	static const struct smtp_answer nul = { 550, "5.6.0", "The message holds NUL" };
	static const struct smtp_answer long_line = { 554, "5.6.0", "A line is too long" };
	static const struct smtp_answer not_7bit = { 554, "5.6.1", "8-bit data needs BODY=8BITMIME" };
	const struct smtp_settings *set = s->settings;

	if (d->size > s->max_size)
		return &too_large;
	if (!set->normalise && (d->bare_lf || d->bare_cr))
		return &bare;
	if (set->refuse_nul && d->nul)
		return &nul;
	if (set->max_line && d->longest > set->max_line)
		return &long_line;
	if (set->refuse_8bit && d->has_8bit && s->t.mail.body != SMTP_BODY_8BITMIME && !s->t.mail.smtputf8)
		return &not_7bit;
	return NULL;
}

/* More data, within what is left of the client's time. 1, 0: the end, -1. */
SUSPENDS static int fill(struct smtp_session *s, int64_t *left_us, struct fault *fault)
{
	const struct smtp_settings *set = s->settings;
	int64_t began = run_now();
	size_t had = s->in_n;
	_deadline_(*left_us);
	int got = smtp_session_fill(s, BUFFER, fault);

	if (got <= 0)
		return got;
	if (set->min_rate == 0) {
		*left_us = set->data_us;
		return got;
	}

	*left_us -= run_now() - began;
	*left_us += (int64_t)((s->in_n - had) * (uint64_t)SECOND / set->min_rate);
	if (*left_us > set->data_us)
		*left_us = set->data_us;
	return got;
}

static void drop(struct smtp_session *s)
{
	if (s->begun)
		s->host->ops->drop(s->host);
	s->begun = false;
}

static void refuse_content(struct smtp_session *s, const struct smtp_content *content, struct smtp_say *say)
{
	const struct smtp_answer *wrong = s->begun ? content_fault(s, &content->data) : NULL;

	if (!wrong)
		return;
	drop(s);
	smtp_say_set(say, wrong->code, wrong->enhanced, "%s", wrong->text);
}

/* What has come to the host, or nowhere. 1: the end was found, 0: not yet, -1: cancelled. */
SUSPENDS static int pass(struct smtp_session *s, struct smtp_content *content, struct smtp_say *say, struct fault *fault)
{
	struct bytes in = smtp_session_input(s), span;
	enum smtp_data got;

	while ((got = smtp_data_read(&content->data, &in, &span)) == SMTP_DATA_SPAN) {
		refuse_content(s, content, say);
		if (!s->begun)
			continue;
		smtp_trace_feed(&content->trace, span);
		if (s->host->ops->piece(s->host, span, fault) < 0) {
			drop(s);
			if (smtp_session_excuse(fault, say) < 0)
				return -1;
		}
	}
	smtp_session_consume(s, s->in_n - in.n);
	return got == SMTP_DATA_END;
}

/* The client hears the true answer, also when we are told to stop meanwhile. */
SUSPENDS static int finish(struct smtp_session *s, const struct smtp_content *content, struct smtp_say *say,
			   struct fault *fault)
{
	int64_t former = run_shield(s->settings->finish_us);
	int r;

	s->begun = false;
	smtp_say_set(say, 250, "2.0.0", "Ok");
	r = s->host->ops->finish(s->host, &s->client, &s->t, content, say, fault);
	run_unshield(former);
	return r < 0 ? smtp_session_excuse(fault, say) : 0;
}

SUSPENDS static int take_content(struct smtp_session *s, struct fault *fault)
{
	struct smtp_content *content = arena_alloc(&s->t.arena, sizeof(*content));
	int64_t left_us = s->settings->data_us;
	struct smtp_say say;
	int got;

	content->data.normalise = s->settings->normalise;
	while ((got = pass(s, content, &say, fault)) == 0) {
		got = fill(s, &left_us, fault);
		if (got < 0)
			return -1;
		if (got == 0)
			return fault_transport(fault, "%s ended in the middle of a message", (*s->stream)->peer);
	}
	if (got < 0)
		return -1;

	refuse_content(s, content, &say);
	smtp_trace_finish(&content->trace);
	if (s->begun) {
		if (finish(s, content, &say, fault) < 0)
			return -1;
		s->unheard = say.code < 300;
	}
	if (say.code < 300)
		s->errors = s->idle = 0;
	smtp_session_reset(s);
	return smtp_session_say(s, &say, fault);
}

SUSPENDS int smtp_serve_data(struct smtp_session *s, const struct smtp_command *c, struct fault *fault)
{
	const struct smtp_answer *wrong = why_not(s);
	struct smtp_say say;

	if (wrong) {
		smtp_session_reset(s);
		return smtp_session_answer(s, wrong, fault);
	}

	smtp_say_set(&say, 250, "2.0.0", "Ok");
	if (s->host->ops->begin && s->host->ops->begin(s->host, &s->client, &s->t, &say, fault) < 0 &&
	    smtp_session_excuse(fault, &say) < 0)
		return -1;
	if (say.code >= 300) {
		smtp_session_reset(s);
		return smtp_session_say(s, &say, fault);
	}

	s->begun = true;
	if (smtp_session_line(s, "354 End data with <CR><LF>.<CR><LF>\r\n", fault) < 0)
		return -1;
	return take_content(s, fault);
}
