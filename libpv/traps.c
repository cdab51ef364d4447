/* SPDX-License-Identifier: MIT
 *
 * The virtual IDT: which C function answers which vector. The entries themselves, and the way back, are in
 * traps_entry.S; the contract of handlers is in traps.h. The event upcall's handler is in event.c.
 */
#include "libpv/traps.h"
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/print.h"
#include "libpv/shutdown.h"
#include "libpv/start.h"

/* What traps_entry.S knows about struct pv_regs. */
_Static_assert(offsetof(struct pv_regs, vector) == 96, "traps_entry.S: R_VECTOR");
_Static_assert(offsetof(struct pv_regs, error) == 128, "traps_entry.S: R_ERROR");
_Static_assert(offsetof(struct pv_regs, cs) == 144, "traps_entry.S: R_CS");
_Static_assert(offsetof(struct pv_regs, rflags) == 152, "traps_entry.S: R_RFLAGS");
_Static_assert(offsetof(struct pv_regs, ss) == 168, "traps_entry.S: R_SS");
_Static_assert(sizeof(struct pv_regs) == 176, "a multiple of 16 keeps the stack aligned");
_Static_assert(offsetof(struct vcpu_info, evtchn_upcall_mask) == 1, "traps_entry.S: UPCALL_MASK");
_Static_assert(PV_VECTOR_SYSCALL == 258, "traps_entry.S: VECTOR_SYSCALL");
_Static_assert(offsetof(struct pv_vcpu, info) == 0, "traps_entry.S: VCPU_MASK");

extern char pv_entry_stubs[], pv_entry_event[], pv_entry_failsafe[], pv_entry_syscall[], pv_entry_syscall32[];
void pv_trap_late_events(struct pv_regs *r);

/* Written by pv_set_trap_handler; NULL is the default, pv_trap_unexpected. */
static pv_trap_fn handlers[PV_NR_VECTORS];
void (*pv_exit_hook)(struct pv_regs *r);

void pv_print_regs(const struct pv_regs *r)
{
    pv_printf("rip %016lx cs %04x  rflags %08lx  rsp %016lx ss %04lx  %s\n", r->rip, r->cs, r->rflags, r->rsp,
              r->ss, pv_from_user(r) ? "user" : "kernel");
    pv_printf("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    pv_printf("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", r->rsi, r->rdi, r->rbp, r->r8);
    pv_printf("r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", r->r9, r->r10, r->r11, r->r12);
    pv_printf("r13 %016lx r14 %016lx r15 %016lx\n", r->r13, r->r14, r->r15);
}

static void unexpected(struct pv_regs *r)
{
    pv_printf("unexpected trap %lu, error code %lx, cr2 %016lx\n", r->vector, r->error, pv_fault_address());
    pv_print_regs(r);
    pv_crash();
}

/* Events are masked here, and stay so for the exit path even when a handler let them in. */
static void before_exit(struct pv_regs *r)
{
    pv_events_off();
    if (pv_exit_hook) {
        pv_exit_hook(r);
        pv_events_off();
    }
}

void pv_trap_dispatch(struct pv_regs *r)
{
    pv_trap_fn fn = handlers[r->vector];

    /* A debugger's or a test's own trap table may have let events through. */
    pv_vcpu_info()->evtchn_upcall_mask = 1;
    (fn ? fn : unexpected)(r);
    before_exit(r);
}

/* On the way out events were found pending. */
void pv_trap_late_events(struct pv_regs *r)
{
    pv_event_upcall(r);
    before_exit(r);
}

static struct trap_info trap_entry(unsigned int vector, unsigned int dpl)
{
    return (struct trap_info){ .vector = (uint8_t)vector,
                               .flags = (uint8_t)(dpl | 4),
                               .cs = PV_CS,
                               .address = (unsigned long)pv_entry_stubs + 32UL * vector };
}

static int load(unsigned int vector, unsigned int dpl)
{
    struct trap_info t[2] = { trap_entry(vector, dpl), { 0 } };

    return (int)HYPERVISOR_set_trap_table(t);
}

/* At the start int3 and into are the programs' too. */
static unsigned int first_dpl(unsigned int vector)
{
    return vector == 3 || vector == 4 ? 3 : 0;
}

int pv_set_trap_dpl(unsigned int vector, unsigned int dpl)
{
    return load(vector, dpl);
}

static void register_callback(uint16_t type, const char *entry)
{
    struct callback_register c = { .type = type,
                                   .flags = CALLBACKF_mask_events,
                                   .address = (unsigned long)entry };

    if (HYPERVISOR_callback_op(CALLBACKOP_register, &c))
        pv_printf("libpv: callback %u was refused\n", type);
}

pv_trap_fn pv_set_trap_handler(unsigned int vector, pv_trap_fn fn)
{
    pv_trap_fn before = handlers[vector];

    handlers[vector] = fn;
    if (vector == PV_VECTOR_SYSCALL)
        register_callback(CALLBACKTYPE_syscall, pv_entry_syscall);
    if (vector == PV_VECTOR_SYSCALL32)
        register_callback(CALLBACKTYPE_syscall32, pv_entry_syscall32);
    return before;
}

unsigned long pv_fault_address(void)
{
    return pv_vcpu_info()->arch.cr2;
}

void pv_traps_init(void)
{
    for (unsigned int v = 0; v < 32; v++) {
        if (load(v, first_dpl(v)))
            pv_crash();
    }
    handlers[PV_VECTOR_EVENT] = pv_event_upcall;
    register_callback(CALLBACKTYPE_event, pv_entry_event);
    register_callback(CALLBACKTYPE_failsafe, pv_entry_failsafe);
}

void pv_traps_fill(struct vcpu_guest_context *c)
{
    for (unsigned int v = 0; v < 32; v++)
        c->trap_ctxt[v] = trap_entry(v, first_dpl(v));
    c->flags |= VGCF_failsafe_disables_events | VGCF_syscall_disables_events;
    c->event_callback_eip = (unsigned long)pv_entry_event;
    c->failsafe_callback_eip = (unsigned long)pv_entry_failsafe;
    if (handlers[PV_VECTOR_SYSCALL])
        c->syscall_callback_eip = (unsigned long)pv_entry_syscall;
}

void pv_traps_init_vcpu(void)
{
    if (handlers[PV_VECTOR_SYSCALL32])
        register_callback(CALLBACKTYPE_syscall32, pv_entry_syscall32);
}
