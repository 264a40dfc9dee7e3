/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the fake IMAP server share; nobody else includes it.
 *
 *	fake-imap.c      the connection, its steps and rules
 *	fake-commands.c  the built-in server: taking commands, capabilities, login
 *	fake-folders.c, fake-list.c, fake-fetch.c, fake-search.c, fake-append.c, fake-edit.c
 *	fake-sync.c      what a connection is told of what others did; mod-sequences (RFC 7162)
 *	fake-lines.c     how commands are read
 *	fake-sets.c      sets of numbers
 *	fake-store.c     its mailbox
 *	fake-change.c    what others do to it
 *	fake-judge.c     what is expected of it */
#ifndef TESTS_LIB_FAKE_IMAP_PARTS_H
#define TESTS_LIB_FAKE_IMAP_PARTS_H

#include "base/buf.h"
#include "lib/fake-imap.h"

struct fake_message {
	uint32_t uid;
	uint64_t modseq;
	struct bytes flags; /* without parentheses */
	struct bytes date;  /* p NULL: made from made_uid */
	struct bytes front; /* lines somebody put before the bytes: served, not compared */
	struct bytes kept;  /* the bytes, or the first of them; p NULL: made from … */
	struct bytes made_of; /* … the folder in which, and … */
	uint32_t made_uid;  /* … the UID under which it was described: they stay when it moves */
	uint64_t size;      /* with the front */
	const struct dialogue_message *told; /* NULL: appended by the client */
	const char *sha256; /* of an appended message, in hexadecimal; NULL: ask fake_digest() */
};

/* Something happened to a message: for connections that have its folder open, and for VANISHED. */
struct fake_event {
	uint32_t uid;
	uint64_t modseq;
	bool is_expunge;    /* false: other flags */
	unsigned by;        /* the connection that did it; 0: somebody else */
};

struct fake_folder {
	struct fake_folder *next;
	struct bytes name, attributes;
	uint32_t uidvalidity, uidnext;
	uint32_t object;    /* the number in its MAILBOXID */
	uint64_t modseq;    /* HIGHESTMODSEQ */
	bool subscribed, is_created, is_gone, no_modseq;
	const struct dialogue_folder *told; /* NULL: made by the client or a change */
	struct bytes told_name; /* the name it had then */
	struct fake_message *messages; /* in the order of their UIDs */
	size_t n, capacity;
	struct fake_event *events;
	size_t events_n, events_capacity;
};

struct fake_imap {
	const struct dialogue *dialogue;
	const struct dialogue_server *told; /* NULL: all by default */
	struct arena arena;
	struct fake_folder *folders, *gone;
	uint32_t folders_made;
	unsigned *rule_matches; /* by the rules' index */
	unsigned connections, run_connections;
	unsigned run;           /* of the client, from 1 */
	int client;             /* its process, or 0 */
	bool lenient;           /* numbers of commands and connections do not count */
	const struct dialogue_change *changed; /* the last that was made; NULL: none */
	struct buf commands;    /* every command, a line each, for "expect command" */
	size_t run_commands;    /* where this run's begin */
	struct buf complaints;
	struct tls_context *tls;
};

enum fake_state { FAKE_GREETED = 1, FAKE_LOGGED_IN = 2, FAKE_SELECTED = 4, FAKE_ANY = 7 };

struct fake_connection {
	struct fake_imap *fake;
	struct stream *stream;
	int fd;
	unsigned number;
	struct buf in;     /* read and not yet used */
	uint64_t split;
	bool is_over;      /* closed by us; nothing more is read or sent */
	struct dialogue_names names;

	/* The built-in server. */
	enum fake_state state;
	bool read_only, deflated;
	bool condstore, qresync; /* enabled, or used */
	bool said_ok;         /* a rule's step sent "TAG OK" for the command at hand */
	struct bytes answer;  /* of a rule: how the command at hand ends; "nothing" */
	struct fake_folder *folder;
	size_t told_events;   /* of the folder's: those before it are known to the client */
	uint32_t told_uid;    /* messages above it are not */
	uint32_t told_uidvalidity;
	char tag[64];
	struct buf command;   /* the command at hand without its tag, in plain form */
	struct bytes arguments; /* of it, behind its name */
	uint64_t literal;     /* announced by the line read last and still to come */
	bool has_literal, literal_waits; /* waits: for a "+" */
	const struct dialogue_step *later;
	char later_tag[64];

	/* The message at hand, for S-message. */
	const struct fake_folder *message_folder;
	const struct fake_message *message;
};

/* What the built-in server does when no rule steps in. All return 0 to go on, -1 when the
 * connection is over. */
typedef int (*fake_default)(struct fake_connection *c, void *arg);

/* --- fake-imap.c ----------------------------------------------------------------------------- */

