/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, waiting and writing on one IMAP connection, see session.h. How a connection comes to be is
 * in connect.c; each command has a file of its own. */
#include "imap/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "imap/note.h"
#include "imap/write.h"

enum { READ_SIZE = 128 << 10, LITERAL_MINUS_MAX = 4096, MAX_LINE = 8192 };

/* --- reading --------------------------------------------------------------------------------- */

int imap_break(struct imap_session *s, const struct fault *fault)
{
	if (fault->kind == FAULT_CANCELLED) {
		s->spoiled = true;
	} else if (!s->broken) {
		s->broken = true;
		s->fault = *fault;
	}
	waiters_wake_all(&s->progress);
	return -1;
}

static int is_broken(struct imap_session *s, struct fault *fault)
{
	if (!s->broken)
		return 0;

	*fault = s->fault;
	return -1;
}

/* Nothing came for a while. Whether that is a fault depends on whether the server owes us anything: an
 * APPEND whose message is still on its way is ours to finish first. */
static bool owes_answer(const struct imap_session *s)
{
	list_for_each(link, &s->pending) {
		const struct imap_command *c = list_entry(link, struct imap_command, link);

		return (c->sent || c->awaits_plus) && run_now() - s->last_sent >= s->account->silence_us;
	}
	return true;
}

static int read_once(struct imap_session *s, int64_t wait_us, struct fault *fault)
{
	_deadline_(wait_us);

	return stream_read(s->stream, s->buffer, READ_SIZE, fault);
}

/* Reads more bytes into the empty buffer. */
static int fill(struct imap_session *s, struct fault *fault)
{
	const char *label = s->account->label;
	int64_t began;
	int n;

	for (;;) {
		began = run_now();
		n = read_once(s, s->account->silence_us, fault);
		if (n >= 0 || fault->kind != FAULT_TIMEOUT)
			break;
		if (run_now() - began < s->account->silence_us) /* the caller's own deadline */
			return imap_break(s, fault);
		if (owes_answer(s)) {
			fault_set(fault, FAULT_TIMEOUT, REACH_SESSION, AGAIN_NOW,
				  "%s: the server said nothing for %g seconds; --timeout sets how "
				  "long to wait", label,
				  (double)s->account->silence_us / (double)SECOND);
			return imap_break(s, fault);
		}
	}

	if (n > 0) {
		s->input = (struct bytes){ s->buffer, (size_t)n };
		return 0;
	}
	if (n == 0 && s->bye[0])
		imap_said_bye(s, fault);
	else if (n == 0)
		fault_transport(fault, "%s: the server closed the connection without a word", label);
	else if (s->bye[0] && fault->kind != FAULT_CANCELLED)
		imap_said_bye(s, fault);
	else if (fault->kind != FAULT_CANCELLED)
		fault_prefix(fault, "%s", label);
	return imap_break(s, fault);
}

int imap_read(struct imap_session *s, struct imap_input *ret, struct fault *fault)
{
	if (is_broken(s, fault) < 0)
		return -1;

	for (;;) {
		ret->event = imap_parser_next(s->parser, &s->input, &ret->response, &ret->data);
		switch (ret->event) {
		case IMAP_EVENT_MORE:
			if (fill(s, fault) < 0)
				return -1;
			break;
		case IMAP_EVENT_BAD:
			fault_protocol(fault, "%s: this does not speak IMAP as we know it: %s",
				       s->account->label, imap_parser_error(s->parser));
			return imap_break(s, fault);
		case IMAP_EVENT_RESPONSE:
			imap_note(s, ret->response);
			return 0;
		default:
			return 0;
		}
	}
}

/* Reads one event for everybody, or waits while another fiber does. */
static int pump(struct imap_session *s, struct fault *fault)
{
	struct imap_input input;
	int r;

	if (is_broken(s, fault) < 0)
		return -1;

	if (s->reading) {
		if (waiters_wait(&s->progress, "an answer read by another fiber", fault) < 0)
			return imap_break(s, fault); /* our command stays unanswered */
		return 0;
	}

	s->reading = true;
	r = imap_read(s, &input, fault);
	s->reading = false;
	waiters_wake_all(&s->progress);
	return r;
}

int imap_wait(struct imap_session *s, struct imap_command *c, struct fault *fault)
{
	while (!c->done)
		if (pump(s, fault) < 0)
			return -1;

	return 0;
}

