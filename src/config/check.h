/* SPDX-License-Identifier: Apache-2.0 */
/* Inside config/: what only shows when both files are read. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/conf.h"

/* Whether every mailbox has a server and a secret on both sides, and whether what is put for
 * {address} and the like is fit for the commands and paths it is put into. FAULT_USAGE with the
 * place. */
int check_all(const struct conf *conf, struct fault *fault);

/* The same for [gateway] and for what platforms say about SMTP; texts become endpoints and networks. */
int check_gateway(const struct conf *conf, struct fault *fault);

/* Notes about what is no fault, in the arena. */
const char *const *check_notes(const struct conf *conf);

#endif
