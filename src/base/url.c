/* SPDX-License-Identifier: Apache-2.0 */
/* Store URLs, see url.h. Nothing is looked up here: names and paths are only read. */
#include "base/url.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define FORM "imaps://user@host[:port][/folder]"

enum { MAX_TEXT = 64 * 1024, MAX_HOST = 255 };

struct scheme {
	const char *name;
	uint16_t port; /* 0: what follows the colon is a path or a command */
};

static const struct scheme schemes[] = {
	[URL_IMAPS] = { "imaps", 993 },
	[URL_IMAP] = { "imap", 143 },
	[URL_IMAP_PIPE] = { "imap+pipe", 0 },
	[URL_MAILDIR] = { "maildir", 0 },
	[URL_MBOX] = { "mbox", 0 },
	[URL_BAG] = { "bag", 0 },
	[URL_PST] = { "pst", 0 },
};

const char *url_kind_name(enum url_kind kind)
{
	return schemes[kind].name;
}

void url_done(struct store_url *url)
{
	free(url->user);
	free(url->host);
	free(url->folder);
	free(url->command);
	free(url->path);
	*url = (struct store_url){ 0 };
}

static int hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';

	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL when a % is not followed by two hex digits, or stands for NUL. */
static char *percent_decode(struct bytes b)
{
	_cleanup_(buf_done) struct buf to = BUF_NULL;

	for (size_t i = 0; i < b.n; i++) {
		int high, low;

		if (b.p[i] != '%') {
			buf_append_char(&to, b.p[i]);
			continue;
		}
		if (b.n - i < 3)
			return NULL;

		high = hex_value(b.p[i + 1]);
		low = hex_value(b.p[i + 2]);
		if (high < 0 || low < 0 || high + low == 0)
			return NULL;

		buf_append_char(&to, (char)(high << 4 | low));
		i += 2;
	}

	return buf_take(&to);
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;

	return false;
}

static int password_fault(struct fault *fault)
{
	return fault_usage(fault,
			   "a URL must not hold a password (\"user:password@host\"), since others "
			   "can read it there; write " FORM " and give the password with "
			   "--from-password-file, --to-password-file or password_file in the "
			   "configuration; if the \":\" belongs to the user, write %%3A");
}

static int parse_user(struct bytes text, struct store_url *url, struct fault *fault)
{
	if (bytes_find_char(text, ':') >= 0)
		return password_fault(fault);

	if (text.n == 0)
		return fault_usage(fault, "the user before \"@\" is missing; the form is " FORM);

	url->user = percent_decode(text);
	if (!url->user)
		return fault_usage(fault,
				   "a \"%%\" in the user must be followed by two hex digits; "
				   "a \"%%\" of the user itself is written %%25");

	if (has_control(url->user))
		return fault_usage(fault, "the user holds a control character; the form is " FORM);

	return 0;
}

static bool is_host_char(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '.' || c == '_' ||
	       (unsigned char)c >= 0x80;
}

static int set_host_name(struct bytes text, struct store_url *url, struct fault *fault)
{
	bool good = text.n > 0 && text.n <= MAX_HOST;

	for (size_t i = 0; good && i < text.n; i++)
		good = is_host_char(text.p[i]);
	if (!good)
		return fault_usage(fault,
				   "the host is missing or not a host name; the form is " FORM);

	url->host = bytes_to_str(text);
	return 0;
}

static int set_host_v6(struct bytes text, struct store_url *url, struct fault *fault)
{
	struct in6_addr address;

	url->host = bytes_to_str(text);
	if (inet_pton(AF_INET6, url->host, &address) != 1)
		return fault_usage(fault, "what stands in brackets must be an IPv6 address, as in "
					  "imaps://user@[2001:db8::1]:993");

	return 0;
}

/* text: what follows the host, nothing or ":port". */
static int parse_port(struct bytes text, struct store_url *url, struct fault *fault)
{
	uint64_t port;

	if (text.n == 0)
		return 0;

	if (text.p[0] != ':')
		return fault_usage(fault, "only \":port\" may follow \"]\"; the form is " FORM);

	if (bytes_find_char(bytes_skip(text, 1), ':') >= 0)
		return fault_usage(fault, "an IPv6 address goes into brackets, as in "
					  "imaps://user@[2001:db8::1]:993");

	if (bytes_to_u64(bytes_skip(text, 1), 65535, &port) < 0 || port == 0)
		return fault_usage(fault,
				   "the port must be a number from 1 to 65535; the form is " FORM);

	url->port = (uint16_t)port;
	return 0;
}

static int parse_host(struct bytes text, struct store_url *url, struct fault *fault)
{
	bool v6 = bytes_starts(text, BYTES("["));
	ptrdiff_t end = bytes_find_char(text, v6 ? ']' : ':');
	size_t n = end < 0 ? text.n : (size_t)end;

	if (v6 && end < 0)
		return fault_usage(fault, "the \"]\" after the IPv6 address is missing, as in "
					  "imaps://user@[2001:db8::1]:993");

	if (parse_port(bytes_skip(text, v6 ? n + 1 : n), url, fault) < 0)
		return -1;

	if (v6)
		return set_host_v6(bytes_skip(bytes_head(text, n), 1), url, fault);

	return set_host_name(bytes_head(text, n), url, fault);
}

