/* SPDX-License-Identifier: MIT
 *
 * The scheduler's mechanism: states of vcpus, waking and blocking, slices, runstate accounting, the idle
 * loop.
 *
 * A vcpu that is RUNNABLE and not paused is in its CPU's run queue, or is the CPU's current one with
 * WORK_SCHEDULE set. Only schedule() makes a vcpu RUNNING. A block can't lose an event: the blocker sets its
 * state and then looks for events, the sender sets the event and then looks at the state, with a full barrier
 * between on both sides.
 *
 * A CPU with nothing to do takes a vcpu that waits in another's queue; who leaves one waiting tells a CPU
 * that idles. So CPUs are shared without a common queue, and one CPU alone pays nothing for it. A vcpu
 * changes its queue only while it is loaded nowhere.
 *
 * Leaves to others: who is next (sched_rr.c), the processor's state (x86/switch.c). Next: sched_rr.c.
 */
#include "domain/domain.h"
#include "lib/bits.h"
#include "x86/copy.h"
#include "x86/cpu.h"

#define SLICE_LEAST 100000   /* ns: a rest that is no slice any more */
#define FAVOUR_MOST 10000000 /* ns */

const struct sched_ops *sched = &sched_rr;

static struct run_queue {
    struct lock lock;   /* LOCK_SCHED: the queue, and struct sched_vcpu of its vcpus */
    struct vcpu *idle;  /* constant: Parador's own tables, for when the last vcpu is gone */
    struct timer slice; /* ends the running vcpu's slice; armed only while somebody waits */
    int64_t favour;     /* ns that who is woken may run before others; others' running gives it back */
} run_queues[MAX_CPUS];

static uint64_t idle_cpus; /* bit n: CPU n looks for work or sleeps; atomic; 0 where there is one CPU */

static inline struct run_queue *queue_of(const struct vcpu *v)
{
    return &run_queues[v->sched.cpu];
}

/* q was locked as v's, and isn't any more. */
static __attribute__((noinline, cold)) struct run_queue *lock_queue_again(const struct vcpu *v,
                                                                          struct run_queue *q)
{
    while (q != queue_of(v)) {
        lock_drop(&q->lock);
        q = queue_of(v);
        lock_take(&q->lock);
    }
    return q;
}

/* v's queue, locked. */
static inline struct run_queue *lock_queue(const struct vcpu *v)
{
    struct run_queue *q = &run_queues[READ_ONCE(v->sched.cpu)];

    lock_take(&q->lock);
    return likely(q == queue_of(v)) ? q : lock_queue_again(v, q);
}

void reschedule(void *unused)
{
    cpu_set_work(this_cpu(), WORK_SCHEDULE);
}

/* v's CPU shall run schedule() soon. */
static void kick(const struct vcpu *v)
{
    if (likely(v == current))
        reschedule(NULL);
    else
        cpu_kick(cpus[READ_ONCE(v->sched.cpu)], WORK_SCHEDULE);
}

/* v waits: perhaps an idle CPU wants it. One that misses this looks when the CPU's slice ends. */
static __attribute__((noinline)) void offer(const struct vcpu *v)
{
    uint64_t idle;

    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* v is in the queue, or the idle CPU finds it there */
    idle = READ_ONCE(idle_cpus) & v->sched.affinity;
    if (idle && !(idle >> v->sched.cpu & 1))
        cpu_kick(cpus[__builtin_ctzll(idle)], WORK_SCHEDULE);
}

void sched_init(void)
{
    uint32_t cpu = this_cpu()->id;
    struct run_queue *q = &run_queues[cpu];

    lock_init(&q->lock, LOCK_SCHED);
    timer_init_cpu(cpu);
    timer_init(&q->slice, reschedule, NULL);
    q->favour = FAVOUR_MOST;
    sched->init_cpu(cpu);
    q->idle = page_alloc();
    if (!q->idle)
        BUG("no memory for the idle vcpu of CPU %u", cpu);
    q->idle->domain = &idle_domain;
    q->idle->kernel_mode = true;
    q->idle->sched.cpu = cpu;
    q->idle->sched.affinity = ~0ULL;
    list_init(&q->idle->sched.node);
}

