/* SPDX-License-Identifier: Apache-2.0 */
/* NAMESPACE (RFC 2342), LIST with its extensions (RFC 5258, 5819, 6154), XLIST and LSUB: the folders of an
 * account. Only what is advertised is asked for (Q22); what LSUB says of folders that do not exist is
 * ignored (Q23). */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "imap/commands.h"
#include "imap/status.h"
#include "mail/mutf7.h"
#include "mail/utf8.h"

enum { MAX_FOLDERS = 1000000, MAX_NAME_BYTES = 64 << 20 };

struct listing {
	struct imap_session *s;
	bool with_size;
	struct imap_folders *folders;
	struct map by_name; /* raw name → index + 1 */
	struct imap_namespace foreign[16]; /* other users' and shared */
	size_t foreign_n;
	size_t name_bytes; /* of all folders */
	bool has_subscriptions, has_namespaces, full;
};

void imap_folders_done(struct imap_folders *folders)
{
	free(folders->p);
	arena_done(&folders->arena);
	*folders = (struct imap_folders){ .n = 0 };
}

static struct imap_folder *find(struct listing *l, struct bytes name)
{
	size_t index = (size_t)(uintptr_t)map_get(&l->by_name, name);

	return index ? &l->folders->p[index - 1] : NULL;
}

static bool is_foreign(const struct listing *l, struct bytes name)
{
	for (size_t i = 0; i < l->foreign_n; i++) {
		struct bytes prefix = l->foreign[i].prefix;

		if (prefix.n == 0)
			continue;
		if (bytes_starts(name, prefix))
			return true;
		/* "user/" also means the folder "user" itself */
		if (prefix.p[prefix.n - 1] == l->foreign[i].separator &&
		    bytes_equal(name, bytes_head(prefix, prefix.n - 1)))
			return true;
	}
	return false;
}

static struct bytes decode_name(struct listing *l, struct bytes raw)
{
	_cleanup_(buf_done) struct buf utf8 = BUF_NULL;

	if (l->s->utf8 || mutf7_decode(raw, &utf8) < 0)
		return arena_copy(&l->folders->arena, raw);

	return arena_copy(&l->folders->arena, buf_bytes(&utf8));
}

static struct imap_folder *add(struct listing *l, struct bytes name)
{
	struct imap_folders *f = l->folders;
	struct imap_folder *folder;

	if (f->n == MAX_FOLDERS || name.n > MAX_NAME_BYTES - l->name_bytes) {
		l->full = true;
		return NULL;
	}

	l->name_bytes += name.n;

	f->p = xgrow(f->p, &f->size, f->n + 1, sizeof(*f->p));
	folder = &f->p[f->n++];
	*folder = (struct imap_folder){ .name = arena_copy(&f->arena, name) };
	folder->utf8 = decode_name(l, folder->name);
	if (is_foreign(l, name))
		folder->flags |= IMAP_FOLDER_FOREIGN;
	map_put(&l->by_name, name, (void *)(uintptr_t)f->n);
	return folder;
}

/* Attribute names to flags and roles: RFC 6154 and the older names of XLIST (Gmail, Alibaba Mail). */
static const struct {
	const char *attribute;
	unsigned flag;
	const char *role;
} attributes[] = {
	{ "\\Noselect", IMAP_FOLDER_NOSELECT, NULL },
	{ "\\NonExistent", IMAP_FOLDER_NOSELECT, NULL },
	{ "\\Noinferiors", IMAP_FOLDER_NOINFERIORS, NULL },
	{ "\\Subscribed", IMAP_FOLDER_SUBSCRIBED, NULL },
	{ "\\Sent", 0, "\\Sent" },
	{ "\\Drafts", 0, "\\Drafts" },
	{ "\\Trash", 0, "\\Trash" },
	{ "\\Junk", 0, "\\Junk" },
	{ "\\Archive", 0, "\\Archive" },
	{ "\\All", 0, "\\All" },
	{ "\\Flagged", 0, "\\Flagged" },
	{ "\\Important", 0, "\\Important" },
	{ "\\Spam", 0, "\\Junk" },       /* XLIST */
	{ "\\AllMail", 0, "\\All" },     /* XLIST */
	{ "\\Starred", 0, "\\Flagged" }, /* XLIST */
	{ "\\Inbox", 0, "\\Inbox" },     /* XLIST: the localised INBOX */
};

static void note_attributes(struct imap_folder *folder, struct imap_atoms given)
{
	for (size_t i = 0; i < given.n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(attributes); k++) {
			if (!bytes_equal_nocase(given.p[i], bytes_of(attributes[k].attribute)))
				continue;
			folder->flags |= attributes[k].flag;
			if (attributes[k].role && !folder->role.n)
				folder->role = bytes_of(attributes[k].role);
		}
}

static void note_list(struct listing *l, const struct imap_list_data *data)
{
	struct imap_folder *folder = find(l, data->name);

	if (data->verb == IMAP_VERB_LSUB) {
		if (folder)
			folder->flags |= IMAP_FOLDER_SUBSCRIBED;
		return;
	}

	if (!folder)
		folder = add(l, data->name);
	if (!folder)
		return;

	folder->separator = data->separator;
	note_attributes(folder, data->attributes);
}

