/* SPDX-License-Identifier: Apache-2.0 */
/* Names at the destination: what its kind of server refuses, and how a component is made to fit.
 * For mapping*.c only. */
#ifndef COPY_MAPPING_NAMES_H
#define COPY_MAPPING_NAMES_H

#include "base/buf.h"
#include "copy/mapping.h"

/* What stands for a character that cannot stay. */
#define MAPPING_SUBSTITUTE '_'

struct mapping_rules {
	enum mapping_server server;
	char separator;		  /* this row only for it; '\0': any */
	const char *refused;	  /* ASCII characters */
	const char *refused_first; /* as the first character of the whole name */
	const char *const *reserved_top; /* whole components at the top, lower case; ends in NULL */
	const char *const *reserved;	 /* anywhere */
	bool case_blind; /* cannot tell names apart by case, nor by composition */
	bool bmp_only;	 /* refuses characters above U+FFFF */
	bool trim_left, trim_right, single_blanks;
	bool flat;	 /* known for having no levels */
	size_t max_component, max_name; /* bytes on the wire; 0: none known */
};

const struct mapping_rules *mapping_rules_for(enum mapping_server server, char separator);

/* Whether the server keeps this name for itself. */
bool mapping_name_reserved(const struct mapping_rules *rules, struct bytes name, bool top);

/* Appends the component as this destination takes it, length apart. Returns a set of 1 << MAPPING_…
 * for what had to be changed. */
unsigned mapping_name_clean(const struct mapping_rules *rules, char separator, struct bytes name,
			    bool top, struct buf *to);

/* Appends name and suffix, cut so that no more than max bytes go over the wire; what is cut
 * gets "~" and eight digits of id, which stands for the whole. Returns 0 or 1 <<
 * MAPPING_LENGTH. */
unsigned mapping_name_fit(struct bytes name, struct bytes suffix, size_t max, bool utf8,
			  uint32_t id, struct buf *to);

/* Appends the component's wire form: modified UTF-7, or as it is. It must be valid UTF-8. */
void mapping_name_encode(struct bytes name, bool utf8, struct buf *to);

/* Appends the key by which the destination tells names apart below one parent. */
void mapping_name_key(const struct mapping_rules *rules, struct bytes name, bool utf8_accept,
		      bool top, struct buf *to);

/* Least room (bytes on the wire) that a component needs: "~", eight digits, a suffix. */
#define MAPPING_MIN_ROOM 24

#endif
