/* SPDX-License-Identifier: Apache-2.0 */
/* See quota.h. */
#include "fleet/quota.h"

#include "os/file.h"
#include "os/folder.h"

enum { SAVED_MAX = 16 << 10 };

struct call {
	const char *path;
	struct buf text;
};

static int load(void *arg, struct fault *fault)
{
	struct call *call = arg;

	return os_read_file(call->path, SAVED_MAX, &call->text, fault);
}

static int save(void *arg, struct fault *fault)
{
	struct call *call = arg;

	if (os_make_folder_of(call->path, fault) < 0)
		return -1;
	return os_replace_quickly(call->path, buf_bytes(&call->text), fault);
}

void quota_load(struct pace *pace, const char *state_dir, const char *name)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	struct call call = { .text = BUF_NULL };
	struct fault ignored;

	buf_appendf(&path, "%s/pace/%s", state_dir, name);
	call.path = buf_str(&path);
	if (pool_call("what was used of the day's bytes", load, &call, &ignored) == 0)
		pace_restore(pace, buf_bytes(&call.text), run_wall());
	buf_done(&call.text);
}

void quota_save(const struct pace *pace, const char *state_dir, const char *name)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	struct call call = { .text = BUF_NULL };
	struct fault ignored;

	pace_save(pace, run_wall(), &call.text);
	if (!call.text.n)
		return;

	buf_appendf(&path, "%s/pace/%s", state_dir, name);
	call.path = buf_str(&path);
	pool_call("noting what was used of the day's bytes", save, &call, &ignored);
	buf_done(&call.text);
}
