/* SPDX-License-Identifier: MIT
 *
 * What is done on the slow way out to a guest, and in the idle loop: what interrupts left in cpu->work.
 */
#include "domain/console.h"
#include "domain/domain.h"
#include "lib/lock.h"
#include "x86/cpu.h"

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

void cpu_exit_work(void)
{
    struct vcpu *v = current;

    cpu_serve_work();
    if (take(this_cpu(), WORK_AREAS) && v && v->kernel_mode)
        vcpu_update_areas(v);
    if (take(this_cpu(), WORK_SCHEDULE))
        schedule();
}

void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}
