/* SPDX-License-Identifier: Apache-2.0 */
/* The IMAP commands we send, one file each (cmd-*.c). All suspend; all take a session that nobody else
 * is reading, but for the APPEND calls, which are made to share it. */
#ifndef IMAP_COMMANDS_H
#define IMAP_COMMANDS_H

#include "base/map.h"
#include "imap/session.h"
#include "mail/identity.h"

/* --- cmd-login.c: LOGIN and AUTHENTICATE ------------------------------------------------------ */

/* Logs in with the best way that server, account and encryption allow. FAULT_AUTH says whether the
 * password, the mechanism or the server's policy is the trouble. */
SUSPENDS int imap_login(struct imap_session *session, struct fault *fault);

/* --- cmd-id.c: ID (RFC 2971) ------------------------------------------------------------------ */

/* Tells our name, learns the server's (session->server_name). NetEase refuses to open folders without
 * it (Q13). Refusal is no fault. */
SUSPENDS int imap_id(struct imap_session *session, struct fault *fault);

/* --- cmd-list.c: NAMESPACE, LIST, LSUB, XLIST ------------------------------------------------- */

enum {
	IMAP_FOLDER_NOSELECT = 1,      /* \Noselect or \NonExistent */
	IMAP_FOLDER_NOINFERIORS = 2,
	IMAP_FOLDER_SUBSCRIBED = 4,
	IMAP_FOLDER_FOREIGN = 8,       /* in another user's or a shared name space */
	IMAP_FOLDER_STATUS = 16,       /* the numbers below were told */
	IMAP_FOLDER_SIZE = 32,         /* so was size */
};

struct imap_folder {
	struct bytes name;       /* as on the wire, quoting undone */
	struct bytes utf8;       /* decoded; the raw name where it cannot be decoded */
	char separator;          /* '\0': NIL */
	unsigned flags;          /* IMAP_FOLDER_… */
	struct bytes role;       /* "\Sent" … by attribute, or empty */
	uint64_t messages, uidnext, uidvalidity, size, highestmodseq;
	uint64_t append_limit;   /* bytes of one message, of imap_status() only; 0: not told */
	struct bytes object;     /* MAILBOXID (RFC 8474), or empty: the same while the folder is, also renamed. Cyrus
				  * tells it when a folder is opened only (selected.object). In the arena below (of
				  * imap_status(): in the session) */
};

struct imap_folders {
	struct arena arena;
	struct imap_folder *p;   /* in the server's order */
	size_t n, size;
	struct bytes prefix;     /* of the personal name space, as on the wire: "INBOX." or "" */
	char separator;          /* of the personal name space; '\0': none */
	bool has_namespace;      /* the server told them; else separator is what its folders have */
};

void imap_folders_done(struct imap_folders *folders);

/* All folders with attributes, subscriptions, special uses and (when the server has LIST-STATUS) numbers.
 * *folders is initialised by the call and freed with imap_folders_done() even after a failure. Servers
 * may list at most a million. with_size: the numbers include SIZE where the server has STATUS=SIZE. */
SUSPENDS int imap_list(struct imap_session *session, bool with_size,
		       struct imap_folders *folders, struct fault *fault);

/* --- cmd-status.c ----------------------------------------------------------------------------- */

/* Asks STATUS for every folder that lacks IMAP_FOLDER_STATUS and can be selected, pipelined. A folder whose
 * STATUS is refused keeps the flag unset. with_size also asks for SIZE where the server has it. */
SUSPENDS int imap_status_all(struct imap_session *session, struct imap_folders *folders,
			     bool with_size, struct fault *fault);

/* STATUS of one name, or EXAMINE where that is refused; so not while a folder is selected that still matters.
 * Refusal of both is a fault of reach folder. ret->name is the caller's; ret->object lives in the session, until the
 * next imap_status(). */
SUSPENDS int imap_status(struct imap_session *session, struct bytes name, struct imap_folder *ret,
			 struct fault *fault);

/* --- cmd-select.c ----------------------------------------------------------------------------- */

/* SELECT or EXAMINE (read_only). session->selected is what the server told. */
SUSPENDS int imap_select(struct imap_session *session, struct bytes name, bool read_only,
			 struct fault *fault);

/* Leaves the selected folder, whose name is given, and expunges nothing. */
SUSPENDS int imap_unselect(struct imap_session *session, struct bytes name, struct fault *fault);

/* --- cmd-create.c: CREATE, SUBSCRIBE ---------------------------------------------------------- */

/* role: "\Sent" to ask for with CREATE-SPECIAL-USE (used only if the server has it), or empty. 0: created,
 * 1: the server says it exists already. */
SUSPENDS int imap_create(struct imap_session *session, struct bytes name, struct bytes role,
			 struct fault *fault);
SUSPENDS int imap_subscribe(struct imap_session *session, struct bytes name, struct fault *fault);

/* --- cmd-fetch.c ------------------------------------------------------------------------------ */

