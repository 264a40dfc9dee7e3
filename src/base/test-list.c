/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"

#include "lib/check.h"

struct item {
	int before;
	struct list link;
	int number;
};

static int digits(const struct list *head)
{
	int all = 0;

	list_for_each(l, head)
		all = all * 10 + list_entry(l, struct item, link)->number;

	return all;
}

static void orders(struct check *check)
{
	struct list head;
	struct item items[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };

	list_init(&head);
	CHECK(list_is_empty(&head));
	CHECK_EQ(digits(&head), 0);
	list_append(&head, &items[1].link);
	list_append(&head, &items[2].link);
	list_prepend(&head, &items[0].link);
	CHECK(!list_is_empty(&head));
	CHECK_EQ(digits(&head), 123);
	CHECK(head.prev == &items[2].link);
}

static void removes(struct check *check)
{
	struct list head;
	struct item items[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };

	list_init(&head);
	for (size_t i = 0; i < 3; i++)
		list_append(&head, &items[i].link);
	list_remove(&items[1].link);
	list_remove(&items[1].link); /* harmless */
	CHECK_EQ(digits(&head), 13);
	list_append(&head, &items[1].link);
	CHECK_EQ(digits(&head), 132);

	list_for_each_safe(l, &head)
		list_remove(l);
	CHECK(list_is_empty(&head));
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		{ "orders", orders }, { "removes", removes }, { 0 },
	};

	return check_main(argc, argv, cases);
}
