/* SPDX-License-Identifier: Apache-2.0 */
/* Dialogue files: what a scripted IMAP server says and expects, as data. The notation is
 * described in tests/dialogue/README.md; here is its reader and its pattern language. No I/O
 * but reading the file. */
#ifndef TESTS_LIB_DIALOGUE_H
#define TESTS_LIB_DIALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fault.h"

enum dialogue_step_kind {
	STEP_SEND,            /* text, with {names} filled in */
	STEP_SEND_LITERAL,    /* {n} CRLF and the text */
	STEP_SEND_MESSAGE,    /* {n} CRLF and the message at hand */
	STEP_SEND_REPEATED,   /* text number times */
	STEP_EXPECT,          /* a line that matches text */
	STEP_EXPECT_OPTIONAL, /* the same, or any other line, which is left for the next step */
	STEP_EXPECT_LITERAL,  /* exactly text, after a line that announced so many bytes */
	STEP_EXPECT_BYTES,    /* number bytes, whatever they are */
	STEP_EXPECT_SHA256,   /* a literal whose digest is text, in hexadecimal */
	STEP_EXPECT_END,      /* the client closes */
	STEP_PAUSE,           /* until the client sends something */
	STEP_HANG,            /* never answers again */
	STEP_CLOSE,
	STEP_RESET,
	STEP_TLS,
	STEP_STARTTLS,
	STEP_DEFLATE,
	STEP_SPLIT,           /* sends number bytes at a time from here on; 0: as they come */
	STEP_SERVE,           /* the built-in server goes on */
	STEP_BYE,             /* takes a LOGOUT or the end of the connection, then closes */
	STEP_DEFAULT,         /* in a rule: what the built-in server does here */
	STEP_ANSWER,          /* in a rule: the command at hand ends in text, or in nothing */
	STEP_LATER,           /* in a rule: the steps below run after the next command's answer */
	STEP_DO,              /* the mailbox changes, whoever did that */
	STEP_KILL,            /* the client is killed (SIGKILL) */
	STEP_WAIT,            /* number milliseconds */
	STEP_KINDS,
};

struct dialogue_step {
	struct dialogue_step *next;
	enum dialogue_step_kind kind;
	int line;
	struct bytes text;
	uint64_t number;
	struct dialogue_change *change; /* of STEP_DO */
};

struct dialogue_setting {
	struct dialogue_setting *next;
	int line;
	struct bytes name, value;
};

/* One "message" line: messages with UIDs first..last that are alike. */
struct dialogue_message {
	struct dialogue_message *next;
	int line;
	uint32_t first, last;
	bool has_flags;
	struct bytes flags; /* without parentheses */
	struct bytes date;  /* INTERNALDATE as the server writes it; p NULL: made from the UID */
	struct bytes text;  /* the bytes; p NULL: made from folder name and UID, `size` long */
	uint64_t size;
	struct bytes front; /* lines in front of the bytes, as some servers and tools add */
	struct bytes like_server, like_folder; /* p NULL: of its own; else bytes, flags, dates of … */
	uint32_t like_uid;  /* … these messages, the first of which has this UID */
	bool has_claim;
	uint64_t claim;     /* what RFC822.SIZE says instead of the truth */
};

struct dialogue_folder {
	struct dialogue_folder *next;
	int line;
	struct bytes name;       /* as on the wire */
	struct bytes attributes; /* of LIST, without parentheses */
	uint32_t uidvalidity, uidnext; /* 0: made up */
	uint32_t repeat;         /* so many folders, numbers put behind the name; 0: one */
	bool unsubscribed;
	bool no_modseq;          /* answers NOMODSEQ */
	struct dialogue_message *messages;
};

enum dialogue_change_kind {
	CHANGE_ADD,
	CHANGE_REMOVE,
	CHANGE_FLAGS,
	CHANGE_MOVE,
	CHANGE_COPY,
	CHANGE_EMPTY,
	CHANGE_REFILL,      /* with what the file says is in it at first, under new UIDs */
	CHANGE_RENAME,
	CHANGE_CREATE,
	CHANGE_DELETE,
	CHANGE_UIDVALIDITY,
	CHANGE_MODSEQ,      /* HIGHESTMODSEQ goes back to, or on to, this */
	CHANGE_SUBSCRIBE,
	CHANGE_UNSUBSCRIBE,
};

