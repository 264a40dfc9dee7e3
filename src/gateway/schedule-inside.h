/* SPDX-License-Identifier: Apache-2.0 */
/* What schedule*.c share. */
#ifndef GATEWAY_SCHEDULE_INSIDE_H
#define GATEWAY_SCHEDULE_INSIDE_H

#include "base/map.h"
#include "base/rand.h"
#include "gateway/rate.h"
#include "gateway/schedule.h"
#include "gateway/window.h"

enum lane_kind { LANE_FRESH, LANE_DEFERRED, LANES };

/* Waiting items of one recipient that are of one kind. It is in the target's ring of its kind when its
 * first item may go, in the target's heap when that is so at a known moment, and in neither when it is
 * empty or the recipient has as many jobs as it may. */
struct lane {
	struct heap items; /* by due */
	struct heap_node wait;
	struct list ring;
	struct schedule_recipient *recipient;
	enum lane_kind kind;
};

/* Exists while it has items, or while something about it is to be remembered. */
struct schedule_recipient {
	struct schedule_target *target;
	struct bytes key;       /* owned */
	struct list forgetful;  /* in target->idle while without items */
	struct rate_bucket bucket;
	int64_t pause_us, pause_until;
	unsigned going;         /* items in jobs */
	size_t n_items;         /* waiting or going */
	struct lane lanes[LANES];
};

struct host {
	struct window window;
	unsigned in_use;
	int64_t pause_us, pause_until;
};

struct schedule_target {
	struct list of_schedule;
	struct schedule *schedule;
	struct schedule_settings settings;
	struct host *hosts;
	unsigned size_hosts;  /* there were as many once: jobs with them may be under way */
	unsigned turnover;    /* counts changes of the hosts */
	unsigned next_host;
	struct rate_bucket bucket;
	struct rate rate;
	int64_t paused_until; /* by the operator */
	struct map recipients;
	struct list rings[LANES];
	unsigned turn;        /* of the rings */
	struct heap waits;    /* lanes, by the moment their first item may go */
	struct heap lives;    /* waiting items, by the end of their lives */
	struct list idle;     /* recipients without items, the one idle for longest first */
	size_t n_idle;
	size_t waiting, going;
};

struct schedule {
	struct list targets;
	struct rand rand;
	uint64_t order; /* counts what is pushed: equal moments go first come, first served */
};

struct schedule_job {
	struct schedule_target *target;
	unsigned host, turnover;
	unsigned n;
	int64_t began;
	bool accepted; /* any of its items */
	struct list items;
};

/* schedule-lanes.c */
struct schedule_recipient *recipient_of(struct schedule_target *target, struct bytes key,
					int64_t now);
void recipient_free(struct schedule_recipient *recipient);

/* Both lanes go where they belong at this moment; a recipient without items is forgotten in time. */
void recipient_place(struct schedule_recipient *recipient, int64_t now);
void lane_put(struct schedule_item *item, int64_t due, int64_t life_ends);
void lane_take(struct schedule_item *item);

/* What recipients may get has changed. */
void lanes_change(struct schedule_target *target, int64_t now);

/* The first item that may go now, taking turns; NULL: none. */
struct schedule_item *lanes_first(struct schedule_target *target, int64_t now);

/* When that changes by itself. */
int64_t lanes_moment(struct schedule_target *target, int64_t now);

/* Whether the recipient may get an item now. */
bool recipient_may(const struct schedule_recipient *recipient, int64_t now);

#endif
