/* SPDX-License-Identifier: Apache-2.0 */
/* Fractional concurrency feedback, see window.h. */
#include "gateway/window.h"

#include <assert.h>

#define HOLD_FIRST (5 * SECOND)
#define HOLD_MOST (5 * MINUTE)
#define DEAD_FIRST (10 * SECOND)
#define DEAD_MOST (10 * MINUTE)

void window_init(struct window *w, unsigned first, unsigned most)
{
	assert(first >= 1 && most >= 1);

	*w = (struct window){ .most = most, .unhurt = true };
	w->first = first < most ? first : most;
	w->size = w->first;
}

void window_limit(struct window *w, unsigned first, unsigned most)
{
	assert(first >= 1 && most >= 1);

	w->most = most;
	w->first = first < most ? first : most;
	w->size = w->size < most ? w->size : most;
}

unsigned window_size(const struct window *w, int64_t now)
{
	if (w->dead_us)
		return now >= w->dead_until;

	return w->size;
}

static void raise_window(struct window *w, int64_t now)
{
	if (w->size >= w->most)
		return;

	if (w->ceiling && w->size >= w->ceiling) {
		if (w->size == w->ceiling && now < w->hold_until)
			return;
		if (w->size > w->ceiling) { /* a whole run above it went well */
			w->ceiling = 0;
			w->hold_us = 0;
		}
	}
	w->size++;
	w->failure = 0;
}

void window_worked(struct window *w, unsigned in_use, int64_t now)
{
	double step = w->unhurt ? 1 : 1.0 / w->size;

	w->unreachable = 0;
	if (w->dead_us) { /* it is back: as if it were new, but with care */
		w->dead_us = 0;
		w->size = w->first;
		w->success = w->failure = 0;
		w->unhurt = false;
		return;
	}
	if (in_use < w->size)
		return;

	w->success += step;
	if (w->success + step / 2 < 1)
		return;

	w->success = 0;
	raise_window(w, now);
}

static int64_t doubled(int64_t us, int64_t first, int64_t most)
{
	if (us == 0)
		return first;

	return us > most / 2 ? most : 2 * us;
}

void window_too_many(struct window *w, struct rand *rand, int64_t now)
{
	w->unreachable = 0;
	w->dead_us = 0;
	w->unhurt = false;
	w->success = 0;
	if (w->size > 1)
		w->size--;
	w->ceiling = w->size;

	/* What was refused within the hold was on its way before the window was lowered. */
	if (now < w->hold_until)
		return;

	w->hold_us = doubled(w->hold_us, HOLD_FIRST, HOLD_MOST);
	w->hold_until = now + rand_jitter(rand, w->hold_us);
}

void window_lost(struct window *w)
{
	double step = 1.0 / w->size;

	w->unhurt = false;
	w->failure -= step;
	if (w->failure - step / 2 >= 0)
		return;

	w->failure += 1;
	w->success = 0;
	if (w->size > 1)
		w->size--;
}

void window_unreachable(struct window *w, struct rand *rand, int64_t now)
{
	if (w->dead_us && now < w->dead_until)
		return; /* on its way before it was called dead */

	w->unreachable += 1.0 / w->size;
	if (!w->dead_us && w->unreachable < 0.999) {
		window_lost(w);
		return;
	}

	w->dead_us = doubled(w->dead_us, DEAD_FIRST, DEAD_MOST);
	w->dead_until = now + rand_jitter(rand, w->dead_us);
}
