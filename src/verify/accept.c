/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a folder that is named for acceptance is one, see fact.h. Nobody is asked for it: the last verification noted the
 * names it showed; besides there are the names in the ledger, as the source's server writes them, of which neither the
 * separator nor what stands before all folders is known. So a name that could be one of those is taken for it. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "config/settings.h"
#include "mail/mutf7.h"
#include "verify/fact.h"

void verify_folders_set(const struct verify *v)
{
	json_t *names = json_array();
	char *text;

	for (size_t i = 0; i < v->n; i++) {
		struct bytes name = v->folders[i].source_utf8;

		json_array_append_new(names, json_stringn(name.p, name.n)); /* NULL, and nothing, when it is no UTF-8 */
	}
	text = json_dumps(names, JSON_COMPACT);
	ledger_set_fact(v->options.ledger, VERIFY_FOLDERS_FACT, text);
	free(text);
	json_decref(names);
}

static struct bytes shown(struct bytes raw, struct arena *arena)
{
	_cleanup_(buf_done) struct buf text = BUF_NULL;

	return mutf7_decode(raw, &text) < 0 ? raw : arena_copy(arena, buf_bytes(&text));
}

/* "/" in the path may be written another way by the server. */
static bool is_written(struct bytes name, struct bytes path)
{
	if (name.n != path.n)
		return false;

	for (size_t i = 0; i < path.n; i++)
		if (name.p[i] != path.p[i] && !(path.p[i] == '/' && strchr(".\\", name.p[i])))
			return false;
	return true;
}

/* What stands before all folders but INBOX: "INBOX." with many servers. */
static bool is_before_all(struct bytes prefix, const struct bytes *names, size_t n)
{
	struct bytes level = bytes_head(prefix, prefix.n - 1);

	if (!strchr("./\\", prefix.p[prefix.n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!bytes_starts(names[i], prefix) && !bytes_equal(names[i], level) &&
		    !bytes_equal_nocase(names[i], BYTES("INBOX")))
			return false;
	return true;
}

static bool could_be(struct bytes path, const struct bytes *names, size_t n)
{
	if (bytes_equal(path, BYTES("INBOX")))
		return true;

	for (size_t i = 0; i < n; i++) {
		size_t before = names[i].n > path.n ? names[i].n - path.n : 0;

		if (is_written(bytes_skip(names[i], before), path) &&
		    (!before || is_before_all(bytes_head(names[i], before), names, n)))
			return true;
	}
	return false;
}

/* "" for what is no text: by anybody's hand. */
static const char *name_at(const json_t *names, size_t i)
{
	const char *name = json_string_value(json_array_get(names, i));

	return name ? name : "";
}

static bool was_shown(const json_t *names, const char *folder)
{
	for (size_t i = 0; i < json_array_size(names); i++)
		if (strcmp(name_at(names, i), folder) == 0)
			return true;
	return false;
}

/* The names to choose from: as shown, or else as the ledger has them. */
static const char *nearest(const json_t *shown_names, const struct bytes *names, size_t n, const char *folder,
			   struct arena *arena)
{
	size_t shown_n = json_array_size(shown_names), all = shown_n ? shown_n : n;
	const char **words = arena_alloc(arena, (all + 1) * sizeof(*words));

	for (size_t i = 0; i < all; i++)
		words[i] = shown_n ? name_at(shown_names, i) : arena_str(arena, names[i]);
	return nearest_of(folder, words, all);
}

int verify_accept_folder(const char *fact, const struct ledger_folder *known, size_t n, const char *folder,
			 struct arena *arena, struct fault *fault)
{
	const char *meant;
	json_t *shown_names = fact ? json_loads(fact, 0, NULL) : NULL;
	struct bytes *names = arena_alloc(arena, (n + 1) * sizeof(*names));
	bool found;

	for (size_t i = 0; i < n; i++)
		names[i] = shown(known[i].source_name, arena);
	found = !folder[0] || was_shown(shown_names, folder) || could_be(bytes_of(folder), names, n);
	meant = found ? NULL : nearest(shown_names, names, n, folder, arena);
	if (!found && meant)
		fault_usage(fault, "there is no folder %.100s at the source: did you mean %.100s?", folder, meant);
	else if (!found)
		fault_usage(fault, "there is no folder %.100s at the source: write it as mailferry verify shows it", folder);
	json_decref(shown_names);
	return found ? 0 : -1;
}
