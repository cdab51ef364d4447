/* SPDX-License-Identifier: MIT
 *
 * The scheduler: a run queue, a list of sleepers ordered by time, and one timer that is set to whatever comes
 * first, the end of the running thread's slice (if anybody else wants to run) or the first sleeper. So an
 * idle machine takes no ticks.
 *
 * The idle thread is never in the run queue. A dead thread's stack can't be freed while it stands on it: the
 * next thread does that, in after_switch. Read next: sync.c, and arch/pv/switch.S for the switch itself.
 */
#include "pvkernel/core/thread.h"
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/page.h"
#include "pvkernel/core/process.h"

/* All guarded by interrupts off. */
static struct {
    struct thread *current, *idle, *dead;
    struct thread *user; /* the thread whose FPU state the CPU holds */
    struct list ready, sleepers, all;
    int next_id;
    bool resched;
} sched;

struct thread *thread_current(void)
{
    return sched.current;
}

static struct thread *thread_alloc(const char *name)
{
    struct thread *t = kzalloc(sizeof(*t));
    if (!t)
        return NULL;
    t->arch = kzalloc(arch_thread_size);
    if (!t->arch) {
        kfree(t);
        return NULL;
    }
    str_copy(t->name, name, sizeof(t->name));
    list_init(&t->link);
    list_init(&t->sleep_link);
    list_init(&t->all_link);
    return t;
}

void thread_init(void)
{
    list_init(&sched.ready);
    list_init(&sched.sleepers);
    list_init(&sched.all);
    struct thread *t = thread_alloc("idle");
    if (!t)
        panic("no memory for the first thread");
    t->state = THREAD_RUNNING;
    t->id = sched.next_id++;
    t->started = arch_time_ns();
    list_add_tail(&sched.all, &t->all_link);
    sched.current = sched.idle = t;
}

/* One timer for both purposes. A slice that is over already needs none: the switch is on its way, and a timer
 * in the past would come again and again before it. */
static void set_timer(void)
{
    uint64_t when = NEVER;
    if (!list_empty(&sched.sleepers))
        when = container_of(sched.sleepers.next, struct thread, sleep_link)->wake_at;
    if (!sched.resched && !list_empty(&sched.ready) && sched.current != sched.idle &&
        sched.current->slice_end < when)
        when = sched.current->slice_end;
    if (when != NEVER)
        arch_timer_set(when);
}

static void make_ready(struct thread *t)
{
    t->state = THREAD_READY;
    t->waits_for = NULL;
    list_del(&t->link);
    list_del(&t->sleep_link);
    if (sched.current == sched.idle)
        sched.resched = true;
    bool first = list_empty(&sched.ready);
    list_add_tail(&sched.ready, &t->link);
    if (first) /* now there is somebody to pre-empt for */
        set_timer();
}

static void reap(struct thread *t)
{
    list_del(&t->all_link);
    arch_stack_guard(t->stack, false);
    page_put(t->stack);
    kfree(t->arch);
    kfree(t);
}

/* Runs in the new thread right after every switch. */
static void after_switch(void)
{
    if (sched.dead) {
        struct thread *t = sched.dead;
        sched.dead = NULL;
        reap(t);
    }
}

static void switch_process(struct thread *to)
{
    if (!to->process)
        return; /* a kernel thread doesn't care which address space is there */
    process_activate(to->process);
    arch_set_kernel_stack((char *)to->stack + (PAGE_SIZE << STACK_ORDER));
    if (sched.user != to) {
        if (sched.user)
            arch_user_save(sched.user->arch);
        arch_user_restore(to->arch);
        sched.user = to;
    }
}

/* Interrupts are off. The current thread is already where it belongs (run queue, wait queue, or dead). */
static void schedule(void)
{
    struct thread *from = sched.current, *to = sched.idle;
    uint64_t now = arch_time_ns();
    sched.resched = false;
    if (!list_empty(&sched.ready)) {
        to = container_of(sched.ready.next, struct thread, link);
        list_del(&to->link);
    }
    if (from == sched.idle)
        from->state = THREAD_READY;
    to->state = THREAD_RUNNING;
    to->slice_end = now + SLICE_NS;
    if (to != from) {
        from->cpu_ns += now - from->started;
        to->started = now;
        to->switches++;
        sched.current = to;
        if (from->state == THREAD_DEAD) {
            sched.dead = from;
            if (sched.user == from)
                sched.user = NULL;
        }
        switch_process(to);
        set_timer();
        arch_thread_switch(from->arch, to->arch);
        after_switch();
    } else {
        set_timer();
    }
}

