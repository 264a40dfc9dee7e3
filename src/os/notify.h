/* SPDX-License-Identifier: Apache-2.0 */
/* What a service manager is told about us (systemd's sd_notify protocol): a datagram to the socket that
 * $NOTIFY_SOCKET names. Without one nothing is sent. */
#ifndef OS_NOTIFY_H
#define OS_NOTIFY_H

#include <stdbool.h>

/* "READY=1", "STOPPING=1" …, lines of NAME=VALUE. Never blocks; whether it was taken does not matter to us. */
void os_notify(const char *state);

/* "RELOADING=1" with the moment the protocol asks for; ends with "READY=1". */
void os_notify_reloading(void);

/* Whether a service manager reads our standard error ($JOURNAL_STREAM or $NOTIFY_SOCKET is set). */
bool os_is_service(void);

#endif