void sched_init_vcpu(struct vcpu *v)
{
    list_init(&v->sched.node);
    v->sched.state = VS_RUNNABLE;
    v->sched.pause = PAUSE_DOMAIN | PAUSE_DOWN;
    v->sched.cpu = (v->domain->domid + v->id) % nr_cpus;
    v->sched.affinity = ~0ULL;
    v->sched.runstate.state = RUNSTATE_offline;
    v->sched.runstate.state_entry_time = now_ns();
}

static void set_runstate(struct vcpu *v, int state, uint64_t now)
{
    struct vcpu_runstate_info *r = &v->sched.runstate;

    if (r->state == state)
        return;
    r->time[r->state] += now - r->state_entry_time;
    r->state_entry_time = now;
    r->state = state;
}

void vcpu_get_runstate(struct vcpu *v, struct vcpu_runstate_info *info)
{
    struct run_queue *q = lock_queue(v);

    *info = v->sched.runstate;
    lock_drop(&q->lock);
    info->time[info->state] += now_ns() - info->state_entry_time;
}

/* The runstate that goes with a vcpu that is not running. */
static int runstate_waiting(const struct vcpu *v)
{
    if (v->sched.pause)
        return RUNSTATE_offline;
    return v->sched.state == VS_BLOCKED ? RUNSTATE_blocked : RUNSTATE_runnable;
}

/* Somebody new is in this CPU's queue, which is locked: the running one's slice gets an end, an earlier one
 * if the new one was woken. */
static force_inline void limit_slice(struct run_queue *q, uint64_t now, bool woken)
{
    const struct vcpu *running = current;
    uint64_t until;

    if (!running || running->sched.state != VS_RUNNING || running->sched.slice_end <= now) {
        reschedule(NULL);
        return;
    }
    until = woken ? now + sched->wake_ns : running->sched.slice_end;
    if (!q->slice.armed || q->slice.deadline > until)
        timer_set(&q->slice, until);
}

/* v does not run any more: what is left of its slice. */
static force_inline void stop_slice(struct run_queue *q, struct vcpu *v, uint64_t now)
{
    uint64_t left = v->sched.slice_end > now ? v->sched.slice_end - now : 0;
    int64_t ran = (int64_t)(v->sched.slice_left - left);

    if (!v->sched.slice_end)
        return;
    q->favour = v->sched.woken ? q->favour - ran : MIN(q->favour + ran, FAVOUR_MOST);
    v->sched.slice_left = v->sched.yields ? 0 : left;
    v->sched.slice_end = 0;
    v->sched.yields = false;
}

/* v, which does not run, enters its queue: in front while its slice lasts, with a new one at the end. */
static force_inline void enter(struct run_queue *q, struct vcpu *v, enum sched_entry how)
{
    if (v->sched.slice_left < SLICE_LEAST || (how == ENTER_WOKEN && q->favour <= 0))
        how = ENTER_LAST;
    if (how == ENTER_LAST)
        v->sched.slice_left = sched->slice_ns;
    v->sched.woken = how == ENTER_WOKEN;
    sched->enqueue(v, how);
}

void sched_limit_slice(void)
{
    uint32_t cpu = this_cpu()->id;
    struct run_queue *q = &run_queues[cpu];

    lock_take(&q->lock);
    if (sched->waiting(cpu))
        limit_slice(q, now_ns(), true);
    lock_drop(&q->lock);
}

/* v has become RUNNABLE or unpaused: into its queue, and the running vcpu's slice gets an end. */
static void enqueue_locked(struct run_queue *q, struct vcpu *v, bool woken)
{
    uint64_t now = now_ns();

    if (!v->sched.on_cpu)
        set_runstate(v, runstate_waiting(v), now);
    else
        stop_slice(q, v, now);
    enter(q, v, woken ? ENTER_WOKEN : ENTER_LAST);
    if (likely(v->sched.cpu == this_cpu()->id))
        limit_slice(q, now, v->sched.woken);
    else
        cpu_kick(cpus[v->sched.cpu], WORK_SLICE);
    if (unlikely(nr_cpus > 1))
        offer(v);
}

