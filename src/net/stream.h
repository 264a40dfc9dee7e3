/* SPDX-License-Identifier: Apache-2.0 */
/* One interface over every way bytes travel: TCP, a program's pipe, TLS, DEFLATE, a transcript tap, and
 * pairs in memory for tests. Layers stand on a lower stream, which they own.
 *
 * Reading suspends; one fiber reads at a time. Writing has two halves, so that layers never suspend in
 * the middle of a record and two fibers (one reading, one writing) can share a stream:
 *	stream_enqueue()   takes the bytes now, without suspending (at most STREAM_PIECE at once);
 *	stream_wait_room() suspends while more than a high-water mark is queued.
 * stream_write() is both, for any length. What is queued goes out by itself before the loop next waits;
 * nothing has to be flushed. An error of the connection is reported by the next read, write or
 * wait_room, and stays. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/ip.h"
#include "run/run.h"

enum { STREAM_PIECE = 16384 };       /* the most bytes one stream_enqueue() takes */
enum { STREAM_HIGH_WATER = 262144 }; /* queued bytes above which wait_room waits */

struct stream;

/* In a layer, wait_room, drain, shutdown and is_taken may be NULL: then the lower stream's are called. free gives
 * back the layer's own things only; stream_free() goes on with the lower stream. */
struct stream_ops {
	const char *name; /* "tcp", "tls", "deflate", "tap", "pipe", "memory" */
	int (*read)(struct stream *s, void *p, size_t n, struct fault *fault);
	int (*enqueue)(struct stream *s, struct bytes bytes, struct fault *fault);
	int (*wait_room)(struct stream *s, struct fault *fault);
	int (*drain)(struct stream *s, struct fault *fault);
	void (*shutdown)(struct stream *s);
	bool (*is_taken)(struct stream *s);
	void (*free)(struct stream *s);
};

/* First member of every implementation. */
struct stream {
	const struct stream_ops *ops;
	struct stream *lower; /* owned; NULL at the bottom */
	const char *peer; /* who is at the other end, for faults: "imap.example.org:993" */
	uint64_t bytes_in, bytes_out; /* as seen by the user of this layer */
};

/* For implementations. A layer's peer is its lower stream's; at the bottom the caller sets it. */
void stream_init(struct stream *s, const struct stream_ops *ops, struct stream *lower);

/* Where a new layer (TLS, DEFLATE) goes on *stream: on top, but below a tap, which stays the topmost. */
struct stream **stream_slot(struct stream **stream);

/* 1..n bytes read: their number (at most INT_MAX are asked for at once). 0: the peer ended the stream
 * in order. Negative: fault (a TLS peer that closes without close_notify is such a fault: truncation). */
SUSPENDS int stream_read(struct stream *s, void *p, size_t n, struct fault *fault);

int stream_enqueue(struct stream *s, struct bytes bytes, struct fault *fault);
SUSPENDS int stream_wait_room(struct stream *s, struct fault *fault);
SUSPENDS int stream_write(struct stream *s, struct bytes bytes, struct fault *fault);

/* Waits until everything queued has been given to the kernel. */
SUSPENDS int stream_drain(struct stream *s, struct fault *fault);

/* Ends our direction in order (TLS close_notify, FIN) without waiting; reading stays possible. */
void stream_shutdown(struct stream *s);

/* Whether all that was enqueued is at the other end's machine, and the connection was not broken off since: if the
 * program there was killed before it read that, its machine says so. False where that cannot be known (pipes). */
bool stream_is_taken(struct stream *s);

/* Closes and frees this layer and those below; never suspends. Accepts NULL, returns NULL. */
struct stream *stream_free(struct stream *s);
DEFINE_FREEP(struct stream, stream_free);

/* The layer with that name at or below s, or NULL. */
struct stream *stream_find(struct stream *s, const char *name);

/* --- net/tcp.c ------------------------------------------------------------------------------- */

