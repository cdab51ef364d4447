/* SPDX-License-Identifier: MIT
 *
 * Two domains on one processor, each with its own values in every register that a switch must keep: FPU,
 * segment bases, debug registers, selectors. Neither may ever see the other's. docs/safety.md
 * XSA-267.
 */
#include "libpv/event.h"
#include "libpv/start.h"
#include "libpv/time.h"
#include "tests/guest/pair.h"

TEST("pair_registers");
ROLE(pair);

#define MSR_KERNEL_GS_BASE 0xc0000102

static uint64_t mine;
static volatile uint64_t watched; /* at the same address in both; a alone has a breakpoint on it */

static void set(void)
{
    uint32_t mxcsr = pair.is_a ? 0x1f80 : 0x3f80;

    __asm__ volatile("movq %0, %%xmm0; movq %0, %%xmm7; movq %0, %%xmm15" : : "r"(mine));
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    __asm__ volatile("fninit; fildll %0" : : "m"(mine));
    require(!HYPERVISOR_set_segment_base(SEGBASE_FS, mine), "fs base");
    require(!HYPERVISOR_set_segment_base(SEGBASE_GS_KERNEL, mine + 16), "gs base");
    require(!HYPERVISOR_set_segment_base(SEGBASE_GS_USER, mine + 32), "user gs base");
    require(!HYPERVISOR_set_debugreg(1, mine), "dr1");
    if (pair.is_a) {
        __asm__ volatile("mov %w0, %%ds; mov %w0, %%es" : : "r"(FLAT_RING3_DS32));
        require(!HYPERVISOR_set_debugreg(0, (unsigned long)&watched), "dr0: only in a");
        require(!HYPERVISOR_set_debugreg(7, 0x90505), "dr7: only in a; 0 for 8 bytes written, 1 executed");
    }
}

static uint64_t rdmsr(unsigned int msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

/* The number of what is wrong, or 0. */
static unsigned int look(void)
{
    uint64_t x0, x7, x15, st;
    uint32_t mxcsr;
    unsigned int ds;

    __asm__ volatile("movq %%xmm0, %0; movq %%xmm7, %1; movq %%xmm15, %2" : "=r"(x0), "=r"(x7), "=r"(x15));
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fistpll %0; fildll %0" : "=m"(st));
    __asm__ volatile("mov %%ds, %0" : "=r"(ds));
    if (x0 != mine || x7 != mine || x15 != mine)
        return 1;
    if (mxcsr != (pair.is_a ? 0x1f80 : 0x3f80) || st != mine)
        return 2;
    if (rdmsr(0xc0000100) != mine || rdmsr(0xc0000101) != mine + 16 || rdmsr(MSR_KERNEL_GS_BASE) != mine + 32)
        return 3;
    if (HYPERVISOR_get_debugreg(1) != mine || (HYPERVISOR_get_debugreg(7) & 0xff) != (pair.is_a ? 5 : 0))
        return 4;
    if ((FAULT(watched = mine) == DB) != pair.is_a)
        return 6;
    return (ds & 0xffff) == (pair.is_a ? FLAT_RING3_DS32 : 0) ? 0 : 5;
}

void test_main(void)
{
    uint64_t end;
    unsigned int wrong = 0, looks = 0;

    pair_init();
    mine = pair.is_a ? 0x00001111aaaa0000UL : 0x00002222bbbb0000UL;
    set();
    pair_sync();
    end = pv_time_ns() + 600000000;
    for (; pv_time_ns() < end && !wrong; looks++) {
        wrong = look();
        if (looks % 4 == 0)
            HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
        if (looks % 64 == 0)
            pv_udelay(300);
    }
    expect_eq(wrong, 0);
    check(looks > 20, "%u looks", looks);
    __asm__ volatile("mov %w0, %%ds; mov %w0, %%es" : : "r"(0));
    pair_sync();
}
