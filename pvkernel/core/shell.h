/* SPDX-License-Identifier: MIT
 *
 * The shell: commands are rows of tables, core's own and the port's. A command gets its words as main does
 * and returns a status, 0 for success, which scripts use. A command that ends in & runs beside the shell
 * (jobs.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SHELL_WORDS 16

struct command {
    const char *name, *args, *help;
    int (*run)(int argc, char **argv);
    int least, most; /* arguments that it wants; the shell sees to that */
};

/* Each ended by a row without a name. */
extern const struct command core_commands[];
extern const struct command disk_commands[];
extern const struct command arch_commands[];

/* Reads and runs commands for ever, as a thread's main function. */
void shell_main(void *prompt);
/* Runs one line (commands separated by ';'). The status of the first command that failed, 127 for an unknown
 * command. */
int shell_run(const char *line);
/* Runs a line that comes from elsewhere: shows it as if typed at the prompt, and puts the prompt back
 * afterwards. */
int shell_run_shown(const char *prompt, const char *line);
/* Prints "COMMAND: WORD: WHY", with the command's usage, and returns 2. */
int shell_wrong(const char *command, const char *word, const char *why);
/* stress.c's. */
int cmd_stress(int argc, char **argv);
/* Shows the rows of all commands, or of the one with this name; false: there is none. */
bool shell_help(const char *name);
