/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket and its connections, see control.h. */
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "gateway/control-inside.h"
#include "gateway/link-frames.h"
#include "os/process.h"

enum { SESSIONS = 16 };

#define IDLE_TIME MINUTE

struct control {
	struct keeper *k;
	struct local_listener *listener;
	struct nursery nursery;
	unsigned sessions;
	struct waiters room;
};

int control_say(struct control_session *s, uint16_t type, const struct field_table *table, const void *from,
		struct fault *fault)
{
	int64_t former = run_deadline_narrow(IDLE_TIME);
	int r;

	control_put(s->link, type, CONTROL_SAY_PART, table, from, &s->scratch);
	r = link_wait_room(s->link, fault);
	run_deadline_restore(former);
	return r;
}

SUSPENDS static int next_question(struct control_session *s, uint16_t *ret_type, struct fault *fault)
{
	int64_t former = run_deadline_narrow(IDLE_TIME);
	int r = control_next(s->link, CONTROL_ASK_MAX, ret_type, &s->question, fault);

	run_deadline_restore(former);
	arena_reset(&s->arena);
	if (r <= 0)
		return r;
	return fields_decode(&control_ask_table, buf_bytes(&s->question), &s->arena, &s->ask, fault) < 0 ? -1 : 1;
}

/* Whatever is wrong with a question is said, if the connection still hears it. */
SUSPENDS static int refuse(struct control_session *s, const struct fault *why, struct fault *fault)
{
	struct link_word word = { bytes_of(why->text) };

	return control_say(s, CONTROL_REFUSED, &link_word_table, &word, fault);
}

SUSPENDS static int talk(struct control_session *s, struct fault *fault)
{
	uint16_t type;
	int r;

	while ((r = next_question(s, &type, fault)) > 0) {
		struct control_end end = { .n = 0 };
		struct fault why;

		if (control_answer(s, type, &end, &why) < 0) {
			if (why.kind == FAULT_CANCELLED || refuse(s, &why, fault) < 0)
				return -1;
		} else if (control_say(s, CONTROL_END, &control_end_table, &end, fault) < 0) {
			return -1;
		}
	}
	if (r < 0 && (fault->kind == FAULT_LIMIT || fault->kind == FAULT_DATA)) {
		struct fault why = *fault;

		refuse(s, &why, fault);
	}
	return r;
}

struct name_job {
	unsigned uid;
	char name[65];
};

static int name_job(void *arg, struct fault *fault)
{
	struct name_job *job = arg;

	(void)fault;
	os_user_name(job->uid, job->name);
	return 0;
}

void control_serve(struct keeper *k, struct stream *stream, unsigned uid)
{
	struct control_session s = { .k = k, .link = link_new(stream, CONTROL_ASKS) };
	struct name_job job = { .uid = uid };
	struct fault fault;

	if (pool_call("an operator's name", name_job, &job, &fault) < 0)
		snprintf(job.name, sizeof(job.name), "uid %u", uid);
	s.user = job.name;
	/* What becomes of an operator's connection is no business of the gateway's. */
	(void)talk(&s, &fault);
	link_free(s.link);
	arena_done(&s.arena);
	buf_done(&s.question);
	buf_done(&s.scratch);
}

struct visit {
	struct control *control;
	struct stream *stream;
	unsigned uid;
};

static int serve(void *arg, struct fault *fault)
{
	struct visit *visit = arg;
	struct control *control = visit->control;

	(void)fault;
	control_serve(control->k, visit->stream, visit->uid);
	free(visit);
	control->sessions--;
	waiters_wake_one(&control->room);
	return 0;
}

int control_open(struct keeper *k, struct fault *fault)
{
	struct control *control = xzalloc(sizeof(*control));
	struct buf path = BUF_NULL;
	int r;

	control->k = k;
	waiters_init(&control->room);
	buf_appendf(&path, "%s/control", k->folder);
	r = local_listener_new(buf_str(&path), &control->listener, fault);
	buf_done(&path);
	if (r < 0) {
		free(control);
		return -1;
	}
	k->control = control;
	return 0;
}

int control_run(void *arg, struct fault *fault)
{
	struct control *control = arg;
	int r = 0;

	nursery_init(&control->nursery, "control");
	while (r == 0) {
		struct stream *stream;
		struct visit *visit;
		unsigned uid;

		r = local_listener_accept(control->listener, &stream, &uid, fault);
		if (r < 0 && fault->kind == FAULT_LIMIT)
			r = run_sleep(SECOND, fault);
		else if (r == 0) {
			visit = xmalloc(sizeof(*visit));
			*visit = (struct visit){ control, stream, uid };
			control->sessions++;
			nursery_start(&control->nursery, serve, visit, "operator");
		}
		while (r == 0 && control->sessions >= SESSIONS)
			r = waiters_wait(&control->room, "an operator to go", fault);
	}
	nursery_done(&control->nursery);
	return r;
}

struct control *control_free(struct control *control)
{
	if (!control)
		return NULL;

	local_listener_free(control->listener);
	free(control);
	return NULL;
}
