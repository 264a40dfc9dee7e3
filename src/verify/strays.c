/* SPDX-License-Identifier: Apache-2.0 */
/* Who belongs to whom among the missing and the strangers, see strays.h. Headers and Message-IDs only say where to look;
 * bytes decide, where they can be had. */
#include "verify/strays.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "verify/jobs.h"
#include "verify/message-id.h"
#include "verify/walk.h"

struct verify_strays *verify_strays_new(void)
{
	return xzalloc(sizeof(struct verify_strays));
}

struct verify_strays *verify_strays_free(struct verify_strays *s)
{
	if (!s)
		return NULL;

	free(s->missing);
	free(s->strangers);
	arena_done(&s->arena);
	free(s);
	return NULL;
}

bool verify_strays_full(size_t n)
{
	return n >= VERIFY_KEPT;
}

static struct verify_finding finding_of(const struct verify_stray *s, enum verify_kind kind)
{
	return (struct verify_finding){
		.kind = kind, .folder = s->folder, .uid = s->uid, .copy_uid = s->copy_uid,
		.messages = 1, .copy_size = s->size, .digest = s->has_digest && s->uid ? s->digest : NULL,
		.copy_digest = s->has_copy_digest ? s->copy_digest : s->has_digest && !s->uid ? s->digest : NULL,
		.message_id = s->message_id, .detail = s->detail,
	};
}

/* --- keeping --------------------------------------------------------------------------------- */

int verify_stray_missing(struct verify *v, struct verify_finding *f, const struct ledger_message *row,
			 bool here, struct fault *fault)
{
	struct verify_strays *s = v->strays;
	struct verify_stray *stray;

	if (v->options.level == VERIFY_COUNTS || verify_strays_full(s->missing_n))
		return verify_tell(v, f, fault);

	s->missing = xgrow(s->missing, &s->missing_size, s->missing_n + 1, sizeof(*s->missing));
	stray = &s->missing[s->missing_n++];
	*stray = (struct verify_stray){
		.folder = verify_folder_of(v, f), .uid = row->uid, .copy_uid = row->copy_uid, .here = here,
		.size = row->has & LEDGER_HAS_COPY_DIGEST ? row->copy_size : row->size,
		.has_header = row->has & LEDGER_HAS_HEADER, .has_digest = row->has & LEDGER_HAS_DIGEST,
		.has_copy_digest = row->has & LEDGER_HAS_COPY_DIGEST, .id = verify_id_hash(row->message_id),
		.message_id = arena_strdup(&s->arena, row->message_id ? row->message_id : ""),
		.detail = f->detail, /* a literal */
	};
	memcpy(stray->header, row->header, sizeof(stray->header));
	memcpy(stray->digest, row->digest, sizeof(stray->digest));
	memcpy(stray->copy_digest, row->copy_digest, sizeof(stray->copy_digest));
	return 0;
}

int verify_stray_stranger(struct verify *v, struct verify_folder *folder, const struct imap_message *m,
			  const struct imap_identity *identity, struct fault *fault)
{
	struct verify_strays *s = v->strays;
	struct verify_stray *stray;

	if (verify_strays_full(s->strangers_n)) {
		struct verify_finding f = { .kind = VERIFY_EXTRA, .folder = folder, .copy_uid = m->uid,
					    .messages = 1, .copy_size = m->size };

		return verify_tell(v, &f, fault);
	}

	s->strangers = xgrow(s->strangers, &s->strangers_size, s->strangers_n + 1, sizeof(*s->strangers));
	stray = &s->strangers[s->strangers_n++];
	*stray = (struct verify_stray){ .folder = folder, .copy_uid = m->uid, .size = m->size,
					.message_id = "", .detail = "" };
	if (identity && identity->header_size) {
		stray->has_header = true;
		memcpy(stray->header, identity->identity.header, sizeof(stray->header));
		stray->id = verify_id_hash(identity->identity.message_id);
		stray->message_id = arena_strdup(&s->arena, identity->identity.message_id);
	}
	return 0;
}

/* --- an index of the strangers ---------------------------------------------------------------- */

struct index {
	struct map by_header, by_id, by_digest;
};

/* So many of one header are looked through for each that is missing: somebody may have been sent thousands. */
enum { CHAIN = 1024 };

static struct bytes header_key(const unsigned char header[16])
{
	return (struct bytes){ (const char *)header, 16 };
}

