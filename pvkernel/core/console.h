/* SPDX-License-Identifier: MIT
 *
 * The console as core/ sees it: keys come in one by one, text goes out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void console_write(const char *text, size_t n);
/* A line of somebody who runs beside the shell: the prompt, if there is one, is shown again below it. */
void console_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Shows the prompt and what was typed behind it; the shell's, NULL while it waits for no key. */
extern void (*volatile console_prompt)(void);
/* Waits for a key: 0 to 255, or -KE_INTR when the program that waits was told to die. */
int console_getkey(void);
/* As above, at most `ns`; -1 when none came. */
int console_getkey_for(uint64_t ns);
/* Is this key among those that nobody has taken yet? */
bool console_key_waits(char key);
/* Was Ctrl-C typed, with no program to take it, since the last call? */
bool console_interrupted(void);
/* A line typed by the user, with its newline and plain editing (backspace, Ctrl-U): its length, at most n.
 * Ctrl-D on an empty line: 0. Or -KE_INTR. */
long console_read_line(char *line, size_t n);
