/* SPDX-License-Identifier: Apache-2.0 */
/* Inside config/: the list of mailboxes. */
#ifndef CONFIG_LIST_H
#define CONFIG_LIST_H

#include "config/config.h"
#include "config/settings.h"

/* Reads the text of config->list_path, of which a copy goes to the arena, into config->mailboxes,
 * and adds waves that only the list names. FAULT_USAGE with the place. */
int list_read(struct config *config, struct bytes text, struct fault *fault);

/* The columns, in the order of the sample. */
struct list_column {
	const char *name, *example, *help;
	enum list_type {
		LIST_ADDRESS,
		LIST_TEXT,
		LIST_COMMAND,
		LIST_PATH,  /* of a secret: must be there */
		LIST_URL,
		LIST_ITEMS, /* with "|" or line ends between */
		LIST_MAPS,  /* likewise, SRC=DST */
		LIST_BOOL,
	} type;
	size_t offset;      /* in struct config_mailbox */
};

extern const struct list_column list_columns[];
extern const size_t list_columns_n;

/* Reads a cell, which has a NUL behind it and stays, into its member of *mailbox. FAULT_USAGE
 * without the place. */
int list_cell(const struct list_column *column, struct bytes cell, const struct value_place *place,
	      struct config_mailbox *mailbox, struct fault *fault);

/* Puts "FILE:LINE: column NAME: " before the fault's text. Returns -1. */
int list_fault_at(const struct config *config, int line, const char *column, struct fault *fault);

#endif
