/* SPDX-License-Identifier: Apache-2.0 */
/* Anything a server may say, its two messages split at the first line end: no proof for a
 * malformed first, no "done" without the right signature. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "sasl/base64.h"
#include "sasl/mechanism.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
	if (!condition)
		abort();
}

static void zeros(void *p, size_t n)
{
	memset(p, 0, n);
}

/* Hashing that often would only be slow. */
static bool asks_for_too_much(struct bytes message)
{
	ptrdiff_t at = bytes_find(message, BYTES(",i="));
	struct bytes rest = bytes_skip(message, at < 0 ? message.n : (size_t)at + 3);
	uint64_t n;

	return bytes_to_u64(bytes_cut(&rest, ','), UINT64_MAX, &n) == 0 && n > 5000 && n < 20000000;
}

static void check_done(const struct sasl_exchange *e, struct bytes message)
{
	_cleanup_(buf_done) struct buf signature = BUF_NULL;
	struct bytes value = bytes_skip(message, 2);

	insist(sasl_is_done(e));
	insist(base64_decode(bytes_cut(&value, ','), &signature) == 0);
	insist(signature.n == 20 && memcmp(signature.p, e->scram.server_signature, 20) == 0);
}

static void check_fault(const struct fault *fault)
{
	insist(fault->kind == FAULT_AUTH && fault->text[0]);
	insist(!strstr(fault->text, "pencil"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sasl_credentials c = { .user = "user", .password = "pencil", .random = zeros };
	struct bytes final = { (const char *)data, size }, first = bytes_cut(&final, '\n');
	_cleanup_(sasl_freep) struct sasl_exchange *e = sasl_start(&sasl_scram_sha_1, &c, false);
	_cleanup_(buf_done) struct buf out = BUF_NULL;
	struct fault fault = FAULT_INIT;

	if (asks_for_too_much(first))
		return 0;

	e->scram.nonce = xstrdup("fyko+d2lbbFgONRv9qkxdawL");
	insist(sasl_step(e, BYTES_NULL, &out, &fault) == 0);
	buf_reset(&out);
	if (sasl_step(e, first, &out, &fault) < 0) {
		insist(out.n == 0);
		check_fault(&fault);
		insist(sasl_step(e, final, &out, &fault) < 0 && !sasl_is_done(e));
		return 0;
	}

	insist(bytes_starts(buf_bytes(&out), BYTES("c=biws,r=fyko+d2lbbFgONRv9qkxdawL")) &&
	       !sasl_is_done(e));
	if (sasl_step(e, final, &out, &fault) == 0)
		check_done(e, final);
	else
		check_fault(&fault);
	return 0;
}
