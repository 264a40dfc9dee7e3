/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to an IMAP server, logged in. Pipelines: any number of commands may be under way; each
 * is a struct imap_command that its sender embeds and keeps until it is done.
 *
 * Reading. Either one fiber has the session to itself and takes events one by one (imap_read), or
 * several share it and each waits for its own command (imap_wait): whoever waits and finds nobody
 * reading reads for all. Sending: one fiber at a time.
 *
 * Whatever makes reading or writing fail breaks the session for good: answers under way are lost. Free it,
 * open another. Cancellation only spoils it: nothing may be sent any more, but who keeps its commands alive
 * (the copy's answers) can still read what they became. Commands on a stack take themselves out
 * (imap_command_done). */
#ifndef IMAP_SESSION_H
#define IMAP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"
#include "imap/capability.h"
#include "imap/response.h"
#include "net/stream.h"
#include "run/run.h"

enum imap_security {
	IMAP_TLS,      /* from the first byte (RFC 8314) */
	IMAP_STARTTLS, /* required: without it the session fails */
	IMAP_PLAIN,    /* nothing, or STARTTLS when a CA was given: this machine, or the user said so */
};

/* Where a server is and who we are there. Owned by the caller, outlives every session. */
struct imap_account {
	const char *label;   /* for messages and transcripts: "source old.example" */
	const char *host;    /* NULL: run `command` and talk to its pipe, already authenticated */
	uint16_t port;
	enum imap_security security;
	const char *command;
	struct tls_context *tls;
	const char *user, *password, *authzid;
	const char *mechanism; /* the one SASL mechanism to use, or NULL for the best */
	bool external;         /* a client certificate is in the TLS context */

	/* Gives the bearer token of the moment into *ret (owned by the caller), or NULL: no OAuth. */
	SUSPENDS int (*token)(void *arg, char **ret, struct fault *fault);
	void *token_arg;

	/* In place of a connection to `host`: gives the stream. For tests in memory; NULL otherwise. */
	SUSPENDS int (*dial)(void *arg, struct stream **ret, struct fault *fault);
	void *dial_arg;

	struct transcript *transcript; /* or NULL */
	bool compress;                 /* COMPRESS=DEFLATE when the server has it */
	int64_t silence_us;            /* a server that says nothing for so long is given up */
	bool no_pipelining;            /* some servers answer out of order when pipelined (Alibaba Mail) */
	bool no_qresync;               /* leave CONDSTORE and QRESYNC alone even if advertised */

	/* Who counts connections: enter() may wait until one is free, and refuse; leave() is called once for each
	 * enter() that returned 0, when the session is freed or could not be opened. Both may be NULL. */
	SUSPENDS int (*enter)(void *arg, struct fault *fault);
	void (*leave)(void *arg);

	/* Told each time the server says that it wants less of us (see imap_refused()): how long it wants to be left in
	 * peace (0: it does not say), and whether it is about connections. May be NULL; must not suspend. */
	void (*told_off)(void *arg, int64_t after_us, bool one_too_many);

	/* Told once for each enter() that returned 0 what came of the login: NULL, or why there is none; known: the
	 * server knows who we are, but does not let us into this mailbox (AUTHORIZATIONFAILED, RFC 5530). May be NULL. */
	SUSPENDS void (*tried)(void *arg, const struct fault *why, bool known);
	void *enter_arg; /* the arg of all four */
};

/* What a command does, as far as the same refusal means another thing to it. */
enum imap_doing {
	IMAP_DOES_OTHERS,
	IMAP_FETCHES,        /* FETCH */
	IMAP_FILLS,          /* APPEND, COPY, MOVE: they need room */
};

struct imap_command {
	struct list link;    /* in the session's pending list until done */
	enum imap_doing doing;
	char tag[12];
	bool sent, done;
	bool awaits_plus;    /* its literal waits for the server's "+" */
	enum imap_condition condition; /* IMAP_OK, IMAP_NO or IMAP_BAD once done */
	char code[24];       /* the answer's response code in upper case, or "" */
	char text[200];      /* its text, cut, printable */
	uint64_t code_number;          /* of UIDNEXT, APPENDUID (UIDVALIDITY) … */
	uint32_t first_uid, last_uid;  /* of APPENDUID; 0: none came */
};

/* Takes a command out of its session if it is still under way; the answer that may come is then nobody's. For commands
 * on a stack, so that a function left early (a lost connection, a cancelled fiber) leaves nothing behind that points
 * to it:
 *	_cleanup_(imap_command_done) struct imap_command c = { .sent = false };
 * The session must still be there. Zeroed commands are fine. */
void imap_command_done(struct imap_command *command);

/* The state of the selected mailbox as the server last told it. */
struct imap_selected {
	bool is_selected, read_only;
	bool opened_read_only;         /* by EXAMINE */
	uint32_t exists;
	uint32_t uidvalidity, uidnext; /* 0: not told */
	uint64_t highestmodseq;        /* 0: not told or NOMODSEQ */
	char object[256];              /* MAILBOXID (RFC 8474), or "" */
	bool permanent_told, permanent_star; /* PERMANENTFLAGS came; it has \* */
	struct buf permanent; /* its flags, each followed by a blank, lower case */
};

struct imap_session {
	const struct imap_account *account;
	struct stream *stream;
	struct imap_parser *parser;
	char *buffer;        /* what was read and not yet parsed lies in `input`, within it */
	struct bytes input;
	struct imap_capabilities capabilities;
	bool capabilities_known, utf8; /* utf8: names are UTF-8, not modified UTF-7 */
	bool condstore, qresync; /* in force on this connection (RFC 7162); condstore maybe from the first SELECT on */
	bool no_condstore;       /* SELECT … (CONDSTORE) was refused */
	bool no_changes;         /* so was FETCH … (CHANGEDSINCE) */
	bool entered;            /* account->enter() was called, leave() is owed */
	bool preauthenticated, encrypted, logged_in;
	bool known;          /* a login was refused to somebody the server knows */
	char server_name[64]; /* from ID: "Dovecot"; or guessed from the greeting; or "" */
	char server_version[48]; /* from ID, or "" */
	struct imap_selected selected;

	unsigned next_tag;
	struct list pending;           /* of struct imap_command, in the order sent */
	struct waiters progress;       /* something was read */
	bool reading;
	unsigned continuations;        /* "+" that came and nobody has used yet */
	char continuation[2048];       /* text of the last one */
	int64_t last_sent;             /* run_now() of the last byte queued */
	bool broken;                   /* neither read nor write */
	bool spoiled;                  /* cancelled in the middle: only answers may still be read */
	struct fault fault;            /* why broken */
	char bye[200], bye_code[24];   /* text and code of an untagged BYE, or "" */
	char object[256];              /* of the last imap_status(), see there */

	struct buf out;                /* the command being written */
};

/* What imap_read() gives: the parser's RESPONSE and BODY_* events. Slices live until the next read. */
struct imap_input {
	enum imap_event event;
	const struct imap_response *response; /* for RESPONSE and BODY_BEGIN */
	struct bytes data;                    /* for BODY */
};

/* --- life ------------------------------------------------------------------------------------ */

/* Connects, secures, logs in, sends ID, enables what helps. Every failure is one sentence. */
SUSPENDS int imap_connect(const struct imap_account *account, struct imap_session **ret,
			  struct fault *fault);

/* Says LOGOUT and waits for its answer for at most two seconds, then frees. NULL is fine. */
SUSPENDS void imap_logout(struct imap_session *session);

/* Drops the connection at once; what was under way is left undone. */
struct imap_session *imap_session_free(struct imap_session *session);
DEFINE_FREEP(struct imap_session, imap_session_free);

/* --- reading --------------------------------------------------------------------------------- */

/* Next event. Responses have already been noted: tagged answers in their commands, capabilities,
 * EXISTS, BYE … in the session. One fiber only. */
SUSPENDS int imap_read(struct imap_session *session, struct imap_input *ret, struct fault *fault);

/* Reads until the command is done; what comes meanwhile is noted and otherwise dropped. Returns 0 also
 * when the answer is NO or BAD: see imap_refused(). May be called by several fibers of one session. */
SUSPENDS int imap_wait(struct imap_session *session, struct imap_command *command,
		       struct fault *fault);

/* 0 when the done command was answered OK; else fills the fault from the answer's code and text: what
 * kind, how far, whether again (imap/refusal.c). `what` is what we tried: "cannot create folder X".
 *
 * Of servers that want less of us: FAULT_LIMIT and AGAIN_LATER (imap_is_throttle()), where REACH_SESSION means fewer
 * connections (imap_is_one_too_many()) and REACH_MAILBOX slower on all of them; after_us is what the server asked for,
 * 24 hours where it counts bytes by the day, or 0: the caller's own pace. A mailbox that is full is FAULT_LIMIT and
 * AGAIN_NEVER. Of an OAuth token that ran out in the middle of a session: FAULT_AUTH, REACH_SESSION, AGAIN_NOW, since
 * a new login gets a new token; of one that was refused at login: AGAIN_NEVER. */
int imap_refused(const struct imap_session *session, const struct imap_command *command,
		 struct fault *fault, const char *format, ...) PRINTF_LIKE(4, 5);

/* -1 and the fault when the done command was answered by a server that wants less of us; 0 whatever else it said. For
 * commands that may be refused: such an answer says nothing of what was asked. `what` as above. */
int imap_told_off(const struct imap_session *session, const struct imap_command *command, const char *what,
		  struct fault *fault);

static inline bool imap_is_throttle(const struct fault *fault)
{
	return fault->kind == FAULT_LIMIT && fault->again == AGAIN_LATER;
}

static inline bool imap_is_one_too_many(const struct fault *fault)
{
	return imap_is_throttle(fault) && fault->reach == REACH_SESSION;
}

/* The fault of a session that ended after a BYE, from its words: lost (transport, session, now), or a server that wants
 * less of us, as above. Returns -1. */
int imap_said_bye(const struct imap_session *session, struct fault *fault);

/* How long the server's words ask us to stay away, in microseconds, at most a day; 0: they do not say. */
int64_t imap_suggested_wait(const char *text);

/* --- writing --------------------------------------------------------------------------------- */

/* Begins a command: "tag verb" goes to the session's out buffer. */
void imap_begin(struct imap_session *session, struct imap_command *command, const char *verb);

/* Append to the command being written. put_string chooses quoted or literal; a synchronising literal
 * waits for the server's "+" (0 written, 1 the command was answered instead: do not go on with it). A string
 * with a NUL cannot be sent: that is a fault of reach folder, and the command was never begun. */
void imap_put(struct imap_session *session, const char *format, ...) PRINTF_LIKE(2, 3);
SUSPENDS int imap_put_string(struct imap_session *session, struct imap_command *command,
			     struct bytes string, struct fault *fault);

/* Appends as many of the ranges as a line of 8,192 bytes (RFC 7162 section 4) has room for when `behind` bytes are to
 * follow, and one in any case (n > 0). UINT32_MAX is a number, not "*". Returns how many. */
size_t imap_put_set(struct imap_session *session, const struct imap_range *ranges, size_t n,
		    size_t behind);

/* Whether imap_put_string() would wait for a "+", and so drop what commands under way still bring. */
bool imap_string_waits(const struct imap_session *session, struct bytes string);

/* Ends the command with CRLF and queues it. Then wait. */
SUSPENDS int imap_send(struct imap_session *session, struct imap_command *command,
		       struct fault *fault);

/* Queues what is in the out buffer although the command is not complete. */
SUSPENDS int imap_flush(struct imap_session *session, struct fault *fault);

/* Queues data that belongs to a literal, past the out buffer, which must be empty. */
SUSPENDS int imap_flush_data(struct imap_session *session, struct bytes data, struct fault *fault);

/* Waits for a "+" for the command: 0 it came, 1 the command was answered instead. */
SUSPENDS int imap_wait_continuation(struct imap_session *session, struct imap_command *command,
				    struct fault *fault);

/* Whether a literal of that size may be sent without waiting: "" no, "+" yes. */
const char *imap_literal_suffix(const struct imap_session *session, uint64_t size);

/* A whole command without arguments, and its answer; NO and BAD are faults ("what" as imap_refused). */
SUSPENDS int imap_simple(struct imap_session *session, const char *verb, struct fault *fault);

/* Fails the session for good: remembers the fault, wakes whoever waits. Returns -1. */
int imap_break(struct imap_session *session, const struct fault *fault);

#endif
