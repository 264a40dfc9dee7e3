/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the copy engine: what its files share. A worker is a pair of connections that copies one folder
 * at a time. */
#ifndef COPY_WORKER_H
#define COPY_WORKER_H

#include <openssl/evp.h>

#include "copy/copy.h"
#include "copy/event.h"

struct copy_worker {
	struct copy *copy;
	struct imap_session *from, *to;
	unsigned number;
	EVP_MD_CTX *hash;      /* of the message under way */
	struct mail_identify *identify; /* likewise */
	bool left;             /* counts no longer in copy->workers */
	bool fetch_alone;      /* this source names the UID behind the body: one message a command */
};

/* What the message pass keeps in imap_message.state. */
enum message_state {
	MESSAGE_WAITING = 0, /* to be copied */
	MESSAGE_ASKED,       /* its FETCH is under way */
	MESSAGE_SENT,        /* its APPEND is under way, or in doubt */
	MESSAGE_COPIED,
	MESSAGE_SETTLED,     /* excepted, changed meanwhile or filtered: counted elsewhere */
};

/* Bits beside the state. */
enum {
	MESSAGE_STATE_MASK = 15,
	MESSAGE_ALONE = 16,     /* in an APPEND of its own: a batch with it was refused */
	MESSAGE_NO_KEYWORDS = 32, /* the destination refused it with them */
	MESSAGE_NO_DATE = 64,   /* the destination refused it with its date */
	MESSAGE_ONE_BY_ONE = 128, /* fetch by a command of its own: it did not come among others */
	MESSAGE_TOLD = 256,     /* what it lost is in the books */
	MESSAGE_CHECKED = 1024, /* looked up at the destination */
	MESSAGE_SUSPECT = 2048, /* has NUL (Dovecot) or raw 8-bit bytes in its header (Cyrus), which are replaced
				 * by some one for one */
	MESSAGE_FATAL = 4096,   /* how often the connection was lost over it, a count of up to … */
	MESSAGE_FATAL_MOST = 3 * MESSAGE_FATAL, /* … this, in two bits */
	MESSAGE_AGAIN = 65536,  /* what was sent before, or may have been, was not found */
	MESSAGE_INTENDED = 32768, /* its row in the ledger says that it is about to be sent */
	MESSAGE_IN_DOUBT = 16384, /* being looked for at the destination */
	MESSAGE_ASIDE = 131072, /* comes after all others: copy/aside.c */
	MESSAGE_ASIDE_BEFORE = 262144, /* … and was given up by the pass before */
	MESSAGE_OWN_DATE = 512, /* its date is that of its Date header: the source gave none */
};

/* A message that was sent whole, and whose answer did not come. */
struct doubt {
	struct imap_message *message;
	uint64_t size;
	unsigned char digest[32];
};

struct put_off {
	struct imap_message *message;
	enum copy_cause cause;
	uint64_t size;
	char *detail;
};

/* Messages of the window that a server says are not available, see aside.c. `copied` are numbers of folder->copied. */
struct copy_aside {
	uint32_t uid;             /* the last that was told so by itself, … */
	unsigned waits;           /* … how often in a row, … */
	uint64_t copied_at_first; /* … when it first was, … */
	char words[400];          /* … and how */
	int64_t since;            /* run_now() at the first time that it or others were, since a message went through, … */
	uint64_t copied_since;    /* … which was this one; since 0: none was told so */
	unsigned n;               /* set aside so far, … */
	uint64_t copied_before;   /* … when the first of them was first told so, … */
	uint64_t copied_at_last;  /* … when the last of them was set aside */
	bool only;                /* no others are left */
};

