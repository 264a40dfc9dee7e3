/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of a ledger: queueing changes of their rows. */
#include <assert.h>

#include "state/inside.h"

/* A copy of at most `max` bytes, cut between two characters where it is UTF-8. */
static const char *keep(struct batch *batch, const char *text, size_t max)
{
	struct bytes b = bytes_of(text);

	if (b.n > max) {
		b.n = max;
		while (b.n > max - 4 && ((unsigned char)b.p[b.n] & 0xc0) == 0x80)
			b.n--;
	}
	return b.n ? arena_str(&batch->arena, b) : "";
}

void ledger_put_message(struct ledger *ledger, const struct ledger_message *message)
{
	struct batch *batch = ledger_queue(ledger);
	struct ledger_message *copy;

	assert(message->folder > 0 && message->uid > 0);
	assert(message->state >= LEDGER_COPIED && message->state <= LEDGER_SENDING);
	assert(message->cause < LEDGER_CAUSES);
	assert(message->flags <= ledger->words.n && message->copy_flags <= ledger->words.n);
	if (!batch)
		return;

	copy = arena_alloc(&batch->arena, sizeof(*copy));
	*copy = *message;
	copy->message_id = keep(batch, message->message_id, MESSAGE_ID_MAX);
	copy->detail = keep(batch, message->detail, DETAIL_MAX);
	ledger_queue_op(ledger, batch, (struct op){ .kind = OP_PUT_MESSAGE, .p = copy });
}

static void queue(struct ledger *ledger, struct op op)
{
	struct batch *batch = ledger_queue(ledger);

	if (batch)
		ledger_queue_op(ledger, batch, op);
}

void ledger_set_flags(struct ledger *ledger, uint32_t folder, uint32_t uid, uint32_t flags,
		      uint32_t copy_flags)
{
	assert(flags <= ledger->words.n && copy_flags <= ledger->words.n);
	queue(ledger, (struct op){ .kind = OP_SET_FLAGS, .folder = folder, .uid = uid, .a = flags,
				   .b = copy_flags });
}

void ledger_set_state(struct ledger *ledger, uint32_t folder, uint32_t uid, enum ledger_state state,
		      unsigned add_has)
{
	assert(state >= LEDGER_COPIED && state <= LEDGER_SENDING);
	/* these come with a digest */
	assert((add_has & ~(unsigned)(LEDGER_ADOPTED | LEDGER_MIRRORED | LEDGER_VERIFIED | LEDGER_AGAIN)) == 0);
	queue(ledger, (struct op){ .kind = OP_SET_STATE, .folder = folder, .uid = uid, .a = state,
				   .b = add_has });
}

void ledger_set_copy_uid(struct ledger *ledger, uint32_t folder, uint32_t uid, uint32_t copy_uid)
{
	queue(ledger, (struct op){ .kind = OP_SET_COPY_UID, .folder = folder, .uid = uid,
				   .a = copy_uid });
}

static void queue_digest(struct ledger *ledger, enum op_kind kind, uint32_t folder, uint32_t uid,
			 uint64_t size, const unsigned char digest[32])
{
	struct batch *batch = ledger_queue(ledger);

	if (!batch)
		return;
	ledger_queue_op(ledger, batch, (struct op){
		.kind = kind,
		.folder = folder,
		.uid = uid,
		.at = size > INT64_MAX ? INT64_MAX : (int64_t)size,
		.p = arena_copy(&batch->arena, (struct bytes){ (const char *)digest, 32 }).p,
	});
}

void ledger_set_digest(struct ledger *ledger, uint32_t folder, uint32_t uid, uint64_t size,
		       const unsigned char digest[32])
{
	queue_digest(ledger, OP_SET_DIGEST, folder, uid, size, digest);
}

void ledger_set_cause(struct ledger *ledger, uint32_t folder, uint32_t uid, uint8_t cause,
		      const char *detail, uint64_t copy_size, const unsigned char copy_digest[32])
{
	struct batch *batch = ledger_queue(ledger);

	assert(cause > 0 && cause < LEDGER_CAUSES);
	if (!batch)
		return;
	ledger_queue_op(ledger, batch,
			(struct op){ .kind = OP_SET_CAUSE,
				     .folder = folder,
				     .uid = uid,
				     .a = cause,
				     .p = keep(batch, detail, DETAIL_MAX) });
	if (copy_digest)
		queue_digest(ledger, OP_SET_COPY_DIGEST, folder, uid, copy_size, copy_digest);
}

void ledger_forget_message(struct ledger *ledger, uint32_t folder, uint32_t uid)
{
	queue(ledger, (struct op){ .kind = OP_FORGET_MESSAGE, .folder = folder, .uid = uid });
}

void ledger_move_message(struct ledger *ledger, uint32_t folder, uint32_t uid, uint32_t new_folder,
			 uint32_t new_uid, uint32_t new_copy_uid)
{
	assert(new_folder > 0 && new_uid > 0);
	queue(ledger, (struct op){ .kind = OP_MOVE_MESSAGE, .folder = folder, .uid = uid,
				   .a = new_folder, .b = new_uid, .c = new_copy_uid });
}

void ledger_forget_copy_uids(struct ledger *ledger, uint32_t folder)
{
	queue(ledger, (struct op){ .kind = OP_FORGET_COPY_UIDS, .folder = folder });
}
