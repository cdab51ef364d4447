/* SPDX-License-Identifier: MIT
 *
 * CPUID as a guest kernel sees it by the forced prefix (ud2, "xen", cpuid); its programs execute the real
 * one.
 *
 * Feature words are masked by what a guest in ring 3 can use: what isn't in the lists below is not shown. So
 * a new processor's features stay hidden until somebody has thought about them. Leaves 40000000 and up are
 * Xen's, so that a kernel finds its hypercalls. Masks and leaves: as Xen 4.17 shows them to a PV guest.
 * Sources: Intel SDM vol. 2 CPUID, AMD APM vol. 3 appendix E, xen/arch-x86/cpuid.h.
 */
#include "domain/emulate.h"
#include "x86/cpu.h"

#define BIT(n)       (1u << (n))
#define BITS(lo, hi) (~0u >> (31 - ((hi) - (lo))) << (lo))
#define FIRST_XEN    0x40000000
#define XEN_VERSION  (4 << 16 | 17)
#define XSTATE_LEAF  13
#define FEATURE_LEAF 7
#define FSGSBASE_BIT 0
#define RDTSCP_BIT   2
#define PRESERVE_AD  1

/* FPU DE TSC MSR PAE MCE CX8 APIC MCA CMOV PAT MMX FXSR: in leaf 1, and again in 80000001. */
#define OLD_EDX (BIT(0) | BIT(2) | BITS(4, 9) | BITS(14, 16) | BITS(23, 24))
/* SSE3 PCLMUL SSSE3 FMA CX16 SSE4 MOVBE POPCNT AES XSAVE OSXSAVE AVX F16C RDRAND hypervisor */
#define LEAF1_ECX (BITS(0, 1) | BIT(9) | BITS(12, 13) | BITS(19, 20) | BITS(22, 23) | BITS(25, 31))
/* CLFLUSH SSE SSE2 SS HTT */
#define LEAF1_EDX (OLD_EDX | BIT(19) | BITS(25, 28))
/* FSGSBASE BMI1 AVX2 BMI2 ERMS RDSEED ADX CLFLUSHOPT CLWB SHA */
#define LEAF7_EBX (BIT(0) | BIT(3) | BIT(5) | BITS(8, 9) | BITS(18, 19) | BITS(23, 24) | BIT(29))
#define LEAF7_ECX BITS(8, 10)           /* GFNI VAES VPCLMULQDQ */
#define LEAF7_EDX BIT(4)                /* fast short rep mov */
#define EXT_ECX   (BIT(0) | BITS(5, 8)) /* LAHF ABM SSE4A misaligned SSE, PREFETCHW */
/* SYSCALL NX MMXEXT FFXSR RDTSCP LM 3DNOW */
#define EXT_EDX (OLD_EDX | BIT(11) | BIT(20) | BIT(22) | BIT(25) | BIT(27) | BITS(29, 31))

enum { EAX, EBX, ECX, EDX };

/* Masks by leaf; leaves that are not here are zeros. A mask of ~0: as the processor has it. */
static const struct mask {
    uint32_t first, last, subleaf; /* subleaf ~0: any */
    uint32_t r[4];
} masks[] = {
    { 0, 0, ~0u, { ~0u, ~0u, ~0u, ~0u } },
    { 1, 1, ~0u, { ~0u, 0x0000ffff, LEAF1_ECX, LEAF1_EDX } },
    { 2, 2, ~0u, { ~0u, ~0u, ~0u, ~0u } },
    { 4, 4, ~0u, { ~0u, ~0u, ~0u, ~0u } },
    { FEATURE_LEAF, FEATURE_LEAF, 0, { 0, LEAF7_EBX, LEAF7_ECX, LEAF7_EDX } },
    { XSTATE_LEAF, XSTATE_LEAF, 0, { ~0u, ~0u, ~0u, 0 } },         /* and what dynamic_bits() puts in */
    { XSTATE_LEAF, XSTATE_LEAF, 1, { BIT(0) | BIT(2), 0, 0, 0 } }, /* XSAVEOPT, XGETBV 1 */
    { XSTATE_LEAF, XSTATE_LEAF, 2, { ~0u, ~0u, ~0u, ~0u } },
    { 0x80000000, 0x80000000, ~0u, { ~0u, ~0u, ~0u, ~0u } },
    { 0x80000001, 0x80000001, ~0u, { ~0u, 0, EXT_ECX, EXT_EDX } },
    { 0x80000002, 0x80000006, ~0u, { ~0u, ~0u, ~0u, ~0u } },
    { 0x80000007, 0x80000007, ~0u, { 0, 0, 0, BIT(8) } }, /* invariant TSC */
    { 0x80000008, 0x80000008, ~0u, { 0xffff, 0, 0, 0 } },
};

