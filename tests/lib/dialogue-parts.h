/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader's files share; nobody else includes it. dialogue.c: lines, headings, rules.
 * dialogue-steps.c: steps. dialogue-mailbox.c: what stands in a mailbox, and what changes in it. */
#ifndef TESTS_LIB_DIALOGUE_PARTS_H
#define TESTS_LIB_DIALOGUE_PARTS_H

#include "lib/dialogue.h"

struct dialogue_reader {
	struct dialogue *d;
	struct arena *arena;
	int line;
	struct fault *fault;
	unsigned runs; /* sections "run" so far */
	bool is_swept; /* the line at hand held a sweep's name */

	/* Where the next line belongs; NULL: not here. */
	struct dialogue_server *server;
	struct dialogue_folder *folder;
	struct dialogue_server *changing;
	struct dialogue_step **steps;
	bool in_run;
};

/* Lists are short and in the file's order. */
#define LINK_LAST(head, element)                                                                   \
	do {                                                                                       \
		__typeof__(&(head)) end_ = &(head);                                                \
		while (*end_)                                                                      \
			end_ = &(*end_)->next;                                                     \
		*end_ = (element);                                                                 \
	} while (0)

/* All return 0, or -1 with a fault that names the line. */
int dialogue_wrong(struct dialogue_reader *r, const char *what, struct bytes which);

/* The next word, which must be there. */
int dialogue_need_word(struct dialogue_reader *r, struct bytes *rest, struct bytes *ret);

/* A number, with K, M or G for 1024 and its powers. */
int dialogue_number(struct dialogue_reader *r, struct bytes word, uint64_t max, uint64_t *ret);
int dialogue_need_number(struct dialogue_reader *r, struct bytes *rest, uint64_t max,
			 uint64_t *ret);
int dialogue_need_u32(struct dialogue_reader *r, struct bytes *rest, uint32_t *ret);
bool dialogue_is(struct bytes word, const char *s);

/* "N" or "N..M" */
int dialogue_range(struct dialogue_reader *r, struct bytes word, uint64_t *ret_first,
		   uint64_t *ret_last);

/* --- dialogue-steps.c ------------------------------------------------------------------------ */

bool dialogue_is_step(struct bytes word);

/* A step, whose first word is_step() knew, to the end of *r->steps. */
int dialogue_read_step(struct dialogue_reader *r, struct bytes word, struct bytes rest);

/* --- dialogue-mailbox.c ---------------------------------------------------------------------- */

/* folder NAME …, and message UID[..UID] … below it. */
int dialogue_read_folder(struct dialogue_reader *r, struct bytes rest);
int dialogue_read_message(struct dialogue_reader *r, struct bytes rest);

/* A line of a change, or behind "do:". *ret is the change. */
int dialogue_read_change(struct dialogue_reader *r, struct bytes text,
			 struct dialogue_change **ret);

#endif