/* What somebody else does to a mailbox. */
struct dialogue_change {
	struct dialogue_change *next;
	int line;
	unsigned after_run;         /* so many sections "run" stand before it */
	enum dialogue_change_kind kind;
	struct bytes folder, other; /* other: where to */
	struct bytes uids;          /* "3", "3..5", "3,7..9" or "*" */
	struct bytes flags;
	char sign;                  /* of flags: '+', '-', or 0 for these and no others */
	uint32_t number;            /* UIDVALIDITY, mod-sequence, first new UID (0: UIDNEXT) */
	uint32_t renumber_from;     /* 0: UIDs stay */
	struct dialogue_message *message;
	struct dialogue_folder *created;
};

enum dialogue_when {
	RULE_COMPLETE, /* when the command and all its literals are there */
	RULE_EARLY,    /* at its first line, before any "+" */
	RULE_AT,       /* when `at` bytes of a message have passed */
};

struct dialogue_rule {
	struct dialogue_rule *next;
	int line;
	unsigned index;
	enum dialogue_when when;
	uint64_t at;
	unsigned first, last; /* which of its matches it acts on, from 1 */
	unsigned first_run, last_run; /* … and of the client's runs; it counts only those */
	bool commands_only;
	bool must_act;        /* a sweep put a number into it */
	struct bytes pattern;
	struct dialogue_step *steps;
};

struct dialogue_script {
	struct dialogue_script *next;
	int line;
	unsigned connection; /* from 1; 0: any */
	unsigned run;        /* of that run of the client; 0: of all */
	struct dialogue_step *steps;
};

struct dialogue_expectation {
	struct dialogue_expectation *next;
	int line;
	unsigned after_run; /* when it must hold; 0: at the end */
	struct bytes text;
};

struct dialogue_server {
	struct dialogue_server *next;
	int line;
	struct bytes name; /* "from", "to", … */
	struct dialogue_setting *settings;
	struct dialogue_folder *folders;
	struct dialogue_script *scripts;
	struct dialogue_rule *rules;
	unsigned n_rules;
	struct dialogue_change *changes;
	struct dialogue_expectation *expectations;
};

/* "{name}" in the lines below stands for `value`: the first of those that run.py plays the
 * file with. */
struct dialogue_sweep {
	struct dialogue_sweep *next;
	struct bytes name, value;
};

struct dialogue {
	struct arena arena;
	const char *name; /* of the file, for messages */
	unsigned runs;    /* sections "run" */
	struct dialogue_sweep *sweeps;
	struct dialogue_server *servers;
};

/* Faults name file and line. */
int dialogue_load(const char *path, struct dialogue **ret, struct fault *fault);
int dialogue_parse(const char *name, struct bytes text, struct dialogue **ret, struct fault *fault);
struct dialogue *dialogue_free(struct dialogue *dialogue); /* accepts NULL, returns NULL */
DEFINE_FREEP(struct dialogue, dialogue_free);

/* The server of that name; NULL: the file leaves it to the defaults. */
const struct dialogue_server *dialogue_server(const struct dialogue *dialogue, const char *name);
const struct dialogue_folder *dialogue_folder(const struct dialogue_server *server,
					      struct bytes name);

/* The last setting of that name, or `otherwise`. server may be NULL. */
struct bytes dialogue_setting(const struct dialogue_server *server, const char *name,
			      const char *otherwise);

/* --- tests/lib/dialogue-match.c -------------------------------------------------------------- */

enum { DIALOGUE_NAMES = 10 };

/* What {name} stands for. */
struct dialogue_names {
	size_t n;
	struct {
		char name[16];
		char value[128];
	} at[DIALOGUE_NAMES];
};

void dialogue_name_set(struct dialogue_names *names, const char *name, struct bytes value);

/* Whether text matches pattern: "*" any bytes, "\*" a star, " | " between alternatives,
 * {name} a word, the one it stands for if it is known. New names are kept when it matches. */
bool dialogue_match(struct bytes pattern, struct bytes text, struct dialogue_names *names);

/* Appends text with the {names} that are known filled in; all else, {5+} for one, as it is. */
struct buf;
void dialogue_fill(struct buf *to, struct bytes text, const struct dialogue_names *names);

/* Cuts the next word off *rest: bare, "quoted" with escapes undone, or a (group), whose
 * parentheses are dropped. 1 with *ret_word, 0 at the end, -1 when a quote or group does not
 * end or an escape is unknown. */
int dialogue_word(struct arena *arena, struct bytes *rest, struct bytes *ret_word);

/* Undoes \r \n \t \0 \" \\ \xNN; -1 for any other. */
int dialogue_unescape(struct arena *arena, struct bytes text, struct bytes *ret);

#endif
