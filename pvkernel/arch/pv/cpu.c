/* SPDX-License-Identifier: MIT
 *
 * Core's CPUs are the domain's vcpus: their start, and the interrupts that they send each other. Each has a
 * VIRQ_TIMER and an IPI port of its own. An IPI says nothing but "look": an idle vcpu at the run queue, and
 * any at whether the address space that it has loaded shall go (aspace.c). Read next: libpv/vcpu.h.
 */
#include "libpv/vcpu.h"
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/lock.h"
#include "pvkernel/arch/pv/pv.h"
#include "pvkernel/core/arch.h"
#include "pvkernel/core/lib.h"

_Static_assert(CPUS_MAX <= PV_MAX_VCPUS, "core's CPUs are libpv's vcpus");

static int ipi_port[CPUS_MAX]; /* 0: not there yet */

static void timer_event(unsigned port, void *data)
{
    (void)port, (void)data;
    core_timer();
}

static void ipi_event(unsigned port, void *data)
{
    (void)port, (void)data;
    pv_aspace_look();
}

static void bind_ipi(void)
{
    int port = pv_event_bind_ipi(ipi_event, NULL);
    if (port < 0)
        panic("no IPIs: bind_ipi gave %d", port);
    __atomic_store_n(&ipi_port[pv_vcpu_id()], port, __ATOMIC_RELEASE);
}

void pv_cpu_setup(void)
{
    HYPERVISOR_fpu_taskswitch(0);
    int port = pv_event_bind_virq(VIRQ_TIMER, timer_event, NULL);
    if (port < 0)
        panic("no timer: bind_virq gave %d", port);
    if (pv_several)
        bind_ipi();
}

unsigned arch_cpu_count(void)
{
    return pv_nr_vcpus();
}

static void cpu_entry(void *unused)
{
    (void)unused;
    pv_cpu_setup();
    core_cpu_main();
}

int arch_cpu_start(unsigned n, void *top, struct thread *current)
{
    pv_vcpus[n].data = current;
    int error = pv_vcpu_start(n, cpu_entry, NULL, top);
    if (!error && !ipi_port[0])
        bind_ipi();
    return error;
}

void arch_cpu_kick(unsigned n)
{
    int port = __atomic_load_n(&ipi_port[n], __ATOMIC_ACQUIRE);
    if (port && pv_event_send((unsigned)port))
        panic("the IPI port %d was refused", port);
}

void arch_spin(unsigned n)
{
    pv_spin(n);
}

struct thread *arch_current(void)
{
    return pv_several ? (struct thread *)PV_VCPU_READ(data) : pv_vcpus[0].data;
}

void arch_set_current(struct thread *t)
{
    pv_vcpu_self()->data = t;
}

uint64_t arch_interrupts(unsigned n)
{
    return pv_vcpus[n].upcalls;
}