static int parse_folder(struct bytes text, struct store_url *url, struct fault *fault)
{
	if (text.n == 0)
		return 0;

	url->folder = percent_decode(text);
	if (!url->folder)
		return fault_usage(fault,
				   "a \"%%\" in the folder must be followed by two hex digits; "
				   "a \"%%\" of the folder itself is written %%25");

	return 0;
}

static ptrdiff_t find_last_char(struct bytes b, char c)
{
	const char *at = b.n ? memrchr(b.p, c, b.n) : NULL;

	return at ? at - b.p : -1;
}

/* text: all after the scheme's colon. */
static int parse_network(struct bytes text, struct store_url *url, struct fault *fault)
{
	struct bytes folder, authority;
	ptrdiff_t at;

	if (!bytes_starts(text, BYTES("//")))
		return fault_usage(fault, "\"%s:\" must be followed by \"//\"; the form is " FORM,
				   url_kind_name(url->kind));

	folder = bytes_skip(text, 2);
	authority = bytes_cut(&folder, '/');
	at = find_last_char(authority, '@');
	if (at < 0) {
		/* A password may hold "/": then its "@" is behind what looks like a port. */
		if (bytes_find_char(authority, ':') >= 0 && bytes_find_char(folder, '@') >= 0)
			return password_fault(fault);
		return fault_usage(fault, "the URL names no user; the form is " FORM);
	}

	if (parse_user(bytes_head(authority, (size_t)at), url, fault) < 0 ||
	    parse_host(bytes_skip(authority, (size_t)at + 1), url, fault) < 0)
		return -1;

	return parse_folder(folder, url, fault);
}

static int parse_local(struct bytes text, struct store_url *url, struct fault *fault)
{
	char **what = url->kind == URL_IMAP_PIPE ? &url->command : &url->path;

	if (bytes_trim(text).n == 0)
		return fault_usage(fault, "\"%s:\" must be followed by a %s",
				   url_kind_name(url->kind),
				   url->kind == URL_IMAP_PIPE ? "command" : "path");

	*what = bytes_to_str(text);
	return 0;
}

static int parse(struct bytes text, struct store_url *url, struct fault *fault)
{
	struct bytes rest = text, name = bytes_cut(&rest, ':');

	if (text.n > MAX_TEXT)
		return fault_usage(fault, "the URL is too long; the form is " FORM);

	for (size_t i = 0; i < ARRAY_SIZE(schemes) && name.n < text.n; i++) {
		if (!bytes_equal_nocase(name, bytes_of(schemes[i].name)))
			continue;
		url->kind = (enum url_kind)i;
		url->port = schemes[i].port;
		return url->port ? parse_network(rest, url, fault) : parse_local(rest, url, fault);
	}

	return fault_usage(fault,
			   "this is no mail server; write imaps://user@host[:port], imap://user@host[:port] "
			   "or imap+pipe:COMMAND");
}

int url_parse(const char *text, struct store_url *ret_url, struct fault *fault)
{
	struct store_url url = { 0 };

	if (parse(bytes_of(text), &url, fault) < 0) {
		url_done(&url);
		return -1;
	}

	*ret_url = url;
	return 0;
}

static void append_encoded(struct buf *to, const char *s, const char *also)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (ascii_is_alpha(*s) || ascii_is_digit(*s) || c >= 0x80 ||
		    strchr("-._~!$&'()*+,;=", c) || strchr(also, c))
			buf_append_char(to, *s);
		else
			buf_appendf(to, "%%%02X", c);
	}
}

static void format_network(const struct store_url *url, struct buf *to)
{
	bool v6 = strchr(url->host, ':');

	buf_append_str(to, "//");
	append_encoded(to, url->user, "");
	buf_appendf(to, v6 ? "@[%s]" : "@%s", url->host);
	if (url->port != schemes[url->kind].port)
		buf_appendf(to, ":%u", url->port);
	if (url->folder) {
		buf_append_char(to, '/');
		append_encoded(to, url->folder, "/@:");
	}
}

void url_format(const struct store_url *url, struct buf *to)
{
	buf_appendf(to, "%s:", url_kind_name(url->kind));
	if (url->command) {
		struct bytes rest = bytes_trim(bytes_of(url->command));

		buf_append_bytes(to, bytes_cut(&rest, ' '));
		buf_append_str(to, rest.n ? " …" : "");
		return;
	}
	if (url->path) {
		buf_append_str(to, url->path);
		return;
	}
	format_network(url, to);
}

static bool is_v6_loopback(const struct in6_addr *address)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (IN6_IS_ADDR_LOOPBACK(address))
		return true;

	return memcmp(address, mapped, sizeof(mapped)) == 0 && address->s6_addr[12] == 127;
}

bool host_is_loopback(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;

	if (inet_pton(AF_INET6, host, &v6) == 1)
		return is_v6_loopback(&v6);

	return bytes_equal_nocase(bytes_of(host), BYTES("localhost"));
}
