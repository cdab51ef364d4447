/* SPDX-License-Identifier: MIT
 *
 * Jobs: commands and programs that the shell started with '&'. Each has a thread; `wait` waits for all of
 * them.
 */
#pragma once

/* Runs run(arg) in a thread of its own; what it returns is its status. 0, or -KE_NOMEM. */
int job_start(const char *name, int (*run)(void *arg), void *arg);
/* Waits until no job runs. The first status other than 0 of those that ended since the last call;
 * STATUS_INTERRUPT (process.h) when Ctrl-C was typed before. */
int jobs_wait(void);
