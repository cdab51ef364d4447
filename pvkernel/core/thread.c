/* SPDX-License-Identifier: MIT
 *
 * The scheduler: one run queue for all CPUs, and for each CPU a list of sleepers ordered by time and one
 * timer, set to whatever comes first: the end of the running thread's slice (if anybody else wants to run) or
 * its first sleeper. So an idle CPU takes no ticks.
 *
 * One lock for all of it, held across the switch: who was just put into a queue can't be taken up by another
 * CPU before its registers are saved. The new thread drops it, in after_switch, and does what the lock
 * needn't cover: it frees a dead predecessor, whose stack nobody stands on any more, and loads its own
 * address space.
 *
 * A thread that becomes ready goes to the end of the run queue, and an idle CPU is woken for it, if there is
 * one. The idle threads are never in the run queue. Read next: sync.c, and arch/pv/switch.S for the switch
 * itself.
 */
#include "pvkernel/core/thread.h"
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/page.h"
#include "pvkernel/core/process.h"

static struct {
    struct lock lock;
    struct list ready, all;
    int next_id;
    struct cpu cpus[CPUS_MAX]; /* cpus_online of them are in use */
} sched = { .lock = { .rank = LOCK_SCHED } };

struct thread *thread_current(void)
{
    return arch_current();
}

/* Interrupts are off, or the answer is about the past. */
static struct cpu *this_cpu(void)
{
    return thread_current()->cpu;
}

/* The first thread has the stack of the boot. */
static struct thread *thread_alloc(const char *name, bool first)
{
    struct thread *t = kzalloc(sizeof(*t));
    struct arch_thread *arch = kzalloc(arch_thread_size);
    void *stack = first ? NULL : pages_alloc(STACK_ORDER);
    if (!t || !arch || (!stack && !first)) {
        kfree(t);
        kfree(arch);
        kfree(stack);
        return NULL;
    }
    if (stack)
        arch_stack_guard(stack, true);
    t->arch = arch;
    t->stack = stack;
    str_copy(t->name, name, sizeof(t->name));
    list_init(&t->link);
    list_init(&t->sleep_link);
    list_init(&t->all_link);
    return t;
}

static void *stack_top(const struct thread *t)
{
    return (char *)t->stack + (PAGE_SIZE << STACK_ORDER);
}

/* Makes `t` the idle thread of CPU n, which is there from now on. */
static void cpu_init(unsigned n, struct thread *t)
{
    struct cpu *c = &sched.cpus[n];
    *c = (struct cpu){ .id = n, .current = t, .idle = t, .kicked = true, .since = arch_time_ns() };
    list_init(&c->sleepers);
    t->cpu = c;
    t->state = THREAD_RUNNING;
    t->started = arch_time_ns();
    t->id = sched.next_id++;
    list_add_tail(&sched.all, &t->all_link);
}

void thread_init(void)
{
    list_init(&sched.ready);
    list_init(&sched.all);
    struct thread *t = thread_alloc("idle", true);
    if (!t)
        panic("no memory for the first thread");
    cpu_init(0, t);
    arch_set_current(t);
}

void core_cpu_main(void)
{
    thread_idle();
}

void cpus_start(void)
{
    unsigned wanted = arch_cpu_count();
    for (unsigned n = 1; n < wanted && n < CPUS_MAX; n++) {
        char name[12];
        ksnprintf(name, sizeof(name), "idle %u", n);
        struct thread *t = thread_alloc(name, false);
        if (!t)
            panic("no memory for CPU %u", n);
        bool on = lock(&sched.lock);
        cpu_init(n, t);
        cpus_online = n + 1;
        unlock(&sched.lock, on);
        if (arch_cpu_start(n, stack_top(t), t))
            panic("CPU %u can't be started", n);
    }
}

/* One timer for both purposes. With other CPUs a slice always ends by time: who wants to run may have been
 * made ready by one of them. A slice that is over already needs no timer: the switch is on its way, and a
 * timer in the past would come again and again before it. */
static void set_timer(struct cpu *c)
{
    uint64_t when = NEVER;
    if (!list_empty(&c->sleepers))
        when = container_of(c->sleepers.next, struct thread, sleep_link)->wake_at;
    if (!c->resched && (cpus_online > 1 || !list_empty(&sched.ready)) && c->current != c->idle &&
        c->current->slice_end < when)
        when = c->current->slice_end;
    if (when != NEVER)
        arch_timer_set(when);
}

