/* SPDX-License-Identifier: MIT
 *
 * The hypercall table and the contract of its handlers.
 *
 * A handler is do_<name in the ABI> with up to five words, called with interrupts off on the CPU's stack;
 * `current` is the caller. Its return value goes into the guest's RAX, unless it returns with
 * hypercall_restart(): then the arguments in current->regs hold the progress, RIP was moved back onto the
 * SYSCALL (or the multicall's entry rewritten), and the call runs again after events were delivered. Only
 * do_* and the copy helpers touch guest pointers; what they call takes checked values and typed arguments.
 */
#ifndef HYPERCALL_HYPERCALL_H
#define HYPERCALL_HYPERCALL_H

#include "lib/types.h"

#define NR_HYPERCALLS 64 /* slots in the table and in the hypercall page */

struct hypercall {
    long (*fn)(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
    const char *name; /* NULL: not implemented, fn is the -ENOSYS stub */
    uint64_t nargs;
    uint64_t pad; /* 32 bytes a row: the entry code indexes by a shift */
};

extern const struct hypercall hypercall_table[NR_HYPERCALLS];

/* Refuses a number that has no row with a handler. */
long hypercall_unknown(uint64_t nr) __attribute__((cold));

/* Fills a guest's hypercall page: 64 slots of 32 bytes (docs: abi 11). */
void hypercall_page_fill(void *page);

/* Arranges that the current hypercall runs again with these arguments (progress included). Returns what the
 * handler must return. */
long hypercall_restart(unsigned int nr, unsigned int nargs, const uint64_t *args);

/* Whether a long operation should stop here and restart: an interrupt or scheduler work waits. Cheap. */
bool preempt_pending(void);

/* Handlers: one family a file in hypercall/. All take five words so that one table serves; extra ones are
 * ignored. */
#define DO(name) long do_##name(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
DO(set_trap_table);
DO(mmu_update);
DO(set_gdt);
DO(stack_switch);
DO(set_callbacks);
DO(fpu_taskswitch);
DO(platform_op);
DO(set_debugreg);
DO(get_debugreg);
DO(update_descriptor);
DO(memory_op);
DO(multicall);
DO(update_va_mapping);
DO(set_timer_op);
DO(xen_version);
DO(console_io);
DO(grant_table_op);
DO(vm_assist);
DO(update_va_mapping_otherdomain);
DO(iret);
DO(vcpu_op);
DO(set_segment_base);
DO(mmuext_op);
DO(sched_op);
DO(sched_op_compat);
DO(callback_op);
DO(event_channel_op);
DO(event_channel_op_compat);
DO(physdev_op);
DO(arch_0);
#undef DO

#endif
