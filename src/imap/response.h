/* SPDX-License-Identifier: Apache-2.0 */
/* What an IMAP server says, taken apart: RFC 3501, RFC 9051 and the extensions we use. No I/O.
 *
 * imap_parser takes bytes as they come and gives events. A response is handed over whole, as a struct
 * imap_response whose slices live until the next call; but the body of a message in a FETCH response
 * (the literal or string after BODY[…], BINARY[…], RFC822, RFC822.TEXT, RFC822.HEADER) is never kept:
 * it streams through as slices of the caller's own input.
 *
 * The parser forgives what servers are known to do (docs/servers/): unknown responses and attributes
 * are skipped by their syntax, numbers may be larger than 32 bits where that makes sense, names may be
 * raw UTF-8, numeric atoms or NIL, dates may lack digits. It never forgives size: a response without
 * body may hold max_response bytes. What it cannot read at all is IMAP_EVENT_BAD; so is an unreadable list
 * of folders (LIST) or messages (SEARCH, VANISHED, EXISTS …), and a FETCH that does not go on as one after
 * its body, because the literal's length was wrong then: to continue could lose mail. */
#ifndef IMAP_RESPONSE_H
#define IMAP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"

enum imap_kind {
	IMAP_TAGGED,       /* tag, condition, code, text */
	IMAP_CONTINUATION, /* "+ text" ("+" alone too) */
	IMAP_CONDITION,    /* untagged OK NO BAD BYE PREAUTH: condition, code, text */
	IMAP_CAPABILITY,   /* atoms */
	IMAP_ENABLED,      /* atoms */
	IMAP_LIST,         /* LIST, LSUB or XLIST, see list.verb */
	IMAP_STATUS,
	IMAP_SEARCH,       /* SEARCH or ESEARCH: numbers */
	IMAP_FLAGS,        /* atoms */
	IMAP_EXISTS,       /* number */
	IMAP_RECENT,       /* number */
	IMAP_EXPUNGE,      /* number */
	IMAP_VANISHED,     /* uids, earlier */
	IMAP_FETCH,
	IMAP_NAMESPACE,
	IMAP_ID,           /* fields */
	IMAP_QUOTA,        /* QUOTA or QUOTAROOT: kept as text */
	IMAP_OTHER,        /* anything else, as text */
};

enum imap_condition { IMAP_OK, IMAP_NO, IMAP_BAD, IMAP_BYE, IMAP_PREAUTH };

/* A list of slices; an absent list has n 0 and p NULL. */
struct imap_atoms {
	const struct bytes *p;
	size_t n;
};

bool imap_atoms_has(struct imap_atoms atoms, const char *name); /* ASCII case folded */

/* Sets of numbers as ranges low ≤ high; "*" is UINT32_MAX. */
struct imap_range {
	uint32_t low, high;
};

struct imap_set {
	const struct imap_range *p;
	size_t n;
};

/* "[CODE arguments]" after a condition. Known codes are taken apart; others keep name and rest. */
struct imap_code {
	struct bytes name; /* "UIDNEXT", "APPENDUID", … in upper case; empty: no code */
	struct bytes rest; /* what stands between the name and the bracket */
	uint64_t number;   /* UIDVALIDITY UIDNEXT UNSEEN HIGHESTMODSEQ; UIDVALIDITY of APPENDUID, COPYUID */
	struct imap_atoms atoms;    /* CAPABILITY, PERMANENTFLAGS, BADCHARSET */
	struct imap_set source;     /* COPYUID */
	struct imap_set uids;       /* APPENDUID, COPYUID destination, MODIFIED */
};

struct imap_list_data {
	enum { IMAP_VERB_LIST, IMAP_VERB_LSUB, IMAP_VERB_XLIST } verb;
	struct imap_atoms attributes; /* "\HasChildren" … */
	char separator;               /* '\0': NIL */
	struct bytes name;            /* as the server wrote it, quoting undone: not decoded */
	bool has_old_name;            /* RFC 9051 OLDNAME */
	struct bytes old_name;
};

/* What a STATUS response may give; `has` tells which did come. */
enum {
	IMAP_HAS_MESSAGES = 1,
	IMAP_HAS_UIDNEXT = 2,
	IMAP_HAS_UIDVALIDITY = 4,
	IMAP_HAS_UNSEEN = 8,
	IMAP_HAS_HIGHESTMODSEQ = 16, /* 0 for NOMODSEQ */
	IMAP_HAS_SIZE = 32,
	IMAP_HAS_APPENDLIMIT = 64,   /* UINT64_MAX for NIL */
	IMAP_HAS_MAILBOXID = 128,
	IMAP_HAS_DELETED = 256,
};

