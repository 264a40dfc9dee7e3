/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers responses from bytes as they come, see response.h. It knows lines, literals and
 * where a body begins; what the text means is for parse.c and its fellows.
 *
 * The text of a response is gathered in pieces: a literal that is a body ends one piece,
 * and what follows it is the next. A piece is read where it stands in the caller's input
 * when it is one line and all there, which is the rule; else from p->piece. Pieces before a
 * body are copied into the arena, so that what they said lives until the response is
 * complete. Every piece is read once: no quadratic work.
 *
 * The events depend on the bytes only, never on how they were cut. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "imap/parse.h"
#include "imap/response.h"

enum { KEEP_BYTES = 65536 }; /* one large response must not hold its memory for ever */

enum state {
	AT_START,     /* before a response; the last one's data is still there */
	AT_LINE,      /* gathering a line of a response */
	AT_LITERAL,   /* gathering a literal that is no body */
	AT_PIECE,     /* reading attributes of a FETCH out of a piece */
	AT_TEXT_BODY, /* handing out a body that stood in a piece */
	AT_BODY,      /* handing out a literal that is a body */
	AT_BAD,
};

struct imap_parser {
	struct imap_parser_limits limits;
	struct arena arena;
	struct imap_response response;
	enum state state;
	enum imap_form form;
	size_t used;         /* bytes of the response so far, without bodies */
	struct buf piece;    /* gathered, not yet read */
	size_t line_at;      /* where in it the current line begins */
	bool begun;          /* the first line came: form is set */
	bool after_body;     /* nothing came yet since a streamed body */
	uint64_t left;       /* bytes of the literal that are still to come */

	/* The piece of a FETCH that is being read. */
	struct bytes text;
	bool borrowed;       /* it lies in the caller's input */
	struct lex lex;
	struct imap_fetch_data before; /* what was known at its beginning */
	bool first;          /* it begins with "* 12 FETCH" */
	bool then_body;      /* a literal body follows it, with this section: */
	struct bytes section;
	struct bytes text_body;

	char error[256];
};

/* The arguments of one imap_parser_next(). */
struct call {
	struct bytes *input;
	const struct imap_response **ret_response;
	struct bytes *ret_data;
};

enum { GO_ON = -1 }; /* beside enum imap_event: no event yet, take the next step */

struct imap_parser *imap_parser_new(struct imap_parser_limits limits)
{
	struct imap_parser *p = xzalloc(sizeof(*p));

	p->limits = limits;
	return p;
}

struct imap_parser *imap_parser_free(struct imap_parser *p)
{
	if (!p)
		return NULL;

	arena_done(&p->arena);
	buf_done(&p->piece);
	free(p);
	return NULL;
}

const char *imap_parser_error(const struct imap_parser *p)
{
	return p->error;
}

static void forget_response(struct imap_parser *p)
{
	arena_reset(&p->arena);
	memset(&p->response, 0, sizeof(p->response));
	if (p->piece.size > KEEP_BYTES)
		buf_done(&p->piece);
	else
		buf_reset(&p->piece);

	p->used = 0;
	p->line_at = 0;
	p->begun = false;
	p->after_body = false;
	p->first = true;
}

void imap_parser_reset(struct imap_parser *p)
{
	forget_response(p);
	p->state = AT_START;
	p->error[0] = '\0';
}

static int PRINTF_LIKE(2, 3) bad(struct imap_parser *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->error, sizeof(p->error), format, args);
	va_end(args);
	p->state = AT_BAD;
	return IMAP_EVENT_BAD;
}

/* bad(), with the beginning of what was not understood. */
static int bad_text(struct imap_parser *p, const char *what, struct bytes text)
{
	char excerpt[64];
	size_t n = text.n < sizeof(excerpt) - 1 ? text.n : sizeof(excerpt) - 1;

	for (size_t i = 0; i < n; i++)
		excerpt[i] = text.p[i] >= ' ' && text.p[i] < 127 ? text.p[i] : '?';
	excerpt[n] = '\0';
	return bad(p, "%s: \"%s\"", what, excerpt);
}

static struct bytes without_line_end(struct bytes line)
{
	while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	return line;
}

/* The caller takes n bytes of the response from the input. 0, or -1 when that makes it too
 * large. */
static int count_bytes(struct imap_parser *p, size_t n)
{
	if (n > p->limits.max_response - p->used)
		return -1;

	p->used += n;
	return 0;
}

/* 1: a line is there, in the input (then p->borrowed) or at the end of p->piece. 0: not
 * yet. -1: bad. */
