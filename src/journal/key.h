/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's Ed25519 key, and what it signs: a text that says which journal, up to which record, with which chain. Files
 * are PEM as the openssl command reads them. Everything with a path blocks. */
#ifndef JOURNAL_KEY_H
#define JOURNAL_KEY_H

#include "base/buf.h"
#include "base/fault.h"
#include "journal/format.h"

enum { JOURNAL_SIGNATURE = 64 };

struct journal_key;

/* Reads FOLDER/key.pem, or makes it and key.pub.pem when it is not there. */
int journal_key_open(const char *folder, struct journal_key **ret, struct fault *fault);

/* Reads FOLDER/key.pub.pem: fit for checking only. */
int journal_key_public(const char *folder, struct journal_key **ret, struct fault *fault);

struct journal_key *journal_key_free(struct journal_key *key); /* accepts NULL, returns NULL */
DEFINE_FREEP(struct journal_key, journal_key_free);

/* "mailferry checkpoint v1\nID\nSEQUENCE\nCHAIN\n", the chain in hexadecimal. */
void journal_checkpoint_text(struct buf *to, const char *id, uint64_t sequence,
			     const unsigned char chain[JOURNAL_DIGEST]);

void journal_sign(const struct journal_key *key, struct bytes text, unsigned char to[JOURNAL_SIGNATURE]);
bool journal_signature_is_good(const struct journal_key *key, struct bytes text, struct bytes signature);

#endif