/* An idle CPU that nobody has woken yet: this one, or another. NULL: all are busy. */
static struct cpu *idle_cpu(void)
{
    unsigned first = this_cpu()->id;
    for (unsigned i = 0; i < cpus_online; i++) {
        struct cpu *c = &sched.cpus[(first + i) % cpus_online];
        if (c->current == c->idle && !c->kicked)
            return c;
    }
    return NULL;
}

/* Lock held, as for all static functions below. */
static void make_ready(struct thread *t)
{
    bool first = list_empty(&sched.ready);
    t->state = THREAD_READY;
    t->waits_for = NULL;
    list_del(&t->link);
    list_del(&t->sleep_link);
    list_add_tail(&sched.ready, &t->link);
    struct cpu *c = idle_cpu();
    if (c) {
        c->kicked = true;
        if (c != this_cpu()) {
            c->kicks++;
            arch_cpu_kick(c->id);
        }
    } else if (first) { /* now there is somebody to pre-empt for */
        set_timer(this_cpu());
    }
}

static void reap(struct thread *t)
{
    arch_stack_guard(t->stack, false);
    page_put(t->stack);
    kfree(t->arch);
    kfree(t);
}

/* Runs in the new thread right after every switch, and drops the lock. */
static void after_switch(void)
{
    struct cpu *c = this_cpu();
    struct thread *t = c->current, *dead = c->dead;
    c->dead = NULL;
    if (dead)
        list_del(&dead->all_link);
    unlock(&sched.lock, false);
    if (dead)
        reap(dead);
    if (t->process) { /* a kernel thread doesn't care which address space is there */
        process_activate(t->process);
        arch_set_kernel_stack(stack_top(t));
        arch_user_restore(t->arch);
    }
}

/* The current thread is already where it belongs (run queue, wait queue, or dead). Returns without the lock,
 * interrupts off, and perhaps on another CPU. */
static void schedule(void)
{
    struct cpu *c = this_cpu();
    struct thread *from = c->current, *to = c->idle;
    uint64_t now = arch_time_ns();
    c->resched = false;
    if (!list_empty(&sched.ready)) {
        to = container_of(sched.ready.next, struct thread, link);
        list_del(&to->link);
    }
    if (from == c->idle)
        from->state = THREAD_READY;
    to->state = THREAD_RUNNING;
    to->slice_end = now + SLICE_NS;
    if (to == from) {
        set_timer(c);
        unlock(&sched.lock, false);
        return;
    }
    from->cpu_ns += now - from->started;
    to->started = now;
    to->switches++;
    to->cpu = c;
    c->switches++;
    c->current = to;
    if (from->state == THREAD_DEAD)
        c->dead = from;
    if (from->process)
        arch_user_save(from->arch);
    set_timer(c);
    arch_set_current(to);
    arch_thread_switch(from->arch, to->arch);
    after_switch();
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
    struct thread *t = thread_alloc(name, false);
    if (!t)
        return NULL;
    t->process = p;
    t->entry = entry;
    t->arg = arg;
    arch_thread_init(t->arch, stack_top(t), first_entry, t);
    bool on = lock(&sched.lock);
    t->id = sched.next_id++;
    list_add_tail(&sched.all, &t->all_link);
    make_ready(t);
    unlock(&sched.lock, on);
    return t;
}

struct thread *thread_start(const char *name, void (*entry)(void *), void *arg)
{
    return thread_start_in(NULL, name, entry, arg);
}

void thread_leave_process(void)
{
    bool on = lock(&sched.lock);
    thread_current()->process = NULL;
    process_activate(NULL);
    unlock(&sched.lock, on);
}

void thread_exit(void)
{
    lock(&sched.lock);
    thread_current()->state = THREAD_DEAD;
    schedule();
    panic("a dead thread ran");
}

void thread_yield(void)
{
    bool on = lock(&sched.lock);
    struct thread *t = thread_current();
    if (t == t->cpu->idle || list_empty(&sched.ready)) {
        unlock(&sched.lock, on);
        return;
    }
    t->state = THREAD_READY;
    list_add_tail(&sched.ready, &t->link);
    schedule();
    arch_irq_restore(on);
}

