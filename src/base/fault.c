/* SPDX-License-Identifier: Apache-2.0 */
/* Faults, see fault.h. */
#include "base/fault.h"

#include <stdio.h>
#include <string.h>

static int PRINTF_LIKE(5, 0) fault_vset(struct fault *fault, enum fault_kind kind, enum fault_reach reach,
		      enum fault_again again, const char *format, va_list args)
{
	*fault = (struct fault){ .kind = kind, .reach = reach, .again = again };
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	return -1;
}

#define FAULT_VARIADIC(kind, reach, again)                                                         \
	do {                                                                                       \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		fault_vset(fault, kind, reach, again, format, args);                               \
		va_end(args);                                                                      \
		return -1;                                                                         \
	} while (0)

int fault_set(struct fault *fault, enum fault_kind kind, enum fault_reach reach,
	      enum fault_again again, const char *format, ...)
{
	FAULT_VARIADIC(kind, reach, again);
}

int fault_transport(struct fault *fault, const char *format, ...)
{
	FAULT_VARIADIC(FAULT_TRANSPORT, REACH_SESSION, AGAIN_NOW);
}

int fault_protocol(struct fault *fault, const char *format, ...)
{
	FAULT_VARIADIC(FAULT_PROTOCOL, REACH_SESSION, AGAIN_NOW);
}

int fault_local(struct fault *fault, const char *format, ...)
{
	FAULT_VARIADIC(FAULT_LOCAL, REACH_PROCESS, AGAIN_NEVER);
}

int fault_usage(struct fault *fault, const char *format, ...)
{
	FAULT_VARIADIC(FAULT_USAGE, REACH_PROCESS, AGAIN_NEVER);
}

int fault_cancelled(struct fault *fault)
{
	return fault_set(fault, FAULT_CANCELLED, REACH_PROCESS, AGAIN_LATER, "stopped on request");
}

int fault_server(struct fault *fault, struct bytes words)
{
	size_t n = words.n < sizeof(fault->server) - 1 ? words.n : sizeof(fault->server) - 1;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)words.p[i];

		fault->server[i] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
	}
	fault->server[n] = '\0';
	return -1;
}

int fault_prefix(struct fault *fault, const char *format, ...)
{
	char text[sizeof(fault->text)];
	va_list args;
	size_t n;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);

	n = strlen(text);
	snprintf(text + n, sizeof(text) - n, ": %s", fault->text);
	memcpy(fault->text, text, sizeof(text));
	return -1;
}

const char *fault_kind_name(enum fault_kind kind)
{
	static const char *const names[] = {
		[FAULT_NONE] = "none",         [FAULT_TRANSPORT] = "transport",
		[FAULT_TIMEOUT] = "timeout",   [FAULT_TLS] = "tls",
		[FAULT_AUTH] = "auth",         [FAULT_PROTOCOL] = "protocol",
		[FAULT_REFUSED] = "refused",   [FAULT_LIMIT] = "limit",
		[FAULT_DATA] = "data",         [FAULT_LOCAL] = "local",
		[FAULT_USAGE] = "usage",       [FAULT_CANCELLED] = "cancelled",
	};

	return names[kind];
}

const char *fault_reach_name(enum fault_reach reach)
{
	static const char *const names[] = {
		[REACH_MESSAGE] = "message", [REACH_FOLDER] = "folder", [REACH_SESSION] = "session",
		[REACH_MAILBOX] = "mailbox", [REACH_SERVER] = "server", [REACH_PROCESS] = "process",
	};

	return names[reach];
}

void fault_format(const struct fault *fault, char *to, size_t size)
{
	if (fault->server[0])
		snprintf(to, size, "%s; the server said: %s", fault->text, fault->server);
	else
		snprintf(to, size, "%s", fault->text);
}