/* One folder under way. */
struct copy_pass {
	struct copy_worker *worker;
	struct copy_folder *folder;
	size_t index;                /* of folder in books.folders */
	struct imap_messages messages; /* the window at hand … */
	uint32_t low, high;          /* … from UID low to high */
	uint32_t counted;            /* messages the source said it has, the lowest number heard */
	bool cannot_look;            /* the destination does not show what it took; it was said */
	bool listed_all;             /* there is no window behind this one */
	unsigned char *digests;      /* SHA-256 of each message of the window that was sent, 32 bytes each */
	struct imap_range *told;     /* UIDs that the destination told (APPENDUID) of messages of the window … */
	size_t told_n, told_size;
	uint32_t told_highest;       /* … the highest of them; … */
	uint32_t told_to;            /* … the highest of the windows before, … */
	bool uids_lie;               /* … some are of other messages: none counts */
	bool resent;                 /* some went more than once: order alone does not tell which is which */
	uint64_t altered;            /* messages the destination changed */
	unsigned read_back;          /* messages read back because of their size there */
	bool sizes_lie;              /* the destination tells wrong sizes */
	unsigned suspects_read, suspects_altered; /* of MESSAGE_SUSPECT, read back */
	unsigned ids_asked;          /* Message-IDs asked for, for exceptions */
	uint64_t limit;              /* bytes of a message that the destination takes; 0: not told */
	bool permanent_known, permanent_star;
	struct buf permanent;        /* keywords the destination keeps, as in imap_selected */
	struct buf *flags;           /* per flag set of `messages`: what is sent */
	bool *flags_cut;             /* per flag set: something was left out */
	size_t flags_n;
	struct flag_change *changes; /* of known messages, to be repeated: copy/stores.h */
	size_t changes_n, changes_size;
	uint32_t there_uidnext;      /* of the destination when the folder was opened; 0: not told */
	uint64_t there_messages;     /* … and how many it held */
	struct copy_unseen *unseen;  /* what lay there that no pass had seen, once it was listed; … */
	bool looked_unseen;          /* … and was held against the window at hand */
	bool mark_due;               /* the folder's mark is queued, and not known to be durable */
	bool moving;                 /* a move was begun, and is not known to have ended: copy/moves.c */
	uint32_t placed_to;          /* the highest UID at the destination that is known to be one of ours */
	uint32_t *flag_ids;          /* numbers in the ledger of the flag sets of `messages`, + 1; 0: not looked up yet */
	size_t flag_ids_n;
	bool partial;                /* only new messages were listed: the others are known not to have changed */
	uint64_t behind;             /* messages of the folder before the window at hand */
	struct put_off *put_off;     /* to go into the books after the round */
	size_t put_off_n, put_off_size;
	struct doubt *doubts;        /* in the order sent, after a round that failed */
	size_t doubts_n, doubts_size;
	unsigned failures;           /* in a row, without a message copied between */
	uint64_t copied_then;        /* folder->copied at the last failure */
	uint64_t careful_until;      /* until so many are copied, only one message is under way at a time … */
	enum copy_cause fatal_cause; /* … so that it is known over which the connection is lost; … */
	char fatal_detail[400];      /* … how the last one was */
	unsigned throttled;          /* times in a row that a server wanted less of us, without a message copied between */
	struct copy_aside aside;
	size_t first;                /* index of the first message of a round */
	uint64_t copied_at_drop;     /* folder->copied when a message was given up for that */
	bool dropped;                /* one was */
	unsigned refused_batches;    /* MULTIAPPENDs that failed in this folder */
	EVP_MD_CTX *digest;          /* over the digests of the copied messages */
};

/* --- copy.c ---------------------------------------------------------------------------------- */

/* Another connection to the destination: one that nobody uses, or a new one if options.connections allows it
 * and the server does not refuse. NULL: there is none. */
SUSPENDS struct imap_session *copy_take_spare(struct copy *copy);

/* Gives it back, fit for use by others or not. */
void copy_give_spare(struct copy *copy, struct imap_session *session, bool good);

/* --- folder.c -------------------------------------------------------------------------------- */

/* Before any folder is copied: what became of the messages of a known one. */
SUSPENDS int copy_folder_survey(struct copy_worker *worker, size_t index, struct fault *fault);

/* Copies one folder with the worker's sessions; counts in its books. A fault of reach REACH_FOLDER or less
 * never comes out: it ends up in the books. */
SUSPENDS int copy_folder_run(struct copy_worker *worker, size_t index, struct fault *fault);

/* Runs a step of the folder, again after each fault that a new connection can mend. */
SUSPENDS int copy_persist(struct copy_pass *pass, int (*step)(struct copy_pass *pass, struct fault *fault),
			  struct fault *fault);

/* The UID at which a window of the source's messages ends, of which `behind` come before; UINT32_MAX: all the rest
 * fits. pass->low is where it begins. */
SUSPENDS int copy_window_end(struct copy_pass *pass, uint64_t behind, uint32_t *ret, struct fault *fault);

