/* SPDX-License-Identifier: Apache-2.0 */
/* After a window was copied: does the destination show what it said it took? Every message's size, flags and
 * date are asked back (one EXAMINE and one FETCH, no bodies) and held against what was sent. A size that
 * differs is looked into: the message is read back and its digest compared, because servers tell wrong
 * sizes (Q24) as well as altering messages (Q26: Exchange re-encodes, Courier ends last lines); so are
 * messages with NUL or 8-bit headers, which Dovecot and Cyrus change byte for byte. What is
 * altered is at the destination and stays there; the books name it, with both digests. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "copy/links.h"
#include "copy/record.h"
#include "copy/worker.h"

enum {
	SAMPLES = 8,    /* messages of a window read back because they do not look like what was sent */
	READ_BACK = 32, /* messages of a folder read back because of their size; then the size counts alone */
	TELL = 1000,    /* altered messages of a folder listed one by one; the others are counted */
};

/* What stands where the server said that a message was stored. */
struct sample {
	struct imap_message *message;
	uint32_t uid;
	uint64_t size;
	unsigned char digest[32];
	bool stray; /* neither its bytes nor its date, nor another message of the window: maybe of somebody else */
};

struct check {
	struct copy_pass *pass;
	struct imap_messages found; /* at the destination, by UID */
	struct sample samples[SAMPLES];
	size_t samples_n;
	char **sent, **got;         /* canonical flags of each flag set, ours and theirs */
};

static bool is_copied(const struct imap_message *m)
{
	return (m->state & MESSAGE_STATE_MASK) == MESSAGE_COPIED && !(m->state & MESSAGE_CHECKED);
}

/* --- which message became which --------------------------------------------------------------- */

/* The UIDs to ask for; false: none of the messages' is known. */
static bool known_range(const struct copy_pass *pass, uint32_t *low, uint32_t *high, bool *ret_all)
{
	*low = UINT32_MAX;
	*high = 0;
	*ret_all = true;
	for (size_t i = 0; i < pass->messages.n; i++) {
		const struct imap_message *m = &pass->messages.p[i];

		if (!is_copied(m))
			continue;
		if (!m->copy_uid) {
			*ret_all = false;
			continue;
		}
		if (m->copy_uid < *low)
			*low = m->copy_uid;
		if (m->copy_uid > *high)
			*high = m->copy_uid;
	}
	return *high != 0;
}

static bool has_other_date(const struct imap_message *m, const struct imap_message *got)
{
	return m->date != IMAP_NO_DATE && !(m->state & MESSAGE_NO_DATE) && got->date != m->date;
}

static bool looks_alike(const struct copy_pass *pass, const struct imap_message *m, const struct imap_message *got)
{
	return (got->size == m->size || pass->sizes_lie) && !has_other_date(m, got);
}

/* Its bytes there, whether they were read as a sample or are read now. */
static int read_copy(struct check *check, const struct imap_message *m, unsigned char digest[32],
		     uint64_t *ret_size, struct fault *fault)
{
	for (size_t i = 0; i < check->samples_n; i++) {
		const struct sample *sample = &check->samples[i];

		if (sample->message != m || sample->uid != m->copy_uid)
			continue;
		memcpy(digest, sample->digest, sizeof(sample->digest));
		*ret_size = sample->size;
		return 0;
	}
	return copy_read_back(check->pass->worker, m->copy_uid, digest, ret_size, fault);
}

static bool is_of_another(const struct copy_pass *pass, const struct sample *sample)
{
	for (size_t i = 0; i < pass->messages.n; i++) {
		const struct imap_message *m = &pass->messages.p[i];

		if ((m->state & MESSAGE_STATE_MASK) == MESSAGE_COPIED && m != sample->message &&
		    memcmp(copy_pass_digest(pass, m), sample->digest, sizeof(sample->digest)) == 0)
			return true;
	}
	return false;
}