/* Connects to the first address that answers: tries them in turn, the next one as soon as the one before
 * has failed or has not answered for 250 ms, while that one goes on (RFC 8305). host and port are named
 * in faults. TCP_NODELAY and keepalive are on. */
SUSPENDS int tcp_connect(const char *host, uint16_t port, struct stream **ret, struct fault *fault);

/* A stream over a connected, non-blocking socket that it owns. */
struct stream *tcp_stream_new(int fd, const char *peer_name);

/* --- net/listener.c: for servers, and for the fake servers in tests --------------------------- */

struct listener;

/* Listens on an address literal; port 0 picks one (listener_port() tells). */
int listener_new(const char *address, uint16_t port, struct listener **ret, struct fault *fault);
uint16_t listener_port(const struct listener *listener);
SUSPENDS int listener_accept(struct listener *listener, struct stream **ret, struct fault *fault);

/* The same, with the address it comes from. Both, and local_listener_accept(): FAULT_LIMIT: it has to be tried again after a while, as
 * when there are no descriptors; FAULT_LOCAL: the listener is of no use any more. */
SUSPENDS int listener_accept_from(struct listener *listener, struct stream **ret, struct ip *ret_address,
				  uint16_t *ret_port, struct fault *fault);

/* For handing it on to another process of ours; and there, a listener over what was handed on, which it owns. */
int listener_fd(const struct listener *listener);
int listener_inherit(int fd, struct listener **ret, struct fault *fault);
const char *listener_name(const struct listener *listener); /* "192.0.2.1:25" */
bool listener_is_at(const struct listener *listener, const char *address, uint16_t port); /* however it is written */
struct listener *listener_free(struct listener *listener);
DEFINE_FREEP(struct listener, listener_free);

/* --- net/local.c: Unix sockets that have a name in the file system ---------------------------- */

struct local_listener;

/* In place of what is called so, which was left by a process that ended: the caller knows that. Mode 0600. */
int local_listener_new(const char *path, struct local_listener **ret, struct fault *fault);
SUSPENDS int local_listener_accept(struct local_listener *listener, struct stream **ret, unsigned *ret_uid,
				   struct fault *fault); /* uid: whose the process was that connected, as the kernel says */
struct local_listener *local_listener_free(struct local_listener *listener); /* removes the name */
DEFINE_FREEP(struct local_listener, local_listener_free);

/* Does not suspend. FAULT_TRANSPORT: nobody listens there. */
int local_connect(const char *path, struct stream **ret, struct fault *fault);

/* --- net/pipe.c ------------------------------------------------------------------------------ */

/* Starts `sh -c command` with a socket pair as its standard input and output (stderr is ours) and
 * returns a stream over it; freeing the stream closes the pair, ends the program if it does not end by
 * itself, and reaps it. */
int pipe_stream_new(const char *command, struct stream **ret, struct fault *fault);

/* --- net/memory.c ---------------------------------------------------------------------------- */

/* Two ends of a stream in memory, for tests: what one writes the other reads. max_read bounds what one
 * read returns (1 splits at every byte; 0: no bound). */
void memory_stream_pair(size_t max_read, struct stream **ret_a, struct stream **ret_b);

/* --- net/tls.c ------------------------------------------------------------------------------- */

struct tls_config {
	const char *ca_file;   /* trust this CA or certificate besides the system's; NULL: none */
	bool insecure;         /* accept any certificate: the user said so in words */
	const char *cert_file; /* client certificate chain (PEM) for SASL EXTERNAL, or NULL */
	const char *key_file;
};

struct tls_context; /* shared by all connections of one side */

/* Loads trust and keys (reads files: call before the loop or from the pool). FAULT_USAGE names a file that
 * cannot be used and why. */
int tls_context_new(const struct tls_config *config, struct tls_context **ret, struct fault *fault);
struct tls_context *tls_context_use(struct tls_context *context); /* another user of it, who frees it as well */
struct tls_context *tls_context_free(struct tls_context *context);
DEFINE_FREEP(struct tls_context, tls_context_free);

