/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that mailferry.conf may hold. The checks, the sample and the manual's list are made of
 * these lines. */
#include "config/settings.h"

#include "base/clock.h"

const struct section_line sections[SECTION_COUNT] = {
	[SECTION_MAILFERRY] = { "mailferry", NULL, "", false,
		"Where things are." },
	[SECTION_PLATFORM] = { "platform", "old|new", "old new", false,
		"One mail system: [platform old] is where the mail is, [platform new] where\n"
		"it goes. In values marked with (words), {address} is the mailbox's address in\n"
		"the list, {local} and {domain} what stands before and after its @, {login} its\n"
		"old_login or new_login; a { of its own is written {{." },
	[SECTION_LIMITS] = { "limits", NULL, "", false,
		"What both platforms and all mailboxes together may use." },
	[SECTION_WINDOW] = { "window", "NAME", "office", true,
		"Other limits at certain times. There may be several such sections." },
	[SECTION_COPY] = { "copy", NULL, "", false,
		"What is copied, and how." },
	[SECTION_WAVE] = { "wave", "NAME", "1", true,
		"Mailboxes that move together. The list says which mailbox belongs to which\n"
		"wave; a wave needs a section only if there is something to say of it." },
	[SECTION_GATEWAY] = { "gateway", NULL, "", true,
		"The SMTP gateway in front of both platforms, mailferry gateway: where mail for\n"
		"the domains comes in, and is steered by recipient." },
};

#define LARGEST UINT64_C(1000000000)

#define MAILFERRY(type, key, member) SECTION_MAILFERRY, type, key, offsetof(struct config, member)
#define PLATFORM(type, key, member)                                                                \
	SECTION_PLATFORM, type, key, offsetof(struct config_platform, member)
#define LIMITS(type, key, member)                                                                  \
	SECTION_LIMITS, type, key, offsetof(struct config, total.limits.member)
#define WINDOW(type, key, member) SECTION_WINDOW, type, key, offsetof(struct config_window, member)
#define COPY(type, key, member) SECTION_COPY, type, key, offsetof(struct config, member)
#define SMTP(type, key, member)                                                                    \
	SECTION_PLATFORM, type, key, offsetof(struct config_platform, smtp.member)
#define GATEWAY(type, key, member) SECTION_GATEWAY, type, key, offsetof(struct config, gateway.member)
#define WAVE(type, key, member) SECTION_WAVE, type, key, offsetof(struct config_wave, member)

