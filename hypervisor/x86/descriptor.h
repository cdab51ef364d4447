/* SPDX-License-Identifier: MIT
 *
 * Descriptor tables of a CPU and the two windows in which the running vcpu's own tables appear
 * (x86/percpu.h).
 *
 * GDT: 14 pages of the vcpu's frames (or a page of zeros), then the reserved page below. LDT: 16 pages,
 * filled in as the vcpu touches them (a #PF in the window goes to paging->fault). Who changes v->arch.gdt_*
 * or ldt_* of the running vcpu calls gdt_load() or ldt_load() afterwards; a vcpu that doesn't run is loaded
 * when it does.
 *
 *   selector  index  what (ABI: FLAT_RING3_* in xen-x86_64.h)
 *   e008      257    Parador's code
 *   e010      258    Parador's data
 *   e018             unused
 *   e023      260    ring 3 code, 32 bits
 *   e02b      261    ring 3 data
 *   e033      262    ring 3 code, 64 bits
 *   e038      263    TSS (two slots)
 *   e048      265    LDT (two slots)
 */
#pragma once

#define HV_CS   0xe008
#define HV_DS   0xe010
#define HV_TSS  0xe038
#define HV_LDTR 0xe048

#ifndef __ASSEMBLY__
#include "lib/types.h"

struct cpu;
struct vcpu;

/* v runs on this CPU: its GDT frames into the window. */
void gdt_load(const struct vcpu *v);
/* v runs on this CPU: the LDT frames known so far (v->arch.ldt_mfns) into the window, LDTR by ldt_entries. */
void ldt_load(const struct vcpu *v);

/* Address of this CPU's LDT window; 16 pages. */
uint64_t ldt_window(void);

/* Where SYSCALL and the gates put the guest's registers: &v->regs.es. */
void descriptors_set_entry_stack(struct cpu *c, uint64_t stack);

/* First thing at boot: an IDT, so that a fault ends in a report; no stacks of their own yet. */
void descriptors_early(void);

/* Boot of a CPU, on its own stack: GDT, TSS with its IST stacks, IDT, LDT, SYSCALL and SYSENTER registers. */
void descriptors_init(struct cpu *c);
#endif
