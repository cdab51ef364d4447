/* SPDX-License-Identifier: MIT
 *
 * What is done on the slow way out to a guest, and in the idle loop: what interrupts left in cpu->work.
 */
#include "domain/bounce.h"
#include "domain/console.h"
#include "domain/domain.h"
#include "lib/lock.h"
#include "x86/cpu.h"
#include "x86/trap.h"

void cpu_exit_work(void); /* entry.S */

/* The bits of `which` that were set; they are clear then. */
static uint32_t take(struct cpu *c, uint32_t which)
{
    return __atomic_fetch_and(&c->work, ~which, __ATOMIC_RELAXED) & which;
}

void cpu_serve_work(void)
{
    uint32_t work = take(this_cpu(), WORK_TIMER | WORK_CONSOLE);

    if (work & WORK_TIMER)
        timer_run();
    if (work & WORK_CONSOLE)
        console_input();
}

/* VCPUOP_send_nmi: waits until the guest has a handler (CALLBACKTYPE_nmi). */
static void deliver_nmi(struct vcpu *v)
{
    if (likely(!v->nmi_pending) || !v->arch.traps[VEC_NMI].address)
        return;
    v->nmi_pending = false;
    bounce_plain(v, VEC_NMI);
}

void cpu_exit_work(void)
{
    struct vcpu *v = current;

    cpu_serve_work();
    if (take(this_cpu(), WORK_AREAS) && v && v->kernel_mode)
        vcpu_update_areas(v);
    if (take(this_cpu(), WORK_SCHEDULE))
        schedule();
    deliver_nmi(current);
}

void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}