static inline bool may_stay(const struct vcpu *v)
{
    return likely(READ_ONCE(v->sched.affinity) >> v->sched.cpu & 1);
}

/* Where v shall be: where it is, if it may. */
static uint32_t place_of(const struct vcpu *v)
{
    return may_stay(v) ? v->sched.cpu : (uint32_t)__builtin_ctzll(READ_ONCE(v->sched.affinity));
}

/* v goes where it may run, unless it is loaded. leaves: it is, and leaves its CPU now. That happens under the
 * locks: who finds it loaded nowhere, and then takes its queue's lock, knows that nobody looks at it here. */
static __attribute__((noinline)) void find_place(struct vcpu *v, bool leaves)
{
    bool settled = false, waits;

    while (!settled) {
        struct run_queue *q = &run_queues[READ_ONCE(v->sched.cpu)];
        uint32_t to = place_of(v);
        struct run_queue *there = &run_queues[to];

        lock_pair(&q->lock, &there->lock);
        settled = q == queue_of(v) && to == place_of(v);
        if (settled && leaves)
            __atomic_store_n(&v->sched.on_cpu, false, __ATOMIC_RELEASE);
        waits = settled && !list_empty(&v->sched.node);
        if (settled && q != there && !vcpu_is_loaded(v)) {
            if (waits)
                sched->dequeue(v);
            WRITE_ONCE(v->sched.cpu, to);
            if (waits)
                enqueue_locked(there, v, false);
        } else if (waits && leaves) {
            offer(v);
        }
        unlock_pair(&q->lock, &there->lock);
    }
}

int vcpu_set_affinity(struct vcpu *v, uint64_t mask)
{
    mask &= all_cpus();
    if (!mask)
        return -EINVAL;
    WRITE_ONCE(v->sched.affinity, mask);
    find_place(v, false); /* whoever moves it meanwhile sees the new ones, or this finds it there */
    if (!may_stay(v))     /* it is loaded: it moves when it is not */
        kick(v);
    return 0;
}

/* Takes a vcpu that waits for another CPU; false: there is none. */
static bool pull(struct run_queue *q, uint32_t cpu)
{
    struct vcpu *v = NULL;

    for (uint32_t from = 0; from < nr_cpus && !v; from++) {
        if (from == cpu || !sched->waiting(from))
            continue;
        lock_pair(&q->lock, &run_queues[from].lock);
        v = sched->pick(from, cpu);
        if (v) {
            v->sched.cpu = cpu;
            sched->enqueue(v, ENTER_AGAIN);
        }
        unlock_pair(&q->lock, &run_queues[from].lock);
    }
    return v != NULL;
}

static __attribute__((noinline)) void wake_blocked(struct vcpu *v)
{
    struct run_queue *q = lock_queue(v);

    if (v->sched.state == VS_BLOCKED) {
        v->sched.state = VS_RUNNABLE;
        if (unlikely(test_bit(v->id, &v->domain->evtchn.pollers)))
            clear_bit(v->id, &v->domain->evtchn.pollers); /* a poll ends with whatever wakes it */
        if (!v->sched.pause)
            enqueue_locked(q, v, true);
    }
    lock_drop(&q->lock);
}

/* It isn't blocked, perhaps because it runs on another CPU: that one shall look for events. */
static __attribute__((noinline)) void interrupt(const struct vcpu *v)
{
    if (v != current && vcpu_is_loaded(v))
        cpu_kick(cpus[READ_ONCE(v->sched.cpu)], WORK_EVENT);
}

void vcpu_wake(struct vcpu *v)
{
    if (READ_ONCE(v->sched.state) == VS_BLOCKED)
        wake_blocked(v);
    else if (unlikely(nr_cpus > 1))
        interrupt(v);
}

static bool event_deliverable(const struct vcpu *v)
{
    return READ_ONCE(v->info->evtchn_upcall_pending) && !READ_ONCE(v->info->evtchn_upcall_mask);
}

