/* SPDX-License-Identifier: Apache-2.0 */
/* [gateway], and the platforms' hosts for SMTP: texts become what they mean. */
#include <string.h>

#include "config/check.h"
#include "config/settings.h"
#include "os/look.h"

static const struct endpoint_scheme smtp_schemes[] = {
	[CONFIG_SMTP] = { "smtp", 25 }, [CONFIG_SMTPS] = { "smtps", 465 }, [CONFIG_LMTP] = { "lmtp", 0 },
};
static const struct endpoint_scheme plain[] = { { "", 0 } };

/* Puts file, line and key before the fault's text. */
static int fault_of(const struct conf *conf, const struct conf_section *section, const char *key,
		    struct fault *fault)
{
	int line = conf_line(section, key);

	fault_prefix(fault, "%s", key);
	return conf_fault_at(conf->path, line ? line : section->line, fault);
}

static int read_endpoints(const char *text, const struct endpoint_scheme *schemes, unsigned n,
			  struct arena *arena, struct endpoints *to, struct fault *fault)
{
	struct bytes rest = bytes_of(text);
	size_t most = 1;

	for (size_t i = 0; i < rest.n; i++)
		most += rest.p[i] == ' ';
	*to = (struct endpoints){ arena_alloc(arena, most * sizeof(*to->p)), 0 };
	while (rest.n > 0) {
		struct bytes word = bytes_cut(&rest, ' ');

		if (word.n && endpoint_parse(word, schemes, n, &to->p[to->n++], fault) < 0)
			return -1;
	}
	return 0;
}

/* --- platforms ------------------------------------------------------------------------------- */

static int check_pin(const struct config_smtp *smtp, const char **ret, struct fault *fault)
{
	const char *hex = smtp->pin ? smtp->pin : "";

	if (strncmp(hex, "sha256:", 7) == 0)
		hex += 7;
	if (strlen(hex) != 64 || strspn(hex, "0123456789abcdefABCDEF") != 64)
		return fault_usage(fault, "write sha256: and 64 hexadecimal digits");
	*ret = hex;
	return 0;
}

static int check_hosts(const struct config_smtp *smtp, struct fault *fault)
{
	if (smtp->hosts.n > CONFIG_HOSTS_MAX)
		return fault_usage(fault, "%zu hosts are too many: at most %d", smtp->hosts.n, CONFIG_HOSTS_MAX);
	for (size_t i = 0; i < smtp->hosts.n; i++)
		if (smtp->hosts.p[i].scheme == CONFIG_SMTPS && smtp->tls == CONFIG_TLS_NONE)
			return fault_usage(fault, "smtps:// begins with TLS, and smtp_tls = none forbids it: write smtp://, or "
					   "another smtp_tls");
	return 0;
}

static int check_platform(const struct conf *conf, const struct conf_section *section,
			  struct fault *fault)
{
	struct config_platform *platform = section->base;
	struct config_smtp *smtp = &platform->smtp;

	if (smtp->text && read_endpoints(smtp->text, smtp_schemes, ARRAY_SIZE(smtp_schemes),
					 conf->place.arena, &smtp->hosts, fault) < 0)
		return fault_of(conf, section, "smtp", fault);
	if (smtp->text && check_hosts(smtp, fault) < 0)
		return fault_of(conf, section, "smtp", fault);
	if (smtp->tls != CONFIG_TLS_PINNED && !smtp->pin)
		return 0;

	if (smtp->tls != CONFIG_TLS_PINNED) {
		fault_usage(fault, "it counts with smtp_tls = pinned only");
		return fault_of(conf, section, "smtp_pin", fault);
	}
	return check_pin(smtp, &smtp->pin, fault) < 0 ? fault_of(conf, section, "smtp_pin", fault) : 0;
}

/* --- [gateway] ------------------------------------------------------------------------------- */

static int check_domain(const char *text, struct arena *arena, const char **ret, struct fault *fault)
{
	char *domain = arena_strdup(arena, text);
	char shown[200];

	for (char *p = domain; *p; p++) {
		*p = ascii_lower(*p);
		if (!ascii_is_alpha(*p) && !ascii_is_digit(*p) && !strchr("-.", *p) &&
		    !((unsigned char)*p & 0x80))
			return fault_usage(fault, "\"%s\" is no domain: write example.org",
					   value_shown(text, 60, shown));
	}
	if (!strchr(domain, '.') || domain[0] == '.' || strstr(domain, "..") || strlen(domain) > 255)
		return fault_usage(fault, "\"%s\" is no domain: write example.org",
				   value_shown(text, 60, shown));
	*ret = domain;
	return 0;
}

