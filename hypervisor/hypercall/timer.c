/* SPDX-License-Identifier: MIT
 *
 * set_timer_op: the calling vcpu's single-shot timer.
 */
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "x86/percpu.h"

#define FAR_AWAY (1ULL << 50) /* ns, 13 days */
#define SOON     100000000    /* ns */

/* A deadline in the past fires at once; 0 stops the timer. A deadline that wrapped around, or is weeks ahead,
 * means in old guests either "now" or "never": like Xen, 100 ms serve both. */
long do_set_timer_op(uint64_t deadline, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;

    (void)a2, (void)a3, (void)a4, (void)a5;
    if (unlikely(!deadline)) {
        timer_stop(&v->singleshot);
        return 0;
    }
    if (unlikely((int64_t)deadline < 0 || deadline >= FAR_AWAY)) {
        uint64_t now = now_ns();

        if ((int64_t)deadline < 0 || deadline - now >= FAR_AWAY)
            deadline = now + SOON;
    }
    timer_set(&v->singleshot, deadline);
    return 0;
}
