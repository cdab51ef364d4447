/* SPDX-License-Identifier: MIT
 *
 * multicall: a list of hypercalls in one entry.
 *
 * The list's range is checked once; each entry is read once, its call made, its result written. Between
 * entries the multicall stops when something waits, with the rest of the list as its arguments. An entry that
 * has to run again (hypercall_restart()) has its progress in the list. iret ends a multicall by leaving
 * (x86/trap.h: hypercall_exit()), so nothing is done for the guest after its privilege changed (XSA-213).
 */
#include "hypercall/hypercall.h"
#include "x86/cpu.h"

#define ENTRY  sizeof(struct multicall_entry)
#define ARG(n) (entry + offsetof(struct multicall_entry, args) + 8 * (n))

_Static_assert(sizeof(struct multicall_entry) == 64, "Xen's layout");

static long again(uint64_t entry, uint64_t left)
{
    return hypercall_restart(__HYPERVISOR_multicall, 2, (uint64_t[]){ entry, left });
}

/* An upcall can be made: preempt_pending(), inline. */
static inline bool event_waits(const struct vcpu *v)
{
    const struct vcpu_info *info = v->info;

    return READ_ONCE(info->evtchn_upcall_pending) && !READ_ONCE(info->evtchn_upcall_mask);
}

/* Does the entries up to `end`; returns what the multicall returns. */
static long run(struct vcpu *v, uint64_t entry, uint64_t end)
{
    const struct cpu *c = this_cpu();
    uint64_t op, a1, a2, a3, a4, a5;
    long result;

    for (; entry != end; entry += ENTRY) {
        guest_get_or(op, entry, fault);
        guest_get_or(a1, ARG(0), fault);
        guest_get_or(a2, ARG(1), fault);
        guest_get_or(a3, ARG(2), fault);
        guest_get_or(a4, ARG(3), fault);
        guest_get_or(a5, ARG(4), fault);
        v->arch.multicall_entry = entry;
        result =
            likely(op < NR_HYPERCALLS) ? hypercall_table[op].fn(a1, a2, a3, a4, a5) : hypercall_unknown(op);
        if (unlikely(v->arch.multicall_restart)) {
            v->arch.multicall_restart = false;
            v->arch.multicall_entry = 0;
            return again(entry, (end - entry) / ENTRY);
        }
        guest_put_or((uint64_t)result, entry + offsetof(struct multicall_entry, result), fault);
        cpu_window();
        if (unlikely(c->work || event_waits(v)) && entry + ENTRY != end) {
            v->arch.multicall_entry = 0;
            return again(entry + ENTRY, (end - entry) / ENTRY - 1);
        }
    }
    v->arch.multicall_entry = 0;
    return 0;
fault:
    v->arch.multicall_entry = 0;
    return refuse(-EFAULT, R_BAD_POINTER, entry, 0);
}

long do_multicall(uint64_t list, uint64_t n, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;

    n = (uint32_t)n;
    if (unlikely(v->arch.multicall_entry))
        return refuse(-EINVAL, R_MULTICALL_NESTED, v->arch.multicall_entry, 0);
    if (unlikely(!guest_range_ok(list, n * ENTRY)))
        return refuse(-EFAULT, R_BAD_POINTER, list, 0);
    return run(v, list, list + n * ENTRY);
}
