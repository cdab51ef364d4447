/* SPDX-License-Identifier: MIT
 *
 * Threads of the PV port: a saved stack pointer, and the FPU state of those that run programs. The kernel
 * itself is compiled without FPU and SSE, so that state belongs to programs alone and changes hands only
 * between them. The state is what FXSAVE keeps: x87 and SSE, not AVX.
 */
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/traps.h"
#include "pvkernel/core/arch.h"
#include "pvkernel/core/lib.h"

struct arch_thread {
    uint8_t fpu[512]; /* must be 16-aligned: first in an object of kalloc */
    uint64_t rsp;
};

#define FPU_CONTROL 0 /* offsets in the FXSAVE area, SDM 1 table 10-2 */
#define FPU_MXCSR   24

const size_t arch_thread_size = sizeof(struct arch_thread);

void thread_switch(uint64_t *from_rsp, uint64_t to_rsp);
void thread_first(void);

void arch_thread_init(struct arch_thread *t, void *top, void (*entry)(void *), void *arg)
{
    uint64_t *sp = top;
    *--sp = 0; /* thread_first calls with rsp at a multiple of 16 */
    *--sp = 0;
    *--sp = (uint64_t)thread_first;
    *--sp = 0;               /* rbp */
    *--sp = 0;               /* rbx */
    *--sp = (uint64_t)entry; /* r12 */
    *--sp = (uint64_t)arg;   /* r13 */
    *--sp = 0;               /* r14 */
    *--sp = 0;               /* r15 */
    t->rsp = (uint64_t)sp;
    uint16_t control = 0x37f; /* as after FNINIT: all exceptions masked */
    uint32_t mxcsr = 0x1f80;
    memcpy(t->fpu + FPU_CONTROL, &control, sizeof(control));
    memcpy(t->fpu + FPU_MXCSR, &mxcsr, sizeof(mxcsr));
}

void arch_thread_switch(struct arch_thread *from, struct arch_thread *to)
{
    thread_switch(&from->rsp, to->rsp);
}

void arch_set_kernel_stack(void *top)
{
    if (HYPERVISOR_stack_switch(PV_SS, (unsigned long)top))
        panic("stack_switch to %p was refused", top);
}

void arch_stack_guard(void *page, bool on)
{
    int error = pv_map((unsigned long)page, on ? 0 : pv_pte(pv_virt_to_mfn(page), PTE_KERNEL));
    if (error)
        panic("the guard page %p: update_va_mapping gave %d", page, error);
}

void arch_user_save(struct arch_thread *t)
{
    __asm__ volatile("fxsave64 %0" : "=m"(t->fpu));
}

void arch_user_restore(struct arch_thread *t)
{
    __asm__ volatile("fxrstor64 %0" : : "m"(t->fpu));
}
