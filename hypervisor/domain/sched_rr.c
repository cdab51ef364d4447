/* SPDX-License-Identifier: MIT
 *
 * The round-robin policy: one queue a CPU, everybody gets the same slice in turn. Who wakes in the middle of
 * its slice goes first, then who was pre-empted for it: so an event is served soon, and nobody gets more than
 * a slice before all others that wait had theirs. An idle CPU takes the first of another's queue that may go.
 * Called with the run queue's lock held (LOCK_SCHED), rr_pick() with both; rr_waiting() without it too.
 *
 * A policy for exercises to replace: the contract is struct sched_ops in sched.h.
 */
#include "domain/domain.h"
#include "x86/percpu.h"

static struct list queue[MAX_CPUS]; /* LOCK_SCHED of that CPU */

static void rr_init_cpu(uint32_t cpu)
{
    list_init(&queue[cpu]);
}

static void rr_enqueue(struct vcpu *v, enum sched_entry how)
{
    struct list *head = &queue[v->sched.cpu], *before = head;

    if (how != ENTER_LAST)
        do
            before = before->next;
        while (before != head && list_entry(before, struct vcpu, sched.node)->sched.woken);
    list_add_before(before, &v->sched.node);
}

static void rr_dequeue(struct vcpu *v)
{
    list_del(&v->sched.node);
}

static bool rr_waiting(uint32_t cpu)
{
    return READ_ONCE(queue[cpu].next) != &queue[cpu];
}

static struct vcpu *rr_pick(uint32_t from, uint32_t to)
{
    for (struct list *l = queue[from].next; l != &queue[from]; l = l->next) {
        struct vcpu *v = list_entry(l, struct vcpu, sched.node);

        if (likely(v->sched.affinity >> to & 1) && (from == to || !vcpu_is_loaded(v))) {
            list_del(l);
            return v;
        }
    }
    return NULL;
}

const struct sched_ops sched_rr = {
    .init_cpu = rr_init_cpu,
    .enqueue = rr_enqueue,
    .dequeue = rr_dequeue,
    .pick = rr_pick,
    .waiting = rr_waiting,
    .slice_ns = 30000000,
    .wake_ns = 1000000,
};
