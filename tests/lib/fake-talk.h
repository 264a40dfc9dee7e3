/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the fake server itself: speaks to it in a few lines over a stream in memory,
 * whatever the splits, and keeps what it says and complains about. */
#ifndef TESTS_LIB_FAKE_TALK_H
#define TESTS_LIB_FAKE_TALK_H

#include "base/buf.h"
#include "lib/check.h"
#include "lib/fake-imap.h"

enum { FAKE_TALK_RUNS = 4 };

struct fake_talk {
	const char *dialogue;
	const char *says;  /* all of what the client sends, at once */
	const char *next[FAKE_TALK_RUNS - 1]; /* the same in run 2 …; NULL: no more */
	size_t max_read;
	struct buf heard;
	char verdict[2048];
};

/* Talks with each split; what is heard must be the same. Free heard with buf_done(). */
void fake_talk(struct check *check, struct fake_talk *talk);

/* Fails unless it was said. */
void fake_talk_hears(struct check *check, struct fake_talk *talk, const char *text);

#endif
