/* SPDX-License-Identifier: Apache-2.0 */
/* Words in braces. A "{" begins one only if lower-case letters and "}" follow; "{{" is a brace of
 * its own, so that every text can be written. */
#include <string.h>

#include "base/buf.h"
#include "config/settings.h"

static const struct {
	const char *name;
	enum expand_words word;
} words[] = {
	{ "{address}", EXPAND_ADDRESS },
	{ "{login}", EXPAND_LOGIN },
	{ "{local}", EXPAND_LOCAL },
	{ "{domain}", EXPAND_DOMAIN },
};

const char *expand_name(enum expand_words word)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].word == word)
			return words[i].name;

	return "";
}

/* The length of what looks like a word at the text's beginning, braces included; 0: it is none. */
static size_t word_length(const char *text)
{
	size_t n = 1;

	while ((text[n] >= 'a' && text[n] <= 'z') || text[n] == '_')
		n++;
	return n > 1 && text[n] == '}' ? n + 1 : 0;
}

static int known_word(const char *text, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i].name) == n && memcmp(text, words[i].name, n) == 0)
			return (int)words[i].word;

	return 0;
}

int expand_words(const char *text, struct fault *fault)
{
	int found = 0;

	for (const char *p = text; (p = strchr(p, '{'));) {
		size_t n = p[1] == '{' ? 2 : word_length(p);
		int word = n > 2 ? known_word(p, n) : 0;

		if (n > 2 && !word)
			return fault_usage(fault,
					   "%.*s is not known: write {address}, {login}, {local} "
					   "or {domain}; a \"{\" of its own is written \"{{\"",
					   n > 40 ? 40 : (int)n, p);
		found |= word;
		p += n ? n : 1;
	}
	return found;
}

struct bytes expand_word(enum expand_words word, const struct config_mailbox *mailbox,
			 const char *side_login)
{
	const char *at = strrchr(mailbox->address, '@');

	switch (word) {
	case EXPAND_ADDRESS:
		break;
	case EXPAND_LOGIN:
		return bytes_of(side_login);
	case EXPAND_LOCAL:
		if (at)
			return (struct bytes){ mailbox->address, (size_t)(at - mailbox->address) };
		break;
	case EXPAND_DOMAIN:
		return bytes_of(at ? at + 1 : "");
	}
	return bytes_of(mailbox->address);
}

const char *config_expand(const char *text, const struct config_mailbox *mailbox,
			  const char *side_login, struct arena *arena)
{
	_cleanup_(buf_done) struct buf to = BUF_NULL;

	if (!text || !strchr(text, '{'))
		return text;

	while (*text) {
		size_t n = *text == '{' ? word_length(text) : 0;
		int word = n ? known_word(text, n) : 0;

		if (word) {
			buf_append_bytes(&to,
					 expand_word((enum expand_words)word, mailbox, side_login));
			text += n;
			continue;
		}
		buf_append_char(&to, *text);
		text += text[0] == '{' && text[1] == '{' ? 2 : 1;
	}
	return arena_str(arena, buf_bytes(&to));
}

/* What is put into commands and paths comes from lists that are exported from directories, where a
 * mailbox may be called anything. Quoting would not do: it depends on what stands around it. */
bool expand_fits_command(struct bytes value)
{
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if ((unsigned char)c < 0x80 && !ascii_is_alpha(c) && !ascii_is_digit(c) &&
		    !strchr("@._+=:,%-", c))
			return false;
	}
	return value.n > 0 && value.p[0] != '-' && value.p[0] != '.';
}

bool expand_fits_path(struct bytes value)
{
	return value.n > 0 && value.p[0] != '.' && bytes_find_char(value, '/') < 0;
}
