/* SPDX-License-Identifier: MIT
 *
 * Kernel threads, scheduled round robin and pre-empted when their slice of 10 ms is over, and the ways to
 * wait: wait queues, mutexes, condition variables. A process (process.h) is a thread that also has an address
 * space.
 *
 * One CPU: turning interrupts off excludes everybody else. State changes of threads, run queue and wait
 * queues happen with interrupts off. A thread is in exactly one place: running, in the run queue, in a wait
 * queue (and perhaps in the list of sleepers too), or dead and waiting to be reaped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "pvkernel/core/arch.h"
#include "pvkernel/core/list.h"

#define SLICE_NS    10000000ull
#define STACK_ORDER 2 /* 16 KiB, of which the lowest page is a guard */
#define NEVER       UINT64_MAX

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_WAITING, THREAD_DEAD };

struct waitq {
    struct list waiters;
};

struct process;

struct thread {
    int id;
    char name[24];
    enum thread_state state;
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
struct thread *thread_current(void);
/* Lets the others run first. */
void thread_yield(void);
void thread_sleep_ns(uint64_t ns);
/* The idle loop; the first thread calls it when all is started. */
void thread_idle(void) __attribute__((noreturn));
/* Calls f for each thread, interrupts off. */
void thread_for_each(void (*f)(struct thread *t, void *arg), void *arg);
uint64_t thread_cpu_ns(const struct thread *t);

void waitq_init(struct waitq *q);
/* Interrupts must be off: the condition was checked under the same "off". Returns with them off; check it
 * again. */
void wait_on(struct waitq *q, const char *why);
/* As wait_on, at most until `until` (ns since boot). False: the time came. */
bool wait_until(struct waitq *q, const char *why, uint64_t until);
void wake_one(struct waitq *q);
void wake_all(struct waitq *q);
/* Wakes one certain thread out of whatever it waits for. */
void thread_wake(struct thread *t);

struct mutex {
    struct thread *owner;
    struct waitq waiters;
};

struct condvar {
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
