/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the fake IMAP server share; nobody else includes it. fake-imap.c: the
 * connection, its steps and rules. fake-commands.c: the built-in server. fake-store.c: its
 * mailbox, and the judgement of the end. */
#ifndef TESTS_LIB_FAKE_IMAP_PARTS_H
#define TESTS_LIB_FAKE_IMAP_PARTS_H

#include "base/buf.h"
#include "lib/fake-imap.h"

struct fake_message {
	uint32_t uid;
	struct bytes flags; /* without parentheses */
	struct bytes date;  /* p NULL: made from the UID */
	struct bytes kept;  /* the bytes, or the first of them; p NULL: made from folder and UID */
	uint64_t size;
	const struct dialogue_message *told; /* NULL: appended by the client */
	const char *sha256; /* of an appended message, in hexadecimal; NULL: ask fake_digest() */
};

struct fake_folder {
	struct fake_folder *next;
	struct bytes name, attributes;
	uint32_t uidvalidity, uidnext;
	bool subscribed, is_created;
	struct fake_message *messages; /* in the order of their UIDs */
	size_t n, capacity;
};

struct fake_imap {
	const struct dialogue *dialogue;
	const struct dialogue_server *told; /* NULL: all by default */
	struct arena arena;
	struct fake_folder *folders;
	uint32_t folders_made;
	unsigned *rule_matches; /* by the rules' index */
	unsigned connections;
	struct buf commands;    /* every command, a line each, for "expect command" */
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
	bool said_ok;         /* a rule's step sent "TAG OK" for the command at hand */
	struct bytes answer;  /* of a rule: how the command at hand ends; "nothing" */
	struct fake_folder *folder;
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
SUSPENDS int fake_answer(struct fake_connection *c, const char *format, ...) PRINTF_LIKE(2, 3);

/* Ends the command at hand as a rule's "answer:" said, else with text. */
SUSPENDS int fake_end(struct fake_connection *c, const char *text);

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

/* --- fake-list.c, fake-fetch.c, fake-append.c ------------------------------------------------ */

SUSPENDS int fake_list(struct fake_connection *c);
SUSPENDS int fake_lsub(struct fake_connection *c);
SUSPENDS int fake_xlist(struct fake_connection *c);
SUSPENDS int fake_status(struct fake_connection *c);
SUSPENDS int fake_fetch(struct fake_connection *c);
SUSPENDS int fake_uid_fetch(struct fake_connection *c);
SUSPENDS int fake_search(struct fake_connection *c);
SUSPENDS int fake_uid_search(struct fake_connection *c);
SUSPENDS int fake_uid_store(struct fake_connection *c);
SUSPENDS int fake_append(struct fake_connection *c);

/* --- fake-store.c ---------------------------------------------------------------------------- */

void fake_store_fill(struct fake_imap *fake);
void fake_store_free(struct fake_imap *fake);
struct fake_folder *fake_folder_find(const struct fake_imap *fake, struct bytes name);
struct fake_folder *fake_folder_add(struct fake_imap *fake, struct bytes name);
struct fake_message *fake_message_add(struct fake_folder *folder);

/* Bytes of a message from offset on; 0 at its end, or where an appended one was not kept. */
size_t fake_body(const struct fake_folder *folder, const struct fake_message *message,
		 uint64_t offset, char *to, size_t n);
void fake_date(const struct fake_message *message, char to[64]);
/* Seconds since 1970 of an INTERNALDATE; INT64_MIN: it is none. */
int64_t fake_instant(const char *date);
void fake_judge(struct fake_imap *fake); /* complains where an expectation does not hold */

#endif
