/* SPDX-License-Identifier: Apache-2.0 */
/* Reading status files and summing them up, see status-show.h. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "cli/commands.h"
#include "cli/status-show.h"
#include "os/file.h"

void status_view_open(struct status_view *view, const struct choice *choice)
{
	view->choice = choice;
	view->n = choice->n;
	view->rows_p = xzalloc((choice->n + 1) * sizeof(*view->rows_p));
	os_host_name(view->host);
	for (size_t i = 0; i < choice->n; i++) {
		struct status_row *row = &view->rows_p[i];
		struct buf path = BUF_NULL;

		fleet_status_path(choice->state, choice->mailboxes[i]->address, &path);
		row->path = buf_take(&path);
		fleet_verified_path(choice->state, choice->mailboxes[i]->address, &path);
		row->verified_path = buf_take(&path);
		row->mailbox = choice->mailboxes[i];
		row->fresh = true;
		fleet_status_init(&row->status, row->mailbox->address, row->mailbox->wave);
	}
}

void status_view_close(struct status_view *view)
{
	for (size_t i = 0; i < view->n; i++) {
		free(view->rows_p[i].path);
		free(view->rows_p[i].verified_path);
		arena_done(&view->rows_p[i].arena);
	}
	free(view->rows_p);
	view->rows_p = NULL;
	view->n = 0;
}

static void read_row(struct status_row *row)
{
	row->fresh = true;
	arena_done(&row->arena);
	if (fleet_status_read(row->path, &row->arena, &row->status) == 0) {
		/* The list says which wave it belongs to now, and how it is called. */
		row->status.mailbox = row->mailbox->address;
		row->status.wave = row->mailbox->wave;
		return;
	}
	fleet_status_init(&row->status, row->mailbox->address, row->mailbox->wave);
}

static void read_verified(struct status_row *row)
{
	enum { FILE_MAX = 16 << 10 };
	_cleanup_(buf_done) struct buf content = BUF_NULL;
	struct fault ignored;

	row->fresh = true;
	row->verified = (struct verify_last){ .at = 0 };
	if (os_read_file(row->verified_path, FILE_MAX, &content, &ignored) == 0)
		verify_last_of(buf_str(&content), &row->verified);
}

static enum status_ready how_ready(const struct status_row *row)
{
	const struct fleet_status *s = &row->status;
	const struct verify_last *v = &row->verified;

	/* A pass that did not go through may have done anything, once it knew the folders. */
	bool open = s->state != FLEET_DONE && s->folders;

	if (!v->at)
		return STATUS_NEVER;
	if ((open || !s->last_change ? s->updated : s->last_change) / SECOND > v->at)
		return STATUS_OUTDATED;

	return v->grade == VERIFY_READY ? STATUS_READY : v->grade == VERIFY_READY_ACCEPTED ? STATUS_ACCEPTED
									: STATUS_NOT_READY;
}

/* 0, or 1 when the file is another one than at the last look. */
static int has_changed(const char *path, struct os_stamp *last, struct fault *fault)
{
	struct os_stamp stamp = { 0, 0, 0 };
	int r = os_stamp(path, &stamp, fault);

	if (r < 0)
		return -1;
	if (r > 0)
		stamp = (struct os_stamp){ 0, 0, 0 };
	r = memcmp(&stamp, last, sizeof(stamp)) != 0;
	*last = stamp;
	return r;
}

int status_view_refresh(struct status_view *view, struct fault *fault)
{
	view->now = run_wall();
	for (size_t i = 0; i < view->n; i++) {
		struct status_row *row = &view->rows_p[i];
		int changed = has_changed(row->path, &row->stamp, fault);
		int verified = has_changed(row->verified_path, &row->verified_stamp, fault);
		enum fleet_state was;

		if (changed < 0 || verified < 0)
			return -1;
		if (changed)
			read_row(row);
		if (verified)
			read_verified(row);
		was = row->status.state;
		fleet_status_look(&row->status, view->host, view->now);
		row->ready = how_ready(row);
		row->fresh |= row->status.state != was;
	}
	return 0;
}

/* --- sums ------------------------------------------------------------------------------------ */

static void add(struct status_sum *sum, const struct status_row *row)
{
	const struct fleet_status *s = &row->status;
	bool bad = false;

	sum->mailboxes++;
	sum->ready[row->ready]++;
	sum->states[s->state]++;
	for (size_t i = 0; i < CAUSE_COUNT_; i++) {
		sum->exceptions[i] += s->causes[i];
		bad |= s->causes[i] > 0;
	}
	sum->with_exceptions += bad;
	sum->messages += s->messages;
	sum->messages_done += s->messages_done;
	sum->size += s->size;
	if (s->state != FLEET_SEEDING && s->state != FLEET_DELTA)
		return;

	sum->bytes_per_second += s->bytes_per_second;
	if (s->left_us > sum->left_us)
		sum->left_us = s->left_us;
}

void status_sums(const struct status_view *view, struct status_sum *total, struct status_sum **ret,
		 size_t *ret_n)
{
	_cleanup_(map_done) struct map by_name = { 0 };
	struct status_sum *sums = NULL;
	size_t n = 0, size = 0;

	*total = (struct status_sum){ .left_us = -1 };
	for (size_t i = 0; i < view->n; i++) {
		const struct fleet_status *s = &view->rows_p[i].status;
		struct bytes wave = bytes_of(s->wave);
		/* One more than its index. */
		size_t at = (size_t)(uintptr_t)map_get(&by_name, wave);

		if (!at) {
			sums = xgrow(sums, &size, n + 1, sizeof(*sums));
			sums[n] = (struct status_sum){ .wave = s->wave, .left_us = -1 };
			at = ++n;
			map_put(&by_name, wave, (void *)(uintptr_t)at);
		}
		add(&sums[at - 1], &view->rows_p[i]);
		add(total, &view->rows_p[i]);
	}
	*ret = sums;
	*ret_n = n;
}

int status_exit_status(const struct status_view *view)
{
	int status = EXIT_DONE;

	for (size_t i = 0; i < view->n; i++) {
		const struct fleet_status *s = &view->rows_p[i].status;

		if (s->state != FLEET_DONE)
			return EXIT_STOPPED;
		if (s->exit_status == 1)
			status = EXIT_EXCEPTIONS;
	}
	return status;
}
