/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for one unit of work: many small allocations, freed together. Results handed out of an arena
 * are const and live until arena_reset() or arena_done(). A zeroed struct is a valid empty arena. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/bytes.h"
#include "base/cleanup.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
};

void arena_done(struct arena *a); /* frees all; fit for _cleanup_ */
void arena_reset(struct arena *a); /* forgets all, keeps one chunk for the next unit of work */

void *arena_alloc(struct arena *a, size_t n); /* zeroed, aligned for any type */
struct bytes arena_copy(struct arena *a, struct bytes b);
char *arena_str(struct arena *a, struct bytes b); /* copy with a NUL added */
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
