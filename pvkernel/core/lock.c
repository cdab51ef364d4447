/* SPDX-License-Identifier: MIT
 *
 * Spin locks: see lock.h. Each CPU remembers the ranks that it holds, a bit each.
 */
#include "pvkernel/core/lock.h"
#include "pvkernel/core/arch.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/thread.h"

volatile unsigned cpus_online = 1;

bool lock(struct lock *l)
{
    bool on = arch_irq_save();
    struct thread *t = arch_current(); /* NULL: before there are threads */
    if (t && t->cpu->ranks >> l->rank)
        panic("a lock of rank %u is taken with 0x%x held", l->rank, t->cpu->ranks);
    if (t)
        t->cpu->ranks |= 1u << l->rank;
    if (cpus_online > 1)
        for (unsigned n = 0; __atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE); n++)
            arch_spin(n);
    return on;
}

void unlock(struct lock *l, bool irq_on)
{
    struct thread *t = arch_current();
    if (t)
        t->cpu->ranks &= ~(1u << l->rank);
    __atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
    arch_irq_restore(irq_on);
}
