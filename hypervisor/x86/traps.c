/* SPDX-License-Identifier: MIT
 *
 * What each vector does: the C end of entry.S.
 *
 * An exception of the guest is bounced to its own handler (domain/bounce.c) unless it is ours to serve: a
 * page fault that mm understands, a privileged instruction of a guest kernel. An interrupt only leaves a bit
 * in cpu->work, which is served on the slow way out to a guest and in the idle loop. A fault in ring 0 has a
 * row in the exception table, or is a bug.
 */
#include "x86/trap.h"
#include "domain/bounce.h"
#include "domain/console.h"
#include "domain/domain.h"
#include "domain/emulate.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/descriptor.h"
#include "mm/paging.h"
#include "mm/tlb.h"
#include "x86/cpu.h"
#include "x86/descriptor.h"
#include "x86/msr.h"

/* Called by entry.S only. */
void trap_ring0(struct cpu_user_regs *r);
void trap_ist(struct cpu_user_regs *r);
void trap_exit_fault(void);
void cpu_exit_work(void);

typedef void (*trap_fn)(struct vcpu *v);

/* --- Interrupts: also in ring 0, in cpu_window() and cpu_halt(). They change nothing but cpu->work,
 * and flush. */

static bool interrupt(unsigned int vector)
{
    struct cpu *c = this_cpu();

    if (vector == VEC_TIMER) {
        cpu_set_work(c, WORK_TIMER);
        apic_eoi();
    } else if (vector == VEC_WORK) {
        apic_eoi(); /* the work is set already */
    } else if (vector == VEC_FLUSH) {
        apic_eoi();
        tlb_serve();
    } else if (vector >= VEC_PIC && vector < VEC_PIC + 16) {
        if (pic_ack(vector - VEC_PIC) && vector == VEC_PIC + IRQ_COM1)
            cpu_set_work(c, WORK_CONSOLE);
    } else if (vector != VEC_SPURIOUS) {
        return false;
    }
    return true;
}

static void guest_interrupt(struct vcpu *v)
{
    interrupt(v->regs.entry_vector);
}

/* The bits of `which` that were set; they are clear then. */
static uint32_t take(struct cpu *c, uint32_t which)
{
    return __atomic_fetch_and(&c->work, ~which, __ATOMIC_RELAXED) & which;
}

