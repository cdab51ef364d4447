/* SPDX-License-Identifier: MIT
 *
 * Bouncing: exceptions, system calls and events are delivered to the guest kernel by a frame on its kernel
 * stack, built here in C.
 *
 * Frame, low to high: rcx, r11, [error code], rip, cs, rflags, rsp, ss (abi 14 to 17). A frame that can't be
 * written ends the domain.
 */
#pragma once

#include "lib/types.h"

struct vcpu;

/* Exception `vector` of the guest, for the handler of its trap table, without and with an error code. No
 * handler: Xen's ways (domain_crash). */
void bounce_plain(struct vcpu *v, unsigned int vector);
void bounce_with_code(struct vcpu *v, unsigned int vector, uint64_t error_code);
/* #PF: also fills vcpu_info.arch.cr2. */
void bounce_page_fault(struct vcpu *v, uint64_t cr2, uint32_t error_code);
/* Event upcall: sets the mask. Called on the way out when an event is pending and unmasked. */
void bounce_event(struct vcpu *v);
/* SYSCALL from guest user mode. */
void bounce_syscall(struct vcpu *v);
/* SYSCALL from compatibility mode, and SYSENTER. */
void bounce_syscall32(struct vcpu *v);
void bounce_sysenter(struct vcpu *v);
/* Faults at our own iretq or segment loads on the guest's behalf. */
void bounce_failsafe(struct vcpu *v);
