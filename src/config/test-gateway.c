/* SPDX-License-Identifier: Apache-2.0 */
/* [gateway], and what platforms say about SMTP. */
#include <string.h>
#include <unistd.h>

#include "config/testing.h"
#include "lib/check.h"

#define PLATFORMS "[platform old]\nsmtp = smtp://old.example lmtp://127.0.0.1:24\n[platform new]\nsmtp = smtps://[::1]\n"
#define GATEWAY "[gateway]\nhostname = mx.example.org\ndomain = Example.ORG\n"

static int read_it(struct testing_folder *folder, const char *conf, struct config *ret, struct fault *fault)
{
	testing_write(testing_path(folder, "mailferry.conf"), conf);
	return config_read_for_gateway(testing_path(folder, "mailferry.conf"), ret, fault);
}

static void least(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	_cleanup_(config_done) struct config config = { .path = NULL };
	struct fault fault = FAULT_INIT;
	const struct config_gateway *g = &config.gateway;

	testing_folder_make(&folder);
	if (read_it(&folder, PLATFORMS GATEWAY, &config, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK(g->is_set && config.mailboxes_n == 0);
	CHECK_STR(g->domains[0], "example.org");
	CHECK(!g->domains[1]);
	CHECK_EQ(config.old.smtp.hosts.n, 2);
	CHECK_EQ(config.old.smtp.hosts.p[1].scheme, CONFIG_LMTP);
	CHECK_EQ(config.new.smtp.hosts.p[0].port, 465);
	CHECK_EQ(g->listen.n, 2);
	CHECK_STR(g->listen.p[1].host, "::");
	CHECK(g->metrics.port == 0 && g->trusted.n == 0);
	CHECK_EQ(g->max_message, 50 << 20);
	CHECK_EQ(g->unknown, CONFIG_UNKNOWN_REFUSE);
}

static void all(struct check *check)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	_cleanup_(config_done) struct config config = { .path = NULL };
	struct fault fault = FAULT_INIT;
	const struct config_gateway *g = &config.gateway;
	struct ip address;

	testing_folder_make(&folder);
	testing_write(testing_path(&folder, "mx.pem"), "x");
	if (read_it(&folder, "[platform old]\nsmtp = smtp://a\nsmtp_tls = pinned\nsmtp_pin = sha256:"
			     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
			     "smtp_client = xforward\n[platform new]\nsmtp = smtp://b\nsmtp_tls = verified\n"
			     GATEWAY "domain = zwei.example\ndomain_route = Zwei.example=hold\n"
			     "alias = info@example.org=anna@example.org\ntrusted = 127.0.0.0/8\ntrusted = ::1\n"
			     "listen = 127.0.0.1:2525\nmetrics = [::1]:9125\ncert_file = mx.pem\nunknown = hold\n"
			     "line_ends = normalise\nsubaddress = none\nqueue_life = 2d\njournal_segment_mib = 8\n", &config, &fault) < 0)
		CHECK_FAIL("%s", fault.text);
	CHECK_EQ(config.old.smtp.tls, CONFIG_TLS_PINNED);
	CHECK_EQ(strlen(config.old.smtp.pin), 64);
	CHECK_EQ(config.old.smtp.client, CONFIG_CLIENT_XFORWARD);
	CHECK_STR(g->domains[1], "zwei.example");
	CHECK_STR(g->domain_routes[0], "zwei.example=hold");
	CHECK_EQ(g->trusted.n, 2);
	CHECK_EQ(ip_parse(BYTES("127.9.9.9"), &address), 0);
	CHECK(network_holds(&g->trusted.p[0], &address) && !network_holds(&g->trusted.p[1], &address));
	CHECK_EQ(g->metrics.port, 9125);
	CHECK_EQ(g->unknown, CONFIG_UNKNOWN_HOLD);
	CHECK_EQ(g->line_ends, CONFIG_LINE_ENDS_NORMALISE);
	CHECK_EQ(g->journal_segment_mib, 8);
}

static void wrong(struct check *check)
{
	static const struct {
		const char *conf, *place, *said;
	} cases[] = {
		{ PLATFORMS, ": ", "no section [gateway]" },
		{ PLATFORMS "[gateway]\n", ":5: ", "add hostname" },
		{ PLATFORMS "[gateway]\nhostname = mx.example.org\n", ":5: ", "add domain" },
		{ "[platform old]\nsmtp = smtp://a\n[platform new]\n" GATEWAY, ":3: ", "[platform new] does not say where" },
		{ GATEWAY, ": ", "[platform old] does not say where" },
		{ "[platform old]\nsmtp = a\n", ":2: smtp: ", "smtp://HOST[:PORT]" },
		{ "[platform old]\nsmtp_tls = pinned\n", ":1: smtp_pin: ", "64 hexadecimal" },
		{ "[platform old]\nsmtp_tls = pinned\nsmtp_pin = sha256:12\n", ":3: smtp_pin: ", "64 hexadecimal" },
		{ "[platform old]\nsmtp_pin = sha256:12\n", ":2: smtp_pin: ", "smtp_tls = pinned only" },
		{ "[platform old]\nsmtp = smtp://a smtps://b\nsmtp_tls = none\n", ":2: smtp: ", "smtp_tls = none forbids it" },
		{ GATEWAY "listen = 25\n", ":4: listen: ", "HOST:PORT" },
		{ GATEWAY "metrics = 192.0.2.1:9125\n", ":4: metrics: ", "not this machine's own" },
		{ GATEWAY "metrics = localhost:9125\n", ":4: metrics: ", "not this machine's own" },
		{ GATEWAY "listen = mx.example.org:25\n", ":4: listen: ", "no address" },
		{ GATEWAY "domain = a..b\n", ":4: domain: ", "\"a..b\" is no domain" },
		{ GATEWAY "domain_route = example.org=nwe\n", ":4: domain_route: ", "DOMAIN=old" },
		{ GATEWAY "alias = info@example.org\n", ":4: alias: ", "ADDRESS=ADDRESS" },
		{ GATEWAY "trusted = 127.0.0.1/40\n", ":4: trusted: ", "at most 32" },
		{ GATEWAY "subaddress = ++\n", ":4: subaddress: ", "one of" },
		{ GATEWAY "retry_min = 1h\nretry_max = 1m\n", ":5: retry_max: ", "less than retry_min" },
		{ GATEWAY "key_file = x\n", ":4: key_file: ", "add cert_file" },
		{ GATEWAY "cert_file = not-there\n", ":4: cert_file: ", "No such file" },
		{ GATEWAY "recipients_file = a\nrecipients_command = b\n", ":5: recipients_command: ", "one of them" },
		{ "[mailferry]\nmailboxes = not-there.csv\n" GATEWAY, ":2: mailboxes: ", "No such file" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(testing_folder_remove) struct testing_folder folder;
		_cleanup_(config_done) struct config config = { .path = NULL };
		struct fault fault = FAULT_INIT;
		char place[300];

		testing_folder_make(&folder);
		snprintf(place, sizeof(place), "%s/mailferry.conf%s", folder.path, cases[i].place);
		if (read_it(&folder, cases[i].conf, &config, &fault) == 0)
			CHECK_FAIL("was taken, but \"%s\" should be wrong:\n%s", cases[i].said, cases[i].conf);
		if (strncmp(fault.text, place, strlen(place)) != 0 || !strstr(fault.text, cases[i].said))
			CHECK_FAIL("\"%s\"\ndoes not begin with %s and say \"%s\"", fault.text, place, cases[i].said);
	}
}

/* n addresses, each between front and back. */
static void take_many(struct check *check, const char *before, const char *front, const char *back, int n, bool fits)
{
	_cleanup_(testing_folder_remove) struct testing_folder folder;
	_cleanup_(config_done) struct config config = { .path = NULL };
	_cleanup_(buf_done) struct buf text = BUF_NULL;
	struct fault fault = FAULT_INIT;

	testing_folder_make(&folder);
	buf_append_str(&text, before);
	for (int i = 0; i < n; i++)
		buf_appendf(&text, "%s127.0.%d.%d%s", front, i % 250, i / 250 + 1, back);
	buf_append_char(&text, '\n');
	if ((read_it(&folder, buf_str(&text), &config, &fault) == 0) != fits)
		CHECK_FAIL("%d of \"%s\": %s", n, front, fault.text);
	if (!fits && !strstr(fault.text, "are too many: at most"))
		CHECK_FAIL("%s", fault.text);
}

static void too_many(struct check *check)
{
	static const char *const tail = PLATFORMS GATEWAY;
	_cleanup_(buf_done) struct buf hosts = BUF_NULL, listen = BUF_NULL;

	buf_appendf(&listen, "%slisten =", tail);
	buf_append_str(&hosts, GATEWAY "[platform new]\nsmtp = smtp://a\n[platform old]\nsmtp =");
	take_many(check, buf_str(&listen), " ", ":25", CONFIG_LISTEN_MAX, true);
	take_many(check, buf_str(&listen), " ", ":25", CONFIG_LISTEN_MAX + 1, false);
	take_many(check, buf_str(&hosts), " smtp://", "", CONFIG_HOSTS_MAX, true);
	take_many(check, buf_str(&hosts), " smtp://", "", CONFIG_HOSTS_MAX + 1, false);
	take_many(check, tail, "trusted = ", "\n", CONFIG_TRUSTED_MAX, true);
	take_many(check, tail, "trusted = ", "\n", CONFIG_TRUSTED_MAX + 1, false);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "too many of them", too_many },
		{ "the least", least }, { "all", all }, { "wrong", wrong }, { 0 },
	};

	return check_main(argc, argv, cases);
}
