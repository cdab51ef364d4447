/* SPDX-License-Identifier: MIT
 *
 * What the processor can do (Intel SDM vol. 2, CPUID), and CR4 by it.
 *
 * Guests execute the real CPUID and XGETBV, so what isn't switched between them is off in CR4 and XCR0:
 * protection keys, shadow stacks, process-context identifiers. CR4 never changes after boot. SMAP stays off:
 * see docs/abi.md for QEMU 7.2; every access to guest memory goes through x86/copy.h, where it would be
 * switched.
 */
#include "domain/domain.h"
#include "lib/print.h"
#include "x86/cpu.h"
#include "x86/msr.h"

struct cpu_features cpu_features; /* constant after boot */

#define XCR0_GUEST     0x7 /* x87, SSE, AVX; more when a page is large enough and somebody needs it */

#define XCR0_AVX       0x4
#define XSAVE_SSE_SIZE (512 + 64) /* legacy part and header */

enum { EAX, EBX, ECX, EDX };

static const struct {
    uint32_t leaf;
    unsigned int reg, bit;
    const char *name;
} needs[] = {
    { 1, EDX, 0, "FPU" },          { 1, EDX, 4, "TSC" },
    { 1, EDX, 5, "MSRs" },         { 1, EDX, 6, "PAE" },
    { 1, EDX, 9, "local APIC" },   { 1, EDX, 24, "FXSAVE" },
    { 1, EDX, 26, "SSE2" },        { 0x80000001, EDX, 11, "SYSCALL" },
    { 0x80000001, EDX, 20, "NX" }, { 0x80000001, EDX, 29, "long mode" },
};

static bool has(uint32_t leaf, unsigned int reg, unsigned int bit)
{
    uint32_t r[4];

    cpuid(leaf & 0x80000000, 0, r);
    if (r[EAX] < leaf)
        return false;
    cpuid(leaf, 0, r);
    return r[reg] >> bit & 1;
}

static void xsave_init(void)
{
    uint32_t r[4];

    cpu_features.xsave = has(1, ECX, 26);
    if (!cpu_features.xsave)
        return;
    cpu_features.cr4 |= CR4_OSXSAVE;
    cpuid(0xd, 0, r);
    cpu_features.xcr0_mask = r[EAX] & XCR0_GUEST;
    cpuid(0xd, 2, r); /* AVX's part, the last one */
    cpu_features.xsave_size = cpu_features.xcr0_mask & XCR0_AVX ? r[EAX] + r[EBX] : XSAVE_SSE_SIZE;
}

void cpu_features_load(void)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(cpu_features.cr4));
    wrmsr(MSR_PAT, PAT_OF_XEN);
}

void cpu_features_init(void)
{
    uint32_t r[4];

    for (unsigned int i = 0; i < ARRAY_SIZE(needs); i++) {
        if (!has(needs[i].leaf, needs[i].reg, needs[i].bit)) {
            say("parador: this processor has no %s; Parador needs it\n", needs[i].name);
            machine_exit(2);
        }
    }
    cpuid(0, 0, r);
    cpu_features.sysenter = r[EBX] == 0x756e6547; /* "Genu" of GenuineIntel */
    cpuid(0x80000008, 0, r);
    cpu_features.phys_bits = r[EAX] & 0xff;
    cpu_features.gb_pages = has(0x80000001, EDX, 26);
    cpu_features.smep = has(7, EBX, 7);
    cpu_features.fsgsbase = has(7, EBX, 0);
    cpu_features.cr4 = CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | (cpu_features.smep ? CR4_SMEP : 0) |
                       (cpu_features.fsgsbase ? CR4_FSGSBASE : 0);
    xsave_init();
    cpu_features_load();
    info("cpu: %s%s%scr4 %llx\n", cpu_features.xsave ? "xsave " : "",
         cpu_features.fsgsbase ? "fsgsbase " : "", cpu_features.smep ? "smep " : "",
         (unsigned long long)cpu_features.cr4);
}
