/* SPDX-License-Identifier: Apache-2.0 */
/* [gateway] of mailferry.conf, and what [platform old|new] says about SMTP. */
#ifndef CONFIG_GATEWAY_H
#define CONFIG_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"

/* What processes are told of fits into their frames, and into their tables of descriptors. */
enum { CONFIG_LISTEN_MAX = 64, CONFIG_HOSTS_MAX = 64, CONFIG_TRUSTED_MAX = 1000 };

enum config_line_ends { CONFIG_LINE_ENDS_REJECT, CONFIG_LINE_ENDS_NORMALISE };
enum config_unknown { CONFIG_UNKNOWN_REFUSE, CONFIG_UNKNOWN_DEFER, CONFIG_UNKNOWN_HOLD };
enum config_unsure { CONFIG_UNSURE_DEFER, CONFIG_UNSURE_HOLD };
enum config_route { CONFIG_ROUTE_OLD, CONFIG_ROUTE_NEW, CONFIG_ROUTE_BOTH, CONFIG_ROUTE_HOLD };
enum config_offer { CONFIG_OFFER_COMMON, CONFIG_OFFER_ALL };
enum config_low_space { CONFIG_LOW_SPACE_DEFER, CONFIG_LOW_SPACE_DROP };
enum config_doubt { CONFIG_DOUBT_AGAIN, CONFIG_DOUBT_HOLD };
enum config_smtp_tls { CONFIG_TLS_OPPORTUNISTIC, CONFIG_TLS_VERIFIED, CONFIG_TLS_PINNED, CONFIG_TLS_NONE };
enum config_smtp_client { CONFIG_CLIENT_NONE, CONFIG_CLIENT_XCLIENT, CONFIG_CLIENT_XFORWARD };

/* Schemes of a platform's hosts, as endpoint.scheme. */
enum config_smtp_scheme { CONFIG_SMTP, CONFIG_SMTPS, CONFIG_LMTP };

struct endpoints {
	struct endpoint *p;
	size_t n;
};

struct networks {
	struct network *p;
	size_t n;
};

/* What a platform's section says about delivering to it. */
struct config_smtp {
	const char *text;            /* as written, for messages; NULL: no mail is delivered to it */
	struct endpoints hosts;      /* tried in turn */
	int tls;                     /* enum config_smtp_tls */
	const char *pin;             /* SHA-256 of the certificate, 64 hex digits; of CONFIG_TLS_PINNED only */
	int client;                  /* enum config_smtp_client: how the target is told who sent it */
	unsigned connections, messages_a_connection;
	uint64_t messages_per_second; /* to the platform; 0: no limit */
	uint64_t recipient_per_hour;  /* to one recipient; 0: no limit */
};

struct config_gateway {
	bool is_set;                 /* the file has [gateway] */
	const char *hostname;
	const char *listen_text, *metrics_text;
	struct endpoints listen;
	struct endpoint metrics;     /* port 0: none */
	const char *cert_file, *key_file; /* NULL: no STARTTLS */
	const char *user;            /* whom to become when begun as root; NULL: nobody */
	const char *const *domains;  /* lower case, NULL-terminated */
	const char *const *domain_routes; /* DOMAIN=ROUTE */
	const char *const *aliases;  /* ADDRESS=ADDRESS */
	const char *const *trusted_texts;
	struct networks trusted;     /* may say who their client is */
	const char *subaddress;      /* one character, or "none" */
	const char *recipients_file, *recipients_command;
	int64_t recipients_refresh_us;
	int unknown, unsure, doubt, line_ends;
	unsigned edges, sessions, sessions_per_address, max_recipients, received_limit, journal_segment_mib;
	uint64_t max_message, keep_free, max_queue;
	int64_t keep_bodies_us, keep_records_us; /* 0: forever */
	int low_space;               /* enum config_low_space */
	int offer;                   /* enum config_offer */
	int returns_via;             /* enum config_route: OLD or NEW */
	int64_t route_fault_us, queue_life_us, retry_min_us, retry_max_us, drain_us;
	bool proxy;                  /* connections from `trusted` begin with a PROXY header */
	const char *events;          /* a file, or "syslog"; NULL: none */
};

#endif