/* The folder has a row in the ledger, which takes over those it has under other UIDVALIDITYs. The source folder is
 * selected. */
SUSPENDS int copy_folder_record(struct copy_pass *pass, struct fault *fault);

/* What these held, and the folder does not hold now, has vanished. */
SUSPENDS int copy_folder_lose_formers(struct copy_pass *pass, struct fault *fault);

/* Looks whether the rows still speak of the destination's folder as it is, and finds out what they do not know of it.
 * What it is now is in *ret. The source folder is selected, pass->messages is used. */
SUSPENDS int copy_folder_look_there(struct copy_pass *pass, struct imap_folder *ret, struct fault *fault);

/* From the next commit on there may be messages at the destination that the ledger does not know. */
void copy_pass_set_mark(struct copy_pass *pass);

/* --- settle*.c ------------------------------------------------------------------------------- */

/* Strangers at the destination from the mark on, against messages that have no copy. prove: only equal bytes count.
 * The source folder is selected; pass->messages is used. */
SUSPENDS int copy_settle(struct copy_pass *pass, bool prove, struct fault *fault);

/* What a pass that stopped may have left in the destination of a folder that the source has no more. With the
 * first pair of sessions. */
SUSPENDS int copy_settle_lost(struct copy *copy, struct ledger_folder *folder, struct fault *fault);

/* Rows of the folder under another UIDVALIDITY become rows of this one. */
SUSPENDS int copy_settle_former(struct copy_pass *pass, struct ledger_folder *former, struct fault *fault);

/* After a lost connection: pass->doubts are copied, or wait again. */
SUSPENDS int copy_settle_doubts(struct copy_pass *pass, struct fault *fault);

/* Finds the UIDs of the window's copied messages that the server did not tell. The destination's folder is selected. */
SUSPENDS int copy_settle_places(struct copy_pass *pass, struct fault *fault);

/* At the end of a folder: what the destination stored after we had looked, and has twice now, is removed or put into the
 * books (D10). */
SUSPENDS int copy_settle_late(struct copy_pass *pass, struct fault *fault);

/* Once for each window, before anything of it is moved or sent: which of its waiting messages are at the destination
 * already, among what lies there from the UIDNEXT on that the ledger remembers. */
SUSPENDS int copy_settle_unseen(struct copy_pass *pass, struct fault *fault);
void copy_settle_unseen_done(struct copy_pass *pass);

/* --- except.c -------------------------------------------------------------------------------- */

/* Remembers that a message is not copied, and why; it goes into the books after the round, when the source
 * can be asked for its Message-ID, or whether it is still there. detail is copied; "" says it all. */
void copy_pass_put_off(struct copy_pass *pass, struct imap_message *message, enum copy_cause cause,
		       uint64_t size, const char *detail);

/* Whether to send one message at a time, to find the one that costs the connection. */
static inline bool copy_pass_is_careful(const struct copy_pass *pass)
{
	return pass->aside.only || pass->folder->copied < pass->careful_until;
}

void copy_pass_forget_put_off(struct copy_pass *pass);

/* Puts an exception of the folder as a whole, that stands for so many messages, into the books; once, however often the
 * step is done again. */
SUSPENDS int copy_pass_except_folder(struct copy_pass *pass, enum copy_cause cause, uint64_t messages,
				     const char *detail, struct fault *fault);

/* The same of a folder of the ledger; one that the source has no more is named as it was called. */
SUSPENDS int copy_except_known(struct copy *copy, const struct ledger_folder *known, enum copy_cause cause,
			       uint64_t messages, const char *detail, struct fault *fault);

/* Puts what was put off into the books. What could not be settled, because a connection was lost, stays. */
SUSPENDS int copy_pass_settle(struct copy_pass *pass, struct fault *fault);

/* Puts off for good the messages over which the connection was lost too often. */
void copy_pass_give_up(struct copy_pass *pass);

/* Tells of the copied messages of the window that could not keep their flags or date. */
SUSPENDS int copy_pass_tell_losses(struct copy_pass *pass, struct fault *fault);

/* --- aside.c --------------------------------------------------------------------------------- */

/* Another window. */
void copy_aside_begin(struct copy_pass *pass);

