/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the books: messages by number, legs, causes, counts; what comes from the index and goes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "gateway/book-inside.h"

/* --- hashing --------------------------------------------------------------------------------- */

/* Numbers are ours, so nobody can choose them to collide. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= UINT64_C(0x9e3779b97f4a7c15);
	return x ^ x >> 29;
}

static size_t message_slot(const struct book *book, uint64_t number)
{
	return mix(number) & (book->messages_size - 1);
}

static size_t leg_slot(const struct book *book, uint64_t message, uint64_t recipient, uint64_t copy)
{
	return mix(mix(message) + 2 * recipient + copy) & (book->legs_size - 1);
}

static void grow_messages(struct book *book)
{
	struct book_message **old = book->messages;
	size_t n = book->messages_size;

	book->messages_size = n ? 2 * n : 1024;
	book->messages = xzalloc(book->messages_size * sizeof(struct book_message *));
	for (size_t i = 0; i < n; i++) {
		for (struct book_message *m = old[i], *next; m; m = next) {
			struct book_message **slot = &book->messages[message_slot(book, m->number)];

			next = m->next_of_hash;
			m->next_of_hash = *slot;
			*slot = m;
		}
	}
	free(old);
}

static void grow_legs(struct book *book)
{
	struct book_leg **old = book->legs;
	size_t n = book->legs_size;

	book->legs_size = n ? 2 * n : 1024;
	book->legs = xzalloc(book->legs_size * sizeof(struct book_leg *));
	for (size_t i = 0; i < n; i++) {
		for (struct book_leg *leg = old[i], *next; leg; leg = next) {
			struct book_leg **slot = &book->legs[leg_slot(book, leg->message->number, leg->recipient, leg->copy)];

			next = leg->next_of_hash;
			leg->next_of_hash = *slot;
			*slot = leg;
		}
	}
	free(old);
}

void book_add_message(struct book *book, struct book_message *message)
{
	struct book_message **slot;

	if (book->n_messages >= book->messages_size)
		grow_messages(book);
	slot = &book->messages[message_slot(book, message->number)];
	message->next_of_hash = *slot;
	*slot = message;
	book->n_messages++;
	list_append(&book->all, &message->of_book);
}

void book_remove_message(struct book *book, struct book_message *message)
{
	struct book_message **at = &book->messages[message_slot(book, message->number)];

	while (*at != message)
		at = &(*at)->next_of_hash;
	*at = message->next_of_hash;
	book->n_messages--;
	list_remove(&message->of_book);
}

void book_add_leg(struct book *book, struct book_leg *leg)
{
	struct book_leg **slot;

	if (book->n_legs >= book->legs_size)
		grow_legs(book);
	slot = &book->legs[leg_slot(book, leg->message->number, leg->recipient, leg->copy)];
	leg->next_of_hash = *slot;
	*slot = leg;
	book->n_legs++;
	list_append(&leg->message->legs, &leg->of_message);
	leg->message->n_legs++;
}

void book_remove_leg(struct book *book, struct book_leg *leg)
{
	struct book_leg **at = &book->legs[leg_slot(book, leg->message->number, leg->recipient, leg->copy)];

	while (*at != leg)
		at = &(*at)->next_of_hash;
	*at = leg->next_of_hash;
	book->n_legs--;
	list_remove(&leg->of_message);
	leg->message->n_legs--;
}

struct book_message *book_message(const struct book *book, uint64_t number)
{
	struct book_message *message = book->messages_size ? book->messages[message_slot(book, number)] : NULL;

	while (message && message->number != number)
		message = message->next_of_hash;
	return message;
}

struct book_leg *book_leg(const struct book *book, const struct journal_leg *leg)
{
	struct book_leg *at = book->legs_size ? book->legs[leg_slot(book, leg->message, leg->recipient, leg->copy)] : NULL;

	while (at && (at->message->number != leg->message || at->recipient != leg->recipient || at->copy != leg->copy))
		at = at->next_of_hash;
	return at;
}

/* --- causes and counts ----------------------------------------------------------------------- */

static const struct book_cause *add_cause(struct book *book, struct bytes name)
{
	struct book_cause *cause = xzalloc(sizeof(*cause));

	memcpy(cause->name, name.p, name.n);
	book->causes[book->n_causes++] = cause;
	return cause;
}

const struct book_cause *book_cause(struct book *book, struct bytes name)
{
	if (name.n == 0)
		return NULL;
	name = bytes_head(name, BOOK_CAUSE_MAX);
	for (size_t i = 0; i < book->n_causes; i++)
		if (bytes_equal(bytes_of(book->causes[i]->name), name))
			return book->causes[i];
	if (book->n_causes < BOOK_CAUSES_MAX)
		return add_cause(book, name);
	if (book->n_causes == BOOK_CAUSES_MAX)
		return add_cause(book, BYTES("other"));
	return book->causes[BOOK_CAUSES_MAX];
}