struct leaf {
    uint32_t r[4];
};

static struct leaf xen_leaf(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf - FIRST_XEN) {
    case 0: /* the last leaf, "XenVMMXenVMM" */
        return (struct leaf){ { FIRST_XEN + 5, 0x566e6558, 0x65584d4d, 0x4d4d566e } };
    case 1:
        return (struct leaf){ { XEN_VERSION } };
    case 2: /* one hypercall page, the MSR that would make it, features */
        return (struct leaf){ { 1, FIRST_XEN, PRESERVE_AD } };
    case 3: /* time: the TSC is the real one, never emulated */
        if (subleaf == 0)
            return (struct leaf){ { BIT(RDTSCP_BIT), 2, cpu_features.tsc_khz } };
        return (struct leaf){ { subleaf == 2 ? cpu_features.tsc_khz : 0 } };
    case 5: /* bits of machine addresses */
        return (struct leaf){ { 0, cpu_features.phys_bits } };
    default:
        return (struct leaf){ { 0 } };
    }
}

/* Where features depend on what Parador switched on. */
static void dynamic_bits(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    if (leaf == 1) {
        r[ECX] |= BIT(31); /* a hypervisor */
        if (!cpu_features.xsave)
            r[ECX] &= ~(BIT(12) | BIT(26) | BIT(27) | BIT(28) | BIT(29));
    } else if (leaf == FEATURE_LEAF && subleaf == 0 && !cpu_features.fsgsbase) {
        r[EBX] &= ~BIT(FSGSBASE_BIT);
    } else if (leaf == XSTATE_LEAF && subleaf == 0) {
        r[EAX] &= (uint32_t)cpu_features.xcr0_mask;
        r[ECX] = cpu_features.xsave_size;
    } else if (leaf == 0x80000008) {
        r[EAX] = (r[EAX] & 0xff) | 48 << 8; /* four levels of page tables */
    }
}

static const struct mask *find_mask(uint32_t leaf, uint32_t subleaf)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(masks); i++)
        if (leaf >= masks[i].first && leaf <= masks[i].last &&
            (masks[i].subleaf == ~0u || masks[i].subleaf == subleaf))
            return &masks[i];
    return NULL;
}

/* A leaf of the processor, as far as guests see it. */
static struct leaf real_leaf(uint32_t leaf, uint32_t subleaf)
{
    const struct mask *m = find_mask(leaf, subleaf);
    struct leaf l = { { 0 } };

    if (!m)
        return l;
    cpuid(leaf, subleaf, l.r);
    for (unsigned int i = 0; i < 4; i++)
        l.r[i] &= m->r[i];
    dynamic_bits(leaf, subleaf, l.r);
    return l;
}

void emulate_cpuid(struct vcpu *v)
{
    uint32_t leaf = (uint32_t)v->regs.rax, subleaf = (uint32_t)v->regs.rcx;
    struct leaf l = leaf - FIRST_XEN < 0x100 ? xen_leaf(leaf, subleaf) : real_leaf(leaf, subleaf);

    v->regs.rax = l.r[EAX];
    v->regs.rbx = l.r[EBX];
    v->regs.rcx = l.r[ECX];
    v->regs.rdx = l.r[EDX];
}
