/* SPDX-License-Identifier: Apache-2.0 */
/* Capability names to bits, see capability.h. */
#include "imap/capability.h"

#include <string.h>

static const struct {
	const char *name;
	enum imap_cap cap;
} names[] = {
	{ "IMAP4rev1", IMAP_CAP_IMAP4REV1 },
	{ "IMAP4rev2", IMAP_CAP_IMAP4REV2 },
	{ "STARTTLS", IMAP_CAP_STARTTLS },
	{ "LOGINDISABLED", IMAP_CAP_LOGINDISABLED },
	{ "SASL-IR", IMAP_CAP_SASL_IR },
	{ "LITERAL+", IMAP_CAP_LITERAL_PLUS },
	{ "LITERAL-", IMAP_CAP_LITERAL_MINUS },
	{ "UIDPLUS", IMAP_CAP_UIDPLUS },
	{ "MULTIAPPEND", IMAP_CAP_MULTIAPPEND },
	{ "NAMESPACE", IMAP_CAP_NAMESPACE },
	{ "ID", IMAP_CAP_ID },
	{ "SPECIAL-USE", IMAP_CAP_SPECIAL_USE },
	{ "CREATE-SPECIAL-USE", IMAP_CAP_CREATE_SPECIAL_USE },
	{ "XLIST", IMAP_CAP_XLIST },
	{ "LIST-EXTENDED", IMAP_CAP_LIST_EXTENDED },
	{ "LIST-STATUS", IMAP_CAP_LIST_STATUS },
	{ "CHILDREN", IMAP_CAP_CHILDREN },
	{ "CONDSTORE", IMAP_CAP_CONDSTORE },
	{ "QRESYNC", IMAP_CAP_QRESYNC },
	{ "ENABLE", IMAP_CAP_ENABLE },
	{ "ESEARCH", IMAP_CAP_ESEARCH },
	{ "COMPRESS=DEFLATE", IMAP_CAP_COMPRESS_DEFLATE },
	{ "UTF8=ACCEPT", IMAP_CAP_UTF8_ACCEPT },
	{ "UTF8=ONLY", IMAP_CAP_UTF8_ONLY },
	{ "APPENDLIMIT", IMAP_CAP_APPENDLIMIT },
	{ "STATUS=SIZE", IMAP_CAP_STATUS_SIZE },
	{ "OBJECTID", IMAP_CAP_OBJECTID },
	{ "UNSELECT", IMAP_CAP_UNSELECT },
	{ "MOVE", IMAP_CAP_MOVE },
	{ "BINARY", IMAP_CAP_BINARY },
	{ "QUOTA", IMAP_CAP_QUOTA },
};

/* What RFC 9051 §E makes part of the base protocol: a server that says only IMAP4rev2 has these. */
static const enum imap_cap rev2_has[] = {
	IMAP_CAP_NAMESPACE, IMAP_CAP_UNSELECT,      IMAP_CAP_UIDPLUS,     IMAP_CAP_ESEARCH,
	IMAP_CAP_ENABLE,    IMAP_CAP_SASL_IR,       IMAP_CAP_LIST_STATUS, IMAP_CAP_LIST_EXTENDED,
	IMAP_CAP_MOVE,      IMAP_CAP_LITERAL_MINUS, IMAP_CAP_STATUS_SIZE, IMAP_CAP_SPECIAL_USE,
	IMAP_CAP_CHILDREN,
};

static void set(struct imap_capabilities *c, enum imap_cap cap)
{
	c->has |= UINT64_C(1) << cap;
}

static void read_auth(struct imap_capabilities *c, struct bytes mechanism)
{
	char *to = c->auth[c->auth_n];

	if (c->auth_n == sizeof(c->auth) / sizeof(c->auth[0]) || mechanism.n == 0 ||
	    mechanism.n >= sizeof(c->auth[0]))
		return;

	for (size_t i = 0; i < mechanism.n; i++)
		to[i] = ascii_upper(mechanism.p[i]);
	to[mechanism.n] = '\0';
	c->auth_n++;
}

static void read_one(struct imap_capabilities *c, struct bytes atom)
{
	if (bytes_starts_nocase(atom, BYTES("AUTH="))) {
		read_auth(c, bytes_skip(atom, 5));
		return;
	}

	if (bytes_starts_nocase(atom, BYTES("APPENDLIMIT="))) {
		bytes_to_u64(bytes_skip(atom, 12), UINT64_MAX, &c->append_limit);
		set(c, IMAP_CAP_APPENDLIMIT);
		return;
	}

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (bytes_equal_nocase(atom, bytes_of(names[i].name)))
			set(c, names[i].cap);
}

void imap_capabilities_read(struct imap_capabilities *c, struct imap_atoms atoms)
{
	*c = (struct imap_capabilities){ 0 };
	for (size_t i = 0; i < atoms.n; i++)
		read_one(c, atoms.p[i]);

	if (imap_can(c, IMAP_CAP_IMAP4REV2) && !imap_can(c, IMAP_CAP_IMAP4REV1))
		for (size_t i = 0; i < sizeof(rev2_has) / sizeof(rev2_has[0]); i++)
			set(c, rev2_has[i]);
}
