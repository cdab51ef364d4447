/* SPDX-License-Identifier: MIT
 *
 * Mutexes and condition variables: a few lines each on top of a spin lock and wait_until. A waker makes the
 * waiter ready and nothing more; who was woken checks its condition again.
 */
#include "pvkernel/core/thread.h"
#include "pvkernel/core/lib.h"

void mutex_init(struct mutex *m)
{
    m->lock = (struct lock){ .rank = LOCK_WAIT };
    m->owner = NULL;
    waitq_init(&m->waiters);
}

bool mutex_trylock(struct mutex *m)
{
    bool on = lock(&m->lock);
    bool got = !m->owner;
    if (got)
        m->owner = thread_current();
    unlock(&m->lock, on);
    return got;
}

void mutex_lock(struct mutex *m)
{
    bool on = lock(&m->lock);
    if (m->owner == thread_current())
        panic("%s locks a mutex that it holds", thread_current()->name);
    while (m->owner)
        wait_on(&m->waiters, &m->lock, "mutex");
    m->owner = thread_current();
    unlock(&m->lock, on);
}

void mutex_unlock(struct mutex *m)
{
    bool on = lock(&m->lock);
    if (m->owner != thread_current())
        panic("%s unlocks a mutex that it doesn't hold", thread_current()->name);
    m->owner = NULL;
    wake_one(&m->waiters);
    unlock(&m->lock, on);
}

void cond_init(struct condvar *c)
{
    c->lock = (struct lock){ .rank = LOCK_CONDVAR };
    waitq_init(&c->waiters);
}

bool cond_wait_until(struct condvar *c, struct mutex *m, uint64_t until)
{
    bool on = lock(&c->lock); /* nobody can signal between the unlock and the wait */
    mutex_unlock(m);
    bool in_time = wait_until(&c->waiters, &c->lock, "condition", until);
    unlock(&c->lock, on);
    mutex_lock(m);
    return in_time;
}

void cond_wait(struct condvar *c, struct mutex *m)
{
    cond_wait_until(c, m, NEVER);
}

void cond_signal(struct condvar *c)
{
    bool on = lock(&c->lock);
    wake_one(&c->waiters);
    unlock(&c->lock, on);
}

void cond_broadcast(struct condvar *c)
{
    bool on = lock(&c->lock);
    wake_all(&c->waiters);
    unlock(&c->lock, on);
}