void cpu_serve_work(void)
{
    uint32_t work = take(this_cpu(), WORK_TIMER | WORK_CONSOLE | WORK_SLICE | WORK_EVENT | WORK_STOP);

    if (work & WORK_STOP)
        cpus_park();
    if (work & WORK_TIMER)
        timer_run();
    if (work & WORK_CONSOLE)
        console_input();
    if (work & WORK_SLICE)
        sched_limit_slice();
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

void cpu_relax_called(void)
{
    __asm__ volatile("pause" ::: "memory");
    tlb_serve();
}

/* --- Exceptions of the guest
 * ----------------------------------------------------------------------------------- */

static void plain(struct vcpu *v)
{
    bounce_plain(v, v->regs.entry_vector);
}

static void with_code(struct vcpu *v)
{
    bounce_with_code(v, v->regs.entry_vector, v->regs.error_code);
}

static void general_protection(struct vcpu *v)
{
    if (!emulate_gp(v, v->regs.error_code))
        bounce_with_code(v, VEC_GP, v->regs.error_code);
}

static void invalid_opcode(struct vcpu *v)
{
    if (!emulate_ud(v))
        bounce_plain(v, VEC_UD);
}

/* Ours are only faults in Parador's own space (the LDT window) and writes to present pages; all others go
 * straight to the guest. */
static void page_fault(struct vcpu *v)
{
    uint64_t cr2 = read_cr2();
    uint32_t code = v->regs.error_code;

    if (likely(cr2 - HV_VIRT_START >= HV_VIRT_END - HV_VIRT_START && ~code & (PF_PRESENT | PF_WRITE)))
        bounce_page_fault(v, cr2, code);
    else if (!v->domain->paging->fault(v, cr2, code))
        bounce_page_fault(v, ldt_guest_address(v, cr2), code);
}

/* TS is the guest's own bit; the fault clears it, as if it had executed clts already. */
static void no_fpu(struct vcpu *v)
{
    if (v->arch.cr0_ts) {
        set_guest_ts(v, false);
        bounce_plain(v, VEC_NM);
    }
}

const trap_fn trap_table[256] = {
    [0 ... 5] = plain, /* 1 and 2 have stacks of their own */
    [VEC_UD] = invalid_opcode,
    [VEC_NM] = no_fpu,
    [8 ... 9] = plain,
    [VEC_TS] = with_code,
    [VEC_NP] = with_code,
    [VEC_SS] = with_code,
    [VEC_GP] = general_protection,
    [VEC_PF] = page_fault,
    [15 ... 16] = plain,
    [VEC_AC] = with_code,
    [18 ... 20] = plain,
    [21] = with_code,
    [22 ... 28] = plain,
    [29 ... 30] = with_code,
    [31] = plain,
    [32 ... 255] = guest_interrupt,
};

/* Our iretq on the guest's behalf faulted: its selectors are bad. The exception is the guest's own. */
void trap_exit_fault(void)
{
    const struct cpu *c = this_cpu();

    if (ERROR_CODE_VECTORS >> c->fault_vector & 1)
        bounce_with_code(c->vcpu, c->fault_vector, c->fault_error);
    else
        bounce_plain(c->vcpu, c->fault_vector);
}

/* --- Ring 0
 * ---------------------------------------------------------------------------------------------------- */

/* Instructions of Parador that may fault, and where to go on if they do: pairs of self-relative offsets that
 * the linker collects (x86/copy.h shows one). A few dozen rows, and a fault is rare: searched from the start.
 */
extern const struct extable {
    int32_t insn, fixup;
} __extable_start[], __extable_end[];

/* 0: the instruction at rip has no row. */
static uint64_t extable_find(uint64_t rip)
{
    for (const struct extable *r = __extable_start; r < __extable_end; r++) {
        if ((uint64_t)&r->insn + (uint64_t)(int64_t)r->insn == rip)
            return (uint64_t)&r->fixup + (uint64_t)(int64_t)r->fixup;
    }
    return 0;
}

void trap_ring0(struct cpu_user_regs *r)
{
    struct cpu *c = this_cpu();
    uint64_t cr2 = read_cr2(), fixup;

    if (r->entry_vector >= 32 && interrupt(r->entry_vector))
        return;
    /* The processor reads a guest's descriptor in our iretq or segment load: the page may not be there yet.
     */
    if (r->entry_vector == VEC_PF && cr2 - ldt_window() < 16 * PAGE_SIZE &&
        c->vcpu->domain->paging->fault(c->vcpu, cr2, r->error_code))
        return;
    fixup = extable_find(r->rip);
    if (fixup) {
        c->fault_vector = r->entry_vector;
        c->fault_error = r->error_code;
        r->rip = fixup;
        return;
    }
    say("\nparador: exception %u in ring 0\n", r->entry_vector);
    print_regs(r);
    BUG("exception %u, error code %x, at %llx, cr2 %llx", r->entry_vector, r->error_code,
        (unsigned long long)r->rip, (unsigned long long)cr2);
}

/*
 * #DB of the guest goes on like any other exception, once its frame is in current->regs. A guest can also
 * make it arrive in ring 0 (mov ss before SYSCALL or int, XSA-260): not Parador's, forget it.
 */
static void debug_exception(struct cpu_user_regs *r)
{
    uint64_t dr6 = debugreg_take_dr6();
    struct vcpu *v = current;

    if (!(r->cs & 3)) {
        r->rflags &= ~(uint64_t)RFLAGS_TF;
        return;
    }
    memcpy(&v->regs, r, offsetof(struct cpu_user_regs, es));
    v->arch.debugreg[6] |= dr6 & 0xe00f;
    bounce_plain(v, VEC_DB);
    enter_guests();
}

/* The vectors with stacks of their own. NMI: counted and forgotten, wherever it came. #MC and #DF are the
 * end. */
void trap_ist(struct cpu_user_regs *r)
{
    if (r->entry_vector == VEC_DB) {
        debug_exception(r);
    } else if (r->entry_vector == VEC_NMI) {
        this_cpu()->nmis++;
    } else {
        print_regs(r);
        BUG("%s at %llx", r->entry_vector == VEC_MC ? "machine check" : "double fault",
            (unsigned long long)r->rip);
    }
}
