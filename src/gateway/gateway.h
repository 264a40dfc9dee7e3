/* SPDX-License-Identifier: Apache-2.0 */
/* `mailferry gateway`: the keeper's life. Listens, gives up root's rights, opens the queue, starts everything that keeper.h
 * names, tells the service manager, and ends in order.
 *
 *	SIGTERM, SIGINT   no more connections; what is under way has [gateway] drain to end. Again: at once
 *	SIGHUP            reads the configuration anew; new edges take over, the old ones serve their sessions to their end */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "config/config.h"

struct gateway_options {
	const char *config;   /* path, for SIGHUP */
	const char *state;    /* the folder that journal/ and gateway/ are in; made if need be */
	bool (*show)(bool is_alarm, const char *kind, const char *text); /* struct keeper */
};

/* Runs until it is told to stop. Takes what is in *config, which is empty afterwards. -1: what made it end; the journal has
 * what was accepted. */
int gateway_run(const struct gateway_options *options, struct config *config, struct fault *fault);

#endif
