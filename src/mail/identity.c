/* SPDX-License-Identifier: Apache-2.0 */
/* What names a message, taken while it streams by, see identity.h. The header scanner finds the empty line and the
 * fields; what it has eaten of a slice is what is hashed. */
#include "mail/identity.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* Of Date and Subject so many bytes that are no blanks. Less than the scanner keeps of them: it cuts before the blanks
 * are left out, and where it cuts must not depend on how a server folds. */
enum { DATE_BYTES = 64, SUBJECT_BYTES = 256 };

struct mail_identify {
	struct header_scan scan;
	EVP_MD_CTX *hash; /* of the header block so far … */
	bool in_line;     /* … whose last line has not ended */
};

struct mail_identify *mail_identify_new(void)
{
	struct mail_identify *m = xzalloc(sizeof(*m));

	int ok;

	m->hash = EVP_MD_CTX_new();
	assert(m->hash);
	ok = EVP_DigestInit_ex(m->hash, EVP_sha256(), NULL);
	assert(ok == 1);
	m->scan.skip_body = true;
	return m;
}

struct mail_identify *mail_identify_free(struct mail_identify *m)
{
	if (!m)
		return NULL;

	EVP_MD_CTX_free(m->hash);
	free(m);
	return NULL;
}

static void begin_hash(EVP_MD_CTX *hash)
{
	int ok = EVP_DigestInit_ex(hash, NULL, NULL); /* the same digest anew */

	assert(ok == 1);
}

void mail_identify_begin(struct mail_identify *m)
{
	begin_hash(m->hash);
	m->in_line = false;
	m->scan = (struct header_scan){ .skip_body = true };
}

static void add(EVP_MD_CTX *hash, struct bytes bytes)
{
	int ok = EVP_DigestUpdate(hash, bytes.p, bytes.n);

	assert(ok == 1);
}

static void end_hash(EVP_MD_CTX *hash, unsigned char to[16])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	int ok = EVP_DigestFinal_ex(hash, digest, NULL);

	assert(ok == 1);
	memcpy(to, digest, 16);
}

static void add_without_cr(struct mail_identify *m, struct bytes bytes)
{
	while (bytes.n) {
		struct bytes part = bytes_cut(&bytes, '\r');

		if (!part.n)
			continue;
		add(m->hash, part);
		m->in_line = part.p[part.n - 1] != '\n';
	}
}

void mail_identify_feed(struct mail_identify *m, struct bytes slice)
{
	uint64_t before = m->scan.size;
	struct bytes header;

	if (m->scan.ended)
		return;

	header_feed(&m->scan, slice);
	header = bytes_head(slice, (size_t)(m->scan.size - before));
	if (m->scan.ended) /* its last byte ends the empty line, which does not count */
		header.n--;
	add_without_cr(m, header);
}

static void add_without_blanks(EVP_MD_CTX *hash, const char *text, size_t most)
{
	char squeezed[SUBJECT_BYTES];
	size_t n = 0;

	for (const char *p = text; *p && n < most; p++)
		if (*p != ' ')
			squeezed[n++] = *p;
	add(hash, (struct bytes){ squeezed, n });
}

static void make_core(struct mail_identify *m, unsigned char to[16])
{
	memset(to, 0, 16);
	if (!m->scan.date[0] && !m->scan.subject[0])
		return;

	begin_hash(m->hash);
	add_without_blanks(m->hash, m->scan.date, DATE_BYTES);
	add(m->hash, BYTES("\n"));
	add_without_blanks(m->hash, m->scan.subject, SUBJECT_BYTES);
	end_hash(m->hash, to);
}

void mail_identify_end(struct mail_identify *m, struct mail_identity *ret)
{
	size_t n = 0;

	header_finish(&m->scan);
	if (m->in_line)
		add(m->hash, BYTES("\n"));
	*ret = (struct mail_identity){ .message_id = "" };
	end_hash(m->hash, ret->header);
	make_core(m, ret->core);
	for (const char *p = m->scan.message_id; *p && n < sizeof(ret->message_id) - 1; p++)
		if (*p != ' ')
			ret->message_id[n++] = *p;
}

unsigned mail_identify_notes(const struct mail_identify *m)
{
	return m->scan.notes;
}