/* A server wanted less of us in answer to this very message. now: run_now(). */
void copy_aside_note(struct copy_pass *pass, const struct imap_message *message, const struct fault *fault, int64_t now);

/* Before a round: whether that was so often that the message is set aside until the others are through, or given up. The
 * index of the message that the round begins with. */
size_t copy_aside_decide(struct copy_pass *pass, int64_t now);

/* --- flags.c --------------------------------------------------------------------------------- */

/* Works out the flags for the window at hand; asks the destination's folder when keywords occur. */
SUSPENDS int copy_pass_prepare_flags(struct copy_pass *pass, struct fault *fault);
void copy_pass_forget_flags(struct copy_pass *pass);

/* Whether the destination's folder keeps the flag, as far as it told: system flags always. */
bool copy_pass_keeps_flag(const struct copy_pass *pass, struct bytes flag);

/* The destination's folder was opened with SELECT: what it said of the flags it keeps. */
void copy_pass_take_permanent(struct copy_pass *pass);

/* The flags that go with the message, and whether some had to be left out. */
const char *copy_pass_flags(struct copy_pass *pass, const struct imap_message *message);

/* Puts an exception into the books, with its Message-ID, and tells it. The source must be idle. */
SUSPENDS int copy_pass_except(struct copy_pass *pass, enum copy_cause cause, uint32_t uid,
			      uint64_t size, const char *detail, struct fault *fault);

static inline unsigned char *copy_pass_digest(const struct copy_pass *pass, const struct imap_message *m)
{
	return pass->digests + 32 * (size_t)(m - pass->messages.p);
}

/* --- check.c --------------------------------------------------------------------------------- */

/* Looks up the copied messages of the window at the destination: size, flags, date, and the bytes where the size
 * differs. What differs goes into the books. Nothing is to be under way. */
SUSPENDS int copy_check_window(struct copy_pass *pass, struct fault *fault);

/* After the last window: the altered messages that were not listed one by one. */
SUSPENDS int copy_check_end(struct copy_pass *pass, struct fault *fault);

/* --- recover.c ------------------------------------------------------------------------------- */

/* Before the workers begin. After a fault that a new connection can mend, and unless there were too many in a
 * row already (counted in *failures, from 0): waits, and connects copy->from and copy->to anew. Negative: cannot
 * go on, *fault says why. */
SUSPENDS int copy_connect_again(struct copy *copy, unsigned *failures, struct fault *fault);

/* Both sessions, where there is none. */
SUSPENDS int copy_connect_both(const struct copy *copy, struct imap_session **from,
			       struct imap_session **to, struct fault *fault);

/* Between two folders, after a fault in connecting: the same patience for a worker's own pair. */
SUSPENDS int copy_connect_worker(struct copy_worker *worker, struct fault *fault);

/* Whether a fault may be over when tried again: a connection lost, a server that is busy; and there were not
 * too many in a row. */
bool copy_may_recover(struct copy_pass *pass, const struct fault *fault);

/* Drops both connections, opens new ones and the source folder, and checks that it is still the same one. */
SUSPENDS int copy_reconnect(struct copy_pass *pass, struct fault *fault);

/* After such a fault: waits (as the server asked, or longer each time), connects both sides anew, opens the
 * source folder, checks that it is still the same one, and settles what was in doubt. Negative: cannot go on. */
SUSPENDS int copy_recover(struct copy_pass *pass, struct fault *fault);

/* Opens the worker's session to the destination, where there is none, with the same patience. */
SUSPENDS int copy_connect_destination(struct copy_worker *worker, struct fault *fault);

/* Digest and length of a message of the folder that is selected at the destination; size 0 and the digest of
 * nothing if it is not handed out. */
SUSPENDS int copy_read_back(struct copy_worker *worker, uint32_t uid, unsigned char digest[32],
			    uint64_t *ret_size, struct fault *fault);

/* --- feed.c ---------------------------------------------------------------------------------- */

/* Fetches every message of the window that is MESSAGE_WAITING and appends it. Afterwards each is copied,
 * settled, or waiting again (alone, or one by one) for another round. 0 done; 1 a batch was refused, which
 * leaves both connections in the middle of something: copy_reconnect() before the next round. Negative: stopped;
 * pass->doubts are those sent and not answered, both sessions are of no use any more. */
SUSPENDS int copy_feed(struct copy_pass *pass, struct fault *fault);

#endif
