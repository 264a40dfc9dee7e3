/* SPDX-License-Identifier: Apache-2.0 */
/* From findings, and what somebody accepted of them, to one word about the mailbox. See findings.h. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "config/settings.h"
#include "copy/books.h"
#include "verify/findings.h"

const char *verify_grade_name(enum verify_grade grade)
{
	static const char *const names[] = { "unfinished", "ready", "ready-accepted", "not-ready" };

	return names[grade];
}

const char *verify_grade_words(enum verify_grade grade)
{
	static const char *const words[] = { "not finished", "ready", "ready with accepted exceptions",
					     "not ready" };

	return words[grade];
}

enum verify_grade verify_grade_of(const struct verify_tally tally[VERIFY_KINDS])
{
	enum verify_grade grade = VERIFY_READY;

	for (int kind = 0; kind < VERIFY_KINDS; kind++) {
		if (!verify_kind_fails((enum verify_kind)kind) || !tally[kind].found)
			continue;
		if (tally[kind].accepted < tally[kind].found)
			return VERIFY_NOT_READY;
		grade = VERIFY_READY_ACCEPTED;
	}
	return grade;
}

/* --- acceptance ------------------------------------------------------------------------------- */

static bool is_cause(struct bytes name)
{
	for (int kind = 0; kind < VERIFY_KINDS; kind++)
		if (verify_kind_fails((enum verify_kind)kind) &&
		    bytes_equal(name, bytes_of(verify_kind_name((enum verify_kind)kind))))
			return true;
	for (int cause = 0; cause < CAUSE_COUNT_; cause++)
		if (bytes_equal(name, bytes_of(books_cause_name((enum copy_cause)cause))))
			return true;

	return false;
}

static int no_such_cause(struct bytes name, struct fault *fault)
{
	_cleanup_(buf_done) struct buf known = BUF_NULL, text = BUF_NULL;
	const char *names[VERIFY_KINDS + CAUSE_COUNT_], *meant;
	size_t n = 0;

	for (int kind = 0; kind < VERIFY_KINDS; kind++)
		if (verify_kind_fails((enum verify_kind)kind))
			names[n++] = verify_kind_name((enum verify_kind)kind);
	for (int cause = 0; cause < CAUSE_COUNT_; cause++)
		names[n++] = books_cause_name((enum copy_cause)cause);
	buf_append_bytes(&text, bytes_head(name, 40));
	meant = nearest_of(buf_str(&text), names, n);
	if (meant)
		return fault_usage(fault, "--accept %s: no such cause; did you mean %s?", buf_str(&text), meant);

	for (int kind = 0; kind < VERIFY_KINDS; kind++)
		if (verify_kind_fails((enum verify_kind)kind))
			buf_appendf(&known, "%s%s", known.n ? ", " : "",
				    verify_kind_name((enum verify_kind)kind));
	return fault_usage(fault, "--accept %s: no such cause; there are %s, and the causes of the copy's "
			   "exceptions", buf_str(&text), buf_str(&known));
}

/* Takes ":digits" (or a ":" alone, which ends a folder's name) off the end. */
static void cut_uid(struct bytes *folder, uint32_t *ret)
{
	size_t at = folder->n;
	uint64_t uid = 0;

	while (at && folder->p[at - 1] != ':')
		at--;
	if (!at)
		return;
	if (at < folder->n && (bytes_to_u64(bytes_skip(*folder, at), UINT32_MAX, &uid) < 0 || !uid))
		return;

	*ret = (uint32_t)uid;
	*folder = bytes_head(*folder, at - 1);
}

int verify_accept_parse(const char *text, struct arena *arena, struct ledger_accepted *ret,
			struct fault *fault)
{
	struct bytes folder = bytes_of(text), cause = bytes_cut(&folder, ':');
	uint32_t uid = 0;

	if (!is_cause(cause))
		return no_such_cause(cause, fault);

	cut_uid(&folder, &uid);
	if (uid && !folder.n)
		return fault_usage(fault, "--accept %s: a UID needs its folder: CAUSE:FOLDER:UID", text);

	ret->cause = arena_str(arena, cause);
	ret->folder = arena_str(arena, folder);
	ret->uid = uid;
	return 0;
}

static bool is_same(const struct ledger_accepted *a, const struct ledger_accepted *b)
{
	return a->uid == b->uid && strcmp(a->cause, b->cause) == 0 && strcmp(a->folder, b->folder) == 0;
}

size_t verify_accepted_now(struct ledger_accepted *accepted, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		bool last = true;

		for (size_t later = i + 1; later < n && last; later++)
			last = !is_same(&accepted[i], &accepted[later]);
		if (last && accepted[i].reason[0])
			accepted[kept++] = accepted[i];
	}
	return kept;
}

/* What is missing is noted as removed by the next pass of copy: it is the same message, and was accepted. */
static bool covers(const struct ledger_accepted *a, const struct verify_finding *f, struct bytes folder)
{
	const char *removed = books_cause_name(CAUSE_REMOVED);
	bool was_missing = f->cause && strcmp(f->cause, removed) == 0 &&
			   strcmp(a->cause, verify_kind_name(VERIFY_MISSING)) == 0;

	if (!was_missing && strcmp(a->cause, verify_kind_name(f->kind)) != 0 &&
	    (!f->cause || strcmp(a->cause, f->cause) != 0))
		return false;
	if (a->folder[0] && !bytes_equal(bytes_of(a->folder), folder))
		return false;

	return !a->uid || a->uid == f->uid;
}

const struct ledger_accepted *verify_accepted(const struct ledger_accepted *accepted, size_t n,
					      const struct verify_finding *f, struct bytes folder)
{
	const struct ledger_accepted *best = NULL;
	int best_weight = -1;

	if (!verify_kind_fails(f->kind))
		return NULL;

	for (size_t i = 0; i < n; i++) {
		int weight = (accepted[i].folder[0] != '\0') + 2 * (accepted[i].uid != 0);

		if (weight > best_weight && covers(&accepted[i], f, folder)) {
			best = &accepted[i];
			best_weight = weight;
		}
	}
	return best;
}