static struct bytes digest_key(const unsigned char digest[32])
{
	return (struct bytes){ (const char *)digest, 32 };
}

static struct bytes id_key(const uint64_t *id)
{
	return (struct bytes){ (const char *)id, sizeof(*id) };
}

static void index_done(struct index *index)
{
	map_done(&index->by_header);
	map_done(&index->by_id);
	map_done(&index->by_digest);
}

static uint32_t position(void *value)
{
	return (uint32_t)(uintptr_t)value;
}

/* Chains of positions + 1, the first stranger first. */
static void index_make(struct verify_strays *s, struct index *index)
{
	uint64_t seed;

	run_random(&seed, sizeof(seed));
	map_init(&index->by_header, seed);
	map_init(&index->by_id, seed);
	map_init(&index->by_digest, seed);
	for (size_t i = s->strangers_n; i-- > 0;) {
		struct verify_stray *x = &s->strangers[i];
		void *here = (void *)(uintptr_t)(i + 1);

		if (x->has_header)
			x->next_header = position(map_put(&index->by_header, header_key(x->header), here));
		if (x->id)
			x->next_id = position(map_put(&index->by_id, id_key(&x->id), here));
	}
}

static uint32_t first_by_header(const struct index *index, const unsigned char header[16])
{
	return position(map_get(&index->by_header, header_key(header)));
}

static uint32_t first_by_id(const struct index *index, uint64_t id)
{
	return id ? position(map_get(&index->by_id, id_key(&id))) : 0;
}

/* --- likenesses: whose bytes are worth reading -------------------------------------------------- */

static void mark_missing(struct verify_strays *s, const struct index *index)
{
	for (size_t i = 0; i < s->missing_n; i++) {
		const struct verify_stray *m = &s->missing[i];
		uint32_t at = m->has_header ? first_by_header(index, m->header) : 0;

		for (unsigned k = 0; at && k < CHAIN; k++, at = s->strangers[at - 1].next_header)
			s->strangers[at - 1].like_missing = true;
		at = first_by_id(index, m->id);
		for (unsigned k = 0; at && k < CHAIN; k++, at = s->strangers[at - 1].next_id)
			s->strangers[at - 1].like_missing = true;
	}
}

struct walk_rows {
	struct verify_strays *strays;
	const struct index *index;
	void (*row)(const struct walk_rows *w, struct verify_folder *folder, const struct ledger_message *row);
};

static bool is_there(const struct ledger_message *row)
{
	return (row->state == LEDGER_COPIED || row->state == LEDGER_GONE) &&
	       !(row->has & LEDGER_MIRRORED) && row->copy_uid;
}

static struct verify_likeness likeness_of(struct verify_folder *folder, const struct ledger_message *row)
{
	return (struct verify_likeness){ folder, row->uid, row->copy_uid,
					 row->has & LEDGER_HAS_DIGEST ? 0 : row->size };
}

/* The first stranger of a chain stands for all. */
static void liken(const struct walk_rows *w, struct verify_folder *folder, const struct ledger_message *row)
{
	uint32_t at = row->has & LEDGER_HAS_HEADER ? first_by_header(w->index, row->header) : 0;

	if (at && !w->strays->strangers[at - 1].like.folder)
		w->strays->strangers[at - 1].like = likeness_of(folder, row);
	at = first_by_id(w->index, verify_id_hash(row->message_id));
	if (at && !w->strays->strangers[at - 1].like.folder)
		w->strays->strangers[at - 1].like = likeness_of(folder, row);
}

static void pair_digest(const struct walk_rows *w, struct verify_folder *folder,
			const struct ledger_message *row, const unsigned char digest[32])
{
	uint32_t at = position(map_get(&w->index->by_digest, digest_key(digest)));
	struct verify_stray *x = at ? &w->strays->strangers[at - 1] : NULL;

	if (x && (!x->twin.folder || (x->twin.folder != x->folder && folder == x->folder)))
		x->twin = likeness_of(folder, row);
}

static void pair(const struct walk_rows *w, struct verify_folder *folder, const struct ledger_message *row)
{
	if (row->has & LEDGER_HAS_DIGEST)
		pair_digest(w, folder, row, row->digest);
	if (row->has & LEDGER_HAS_COPY_DIGEST)
		pair_digest(w, folder, row, row->copy_digest);
}

