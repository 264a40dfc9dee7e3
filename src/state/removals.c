/* SPDX-License-Identifier: Apache-2.0 */
/* Copies that are being taken out of their folder at the destination, see ledger.h. */
#include <assert.h>

#include "base/xalloc.h"
#include "state/inside.h"

void ledger_put_removal(struct ledger *ledger, const struct ledger_removal *removal)
{
	struct batch *batch = ledger_queue(ledger);
	struct ledger_removal *copy;

	assert(removal->folder > 0 && removal->uid > 0 && removal->copy_uid > 0);
	assert(removal->stage >= LEDGER_DELETES && removal->stage <= LEDGER_MOVED);
	assert((removal->stage == LEDGER_DELETES) == (removal->new_folder == 0));
	if (!batch)
		return;

	copy = arena_alloc(&batch->arena, sizeof(*copy));
	*copy = *removal;
	ledger_queue_op(ledger, batch, (struct op){ .kind = OP_PUT_REMOVAL, .p = copy });
}

void ledger_drop_removal(struct ledger *ledger, uint32_t folder, uint32_t uid)
{
	struct batch *batch = ledger_queue(ledger);

	if (batch)
		ledger_queue_op(ledger, batch,
				(struct op){ .kind = OP_DROP_REMOVAL, .folder = folder, .uid = uid });
}

struct removals_job {
	struct ledger_removal *p;
	size_t n;
};

static void read_removal(struct row *row, struct ledger_removal *r)
{
	r->folder = (uint32_t)row_number(row, UINT32_MAX);
	r->uid = (uint32_t)row_number(row, UINT32_MAX);
	r->copy_uid = (uint32_t)row_number(row, UINT32_MAX);
	r->uidvalidity = (uint32_t)row_number(row, UINT32_MAX);
	r->was_deleted = row_number(row, 1);
	r->stage = (enum ledger_removal_stage)row_number(row, LEDGER_MOVED);
	r->new_folder = (uint32_t)row_number(row, UINT32_MAX);
	r->new_uid = (uint32_t)row_number(row, UINT32_MAX);
	row->bad |= !r->folder || !r->uid || !r->copy_uid || !r->stage ||
		    (r->stage == LEDGER_DELETES) != (r->new_folder == 0) ||
		    (r->new_folder == 0) != (r->new_uid == 0);
}

static int load_removals(struct db *db, void *arg, struct fault *fault)
{
	struct removals_job *job = arg;
	sqlite3_stmt *s = db_statement(db, SQL_REMOVALS);
	size_t capacity = 0;
	int r;

	while ((r = db_step(db, s, fault)) > 0) {
		struct row row = { s };

		job->p = xgrow(job->p, &capacity, job->n + 1, sizeof(*job->p));
		read_removal(&row, &job->p[job->n++]);
		if (row.bad)
			return db_damaged(db, "a removal in it is out of range", fault);
	}
	return r;
}

int ledger_load_removals(struct ledger *ledger, struct ledger_removal **ret, size_t *ret_n,
			 struct fault *fault)
{
	struct removals_job job = { .n = 0 };

	if (ledger_run(ledger, "removals in the ledger", load_removals, &job, fault) < 0) {
		free(job.p);
		return -1;
	}
	*ret = job.p ? job.p : xmalloc(sizeof(*job.p));
	*ret_n = job.n;
	return 0;
}
