/* SPDX-License-Identifier: Apache-2.0 */
/* See report-file.h. */
#include "cli/report-file.h"

#include "os/file.h"
#include "os/look.h"
#include "run/run.h"

enum { WRITE_AT = 64 << 10 };

struct opening {
	struct report_file *file;
	const char *path;
};

static int create(void *arg, struct fault *fault)
{
	const struct opening *o = arg;

	if (os_is_there(o->path))
		return fault_usage(fault, "%.200s is there already, and a report is not written over: give another name",
				   o->path);

	return os_file_create(o->path, &o->file->file, fault);
}

static int write_text(void *arg, struct fault *fault)
{
	struct report_file *f = arg;

	return os_file_write(f->file, buf_bytes(&f->text), fault);
}

static int sync_file(void *arg, struct fault *fault)
{
	struct report_file *f = arg;

	return os_sync(f->file, fault);
}

int report_file_open(struct report_file *f, const char *path, struct fault *fault)
{
	struct opening o = { f, path };

	*f = (struct report_file){ .file = NULL };
	if (!path)
		return 0;
	if (pool_call("the report", create, &o, fault) < 0)
		return fault_prefix(fault, "--report");
	return 0;
}

int report_file_put(struct report_file *f, struct fault *fault)
{
	if (!f->file || f->text.n < WRITE_AT)
		return 0;
	if (pool_call("the report", write_text, f, fault) < 0)
		return -1;

	buf_reset(&f->text);
	return 0;
}

int report_file_end(struct report_file *f, struct fault *fault)
{
	if (!f->file)
		return 0;
	if (f->text.n && pool_call("the report", write_text, f, fault) < 0)
		return -1;

	buf_reset(&f->text);
	return pool_call("the report", sync_file, f, fault);
}

void report_file_done(struct report_file *f)
{
	buf_done(&f->text);
	f->file = os_file_close(f->file);
}