static int check_domains(struct config_gateway *g, struct arena *arena, struct fault *fault)
{
	struct string_items items = { .n = 0 };
	int r = 0;

	for (size_t i = 0; g->domains[i] && r == 0; i++) {
		const char *domain;

		r = check_domain(g->domains[i], arena, &domain, fault);
		if (r == 0)
			string_items_add(&items, domain);
	}
	if (r == 0)
		g->domains = string_items_copy(&items, arena);
	string_items_done(&items);
	return r;
}

static int check_domain_routes(struct config_gateway *g, struct arena *arena, struct fault *fault)
{
	struct string_items items = { .n = 0 };
	int r = 0;

	for (size_t i = 0; g->domain_routes[i] && r == 0; i++) {
		struct bytes route = bytes_of(g->domain_routes[i]);
		const char *domain = arena_str(arena, bytes_cut(&route, '='));

		if (!bytes_equal(route, BYTES("old")) && !bytes_equal(route, BYTES("new")) &&
		    !bytes_equal(route, BYTES("both")) && !bytes_equal(route, BYTES("hold")))
			r = fault_usage(fault, "write DOMAIN=old, new, both or hold");
		else
			r = check_domain(domain, arena, &domain, fault);
		if (r == 0)
			string_items_add(&items, arena_printf(arena, "%s=%.*s", domain, BYTES_ARG(route)));
	}
	if (r == 0)
		g->domain_routes = string_items_copy(&items, arena);
	string_items_done(&items);
	return r;
}

static int check_aliases(const struct config_gateway *g, struct fault *fault)
{
	for (size_t i = 0; g->aliases[i]; i++) {
		struct bytes to = bytes_of(g->aliases[i]), from = bytes_cut(&to, '=');

		if (bytes_find_char(from, '@') < 1 || bytes_find_char(to, '@') < 1)
			return fault_usage(fault, "write ADDRESS=ADDRESS: info@example.org=anna@example.org");
	}
	return 0;
}

static int check_trusted(struct config_gateway *g, struct arena *arena, struct fault *fault)
{
	size_t n = 0;

	while (g->trusted_texts[n])
		n++;
	if (n > CONFIG_TRUSTED_MAX)
		return fault_usage(fault, "%zu networks are too many: at most %d", n, CONFIG_TRUSTED_MAX);
	g->trusted = (struct networks){ arena_alloc(arena, (n + 1) * sizeof(*g->trusted.p)), n };
	for (size_t i = 0; i < n; i++)
		if (network_parse(bytes_of(g->trusted_texts[i]), &g->trusted.p[i], fault) < 0)
			return -1;
	return 0;
}

static int check_listen(struct config_gateway *g, struct arena *arena, struct fault *fault)
{
	struct ip ignored;

	if (read_endpoints(g->listen_text, plain, 1, arena, &g->listen, fault) < 0)
		return -1;
	for (size_t i = 0; i < g->listen.n; i++)
		if (ip_parse(bytes_of(g->listen.p[i].host), &ignored) < 0)
			return fault_usage(fault, "%s is no address of this machine: write one as 192.0.2.1:25, or "
					   "0.0.0.0:25 for all", g->listen.p[i].host);
	if (g->listen.n > CONFIG_LISTEN_MAX)
		return fault_usage(fault, "%zu addresses are too many: at most %d", g->listen.n, CONFIG_LISTEN_MAX);
	return g->listen.n ? 0 : fault_usage(fault, "write ADDRESS:PORT");
}

static int check_metrics(struct config_gateway *g, struct fault *fault)
{
	struct network v4 = { .bits = 8 };
	struct ip ip;

	g->metrics.port = 0;
	if (!g->metrics_text)
		return 0;
	if (endpoint_parse(bytes_of(g->metrics_text), plain, 1, &g->metrics, fault) < 0)
		return -1;
	/* Whoever reaches it may read it. */
	if (ip_parse(BYTES("127.0.0.0"), &v4.address) == 0 && ip_parse(bytes_of(g->metrics.host), &ip) == 0 &&
	    (network_holds(&v4, &ip) || strcmp(g->metrics.host, "::1") == 0))
		return 0;
	return fault_usage(fault, "%s is not this machine's own: write 127.0.0.1:PORT or [::1]:PORT", g->metrics.host);
}

