/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds, see round.h. SLUG.1 is the first claim of a mailbox; who finds that its process is no
 * more claims SLUG.2, and so on: nothing is ever replaced or removed, so of any number who come at
 * once one gets it. */
#include "fleet/round.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "os/file.h"
#include "os/folder.h"
#include "os/process.h"
#include "run/run.h"

enum { CLAIMS = 4, TEXT_MAX = 900 };

static const char maker[] = "maker";

static void path_of(const char *state_dir, const char *id, const char *name, const char *end,
		    struct buf *to)
{
	buf_appendf(to, "%s/rounds/%s%s%s%s", state_dir, id, name[0] ? "/" : "", name, end);
}

static void write_self(char to[64])
{
	struct os_process self = os_this_process();

	snprintf(to, 64, "%ld %" PRIu64, self.pid, self.began);
}

/* What somebody claimed: by anybody's hand. */
static bool runs(const char *text)
{
	struct os_process process = { 0, 0 };

	if (sscanf(text, "%10ld %" SCNu64, &process.pid, &process.began) != 2)
		return false;
	return os_process_runs(&process);
}

/* --- making ---------------------------------------------------------------------------------- */

static int remove_dead(const char *state_dir, struct fault *fault)
{
	_cleanup_(arena_done) struct arena arena = { NULL };
	const char *folder = arena_printf(&arena, "%s/rounds", state_dir);
	const char **names;
	size_t n;

	if (os_list_folder(folder, &arena, &names, &n, fault) < 0)
		return -1;

	for (size_t i = 0; i < n; i++) {
		const char *path = arena_printf(&arena, "%s/%s", folder, names[i]);
		const char *claim = arena_printf(&arena, "%s/%s", path, maker);
		struct fault ignored;
		char text[64];

		/* A folder without a maker is one that is being made, or removed. */
		if (os_read_claim(claim, text, sizeof(text), &ignored) == 0 && !runs(text))
			os_remove_folder(path, &ignored);
	}
	return 0;
}

int round_make(const char *state_dir, struct buf *id, struct fault *fault)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	struct os_process self = os_this_process();
	char text[64];
	size_t start = id->n;

	if (remove_dead(state_dir, fault) < 0)
		return -1;

	buf_appendf(id, "%ld-%" PRIu64 "-%" PRId64, self.pid, self.began, run_now());
	path_of(state_dir, buf_str(id) + start, maker, "", &path);
	write_self(text);
	if (os_make_folder_of(buf_str(&path), fault) < 0 ||
	    os_claim(buf_str(&path), text, fault) < 0)
		return -1;
	return 0;
}

void round_remove(const char *state_dir, const char *id)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	struct fault ignored;

	path_of(state_dir, id, "", "", &path);
	os_remove_folder(buf_str(&path), &ignored);
}

/* --- claiming -------------------------------------------------------------------------------- */

/* 0 ours, 1 another's that runs, 2 another's that is no more. */
static int claim(const char *path, const char *self, struct fault *fault)
{
	char text[64] = "";
	int r = os_claim(path, self, fault);

	if (r <= 0)
		return r;

	r = os_read_claim(path, text, sizeof(text), fault);
	if (r < 0)
		return -1;
	return runs(text) ? 1 : 2;
}

static int is_done(const char *state_dir, const char *id, const char *slug, bool *ret,
		   struct fault *fault)
{
	char text[8];
	int r = round_ask(state_dir, id, slug, text, sizeof(text), fault);

	*ret = r == 0;
	return r;
}

int round_claim(const char *state_dir, const char *id, const char *slug, enum round_answer *ret,
		struct fault *fault)
{
	char self[64];
	bool done;

	write_self(self);
	for (int i = 1; i <= CLAIMS; i++) {
		_cleanup_(buf_done) struct buf path = BUF_NULL;
		char end[16];
		int r;

		snprintf(end, sizeof(end), ".%d", i);
		path_of(state_dir, id, slug, end, &path);
		r = claim(buf_str(&path), self, fault);
		if (r < 0)
			return -1;
		if (r == 1) {
			*ret = ROUND_THEIRS;
			return 0;
		}

		/* Asked behind the claim: who ended after its work has noted that before. */
		if (is_done(state_dir, id, slug, &done, fault) < 0)
			return -1;
		if (done || r == 0) {
			*ret = done ? ROUND_DONE : i == CLAIMS ? ROUND_CURSED : ROUND_OURS;
			return 0;
		}
	}
	*ret = ROUND_CURSED;
	return 0;
}

int round_note(const char *state_dir, const char *id, const char *slug, const char *how,
	       struct fault *fault)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL, text = BUF_NULL;

	path_of(state_dir, id, slug, ".done", &path);
	buf_append_bytes(&text, bytes_head(bytes_of(how), TEXT_MAX));
	return os_claim(buf_str(&path), buf_str(&text), fault) < 0 ? -1 : 0;
}

int round_ask(const char *state_dir, const char *id, const char *slug, char *to, size_t size,
	      struct fault *fault)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL;

	path_of(state_dir, id, slug, ".done", &path);
	return os_read_claim(buf_str(&path), to, size, fault);
}
