/* SPDX-License-Identifier: MIT
 *
 * Timers: a list a CPU in order of deadline, and the local APIC set for the first.
 *
 * The hardware is programmed only when a deadline comes before what it has: a timer that moves later or stops
 * costs one interrupt too early instead, which finds nothing due and programs the next. So a guest that
 * pushes its deadline ahead, the usual case, touches only the list.
 *
 * A timer that is set again moves to the list of the CPU that sets it. Several CPUs may set and stop one
 * timer at the same time: t->cpu names the list whose lock guards it, and changes only under that lock.
 *
 * Knows no `current`; the host tests drive it with a clock of their own.
 */
#include "domain/time.h"
#include "lib/lock.h"
#include "x86/cpu.h"

#define NEVER (~0ULL)

static struct timers {
    struct lock lock;    /* LOCK_TIMER: the list and its timers */
    struct list list;    /* earliest deadline first */
    uint64_t programmed; /* what the local APIC waits for; NEVER: nothing */
} timers[MAX_CPUS];

static struct timer *running[MAX_CPUS]; /* whose function runs there; NULL: none; written by that CPU */

void timer_init_cpu(unsigned int cpu)
{
    lock_init(&timers[cpu].lock, LOCK_TIMER);
    list_init(&timers[cpu].list);
    timers[cpu].programmed = NEVER;
}

void timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
    *t = (struct timer){ .fn = fn, .arg = arg };
}

static void timer_insert(struct timers *on, struct timer *t)
{
    struct list *pos = on->list.next;

    while (pos != &on->list && list_entry(pos, struct timer, node)->deadline <= t->deadline)
        pos = pos->next;
    list_add_before(pos, &t->node);
}

/* The list that t belongs to, locked. */
static inline struct timers *lock_list(const struct timer *t)
{
    struct timers *on = &timers[READ_ONCE(t->cpu)];

    lock_take(&on->lock);
    while (unlikely(on != &timers[t->cpu])) {
        lock_drop(&on->lock);
        on = &timers[READ_ONCE(t->cpu)];
        lock_take(&on->lock);
    }
    return on;
}

static inline void disarm(struct timer *t)
{
    if (t->armed)
        list_del(&t->node);
    t->armed = false;
}

/* Whoever had it set, it belongs to that CPU now; somebody may take it away again at once. */
static __attribute__((noinline)) void take_over(struct timer *t, uint32_t cpu)
{
    struct timers *on = lock_list(t);

    disarm(t);
    WRITE_ONCE(t->cpu, cpu);
    lock_drop(&on->lock);
}

void timer_set(struct timer *t, uint64_t deadline)
{
    uint32_t cpu = this_cpu()->id;
    struct timers *on = &timers[cpu];

    lock_take(&on->lock);
    while (unlikely(t->cpu != cpu)) {
        lock_drop(&on->lock);
        take_over(t, cpu);
        lock_take(&on->lock);
    }
    disarm(t);
    t->deadline = deadline;
    t->armed = true;
    timer_insert(on, t);
    if (deadline < on->programmed) {
        on->programmed = deadline;
        apic_timer_set(deadline);
    }
    lock_drop(&on->lock);
}

void timer_stop(struct timer *t)
{
    struct timers *on = lock_list(t);

    disarm(t);
    lock_drop(&on->lock);
}

void timer_finish(struct timer *t)
{
    for (bool ran = true; ran;) { /* its function may have set it again */
        ran = false;
        timer_stop(t);
        for (uint32_t cpu = 0; cpu < nr_cpus; cpu++)
            for (; cpu != this_cpu()->id && __atomic_load_n(&running[cpu], __ATOMIC_ACQUIRE) == t; ran = true)
                cpu_relax();
    }
}

/* The first timer that is due at now, taken off the list; NULL: none, and the hardware is set for the next.
 */
static struct timer *timer_next(struct timers *on, uint64_t now)
{
    struct timer *t = NULL;

    lock_take(&on->lock);
    if (!list_empty(&on->list))
        t = list_entry(on->list.next, struct timer, node);
    if (t && t->deadline <= now) {
        disarm(t);
    } else {
        on->programmed = t ? t->deadline : NEVER;
        apic_timer_set(on->programmed);
        t = NULL;
    }
    WRITE_ONCE(running[on - timers], t);
    lock_drop(&on->lock);
    return t;
}

void timer_run(void)
{
    struct timers *on = &timers[this_cpu()->id];
    uint64_t now = now_ns();
    struct timer *t;

    for (; (t = timer_next(on, now)); cpu_window())
        t->fn(t->arg);
}
