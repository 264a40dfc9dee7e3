/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that do little: RSET NOOP VRFY HELP QUIT. */
#include "smtp/session.h"

int smtp_serve_rset(struct smtp_session *s, const struct smtp_command *c, struct fault *fault)
{
	static const struct smtp_answer ok = { 250, "2.0.0", "Ok" };

	smtp_session_reset(s);
	return smtp_session_answer(s, &ok, fault);
}

int smtp_serve_noop(struct smtp_session *s, const struct smtp_command *c, struct fault *fault)
{
	static const struct smtp_answer ok = { 250, "2.0.0", "Ok" };

	return smtp_session_answer(s, &ok, fault);
}

/* RFC 5321 section 3.5.3: who does not say whether a mailbox exists says so. */
int smtp_serve_vrfy(struct smtp_session *s, const struct smtp_command *c, struct fault *fault)
{
	static const struct smtp_answer maybe = { 252, "2.1.5", "Cannot verify; send mail and see" };

	return smtp_session_answer(s, &maybe, fault);
}

int smtp_serve_help(struct smtp_session *s, const struct smtp_command *c, struct fault *fault)
{
	static const struct smtp_answer help = { 214, "2.0.0", "See RFC 5321" };

	return smtp_session_answer(s, &help, fault);
}

int smtp_serve_quit(struct smtp_session *s, const struct smtp_command *c, struct fault *fault)
{
	static const struct smtp_answer bye = { 221, "2.0.0", "Bye" };

	smtp_session_reset(s);
	return smtp_session_answer_last(s, &bye, fault);
}
