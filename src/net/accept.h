/* SPDX-License-Identifier: Apache-2.0 */
/* What the listeners of net/ share. */
#ifndef NET_ACCEPT_H
#define NET_ACCEPT_H

#include "run/run.h"

struct sockaddr;

/* Waits for a connection on fd, which `watch` watches. address (its room in *n, of a socklen_t) may be NULL. FAULT_LIMIT, AGAIN_LATER:
 * descriptors or memory are short, or a rule forbids it; that passes. FAULT_LOCAL: fd is of no use any more. */
SUSPENDS int net_accept(int fd, struct watch *watch, const char *name, struct sockaddr *address, unsigned *n, int *ret_fd,
			struct fault *fault);

#endif
