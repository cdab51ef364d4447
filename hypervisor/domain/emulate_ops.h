/* SPDX-License-Identifier: MIT
 *
 * Between the files of the emulation (domain/emulate*.c).
 */
#ifndef DOMAIN_EMULATE_OPS_H
#define DOMAIN_EMULATE_OPS_H

#include "lib/types.h"
#include "domain/decode.h"
#include "domain/domain.h"

/* What an operation's function returns. */
enum {
    EMULATED,      /* done: step over it */
    EMULATE_FAULT, /* not ours: the guest gets #GP(0) */
    EMULATE_AGAIN, /* handled, but not to be stepped over: it runs again, or an exception was delivered */
};

/* CR4 bits of Parador's that guests don't see (SMEP, UMIP). */
#define CR4_HIDDEN (1u << 20 | 1u << 11)

/* Whether the virtual IOPL lets the guest do I/O and cli. A guest kernel stands in ring 1, or 0 if it asked
 * for the architectural IOPL. */
static inline bool emulate_iopl_ok(const struct vcpu *v)
{
    unsigned int ring = !v->kernel_mode                                              ? 3
                        : v->domain->vm_assist >> VMASST_TYPE_architectural_iopl & 1 ? 0
                                                                                     : 1;

    return v->arch.iopl >= ring;
}

int emulate_rdmsr(struct vcpu *v, const struct priv_insn *p);
int emulate_wrmsr(struct vcpu *v, const struct priv_insn *p);
int emulate_in(struct vcpu *v, const struct priv_insn *p);
int emulate_out(struct vcpu *v, const struct priv_insn *p);
int emulate_string_io(struct vcpu *v, const struct priv_insn *p);
void emulate_cpuid(struct vcpu *v);

#endif
