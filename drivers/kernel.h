/* SPDX-License-Identifier: MIT
 *
 * What the drivers need from the kernel that links them: memory, a lock and a way to wait.
 *
 * Drivers know no threads. Each says which of its functions run in the event upcall ("upcall-safe": short,
 * never wait) and which need a thread ("thread": they talk to xenstore or wait). Work that an event brings is
 * noted by the upcall and done by a call that the kernel makes from a thread of its own (xenbus_work,
 * blkback_work, ...).
 *
 * drv_alloc and drv_free are the kernel's to define (pvkernel: kmalloc; tests: malloc). Waiting goes by
 * drv_waiter, which blocks the vcpu until a threaded kernel puts its own there.
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