int imap_wait_continuation(struct imap_session *s, struct imap_command *c, struct fault *fault)
{
	c->awaits_plus = true;
	while (!s->continuations && !c->done)
		if (pump(s, fault) < 0)
			return -1;

	c->awaits_plus = false;
	if (c->done) /* the answer came instead, or overtook a "+" that is of no use now */
		return 1;

	s->continuations--;
	return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

static enum imap_doing doing(struct bytes verb)
{
	if (bytes_starts(verb, BYTES("UID ")))
		verb = bytes_skip(verb, 4);
	if (bytes_starts(verb, BYTES("FETCH ")))
		return IMAP_FETCHES;
	if (bytes_starts(verb, BYTES("APPEND ")) || bytes_starts(verb, BYTES("COPY ")) ||
	    bytes_starts(verb, BYTES("MOVE ")))
		return IMAP_FILLS;

	return IMAP_DOES_OTHERS;
}

void imap_begin(struct imap_session *s, struct imap_command *c, const char *verb)
{
	*c = (struct imap_command){ .condition = IMAP_BAD, .doing = doing(bytes_of(verb)) };
	snprintf(c->tag, sizeof(c->tag), "m%u", ++s->next_tag);
	list_append(&s->pending, &c->link);
	buf_appendf(&s->out, "%s %s", c->tag, verb);
}

void imap_command_done(struct imap_command *c)
{
	if (c->link.next)
		list_remove(&c->link);
}

void imap_put(struct imap_session *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vappendf(&s->out, format, args);
	va_end(args);
}

size_t imap_put_set(struct imap_session *s, const struct imap_range *ranges, size_t n, size_t behind)
{
	size_t used = s->out.n + behind + 2;

	return imap_write_set_part(&s->out, ranges, n, used < MAX_LINE ? MAX_LINE - used : 0);
}

int imap_flush_data(struct imap_session *s, struct bytes data, struct fault *fault)
{
	_deadline_(s->account->silence_us);

	if (is_broken(s, fault) < 0)
		return -1;
	if (s->spoiled) /* what went out may have been half a command or half a message */
		return fault_cancelled(fault);

	if (stream_write(s->stream, data, fault) == 0) {
		s->last_sent = run_now();
		return 0;
	}

	if (fault->kind == FAULT_TIMEOUT)
		fault_set(fault, FAULT_TIMEOUT, REACH_SESSION, AGAIN_NOW,
			  "%s: the server took no more data for %g seconds", s->account->label,
			  (double)s->account->silence_us / (double)SECOND);
	else if (s->bye[0] && fault->kind != FAULT_CANCELLED)
		imap_said_bye(s, fault);
	else if (fault->kind != FAULT_CANCELLED)
		fault_prefix(fault, "%s", s->account->label);
	return imap_break(s, fault);
}

int imap_flush(struct imap_session *s, struct fault *fault)
{
	if (imap_flush_data(s, buf_bytes(&s->out), fault) < 0)
		return -1;

	buf_reset(&s->out);
	return 0;
}

int imap_send(struct imap_session *s, struct imap_command *c, struct fault *fault)
{
	buf_append_str(&s->out, "\r\n");
	c->sent = true;
	return imap_flush(s, fault);
}

const char *imap_literal_suffix(const struct imap_session *s, uint64_t size)
{
	if (imap_can(&s->capabilities, IMAP_CAP_LITERAL_PLUS))
		return "+";

	if (imap_can(&s->capabilities, IMAP_CAP_LITERAL_MINUS) && size <= LITERAL_MINUS_MAX)
		return "+";

	return "";
}

bool imap_string_waits(const struct imap_session *s, struct bytes string)
{
	return imap_string_form(string, s->utf8) == IMAP_STRING_LITERAL &&
	       !imap_literal_suffix(s, string.n)[0];
}

static int put_literal(struct imap_session *s, struct imap_command *c, struct bytes string,
		       struct fault *fault)
{
	const char *suffix = imap_literal_suffix(s, string.n);
	int r;

	imap_put(s, "{%zu%s}\r\n", string.n, suffix);
	if (!suffix[0]) {
		s->continuations = 0;
		if (imap_flush(s, fault) < 0)
			return -1;
		r = imap_wait_continuation(s, c, fault);
		if (r)
			return r;
	}

	buf_append_bytes(&s->out, string);
	return 0;
}

int imap_put_string(struct imap_session *s, struct imap_command *c, struct bytes string,
		    struct fault *fault)
{
	switch (imap_string_form(string, s->utf8)) {
	case IMAP_STRING_QUOTED:
		imap_write_quoted(&s->out, string);
		return 0;
	case IMAP_STRING_LITERAL:
		return put_literal(s, c, string, fault);
	case IMAP_STRING_NONE:
		break;
	}

	/* As if the command had not been begun: the session is still of use. */
	list_remove(&c->link);
	buf_reset(&s->out);
	return fault_set(fault, FAULT_DATA, REACH_FOLDER, AGAIN_NEVER,
			 "%s: a name or password with a NUL byte cannot be sent", s->account->label);
}

int imap_simple(struct imap_session *s, const char *verb, struct fault *fault)
{
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };

	imap_begin(s, &c, verb);
	if (imap_send(s, &c, fault) < 0 || imap_wait(s, &c, fault) < 0)
		return -1;

	return imap_refused(s, &c, fault, "%s was refused", verb);
}

/* --- end of life ----------------------------------------------------------------------------- */

struct imap_session *imap_session_free(struct imap_session *s)
{
	if (!s)
		return NULL;

	stream_free(s->stream);
	imap_parser_free(s->parser);
	free(s->buffer);
	buf_done(&s->out);
	buf_done(&s->selected.permanent);
	if (s->entered && s->account->leave)
		s->account->leave(s->account->enter_arg);
	free(s);
	return NULL;
}

void imap_logout(struct imap_session *s)
{
	struct fault ignored;
	int64_t before;

	if (!s)
		return;

	if (!s->broken && !s->spoiled && list_is_empty(&s->pending)) {
		_cleanup_(imap_command_done) struct imap_command c = { .sent = false };

		before = run_shield(2 * SECOND);
		imap_begin(s, &c, "LOGOUT");
		if (imap_send(s, &c, &ignored) == 0)
			imap_wait(s, &c, &ignored);
		run_unshield(before);
	}
	imap_session_free(s);
}
