/* A tool as a process: what it is called and takes, how it starts, and how it ends. */
#ifndef CMD_FRONTEND_TOOL_H
#define CMD_FRONTEND_TOOL_H

#include <stdbool.h>

enum tool_exit {
	TOOL_DONE = 0,      /* also when the result is empty */
	TOOL_CONDITION = 1, /* the condition that was asked about holds */
	TOOL_FAILED = 2,
};

/* What --help says of an option where the table's words do not fit this tool. */
struct tool_words {
	int option;
	const char *argument, *help;
};

struct tool {
	const char *name;
	const char *operands;        /* "[N] [FILE]" */
	const char *purpose;         /* one or two lines */
	const int *options;          /* of enum option_id, ended by 0; the common ones go without saying */
	const char *const *examples; /* command lines, ended by NULL */
	const struct tool_words *words; /* ended by option 0; NULL = those of the table fit */
	bool runs_command; /* the first operand ends the options: what follows is the command's */
};

/* Call first. Makes SIGPIPE deadly again where the parent ignored it, and keeps files that are opened
 * later out of the places of closed standard streams. */
void tool_start(const struct tool *tool);

/* The operands behind the options, or "-" where there are none. Ends with a short usage on stderr when
 * there is none and standard input is a terminal. */
char **tool_operands(const struct tool *tool, int argc, char **argv, int *count);

/* Call last, with the exit status so far: closes standard output and turns a failure of any write to it
 * into TOOL_FAILED. */
int tool_finish(enum tool_exit status);
/* The same where standard output is something else by now: its name for the message. */
int tool_finish_into(enum tool_exit status, const char *name);

#endif
