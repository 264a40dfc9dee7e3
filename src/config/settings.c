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
};

#define LARGEST UINT64_C(1000000000)

#define MAILFERRY(type, key, member) SECTION_MAILFERRY, type, key, offsetof(struct config, member)
#define PLATFORM(type, key, member)                                                                \
	SECTION_PLATFORM, type, key, offsetof(struct config_platform, member)
#define LIMITS(type, key, member)                                                                  \
	SECTION_LIMITS, type, key, offsetof(struct config, total.limits.member)
#define WINDOW(type, key, member) SECTION_WINDOW, type, key, offsetof(struct config_window, member)
#define COPY(type, key, member) SECTION_COPY, type, key, offsetof(struct config, member)
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

	{ LIMITS(SETTING_LIMIT, "connections", connections), "none", .max = 100000,
	  .help = "Connections to both platforms." },
	{ LIMITS(SETTING_RATE, "messages_per_second", messages_per_second), "none", .max = LARGEST,
	  .help = "Messages a second." },
	{ LIMITS(SETTING_SIZE, "bytes_per_second", bytes_per_second), "none",
	  .help = "Bytes a second: 500K, 2M." },
	{ LIMITS(SETTING_SIZE, "bytes_per_day", bytes_per_day), "none",
	  .help = "Bytes in any 24 hours." },

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
};

const size_t settings_n = ARRAY_SIZE(settings);

_Static_assert(ARRAY_SIZE(settings) < SETTINGS_MAX, "settings_n is less than SETTINGS_MAX");

bool setting_may_repeat(const struct setting *s)
{
	return s->type == SETTING_LIST || s->type == SETTING_MAPS;
}
