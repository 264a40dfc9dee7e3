/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and signatures, see key.h. */
#include "journal/key.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/xalloc.h"
#include "os/file.h"
#include "os/look.h"

enum { PEM_MAX = 16384 };

struct journal_key {
	EVP_PKEY *key;
};

static void bio_freep(BIO **bio)
{
	BIO_free(*bio);
}

static int fault_key(struct fault *fault, const char *path)
{
	return fault_set(fault, FAULT_DATA, REACH_PROCESS, AGAIN_NEVER, "%s does not hold an Ed25519 key in PEM", path);
}

static void path_of(struct buf *to, const char *folder, const char *name)
{
	buf_appendf(to, "%s/%s", folder, name);
}

static int read_key(const char *path, bool private, EVP_PKEY **ret, struct fault *fault)
{
	_cleanup_(buf_wipe) struct buf content = BUF_NULL;
	_cleanup_(bio_freep) BIO *bio = NULL;
	EVP_PKEY *key;

	buf_reserve(&content, PEM_MAX + 1);
	if (os_read_file(path, PEM_MAX, &content, fault) < 0)
		return -1;

	bio = BIO_new_mem_buf(content.p, (int)content.n);
	key = private ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	if (!key || EVP_PKEY_get_id(key) != EVP_PKEY_ED25519) {
		EVP_PKEY_free(key);
		return fault_key(fault, path);
	}
	*ret = key;
	return 0;
}

static int write_key(const char *path, EVP_PKEY *key, bool private, struct fault *fault)
{
	_cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_secmem());
	char *p;
	long n;
	int ok;

	ok = private ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) : PEM_write_bio_PUBKEY(bio, key);
	n = BIO_get_mem_data(bio, &p);
	if (ok != 1 || n <= 0)
		return fault_local(fault, "cannot write a key as PEM for %s", path);
	return os_replace_file(path, (struct bytes){ p, (size_t)n }, fault);
}

static struct journal_key *key_new(EVP_PKEY *key)
{
	struct journal_key *k = xzalloc(sizeof(*k));

	k->key = key;
	return k;
}

int journal_key_open(const char *folder, struct journal_key **ret, struct fault *fault)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL, public = BUF_NULL;
	_cleanup_(journal_key_freep) struct journal_key *key = NULL;
	EVP_PKEY *made = NULL;

	path_of(&path, folder, "key.pem");
	path_of(&public, folder, "key.pub.pem");
	if (!os_is_there(buf_str(&path))) {
		made = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		if (!made)
			return fault_local(fault, "cannot make a key for %s", folder);
		key = key_new(made);
		if (write_key(buf_str(&path), made, true, fault) < 0)
			return -1;
	} else {
		if (read_key(buf_str(&path), true, &made, fault) < 0)
			return -1;
		key = key_new(made);
	}
	/* A crash may have come between the two. */
	if (!os_is_there(buf_str(&public)) && write_key(buf_str(&public), made, false, fault) < 0)
		return -1;
	*ret = TAKE_PTR(key);
	return 0;
}

int journal_key_public(const char *folder, struct journal_key **ret, struct fault *fault)
{
	_cleanup_(buf_done) struct buf path = BUF_NULL;
	EVP_PKEY *key;

	path_of(&path, folder, "key.pub.pem");
	if (read_key(buf_str(&path), false, &key, fault) < 0)
		return -1;
	*ret = key_new(key);
	return 0;
}

struct journal_key *journal_key_free(struct journal_key *key)
{
	if (!key)
		return NULL;

	EVP_PKEY_free(key->key);
	free(key);
	return NULL;
}

void journal_checkpoint_text(struct buf *to, const char *id, uint64_t sequence,
			     const unsigned char chain[JOURNAL_DIGEST])
{
	char hex[2 * JOURNAL_DIGEST + 1];

	journal_hex(hex, chain);
	buf_appendf(to, "mailferry checkpoint v1\n%s\n%" PRIu64 "\n%s\n", id, sequence, hex);
}

/* Ed25519 cannot fail but for want of memory. */
static void insist(int ok)
{
	if (ok != 1)
		abort();
}

void journal_sign(const struct journal_key *key, struct bytes text, unsigned char to[JOURNAL_SIGNATURE])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t n = JOURNAL_SIGNATURE;

	insist(EVP_DigestSignInit(context, NULL, NULL, NULL, key->key));
	insist(EVP_DigestSign(context, to, &n, (const unsigned char *)text.p, text.n));
	EVP_MD_CTX_free(context);
}

bool journal_signature_is_good(const struct journal_key *key, struct bytes text, struct bytes signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good;

	insist(EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->key));
	good = EVP_DigestVerify(context, (const unsigned char *)signature.p, signature.n,
				(const unsigned char *)text.p, text.n) == 1;
	EVP_MD_CTX_free(context);
	return good;
}
