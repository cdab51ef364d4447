/* SPDX-License-Identifier: MIT
 *
 * Structure offsets for assembly: compiled to text, from which objs.mk makes offsets.h. Never linked.
 */
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "x86/percpu.h"
#include "x86/trap.h"

#define DEFINE(name, val)  __asm__ volatile(".ascii \"@offset " #name " %0\"" : : "i"((uint64_t)(val)))
#define VCPU(name, member) DEFINE(VCPU_##name, offsetof(struct vcpu, member))
#define CPU(name, member)  DEFINE(CPU_##name, offsetof(struct cpu, member))

void offsets(void);

void offsets(void)
{
    DEFINE(CPU_sizeof, sizeof(struct cpu));
    CPU(current, vcpu);
    CPU(guest_rsp, guest_rsp);
    CPU(entry_stack, entry_stack);
    CPU(work, work);
    CPU(latency_start, latency_start);

    VCPU(regs, regs);
    VCPU(info, info);
    VCPU(kernel_mode, kernel_mode);
    VCPU(cpu, cpu);
    VCPU(history, history);
    VCPU(history_end, history_end);
    DEFINE(INFO_pending, offsetof(struct vcpu_info, evtchn_upcall_pending));
    DEFINE(INFO_mask, offsetof(struct vcpu_info, evtchn_upcall_mask));

    DEFINE(NR_HYPERCALLS, NR_HYPERCALLS);
    DEFINE(HISTORY_sizeof, sizeof(struct history));
    DEFINE(HISTORY_mask, sizeof(((struct vcpu *)0)->history) - 1);
    DEFINE(HISTORY_nr, offsetof(struct history, nr));
    DEFINE(HISTORY_a1, offsetof(struct history, a1));
    DEFINE(HISTORY_a2, offsetof(struct history, a2));
    DEFINE(HISTORY_rip, offsetof(struct history, rip));
}

#define AT(member, offset) (offsetof(struct cpu_user_regs, member) == (offset))
_Static_assert(AT(r15, 0) && AT(rdi, 14 * 8) && AT(error_code, 15 * 8) && AT(entry_vector, 15 * 8 + 4) &&
                   AT(rip, 16 * 8) && AT(cs, 17 * 8) && AT(rflags, 18 * 8) && AT(rsp, 19 * 8) &&
                   AT(ss, 20 * 8),
               "entry.S counts through them");
_Static_assert(__builtin_popcountll(sizeof(((struct vcpu *)0)->history)) == 1, "entry.S masks an offset");
_Static_assert(sizeof(struct hypercall) == 32, "entry.S indexes by a shift");
_Static_assert(sizeof(struct cpu) % 16 == 0, "the stack below it is aligned");
