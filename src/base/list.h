/* SPDX-License-Identifier: Apache-2.0 */
/* Doubly linked list whose links live inside the elements; the head is a link too. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

/* Puts element last. It must not be in a list. */
static inline void list_append(struct list *head, struct list *element)
{
	element->prev = head->prev;
	element->next = head;
	head->prev->next = element;
	head->prev = element;
}

static inline void list_prepend(struct list *head, struct list *element)
{
	list_append(head->next, element);
}

/* Takes element out and leaves it linked to itself, so that removing it twice is harmless. */
static inline void list_remove(struct list *element)
{
	element->prev->next = element->next;
	element->next->prev = element->prev;
	list_init(element);
}

#define list_entry(link, type, member) ((type *)(void *)((char *)(link) - offsetof(type, member)))

/* Walks the list; the element at hand must stay in it until the next step. */
#define list_for_each(link, head)                                                                  \
	for (struct list *link = (head)->next; link != (head); link = link->next)

/* The same when the body may take out the element at hand. */
#define list_for_each_safe(link, head)                                                             \
	for (struct list *link = (head)->next, *link##_next_ = link->next; link != (head);         \
	     link = link##_next_, link##_next_ = link->next)

#endif
