/* SPDX-License-Identifier: Apache-2.0 */
/* For --dry-run: the sizes of folders whose server does not tell them in STATUS, by adding up what each
 * message claims. Not done before a copy: it costs a server that keeps no sizes a look at every message. */
#include "copy/mapping.h"
#include "copy/worker.h"

enum { WINDOW = 16384 };

static int measure_messages(struct imap_session *from, struct imap_folder *folder,
			    struct imap_messages *messages, struct fault *fault)
{
	uint32_t low = 1, high;
	uint64_t seen = 0;

	do {
		high = UINT32_MAX;
		if (from->selected.exists > seen + WINDOW &&
		    imap_fetch_uid(from, (uint32_t)(seen + WINDOW), &high, fault) < 0)
			return -1;
		if (high < low) /* no such message any more: the rest in one */
			high = UINT32_MAX;
		if (imap_fetch_messages(from, low, high, true, messages, fault) < 0)
			return -1;
		for (size_t i = 0; i < messages->n; i++)
			folder->size += messages->p[i].size;
		seen += WINDOW;
		low = high + 1;
	} while (high != UINT32_MAX);

	folder->flags |= IMAP_FOLDER_SIZE;
	return 0;
}

static int measure(struct copy *copy, struct imap_folder *folder, struct fault *fault)
{
	struct imap_messages messages;
	int r;

	if (imap_select(copy->from, folder->name, true, fault) < 0)
		return -1;
	if (copy->from->selected.exists == 0)
		return 0;

	imap_messages_init(&messages);
	folder->size = 0;
	r = measure_messages(copy->from, folder, &messages, fault);
	imap_messages_done(&messages);
	return r;
}

int copy_measure(struct copy *copy, struct fault *fault)
{
	for (size_t i = 0, index = 0; i < copy->mapping->n_entries; i++) {
		const struct mapping_entry *entry = &copy->mapping->entries[i];
		struct imap_folder *folder = &copy->source.p[entry->source];

		if (entry->action != MAPPING_COPY)
			continue;
		if (!(folder->flags & IMAP_FOLDER_SIZE) && measure(copy, folder, fault) < 0 &&
		    fault->reach > REACH_FOLDER)
			return -1;
		copy->books.folders[index++].expected_bytes = folder->size;
	}
	return 0;
}
