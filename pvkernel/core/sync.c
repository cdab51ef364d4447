/* SPDX-License-Identifier: MIT
 *
 * Wait queues, mutexes and condition variables: a few lines each on top of "interrupts off" and wait_until.
 * A waker makes the waiter ready and nothing more; who was woken checks its condition again.
 */
#include "pvkernel/core/thread.h"
#include "pvkernel/core/lib.h"

void waitq_init(struct waitq *q)
{
    list_init(&q->waiters);
}

void wake_one(struct waitq *q)
{
    bool on = arch_irq_save();
    if (!list_empty(&q->waiters))
        thread_wake(container_of(q->waiters.next, struct thread, link));
    arch_irq_restore(on);
}

void wake_all(struct waitq *q)
{
    bool on = arch_irq_save();
    while (!list_empty(&q->waiters))
        thread_wake(container_of(q->waiters.next, struct thread, link));
    arch_irq_restore(on);
}

void mutex_init(struct mutex *m)
{
    m->owner = NULL;
    waitq_init(&m->waiters);
}

bool mutex_trylock(struct mutex *m)
{
    bool on = arch_irq_save();
    bool got = !m->owner;
    if (got)
        m->owner = thread_current();
    arch_irq_restore(on);
    return got;
}

void mutex_lock(struct mutex *m)
{
    bool on = arch_irq_save();
    if (m->owner == thread_current())
        panic("%s locks a mutex that it holds", thread_current()->name);
    while (m->owner)
        wait_on(&m->waiters, "mutex");
    m->owner = thread_current();
    arch_irq_restore(on);
}

void mutex_unlock(struct mutex *m)
{
    bool on = arch_irq_save();
    if (m->owner != thread_current())
        panic("%s unlocks a mutex that it doesn't hold", thread_current()->name);
    m->owner = NULL;
    wake_one(&m->waiters);
    arch_irq_restore(on);
}

void cond_init(struct condvar *c)
{
    waitq_init(&c->waiters);
}

bool cond_wait_until(struct condvar *c, struct mutex *m, uint64_t until)
{
    bool on = arch_irq_save(); /* nobody can signal between the unlock and the wait */
    mutex_unlock(m);
    bool in_time = wait_until(&c->waiters, "condition", until);
    mutex_lock(m);
    arch_irq_restore(on);
    return in_time;
}

void cond_wait(struct condvar *c, struct mutex *m)
{
    cond_wait_until(c, m, NEVER);
}

void cond_signal(struct condvar *c)
{
    wake_one(&c->waiters);
}

void cond_broadcast(struct condvar *c)
{
    wake_all(&c->waiters);
}