static int take_sample(struct check *check, struct imap_message *m, bool *ret_wrong, struct fault *fault)
{
	const struct imap_message *got = imap_messages_find(&check->found, m->copy_uid);
	struct sample *sample = &check->samples[check->samples_n];

	if (check->samples_n && check->samples[check->samples_n - 1].message == m)
		return 0;

	*sample = (struct sample){ .message = m, .uid = m->copy_uid };
	if (copy_read_back(check->pass->worker, m->copy_uid, sample->digest, &sample->size, fault) < 0)
		return -1;

	check->samples_n++;
	if (!sample->size || memcmp(sample->digest, copy_pass_digest(check->pass, m), 32) == 0)
		return 0;
	*ret_wrong = is_of_another(check->pass, sample);
	sample->stray = got && (has_other_date(m, got) || (m->date == IMAP_NO_DATE && got->size != m->size));
	return 0;
}

/* Some servers advertise UIDPLUS and tell UIDs that are not there, or of other messages (Q37). Where something else seems
 * to be than what was sent, bytes decide: it may be altered, its size or date may be wrong. The same beside a UID that is
 * not there: somebody may have removed that message. */
static int uids_are_wrong(struct check *check, bool *ret, struct fault *fault)
{
	struct copy_pass *pass = check->pass;
	struct imap_message *before = NULL;
	bool any = false, gap = false;

	*ret = false;
	for (size_t i = 0; i < pass->messages.n && !*ret && check->samples_n < SAMPLES; i++) {
		struct imap_message *m = &pass->messages.p[i], *suspect = NULL;
		const struct imap_message *got;

		if (!is_copied(m) || !m->copy_uid)
			continue;
		got = imap_messages_find(&check->found, m->copy_uid);
		if (!got)
			suspect = before;
		else if (gap || !looks_alike(pass, m, got))
			suspect = m;
		if (suspect && take_sample(check, suspect, ret, fault) < 0)
			return -1;
		any |= got != NULL;
		gap = !got;
		before = got ? m : NULL;
	}
	*ret |= !any;
	return 0;
}

static void set_copy_uid(struct copy_pass *pass, struct imap_message *m, uint32_t copy_uid)
{
	const struct copy *copy = pass->worker->copy;

	m->copy_uid = copy_uid;
	ledger_set_copy_uid(copy->options.ledger, copy->links[pass->index].known->id, m->uid, copy_uid);
}

static void forget_uids(struct copy_pass *pass)
{
	for (size_t i = 0; i < pass->messages.n; i++)
		if (is_copied(&pass->messages.p[i]) && pass->messages.p[i].copy_uid)
			set_copy_uid(pass, &pass->messages.p[i], 0);
}

/* Looks for those without a UID, and for strays, which keep theirs if they are not found elsewhere. */
static int find_places(struct check *check, struct fault *fault)
{
	struct copy_pass *pass = check->pass;
	int r;

	for (size_t i = 0; i < check->samples_n; i++)
		if (check->samples[i].stray && check->samples[i].message->copy_uid)
			set_copy_uid(pass, check->samples[i].message, 0);
	r = copy_settle_places(pass, fault);
	for (size_t i = 0; i < check->samples_n && !pass->uids_lie; i++)
		if (check->samples[i].stray && !check->samples[i].message->copy_uid)
			set_copy_uid(pass, check->samples[i].message, check->samples[i].uid);
	return r;
}

static bool any_stray(const struct check *check)
{
	for (size_t i = 0; i < check->samples_n; i++)
		if (check->samples[i].stray)
			return true;

	return false;
}

static int ask(struct check *check, struct fault *fault)
{
	struct copy_pass *pass = check->pass;
	struct imap_session *to = pass->worker->to;
	uint32_t low, high;
	bool all, wrong;

	if (pass->uids_lie)
		forget_uids(pass);
	if (known_range(pass, &low, &high, &all)) {
		if (imap_fetch_messages(to, low, high, true, &check->found, fault) < 0 ||
		    uids_are_wrong(check, &wrong, fault) < 0)
			return -1;
		if (!wrong && all && !any_stray(check))
			return 0;
		pass->uids_lie |= wrong;
		if (wrong)
			forget_uids(pass);
	}

	if (find_places(check, fault) < 0)
		return -1;
	check->found.n = 0;
	if (!known_range(pass, &low, &high, &all))
		return 0;

	return imap_fetch_messages(to, low, high, true, &check->found, fault);
}

