/* SPDX-License-Identifier: Apache-2.0 */
/* How a journal lies in its files, see format.h. */
#include "journal/format.h"

#include <assert.h>
#include <openssl/evp.h>

#include "base/xalloc.h"
#include "journal/crc32c.h"

static const char segment_magic[8] = { 'm', 'f', 'j', 'o', 'u', 'r', 'n', '1' };
static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

static void put(unsigned char *to, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get(const unsigned char *from, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value |= (uint64_t)from[i] << 8 * i;
	return value;
}

/* Of n bytes with a CRC at 12 that is left out. */
static uint32_t crc_of(const unsigned char *p, size_t n, uint32_t start)
{
	uint32_t crc = crc32c(start, (struct bytes){ (const char *)p, 12 });

	return crc32c(crc, (struct bytes){ (const char *)p + 16, n - 16 });
}

static bool is_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/* --- records --------------------------------------------------------------------------------- */

void journal_head_write(unsigned char to[JOURNAL_HEAD], const struct journal_head *head, uint64_t salt)
{
	put(to, salt & UINT32_MAX, 4);
	put(to + 4, head->length, 4);
	put(to + 8, head->type, 2);
	put(to + 10, head->flags, 2);
	put(to + 16, head->sequence, 8);
	put(to + 24, (uint64_t)head->wall_us, 8);
	memcpy(to + 32, head->digest, JOURNAL_DIGEST);
	put(to + 12, crc_of(to, JOURNAL_HEAD, (uint32_t)(salt >> 32)), 4);
}

enum journal_head_state journal_head_read(const unsigned char from[JOURNAL_HEAD], uint64_t salt,
					  struct journal_head *ret)
{
	if (is_zero(from, JOURNAL_HEAD))
		return JOURNAL_HEAD_NONE;
	if (get(from, 4) != (salt & UINT32_MAX) ||
	    get(from + 12, 4) != crc_of(from, JOURNAL_HEAD, (uint32_t)(salt >> 32)))
		return JOURNAL_HEAD_BAD;

	*ret = (struct journal_head){
		.length = (uint32_t)get(from + 4, 4), .type = (uint16_t)get(from + 8, 2),
		.flags = (uint16_t)get(from + 10, 2), .sequence = get(from + 16, 8),
		.wall_us = (int64_t)get(from + 24, 8),
	};
	memcpy(ret->digest, from + 32, JOURNAL_DIGEST);
	return ret->length <= JOURNAL_PAYLOAD_MAX && ret->sequence > 0 ? JOURNAL_HEAD_GOOD : JOURNAL_HEAD_BAD;
}

/* --- segments -------------------------------------------------------------------------------- */

void journal_segment_head_write(unsigned char to[JOURNAL_SEGMENT_HEAD], const struct journal_segment_head *head)
{
	memset(to, 0, JOURNAL_SEGMENT_HEAD);
	memcpy(to, segment_magic, 8);
	put(to + 8, 1, 4); /* version */
	put(to + 16, head->number, 8);
	put(to + 24, head->size, 8);
	put(to + 32, head->first, 8);
	put(to + 40, (uint64_t)head->wall_us, 8);
	memcpy(to + 48, head->id, JOURNAL_ID_LEN);
	put(to + 56, head->salt, 8);
	memcpy(to + 64, head->chain, JOURNAL_DIGEST);
	put(to + 12, crc_of(to, JOURNAL_SEGMENT_HEAD, 0), 4);
}

int journal_segment_head_read(const unsigned char from[JOURNAL_SEGMENT_HEAD], struct journal_segment_head *ret)
{
	struct bytes id = { (const char *)from + 48, JOURNAL_ID_LEN };

	if (memcmp(from, segment_magic, 8) != 0 || get(from + 8, 4) != 1 ||
	    get(from + 12, 4) != crc_of(from, JOURNAL_SEGMENT_HEAD, 0) || !journal_id_is_good(id))
		return -1;

	*ret = (struct journal_segment_head){
		.number = get(from + 16, 8), .size = get(from + 24, 8), .first = get(from + 32, 8),
		.wall_us = (int64_t)get(from + 40, 8), .salt = get(from + 56, 8),
	};
	memcpy(ret->id, id.p, JOURNAL_ID_LEN);
	memcpy(ret->chain, from + 64, JOURNAL_DIGEST);
	return ret->number > 0 && ret->first > 0 && ret->salt & UINT32_MAX && ret->size >= JOURNAL_SEGMENT_MIN &&
			       ret->size <= JOURNAL_SEGMENT_MAX ? 0 : -1;
}

/* --- names ----------------------------------------------------------------------------------- */

bool journal_id_is_good(struct bytes id)
{
	if (id.n != JOURNAL_ID_LEN)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] == '\0' || !strchr(alphabet, id.p[i]))
			return false;
	return true;
}