/* A use of `other` (which may be NULL) if it trusts what config says, and neither has a certificate of its own; else
 * NULL. Reading the system's certificates takes some 50 ms. */
struct tls_context *tls_context_share(struct tls_context *other, const struct tls_config *config);

/* Server side: certificate chain and key from PEM files. There are no tickets and no sessions to go on with: each handshake
 * is a whole one, and what one listener or process agreed on is worth nothing at another. */
int tls_server_context_new(const char *cert_file, const char *key_file, struct tls_context **ret,
			   struct fault *fault);

/* Handshakes over *stream as a client and replaces it by the TLS layer (on failure too: free it as usual).
 * The caller drops what it has read ahead: bytes that came before the handshake are not to be trusted.
 * TLS ≥ 1.2, SNI and the certificate's name against host (RFC 6125; address literals against IP SANs).
 * The fault says which of: name does not match (and what names the certificate has), expired or not yet
 * valid (and when), unknown issuer (and who), self-signed, no common version. */
SUSPENDS int tls_client_start(struct stream **stream, struct tls_context *context, const char *host,
			      struct fault *fault);
SUSPENDS int tls_server_start(struct stream **stream, struct tls_context *context,
			      struct fault *fault);

enum tls_binding { TLS_BINDING_EXPORTER, TLS_BINDING_SERVER_END_POINT };

/* Channel binding data of a TLS stream (at or below s): tls-exporter (RFC 9266; TLS 1.3, or 1.2 with
 * extended master secret) or tls-server-end-point (RFC 5929). -1 when not to be had. At most 64 bytes. */
int tls_channel_binding(struct stream *s, enum tls_binding kind, char to[64], size_t *ret_n);

/* SHA-256 of the peer's certificate (DER) and of its SubjectPublicKeyInfo, of a TLS stream at or below s: for
 * pins. -1: there is none. */
int tls_peer_digests(struct stream *s, unsigned char certificate[32], unsigned char key[32]);

/* "TLSv1.3, TLS_AES_256_GCM_SHA384" of a TLS stream, or NULL. */
const char *tls_describe(struct stream *s);

/* --- net/deflate.c --------------------------------------------------------------------------- */

/* Puts raw DEFLATE (RFC 4978) on *stream, both ways. What is enqueued in one turn of the loop ends in one
 * sync flush. Expansion is bounded only by the reader's own n. */
int deflate_start(struct stream **stream, struct fault *fault);

/* The same, for a reader that has read ahead: read_ahead (copied) came after the line that turned
 * compression on and is therefore compressed already. */
int deflate_start_with(struct stream **stream, struct bytes read_ahead, struct fault *fault);

/* --- net/tap.c ------------------------------------------------------------------------------- */

struct transcript; /* a file that taps write to; owned by who opened it */

int transcript_open(const char *path, struct transcript **ret, struct fault *fault);
struct transcript *transcript_close(struct transcript *t); /* accepts NULL, returns NULL */
DEFINE_FREEP(struct transcript, transcript_close);

/* Puts a tap on *stream: each line either way goes to the transcript as "time label > text" or
 * "time label < text"; message data is counted, not kept ("[literal, 10240 bytes]"): what follows an
 * announcement {n} at the end of a line, what is beyond 1,000 bytes in a line, and what passes between
 * tap_hide and tap_show. NULL transcript, or a stream that has a tap: does nothing. */
void tap_start(struct stream **stream, struct transcript *t, const char *label);

/* Between these calls nothing that passes is written, only that it did and `what` ("password",
 * "message") with the number of bytes. They act on the tap at or below s, or do nothing. Separate for
 * the two directions. */
void tap_hide_out(struct stream *s, const char *what);
void tap_show_out(struct stream *s);
void tap_hide_in(struct stream *s, const char *what);
void tap_show_in(struct stream *s);

/* Of each incoming line "+ challenge" only the length is written, until called with false. By line, as a
 * reader reads ahead: the answer behind the last challenge is shown. */
void tap_hide_challenges(struct stream *s, bool hidden);

#endif
