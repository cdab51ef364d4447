/* SPDX-License-Identifier: MIT
 *
 * Hypercalls about the processor as the guest sees it: trap table, callbacks, kernel stack, segment bases,
 * FPU's TS bit, debug registers. Where the values end up is x86/switch.h's struct vcpu_arch; who uses them is
 * domain/bounce.c.
 */
#include "hypercall/hypercall.h"
#include <xen/callback.h>
#include "lib/string.h"
#include "x86/cpu.h"
#include "x86/segment.h"
#include "x86/trap.h"

/* A list that ends with an address of 0; no list: all rows are cleared. Selectors get RPL 3, here and in
 * stack_switch: ring 3 is the only one there is. */
long do_set_trap_table(uint64_t traps, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;
    struct trap_info t;

    if (!traps) {
        memset(v->arch.traps, 0, 256 * sizeof(t));
        return 0;
    }
    for (;;) {
        if (copy_from_guest(&t, traps, sizeof(t)))
            return refuse(-EFAULT, R_BAD_POINTER, traps, 0);
        if (!t.address)
            return 0;
        if (!is_canonical(t.address))
            return refuse(-EINVAL, R_NON_CANONICAL, t.address, 0);
        t.cs = (uint16_t)(t.cs | 3);
        v->arch.traps[t.vector] = t;
        traps += sizeof(t);
        if (preempt_pending())
            return hypercall_restart(__HYPERVISOR_set_trap_table, 1, &traps);
    }
}

long do_stack_switch(uint64_t ss, uint64_t sp, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;

    v->arch.kernel_ss = (uint16_t)(ss | 3);
    v->arch.kernel_sp = sp;
    return 0;
}

static long register_callback(struct vcpu *v, uint16_t type, bool masks, uint64_t address)
{
    __typeof__(v->arch.sysenter) *other;

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
    case CALLBACKTYPE_sysenter:
        other = type == CALLBACKTYPE_sysenter ? &v->arch.sysenter : &v->arch.syscall32;
        other->eip = address;
        other->cs = FLAT_KERNEL_CS;
        other->masks_events = masks;
        return 0;
    case CALLBACKTYPE_nmi:
        v->arch.traps[VEC_NMI] =
            (struct trap_info){ .vector = VEC_NMI, .flags = 4, .cs = FLAT_KERNEL_CS, .address = address };
        return 0;
    default:
        return refuse(-ENOSYS, R_NO_SUCH_CALLBACK, type, 0);
    }
}

static long op_unregister(struct vcpu *v, uint32_t op, void *arg)
{
    uint16_t type = ((struct callback_unregister *)arg)->type;

    switch (type) {
    case CALLBACKTYPE_event:
    case CALLBACKTYPE_failsafe:
    case CALLBACKTYPE_syscall:
    case CALLBACKTYPE_syscall32:
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

    register_callback(v, CALLBACKTYPE_event, true, event);
    register_callback(v, CALLBACKTYPE_failsafe, false, failsafe);
    register_callback(v, CALLBACKTYPE_syscall, false, system_call);
    return 0;
}

static long op_register(struct vcpu *v, uint32_t op, void *arg)
{
    const struct callback_register *r = arg;

    return register_callback(v, r->type, r->flags & CALLBACKF_mask_events, r->address);
}

static const struct sub_op callback_ops[] = {
    [CALLBACKOP_register] = { .fn = op_register, IN(struct callback_register) },
    [CALLBACKOP_unregister] = { .fn = op_unregister, IN(struct callback_unregister) },
};

long do_callback_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4, uint64_t a5)
{
    return sub_op(__HYPERVISOR_callback_op, callback_ops, ARRAY_SIZE(callback_ops), current, (uint32_t)cmd,
                  arg);
}

static __attribute__((noinline)) long set_base_slowly(uint64_t which, uint64_t base)
{
    int rc = set_segment_base(current, (unsigned int)which, base);

    return likely(!rc) ? 0 : refuse(rc, R_SEGMENT_BASE, which, base);
}

/* The three bases at once; selectors and refusals by the general way. A hypercall comes from kernel mode. */
long do_set_segment_base(uint64_t which, uint64_t base, uint64_t a3, uint64_t a4, uint64_t a5)
{
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
    set_guest_ts(current, (uint32_t)set != 0);
    return 0;
}

long do_set_debugreg(uint64_t reg, uint64_t value, uint64_t a3, uint64_t a4, uint64_t a5)
{
    int rc = set_debugreg(current, (uint32_t)reg, value);

    return likely(!rc) ? 0 : refuse(rc, R_DEBUG_REGISTER, reg, value);
}

long do_get_debugreg(uint64_t reg, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    uint64_t value;
    int rc = get_debugreg(current, (uint32_t)reg, &value);

    return likely(!rc) ? (long)value : refuse(rc, R_DEBUG_REGISTER, reg, 0);
}
