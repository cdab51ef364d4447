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
#include "domain/emulate_ops.h"
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

enum { EAX, EBX, ECX, EDX };

/* Masks by leaf; leaves that are not here are zeros. A mask of ~0: as the processor has it. */
static const struct mask {
    uint32_t leaf, subleaf; /* subleaf ~0: any */
    uint32_t r[4];
} masks[] = {
    { 0, ~0u, { ~0u, ~0u, ~0u, ~0u } },
    { 1,
      ~0u,
      { ~0u, 0x0000ffff,
        /* SSE3 PCLMUL SSSE3 FMA CX16 SSE4 MOVBE POPCNT AES XSAVE OSXSAVE AVX F16C RDRAND hypervisor */
        BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BITS(25, 31),
        /* FPU DE TSC MSR PAE MCE CX8 APIC MCA CMOV PAT CLFLUSH MMX FXSR SSE SSE2 HTT */
        BIT(0) | BIT(2) | BITS(4, 9) | BITS(14, 16) | BIT(19) | BITS(23, 26) | BIT(28) } },
    { 2, ~0u, { ~0u, ~0u, ~0u, ~0u } },
    { 4, ~0u, { ~0u, ~0u, ~0u, ~0u } },
    { FEATURE_LEAF,
      0,
      { 0,
        /* FSGSBASE BMI1 AVX2 BMI2 ERMS RDSEED ADX CLFLUSHOPT CLWB SHA */
        BIT(0) | BIT(3) | BIT(5) | BIT(8) | BIT(9) | BIT(18) | BIT(19) | BIT(23) | BIT(24) | BIT(29),
        BITS(8, 10),                                  /* GFNI VAES VPCLMULQDQ */
        BIT(4) } },                                   /* fast short rep mov */
    { XSTATE_LEAF, 0, { ~0u, ~0u, ~0u, 0 } },         /* and what xstate() puts in */
    { XSTATE_LEAF, 1, { BIT(0) | BIT(2), 0, 0, 0 } }, /* XSAVEOPT, XGETBV 1 */
    { XSTATE_LEAF, 2, { ~0u, ~0u, ~0u, ~0u } },
    { 0x80000000, ~0u, { ~0u, ~0u, ~0u, ~0u } },
    { 0x80000001,
      ~0u,
      { ~0u, 0, BIT(0) | BIT(5) | BIT(6) | BIT(7) | BIT(8), /* LAHF ABM SSE4A misaligned SSE, PREFETCHW */
        /* as leaf 1, and SYSCALL NX MMXEXT FFXSR RDTSCP LM 3DNOW */
        BIT(0) | BIT(2) | BITS(4, 9) | BIT(11) | BITS(14, 16) | BIT(20) | BITS(22, 25) | BIT(27) |
            BITS(29, 31) } },
    { 0x80000002, ~0u, { ~0u, ~0u, ~0u, ~0u } },
    { 0x80000003, ~0u, { ~0u, ~0u, ~0u, ~0u } },
    { 0x80000004, ~0u, { ~0u, ~0u, ~0u, ~0u } },
    { 0x80000005, ~0u, { ~0u, ~0u, ~0u, ~0u } },
    { 0x80000006, ~0u, { ~0u, ~0u, ~0u, ~0u } },
    { 0x80000007, ~0u, { 0, 0, 0, BIT(8) } }, /* invariant TSC */
    { 0x80000008, ~0u, { 0xffff, 0, 0, 0 } },
};

static void xen_leaf(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    r[EAX] = r[EBX] = r[ECX] = r[EDX] = 0;
    switch (leaf - FIRST_XEN) {
    case 0: /* last leaf, "XenVMMXenVMM" */
        r[EAX] = FIRST_XEN + 5;
        r[EBX] = 0x566e6558;
        r[ECX] = 0x65584d4d;
        r[EDX] = 0x4d4d566e;
        break;
    case 1:
        r[EAX] = XEN_VERSION;
        break;
    case 2: /* one hypercall page, MSR that would make it, features */
        r[EAX] = 1;
        r[EBX] = FIRST_XEN;
        r[ECX] = PRESERVE_AD;
        break;
    case 3: /* time: the TSC is the real one */
        if (subleaf == 0) {
            r[EAX] = BIT(RDTSCP_BIT);
            r[EBX] = 2; /* never emulated */
            r[ECX] = cpu_features.tsc_khz;
        } else if (subleaf == 2) {
            r[EAX] = cpu_features.tsc_khz;
        }
        break;
    case 5: /* bits of machine addresses */
        r[EBX] = cpu_features.phys_bits;
        break;
    default:
        break;
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
        if (masks[i].leaf == leaf && (masks[i].subleaf == ~0u || masks[i].subleaf == subleaf))
            return &masks[i];
    return NULL;
}

void emulate_cpuid(struct vcpu *v)
{
    uint32_t leaf = (uint32_t)v->regs.rax, subleaf = (uint32_t)v->regs.rcx, r[4] = { 0 };
    const struct mask *m;

    if (leaf - FIRST_XEN < 0x100) {
        xen_leaf(leaf, subleaf, r);
    } else {
        m = find_mask(leaf, subleaf);
        if (m) {
            cpuid(leaf, subleaf, r);
            for (unsigned int i = 0; i < 4; i++)
                r[i] &= m->r[i];
            dynamic_bits(leaf, subleaf, r);
        }
    }
    v->regs.rax = r[EAX];
    v->regs.rbx = r[EBX];
    v->regs.rcx = r[ECX];
    v->regs.rdx = r[EDX];
}
