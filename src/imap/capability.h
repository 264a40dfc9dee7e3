/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says it can do. No I/O. Nothing is sent that is not in here. */
#ifndef IMAP_CAPABILITY_H
#define IMAP_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "imap/response.h"

enum imap_cap {
	IMAP_CAP_IMAP4REV1,
	IMAP_CAP_IMAP4REV2, /* RFC 9051 */
	IMAP_CAP_STARTTLS,
	IMAP_CAP_LOGINDISABLED,
	IMAP_CAP_SASL_IR,            /* RFC 4959 */
	IMAP_CAP_LITERAL_PLUS,       /* RFC 7888 */
	IMAP_CAP_LITERAL_MINUS,      /* RFC 7888: up to 4096 bytes */
	IMAP_CAP_UIDPLUS,            /* RFC 4315 */
	IMAP_CAP_MULTIAPPEND,        /* RFC 3502 */
	IMAP_CAP_NAMESPACE,          /* RFC 2342 */
	IMAP_CAP_ID,                 /* RFC 2971 */
	IMAP_CAP_SPECIAL_USE,        /* RFC 6154 */
	IMAP_CAP_CREATE_SPECIAL_USE, /* RFC 6154 */
	IMAP_CAP_XLIST,              /* before RFC 6154: Gmail, Alibaba Mail */
	IMAP_CAP_LIST_EXTENDED,      /* RFC 5258 */
	IMAP_CAP_LIST_STATUS,        /* RFC 5819 */
	IMAP_CAP_CHILDREN,           /* RFC 3348 */
	IMAP_CAP_CONDSTORE,          /* RFC 7162 */
	IMAP_CAP_QRESYNC,            /* RFC 7162 */
	IMAP_CAP_ENABLE,             /* RFC 5161 */
	IMAP_CAP_ESEARCH,            /* RFC 4731 */
	IMAP_CAP_COMPRESS_DEFLATE,   /* RFC 4978 */
	IMAP_CAP_UTF8_ACCEPT,        /* RFC 6855 */
	IMAP_CAP_UTF8_ONLY,          /* RFC 6855 */
	IMAP_CAP_APPENDLIMIT,        /* RFC 7889: the limit is in STATUS or in the capability */
	IMAP_CAP_STATUS_SIZE,        /* RFC 8438 */
	IMAP_CAP_OBJECTID,           /* RFC 8474 */
	IMAP_CAP_UNSELECT,           /* RFC 3691 */
	IMAP_CAP_MOVE,               /* RFC 6851 */
	IMAP_CAP_BINARY,             /* RFC 3516 */
	IMAP_CAP_QUOTA,              /* RFC 9208 */
	IMAP_CAP_COUNT
};

struct imap_capabilities {
	uint64_t has;          /* bit IMAP_CAP_… */
	uint64_t append_limit; /* bytes, of APPENDLIMIT=n; 0: not told */
	char auth[24][32];     /* names after AUTH=, in upper case */
	unsigned auth_n;
};

/* Replaces *c by what the atoms of a CAPABILITY response or code say. */
void imap_capabilities_read(struct imap_capabilities *c, struct imap_atoms atoms);

static inline bool imap_can(const struct imap_capabilities *c, enum imap_cap cap)
{
	return c->has >> cap & 1;
}

#endif