/* What the metadata pass learns of each message. */
struct imap_message {
	uint32_t uid;
	int32_t zone_minutes;   /* of INTERNALDATE */
	int64_t date;           /* seconds since 1970; IMAP_NO_DATE: the server gave none that can be read */
	uint64_t size;          /* RFC822.SIZE; 0 if it was not asked for or not told: a hint (Q24) */
	uint32_t flags;         /* index into flag_sets; 0: none */
	uint32_t state;         /* for the caller … */
	uint32_t copy_uid;      /* … who may keep here its UID elsewhere; 0: not known */
};

#define IMAP_NO_DATE INT64_MIN

struct imap_messages {
	struct imap_message *p; /* by rising UID */
	size_t n, size;
	char **flag_sets;       /* each distinct set once, as "\Seen Work", in the server's order; [0] is "" */
	size_t flag_sets_n, flag_sets_size, flag_bytes;
	struct map flag_index;  /* flags as told → index in flag_sets + 1 */
	bool incomplete;        /* the last listing ended in NO or BAD: the server may have more than it gave */
};

void imap_messages_init(struct imap_messages *messages);
void imap_messages_done(struct imap_messages *messages);

/* The message with that UID, or NULL. */
struct imap_message *imap_messages_find(const struct imap_messages *messages, uint32_t uid);

/* Fetches UID, FLAGS, INTERNALDATE (and RFC822.SIZE if with_size) of the messages with UIDs low..high of the
 * selected folder. Flag updates that arrive meanwhile are taken in. A server may answer NO because of one message and
 * give the rest: that is no fault (compare with what there should be), unless it wants to be left in peace. */
SUSPENDS int imap_fetch_messages(struct imap_session *session, uint32_t low, uint32_t high,
				 bool with_size, struct imap_messages *messages,
				 struct fault *fault);

/* Which attributes to ask for; UIDs always come. */
enum imap_items { IMAP_ITEM_FLAGS = 1, IMAP_ITEM_DATE = 2, IMAP_ITEM_SIZE = 4 };

/* The same with a choice of attributes (enum imap_items): 0 lists UIDs only. */
SUSPENDS int imap_fetch_items(struct imap_session *session, uint32_t low, uint32_t high, unsigned items,
			      struct imap_messages *messages, struct fault *fault);

/* … and for these UIDs only, in as many commands as lines of 8,192 bytes need. Ranges rise and do not touch. Those that
 * do not come are missing; but a command that is refused and brings nothing at all is a fault. */
SUSPENDS int imap_fetch_items_of(struct imap_session *session, const struct imap_range *uids, size_t n,
				 unsigned items, struct imap_messages *messages,
				 struct fault *fault);

/* The UID of the message with that sequence number, 0 when there is none: the upper end of a window over
 * a folder too large to hold. */
SUSPENDS int imap_fetch_uid(struct imap_session *session, uint32_t sequence, uint32_t *ret_uid,
			    struct fault *fault);

/* Begins UID FETCH of bodies; answers are taken with imap_read(). */
SUSPENDS int imap_fetch_bodies(struct imap_session *session, struct imap_command *command,
			       const struct imap_range *uids, size_t n, struct fault *fault);

/* --- cmd-append.c ----------------------------------------------------------------------------- */

/* One APPEND command under way. With MULTIAPPEND it takes several messages. Use:
 *	imap_append_begin, then for each message imap_append_message and imap_append_data until its size is
 *	reached, then imap_append_end; the answer arrives in `command` (imap_wait).
 * The fiber that writes does not have to be the one that waits. */
struct imap_append {
	struct imap_command command;
	bool begun;
	unsigned messages;
};

void imap_append_begin(struct imap_session *session, struct imap_append *append,
		       struct bytes folder_name);

/* flags: "\Seen Work", may be empty; date: written by imap_date_write, or empty to leave it out. 0: send size
 * bytes of data now; 1: the server refused (command.done is set): send nothing more. */
SUSPENDS int imap_append_message(struct imap_session *session, struct imap_append *append,
				 struct bytes folder_name, const char *flags, struct bytes date,
				 uint64_t size, struct fault *fault);
SUSPENDS int imap_append_data(struct imap_session *session, struct bytes data,
			      struct fault *fault);
SUSPENDS int imap_append_end(struct imap_session *session, struct imap_append *append,
			     struct fault *fault);

/* --- cmd-changes.c: CONDSTORE, QRESYNC (RFC 7162) ---------------------------------------------- */

/* What became of UIDs 1..high of the selected folder since `modseq`. */
struct imap_changes {
	struct imap_messages changed; /* those with other flags, or a newer modseq for whatever reason; UID, flags */
	struct imap_range *vanished;  /* UIDs that are no more, rising, within 1..high, none of them in `changed`; may
				       * name some that never were */
	size_t vanished_n, vanished_size;
	bool knows_vanished;          /* false: the server does not tell, count or list */
};