static int next_line(struct imap_parser *p, struct bytes *input, struct bytes *ret)
{
	const char *end = memchr(input->p, '\n', input->n);
	size_t n = end ? (size_t)(end - input->p) + 1 : input->n;
	struct bytes taken = bytes_head(*input, n);

	if (count_bytes(p, n) < 0) {
		bad(p, "a response of more than %zu bytes", p->limits.max_response);
		return -1;
	}

	*input = bytes_skip(*input, n);
	p->borrowed = end && p->piece.n == 0;
	if (p->borrowed) {
		*ret = taken;
		return 1;
	}

	buf_append_bytes(&p->piece, taken);
	*ret = bytes_skip(buf_bytes(&p->piece), p->line_at);
	return end != NULL;
}

/* "{12}", "{12+}", "~{12}" at the end of a line. 1: *ret_before is what stands before it,
 * *ret its digits. What only looks alike ("foo{12}") is no literal. */
static int literal_at_end(struct bytes line, struct bytes *ret_before, struct bytes *ret)
{
	size_t end;

	line = without_line_end(line);
	if (line.n == 0 || line.p[line.n - 1] != '}')
		return 0;

	line.n--;
	if (line.n && line.p[line.n - 1] == '+')
		line.n--;
	end = line.n;
	while (line.n && ascii_is_digit(line.p[line.n - 1]))
		line.n--;
	if (line.n == end || line.n == 0 || line.p[line.n - 1] != '{')
		return 0;

	*ret = (struct bytes){ line.p + line.n, end - line.n };
	line.n--;
	if (line.n && line.p[line.n - 1] == '~')
		line.n--;
	if (line.n == 0 || !memchr(" \t()]>", line.p[line.n - 1], 6))
		return 0;

	*ret_before = line;
	return 1;
}

/* A new piece of a FETCH is complete. */
static int start_piece(struct imap_parser *p, struct bytes text)
{
	p->response.kind = IMAP_FETCH;
	p->text = text;
	p->before = p->response.fetch;
	p->lex = lex_of(text, &p->arena);
	if (p->first)
		imap_parse_fetch_start(&p->lex, &p->response.fetch);
	p->state = AT_PIECE;
	return GO_ON;
}

/* A literal that is a body ends the line. `before` is the line up to it and item the length
 * of its name. */
static int start_body(struct imap_parser *p, struct bytes before, size_t item, uint64_t size)
{
	struct bytes all = before, copy;

	if (size > p->limits.max_body)
		return bad(p, "a body of %llu bytes", (unsigned long long)size);

	if (!p->borrowed)
		all = bytes_head(buf_bytes(&p->piece), p->line_at + before.n);
	copy = arena_copy(&p->arena, all);
	imap_fetch_body_item(bytes_skip(copy, copy.n - before.n), &p->section);
	buf_reset(&p->piece);
	p->line_at = 0;
	p->borrowed = false;
	p->then_body = true;
	p->left = size;
	return start_piece(p, bytes_head(copy, copy.n - item));
}

static int start_literal(struct imap_parser *p, struct bytes line, uint64_t size)
{
	if (size > SIZE_MAX || count_bytes(p, (size_t)size) < 0)
		return bad(p, "a literal of %llu bytes in a response of at most %zu",
			   (unsigned long long)size, p->limits.max_response);

	if (p->borrowed)
		buf_append_bytes(&p->piece, line);
	p->left = size;
	p->state = AT_LITERAL;
	return GO_ON;
}

/* No literal follows: the response is complete. */
static int finish(struct imap_parser *p, struct bytes line, struct call *call)
{
	struct bytes text = p->borrowed ? line : buf_bytes(&p->piece);

	/* The end of this line only: what stands before it may be a literal. */
	text.n -= line.n - without_line_end(line).n;
	if (p->form == IMAP_FORM_FETCH) {
		p->then_body = false;
		return start_piece(p, text);
	}

	if (imap_parse(text, &p->arena, &p->response) < 0)
		return bad_text(p, "a response that cannot be read", text);

	*call->ret_response = &p->response;
	p->state = AT_START;
	return IMAP_EVENT_RESPONSE;
}

static int line_done(struct imap_parser *p, struct bytes line, struct call *call)
{
	struct bytes before, digits, section;
	uint64_t size;
	size_t item;

	if (p->form == IMAP_FORM_TEXT || !literal_at_end(line, &before, &digits))
		return finish(p, line, call);

	if (bytes_to_u64(digits, UINT64_MAX, &size) < 0)
		return bad_text(p, "a literal of more bytes than can be", digits);

	item = p->form == IMAP_FORM_FETCH ? imap_fetch_body_item(before, &section) : 0;
	return item ? start_body(p, before, item, size) : start_literal(p, line, size);
}

/* What follows a body must go on with the list. Anything else means that the literal's
 * length was a lie; then what we took for the message was not the message. */
static bool goes_on(struct bytes line)
{
	struct bytes text = bytes_trim(line), before, digits;

	return text.n == 0 || text.p[text.n - 1] == ')' || literal_at_end(line, &before, &digits);
}