static force_inline void become_blocked(struct vcpu *v)
{
    struct run_queue *q = queue_of(v); /* it runs here */

    lock_take(&q->lock);
    if (v->sched.state == VS_RUNNING)
        v->sched.state = VS_BLOCKED;
    lock_drop(&q->lock);
    reschedule(NULL);
    /* Pairs with the sender's locked set of the pending bit or flag. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void vcpu_block(struct vcpu *v)
{
    if (event_deliverable(v))
        return;
    become_blocked(v);
    if (event_deliverable(v))
        vcpu_wake(v);
}

void vcpu_block_polling(struct vcpu *v)
{
    become_blocked(v);
    if (!test_bit(v->id, &v->domain->evtchn.pollers) || event_deliverable(v))
        vcpu_wake(v);
}

void vcpu_yield(struct vcpu *v)
{
    if (!sched->waiting(v->sched.cpu))
        return;
    v->sched.yields = true;
    kick(v);
}

void vcpu_pause(struct vcpu *v, uint8_t why)
{
    struct run_queue *q = lock_queue(v);

    v->sched.pause |= why;
    if (!list_empty(&v->sched.node))
        sched->dequeue(v);
    if (v->sched.on_cpu)
        kick(v);
    else
        set_runstate(v, runstate_waiting(v), now_ns());
    lock_drop(&q->lock);
}

void vcpu_unpause(struct vcpu *v, uint8_t why)
{
    struct run_queue *q = lock_queue(v);

    v->sched.pause &= (uint8_t)~why;
    if (!v->sched.pause && v->sched.state == VS_RUNNABLE && list_empty(&v->sched.node))
        enqueue_locked(q, v, false);
    lock_drop(&q->lock);
}

bool vcpu_is_running(const struct vcpu *v)
{
    return READ_ONCE(v->sched.state) == VS_RUNNING;
}

bool vcpu_is_up(const struct vcpu *v)
{
    return !(READ_ONCE(v->sched.pause) & PAUSE_DOWN);
}

/* An area that is not mapped is left out, as the ABI allows. With runstate_update_flag a bit tells the
 * reader, who looks before and after, that the fields are changing. */
static void update_runstate_area(struct vcpu *v)
{
    uint64_t at = v->sched.runstate_area;
    uint64_t entry_time_at = at + offsetof(struct vcpu_runstate_info, state_entry_time);
    struct vcpu_runstate_info info = v->sched.runstate;
    bool flag = v->domain->vm_assist & 1U << VMASST_TYPE_runstate_update_flag;

    if (flag)
        info.state_entry_time |= XEN_RUNSTATE_UPDATE;
    if (flag && put_guest_u64(info.state_entry_time, entry_time_at))
        return;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    if (copy_to_guest(at, &info, sizeof(info)) || !flag)
        return;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    if (put_guest_u64(info.state_entry_time & ~XEN_RUNSTATE_UPDATE, entry_time_at))
        return;
}

static void update_time_area(struct vcpu *v)
{
    struct vcpu_time_info t = { .version = 2 };

    time_fill(&t);
    if (copy_to_guest(v->time_area, &t, sizeof(t)))
        return; /* unmapped: left out */
}

void vcpu_update_areas(struct vcpu *v)
{
    if (v != current || !v->kernel_mode) {
        v->areas_due = true;
        return;
    }
    v->areas_due = false;
    if (v->sched.runstate_area)
        update_runstate_area(v);
    if (v->time_area)
        update_time_area(v);
}

/* Who runs next on this CPU, prev goes back into the queue if it still wants to run. NULL: nobody. *at: when;
 * a moment before the lock others' moments may be later. */
static struct vcpu *choose(struct run_queue *q, struct vcpu *prev, uint64_t *at)
{
    uint32_t cpu = this_cpu()->id;
    struct vcpu *next;
    uint64_t now;

    lock_take(&q->lock);
    *at = now = now_ns();
    if (prev) {
        stop_slice(q, prev, now);
        if (prev->sched.state == VS_RUNNING) {
            prev->sched.state = VS_RUNNABLE;
            if (!prev->sched.pause)
                enter(q, prev, ENTER_AGAIN);
        }
    }
    next = sched->pick(cpu, cpu);
    if (next) {
        next->sched.state = VS_RUNNING;
        /* Who pauses or moves it from now on finds it loaded; before CR3 is, for mm/tlb.c. */
        WRITE_ONCE(next->sched.on_cpu, true);
        if (next->sched.runstate.state != RUNSTATE_running) {
            set_runstate(next, RUNSTATE_running, now);
            if (next->sched.runstate_area)
                next->areas_due = true;
        }
        next->sched.slice_end = now + next->sched.slice_left;
        if (sched->waiting(cpu))
            timer_set(&q->slice, next->sched.slice_end);
        else if (q->slice.armed)
            timer_stop(&q->slice);
    }
    lock_drop(&q->lock);
    return next;
}

/* prev does not run any more. */
static inline void account(struct run_queue *q, struct vcpu *prev, uint64_t now)
{
    lock_take(&q->lock);
    set_runstate(prev, runstate_waiting(prev), now);
    lock_drop(&q->lock);
}

/* Loads next in place of prev (NULL at boot). */
static force_inline void switch_to(struct run_queue *q, struct vcpu *prev, struct vcpu *next, uint64_t now)
{
    if (prev) {
        account(q, prev, now);
        if (prev->sched.runstate_area && prev->kernel_mode && !prev->domain->dying)
            update_runstate_area(prev);
    }
    switch_vcpu(prev, next);
    if (!prev)
        return;
    if (unlikely(nr_cpus > 1))
        find_place(prev, true);
    else
        prev->sched.on_cpu = false;
}

/* Nobody is runnable: sleep until something happens. Where there is one CPU prev stays loaded, unless its
 * domain is paused or has ended; else it may wake on another CPU, and nobody has to flush this one. */
static __attribute__((noinline)) void idle(struct cpu *c, struct run_queue *q, struct vcpu *prev)
{
    bool alone = nr_cpus == 1;

    if (prev && prev != q->idle) {
        if (!alone || prev->sched.pause & (PAUSE_SHUTDOWN | PAUSE_DOMAIN))
            switch_to(q, prev, q->idle, now_ns());
        else
            account(q, prev, now_ns());
    }
    if (!alone)
        __atomic_fetch_or(&idle_cpus, 1ULL << c->id, __ATOMIC_SEQ_CST);
    while (!(READ_ONCE(c->work) & WORK_SCHEDULE) && (alone || !pull(q, c->id))) {
        if (domain_teardown_step(false) || frames_scrub_step())
            cpu_window();
        else if (!READ_ONCE(c->work))
            cpu_halt();
        cpu_serve_work();
    }
    if (!alone)
        __atomic_fetch_and(&idle_cpus, ~(1ULL << c->id), __ATOMIC_RELAXED);
}

/* A step stops when there is work: schedule() itself is none. It looks again afterwards, so none is lost. */
static __attribute__((noinline, cold)) void end_domains(struct cpu *c)
{
    __atomic_fetch_and(&c->work, ~(uint32_t)WORK_SCHEDULE, __ATOMIC_RELAXED);
    domain_teardown_step(true);
}

struct vcpu *schedule(void)
{
    struct cpu *c = this_cpu();
    struct run_queue *q = &run_queues[c->id];
    struct vcpu *next;
    uint64_t now;

    if (unlikely(READ_ONCE(domains_ending)))
        end_domains(c);
    for (;;) {
        __atomic_fetch_and(&c->work, ~(uint32_t)WORK_SCHEDULE, __ATOMIC_RELAXED);
        next = choose(q, current, &now);
        if (next)
            break;
        idle(c, q, current);
    }
    if (next != current)
        switch_to(q, current, next, now);
    if (unlikely(next->areas_due))
        vcpu_update_areas(next);
    if (unlikely(next->tick_due)) {
        next->tick_due = false;
        evtchn_send_virq(next->domain, next->id, VIRQ_TIMER);
    }
    return next;
}
