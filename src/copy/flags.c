/* SPDX-License-Identifier: Apache-2.0 */
/* Which flags go with a message: those that may be sent at all, less the keywords that the destination's folder
 * does not keep. Worked out once for each set of flags that occurs, not for each message. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "copy/worker.h"
#include "imap/write.h"

bool copy_pass_keeps_flag(const struct copy_pass *pass, struct bytes flag)
{
	_cleanup_(buf_done) struct buf lower = BUF_NULL;

	if (flag.p[0] == '\\' || !pass->permanent_known || pass->permanent_star)
		return true;

	buf_append_char(&lower, ' ');
	for (size_t i = 0; i < flag.n; i++)
		buf_append_char(&lower, ascii_lower(flag.p[i]));
	buf_append_char(&lower, ' ');
	return bytes_find(buf_bytes(&pass->permanent), buf_bytes(&lower)) >= 0;
}

static void prepare_flag_set(struct copy_pass *pass, size_t index)
{
	struct bytes rest = bytes_of(pass->messages.flag_sets[index]);
	struct buf *to = &pass->flags[index];

	while (rest.n) {
		struct bytes flag = bytes_cut(&rest, ' ');

		if (!imap_flag_is_sendable(flag) || !copy_pass_keeps_flag(pass, flag)) {
			pass->flags_cut[index] = true;
			continue;
		}
		if (to->n)
			buf_append_char(to, ' ');
		buf_append_bytes(to, flag);
	}
}

static bool has_keywords(const struct copy_pass *pass)
{
	for (size_t i = 0; i < pass->messages.flag_sets_n; i++) {
		struct bytes rest = bytes_of(pass->messages.flag_sets[i]);

		while (rest.n)
			if (bytes_cut(&rest, ' ').p[0] != '\\')
				return true;
	}
	return false;
}

void copy_pass_take_permanent(struct copy_pass *pass)
{
	const struct imap_selected *selected = &pass->worker->to->selected;

	pass->permanent_known = selected->permanent_told;
	pass->permanent_star = selected->permanent_star;
	buf_reset(&pass->permanent);
	buf_append_char(&pass->permanent, ' ');
	buf_append_bytes(&pass->permanent, buf_bytes(&selected->permanent));
}

/* Which keywords a folder keeps is told by SELECT only. It is left again at once, without CLOSE, which
 * would expunge: a selected folder makes servers report every APPEND twice. */
static int learn_permanent_flags(struct copy_pass *pass, struct fault *fault)
{
	struct imap_session *to = pass->worker->to;
	struct bytes name = pass->folder->destination_name;

	if (pass->permanent_known || !has_keywords(pass))
		return 0;

	if (imap_select(to, name, false, fault) < 0)
		return -1;

	copy_pass_take_permanent(pass);
	return imap_unselect(to, name, fault);
}

void copy_pass_forget_flags(struct copy_pass *pass)
{
	for (size_t i = 0; i < pass->flags_n; i++)
		buf_done(&pass->flags[i]);
	free(pass->flags);
	free(pass->flags_cut);
	pass->flags = NULL;
	pass->flags_cut = NULL;
	pass->flags_n = 0;
}

int copy_pass_prepare_flags(struct copy_pass *pass, struct fault *fault)
{
	if (learn_permanent_flags(pass, fault) < 0)
		return -1;

	copy_pass_forget_flags(pass);
	pass->flags_n = pass->messages.flag_sets_n;
	pass->flags = xzalloc(pass->flags_n * sizeof(*pass->flags));
	pass->flags_cut = xzalloc(pass->flags_n * sizeof(*pass->flags_cut));
	for (size_t i = 0; i < pass->flags_n; i++)
		prepare_flag_set(pass, i);
	return 0;
}

const char *copy_pass_flags(struct copy_pass *pass, const struct imap_message *m)
{
	return m->state & MESSAGE_NO_KEYWORDS ? "" : buf_str(&pass->flags[m->flags]);
}
