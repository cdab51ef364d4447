/* SPDX-License-Identifier: MIT
 *
 * Rows of the slow way: privileged instructions that trap and are emulated, exceptions bounced to the guest
 * kernel, iret. The handlers are in entries.S; the trap table is put back to libpv's at the end.
 */
#include "tests/bench/bench.h"
#include "libpv/hypercall.h"
#include "libpv/traps.h"

extern char bench_breakpoint[], bench_kernel_fault[];
extern uint64_t bench_iret(void);

#define NOT_MAPPED 0x10000UL /* nothing of a guest on libpv lies here */

static uint64_t mov_from_cr0(uint64_t arg)
{
    return TIMED(__asm__ volatile("mov %%cr0, %0" : "=r"(arg)));
}

static uint64_t rdmsr_efer(uint64_t arg)
{
    uint32_t hi;

    return TIMED(__asm__ volatile("rdmsr" : "=a"(arg), "=d"(hi) : "c"(0xc0000080)));
}

static uint64_t cli(uint64_t arg)
{
    (void)arg;
    return TIMED(__asm__ volatile("cli"));
}

static uint64_t port_write(uint64_t arg)
{
    return TIMED(__asm__ volatile("outb %%al, $0x80" : : "a"(arg)));
}

static uint64_t forced_cpuid(uint64_t arg)
{
    uint32_t b, c = 0, d;

    return TIMED(__asm__ volatile("ud2a; .ascii \"xen\"; cpuid" : "+a"(arg), "=b"(b), "+c"(c), "=d"(d)));
}

static uint64_t breakpoint(uint64_t arg)
{
    (void)arg;
    return TIMED(__asm__ volatile("int3" : : : "rcx", "r11", "memory"));
}

static uint64_t kernel_fault(uint64_t arg)
{
    return TIMED(__asm__ volatile("lea 1f(%%rip), %%rbx\n"
                                  "mov (%0), %%al\n"
                                  "1:"
                                  :
                                  : "r"(arg)
                                  : "rax", "rbx", "rcx", "r11", "memory"));
}

static uint64_t iret_alone(uint64_t arg)
{
    (void)arg;
    return bench_iret();
}

static void handler(uint8_t vector, const void *entry)
{
    struct trap_info traps[2] = {
        { .vector = vector, .flags = 3, .cs = PV_CS, .address = (unsigned long)entry }
    };

    bench_must(HYPERVISOR_set_trap_table(traps), "set_trap_table");
}

void bench_traps(void)
{
    struct physdev_set_iopl iopl = { .iopl = 1 };

    bench_row("emulate_mov_from_cr0", mov_from_cr0, 0, 200, 1);
    bench_row("emulate_rdmsr_efer", rdmsr_efer, 0, 200, 1);
    bench_must(HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl), "set_iopl");
    bench_row("emulate_cli", cli, 0, 200, 1);
    bench_row("emulate_port_write", port_write, 0, 200, 1);
    bench_row("forced_cpuid", forced_cpuid, 0x40000000, 200, 1);
    handler(3, bench_breakpoint);
    bench_row("breakpoint_bounced", breakpoint, 0, 200, 1);
    handler(14, bench_kernel_fault);
    bench_row("kernel_page_fault", kernel_fault, NOT_MAPPED, 200, 1);
    bench_row("iret_hypercall", iret_alone, 0, 200, 1);
    pv_traps_init();
}
