/* SPDX-License-Identifier: MIT
 *
 * The hypercalls, and the contract of their handlers.
 *
 * A handler is do_<name in the ABI> with five words, of which it ignores those that the call doesn't have; it
 * is called with interrupts off on the CPU's stack; `current` is the caller. Its return value goes into the
 * guest's RAX, unless it returns with hypercall_restart(): then the arguments in current->regs hold the
 * progress, RIP was moved back onto the SYSCALL (or the multicall's entry rewritten), and the call runs again
 * after events were delivered. Only do_*, grant_batch() and the copy helpers touch guest pointers; what
 * they call takes checked values and typed arguments.
 */
#pragma once

#include "domain/domain.h"
#include "x86/copy.h"
#include "x86/percpu.h"

#define NR_HYPERCALLS 64 /* slots in the table and in the hypercall page */

/* Name in the ABI and number of arguments. The rest is refused with -ENOSYS. */
#define HYPERCALLS(CALL)                   \
    CALL(set_trap_table, 1)                \
    CALL(mmu_update, 4)                    \
    CALL(set_gdt, 2)                       \
    CALL(stack_switch, 2)                  \
    CALL(set_callbacks, 3)                 \
    CALL(fpu_taskswitch, 1)                \
    CALL(sched_op_compat, 2)               \
    CALL(platform_op, 1)                   \
    CALL(set_debugreg, 2)                  \
    CALL(get_debugreg, 1)                  \
    CALL(update_descriptor, 2)             \
    CALL(memory_op, 2)                     \
    CALL(multicall, 2)                     \
    CALL(update_va_mapping, 3)             \
    CALL(set_timer_op, 1)                  \
    CALL(event_channel_op_compat, 1)       \
    CALL(xen_version, 2)                   \
    CALL(console_io, 3)                    \
    CALL(grant_table_op, 3)                \
    CALL(vm_assist, 2)                     \
    CALL(update_va_mapping_otherdomain, 4) \
    CALL(iret, 0)                          \
    CALL(vcpu_op, 3)                       \
    CALL(set_segment_base, 2)              \
    CALL(mmuext_op, 4)                     \
    CALL(sched_op, 2)                      \
    CALL(callback_op, 2)                   \
    CALL(event_channel_op, 2)              \
    CALL(physdev_op, 2)                    \
    CALL(domctl, 1)                        \
    CALL(arch_0, 2)

#define CALL(name, nargs) long do_##name(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
HYPERCALLS(CALL)
#undef CALL

struct hypercall {
    long (*fn)(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
    const char *name; /* NULL: not implemented, fn is the -ENOSYS stub */
    uint64_t nargs;
    uint64_t pad; /* 32 bytes a row: the entry code indexes by a shift */
};

extern const struct hypercall hypercall_table[NR_HYPERCALLS];

/* Refuses a number that has no row with a handler. */
long hypercall_unknown(uint64_t nr) __attribute__((cold));

/* A sub-operation: its structure is copied in, fn works on the copy, and it is copied out when fn succeeded
 * (does not return a negative errno). Bytes; 0: none that way. */
struct sub_op {
    long (*fn)(struct vcpu *v, uint32_t op, void *arg);
    uint16_t in, out;
    bool privileged; /* domain 0's alone; asked before the argument is looked at */
    bool out_always;
};

#define SUB_OP_LARGEST 256 /* bytes of a structure */
#define IN(type)       .in = sizeof(type)
#define OUT(type)      .out = sizeof(type)
#define IN_OUT(type)   .in = sizeof(type), .out = sizeof(type)

/* Does sub-operation `op` of hypercall nr, one of n rows, for vcpu v. */
long sub_op(unsigned int nr, const struct sub_op *rows, size_t n, struct vcpu *v, uint32_t op,
            uint64_t guest);

/* The domain that the caller names for sub-operation `op` of hypercall nr, with a reference: itself, or for
 * domain 0 any. 0, -ESRCH, -EPERM. */
int get_target_domain(unsigned int nr, uint32_t op, uint16_t domid, struct domain **d) __must_check;

/* v's first state out of a guest's vcpu_guest_context: VCPUOP_initialise, and domctl's setvcpucontext
 * (anew: also for a vcpu that has one, and it may be up from then on). 0, -ERESTART or a negative errno. */
long vcpu_initialise(struct vcpu *v, uint64_t guest, bool anew);

/* How many interrupt lines a domain can name, as on a Xen whose machine has few. */
static inline uint32_t nr_pirqs(const struct domain *d)
{
    return d->privileged ? 256 : 56;
}

/* Fills a guest's hypercall page: 64 slots of 32 bytes (docs: abi 11). */
void hypercall_page_fill(void *page);

/* Arranges that the current hypercall runs again with these arguments (progress included). Returns what the
 * handler must return. nargs 0: the arguments are as they were. */
long hypercall_restart(unsigned int nr, unsigned int nargs, const uint64_t *args);

/* Whether a long operation should stop here and restart: an interrupt or scheduler work waits. Cheap. */
bool preempt_pending(void);
