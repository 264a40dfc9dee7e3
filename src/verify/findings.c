/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of findings, see findings.h. Names are promises: add, never change. */
#include "verify/findings.h"

static const struct {
	const char *name, *words;
} kinds[VERIFY_KINDS] = {
	[VERIFY_MISSING] = { "missing", "copied, but not at the destination" },
	[VERIFY_MISFILED] = { "misfiled", "in another folder of the destination" },
	[VERIFY_ALTERED] = { "altered", "other bytes than were copied" },
	[VERIFY_UNREADABLE] = { "unreadable", "listed, but not handed out" },
	[VERIFY_DOUBLE] = { "double", "at the destination once more" },
	[VERIFY_NOT_COPIED] = { "not-copied", "left out by the copy, with a cause" },
	[VERIFY_UNACCOUNTED] = { "unaccounted", "not copied, and in no book" },
	[VERIFY_FLAGS] = { "flags", "other flags" },
	[VERIFY_DATE] = { "date", "another date of arrival" },
	[VERIFY_COUNT] = { "count", "counted by the server, but not listed" },
	[VERIFY_FOLDER_MISSING] = { "folder-missing", "folder is not at the destination" },
	[VERIFY_FOLDER_REPLACED] = { "folder-replaced", "another folder under the same name" },
	[VERIFY_FOLDER_UNKNOWN] = { "folder-unknown", "folder that no pass has copied" },
	[VERIFY_FOLDER_INCOMPLETE] = { "folder-incomplete", "folder that the last pass did not finish" },
	[VERIFY_FOLDER_UNREADABLE] = { "folder-unreadable", "folder that could not be looked at" },
	[VERIFY_NEW] = { "new", "came to the source since the last pass" },
	[VERIFY_GONE] = { "gone", "has left the source since it was copied" },
	[VERIFY_EXTRA] = { "extra", "at the destination, and not from here" },
	[VERIFY_RENUMBERED] = { "renumbered", "in its folder, under another UID" },
	[VERIFY_FLAGS_NEW] = { "flags-new", "flags changed at the source since the last pass" },
	[VERIFY_FLAGS_THERE] = { "flags-there", "flags changed at the destination" },
	[VERIFY_SIZE] = { "size", "wrong size told, bytes are right" },
};

const char *verify_kind_name(enum verify_kind kind)
{
	return kinds[kind].name;
}

const char *verify_kind_words(enum verify_kind kind)
{
	return kinds[kind].words;
}

bool verify_kind_fails(enum verify_kind kind)
{
	return kind < VERIFY_NEW;
}

void verify_tally_add(struct verify_tally tally[VERIFY_KINDS], const struct verify_finding *f)
{
	struct verify_tally *t = &tally[f->kind];

	t->found++;
	t->accepted += f->accepted != NULL;
	t->messages += f->messages;
}