/* Needs session->condstore, and a folder that has modseqs (selected.highestmodseq). UID FETCH 1:high (UID FLAGS)
 * (CHANGEDSINCE modseq [VANISHED]), in several commands when `high` is above some 100,000, so that no line is longer
 * than we take. modseq 0 asks for all messages and knows nothing of vanished ones. Any NO is a fault: half an answer
 * would pass for "unchanged"; of a server that will refuse it again session->no_changes is set. *ret is initialised by the call and freed with imap_changes_done() even after a failure. */
SUSPENDS int imap_fetch_changes(struct imap_session *session, uint64_t modseq, uint32_t high,
				struct imap_changes *ret, struct fault *fault);
void imap_changes_done(struct imap_changes *changes);

/* --- cmd-headers.c ----------------------------------------------------------------------------- */

/* By what a message is known again whose UID no longer tells: see mail/identity.h. */
struct imap_identity {
	uint32_t uid;
	uint64_t header_size;       /* bytes of BODY[HEADER]; 0: it was not handed out */
	struct mail_identity identity;
};

struct imap_identities {
	struct imap_identity *p;    /* by rising uid */
	size_t n, size;
};

/* These fields of these messages ("RECEIVED MESSAGE-ID"), a block at a time, cut to IMAP_FIELDS_MAX; empty: it has none
 * of them. Those that do not come are not told of; a message may come twice. */
enum { IMAP_FIELDS_MAX = 64 << 10 };
typedef void (*imap_fields_fn)(void *arg, uint32_t uid, struct bytes block);
SUSPENDS int imap_fetch_fields(struct imap_session *session, const struct imap_range *uids, size_t n,
			       const char *fields, imap_fields_fn fn, void *arg, struct fault *fault);

/* The Message-ID of one message of the selected folder, or "" when it has none; printable, cut. */
SUSPENDS int imap_fetch_message_id(struct imap_session *session, uint32_t uid, char *to, size_t size,
				   struct fault *fault);

/* Takes the message's own Date header as its date: 0 done, 1 it has none that can be read. */
SUSPENDS int imap_fetch_date_header(struct imap_session *session, struct imap_message *message,
				    struct fault *fault);

/* The same for many: those of `messages` (by rising UID) that are named and have a Date that can be read get it, the
 * others stay as they are. */
SUSPENDS int imap_fetch_dates(struct imap_session *session, const struct imap_range *uids, size_t n,
			      struct imap_messages *messages, struct fault *fault);

/* Fetches the header blocks of these messages (BODY.PEEK[HEADER]) and keeps what names them: some 300 bytes each; more
 * than a million are a fault. Those that do not come are missing in the result. *ret is initialised by the call, freed with
 * imap_identities_done() even after a failure. */
SUSPENDS int imap_fetch_identities(struct imap_session *session, const struct imap_range *uids, size_t n,
				   struct imap_identities *ret, struct fault *fault);
const struct imap_identity *imap_identities_find(const struct imap_identities *identities, uint32_t uid);
void imap_identities_done(struct imap_identities *identities);

/* --- cmd-store.c: STORE, UID EXPUNGE, COPY, MOVE ------------------------------------------------
 * All on the selected folder, which must have been opened with SELECT; sets are cut into lines of 8,192 bytes. */

/* UID STORE +FLAGS.SILENT or -FLAGS.SILENT. UIDs that are no more are no fault. */
SUSPENDS int imap_store(struct imap_session *session, const struct imap_range *uids, size_t n, bool add,
			const char *flags, struct fault *fault);

/* UID EXPUNGE (RFC 4315) of messages that have \Deleted; needs UIDPLUS. */
SUSPENDS int imap_expunge(struct imap_session *session, const struct imap_range *uids, size_t n,
			  struct fault *fault);

struct imap_uid_pair {
	uint32_t from, to;
};

struct imap_copied {
	struct imap_uid_pair *p;    /* of COPYUID, in the server's order; those it did not tell are missing */
	size_t n, size;
	uint32_t uidvalidity;       /* of the other folder, as COPYUID told; 0: not told. Wrong: the pairs are worth nothing */
	bool contradicts;           /* it changed in between: no pairs */
};

/* UID MOVE (RFC 6851; refused here where the server has none) or UID COPY to another folder of the account. *ret is
 * initialised by the call; free(ret->p) even after a failure. A COPYUID whose sets differ in size, or that names what
 * was not asked for, gives no pairs. TRYCREATE and the like are faults of reach folder. */
SUSPENDS int imap_copy(struct imap_session *session, const struct imap_range *uids, size_t n, bool move,
		       struct bytes folder_name, struct imap_copied *ret, struct fault *fault);

/* --- cmd-rename.c ------------------------------------------------------------------------------ */

SUSPENDS int imap_rename(struct imap_session *session, struct bytes from, struct bytes to,
			 struct fault *fault);
SUSPENDS int imap_unsubscribe(struct imap_session *session, struct bytes name, struct fault *fault);

#endif
