/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of the command line, one file each: cmd-VERB.c. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

enum {
	EXIT_DONE = 0,       /* all done, the books close */
	EXIT_EXCEPTIONS = 1, /* done, with exceptions that are listed */
	EXIT_USAGE = 2,      /* wrong usage or configuration */
	EXIT_STOPPED = 3,    /* stopped early */
	EXIT_GATE = 4,       /* a gate refused */
};

/* argv[0] is the verb. Returns the exit status. */
int cmd_copy(int argc, char **argv);
int cmd_copy_many(int argc, char **argv); /* when it names neither --from nor --to */
void copy_many_help(void);
int cmd_gateway(int argc, char **argv);
int cmd_queue(int argc, char **argv);
int cmd_route(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_audit(int argc, char **argv);

#endif