void journal_id_make(char to[JOURNAL_ID_LEN + 1], uint32_t random)
{
	for (size_t i = 0; i < JOURNAL_ID_LEN; i++, random >>= 5)
		to[i] = alphabet[random & 31];
	to[JOURNAL_ID_LEN] = '\0';
}

void journal_hex(char to[2 * JOURNAL_DIGEST + 1], const unsigned char digest[JOURNAL_DIGEST])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < JOURNAL_DIGEST; i++) {
		to[2 * i] = digits[digest[i] >> 4];
		to[2 * i + 1] = digits[digest[i] & 15];
	}
	to[2 * JOURNAL_DIGEST] = '\0';
}

/* --- digests --------------------------------------------------------------------------------- */

struct journal_hash {
	EVP_MD *md;
	EVP_MD_CTX *context;
};

/* OpenSSL fails here for want of memory only. */
static void insist(int ok)
{
	if (ok != 1)
		abort();
}

struct journal_hash *journal_hash_new(void)
{
	struct journal_hash *hash = xzalloc(sizeof(*hash));

	/* Fetched once: to do it for each digest costs more than a small digest itself. */
	hash->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	hash->context = EVP_MD_CTX_new();
	insist(hash->md && hash->context);
	insist(EVP_DigestInit_ex2(hash->context, hash->md, NULL));
	return hash;
}

struct journal_hash *journal_hash_free(struct journal_hash *hash)
{
	if (!hash)
		return NULL;

	EVP_MD_CTX_free(hash->context);
	EVP_MD_free(hash->md);
	free(hash);
	return NULL;
}

void journal_hash_begin(struct journal_hash *hash)
{
	insist(EVP_DigestInit_ex2(hash->context, NULL, NULL));
}

void journal_hash_feed(struct journal_hash *hash, struct bytes b)
{
	insist(EVP_DigestUpdate(hash->context, b.p, b.n));
}

void journal_hash_end(struct journal_hash *hash, unsigned char to[JOURNAL_DIGEST])
{
	unsigned n = 0;

	insist(EVP_DigestFinal_ex(hash->context, to, &n));
	assert(n == JOURNAL_DIGEST);
}

void journal_hash(struct journal_hash *hash, struct bytes a, struct bytes b, unsigned char to[JOURNAL_DIGEST])
{
	journal_hash_begin(hash);
	journal_hash_feed(hash, a);
	journal_hash_feed(hash, b);
	journal_hash_end(hash, to);
}

void journal_chain_start(struct journal_hash *hash, const char *id, unsigned char chain[JOURNAL_DIGEST])
{
	journal_hash(hash, BYTES("mailferry journal v1"), bytes_of(id), chain);
}

void journal_chain_step(struct journal_hash *hash, unsigned char chain[JOURNAL_DIGEST],
			const unsigned char head[JOURNAL_HEAD])
{
	journal_hash(hash, (struct bytes){ (const char *)chain, JOURNAL_DIGEST },
		     (struct bytes){ (const char *)head, JOURNAL_HEAD }, chain);
}
