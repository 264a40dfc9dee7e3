/* SPDX-License-Identifier: Apache-2.0 */
/* See testing.h. */
#include "config/testing.h"

int testing_config(struct testing_folder *folder, const char *conf, const char *list,
		   struct config *ret, struct fault *fault)
{
	if (list)
		testing_write(testing_path(folder, "mailboxes.csv"), list);
	testing_write(testing_path(folder, "mailferry.conf"), conf);
	return config_read(testing_path(folder, "mailferry.conf"), ret, fault);
}
