/* SPDX-License-Identifier: MIT
 *
 * Privileged instructions of guest kernels, carried out on the guest's behalf: the slow way beside
 * hypercalls. abi 18 to 21.
 */
#ifndef DOMAIN_EMULATE_H
#define DOMAIN_EMULATE_H

#include "lib/types.h"
#include "domain/decode.h"

struct vcpu;

/* #GP of the guest (kernel or user). True: carried out, or delivered as what it really was (`int n` of a gate
 * that the guest opened); go on with the guest. False: bounce it as #GP(error_code). */
bool emulate_gp(struct vcpu *v, uint32_t error_code);

/* #UD of the guest: the forced prefix (ud2, "xen") with cpuid behind it. True: carried out. False: bounce it.
 */
bool emulate_ud(struct vcpu *v);

/* Copies the instruction at the guest's RIP, read with the guest's own permissions, to code. Number of bytes,
 * 0 if none can be read or the code segment is not a 64-bit one. Current vcpu only. */
size_t emulate_fetch(const struct vcpu *v, uint8_t code[INSN_MAX + 1]);

#endif
