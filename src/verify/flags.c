/* SPDX-License-Identifier: Apache-2.0 */
/* See flags.h. */
#include "verify/flags.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "state/ledger.h"

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *verify_flags_canonical(const char *flags)
{
	_cleanup_(freep) char *lower = xstrdup(flags);
	_cleanup_(freep) char **words = NULL;
	struct buf text = BUF_NULL;
	size_t n = 0, size = 0;
	char *rest = lower, *word;

	for (char *c = lower; *c; c++)
		*c = ascii_lower(*c);
	while ((word = strsep(&rest, " "))) {
		if (!word[0] || word[0] == LEDGER_IN_DOUBT || strcmp(word, "\\recent") == 0)
			continue;
		words = xgrow(words, &size, n + 1, sizeof(*words));
		words[n++] = word;
	}
	if (n)
		qsort(words, n, sizeof(*words), by_text);
	buf_append_str(&text, "");
	for (size_t i = 0; i < n; i++)
		if (!i || strcmp(words[i], words[i - 1]) != 0)
			buf_appendf(&text, "%s ", words[i]);
	return buf_take(&text);
}

enum verify_flags verify_flags_judge(const char *source, const char *destination, const char *known_source,
				     const char *known_destination, bool excepted)
{
	bool left = strcmp(destination, known_destination) == 0;

	if (!source)
		return left ? VERIFY_FLAGS_SAME : VERIFY_FLAGS_USER;
	if (strcmp(source, destination) == 0)
		return VERIFY_FLAGS_SAME;
	if (!left)
		return VERIFY_FLAGS_DIFFER;
	if (strcmp(source, known_source) != 0)
		return VERIFY_FLAGS_SOURCE_NEW;

	return excepted ? VERIFY_FLAGS_RECORDED : VERIFY_FLAGS_USER;
}

void verify_flags_count(struct verify_count *count, const char *canonical)
{
	struct bytes rest = bytes_of(canonical);
	bool keyword = false;

	while (rest.n) {
		struct bytes word = bytes_cut(&rest, ' ');

		if (bytes_equal(word, BYTES("\\seen")))
			count->seen++;
		else if (bytes_equal(word, BYTES("\\answered")))
			count->answered++;
		else if (bytes_equal(word, BYTES("\\flagged")))
			count->flagged++;
		else if (bytes_equal(word, BYTES("\\deleted")))
			count->deleted++;
		else if (bytes_equal(word, BYTES("\\draft")))
			count->draft++;
		else if (word.n)
			keyword = true;
	}
	count->keywords += keyword;
}
