/* SPDX-License-Identifier: MIT
 *
 * FPU, vector registers and XCR0, switched eagerly (XSA-267), and the guest's TS bit.
 *
 * The area is a page in the format of XSAVE; without XSAVE only FXSAVE's 512 bytes are used. Parador itself
 * uses no such registers (-mgeneral-regs-only), so saving at a switch of vcpus is enough.
 */
#include "domain/domain.h"
#include "x86/cpu.h"
#include "x86/msr.h"

#define XCR0_X87_SSE 3
#define XCR0_AVX     4

#define FXSAVE_FCW   0 /* byte offsets, Intel SDM vol. 1, 10.5.1 */
#define FXSAVE_MXCSR 24

static void write_xcr0(uint64_t val)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)));
}

void fpu_reset(struct vcpu *v)
{
    *(uint16_t *)((char *)v->arch.xsave + FXSAVE_FCW) = 0x37f;
    *(uint32_t *)((char *)v->arch.xsave + FXSAVE_MXCSR) = 0x1f80;
    v->arch.xcr0 = XCR0_X87_SSE;
}

static inline void load_ts(bool ts)
{
    struct cpu *c = this_cpu();

    if (c->fpu_ts == ts)
        return;
    c->fpu_ts = ts;
    if (ts)
        __asm__ volatile("mov %0, %%cr0" : : "r"(read_cr0() | CR0_TS) : "memory");
    else
        __asm__ volatile("clts");
}

void set_guest_ts(struct vcpu *v, bool ts)
{
    v->arch.cr0_ts = ts;
    load_ts(ts);
}

void fpu_save(struct vcpu *v)
{
    load_ts(false);
    if (cpu_features.xsave)
        __asm__ volatile("xsave64 (%0)" : : "r"(v->arch.xsave), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" : : "r"(v->arch.xsave) : "memory");
}

void fpu_load(struct vcpu *v)
{
    struct cpu *c = this_cpu();

    load_ts(false);
    if (cpu_features.xsave && c->xcr0 != v->arch.xcr0) {
        write_xcr0(v->arch.xcr0);
        c->xcr0 = v->arch.xcr0;
    }
    if (cpu_features.xsave)
        __asm__ volatile("xrstor64 (%0)" : : "r"(v->arch.xsave), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" : : "r"(v->arch.xsave) : "memory");
    load_ts(v->arch.cr0_ts);
}

int set_xcr0(struct vcpu *v, uint64_t val)
{
    if (!cpu_features.xsave || !(val & 1) || val & ~cpu_features.xcr0_mask ||
        ((val & XCR0_AVX) && !(val & 2)))
        return -EINVAL;
    /* A component that is new to v starts from v's own area, where it is in its initial state or as v left
     * it: what another vcpu left in the registers isn't seen. */
    fpu_save(v);
    v->arch.xcr0 = val;
    fpu_load(v);
    return 0;
}
