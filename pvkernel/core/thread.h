/* SPDX-License-Identifier: MIT
 *
 * Kernel threads, scheduled round robin and pre-empted when their slice of 10 ms is over, and the ways to
 * wait: wait queues, mutexes, condition variables. A process (process.h) is a thread that also has an address
 * space.
 *
 * State changes of threads, run queue and wait queues happen under the scheduler's lock (lock.h has the order
 * of all locks). A thread is in exactly one place: running on a CPU, in the run queue, in a wait queue (and
 * perhaps in a list of sleepers too), or dead and waiting to be reaped. It runs on any CPU, and changes over
 * whenever it gives its CPU up, so what it read of a struct cpu is good while interrupts are off.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "pvkernel/core/arch.h"
#include "pvkernel/core/list.h"
#include "pvkernel/core/lock.h"

#define SLICE_NS    10000000ull
#define STACK_ORDER 2 /* 16 KiB, of which the lowest page is a guard */
#define NEVER       UINT64_MAX

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_WAITING, THREAD_DEAD };

struct waitq {
    struct list waiters;
};

struct process;
struct thread;

/* One for each CPU that runs. */
struct cpu {
    unsigned id;
    unsigned ranks;             /* of the locks that it holds, a bit each (lock.c) */
    struct thread *current;     /* what runs here */
    struct thread *idle, *dead; /* what runs when nothing can; what ended last, until it is reaped */
    struct list sleepers;       /* threads that went to sleep here, by time */
    bool resched;               /* the slice is over */
    bool kicked;                /* idle, and about to look at the run queue */
    uint64_t kicks;             /* by other CPUs */
    uint64_t switches, since;   /* how often threads changed here; when it started */
};

struct thread {
    int id;
    char name[24];
    enum thread_state state;
    struct cpu *cpu;        /* where it runs, or ran last */
    bool woken;             /* by thread_wake while it did not wait: its next wait ends at once */
    bool timed_out;         /* the last timed wait ended by its time */
    struct list link;       /* run queue or wait queue */
    struct list sleep_link; /* sleepers */
    struct list all_link;   /* all threads */
    uint64_t wake_at;       /* while in sleepers */
    uint64_t slice_end;
    uint64_t cpu_ns, started; /* time used before; time of the last switch to it */
    uint64_t switches;
    void *stack; /* lowest address; NULL: the boot thread's */
    struct arch_thread *arch;
    struct process *process; /* NULL: a kernel thread */
    const char *waits_for;   /* for ps */
    uint64_t port_word;      /* for the port's drivers; starts as 0 */
    void (*entry)(void *);
    void *arg;
};

/* The caller becomes the first thread (the idle one, which runs when no other can). Interrupts are off. */
void thread_init(void);
/* A new thread; it may run at once. NULL: no memory. The struct is freed when the thread has ended. */
struct thread *thread_start(const char *name, void (*entry)(void *), void *arg);
/* As thread_start, with a process to belong to. */
struct thread *thread_start_in(struct process *p, const char *name, void (*entry)(void *), void *arg);
void thread_exit(void) __attribute__((noreturn));
/* The caller becomes a kernel thread. */
void thread_leave_process(void);
struct thread *thread_current(void);
/* Lets the others run first. */
void thread_yield(void);
void thread_sleep_ns(uint64_t ns);
/* Starts the CPUs that there are beside the first, on which it is called, with no lock held. */
void cpus_start(void);
/* Calls f for each CPU, under the scheduler's lock. */
void cpu_for_each(void (*f)(const struct cpu *c, void *arg), void *arg);
/* The idle loop; the first thread calls it when all is started. */
void thread_idle(void) __attribute__((noreturn));
/* Calls f for each thread, under the scheduler's lock. */
void thread_for_each(void (*f)(struct thread *t, void *arg), void *arg);
uint64_t thread_cpu_ns(const struct thread *t);

void waitq_init(struct waitq *q);
/* `held` is the lock under which the condition was checked, and under which others change it: given up while
 * the thread waits, held again on return; check the condition again. NULL: no lock, interrupts are off. */
void wait_on(struct waitq *q, struct lock *held, const char *why);
/* As wait_on, at most until `until` (ns since boot). False: the time came. */
bool wait_until(struct waitq *q, struct lock *held, const char *why, uint64_t until);
/* The condition has changed: under its lock, or after that was given up. */
void wake_one(struct waitq *q);
void wake_all(struct waitq *q);
/* Wakes one certain thread out of whatever it waits for, or will wait for next. The caller knows that it
 * lives. */
void thread_wake(struct thread *t);

struct mutex {
    struct lock lock;
    struct thread *owner;
    struct waitq waiters;
};

struct condvar {
    struct lock lock;
    struct waitq waiters;
};

void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);

void cond_init(struct condvar *c);
/* Gives up the mutex, waits, takes it again. */
void cond_wait(struct condvar *c, struct mutex *m);
/* As cond_wait; false: `until` (ns since boot) came first. */
bool cond_wait_until(struct condvar *c, struct mutex *m, uint64_t until);
void cond_signal(struct condvar *c);
void cond_broadcast(struct condvar *c);