/* --- flags ----------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lower case, sorted: two sets are the same flags if and only if these are the same text. */
static char *canonical(const char *flags)
{
	_cleanup_(freep) char *lower = xstrdup(flags);
	_cleanup_(freep) char **words = NULL;
	struct buf text = BUF_NULL;
	size_t n = 0, size = 0;
	char *rest = lower, *word;

	for (char *c = lower; *c; c++)
		*c = ascii_lower(*c);
	while ((word = strsep(&rest, " "))) {
		words = xgrow(words, &size, n + 1, sizeof(*words));
		words[n++] = word;
	}
	qsort(words, n, sizeof(*words), by_text);
	for (size_t i = 0; i < n; i++) {
		buf_append_str(&text, words[i]);
		buf_append_char(&text, ' ');
	}
	return buf_take(&text);
}

static void canonical_sets(struct check *check)
{
	check->sent = xzalloc(check->pass->flags_n * sizeof(*check->sent));
	for (size_t i = 0; i < check->pass->flags_n; i++)
		check->sent[i] = canonical(buf_str(&check->pass->flags[i]));

	check->got = xzalloc(check->found.flag_sets_n * sizeof(*check->got));
	for (size_t i = 0; i < check->found.flag_sets_n; i++)
		check->got[i] = canonical(check->found.flag_sets[i]);
}

static int check_flags(struct check *check, struct imap_message *m, const struct imap_message *got,
		       struct fault *fault)
{
	char detail[400];

	if (m->state & MESSAGE_NO_KEYWORDS || strcmp(check->sent[m->flags], check->got[got->flags]) == 0)
		return 0;

	snprintf(detail, sizeof(detail), "sent \"%s\", the destination shows \"%s\"",
		 buf_str(&check->pass->flags[m->flags]), check->found.flag_sets[got->flags]);
	copy_record_loss(check->pass, m, CAUSE_FLAGS_CUT, detail, 0, NULL);
	return copy_pass_except(check->pass, CAUSE_FLAGS_CUT, m->uid, m->size, detail, fault);
}

static int check_date(struct check *check, struct imap_message *m, const struct imap_message *got,
		      struct fault *fault)
{
	if (!has_other_date(m, got))
		return 0;

	copy_record_loss(check->pass, m, CAUSE_DATE_LOST, "the destination shows another date of arrival", 0,
			 NULL);
	return copy_pass_except(check->pass, CAUSE_DATE_LOST, m->uid, m->size,
				"the destination shows another date of arrival", fault);
}

/* --- bytes ----------------------------------------------------------------------------------- */

static void hex(char to[65], const unsigned char digest[32])
{
	for (size_t i = 0; i < 32; i++)
		snprintf(to + 2 * i, 3, "%02x", digest[i]);
}

static int tell_altered(struct check *check, struct imap_message *m, uint64_t size,
			const unsigned char *digest, struct fault *fault)
{
	struct copy_pass *pass = check->pass;
	char detail[400], ours[65], theirs[65];

	hex(ours, copy_pass_digest(pass, m));
	if (digest)
		hex(theirs, digest);
	snprintf(detail, sizeof(detail), "the destination altered it: %" PRIu64 " bytes became %" PRIu64
		 "; SHA-256 sent %s%s%s", m->size, size, ours, digest ? ", there " : "",
		 digest ? theirs : "");
	copy_record_loss(pass, m, CAUSE_ALTERED, detail, size, digest);
	if (pass->altered++ >= TELL)
		return 0;
	return copy_pass_except(pass, CAUSE_ALTERED, m->uid, m->size, detail, fault);
}

/* NULs, and bytes above 127 in a header, may have been replaced one for one, which no size shows. A server that left the
 * first ones alone does so with all. */
