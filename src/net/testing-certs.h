/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates for tests, made in a folder of their own and gone with it. */
#ifndef NET_TESTING_CERTS_H
#define NET_TESTING_CERTS_H

#include "lib/check.h"

/* The path of one of them: "ca.pem" (a CA's certificate), "good" … with ".pem" (certificate) and ".key". */
struct certs {
	char folder[32];
	char path[2][64];
	int turn;
};

/* ca: signs all but the others. good: for good.example, *.wild.example and 127.0.0.1. expired, future:
 * for good.example, at another time. plain: without alternative names, CN=good.example. self: self-signed,
 * for good.example. client: for a person. */
void certs_make(struct check *check, struct certs *certs);
void certs_done(struct certs *certs);

/* The path of a file in the folder; two can be in use at once. */
const char *certs_path(struct certs *certs, const char *name);

#endif