static void note_namespaces(struct listing *l, const struct imap_response *r)
{
	const struct imap_namespaces *groups[] = { &r->namespaces.others, &r->namespaces.shared };

	if (l->has_namespaces) /* once is an answer, more is a way to fill our memory */
		return;

	l->has_namespaces = true;
	if (r->namespaces.personal.n) {
		const struct imap_namespace *personal = &r->namespaces.personal.p[0];

		l->folders->prefix = arena_copy(&l->folders->arena, personal->prefix);
		l->folders->separator = personal->separator;
		l->folders->has_namespace = true;
	}

	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		for (size_t i = 0; i < groups[g]->n; i++) {
			if (l->foreign_n == ARRAY_SIZE(l->foreign))
				return;
			l->foreign[l->foreign_n++] = (struct imap_namespace){
				.prefix = arena_copy(&l->folders->arena, groups[g]->p[i].prefix),
				.separator = groups[g]->p[i].separator,
			};
		}
}

static void note(struct listing *l, const struct imap_response *r)
{
	struct imap_folder *folder;

	switch (r->kind) {
	case IMAP_LIST:
		note_list(l, &r->list);
		break;
	case IMAP_NAMESPACE:
		note_namespaces(l, r);
		break;
	case IMAP_STATUS:
		folder = find(l, r->status.name);
		if (folder)
			imap_status_note(folder, &r->status, &l->folders->arena);
		break;
	default:
		break;
	}
}

/* The rest of the list, if it has an end, is not waited for. */
static int fault_full(struct listing *l, struct fault *fault)
{
	fault_set(fault, FAULT_LIMIT, REACH_MAILBOX, AGAIN_NEVER,
		  "%s: the server lists more than %d folders, or more than %d MiB of their names",
		  l->s->account->label, MAX_FOLDERS, MAX_NAME_BYTES >> 20);
	return imap_break(l->s, fault);
}

static int collect(struct listing *l, const char *verb, const char *arguments, bool required,
		   struct fault *fault)
{
	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
	struct imap_input input;

	imap_begin(l->s, &c, verb);
	imap_put(l->s, "%s", arguments);
	if (imap_send(l->s, &c, fault) < 0)
		return -1;

	while (!c.done) {
		if (imap_read(l->s, &input, fault) < 0)
			return -1;
		if (input.event == IMAP_EVENT_RESPONSE)
			note(l, input.response);
		if (l->full)
			return fault_full(l, fault);
	}

	if (required)
		return imap_refused(l->s, &c, fault, "%s was refused", verb);

	return imap_told_off(l->s, &c, "the folders cannot be listed", fault) < 0 ? -1 : c.condition != IMAP_OK;
}

/* LIST "" "*" RETURN (…) with what the server has, or plain. */
static void return_options(struct listing *l, struct buf *to)
{
	const struct imap_capabilities *c = &l->s->capabilities;

	buf_append_str(to, " \"\" \"*\"");
	if (!imap_can(c, IMAP_CAP_LIST_EXTENDED))
		return;

	buf_append_str(to, " RETURN (SUBSCRIBED");
	l->has_subscriptions = true;
	if (imap_can(c, IMAP_CAP_SPECIAL_USE))
		buf_append_str(to, " SPECIAL-USE");
	if (imap_can(c, IMAP_CAP_LIST_STATUS)) {
		buf_append_str(to, " STATUS ");
		imap_status_items(l->s, l->with_size, to);
	}
	buf_append_char(to, ')');
}

/* Options are worth nothing when they cost us the folders: whoever refuses them is asked without. */
static int list_folders(struct listing *l, struct fault *fault)
{
	_cleanup_(buf_done) struct buf arguments = BUF_NULL;
	int r;

	return_options(l, &arguments);
	r = collect(l, "LIST", buf_str(&arguments), false, fault);
	if (r <= 0)
		return r;

	l->has_subscriptions = false;
	return collect(l, "LIST", " \"\" \"*\"", true, fault);
}

static int list_all(struct listing *l, struct fault *fault)
{
	const struct imap_capabilities *c = &l->s->capabilities;

	if (imap_can(c, IMAP_CAP_NAMESPACE) && collect(l, "NAMESPACE", "", false, fault) < 0)
		return -1;

	if (list_folders(l, fault) < 0)
		return -1;

	/* RFC 6154's attributes come with plain LIST too; XLIST is for those that have nothing else. */
	if (imap_can(c, IMAP_CAP_XLIST) && !imap_can(c, IMAP_CAP_SPECIAL_USE) &&
	    collect(l, "XLIST", " \"\" \"*\"", false, fault) < 0)
		return -1;

	if (!l->has_subscriptions && collect(l, "LSUB", " \"\" \"*\"", false, fault) < 0)
		return -1;

	return 0;
}

/* A server without NAMESPACE: the separator is what its folders say (GMX, hMailServer: Q17). */
static void guess_separator(struct imap_folders *f)
{
	for (size_t i = 0; i < f->n && !f->separator; i++)
		f->separator = f->p[i].separator;
}

int imap_list(struct imap_session *s, bool with_size, struct imap_folders *folders,
	      struct fault *fault)
{
	struct listing l = { .s = s, .with_size = with_size, .folders = folders };
	uint64_t seed;
	int r;

	*folders = (struct imap_folders){ .n = 0 };
	run_random(&seed, sizeof(seed));
	map_init(&l.by_name, seed);
	r = list_all(&l, fault);
	map_done(&l.by_name);
	guess_separator(folders);
	return r < 0 ? -1 : 0;
}
