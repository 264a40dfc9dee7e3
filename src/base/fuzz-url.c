/* SPDX-License-Identifier: Apache-2.0 */
/* Any text: a store URL that was read and written reads back as the same. */
#include <stdlib.h>
#include <string.h>

#include "base/url.h"
#include "base/xalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
	if (!condition)
		abort();
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_url(const struct store_url *url)
{
	_cleanup_(url_done) struct store_url again = { 0 };
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	bool network = url->kind == URL_IMAP || url->kind == URL_IMAPS;
	struct fault fault;

	insist(network == (url->user && url->host && url->port));
	insist(!network == (url->command || url->path));
	if (network)
		host_is_loopback(url->host);

	url_format(url, &text);
	insist(url_parse(buf_str(&text), &again, &fault) == 0);
	insist(again.kind == url->kind && again.port == url->port);
	insist(same(again.user, url->user) && same(again.host, url->host));
	insist(same(again.folder, url->folder) && same(again.path, url->path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = bytes_to_str((struct bytes){ (const char *)data, size });
	_cleanup_(url_done) struct store_url url = { 0 };
	struct fault fault = FAULT_INIT;

	if (!text)
		return 0;

	if (url_parse(text, &url, &fault) == 0)
		check_url(&url);
	else
		insist(fault.kind == FAULT_USAGE && fault.text[0] &&
		       strlen(fault.text) < sizeof(fault.text) - 1);
	return 0;
}
