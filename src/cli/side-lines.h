/* SPDX-License-Identifier: Apache-2.0 */
/* The options that say who we are at one side, for every verb that takes URLs. Lines of a table as options.h has
 * them; `options` is the struct that is filled, `member` its struct side_options. */
#ifndef CLI_SIDE_LINES_H
#define CLI_SIDE_LINES_H

#include <stddef.h>

#include "cli/options.h"
#include "fleet/side.h"

#define SIDE_LINES(options, side, member, whose)                                                   \
	{ side "-password-file", OPTION_STRING, offsetof(options, member.password_file), "FILE",   \
	  "the password is the first line of FILE" },                                              \
	{ side "-password-command", OPTION_STRING, offsetof(options, member.password_command),     \
	  "COMMAND", "… or of what COMMAND prints" },                                              \
	{ side "-token-file", OPTION_STRING, offsetof(options, member.token_file), "FILE",         \
	  "OAuth access token (OAUTHBEARER, XOAUTH2), read anew\nat each login" },                 \
	{ side "-token-command", OPTION_STRING, offsetof(options, member.token_command),           \
	  "COMMAND", "… or printed by COMMAND" },                                                  \
	{ side "-authzid", OPTION_STRING, offsetof(options, member.authzid), "USER",               \
	  "log in as the URL's user on behalf of USER (an administrator\n"                         \
	  "opening USER's mailbox)" },                                                             \
	{ side "-auth", OPTION_STRING, offsetof(options, member.mechanism), "MECHANISM",           \
	  "use this SASL mechanism only, or LOGIN" },                                              \
	{ side "-cert-file", OPTION_STRING, offsetof(options, member.cert_file), "FILE",           \
	  "client certificate (PEM) for SASL EXTERNAL" },                                          \
	{ side "-key-file", OPTION_STRING, offsetof(options, member.key_file), "FILE",             \
	  "its private key, when it is not in the same file" },                                    \
	{ side "-ca-file", OPTION_STRING, offsetof(options, member.ca_file), "FILE",               \
	  "like --ca-file, for the " whose " only" },                                              \
	{ side "-tls-unverified", OPTION_FLAG, offsetof(options, member.tls_unverified), NULL,     \
	  "accept any certificate: anybody in between can read\nand change the mail" },            \
	{ side "-plaintext", OPTION_FLAG, offsetof(options, member.plaintext), NULL,               \
	  "imap:// without TLS: password and mail travel in the clear" },                          \
	{ side "-no-pipelining", OPTION_FLAG, offsetof(options, member.no_pipelining), NULL,       \
	  "one command at a time: for servers that answer out of order" }

#endif