struct imap_status_data {
	struct bytes name;
	unsigned has;
	uint64_t messages, uidnext, uidvalidity, unseen, highestmodseq, size, appendlimit, deleted;
	struct bytes mailboxid;
};

/* The attributes of a FETCH response. */
enum {
	IMAP_FETCH_UID = 1,
	IMAP_FETCH_FLAGS = 2,
	IMAP_FETCH_DATE = 4,     /* INTERNALDATE, readable */
	IMAP_FETCH_SIZE = 8,     /* RFC822.SIZE */
	IMAP_FETCH_MODSEQ = 16,
	IMAP_FETCH_EMAILID = 32,
	IMAP_FETCH_BODY = 64,    /* a body streamed or was given whole as "" */
	IMAP_FETCH_BODY_NIL = 128, /* the server gave NIL instead of a body */
	IMAP_FETCH_BAD_DATE = 256, /* INTERNALDATE came, but is not a date: see date_text */
	IMAP_FETCH_GM = 512,     /* X-GM-MSGID */
};

struct imap_fetch_data {
	uint32_t sequence; /* 0 if the server wrote nonsense there */
	unsigned has;      /* IMAP_FETCH_… seen so far */
	uint32_t uid;
	struct imap_atoms flags;  /* as written, "\Recent" included */
	struct bytes date_text;   /* INTERNALDATE as written, without quotes */
	uint64_t size, modseq, gm_msgid;
	struct bytes emailid;
	struct bytes section;     /* what stands in the brackets of the body at hand */
	uint64_t body_size;       /* bytes of the body at hand (or of the last one) */
};

struct imap_namespace {
	struct bytes prefix;
	char separator; /* '\0': NIL */
};

struct imap_namespaces {
	const struct imap_namespace *p;
	size_t n;
};

struct imap_response {
	enum imap_kind kind;
	struct bytes tag;
	enum imap_condition condition;
	struct imap_code code;
	struct bytes text; /* of conditions and continuations; of QUOTA and OTHER all after "* " */
	uint32_t number;   /* EXISTS RECENT EXPUNGE */
	struct imap_atoms atoms;
	struct imap_list_data list;
	struct imap_status_data status;
	struct imap_fetch_data fetch;
	struct {
		struct bytes tag;       /* of ESEARCH's (TAG "…"), or empty */
		bool by_uid;            /* ESEARCH said UID */
		struct imap_set found;  /* SEARCH numbers (as single ranges), ESEARCH ALL */
		bool has_count;
		uint64_t count, min, max, modseq;
	} search;
	struct {
		struct imap_set uids;
		bool earlier;
	} vanished;
	struct {
		struct imap_namespaces personal, others, shared;
	} namespaces;
	struct {
		const struct bytes *names, *values; /* value NIL: empty slice with p NULL */
		size_t n;
	} id;
};

enum imap_event {
	IMAP_EVENT_MORE,       /* all input taken; feed more */
	IMAP_EVENT_RESPONSE,   /* *ret is complete */
	IMAP_EVENT_BODY_BEGIN, /* ret->fetch: what came before the body; body_size bytes follow */
	IMAP_EVENT_BODY,       /* *ret_data: the next bytes of it, a slice of the input */
	IMAP_EVENT_BODY_END,   /* all came; the response goes on and ends in IMAP_EVENT_RESPONSE */
	IMAP_EVENT_BAD,        /* beyond repair: imap_parser_error() says why; the connection is lost */
};

struct imap_parser_limits {
	size_t max_response; /* bytes of one response without bodies: line plus small literals */
	uint64_t max_body;   /* bytes of one body; more is IMAP_EVENT_BAD */
};

#define IMAP_PARSER_LIMITS ((struct imap_parser_limits){ 1 << 20, UINT64_C(1) << 40 })

struct imap_parser;

struct imap_parser *imap_parser_new(struct imap_parser_limits limits);
struct imap_parser *imap_parser_free(struct imap_parser *parser); /* accepts NULL, returns NULL */
DEFINE_FREEP(struct imap_parser, imap_parser_free);

/* Takes bytes from the front of *input (and moves it on) until there is an event. *ret_response is filled
 * for RESPONSE and BODY_BEGIN, *ret_data for BODY; both live until the next call. A body of 0 bytes gives
 * BEGIN and END without BODY. A quoted string as body (some servers) streams the same way. */
enum imap_event imap_parser_next(struct imap_parser *parser, struct bytes *input,
				 const struct imap_response **ret_response, struct bytes *ret_data);

/* After IMAP_EVENT_BAD: what was wrong, a sentence part ("a literal of 99999999999 bytes in …"). */
const char *imap_parser_error(const struct imap_parser *parser);

/* Forgets input and position, for use after the stream below was replaced (STARTTLS). */
void imap_parser_reset(struct imap_parser *parser);

#endif