static int check_events(const struct conf *conf, struct config_gateway *g, struct fault *fault)
{
	if (!g->events || strcmp(g->events, "syslog") == 0)
		return 0;
	return value_path(g->events, &conf->place, &g->events, fault);
}

static int check_subaddress(const struct config_gateway *g, struct fault *fault)
{
	if (strcmp(g->subaddress, "none") == 0)
		return 0;
	if (strlen(g->subaddress) != 1 || !strchr("+-_=#&.", g->subaddress[0]))
		return fault_usage(fault, "write one of + - _ = # & . or none");
	return 0;
}

static int check_hostname(const struct config_gateway *g, struct arena *arena, struct fault *fault)
{
	const char *ignored;

	return g->hostname ? check_domain(g->hostname, arena, &ignored, fault) : 0;
}

static int check_files(const struct conf *conf, const struct config_gateway *g, struct fault *fault)
{
	const struct conf_section *section = conf->gateway;

	if (g->recipients_file && g->recipients_command) {
		fault_usage(fault, "recipients_file is there too: write one of them");
		return fault_of(conf, section, "recipients_command", fault);
	}
	if (g->key_file && !g->cert_file) {
		fault_usage(fault, "a key without its certificate: add cert_file");
		return fault_of(conf, section, "key_file", fault);
	}
	if (g->cert_file && os_look_for_file(g->cert_file, fault) < 0)
		return fault_of(conf, section, "cert_file", fault);
	if (g->key_file && os_look_for_file(g->key_file, fault) < 0)
		return fault_of(conf, section, "key_file", fault);
	if (g->keep_records_us && (!g->keep_bodies_us || g->keep_records_us < g->keep_bodies_us)) {
		fault_usage(fault, "this is less than keep_bodies");
		return fault_of(conf, section, "keep_records", fault);
	}
	if (g->retry_max_us < g->retry_min_us) {
		fault_usage(fault, "this is less than retry_min");
		return fault_of(conf, section, "retry_max", fault);
	}
	return 0;
}

static int check_values(const struct conf *conf, struct config_gateway *g, struct fault *fault)
{
	struct arena *arena = conf->place.arena;
	const char *key = NULL;

	if (check_hostname(g, arena, fault) < 0)
		key = "hostname";
	else if (check_listen(g, arena, fault) < 0)
		key = "listen";
	else if (check_metrics(g, fault) < 0)
		key = "metrics";
	else if (check_events(conf, g, fault) < 0)
		key = "events";
	else if (check_domains(g, arena, fault) < 0)
		key = "domain";
	else if (check_domain_routes(g, arena, fault) < 0)
		key = "domain_route";
	else if (check_aliases(g, fault) < 0)
		key = "alias";
	else if (check_trusted(g, arena, fault) < 0)
		key = "trusted";
	else if (check_subaddress(g, fault) < 0)
		key = "subaddress";

	return key ? fault_of(conf, conf->gateway, key, fault) : check_files(conf, g, fault);
}

/* What the gateway cannot do without. */
static int check_needed(const struct conf *conf, const struct config_gateway *g, struct fault *fault)
{
	const struct config *config = conf->config;
	const struct conf_section *where = conf->gateway;

	if (!g->is_set) {
		fault_usage(fault, "there is no section [gateway]: see mailferry.conf(5)");
	} else if (!g->hostname) {
		fault_usage(fault, "[gateway] does not say what it is called: add hostname = mx.example.org");
	} else if (!g->domains[0]) {
		fault_usage(fault, "[gateway] does not say whose mail it takes: add domain = example.org");
	} else if (!config->old.smtp.text || !config->new.smtp.text) {
		where = config->old.smtp.text ? conf->new : conf->old;
		fault_usage(fault, "[platform %s] does not say where its mail is delivered to: add "
			    "smtp = smtp://HOST", where->name);
	} else {
		return 0;
	}
	return conf_fault_at(conf->path, where->line, fault);
}

int check_gateway(const struct conf *conf, struct fault *fault)
{
	struct config_gateway *g = &conf->config->gateway;

	g->is_set = conf->gateway->line > 0;
	if (check_platform(conf, conf->old, fault) < 0 || check_platform(conf, conf->new, fault) < 0)
		return -1;
	if ((g->is_set || conf->for_gateway) && check_values(conf, g, fault) < 0)
		return -1;
	return conf->for_gateway ? check_needed(conf, g, fault) : 0;
}