void thread_idle(void)
{
    for (;;) {
        lock(&sched.lock);
        this_cpu()->kicked = false;
        if (list_empty(&sched.ready)) {
            unlock(&sched.lock, false); /* who comes from now on makes an interrupt, which ends the idling */
            arch_idle();
        } else {
            schedule();
        }
        arch_irq_restore(true);
    }
}

void core_timer(void)
{
    bool on = lock(&sched.lock);
    struct cpu *c = this_cpu();
    uint64_t now = arch_time_ns();
    while (!list_empty(&c->sleepers)) {
        struct thread *t = container_of(c->sleepers.next, struct thread, sleep_link);
        if (t->wake_at > now)
            break;
        t->timed_out = true;
        make_ready(t);
    }
    if (now >= c->current->slice_end)
        c->resched = true;
    set_timer(c);
    unlock(&sched.lock, on);
}

void core_interrupt_exit(void)
{
    struct thread *t = thread_current();
    /* The idle loop looks by itself; switching away inside arch_idle would be one nesting too many. */
    if (!t || !t->cpu->resched || t == t->cpu->idle)
        return;
    lock(&sched.lock);
    t->cpu->resched = false;
    if (list_empty(&sched.ready)) {
        t->slice_end = arch_time_ns() + SLICE_NS;
        if (cpus_online > 1)
            set_timer(t->cpu);
        unlock(&sched.lock, false);
        return;
    }
    t->state = THREAD_READY;
    list_add_tail(&sched.ready, &t->link);
    schedule();
}

static void add_sleeper(struct thread *t, uint64_t until)
{
    struct list *sleepers = &t->cpu->sleepers, *at = sleepers->next;
    while (at != sleepers && container_of(at, struct thread, sleep_link)->wake_at <= until)
        at = at->next;
    t->wake_at = until;
    list_add_tail(at, &t->sleep_link);
}

void waitq_init(struct waitq *q)
{
    list_init(&q->waiters);
}

bool wait_until(struct waitq *q, struct lock *held, const char *why, uint64_t until)
{
    struct thread *t = thread_current();
    lock(&sched.lock);
    if (t == t->cpu->idle)
        panic("the idle thread can't wait for %s", why);
    t->timed_out = false;
    if (t->woken) { /* before it came here: thread_wake */
        t->woken = false;
        unlock(&sched.lock, false);
        return true;
    }
    t->state = THREAD_WAITING;
    t->waits_for = why;
    if (q)
        list_add_tail(&q->waiters, &t->link);
    if (until != NEVER)
        add_sleeper(t, until);
    if (held) /* who changes the condition from now on finds us in the queue */
        unlock(held, false);
    schedule();
    if (held)
        lock(held);
    return !t->timed_out;
}

void wait_on(struct waitq *q, struct lock *held, const char *why)
{
    wait_until(q, held, why, NEVER);
}

void wake_one(struct waitq *q)
{
    bool on = lock(&sched.lock);
    if (!list_empty(&q->waiters))
        make_ready(container_of(q->waiters.next, struct thread, link));
    unlock(&sched.lock, on);
}

void wake_all(struct waitq *q)
{
    bool on = lock(&sched.lock);
    while (!list_empty(&q->waiters))
        make_ready(container_of(q->waiters.next, struct thread, link));
    unlock(&sched.lock, on);
}

void thread_wake(struct thread *t)
{
    bool on = lock(&sched.lock);
    if (t->state == THREAD_WAITING)
        make_ready(t);
    else
        t->woken = true;
    unlock(&sched.lock, on);
}

void thread_sleep_ns(uint64_t ns)
{
    bool on = arch_irq_save();
    wait_until(NULL, NULL, "time", arch_time_ns() + ns);
    arch_irq_restore(on);
}

void thread_for_each(void (*f)(struct thread *t, void *arg), void *arg)
{
    bool on = lock(&sched.lock);
    list_for_each(i, &sched.all) f(container_of(i, struct thread, all_link), arg);
    unlock(&sched.lock, on);
}

void cpu_for_each(void (*f)(const struct cpu *c, void *arg), void *arg)
{
    bool on = lock(&sched.lock);
    for (unsigned i = 0; i < cpus_online; i++)
        f(&sched.cpus[i], arg);
    unlock(&sched.lock, on);
}

uint64_t thread_cpu_ns(const struct thread *t)
{
    return t->cpu_ns + (t->state == THREAD_RUNNING ? arch_time_ns() - t->started : 0);
}
