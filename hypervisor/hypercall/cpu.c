/* SPDX-License-Identifier: MIT
 *
 * Hypercalls about the processor as the guest sees it: trap table, callbacks, kernel stack, segment bases,
 * FPU's TS bit, debug registers. Where the values end up is x86/switch.h's struct vcpu_arch; who uses them is
 * domain/bounce.c.
 */
#include "domain/domain.h"
#include <xen/callback.h>
#include "hypercall/hypercall.h"
#include "x86/copy.h"
#include "x86/cpu.h"
#include "x86/segment.h"
#include "x86/trap.h"

/* Ring 3 is the only one there is: selectors get RPL 3. */
static uint16_t guest_selector(uint64_t sel)
{
    return (uint16_t)(sel | 3);
}

/* A list that ends with an address of 0; no list: all rows are cleared. */
long do_set_trap_table(uint64_t traps, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;
    struct trap_info t;

    (void)a2, (void)a3, (void)a4, (void)a5;
    if (!traps) {
        for (unsigned int i = 0; i < 256; i++)
            v->arch.traps[i] = (struct trap_info){ 0 };
        return 0;
    }
    for (;;) {
        if (copy_from_guest(&t, traps, sizeof(t)))
            return refuse(-EFAULT, R_BAD_POINTER, traps, 0);
        if (!t.address)
            return 0;
        if (!is_canonical(t.address))
            return refuse(-EINVAL, R_NON_CANONICAL, t.address, 0);
        t.cs = guest_selector(t.cs);
        v->arch.traps[t.vector] = t;
        traps += sizeof(t);
        if (preempt_pending())
            return hypercall_restart(__HYPERVISOR_set_trap_table, 1, &traps);
    }
}

long do_stack_switch(uint64_t ss, uint64_t sp, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;

    (void)a3, (void)a4, (void)a5;
    v->arch.kernel_ss = guest_selector(ss);
    v->arch.kernel_sp = sp;
    return 0;
}

static long register_callback(struct vcpu *v, uint16_t type, bool masks, uint64_t address)
{
    if (!is_canonical(address))
        return refuse(-EINVAL, R_NON_CANONICAL, address, 0);
    switch (type) {
    case CALLBACKTYPE_event:
        v->arch.event_callback = address;
        return 0;
    case CALLBACKTYPE_failsafe:
        v->arch.failsafe_callback = address;
        v->arch.failsafe_masks_events = masks;
        return 0;
    case CALLBACKTYPE_syscall:
        v->arch.syscall_callback = address;
        v->arch.syscall_masks_events = masks;
        return 0;
    case CALLBACKTYPE_syscall32:
        v->arch.syscall32.eip = address;
        v->arch.syscall32.cs = FLAT_KERNEL_CS;
        v->arch.syscall32.masks_events = masks;
        return 0;
    case CALLBACKTYPE_sysenter:
        v->arch.sysenter.eip = address;
        v->arch.sysenter.cs = FLAT_KERNEL_CS;
        v->arch.sysenter.masks_events = masks;
        return 0;
    case CALLBACKTYPE_nmi:
        v->arch.traps[VEC_NMI] =
            (struct trap_info){ .vector = VEC_NMI, .flags = 4, .cs = FLAT_KERNEL_CS, .address = address };
        return 0;
    default:
        return refuse(-ENOSYS, R_NO_SUCH_CALLBACK, type, 0);
    }
}

static long unregister_callback(struct vcpu *v, uint16_t type)
{
    switch (type) {
    case CALLBACKTYPE_event:
    case CALLBACKTYPE_failsafe:
    case CALLBACKTYPE_syscall:
    case CALLBACKTYPE_sysenter:
        return refuse(-EINVAL, R_CALLBACK_STAYS, type, 0);
    case CALLBACKTYPE_nmi:
        v->arch.traps[VEC_NMI] = (struct trap_info){ 0 };
        return 0;
    default:
        return refuse(-ENOSYS, R_NO_SUCH_CALLBACK, type, 0);
    }
}

/* Failures of single ones aren't reported, as in Xen. */
long do_set_callbacks(uint64_t event, uint64_t failsafe, uint64_t system_call, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;

    (void)a4, (void)a5;
    register_callback(v, CALLBACKTYPE_event, true, event);
    register_callback(v, CALLBACKTYPE_failsafe, false, failsafe);
    register_callback(v, CALLBACKTYPE_syscall, false, system_call);
    return 0;
}

long do_callback_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct callback_register reg;
    struct callback_unregister unreg;

    (void)a3, (void)a4, (void)a5;
    switch ((uint32_t)cmd) {
    case CALLBACKOP_register:
        if (copy_from_guest(&reg, arg, sizeof(reg)))
            return refuse(-EFAULT, R_BAD_POINTER, arg, 0);
        return register_callback(current, reg.type, reg.flags & CALLBACKF_mask_events, reg.address);
    case CALLBACKOP_unregister:
        if (copy_from_guest(&unreg, arg, sizeof(unreg)))
            return refuse(-EFAULT, R_BAD_POINTER, arg, 0);
        return unregister_callback(current, unreg.type);
    default:
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_callback_op, cmd);
    }
}

static __attribute__((noinline)) long set_base_slowly(uint64_t which, uint64_t base)
{
    int rc = set_segment_base(current, (unsigned int)which, base);

    return likely(!rc) ? 0 : refuse(rc, R_SEGMENT_BASE, which, base);
}

/* The three bases at once; selectors and refusals by the general way. A hypercall comes from kernel mode. */
long do_set_segment_base(uint64_t which, uint64_t base, uint64_t a3, uint64_t a4, uint64_t a5)
{
    (void)a3, (void)a4, (void)a5;
    if (unlikely(!is_canonical(base)))
        return set_base_slowly(which, base);
    if ((uint32_t)which == SEGBASE_FS)
        write_fs_base(base);
    else if ((uint32_t)which == SEGBASE_GS_KERNEL)
        write_gs_base(base);
    else if ((uint32_t)which == SEGBASE_GS_USER)
        write_gs_other(base);
    else
        return set_base_slowly(which, base);
    return 0;
}

long do_fpu_taskswitch(uint64_t set, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    (void)a2, (void)a3, (void)a4, (void)a5;
    set_guest_ts(current, (uint32_t)set != 0);
    return 0;
}

long do_set_debugreg(uint64_t reg, uint64_t value, uint64_t a3, uint64_t a4, uint64_t a5)
{
    int rc = set_debugreg(current, (uint32_t)reg, value);

    (void)a3, (void)a4, (void)a5;
    return likely(!rc) ? 0 : refuse(rc, R_DEBUG_REGISTER, reg, value);
}

long do_get_debugreg(uint64_t reg, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    uint64_t value;
    int rc = get_debugreg(current, (uint32_t)reg, &value);

    (void)a2, (void)a3, (void)a4, (void)a5;
    return likely(!rc) ? (long)value : refuse(rc, R_DEBUG_REGISTER, reg, 0);
}