static int check_suspect(struct check *check, struct imap_message *m, struct fault *fault)
{
	struct copy_pass *pass = check->pass;
	unsigned char digest[32];
	uint64_t size;

	if (!(m->state & MESSAGE_SUSPECT) ||
	    (pass->suspects_read >= READ_BACK && !pass->suspects_altered))
		return 0;

	pass->suspects_read++;
	if (read_copy(check, m, digest, &size, fault) < 0)
		return -1;
	if (memcmp(digest, copy_pass_digest(pass, m), sizeof(digest)) == 0)
		return 0;

	pass->suspects_altered++;
	return tell_altered(check, m, size, digest, fault);
}

static int check_size(struct check *check, struct imap_message *m, const struct imap_message *got,
		      struct fault *fault)
{
	struct copy_pass *pass = check->pass;
	unsigned char digest[32];
	uint64_t size;

	if (got->size == m->size)
		return check_suspect(check, m, fault);

	if (pass->read_back >= READ_BACK)
		return pass->sizes_lie ? 0 : tell_altered(check, m, got->size, NULL, fault);

	pass->read_back++;
	if (read_copy(check, m, digest, &size, fault) < 0)
		return -1;
	if (memcmp(digest, copy_pass_digest(pass, m), sizeof(digest)) == 0) {
		pass->sizes_lie = true;
		return 0;
	}
	return tell_altered(check, m, size, digest, fault);
}

/* --- the window ------------------------------------------------------------------------------ */

static int check_message(struct check *check, struct imap_message *m, struct fault *fault)
{
	const struct imap_message *got = m->copy_uid ? imap_messages_find(&check->found, m->copy_uid) : NULL;
	int r = 0;

	if (got && (check_flags(check, m, got, fault) < 0 || check_date(check, m, got, fault) < 0 ||
		    check_size(check, m, got, fault) < 0))
		return -1;

	if (!got && m->copy_uid)
		r = copy_pass_except(check->pass, CAUSE_COUNT_DIFFERS, m->uid, m->size,
				     "the destination said it took the message but does not show it",
				     fault);
	m->state |= MESSAGE_CHECKED;
	return r;
}

static void check_done(struct check *check)
{
	for (size_t i = 0; check->sent && i < check->pass->flags_n; i++)
		free(check->sent[i]);
	for (size_t i = 0; check->got && i < check->found.flag_sets_n; i++)
		free(check->got[i]);
	free(check->sent);
	free(check->got);
	imap_messages_done(&check->found);
}

static int check_messages(struct check *check, struct fault *fault)
{
	struct copy_pass *pass = check->pass;

	if (ask(check, fault) < 0)
		return -1;

	canonical_sets(check);
	for (size_t i = 0; i < pass->messages.n; i++)
		if (is_copied(&pass->messages.p[i]) &&
		    check_message(check, &pass->messages.p[i], fault) < 0)
			return -1;
	return 0;
}

/* What comes in the next window is above all of this one. */
static void forget_told(struct copy_pass *pass)
{
	if (pass->told_highest > pass->told_to)
		pass->told_to = pass->told_highest;
	pass->told_highest = 0;
	pass->told_n = 0;
}

int copy_check_window(struct copy_pass *pass, struct fault *fault)
{
	struct check check = { .pass = pass };
	struct bytes name = pass->folder->destination_name;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < pass->messages.n; i++)
		n += is_copied(&pass->messages.p[i]);
	if (!n)
		return 0;

	if (imap_select(pass->worker->to, name, true, fault) < 0)
		return -1;

	imap_messages_init(&check.found);
	r = check_messages(&check, fault);
	check_done(&check);
	if (r == 0)
		forget_told(pass);
	return r < 0 ? -1 : imap_unselect(pass->worker->to, name, fault);
}

int copy_check_end(struct copy_pass *pass, struct fault *fault)
{
	struct copy *copy = pass->worker->copy;
	char detail[200];

	if (pass->altered <= TELL)
		return 0;

	snprintf(detail, sizeof(detail), "%" PRIu64 " more messages have another size there",
		 pass->altered - TELL);
	books_except(&copy->books, pass->index, CAUSE_ALTERED, 0, 0, pass->altered - TELL, "", detail);
	return copy_tell(copy, EVENT_EXCEPTION, copy->books.exceptions_n - 1, fault);
}