const struct setting settings[] = {
	{ MAILFERRY(SETTING_PATH, "mailboxes", list_path), "mailboxes.csv", .set = true,
	  .help = "The list of mailboxes: a CSV file with a header line." },
	{ MAILFERRY(SETTING_PATH, "state", state), .example = "/var/lib/mailferry",
	  .help = "The folder for ledgers and locks. Without it: $XDG_STATE_HOME/mailferry,\n"
		  "or ~/.local/state/mailferry." },
	{ MAILFERRY(SETTING_PATH, "ca_file", ca_file), .example = "/etc/ssl/our-ca.pem",
	  .help = "Trust this CA or certificate (PEM) besides the system's." },

	{ PLATFORM(SETTING_URL, "url", url), .example = "imaps://imap.NAME.example", .words = true,
	  .set = true,
	  .help = "Its server: imaps://HOST[:PORT], imap://HOST[:PORT] (STARTTLS) or\n"
		  "imap+pipe:COMMAND, without a user (words)." },
	{ PLATFORM(SETTING_TEXT, "login", login), "{login}", .words = true,
	  .help = "Who logs in (words)." },
	{ PLATFORM(SETTING_TEXT, "authzid", authzid), .example = "{login}", .words = true,
	  .help = "On whose behalf, when login is an administrator who may open all mailboxes\n"
		  "(words)." },
	{ PLATFORM(SETTING_TEXT, "mechanism", mechanism), .example = "PLAIN",
	  .choices = "OAUTHBEARER XOAUTH2 EXTERNAL SCRAM-SHA-256-PLUS SCRAM-SHA-256 "
		     "SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN LOGIN",
	  .help = "Use this SASL mechanism only. Without it: the best that the server offers." },
	{ PLATFORM(SETTING_PATH, "password_file", password_file), .example = "secrets/{address}",
	  .words = true,
	  .help = "The password is the first line of this file (words)." },
	{ PLATFORM(SETTING_COMMAND, "password_command", password_command),
	  .example = "pass show mail/{address}", .words = true,
	  .help = "The password is the first line that this shell command prints (words)." },
	{ PLATFORM(SETTING_PATH, "token_file", token_file), .example = "secrets/{address}.token",
	  .words = true,
	  .help = "The same for an OAuth access token, which is read anew at each login\n"
		  "(words)." },
	{ PLATFORM(SETTING_COMMAND, "token_command", token_command),
	  .example = "get-token {address}",
	  .words = true, .help = "Likewise (words)." },
	{ PLATFORM(SETTING_PATH, "ca_file", ca_file), .example = "platform-ca.pem", .words = true,
	  .help = "Trust this CA or certificate (PEM) here, in place of the one for all\n"
		  "(words)." },
	{ PLATFORM(SETTING_PATH, "cert_file", cert_file), .example = "client.pem", .words = true,
	  .help = "Client certificate (PEM), for the mechanism EXTERNAL (words)." },
	{ PLATFORM(SETTING_PATH, "key_file", key_file), .example = "client.key", .words = true,
	  .help = "Its private key, when it is in another file (words)." },
	{ PLATFORM(SETTING_BOOL, "tls_unverified", tls_unverified), "no",
	  .help = "Accept any certificate: anybody in between can then read and change the\n"
		  "mail." },
	{ PLATFORM(SETTING_BOOL, "plaintext", plaintext), "no",
	  .help = "Allow imap:// without TLS: password and mail travel in the clear." },
	{ PLATFORM(SETTING_BOOL, "compress", compress), "no",
	  .help = "Use COMPRESS=DEFLATE where the server has it: for slow lines." },
	{ PLATFORM(SETTING_DURATION, "timeout", timeout_us), "2m", .min = MSEC, .max = 24 * HOUR,
	  .help = "Give a server up that says nothing for so long." },
	{ PLATFORM(SETTING_PRESET, "preset", preset), .example = "m365",
	  .help = "What is known of this kind of server: sets what is not set below. Without\n"
		  "it: by the server's name; none: nothing." },
	{ PLATFORM(SETTING_BOOL, "no_pipelining", no_pipelining), "no",
	  .help = "One command at a time, for servers that answer out of order when they get\n"
		  "several." },
	{ PLATFORM(SETTING_BOOL, "no_qresync", no_qresync), "no",
	  .help = "Do not use QRESYNC, for servers that offer it and get it wrong." },
	{ PLATFORM(SETTING_LIMIT, "server_connections", server.limits.connections), "none",
	  .max = 100000,
	  .help = "Connections to the platform, of all mailboxes together." },
	{ PLATFORM(SETTING_RATE, "server_messages_per_second", server.limits.messages_per_second),
	  "none", .max = LARGEST, .help = "Messages a second, likewise." },
	{ PLATFORM(SETTING_SIZE, "server_bytes_per_second", server.limits.bytes_per_second), "none",
	  .help = "Bytes a second, likewise: 500K, 2M." },
	{ PLATFORM(SETTING_SIZE, "server_bytes_per_day", server.limits.bytes_per_day), "none",
	  .help = "Bytes in any 24 hours, likewise." },
	{ PLATFORM(SETTING_LIMIT, "account_connections", account.limits.connections), "none",
	  .max = 1000,
	  .help = "Connections to one mailbox." },
	{ PLATFORM(SETTING_LIMIT, "account_commands", account.limits.commands), "none",
	  .max = 10000,
	  .help = "Commands under way on one connection." },
	{ PLATFORM(SETTING_RATE, "account_messages_per_second", account.limits.messages_per_second),
	  "none", .max = LARGEST, .help = "Messages a second of one mailbox." },
	{ PLATFORM(SETTING_SIZE, "account_bytes_per_second", account.limits.bytes_per_second),
	  "none",
	  .help = "Bytes a second of one mailbox." },
	{ PLATFORM(SETTING_SIZE, "account_bytes_per_day", account.limits.bytes_per_day), "none",
	  .help = "Bytes of one mailbox in any 24 hours." },
	{ PLATFORM(SETTING_BOOL, "adaptive", server.adaptive), "yes",
	  .help = "Watch how fast the server answers, and slow down before its users feel it." },
	{ PLATFORM(SETTING_DURATION, "bearable", server.bearable_us), "2s", .min = MSEC,
	  .max = HOUR,
	  .help = "Small commands that take longer than this are too slow in any case." },

	{ SMTP(SETTING_TEXT, "smtp", text), .example = "smtp://mx1.NAME.example:25 smtp://mx2.NAME.example:25",
	  .help = "Where the gateway delivers to: smtp://HOST[:PORT], smtps://HOST[:PORT] (TLS\n"
		  "from the first byte) or lmtp://HOST:PORT, one or several with a blank between." },
	{ SMTP(SETTING_CHOICE, "smtp_tls", tls), "opportunistic",
	  .choices = "opportunistic verified pinned none",
	  .help = "opportunistic: TLS where it is offered, whoever it is; verified: TLS with a\n"
		  "certificate for the host; pinned: with the certificate of smtp_pin; none." },
	{ SMTP(SETTING_TEXT, "smtp_pin", pin), .example = "sha256:0123…",
	  .help = "SHA-256 of the certificate (of its DER form), in hexadecimal." },
	{ SMTP(SETTING_CHOICE, "smtp_client", client), "none", .choices = "none xclient xforward",
	  .help = "How the platform is told whom the message came from, where it offers this." },
	{ SMTP(SETTING_COUNT, "smtp_connections", connections), "20", .min = 1, .max = 1000,
	  .help = "Connections at once, at most; fewer while the platform cannot take them." },
	{ SMTP(SETTING_COUNT, "smtp_messages_a_connection", messages_a_connection), "100", .min = 1,
	  .max = 100000, .help = "After so many messages a connection is ended." },
	{ SMTP(SETTING_RATE, "smtp_messages_per_second", messages_per_second), "none", .max = LARGEST,
	  .help = "Messages a second." },
	{ SMTP(SETTING_RATE, "smtp_recipient_per_hour", recipient_per_hour), "none", .max = LARGEST,
	  .help = "Messages an hour to one recipient: platforms block who gets too many." },

	{ LIMITS(SETTING_LIMIT, "connections", connections), "none", .max = 100000,
	  .help = "Connections to both platforms." },
	{ LIMITS(SETTING_RATE, "messages_per_second", messages_per_second), "none", .max = LARGEST,
	  .help = "Messages a second; what is copied counts twice: read, and written." },
	{ LIMITS(SETTING_SIZE, "bytes_per_second", bytes_per_second), "none",
	  .help = "Bytes a second: 500K, 2M; likewise twice." },
	{ LIMITS(SETTING_SIZE, "bytes_per_day", bytes_per_day), "none",
	  .help = "Bytes in any 24 hours; likewise twice." },

	{ WINDOW(SETTING_WINDOW, "when", times.window),
	  .example = "Mon-Fri 08:00-18:00 Europe/Berlin",
	  .help = "The time: [DAYS] HH:MM-HH:MM [ZONE]. It may go over midnight." },
	{ WINDOW(SETTING_CHOICE, "of", of), "all", .choices = "all old new",
	  .help = "Whose limits: of one platform, or of both together." },
	{ WINDOW(SETTING_BOOL, "closed", times.closed), "no", .help = "Nothing is copied then." },
	{ WINDOW(SETTING_LIMIT, "connections", times.limits.connections), "none", .max = 100000,
	  .help = "In place of the general limit; none: that one holds." },
	{ WINDOW(SETTING_RATE, "messages_per_second", times.limits.messages_per_second), "none",
	  .max = LARGEST, .help = "Likewise." },
	{ WINDOW(SETTING_SIZE, "bytes_per_second", times.limits.bytes_per_second), "none",
	  .help = "Likewise." },
	{ WINDOW(SETTING_SIZE, "bytes_per_day", times.limits.bytes_per_day), "none",
	  .help = "Likewise." },

	{ COPY(SETTING_LIST, "folder", folders), .example = "Projects/**",
	  .help = "Only folders that match (\"/\" between levels; * within a level, **\n"
		  "across). This key may be given again." },
	{ COPY(SETTING_LIST, "exclude", excludes), .example = "Trash",
	  .help = "Not these. This key may be given again." },
	{ COPY(SETTING_MAPS, "map", maps), .example = "Gesendet=Sent Items",
	  .help = "Source folder SRC becomes DST: SRC=DST. This key may be given again." },
	{ COPY(SETTING_DAY, "since", since), "none",
	  .help = "Only messages that arrived on this day (YYYY-MM-DD, UTC) or later." },
	{ COPY(SETTING_DAY, "before", before), "none",
	  .help = "Only messages that arrived before this day." },
	{ COPY(SETTING_CHOICE, "flags", flags), "source", .choices = "source newer add-only",
	  .help = "What a later pass does about flags that were changed at the source:\n"
		  "source: the copy's are changed too; newer: not where they were changed\n"
		  "there, too; add-only: none is taken away." },
	{ COPY(SETTING_SWITCH, "deletes", mirror_deletes), "record", .choices = "record mirror",
	  .help = "What left the source since it was copied: record: it is only noted;\n"
		  "mirror: it is removed from the destination." },
	{ COPY(SETTING_COUNT, "delete_limit", delete_limit_percent), "10", .min = 0, .max = 100,
	  .help = "… but no more than so many per cent of a folder in a pass, or ten messages\n"
		  "of it if others stay; 0: none, 100: all." },
	{ COPY(SETTING_SWITCH, "missing", recopy_missing), "leave", .choices = "leave recopy",
	  .help = "What somebody removed from the destination: leave: it is named; recopy: it\n"
		  "is copied again." },
	{ COPY(SETTING_BOOL, "adopt", adopt), "no",
	  .help = "Where the destination holds messages already, find out which of them are\n"
		  "the same, instead of refusing to begin." },
	{ COPY(SETTING_COUNT, "connections", connections), "4", .min = 1, .max = 64,
	  .help = "Connections for one mailbox, to either side." },
	{ COPY(SETTING_COUNT, "mailboxes_at_once", at_once), "8", .min = 1, .max = 10000,
	  .help = "Mailboxes that one process works on at once." },
	{ COPY(SETTING_COUNT, "processes", processes), "1", .min = 1, .max = 64,
	  .help = "Processes, for more than one processor." },
	{ COPY(SETTING_COUNT, "retries", retries), "5", .max = 1000,
	  .help = "Connect anew so often in a row after a connection was lost." },
	{ COPY(SETTING_DURATION, "soon", soon_us), "2d", .max = 365 * 24 * HOUR,
	  .help = "Waves whose cutover is nearer than this go first." },

	{ WAVE(SETTING_MOMENT, "cutover", cutover_us), .example = "2026-12-05 20:00 Europe/Berlin",
	  .help = "When it is planned: YYYY-MM-DD HH:MM ZONE. Once it has passed, deletions\n"
		  "at the source are never repeated at the destination." },
	{ WAVE(SETTING_BOOL, "hold", hold), "no",
	  .help = "Legal hold: nothing is ever removed from the destination." },

	{ GATEWAY(SETTING_TEXT, "hostname", hostname), .example = "mx.example.org", .set = true,
	  .help = "The name it goes by: in its greeting, in EHLO, in Received." },
	{ GATEWAY(SETTING_TEXT, "listen", listen_text), "0.0.0.0:25 [::]:25",
	  .help = "Where it listens: ADDRESS:PORT, one or several with a blank between." },
	{ GATEWAY(SETTING_LIST, "domain", domains), .example = "example.org", .set = true,
	  .help = "Mail for this domain is taken. This key may be given again." },
	{ GATEWAY(SETTING_LIST, "domain_route", domain_routes), .example = "example.org=hold",
	  .help = "Where mail goes for addresses of a domain that nobody knows: DOMAIN=old, new,\n"
		  "both or hold. Without it they are unknown. This key may be given again." },
	{ GATEWAY(SETTING_LIST, "alias", aliases), .example = "info@example.org=anna@example.org",
	  .help = "This address goes where that one goes: ADDRESS=ADDRESS. The address itself\n"
		  "stays as it is. This key may be given again." },
	{ GATEWAY(SETTING_TEXT, "subaddress", subaddress), "+",
	  .help = "anna+lists@ goes where anna@ goes, if nothing else is known of it: the\n"
		  "character between; or none." },
	{ GATEWAY(SETTING_PATH, "recipients_file", recipients_file), .example = "recipients.txt",
	  .help = "More recipients than the list of mailboxes has, written by another system: a\n"
		  "line is ADDRESS, or ADDRESS ROUTE (old, new, both, hold)." },
	{ GATEWAY(SETTING_COMMAND, "recipients_command", recipients_command),
	  .example = "ldap-recipients",
	  .help = "Likewise, printed by this shell command." },
	{ GATEWAY(SETTING_DURATION, "recipients_refresh", recipients_refresh_us), "5m", .min = SECOND,
	  .max = 24 * HOUR, .help = "How often both are read anew." },
	{ GATEWAY(SETTING_CHOICE, "unknown", unknown), "refuse", .choices = "refuse defer hold",
	  .help = "A recipient of our domains that nobody knows: refuse (550), defer (451), or\n"
		  "take it and hold it." },
	{ GATEWAY(SETTING_CHOICE, "unsure", unsure), "defer", .choices = "defer hold",
	  .help = "… while recipients_file or recipients_command cannot be read: defer (451), or\n"
		  "take it and hold it." },
	{ GATEWAY(SETTING_DURATION, "route_fault", route_fault_us), "3d", .max = 90 * 24 * HOUR,
	  .help = "For so long after a recipient's route changed, a platform's refusal is held\n"
		  "and told instead of being returned to the sender." },
	{ GATEWAY(SETTING_CHOICE, "doubt", doubt), "again", .choices = "again hold",
	  .help = "When nobody can tell whether a platform has taken a message: send it again,\n"
		  "marked as possibly there twice; or hold it." },
	{ GATEWAY(SETTING_CHOICE, "line_ends", line_ends), "reject", .choices = "reject normalise",
	  .help = "A message with line ends that are not CR LF: refuse it, or make them so." },
	{ GATEWAY(SETTING_SIZE, "max_message", max_message), "50M",
	  .help = "The largest message, in bytes." },
	{ GATEWAY(SETTING_COUNT, "max_recipients", max_recipients), "1000", .min = 100, .max = 100000,
	  .help = "Recipients of one message." },
	{ GATEWAY(SETTING_COUNT, "sessions", sessions), "5000", .min = 1, .max = 100000,
	  .help = "Connections at once." },
	{ GATEWAY(SETTING_COUNT, "sessions_per_address", sessions_per_address), "100", .min = 1,
	  .max = 100000,
	  .help = "… from one IPv4 address or IPv6 /64; not of trusted ones." },
	{ GATEWAY(SETTING_LIST, "trusted", trusted_texts), .example = "127.0.0.1",
	  .help = "A client of this ADDRESS or ADDRESS/BITS may say whom it speaks for, by\n"
		  "XCLIENT, XFORWARD or PROXY. This key may be given again." },
	{ GATEWAY(SETTING_BOOL, "proxy", proxy), "no",
	  .help = "Every connection of a trusted client begins with a PROXY header." },
	{ GATEWAY(SETTING_PATH, "cert_file", cert_file), .example = "mx.pem",
	  .help = "Certificate chain (PEM), for STARTTLS. Without it there is none." },
	{ GATEWAY(SETTING_PATH, "key_file", key_file), .example = "mx.key",
	  .help = "Its private key, when it is in another file." },
	{ GATEWAY(SETTING_TEXT, "user", user), .example = "mailferry",
	  .help = "Whom it becomes when it was begun as root." },
	{ GATEWAY(SETTING_COUNT, "edges", edges), "1", .min = 1, .max = 64,
	  .help = "Processes that talk to clients. Each may have its share of sessions and of\n"
		  "sessions_per_address." },
	{ GATEWAY(SETTING_COUNT, "received_limit", received_limit), "50", .min = 5, .max = 1000,
	  .help = "A message with more Received lines goes round in circles." },
	{ GATEWAY(SETTING_DURATION, "queue_life", queue_life_us), "5d", .min = MINUTE,
	  .max = 365 * 24 * HOUR,
	  .help = "What could not be delivered for so long is returned to its sender." },
	{ GATEWAY(SETTING_DURATION, "retry_min", retry_min_us), "1m", .min = SECOND, .max = 24 * HOUR,
	  .help = "The first time to wait before it is tried again; then longer each time …" },
	{ GATEWAY(SETTING_DURATION, "retry_max", retry_max_us), "30m", .min = SECOND, .max = 24 * HOUR,
	  .help = "… up to this." },
	{ GATEWAY(SETTING_DURATION, "drain", drain_us), "1m", .max = HOUR,
	  .help = "When told to stop, wait so long for answers that are under way." },
	{ GATEWAY(SETTING_SIZE, "max_queue", max_queue), "none",
	  .help = "Bytes that the journal's messages may take; then mail is deferred (452)." },
	{ GATEWAY(SETTING_SIZE, "keep_free", keep_free), "500M",
	  .help = "When the disk has no more than this left, mail is deferred (452)." },
	{ GATEWAY(SETTING_COUNT, "journal_segment_mib", journal_segment_mib), "64", .min = 4, .max = 1024,
	  .help = "MiB of a file of the journal; one more is always kept ready. It takes effect with\n"
		  "the next file." },
	{ GATEWAY(SETTING_CHOICE, "offer", offer), "common", .choices = "common all",
	  .help = "What clients are offered: what both platforms have said that they can carry\n"
		  "(SMTPUTF8 once both have, 8BITMIME unless one has not, the smallest SIZE), as asked\n"
		  "at the start and every ten minutes; or all, whatever they say." },
	{ GATEWAY(SETTING_CHOICE, "returns_via", returns_via), "old", .choices = "old new",
	  .help = "A notification to a sender who is not of our domains leaves by this platform,\n"
		  "which has to relay for the gateway. The old one is where the domain's mail has\n"
		  "come from so far, as its SPF record and its reputation say; set it to new before\n"
		  "the old one is switched off." },
	{ GATEWAY(SETTING_PERIOD, "keep_bodies", keep_bodies_us), "14d", .min = SECOND,
	  .max = 3650 * 24 * HOUR,
	  .help = "The content of a message stays so long in the journal after all of its\n"
		  "recipients are settled, in case that platforms have to be set back; then its\n"
		  "place on the disk is given back (in blocks of 4 KiB)." },
	{ GATEWAY(SETTING_PERIOD, "keep_records", keep_records_us), "forever", .min = HOUR,
	  .max = 3650 * 24 * HOUR,
	  .help = "What the journal says of messages stays so long. Older files of it are removed\n"
		  "as a whole, once nothing in them is unsettled." },
	{ GATEWAY(SETTING_CHOICE, "low_space", low_space), "defer", .choices = "defer drop",
	  .help = "While there is no room for new mail (keep_free, max_queue): only defer it; or\n"
		  "drop content of settled messages before keep_bodies is over, too." },
	{ GATEWAY(SETTING_TEXT, "metrics", metrics_text), .example = "127.0.0.1:9125",
	  .help = "Figures for Prometheus, by HTTP at /metrics: an address of this machine only." },
	{ GATEWAY(SETTING_TEXT, "events", events), .example = "/var/log/mailferry/events.json",
	  .help = "Every event as a line of JSON, appended to this file; or syslog." },
};

const size_t settings_n = ARRAY_SIZE(settings);

_Static_assert(ARRAY_SIZE(settings) < SETTINGS_MAX, "settings_n is less than SETTINGS_MAX");

bool setting_may_repeat(const struct setting *s)
{
	return s->type == SETTING_LIST || s->type == SETTING_MAPS;
}
