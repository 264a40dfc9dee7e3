/* SPDX-License-Identifier: Apache-2.0 */
/* Ownership helpers: locals that free themselves, and giving such a local away. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

/* Runs fn(&variable) when the variable goes out of scope. */
#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* The value of a pointer variable, which is NULL afterwards: hands ownership to the reader. */
#define TAKE_PTR(pointer)                                                                          \
	({                                                                                         \
		__typeof__(&(pointer)) take_p_ = &(pointer);                                       \
		__typeof__(*take_p_) take_v_ = *take_p_;                                           \
		*take_p_ = NULL;                                                                   \
		take_v_;                                                                           \
	})

/* Defines thing_freep(struct thing **), for _cleanup_, from struct thing *thing_free(struct thing *). */
#define DEFINE_FREEP(type, free_fn)                                                                \
	static inline void free_fn##p(type **p)                                                    \
	{                                                                                          \
		if (*p)                                                                            \
			free_fn(*p);                                                               \
	}                                                                                          \
	struct cleanup_needs_semicolon_

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/* In front of every declaration whose call may suspend the running fiber (docs/fibers.md). */
#define SUSPENDS

#endif