const char *book_cause_name(const struct book_cause *cause)
{
	return cause ? cause->name : "";
}

bool book_next_cause(const struct book *book, size_t *at, struct book_cause_view *ret)
{
	const struct book_cause *cause;

	if (*at >= book->n_causes)
		return false;
	cause = book->causes[(*at)++];
	ret->name = cause->name;
	memcpy(ret->legs, cause->legs, sizeof(ret->legs));
	return true;
}

static uint64_t *tally(struct book *book, unsigned fate)
{
	static uint64_t none;

	switch (fate) {
	case JOURNAL_OPEN:
		return &book->tallies.open;
	case JOURNAL_ATTEMPTING:
		return &book->tallies.attempting;
	case JOURNAL_IN_DOUBT:
		return &book->tallies.doubt;
	case JOURNAL_HELD:
		return &book->tallies.held;
	case JOURNAL_DELIVERED:
		return &book->tallies.delivered;
	case JOURNAL_IS_RETURNED:
		return &book->tallies.returned;
	default:
		return &none;
	}
}

static void count(struct book *book, unsigned target, unsigned fate, const struct book_cause *cause, uint64_t by)
{
	book->counts[target][fate] += by;
	if (cause)
		((struct book_cause *)(uintptr_t)cause)->legs[target][fate] += by;
}

void book_count_leg(struct book *book, const struct book_leg *leg, int by)
{
	*tally(book, leg->fate) += (uint64_t)(int64_t)by;
	count(book, leg->target, leg->fate, leg->cause, (uint64_t)(int64_t)by);
}

uint64_t book_count(const struct book *book, enum book_target target, enum journal_fate fate)
{
	return book->counts[target][fate];
}

const struct journal_tallies *book_tallies(const struct book *book)
{
	return &book->tallies;
}

void book_set_totals(struct book *book, const struct book_totals *totals)
{
	book->tallies = totals->tallies;
	book->last_number = totals->last_number;
	book->last_attempt = totals->last_attempt;
	book->position = totals->position;
}

void book_add_count(struct book *book, enum book_target target, enum journal_fate fate, const char *cause, uint64_t n)
{
	count(book, target, fate, book_cause(book, bytes_of(cause)), n);
}

void book_direct(struct book *book, struct book_leg *leg, enum book_target target)
{
	if (leg->target == target)
		return;
	count(book, leg->target, leg->fate, leg->cause, (uint64_t)-1);
	leg->target = (uint8_t)target;
	count(book, leg->target, leg->fate, leg->cause, 1);
	leg->is_dirty = 1;
	book_touch(book, leg->message);
}

uint64_t book_last_number(const struct book *book)
{
	return book->last_number;
}

uint64_t book_last_attempt(const struct book *book)
{
	return book->last_attempt;
}

uint64_t book_position(const struct book *book)
{
	return book->position;
}

size_t book_legs_in_memory(const struct book *book)
{
	return book->n_legs;
}

/* --- what differs from the index --------------------------------------------------------------- */

struct list *book_messages(struct book *book)
{
	return &book->all;
}

struct list *book_dirty(struct book *book)
{
	return &book->dirty;
}

size_t book_n_dirty(const struct book *book)
{
	return book->n_dirty;
}

void book_touch(struct book *book, struct book_message *message)
{
	if (message->is_dirty)
		return;
	message->is_dirty = true;
	list_append(&book->dirty, &message->of_dirty);
	book->n_dirty++;
}

void book_clean(struct book *book, struct book_message *message)
{
	if (!message->is_dirty)
		return;
	message->is_dirty = false;
	list_remove(&message->of_dirty);
	book->n_dirty--;
}

/* --- from the index, and only there ------------------------------------------------------------ */

struct book_message *book_restore(struct book *book, uint64_t number)
{
	struct book_message *message = book_message(book, number);

	if (message)
		return message;
	message = xzalloc(sizeof(*message));
	message->number = number;
	list_init(&message->legs);
	list_init(&message->of_dirty);
	list_init(&message->of_cache);
	book_add_message(book, message);
	return message;
}

struct book_leg *book_leg_new(struct bytes key)
{
	struct book_leg *leg = xzalloc(sizeof(*leg) + key.n + 1);
	char *own = (char *)(leg + 1);

	if (key.n)
		memcpy(own, key.p, key.n);
	leg->key = own;
	leg->key_n = (uint16_t)key.n;
	return leg;
}

