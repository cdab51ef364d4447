/* SPDX-License-Identifier: MIT
 *
 * Debug registers of a vcpu: checked when they are set, loaded only while a breakpoint is on.
 *
 * A guest can't change them by itself (mov to DRn traps), so v->arch.debugreg is always right. A breakpoint
 * on an address of Parador's is refused: #DB in ring 0 would come at instructions that don't expect it.
 * Values and reserved bits: Intel SDM vol. 3, 17.2.
 */
#include "x86/switch.h"
#include "domain/domain.h"
#include "x86/copy.h"
#include "x86/cpu.h"
#include "x86/msr.h"

#define DR6_RESERVED_ONE  0xffff0ff0ULL
#define DR6_RESERVED_ZERO 0x1000ULL
#define DR7_RESERVED_ONE  0x400ULL
#define DR7_RESERVED_ZERO 0xd800ULL
#define DR7_ENABLED       0xffULL
#define DR7_DETECT        0x2000ULL

void debugreg_reset(struct vcpu *v)
{
    v->arch.debugreg[6] = DR6_RESERVED_ONE;
    v->arch.debugreg[7] = DR7_RESERVED_ONE;
}

static void load_dr7(uint64_t val)
{
    __asm__ volatile("mov %0, %%dr7" : : "r"(val));
}

void debugreg_load(const struct vcpu *v)
{
    const uint64_t *dr = v->arch.debugreg;
    struct cpu *c = this_cpu();

    if (c->breakpoints) {
        load_dr7(DR7_RESERVED_ONE);
        c->breakpoints = false;
    }
    if (!(dr[7] & DR7_ENABLED))
        return;
    __asm__ volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3; mov %4, %%dr6"
                     :
                     : "r"(dr[0]), "r"(dr[1]), "r"(dr[2]), "r"(dr[3]), "r"(dr[6]));
    load_dr7(dr[7]);
    c->breakpoints = true;
}

uint64_t debugreg_take_dr6(void)
{
    uint64_t val;

    __asm__ volatile("mov %%dr6, %0" : "=r"(val));
    __asm__ volatile("mov %0, %%dr6" : : "r"(DR6_RESERVED_ONE));
    return val;
}

/* Kind fields, once any breakpoint is enabled: I/O breakpoints would need CR4.DE. */
static bool check_dr7(uint64_t val)
{
    for (unsigned int kinds = 16; kinds < 32 && (val & DR7_ENABLED); kinds += 4) {
        if ((val >> kinds & 3) == 2)
            return false;
    }
    return !(val & DR7_DETECT);
}

/* The register that `reg` names: 4 and 5 are 6 and 7, unless the guest set CR4.DE. False: there is none. */
static bool find(const struct vcpu *v, uint64_t *reg)
{
    bool alias = *reg == 4 || *reg == 5;

    if (alias && !(v->arch.cr4 & CR4_DE)) {
        *reg += 2;
        return true;
    }
    return !alias && *reg <= 7;
}

int set_debugreg(struct vcpu *v, uint64_t reg, uint64_t val)
{
    if (!find(v, &reg))
        return -ENODEV;
    if (reg >= 6 && val >> 32)
        return -EINVAL;
    if (reg == 6)
        val = (val & ~DR6_RESERVED_ZERO) | DR6_RESERVED_ONE;
    else if (reg == 7)
        val = (val & ~DR7_RESERVED_ZERO) | DR7_RESERVED_ONE;
    if (reg == 7 ? !check_dr7(val) : reg < 4 && !guest_range_ok(val, 1))
        return -EPERM;
    v->arch.debugreg[reg] = val;
    if (v == current)
        debugreg_load(v);
    return 0;
}

int get_debugreg(const struct vcpu *v, uint64_t reg, uint64_t *val)
{
    if (!find(v, &reg))
        return -ENODEV;
    *val = v->arch.debugreg[reg];
    return 0;
}