/* One walk through all rows of the folders that were looked at. */
static int walk_rows(struct verify *v, const struct walk_rows *w, struct fault *fault)
{
	for (size_t i = 0; i < v->n; i++) {
		struct verify_folder *folder = &v->folders[i];
		uint32_t after = 0;
		bool more = folder->known && !folder->left_out[0];

		while (more) {
			struct ledger_messages rows;
			int r = ledger_load_next(v->options.ledger, folder->known->id, after,
						 VERIFY_WINDOW, &rows, fault);

			for (size_t k = 0; k < rows.n && r == 0; k++)
				if (is_there(&rows.p[k]))
					w->row(w, folder, &rows.p[k]);
			more = r == 0 && rows.n == VERIFY_WINDOW;
			after = rows.n ? rows.p[rows.n - 1].uid : after;
			ledger_messages_done(&rows);
			if (r < 0)
				return -1;
		}
	}
	return 0;
}

static void inherit(struct verify_strays *s, const struct index *index)
{
	for (size_t i = 0; i < s->strangers_n; i++) {
		struct verify_stray *x = &s->strangers[i];
		uint32_t at = x->has_header ? first_by_header(index, x->header) : 0;

		if (!x->like.folder && at)
			x->like = s->strangers[at - 1].like;
		at = first_by_id(index, x->id);
		if (!x->like.folder && at)
			x->like = s->strangers[at - 1].like;
	}
}

/* After their bytes were read. */
static void index_digests(struct verify_strays *s, struct index *index)
{
	for (size_t i = s->strangers_n; i-- > 0;) {
		struct verify_stray *x = &s->strangers[i];

		if (x->has_digest)
			x->next_digest = position(map_put(&index->by_digest, digest_key(x->digest),
							  (void *)(uintptr_t)(i + 1)));
	}
}

/* --- bytes ----------------------------------------------------------------------------------- */

static int read_some(struct verify *v, struct verify_folder *folder, struct verify_body *p, size_t n,
		     struct fault *fault)
{
	struct verify_strays *s = v->strays;

	if (verify_read_bodies(v->to, folder->destination_name, folder->known->destination_uidvalidity, p, n,
			       &folder->bytes, fault) < 0)
		return -1;

	for (size_t i = 0; i < n; i++) {
		struct verify_stray *x = &s->strangers[p[i].row];

		if (p[i].state != VERIFY_BODY_READ)
			continue;
		x->has_digest = true;
		x->size = p[i].size;
		memcpy(x->digest, p[i].digest, sizeof(x->digest));
	}
	return 0;
}

/* Strangers of a folder stand together, by rising UID: that is how they came. */
static int read_likely(struct verify *v, struct fault *fault)
{
	enum { MOST = 4096 };
	struct verify_strays *s = v->strays;
	_cleanup_(freep) struct verify_body *p = xmalloc(MOST * sizeof(*p));
	size_t n = 0;

	for (size_t i = 0; i < s->strangers_n; i++) {
		struct verify_stray *x = &s->strangers[i];
		bool end = i + 1 == s->strangers_n || s->strangers[i + 1].folder != x->folder;

		if (x->like.folder || x->like_missing)
			p[n++] = (struct verify_body){ .uid = x->copy_uid, .row = (uint32_t)i,
						       .expected = x->size };
		if (n && (end || n == MOST)) {
			if (read_some(v, x->folder, p, n, fault) < 0)
				return -1;
			n = 0;
		}
	}
	return 0;
}

/* --- pairing --------------------------------------------------------------------------------- */

/* Whether the stranger is what the missing copy should be. Without digests the header must do. */
static bool is_that(const struct verify_stray *x, const struct verify_stray *m, bool same_header)
{
	if (x->has_digest && m->has_digest && memcmp(x->digest, m->digest, 32) == 0)
		return true;
	if (x->has_digest && m->has_copy_digest && memcmp(x->digest, m->copy_digest, 32) == 0)
		return true;

	return same_header && !(x->has_digest && m->has_digest);
}

static struct verify_stray *find_among(struct verify_strays *s, const struct verify_stray *m, uint32_t at,
				       bool by_header, bool same_folder)
{
	for (unsigned k = 0; at && k < CHAIN; k++) {
		struct verify_stray *x = &s->strangers[at - 1];
		uint32_t *next = by_header ? &x->next_header : &x->next_id;

		if (!x->settled && (x->folder == m->folder) == same_folder && is_that(x, m, by_header))
			return x;
		while (*next && s->strangers[*next - 1].settled) /* of no use to anybody else either */
			*next = by_header ? s->strangers[*next - 1].next_header
					  : s->strangers[*next - 1].next_id;
		at = *next;
	}
	return NULL;
}

