/* SPDX-License-Identifier: MIT
 *
 * Privileged instructions of guest kernels, carried out on the guest's behalf: the slow way beside
 * hypercalls. abi 18 to 21.
 */
#pragma once

#include "domain/decode.h"
#include "domain/domain.h"

/* #GP of the guest (kernel or user). True: carried out, or delivered as what it really was (`int n` of a gate
 * that the guest opened); go on with the guest. False: bounce it as #GP(error_code). */
bool emulate_gp(struct vcpu *v, uint32_t error_code);

/* #UD of the guest: the forced prefix (ud2, "xen") with cpuid behind it. True: carried out. False: bounce it.
 */
bool emulate_ud(struct vcpu *v);

/* Copies the instruction at the guest's RIP, read with the guest's own permissions, to code. Number of bytes,
 * 0 if none can be read or the code segment is not a 64-bit one. Current vcpu only. */
size_t emulate_fetch(const struct vcpu *v, uint8_t code[INSN_MAX + 1]);

/* Below: between the files of the emulation. What an operation's function returns. */
enum {
    EMULATED,      /* done: step over it */
    EMULATE_FAULT, /* not ours: the guest gets #GP(0) */
    EMULATE_AGAIN, /* handled, but not to be stepped over: it runs again, or an exception was delivered */
};

/* Whether the virtual IOPL lets the guest do I/O and cli. A guest kernel stands in ring 1, or 0 if it asked
 * for the architectural IOPL. */
static inline bool emulate_iopl_ok(const struct vcpu *v)
{
    unsigned int kernel = v->domain->iopl_shown ? 0 : 1;

    return v->arch.iopl >> 12 >= (v->kernel_mode ? kernel : 3);
}

int emulate_rdmsr(struct vcpu *v, const struct priv_insn *p);
int emulate_wrmsr(struct vcpu *v, const struct priv_insn *p);
int emulate_in(struct vcpu *v, const struct priv_insn *p);
int emulate_out(struct vcpu *v, const struct priv_insn *p);
int emulate_string_io(struct vcpu *v, const struct priv_insn *p);
void emulate_cpuid(struct vcpu *v);