static void first_entry(void *arg)
{
    struct thread *t = arg;
    after_switch();
    arch_irq_restore(true);
    t->entry(t->arg);
    thread_exit();
}

struct thread *thread_start_in(struct process *p, const char *name, void (*entry)(void *), void *arg)
{
    struct thread *t = thread_alloc(name);
    if (!t)
        return NULL;
    t->stack = pages_alloc(STACK_ORDER);
    if (!t->stack) {
        kfree(t->arch);
        kfree(t);
        return NULL;
    }
    arch_stack_guard(t->stack, true);
    t->process = p;
    t->entry = entry;
    t->arg = arg;
    arch_thread_init(t->arch, (char *)t->stack + (PAGE_SIZE << STACK_ORDER), first_entry, t);
    bool on = arch_irq_save();
    t->id = sched.next_id++;
    list_add_tail(&sched.all, &t->all_link);
    make_ready(t);
    arch_irq_restore(on);
    return t;
}

struct thread *thread_start(const char *name, void (*entry)(void *), void *arg)
{
    return thread_start_in(NULL, name, entry, arg);
}

void thread_exit(void)
{
    arch_irq_save();
    sched.current->state = THREAD_DEAD;
    schedule();
    panic("a dead thread ran");
}

void thread_yield(void)
{
    bool on = arch_irq_save();
    if (sched.current != sched.idle && !list_empty(&sched.ready)) {
        sched.current->state = THREAD_READY;
        list_add_tail(&sched.ready, &sched.current->link);
        schedule();
    }
    arch_irq_restore(on);
}

void thread_idle(void)
{
    for (;;) {
        arch_irq_save();
        if (list_empty(&sched.ready))
            arch_idle();
        if (!list_empty(&sched.ready))
            schedule();
        arch_irq_restore(true);
    }
}

void core_timer(void)
{
    uint64_t now = arch_time_ns();
    while (!list_empty(&sched.sleepers)) {
        struct thread *t = container_of(sched.sleepers.next, struct thread, sleep_link);
        if (t->wake_at > now)
            break;
        t->timed_out = true;
        make_ready(t);
    }
    if (now >= sched.current->slice_end)
        sched.resched = true;
    set_timer();
}

void core_interrupt_exit(void)
{
    struct thread *t = sched.current;
    /* The idle loop looks by itself; switching away inside arch_idle would be one nesting too many. */
    if (!sched.resched || !t || t == sched.idle)
        return;
    sched.resched = false;
    if (list_empty(&sched.ready)) {
        t->slice_end = arch_time_ns() + SLICE_NS;
        return;
    }
    t->state = THREAD_READY;
    list_add_tail(&sched.ready, &t->link);
    schedule();
}

static void add_sleeper(struct thread *t, uint64_t until)
{
    struct list *at = sched.sleepers.next;
    while (at != &sched.sleepers && container_of(at, struct thread, sleep_link)->wake_at <= until)
        at = at->next;
    t->wake_at = until;
    list_add_tail(at, &t->sleep_link);
}

bool wait_until(struct waitq *q, const char *why, uint64_t until)
{
    struct thread *t = sched.current;
    if (t == sched.idle)
        panic("the idle thread can't wait for %s", why);
    t->state = THREAD_WAITING;
    t->waits_for = why;
    t->timed_out = false;
    if (q)
        list_add_tail(&q->waiters, &t->link);
    if (until != NEVER)
        add_sleeper(t, until);
    schedule();
    return !t->timed_out;
}

void wait_on(struct waitq *q, const char *why)
{
    wait_until(q, why, NEVER);
}

void thread_wake(struct thread *t)
{
    bool on = arch_irq_save();
    if (t->state == THREAD_WAITING)
        make_ready(t);
    arch_irq_restore(on);
}

void thread_sleep_ns(uint64_t ns)
{
    bool on = arch_irq_save();
    wait_until(NULL, "time", arch_time_ns() + ns);
    arch_irq_restore(on);
}

void thread_for_each(void (*f)(struct thread *t, void *arg), void *arg)
{
    bool on = arch_irq_save();
    list_for_each(i, &sched.all) f(container_of(i, struct thread, all_link), arg);
    arch_irq_restore(on);
}

uint64_t thread_cpu_ns(const struct thread *t)
{
    return t->cpu_ns + (t == sched.current ? arch_time_ns() - t->started : 0);
}
