/* SPDX-License-Identifier: MIT
 *
 * A machine for pvkernel's core to run on inside a host test: memory from malloc, a clock that the test
 * moves, threads that are the host's, address spaces that are lists of pages. See pvkernel/core/arch.h for
 * the contract.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Gives core's page allocator n pages. */
void fake_memory(size_t n);

/* The clock, and what arch_timer_set asked for (0: nothing). */
extern uint64_t fake_now, fake_timer;
/* Moves the clock to `to`, with the timer's interrupt if its time comes: as an interrupt does to the running
 * thread. */
void fake_advance(uint64_t to);

/* How many CPUs there are: 1, or more before thread_init. Several are as many host threads at the same time,
 * the clock goes by itself, and an interrupt is what the running thread makes of fake_tick: that of its CPU's
 * timer, if it is due, and what an interrupt's end may bring. */
extern unsigned fake_cpus;
#define FAKE_SPEED 20 /* nanoseconds there, for one of ours */
void fake_tick(void);

/* Runs idle(NULL), and with it all threads, until one of them calls fake_over, which doesn't return. */
void fake_run(void (*idle)(void *unused));
void fake_over(void) __attribute__((noreturn));

/* What "user mode" does: a function of the test, which makes system calls by core_syscall and never returns.
 */
extern void (*fake_user)(uintptr_t ip, uintptr_t sp);

/* A program file of one page for it, at 0x400000: the ELF header itself is its "code". */
void fake_program(unsigned char file[4096]);

/* What the console printed, the last 4000 characters. */
extern char fake_console[4096];

/* Mappings made and not yet ended in all address spaces; arch_aspace_map fails when the budget is 0 (-1: no
 * limit). */
extern long fake_mappings, fake_map_budget;
/* Address spaces alive. */
extern long fake_aspaces;
