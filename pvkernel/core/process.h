/* SPDX-License-Identifier: MIT
 *
 * A process: a program's address space, one thread that runs it in user mode, and an end that somebody may
 * wait for.
 *
 * Life: running, then exited (address space freed, thread gone), then freed by process_wait, or at once if it
 * was detached. Fields that others than its thread look at change under the lock of process.c.
 */
#pragma once

#include "pvkernel/core/thread.h"
#include "pvkernel/core/vm.h"

#define PROCESS_ARGS     16
#define STATUS_KILLED    128 /* + a number: ended by the kernel */
#define STATUS_FAULT     139
#define STATUS_INTERRUPT 130
#define USER_STACK_PAGES 256

struct process {
    int pid;
    char name[24];
    struct vm vm;
    uintptr_t entry, stack;
    struct thread *thread; /* NULL: it has exited */
    bool detached;
    bool quiet;           /* its death is nobody's news */
    volatile bool killed; /* its thread looks at it whenever it likes */
    int status;
    uint64_t syscalls;
    struct waitq ended;
    struct list all_link;
};

/* Starts a program. Its pid, or a negative error. `why` gets a few words when the file is no program. */
int process_start(const char *name, const void *file, size_t size, int argc, char *const argv[],
                  const char **why);
/* Waits for the end of a process and frees it: its exit status, or -KE_SRCH. */
int process_wait(int pid);
/* Nobody will wait for it. */
void process_detach(int pid);
/* Nothing is printed when it is killed. */
void process_hush(int pid);
/* Tells a process to die; it does when it next leaves the kernel. -KE_SRCH. */
int process_kill(int pid);
/* The process that keyboard interrupts (Ctrl-C) go to; 0: none. */
void process_set_foreground(int pid);
/* Ctrl-C was typed. False: no process to interrupt. */
bool process_interrupt(void);

struct process *process_current(void);
/* Ends the current process. */
void process_exit(int status) __attribute__((noreturn));
/* Makes its address space the current one; called by the scheduler with interrupts off. */
void process_activate(struct process *p);
void process_for_each(void (*f)(struct process *p, void *arg), void *arg);
