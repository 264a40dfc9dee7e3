/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal. */
#ifndef OS_TERM_H
#define OS_TERM_H

#include <stdbool.h>

#include "base/fault.h"

bool os_is_terminal(int fd);

/* Its columns; 80 when they are not known. */
int os_terminal_width(int fd);
int os_terminal_height(int fd); /* its lines; 24 when they are not known */

/* Asks on the controlling terminal without echo. The caller frees the answer, and wipes it before. A signal that
 * comes meanwhile takes its usual effect with the terminal as it was before. Blocks, and relies on no
 * other thread taking the signal: for the time before run_main(). FAULT_USAGE when there is no terminal or
 * the answer is empty. */
int os_read_password(const char *prompt, char **ret, struct fault *fault);

#endif