static int step_line(struct imap_parser *p, struct call *call)
{
	struct bytes line;
	int r;

	if (call->input->n == 0)
		return IMAP_EVENT_MORE;
	if (p->after_body && p->piece.n == 0 && !memchr(" \t\r\n)", call->input->p[0], 5))
		return bad(p, "a FETCH that does not go on after a body of %llu bytes",
			   (unsigned long long)p->response.fetch.body_size);

	r = next_line(p, call->input, &line);
	if (r <= 0)
		return r < 0 ? IMAP_EVENT_BAD : IMAP_EVENT_MORE;

	if (p->after_body && !goes_on(line))
		return bad_text(p, "a FETCH that does not end after its body", line);
	if (bytes_trim(line).n == 0 && (p->after_body || !p->begun)) {
		buf_reset(&p->piece); /* stray empty lines mean nothing */
		if (!p->begun)
			p->used = 0;
		return GO_ON;
	}

	p->after_body = false;
	if (!p->begun) {
		p->begun = true;
		p->form = imap_form(line);
	}
	return line_done(p, line, call);
}

static int step_start(struct imap_parser *p, struct call *call)
{
	forget_response(p);
	p->state = AT_LINE;
	return GO_ON;
}

static int step_literal(struct imap_parser *p, struct call *call)
{
	size_t n = call->input->n;

	if (p->left == 0) {
		p->line_at = p->piece.n;
		p->state = AT_LINE;
		return GO_ON;
	}
	if (n == 0)
		return IMAP_EVENT_MORE;

	if (n > p->left)
		n = (size_t)p->left;
	buf_append(&p->piece, call->input->p, n);
	*call->input = bytes_skip(*call->input, n);
	p->left -= n;
	return GO_ON;
}

/* What has been read of the piece lies in the caller's input and would not outlive the
 * events of a body: begin again with a copy. */
static int own_piece(struct imap_parser *p)
{
	p->borrowed = false;
	p->response.fetch = p->before;
	return start_piece(p, arena_copy(&p->arena, p->text));
}

static int step_piece(struct imap_parser *p, struct call *call)
{
	struct imap_fetch_data *fetch = &p->response.fetch;
	int r = imap_parse_fetch(&p->lex, fetch, &p->text_body);

	if (r > 0 && p->borrowed)
		return own_piece(p);
	if (r < 0 && !p->first)
		return bad_text(p, "a FETCH that cannot be read after its body", p->text);

	*call->ret_response = &p->response;
	if (r > 0) {
		if (p->text_body.n > p->limits.max_body)
			return bad(p, "a body of %zu bytes", p->text_body.n);
		p->state = AT_TEXT_BODY;
		return IMAP_EVENT_BODY_BEGIN;
	}

	if (p->then_body) {
		fetch->has |= IMAP_FETCH_BODY;
		fetch->section = p->section;
		fetch->body_size = p->left;
		p->first = false;
		p->state = AT_BODY;
		return IMAP_EVENT_BODY_BEGIN;
	}

	p->state = AT_START;
	return IMAP_EVENT_RESPONSE;
}

static int step_text_body(struct imap_parser *p, struct call *call)
{
	if (p->text_body.n == 0) {
		p->state = AT_PIECE;
		return IMAP_EVENT_BODY_END;
	}

	*call->ret_data = p->text_body;
	p->text_body = BYTES_NULL;
	return IMAP_EVENT_BODY;
}

static int step_body(struct imap_parser *p, struct call *call)
{
	if (p->left == 0) {
		p->after_body = true;
		p->state = AT_LINE;
		return IMAP_EVENT_BODY_END;
	}
	if (call->input->n == 0)
		return IMAP_EVENT_MORE;

	*call->ret_data = bytes_head(*call->input, p->left < SIZE_MAX ? (size_t)p->left : SIZE_MAX);
	*call->input = bytes_skip(*call->input, call->ret_data->n);
	p->left -= call->ret_data->n;
	return IMAP_EVENT_BODY;
}

static int step_bad(struct imap_parser *p, struct call *call)
{
	return IMAP_EVENT_BAD;
}

enum imap_event imap_parser_next(struct imap_parser *p, struct bytes *input,
				 const struct imap_response **ret_response, struct bytes *ret_data)
{
	static int (*const steps[])(struct imap_parser *p, struct call *call) = {
		[AT_START] = step_start,     [AT_LINE] = step_line,
		[AT_LITERAL] = step_literal, [AT_PIECE] = step_piece,
		[AT_TEXT_BODY] = step_text_body, [AT_BODY] = step_body,
		[AT_BAD] = step_bad,
	};
	struct call call = { input, ret_response, ret_data };
	int event;

	do
		event = steps[p->state](p, &call);
	while (event == GO_ON);

	return (enum imap_event)event;
}
