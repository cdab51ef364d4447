/* SPDX-License-Identifier: MIT
 *
 * What the drivers need from the kernel that links them: memory, a lock and a way to wait.
 *
 * Drivers know no threads. Each says which of its functions run in the event upcall ("upcall-safe": short,
 * never wait) and which need a thread ("thread": they talk to xenstore or wait). Work that an event brings is
 * noted by the upcall and done by a call that the kernel makes from a thread of its own (xenbus_work,
 * blkback_work, ...).
 *
 * drv_alloc, drv_free and drv_memory_low are the kernel's to define (pvkernel: kmalloc; tests: malloc).
 * Waiting goes by drv_waiter, which blocks the vcpu until a threaded kernel puts its own there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "libpv/event.h"
#include "libpv/lock.h"

/* Zeroed memory, aligned for any type, or NULL. May be called with events off. */
void *drv_alloc(size_t bytes);
/* NULL is allowed. */
void drv_free(void *p);
/* What is left is for this domain's own needs: nothing more for what others have us keep. */
bool drv_memory_low(void);

struct drv_waiter {
    /* Thread: returns once ready(arg) is true. ready is upcall-safe and may be called at any time, with
     * events off too. */
    void (*wait)(bool (*ready)(void *arg), void *arg);
    /* Upcall-safe: something that a ready() looks at may have changed; all that wait look again. */
    void (*wake)(void);
};
/* Replaced at start-up by a kernel that has threads. The default loops on SCHEDOP_block. */
extern const struct drv_waiter *drv_waiter;

static inline void drv_wait(bool (*ready)(void *arg), void *arg)
{
    drv_waiter->wait(ready, arg);
}

static inline void drv_wake(void)
{
    drv_waiter->wake();
}

/* What the service thread has to do for one peer (a frontend, a console, a client of xenstore). Whoever has
 * work for it notes it; the thread takes it. */
struct drv_work {
    bool pending;
    bool *any; /* some work of this kind is pending: the kind's own flag */
};

/* Thread: there is more to do in the next round. */
static inline void drv_work_again(struct drv_work *w)
{
    __atomic_store_n(&w->pending, true, __ATOMIC_RELEASE);
    __atomic_store_n(w->any, true, __ATOMIC_RELEASE);
}

/* Upcall-safe. */
static inline void drv_work_note(struct drv_work *w)
{
    drv_work_again(w);
    drv_wake();
}

/* The upcall of the peer's port, data: its struct drv_work. The port is masked until the thread has done the
 * work and unmasks it: a storm costs one event (XSA-331). */
static inline void drv_work_event(unsigned int port, void *data)
{
    pv_event_mask(port);
    drv_work_note(data);
}

/* Upcall-safe: is some work of the kind pending? */
static inline bool drv_work_waits(const bool *any)
{
    return __atomic_load_n(any, __ATOMIC_ACQUIRE);
}

/* Thread: a round over all peers of the kind begins. */
static inline void drv_work_begin(bool *any)
{
    __atomic_store_n(any, false, __ATOMIC_SEQ_CST);
}

/* Thread: whether the peer's work was pending; it is not any more. */
static inline bool drv_work_take(struct drv_work *w)
{
    return __atomic_exchange_n(&w->pending, false, __ATOMIC_ACQUIRE);
}

/* libpv's spin lock, under a name of our own: it keeps event upcalls off this vcpu while it is held; zero is
 * free. */
struct drv_lock {
    struct pv_lock pv;
};

/* Returns what drv_unlock wants back: whether events were on. */
static inline bool drv_lock(struct drv_lock *l)
{
    return pv_lock_take(&l->pv);
}

static inline void drv_unlock(struct drv_lock *l, bool events)
{
    pv_lock_drop(&l->pv, events);
}
