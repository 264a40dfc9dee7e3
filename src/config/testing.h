/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of config/: both files in a folder of their own, read. */
#ifndef CONFIG_TESTING_H
#define CONFIG_TESTING_H

#include "config/config.h"
#include "os/testing.h"

/* The least that is needed, and places for more: in [mailferry], in [platform old], and sections
 * behind it all. */
#define CONF(mailferry, old, more)                                                                 \
	"[mailferry]\n" mailferry "\n[platform old]\nurl = imaps://old.example\n"                  \
	"password_command = echo x\n" old "\n[platform new]\nurl = imaps://new.example\n"          \
	"password_command = echo x\n" more "\n"

#define PLAIN_CONF CONF("", "", "")
#define PLAIN_LIST "address\nanna@example.org\n"

/* Writes mailferry.conf and mailboxes.csv into the folder and reads them. list may be NULL: none is
 * written. */
int testing_config(struct testing_folder *folder, const char *conf, const char *list,
		   struct config *ret, struct fault *fault);

#endif
