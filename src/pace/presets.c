/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of mail platforms. Providers change their limits without telling: each line says where it is from and as of
 * when, all can be overridden in the configuration, and what a connection tells about itself (APPENDLIMIT, being
 * told off) counts more. */
#include "pace/pace.h"

#include <string.h>
#include <strings.h>

#include "base/glob.h"

#define MIB (UINT64_C(1024) * 1024)
#define MB (UINT64_C(1000) * 1000)

static const struct pace_preset presets[] = {
	{
		.name = "dovecot",
		.title = "Dovecot",
		.limits = { .connections = 8 },
		.hosts = "",
		.source = "https://doc.dovecot.org/2.3/settings/core/#core_setting-mail_max_userip_connections",
		.date = "2024-01",
		.advice = "Dovecot allows 10 connections for a user and address (mail_max_userip_connections); raise it for "
			  "this machine while mail is moved, and leave two to the user",
	},
	{
		.name = "cyrus",
		.title = "Cyrus IMAP",
		.limits = { .connections = 8 },
		.hosts = "",
		.source = "https://www.cyrusimap.org/imap/reference/manpages/configs/imapd.conf.html",
		.date = "2024-01",
		.advice = "maxlogins_per_user and maxlogins_per_host bound connections (0, the default, does not); maxmessagesize "
			  "bounds messages",
	},
	{
		.name = "courier",
		.title = "Courier IMAP",
		.limits = { .connections = 3 },
		.hosts = "",
		.source = "https://www.courier-mta.org/imap/INSTALL.html",
		.date = "2024-01",
		.advice = "Courier allows 4 connections from one address, all users together (MAXPERIP), and 40 in all "
			  "(MAXDAEMONS): raise both in its imapd file before moving more than one mailbox at a time",
	},
	{
		.name = "m365",
		.title = "Microsoft 365, global",
		.limits = { .connections = 4, .messages_per_second = 4 },
		.largest_message = 35 * MIB,
		.hosts = "outlook.office365.com *.outlook.com *.office365.com",
		.source = "https://learn.microsoft.com/office365/servicedescriptions/exchange-online-service-description/"
			  "exchange-online-limits",
		.date = "2024-01",
		.advice = "Ask Microsoft 365 to lift throttling for the days of the move (admin centre, Help, \"EWS throttling\" "
			  "does not cover IMAP), and raise MaxReceiveSize of each mailbox from 35 MB to at most 150 MB",
	},
	{ 0 },
};

const struct pace_preset *pace_presets(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(presets) - 1;
	return presets;
}

const struct pace_preset *pace_preset(const char *name)
{
	for (const struct pace_preset *p = presets; p->name; p++) {
		if (strcasecmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

const struct pace_preset *pace_preset_of_host(const char *host)
{
	char lower[256];
	size_t n = strlen(host);

	if (n == 0 || n >= sizeof(lower))
		return NULL;
	for (size_t i = 0; i <= n; i++)
		lower[i] = ascii_lower(host[i]);
	if (lower[n - 1] == '.')
		n--;

	for (const struct pace_preset *p = presets; p->name; p++) {
		struct bytes rest = bytes_of(p->hosts);

		while (rest.n) {
			if (glob_match(bytes_cut(&rest, ' '), (struct bytes){ lower, n }))
				return p;
		}
	}
	return NULL;
}
