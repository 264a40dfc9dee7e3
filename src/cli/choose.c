/* SPDX-License-Identifier: Apache-2.0 */
/* See choose.h. */
#include "cli/choose.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "os/look.h"

/* Marks those that are named; a name that is wrong is worth a sentence. */
static int choose_names(const struct choice_options *o, struct choice *choice, bool *chosen,
			struct fault *fault)
{
	const struct config *c = &choice->config;

	for (size_t i = 0; i < o->names->n; i++) {
		const struct config_mailbox *m = config_mailbox(c, o->names->p[i]);

		if (!m)
			return fault_usage(fault, "%s has no mailbox %.100s", c->list_path,
					   o->names->p[i]);
		if (m->skip)
			return fault_usage(fault, "%s, line %d: %.100s is marked to be skipped",
					   c->list_path, m->line, o->names->p[i]);
		chosen[m - c->mailboxes] = true;
	}
	return 0;
}

static int choose_wave(const struct choice_options *o, struct choice *choice, bool *chosen,
		       struct fault *fault)
{
	const struct config *c = &choice->config;

	if (o->wave && !config_wave(c, o->wave))
		return fault_usage(fault, "there is no wave %.100s in %s or %s", o->wave, c->path,
				   c->list_path);

	for (size_t i = 0; i < c->mailboxes_n; i++)
		chosen[i] = !c->mailboxes[i].skip &&
			    (!o->wave || strcmp(c->mailboxes[i].wave, o->wave) == 0);
	return 0;
}

static int choose(const struct choice_options *o, struct choice *choice, struct fault *fault)
{
	_cleanup_(freep) bool *chosen = xzalloc(choice->config.mailboxes_n + 1);
	bool by_name = o->names && o->names->n;

	if (by_name && o->wave)
		return fault_usage(fault, "give --wave or mailboxes, not both");
	if ((by_name ? choose_names(o, choice, chosen, fault)
		     : choose_wave(o, choice, chosen, fault)) < 0)
		return -1;

	choice->mailboxes = xmalloc((choice->config.mailboxes_n + 1) * sizeof(*choice->mailboxes));
	for (size_t i = 0; i < choice->config.mailboxes_n; i++)
		if (chosen[i])
			choice->mailboxes[choice->n++] = &choice->config.mailboxes[i];
	return 0;
}

int choice_open(const struct choice_options *o, struct choice *ret, struct fault *fault)
{
	*ret = (struct choice){ .n = 0 };
	if (o->state && !o->state[0])
		return fault_usage(fault, "--state needs the name of a directory");
	if (!o->config && !os_is_there(CHOOSE_CONFIG))
		return fault_usage(fault, "there is no " CHOOSE_CONFIG " here: give --config FILE "
				   "(mailferry init writes one), or for a single mailbox --from URL "
				   "and --to URL");
	if (config_read(o->config ? o->config : CHOOSE_CONFIG, &ret->config, fault) < 0)
		return -1;

	ret->state = o->state ? o->state : ret->config.state;
	if (choose(o, ret, fault) == 0)
		return 0;

	choice_done(ret);
	return -1;
}

int choice_empty(const struct choice *choice, const char *wave, struct fault *fault)
{
	return fault_usage(fault, "%s lists no mailbox%s%.100s that is to be moved: write a line for each below the "
			   "header, such as anna@example.org", choice->config.list_path,
			   wave ? " of wave " : "", wave ? wave : "");
}

void choice_done(struct choice *choice)
{
	free(choice->mailboxes);
	config_done(&choice->config);
	*choice = (struct choice){ .n = 0 };
}
