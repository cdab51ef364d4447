/* SPDX-License-Identifier: MIT
 *
 * Bringing up further vcpus: see vcpu.h.
 *
 * VCPUOP_initialise takes a whole vcpu's state. Ours is: in the kernel, at vcpu_entry, on the given stack,
 * with the kernel's page tables, the entries of traps.c, and GS at its struct pv_vcpu. It needs no GDT of its
 * own (the hypervisor's flat descriptors are in every GDT), no LDT, and a fresh FPU.
 */
#include "libpv/vcpu.h"
#include "libpv/errno.h"
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/lock.h"
#include "libpv/memory.h"
#include "libpv/shutdown.h"
#include "libpv/string.h"
#include "libpv/traps.h"

#define STACK_PAGES 8 /* of a vcpu that pv_vcpus_run starts */

struct pv_vcpu pv_vcpus[PV_MAX_VCPUS];
bool pv_several;

_Static_assert(sizeof(struct vcpu_info) == 64 && PAGE_SIZE % sizeof(struct pv_vcpu) == 0,
               "a struct pv_vcpu lies in one page, as VCPUOP_register_vcpu_info wants it");

void pv_spin(unsigned int n)
{
    if (n % 64 == 63)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    else
        __builtin_ia32_pause();
}

unsigned int pv_nr_vcpus(void)
{
    unsigned int n = 1;

    while (n < PV_MAX_VCPUS && HYPERVISOR_vcpu_op(VCPUOP_is_up, n, NULL) >= 0)
        n++;
    return n;
}

/* Moves a vcpu's vcpu_info out of shared_info into its struct pv_vcpu. */
static int place_info(unsigned int id)
{
    struct pv_vcpu *v = &pv_vcpus[id];
    struct vcpu_register_vcpu_info op = { .mfn = pv_virt_to_mfn(v).v,
                                          .offset = (uint32_t)((unsigned long)v & ~PAGE_MASK) };
    int err = (int)HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_info, id, &op);

    if (err)
        return err;
    v->self = v;
    v->id = id;
    return 0;
}

/* From the world of one vcpu to that of several, on vcpu 0. */
static int become_several(void)
{
    bool events = pv_events_off();
    int err = place_info(0);

    if (!err)
        err = (int)HYPERVISOR_set_segment_base(SEGBASE_GS_KERNEL, (unsigned long)&pv_vcpus[0]);
    if (!err)
        pv_several = true;
    pv_events_restore(events);
    return err;
}

static void vcpu_entry(struct pv_vcpu *v)
{
    pv_traps_init_vcpu();
    v->fn(v->arg);
    pv_events_off();
    HYPERVISOR_vcpu_op(VCPUOP_down, (unsigned int)v->id, NULL);
    pv_panic("libpv: vcpu %lu went down and came back", v->id);
}

int pv_vcpu_start(unsigned int id, void (*fn)(void *arg), void *arg, void *stack_top)
{
    static struct vcpu_guest_context c; /* 5 KB; vcpu 0's */
    struct pv_vcpu *v = &pv_vcpus[id];
    int err;

    if (id >= PV_MAX_VCPUS)
        return -EINVAL;
    err = pv_several ? 0 : become_several();
    memset(&c, 0, sizeof(c));
    c.flags = VGCF_in_kernel;
    c.user_regs.rip = (unsigned long)vcpu_entry;
    c.user_regs.rsp = ((unsigned long)stack_top & ~15UL) - 8; /* as after a call */
    c.user_regs.rdi = (unsigned long)v;
    c.user_regs.cs = PV_CS;
    c.user_regs.ss = PV_SS;
    c.kernel_ss = PV_SS;
    c.kernel_sp = (unsigned long)stack_top & ~15UL;
    c.ctrlreg[3] = pv_virt_to_mfn(pv_kernel_l4()).v << PAGE_SHIFT;
    c.gs_base_kernel = (unsigned long)v;
    pv_traps_fill(&c);
    v->fn = fn;
    v->arg = arg;
    if (!err)
        err = place_info(id);
    if (!err)
        err = (int)HYPERVISOR_vcpu_op(VCPUOP_initialise, id, &c);
    v->info.evtchn_upcall_mask = 1;
    return err ? err : (int)HYPERVISOR_vcpu_op(VCPUOP_up, id, NULL);
}

/* ---- one function on all of them ---- */

static struct {
    void (*fn)(void *arg);
    void *arg;
    uint32_t done;
} all;

static void run_one(void *unused)
{
    (void)unused;
    all.fn(all.arg);
    __atomic_fetch_add(&all.done, 1, __ATOMIC_RELEASE);
}

/* The end of a new stack, or NULL. Below it lies a page where nothing is. */
static void *make_stack(void)
{
    char *at = pv_vaddr_reserve(1 + STACK_PAGES);

    for (unsigned int i = 1; at && i <= STACK_PAGES; i++) {
        void *page = pv_page_alloc();

        if (!page || pv_map((unsigned long)at + i * PAGE_SIZE, pv_pte(pv_virt_to_mfn(page), PTE_KERNEL)))
            return NULL;
    }
    return at ? at + (1 + STACK_PAGES) * PAGE_SIZE : NULL;
}

int pv_vcpus_run(void (*fn)(void *arg), void *arg)
{
    unsigned int n = pv_nr_vcpus(), started = 1;
    int err = 0;

    all.fn = fn;
    all.arg = arg;
    for (; started < n && !err; started += !err) {
        void *stack = make_stack();

        err = stack ? pv_vcpu_start(started, run_one, NULL, stack) : -ENOMEM;
    }
    run_one(NULL);
    for (unsigned int turns = 0; __atomic_load_n(&all.done, __ATOMIC_ACQUIRE) < started; turns++)
        pv_spin(turns);
    return err;
}
