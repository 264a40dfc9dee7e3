/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of mail platforms. Providers change their limits without telling: each line says
 * where it is from and as of when, all can be overridden in the configuration, and what a
 * connection tells about itself (APPENDLIMIT, being told off) counts more. */
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
		.source = "https://doc.dovecot.org/settings/core/", /* and Dovecot 2.3.19 itself */
		.date = "2026-11",
		.advice = "Dovecot allows 10 connections for a user and address "
			  "(mail_max_userip_connections), of which two are left to the user here: "
			  "raise it for this machine to be faster",
	},
	{
		.name = "cyrus",
		.title = "Cyrus IMAP",
		.limits = { .connections = 8 },
		.hosts = "",
		.source = "https://manpages.ubuntu.com/manpages/plucky/man5/imapd.conf.5.html",
		.date = "2025-04",
		.advice = "Cyrus bounds nothing by default; if imapd.conf sets "
			  "maxlogins_per_user, maxlogins_per_host or maxmessagesize, allow for "
			  "the move there",
	},
	{
		.name = "courier",
		.title = "Courier IMAP",
		.limits = { .connections = 3 },
		.hosts = "",
		.source = "https://www.courier-mta.org/couriertcpd.html",
		.date = "2026-11",
		.advice = "Courier counts connections by address, all users together (MAXPERIP: 20 as "
			  "packaged, 4 where nothing is said), and in all (MAXDAEMONS: 40): raise both "
			  "before several mailboxes are moved at once, or set connections of the whole "
			  "server",
	},
	{
		.name = "m365",
		.title = "Microsoft 365, global",
		.limits = { .connections = 4, .messages_per_second = 4 },
		.largest_message = 35 * MIB,
		.hosts = "outlook.office365.com imap.outlook.com imap-mail.outlook.com "
			  "*.outlook.office365.com",
		.source = "https://imapsync.lamiral.info/FAQ.d/FAQ.Office365.txt "
			  "https://learn.microsoft.com/office365/servicedescriptions/"
			  "exchange-online-service-description/exchange-online-limits",
		.date = "2024-06",
		.advice = "Microsoft publishes no rates for IMAP: 4 messages a second for a "
			  "mailbox is what has proven itself, and it says so when that is too "
			  "much; raise MaxReceiveSize of the mailboxes (35 MB, at most 150 MB) "
			  "first",
	},
	{
		.name = "m365-21vianet",
		.title = "Microsoft 365 operated by 21Vianet (China)",
		.limits = { .connections = 4, .messages_per_second = 4 },
		.largest_message = 35 * MIB,
		.hosts = "partner.outlook.cn *.partner.outlook.cn",
		.source = "https://github.com/simonrob/email-oauth2-proxy/issues/255",
		.date = "2024-06",
		.advice = "Nothing is published on rates of IMAP here: these numbers are those of "
			  "the global service and may be wrong; begin with one mailbox and watch "
			  "what it says",
	},
	{
		.name = "gmail",
		.title = "Gmail and Google Workspace",
		.limits = { .connections = 10, .bytes_per_day = 2500 * MB },
		.append_bytes_per_day = 500 * MB,
		.largest_message = 35651584,
		.hosts = "imap.gmail.com imap.googlemail.com",
		.source = "https://support.google.com/a/answer/1071518 "
			  "https://imapsync.lamiral.info/FAQ.d/FAQ.Gmail.txt",
		.date = "2024-08",
		.advice = "Google shuts an account out for up to a day above 2,500 MB read or 500 "
			  "MB appended in a day or 15 connections, the user's own counted: begin "
			  "weeks before the cutover",
	},
	{
		.name = "alimail",
		.title = "Alibaba Mail",
		.limits = { .connections = 2, .commands = 1, .messages_per_second = 10 },
		.no_pipelining = true,
		.no_qresync = true,
		.hosts = "imap.qiye.aliyun.com imap.*.mail.aliyun.com imap.aliyun.com "
			  "imap.mxhichina.com",
		.source = "https://github.com/emersion/go-imap/issues/638 "
			  "https://help.aliyun.com/document_detail/36687.html",
		.date = "2025-01",
		.advice = "Nothing is published on rates, so these are cautious guesses; have the "
			  "administrator allow IMAP for the accounts, lift address and range "
			  "limits (\"all mail\"), and hand out client passwords",
	},
	{
		.name = "exmail",
		.title = "Tencent Exmail (Enterprise QQ Mail)",
		.limits = { .connections = 2, .commands = 1, .messages_per_second = 10 },
		.no_pipelining = true,
		.no_qresync = true,
		.hosts = "imap.exmail.qq.com hwimap.exmail.qq.com imap.qq.com",
		.source = "https://github.com/chengazhen/cursor-auto-free/issues/294",
		.date = "2025-03",
		.advice = "Nothing is published on rates, so these are cautious guesses; logins "
			  "in quick succession are refused in the same words as a wrong password, "
			  "and clients see 30 days of mail until \"all\" is chosen in the settings",
	},
	{
		.name = "netease",
		.title = "NetEase (163, 126, yeah.net, enterprise)",
		.limits = { .connections = 2, .commands = 1, .messages_per_second = 10 },
		.no_pipelining = true,
		.no_qresync = true,
		.hosts = "imap.163.com imap.126.com imap.yeah.net imap.vip.163.com "
			  "imap.qiye.163.com imaphz.qiye.163.com",
		.source = "https://github.com/pimalaya/himalaya/issues/651 "
			  "https://github.com/emersion/go-imap/issues/659",
		.date = "2026-03",
		.advice = "Nothing is published on rates, so these are cautious guesses; IMAP "
			  "must be switched on in the account's settings, which gives an "
			  "authorisation code to be used as the password",
	},
	{
		.name = "yahoo",
		.title = "Yahoo Mail and AOL",
		.limits = { .connections = 3, .messages_per_second = 5 },
		.hosts = "imap.mail.yahoo.com *.imap.mail.yahoo.com imap.aol.com "
			  "imap.mail.yahoo.co.jp",
		.source = "https://github.com/postalsys/imapflow/issues/75",
		.date = "2022-05",
		.advice = "Yahoo publishes no rates and answers \"Rate limit hit\" to any command "
			  "when it has enough, so these are cautious guesses; an app password is "
			  "needed",
	},
	{
		.name = "zimbra",
		.title = "Zimbra",
		.limits = { .connections = 4 },
		.hosts = "",
		.source = "https://wiki.zimbra.com/"
			  "index.php?title=Performance_Tuning_Guidelines_for_Large_Deployments",
		.date = "2021-12",
		.advice = "All users of a mailbox server share zimbraImapMaxConnections and "
			  "zimbraImapNumThreads: set connections of the whole server well below "
			  "them, and look at zimbraMtaMaxMessageSize when it is the destination",
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
