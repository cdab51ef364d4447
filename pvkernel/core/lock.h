/* SPDX-License-Identifier: MIT
 *
 * Spin locks between CPUs, and the one place that says in which order they are taken.
 *
 * Who holds a lock has interrupts off, so an interrupt handler may take the same one; a thread never sleeps
 * with a lock held (wait_until gives it up first). While one CPU runs, "interrupts off" is the lock, and no
 * locked instruction is executed.
 *
 * A CPU that holds a lock takes only locks of a higher rank, never a second one of the same; lock() asserts
 * it.
 *
 *     rank           lock                 guards
 *     LOCK_PROCESS   process.c: procs     the processes, their ends, which one is in the foreground
 *     LOCK_CONDVAR   struct condvar       who waits; held while cond_wait gives the mutex up
 *     LOCK_WAIT      struct mutex         its owner
 *                    console.c: input     keys
 *                    jobs.c: jobs         the count of jobs
 *                    block.c: devices     the list of devices
 *                    (a port's)           what its drivers' threads wait for
 *     LOCK_SCHED     thread.c: sched      threads' states, run queue, wait queues, sleepers
 *     LOCK_HEAP      kalloc.c: heap       small objects
 *     LOCK_PAGES     page.c: mem          free pages, counts of users
 *
 * What needs none: a struct vm is its one thread's, a struct cpu its CPU's (with interrupts off) but for what
 * LOCK_SCHED guards, console output the port's. A mutex (thread.h) is no spin lock: its holder may sleep, and
 * takes any of these.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum lock_rank {
    LOCK_PROCESS,
    LOCK_CONDVAR,
    LOCK_WAIT,
    LOCK_SCHED,
    LOCK_HEAP,
    LOCK_PAGES,
};

struct lock {
    uint32_t held;
    enum lock_rank rank;
};

/* CPUs that run. Changes while the first one starts the others. */
extern volatile unsigned cpus_online;

/* Interrupts off, and nobody else in. Returns what unlock wants back: whether they were on. */
bool lock(struct lock *l);
void unlock(struct lock *l, bool irq_on);
