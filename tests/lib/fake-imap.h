/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted IMAP server for tests: a small, correct server whose mailbox, capabilities and
 * misdeeds a dialogue file describes (tests/dialogue/README.md). It judges its client: what
 * no server would understand, what was not advertised, what a script did not expect and what
 * the file says about the end becomes a complaint. */
#ifndef TESTS_LIB_FAKE_IMAP_H
#define TESTS_LIB_FAKE_IMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/dialogue.h"
#include "net/stream.h"

struct fake_imap;

/* The server `name` of a dialogue, which must outlive it. A name the file does not mention
 * gives a server with an empty INBOX. */
struct fake_imap *fake_imap_new(const struct dialogue *dialogue, const char *name);
struct fake_imap *fake_imap_free(struct fake_imap *fake); /* accepts NULL, returns NULL */
DEFINE_FREEP(struct fake_imap, fake_imap_free);

/* For the steps tls and starttls and the setting "tls: yes". Not owned. */
void fake_imap_tls(struct fake_imap *fake, struct tls_context *context);

/* Plays one connection to its end, and owns the stream. fd is its socket, for "reset", or -1.
 * Several may be under way at a time. */
SUSPENDS void fake_imap_serve(struct fake_imap *fake, struct stream *stream, int fd);

/* The client's run N begins: what the file says happens to the mailbox before it happens now
 * (once), and rules for that run count. Without it all is run 1. */
void fake_imap_run(struct fake_imap *fake, unsigned number);

/* Whom the step "kill" kills. */
void fake_imap_client(struct fake_imap *fake, int pid);

/* The client's run N has ended: the expectations for it are held against the mailbox. */
void fake_imap_ended(struct fake_imap *fake, unsigned number);

/* This run of the client must not have changed anything. */
void fake_imap_quiet(struct fake_imap *fake);

/* From now on no number of commands or connections is held against the file: the client's runs
 * are not those the file tells of. */
void fake_imap_lenient(struct fake_imap *fake);

/* Holds the state of the mailbox against what the file expects. Returns the complaints of the
 * whole run, a line each; "" when all was as expected. */
const char *fake_imap_verdict(struct fake_imap *fake);

/* Bytes of the message with that UID as the description gives them, at `offset`; how many (0:
 * the end). For tests that compare what they fetched. */
size_t fake_imap_body(struct fake_imap *fake, const char *folder, uint32_t uid, uint64_t offset,
		      char *to, size_t n);

#endif
