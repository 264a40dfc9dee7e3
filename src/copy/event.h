/* SPDX-License-Identifier: Apache-2.0 */
/* What a pass tells while it works, for display and JSON. */
#ifndef COPY_EVENT_H
#define COPY_EVENT_H

#include "copy/copy.h"

enum copy_event_kind {
	EVENT_FOLDER_BEGUN,
	EVENT_FOLDER_ENDED, /* state says how */
	EVENT_EXCEPTION,
	EVENT_NOTE,         /* something to know that is no exception: a connection fewer, … */
};

struct copy_event {
	enum copy_event_kind kind;
	size_t folder;    /* index into books.folders; of FOLDER_* */
	size_t exception; /* index into books.exceptions */
	char text[400];   /* of NOTE */
};

/* Queues an event; after the channel was closed it is dropped. */
SUSPENDS int copy_tell(struct copy *copy, enum copy_event_kind kind, size_t index,
		       struct fault *fault);
SUSPENDS int copy_note(struct copy *copy, struct fault *fault, const char *format, ...)
	PRINTF_LIKE(3, 4);

#endif
