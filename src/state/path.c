/* SPDX-License-Identifier: Apache-2.0 */
/* Where a ledger lies. */
#include <openssl/evp.h>

#include "state/ledger.h"

/* At most 24 characters of the user in an URL, for people who look into the folder. */
static void append_user(const char *url, struct buf *to)
{
	struct bytes rest = bytes_of(url);
	ptrdiff_t scheme = bytes_find(rest, BYTES("://"));
	size_t start = to->n, at;

	if (scheme >= 0)
		rest = bytes_skip(rest, (size_t)scheme + 3);
	rest = bytes_cut(&rest, '/');
	for (at = rest.n; at > 0 && rest.p[at - 1] != '@'; at--)
		;
	rest = bytes_head(rest, at > 0 ? at - 1 : 0);

	for (size_t i = 0; i < rest.n && to->n - start < 24; i++) {
		char c = ascii_lower(rest.p[i]);
		bool plain = (c >= 'a' && c <= 'z') || ascii_is_digit(c) || c == '-' ||
			     (c == '.' && i > 0);

		buf_append_char(to, plain ? c : '_');
	}
	if (to->n == start)
		buf_append_str(to, "mailbox");
}

void ledger_path(const char *state_dir, const struct ledger_ends *ends, struct buf *to)
{
	_cleanup_(buf_done) struct buf both = BUF_NULL;
	unsigned char digest[32];

	/* printf '%s\0%s' SOURCE DESTINATION | sha256sum */
	buf_append_str(&both, ends->source);
	buf_append_char(&both, '\0');
	buf_append_str(&both, ends->destination);
	if (EVP_Digest(both.p, both.n, digest, NULL, EVP_sha256(), NULL) != 1)
		abort(); /* OpenSSL without SHA-256: nothing here can work */

	buf_appendf(to, "%s/ledger/", state_dir);
	append_user(ends->source, to);
	buf_append_char(to, '-');
	append_user(ends->destination, to);
	buf_append_char(to, '-');
	for (size_t i = 0; i < 8; i++)
		buf_appendf(to, "%02x", digest[i]);
	buf_append_str(to, ".db");
}