struct book_leg *book_restore_leg(struct book *book, struct book_message *message, const struct book_leg *from,
				  struct bytes key, const char *cause)
{
	struct book_leg *leg = book_leg_new(key);
	const char *own = leg->key;

	*leg = *from;
	leg->key = own;
	leg->key_n = (uint16_t)key.n;
	leg->item = (struct schedule_item){ 0 };
	leg->message = message;
	list_init(&leg->of_message);
	list_init(&leg->of_queue);
	leg->cause = book_cause(book, bytes_of(cause));
	leg->in_index = 1;
	assert(message->n_away > 0);
	message->n_away--;
	book_add_leg(book, leg);
	return leg;
}

void book_forget_leg(struct book *book, struct book_leg *leg)
{
	assert(leg->in_index && !leg->is_dirty && !leg->item.recipient && list_is_empty(&leg->of_queue));
	leg->message->n_away++;
	book_remove_leg(book, leg);
	free(leg);
}

void book_tidy(struct book *book, struct book_message *message)
{
	if (message->n_legs > 0 || message->users > 0 || message->is_dirty)
		return;
	assert(list_is_empty(&message->of_cache));
	book_remove_message(book, message);
	free((void *)(uintptr_t)message->envelope.p);
	free((void *)(uintptr_t)message->content.p);
	free(message->bodies);
	free(message->events);
	free(message->names);
	free(message->gone);
	free(message);
}

/* --- bodies that are replayed ------------------------------------------------------------------ */

static struct book_place *find_orphan(const struct orphans *o, uint64_t sequence)
{
	size_t at = mix(sequence) & (o->size - 1);

	while (o->places[at].sequence && o->places[at].sequence != sequence)
		at = (at + 1) & (o->size - 1);
	return &o->places[at];
}

void book_body(struct book *book, const struct book_place *place)
{
	struct orphans *o = &book->orphans;

	if (2 * (o->n + 1) > o->size) {
		struct orphans old = *o;

		o->size = old.size ? 2 * old.size : 1024;
		o->places = xzalloc(o->size * sizeof(*o->places));
		for (size_t i = 0; i < old.size; i++)
			if (old.places[i].sequence)
				*find_orphan(o, old.places[i].sequence) = old.places[i];
		free(old.places);
	}
	*find_orphan(o, place->sequence) = *place;
	o->n++;
}

bool orphans_take(struct orphans *o, uint64_t sequence, struct book_place *ret)
{
	struct book_place *at = o->size ? find_orphan(o, sequence) : NULL;
	size_t hole;

	if (!at || !at->sequence)
		return false;
	*ret = *at;
	o->n--;

	/* What was pushed on past the hole goes back into it. */
	hole = (size_t)(at - o->places);
	for (size_t i = (hole + 1) & (o->size - 1); o->places[i].sequence; i = (i + 1) & (o->size - 1)) {
		size_t home = mix(o->places[i].sequence) & (o->size - 1);

		if (((i - home) & (o->size - 1)) < ((i - hole) & (o->size - 1)))
			continue;
		o->places[hole] = o->places[i];
		hole = i;
	}
	o->places[hole].sequence = 0;
	return true;
}

void book_drop_body(struct book *book, uint64_t sequence)
{
	struct book_place ignored;

	orphans_take(&book->orphans, sequence, &ignored);
}

static int by_sequence(const void *a, const void *b)
{
	const struct book_place *x = a, *y = b;

	return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

size_t book_orphans(const struct book *book, struct book_place **ret)
{
	const struct orphans *o = &book->orphans;
	size_t n = 0;

	*ret = xreallocarray(NULL, o->n + 1, sizeof(**ret));
	for (size_t i = 0; i < o->size; i++)
		if (o->places[i].sequence)
			(*ret)[n++] = o->places[i];
	qsort(*ret, n, sizeof(**ret), by_sequence);
	return n;
}

void book_end_replay(struct book *book)
{
	free(book->orphans.places);
	book->orphans = (struct orphans){ 0 };
	book->in_the_middle = false;
}

void book_begin_in_the_middle(struct book *book)
{
	book->in_the_middle = true;
	book->first_number = 0;
}

void book_add_base(struct book *book, const struct journal_base *base)
{
	book->tallies.messages += base->messages;
	book->tallies.legs += base->legs;
	book->tallies.delivered += base->delivered;
	book->tallies.returned += base->returned;
	if (base->last_number > book->last_number)
		book->last_number = base->last_number;
	if (base->last_attempt > book->last_attempt)
		book->last_attempt = base->last_attempt;
}