void fake_complain(struct fake_imap *fake, int line, const char *format, ...) PRINTF_LIKE(3, 4);

SUSPENDS int fake_send(struct fake_connection *c, struct bytes bytes);
SUSPENDS int fake_sendf(struct fake_connection *c, const char *format, ...) PRINTF_LIKE(2, 3);

/* Ends the command at hand with this, or as a rule's "answer:" said. */
SUSPENDS int fake_answer(struct fake_connection *c, const char *format, ...) PRINTF_LIKE(2, 3);

/* Sends {n} CRLF and the message, letting rules for "message FOLDER UID" step in at their bytes. */
SUSPENDS int fake_send_message(struct fake_connection *c);

/* The next line, without its end; 0 there is one, -1 the client closed or we are over. */
SUSPENDS int fake_read_line(struct fake_connection *c, struct buf *line);

/* 1..n bytes, or -1. */
SUSPENDS int fake_read(struct fake_connection *c, char *to, size_t n);

/* Waits until the client has sent something more; -1: it closed, or the deadline passed. */
SUSPENDS int fake_wait(struct fake_connection *c);

/* Replaces the stream by TLS; what the client sent too early is a complaint. */
SUSPENDS int fake_start_tls(struct fake_connection *c);

/* The rule that acts on this now, having counted the match; or NULL. */
const struct dialogue_rule *fake_rule(struct fake_connection *c, struct bytes text,
				      enum dialogue_when when);
SUSPENDS int fake_play(struct fake_connection *c, const struct dialogue_step *steps,
		       fake_default otherwise, void *arg);

/* Plays the rule for `text`, or the default. */
SUSPENDS int fake_event(struct fake_connection *c, struct bytes text, fake_default otherwise,
			void *arg);

/* The offset of the first RULE_AT that acts on this, with the rule; UINT64_MAX: none. */
uint64_t fake_rule_at(struct fake_connection *c, struct bytes text,
		      const struct dialogue_rule **ret);

/* Notes whether a line ends in "{12}" or "{12+}". */
void fake_note_literal(struct fake_connection *c, struct bytes line);

/* --- fake-commands.c ------------------------------------------------------------------------- */

/* The built-in server, from the greeting (unless greeted) to LOGOUT or the client's end. */
SUSPENDS int fake_commands(struct fake_connection *c, bool greeted);

struct bytes fake_permanent_flags(const struct fake_connection *c);
bool fake_can(const struct fake_connection *c, const char *capability);

/* What no server would understand, or was not advertised: a complaint, and BAD. */
SUSPENDS int fake_bad(struct fake_connection *c, const char *why);

/* Next word of the arguments; empty at their end. */
struct bytes fake_word(struct fake_connection *c);

/* --- fake-lines.c ---------------------------------------------------------------------------- */

/* Appends a line in plain form: strings that could be atoms are bare, others quoted, whatever
 * the client chose; a literal at its end is cut off and noted. */
SUSPENDS int fake_read_plain(struct fake_connection *c, struct buf *to);

/* Appends the literal that was noted as a string in plain form, asking for it if it waits. */
SUSPENDS int fake_read_string(struct fake_connection *c, struct buf *to);
void fake_put_string(struct buf *to, struct bytes string);

/* --- fake-sets.c ----------------------------------------------------------------------------- */

/* 1 number is in the set, 0 not, -1 it is no set. */
int fake_in_set(struct bytes set, uint64_t number, uint64_t largest);

/* The first message of the selected folder above `after` (a UID) that is in the set; NULL: no
 * more. Messages the client was not told of are left out. */
struct fake_message *fake_next_in_set(const struct fake_connection *c, struct bytes set,
				      bool by_uid, uint32_t after);

/* Appends a UID to a set that rises: "1:3,7". *state begins as 0s. */
struct fake_set_writer {
	uint32_t first, last;
};

void fake_set_add(struct buf *to, struct fake_set_writer *state, uint32_t uid);
void fake_set_end(struct buf *to, struct fake_set_writer *state);

/* --- fake-sync.c ----------------------------------------------------------------------------- */

/* Says what happened to the selected folder since the client was told: EXPUNGE or VANISHED,
 * FETCH, EXISTS. Every command but FETCH, STORE and SEARCH by number begins so. */
SUSPENDS int fake_tell(struct fake_connection *c);

/* Everything up to now is known to the client. */
void fake_told(struct fake_connection *c);

/* The message's number, as the client counts. */
size_t fake_sequence(const struct fake_connection *c, uint32_t uid);

/* " MODSEQ (n)" for a FETCH that nobody asked for, or "". */
const char *fake_modseq_item(const struct fake_connection *c, const struct fake_message *m,
			     char to[48]);

/* VANISHED (EARLIER), of those in the set (p NULL: all). */
SUSPENDS int fake_send_vanished(struct fake_connection *c, struct bytes set, uint64_t modseq);