static struct verify_stray *find(struct verify_strays *s, const struct index *index,
				 const struct verify_stray *m)
{
	uint32_t header = m->has_header ? first_by_header(index, m->header) : 0;
	uint32_t id = first_by_id(index, m->id);
	struct verify_stray *x = find_among(s, m, header, true, true);

	if (!x)
		x = find_among(s, m, id, false, true);
	if (!x)
		x = find_among(s, m, header, true, false);
	return x ? x : find_among(s, m, id, false, false);
}

static int tell_missing(struct verify *v, struct verify_stray *m, struct verify_stray *x, struct fault *fault)
{
	struct verify_finding f = finding_of(m, VERIFY_MISSING);
	_cleanup_(buf_done) struct buf detail = BUF_NULL;

	if (!x)
		return verify_tell(v, &f, fault);

	f.kind = x->folder == m->folder ? VERIFY_RENUMBERED : VERIFY_MISFILED;
	f.copy_uid = x->copy_uid;
	buf_appendf(&detail, "in %.*s", BYTES_ARG(bytes_head(x->folder->destination_utf8, 200)));
	if (m->copy_uid)
		buf_appendf(&detail, "; it was copied to UID %u of %.*s", m->copy_uid,
			    BYTES_ARG(bytes_head(m->folder->destination_utf8, 200)));
	f.detail = buf_str(&detail);
	x->settled = true;
	if (m->here) {
		m->folder->missing--;
		m->folder->elsewhere++;
	}

	/* The destination did not tell the UID when it was copied; now it is known. */
	if (f.kind == VERIFY_RENUMBERED && !m->copy_uid && x->has_digest && m->has_digest) {
		ledger_set_copy_uid(v->options.ledger, m->folder->known->id, m->uid, x->copy_uid);
		return verify_commit_some(v, fault);
	}
	return verify_tell(v, &f, fault);
}

static int tell_stranger(struct verify *v, const struct verify_stray *x, const struct index *index,
			 struct fault *fault)
{
	uint32_t first = x->has_digest ? position(map_get(&index->by_digest, digest_key(x->digest))) : 0;
	const struct verify_likeness *twin = first ? &v->strays->strangers[first - 1].twin : NULL;
	struct verify_finding f = finding_of(x, VERIFY_EXTRA);
	_cleanup_(buf_done) struct buf detail = BUF_NULL;
	const char *how = "like";

	if (x->settled)
		return 0;

	if (twin && !twin->folder)
		twin = NULL;
	if (twin)
		how = "the same bytes as";
	else if (x->like.folder && x->like.size && x->like.size == x->size)
		how = "the same header and size as", twin = &x->like;
	if (twin)
		f.kind = VERIFY_DOUBLE;
	else
		twin = &x->like;
	if (twin->folder)
		buf_appendf(&detail, "%s UID %u of %.*s%s", how, twin->copy_uid,
			    BYTES_ARG(bytes_head(twin->folder->destination_utf8, 200)),
			    f.kind == VERIFY_EXTRA ? ", with other bytes" : "");
	f.detail = buf_str(&detail);
	return verify_tell(v, &f, fault);
}

static int settle(struct verify *v, const struct index *index, struct fault *fault)
{
	struct verify_strays *s = v->strays;

	for (size_t i = 0; i < s->missing_n; i++)
		if (tell_missing(v, &s->missing[i], find(s, index, &s->missing[i]), fault) < 0)
			return -1;
	for (size_t i = 0; i < s->strangers_n; i++)
		if (tell_stranger(v, &s->strangers[i], index, fault) < 0)
			return -1;
	return 0;
}

static int look_into(struct verify *v, struct index *index, struct fault *fault)
{
	struct walk_rows like = { v->strays, index, liken }, twins = { v->strays, index, pair };

	mark_missing(v->strays, index);
	if (walk_rows(v, &like, fault) < 0)
		return -1;

	inherit(v->strays, index);
	if (read_likely(v, fault) < 0)
		return -1;

	index_digests(v->strays, index);
	return walk_rows(v, &twins, fault);
}

int verify_strays_settle(struct verify *v, struct fault *fault)
{
	_cleanup_(index_done) struct index index;

	index_make(v->strays, &index);
	if (v->strays->strangers_n && look_into(v, &index, fault) < 0)
		return -1;

	return settle(v, &index, fault);
}
