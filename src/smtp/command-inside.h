/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read commands share; nobody else includes it. */
#ifndef SMTP_COMMAND_INSIDE_H
#define SMTP_COMMAND_INSIDE_H

#include "smtp/command.h"

extern const struct smtp_answer smtp_bad_syntax; /* 501 5.5.4 */

/* parameters.c: what stands behind the path, from its blank on. */
const struct smtp_answer *smtp_mail_parameters_parse(struct bytes rest, unsigned offered, struct arena *arena,
						     struct smtp_mail_parameters *ret);
const struct smtp_answer *smtp_rcpt_parameters_parse(struct bytes rest, unsigned offered, struct arena *arena,
						     struct smtp_rcpt_parameters *ret);

/* attributes.c */
const struct smtp_answer *smtp_attributes_parse(struct bytes rest, enum smtp_verb verb, struct arena *arena,
						struct smtp_attributes *ret);

#endif
