/* SPDX-License-Identifier: Apache-2.0 */
/* What every response tells a session, whoever reads it: answers to commands, the state of the selected folder,
 * capabilities, BYE. */
#include "imap/note.h"

#include <string.h>

static void copy_text(char *to, size_t size, struct bytes text)
{
	size_t n = text.n < size - 1 ? text.n : size - 1;

	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f ? ' ' : text.p[i];
	to[n] = '\0';
}

static void note_permanent(struct imap_selected *selected, struct imap_atoms flags)
{
	buf_reset(&selected->permanent);
	selected->permanent_told = true;
	selected->permanent_star = imap_atoms_has(flags, "\\*");
	for (size_t i = 0; i < flags.n; i++) {
		for (size_t k = 0; k < flags.p[i].n; k++)
			buf_append_char(&selected->permanent, ascii_lower(flags.p[i].p[k]));
		buf_append_char(&selected->permanent, ' ');
	}
}

static bool is_object_char(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_' || c == '-';
}

void imap_note_object(char to[256], struct bytes id)
{
	to[0] = '\0';
	if (id.n > 255)
		return;

	for (size_t i = 0; i < id.n; i++)
		if (!is_object_char(id.p[i]))
			return;

	copy_text(to, 256, id);
}

static void note_code(struct imap_session *s, const struct imap_code *code)
{
	if (bytes_equal(code->name, BYTES("CAPABILITY"))) {
		imap_capabilities_read(&s->capabilities, code->atoms);
		s->capabilities_known = true;
	} else if (bytes_equal(code->name, BYTES("PERMANENTFLAGS"))) {
		note_permanent(&s->selected, code->atoms);
	} else if (bytes_equal(code->name, BYTES("UIDVALIDITY"))) {
		s->selected.uidvalidity = (uint32_t)code->number;
	} else if (bytes_equal(code->name, BYTES("UIDNEXT"))) {
		s->selected.uidnext = (uint32_t)code->number;
	} else if (bytes_equal(code->name, BYTES("HIGHESTMODSEQ"))) {
		s->selected.highestmodseq = code->number;
	} else if (bytes_equal(code->name, BYTES("MAILBOXID")) && code->atoms.n) {
		imap_note_object(s->selected.object, code->atoms.p[0]);
	} else if (bytes_equal(code->name, BYTES("READ-ONLY"))) {
		s->selected.read_only = true;
	} else if (bytes_equal(code->name, BYTES("READ-WRITE"))) {
		s->selected.read_only = false;
	}
}

static void note_answer(struct imap_session *s, const struct imap_response *r)
{
	list_for_each(link, &s->pending) {
		struct imap_command *c = list_entry(link, struct imap_command, link);

		if (!bytes_equal(bytes_of(c->tag), r->tag))
			continue;

		c->done = true;
		c->condition = r->condition;
		copy_text(c->code, sizeof(c->code), r->code.name);
		copy_text(c->text, sizeof(c->text), r->text);
		c->code_number = r->code.number;
		if (bytes_equal(r->code.name, BYTES("APPENDUID")) && r->code.uids.n) {
			c->first_uid = r->code.uids.p[0].low;
			c->last_uid = r->code.uids.p[r->code.uids.n - 1].high;
		}
		list_remove(&c->link);
		return;
	}
}

/* With QRESYNC in place of EXPUNGE. EARLIER tells of messages that EXISTS does not count (RFC 7162 section 3.2.10). */
static void note_vanished(struct imap_session *s, const struct imap_response *r)
{
	uint64_t n = 0;

	if (r->vanished.earlier)
		return;

	for (size_t i = 0; i < r->vanished.uids.n; i++)
		n += (uint64_t)r->vanished.uids.p[i].high - r->vanished.uids.p[i].low + 1;
	s->selected.exists -= n < s->selected.exists ? (uint32_t)n : s->selected.exists;
}

void imap_note(struct imap_session *s, const struct imap_response *r)
{
	switch (r->kind) {
	case IMAP_TAGGED:
		note_code(s, &r->code);
		note_answer(s, r);
		break;
	case IMAP_CONTINUATION:
		s->continuations++;
		copy_text(s->continuation, sizeof(s->continuation), r->text);
		break;
	case IMAP_CONDITION:
		note_code(s, &r->code);
		if (r->condition == IMAP_BYE) {
			copy_text(s->bye, sizeof(s->bye), r->text.n ? r->text : BYTES("BYE"));
			copy_text(s->bye_code, sizeof(s->bye_code), r->code.name);
		}
		break;
	case IMAP_CAPABILITY:
		imap_capabilities_read(&s->capabilities, r->atoms);
		s->capabilities_known = true;
		break;
	case IMAP_EXISTS:
		s->selected.exists = r->number;
		break;
	case IMAP_EXPUNGE:
		if (s->selected.exists)
			s->selected.exists--;
		break;
	case IMAP_VANISHED:
		note_vanished(s, r);
		break;
	default:
		break;
	}
}