/* What SELECT … (QRESYNC (uidvalidity modseq [known UIDs])) adds. */
SUSPENDS int fake_resync(struct fake_connection *c, struct bytes arguments);

/* --- the commands ---------------------------------------------------------------------------- */

SUSPENDS int fake_list(struct fake_connection *c);
SUSPENDS int fake_lsub(struct fake_connection *c);
SUSPENDS int fake_xlist(struct fake_connection *c);
SUSPENDS int fake_status(struct fake_connection *c);
SUSPENDS int fake_fetch(struct fake_connection *c);
SUSPENDS int fake_uid_fetch(struct fake_connection *c);
SUSPENDS int fake_search(struct fake_connection *c);
SUSPENDS int fake_uid_search(struct fake_connection *c);
SUSPENDS int fake_append(struct fake_connection *c);
SUSPENDS int fake_store(struct fake_connection *c);
SUSPENDS int fake_uid_store(struct fake_connection *c);
SUSPENDS int fake_expunge(struct fake_connection *c);
SUSPENDS int fake_uid_expunge(struct fake_connection *c);
SUSPENDS int fake_uid_copy(struct fake_connection *c);
SUSPENDS int fake_uid_move(struct fake_connection *c);
SUSPENDS int fake_create(struct fake_connection *c);
SUSPENDS int fake_delete(struct fake_connection *c);
SUSPENDS int fake_rename(struct fake_connection *c);
SUSPENDS int fake_subscribe(struct fake_connection *c);
SUSPENDS int fake_unsubscribe(struct fake_connection *c);
SUSPENDS int fake_namespace(struct fake_connection *c);
SUSPENDS int fake_select(struct fake_connection *c);
SUSPENDS int fake_examine(struct fake_connection *c);
SUSPENDS int fake_unselect(struct fake_connection *c);
SUSPENDS int fake_close(struct fake_connection *c);

char fake_separator(const struct fake_imap *fake); /* '\0': none */

/* Appends the header block with its blank line, as far as 64 KiB hold it. */
void fake_read_header(const struct fake_message *message, struct buf *to);

/* Appends the lines of these fields, and a blank one. */
void fake_pick_fields(struct bytes header, struct bytes fields, struct buf *to);

/* Appends those of the flags that PERMANENTFLAGS allows. -1: a system flag no client may set. */
int fake_keep_flags(const struct fake_connection *c, struct bytes flags, struct buf *to);

/* --- fake-store.c ---------------------------------------------------------------------------- */

void fake_store_fill(struct fake_imap *fake);
void fake_store_free(struct fake_imap *fake);

struct fake_folder *fake_folder_find(const struct fake_imap *fake, struct bytes name);
struct fake_folder *fake_folder_add(struct fake_imap *fake, struct bytes name);
void fake_folder_remove(struct fake_imap *fake, struct fake_folder *folder);
void fake_folder_empty(struct fake_folder *folder);

/* The folder and those below it get other names. */
void fake_folder_rename(struct fake_imap *fake, struct fake_folder *folder, struct bytes name);

struct fake_message *fake_message_add(struct fake_folder *folder);
struct fake_message *fake_message_find(const struct fake_folder *folder, uint32_t uid);

/* The index of the first message with that UID or a larger one. */
size_t fake_message_index(const struct fake_folder *folder, uint64_t uid);
void fake_message_remove(struct fake_folder *folder, uint32_t uid, unsigned by);
struct fake_message *fake_message_copy(struct fake_folder *to, const struct fake_message *message);

/* Adds what a line of the file describes; renumber: under the folder's next UIDs. */
void fake_messages_describe(struct fake_imap *fake, struct fake_folder *folder,
			    const struct dialogue_message *told, bool renumber);

/* Replaces its flags ('+': adds, '-': takes away). */
void fake_message_flags(struct fake_imap *fake, struct fake_folder *folder,
			struct fake_message *message, char sign, struct bytes flags, unsigned by);
bool fake_has_flag(struct bytes flags, struct bytes flag);

/* Bytes of a message from offset on; 0 at its end, or where an appended one was not kept. */
size_t fake_body(const struct fake_message *message, uint64_t offset, char *to, size_t n);

/* Of the bytes without the front, in hexadecimal. */
const char *fake_digest(struct fake_imap *fake, struct fake_message *message);
void fake_date(const struct fake_message *message, char to[64]);

/* Seconds since 1970 of an INTERNALDATE; INT64_MIN: it is none. */
int64_t fake_instant(const char *date);

/* --- fake-change.c, fake-judge.c ------------------------------------------------------------- */

void fake_change(struct fake_imap *fake, const struct dialogue_change *change);

/* Complains where an expectation for the end of that run (0: the end of all) does not hold. */
void fake_judge(struct fake_imap *fake, unsigned run);

#endif
