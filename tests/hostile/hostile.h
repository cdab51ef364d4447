/* SPDX-License-Identifier: MIT
 *
 * A guest that does domain 0 all the harm that it can, by what domain 0 serves: disk, console, xenstore. Only
 * with services of pvkernel, and started by its `xl create`; toolchain/runner/hostiletests.py has the rest of
 * the story.
 *
 * One word of the command line says whom it attacks: `disk` (the block backend and the console), `store`,
 * `deaf`. The first two go through their lists of attacks again and again. A command of domain 0's script
 * (control.c of pvkernel has the protocol) is answered when a round is over, with status 0 if each
 * attack was met as it should be.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOOK     1000000000ul /* ns that are waited for an event at a time */
#define PATIENCE 60           /* such waits in which nothing happens that are too many */

struct attack {
    const char *name;
    void (*run)(void);
};

/* Complains, and the status of commands is 1 from then on. */
#define expect(cond, ...) ((cond) ? (void)0 : hostile_complain(__VA_ARGS__))
void hostile_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A number that nobody foresees, the same in each run. */
uint32_t hostile_random(void);

/* How many requests and events a flood has: the word flood=N. */
extern unsigned long hostile_flood;

/* Ended by an entry without a name. */
extern const struct attack disk_attacks[], console_attacks[], store_attacks[];

/* The word deaf: takes no key, and says that its ring of keys is full. */
void console_deaf(void) __attribute__((noreturn));

/* Before the first round. */
void disk_begin(void);
void store_begin(void);

/* The script's command that waits, with its number; false: none. And the answer to it. */
bool disk_command(unsigned long *seq, char *text, size_t size);
bool store_command(unsigned long *seq, char *text, size_t size);
void disk_answer(unsigned long seq, int status);
void store_answer(unsigned long seq, int status);

/* Answers a command and breaks the connection to xenstore for good, by the word end=N; does not come back. */
void store_end(unsigned long kind, unsigned long seq) __attribute__((noreturn));
