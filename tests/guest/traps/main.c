/* SPDX-License-Identifier: MIT
 *
 * Exceptions of the guest kernel come to its trap table: vectors, error codes, the bounce frame, the upcall
 * mask, and the errors of set_trap_table. docs/abi.md "Bounce frame"; xen.h, struct trap_info.
 */
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/start.h"
#include "tests/guest/test.h"

TEST("traps");
ROLE(dom0, domU);

#define NOWHERE 0x7000000000UL /* no table maps it */

extern char raw_entry[];
uint64_t raw_rsp, raw_frame[8];
uint8_t raw_mask;

static void vectors(void)
{
    volatile int zero = 0;

    expect_fault(UD, 0, __asm__ volatile("ud2"));
    expect_fault(DE, 0, __asm__ volatile("idivl %0" : : "m"(zero), "a"(1), "d"(0)));
    expect_fault(BP, 0, __asm__ volatile("int3"));
    expect_fault(OF, 0, __asm__ volatile("int $4"));
    expect_fault(GP, 0, *(volatile char *)0x0000800000000000UL = 0);
    expect_fault(GP, 0x18, __asm__ volatile("mov %w0, %%ds" : : "r"(0x18)));
    expect_fault(DB, 0, __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; nop" ::: "memory", "cc"));
}

static void page_faults(void)
{
    volatile char *page = pv_page_alloc();
    mfn_t frame = pv_virt_to_mfn((void *)page);

    expect_fault(PF, 0, *(volatile char *)NOWHERE);
    expect_eq(test_trap.cr2, NOWHERE);
    expect_fault(PF, 2, *(volatile char *)(NOWHERE + 5) = 0);
    expect_eq(test_trap.cr2, NOWHERE + 5);
    require(!pv_set_readonly((void *)page, true), "make a page read-only");
    expect_fault(PF, 3, page[7] = 0);
    expect_eq(test_trap.cr2, (unsigned long)page + 7);
    require(!pv_map((unsigned long)page, pv_pte(frame, PTE_KERNEL | PTE_NX)), "make a page no-execute");
    expect_fault(PF, 0x11, ((void (*)(void))(unsigned long)page)());
    expect_eq(test_trap.regs.rip, (unsigned long)page);
    require(!pv_map((unsigned long)page, pv_pte(frame, PTE_KERNEL)), "make it ordinary again");
    expect_no_fault(page[7] = 1);
}

/* All registers come through a bounce; rip is that of the faulting instruction, or behind it for a trap. */
static void registers(void)
{
    const struct pv_regs *r = &test_trap.regs;

    expect_fault(
        UD, 0,
        __asm__ volatile(
            "mov $1, %%eax; mov $2, %%ebx; mov $3, %%ecx; mov $4, %%edx; mov $5, %%esi; mov $6, %%edi;"
            "mov $7, %%r8d; mov $8, %%r9d; mov $9, %%r10d; mov $10, %%r11d; mov $12, %%r12d;"
            "mov $13, %%r13d; mov $14, %%r14d; mov $15, %%r15d; mov $16, %%ebp; stc; ud2"
            :
            :
            : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
              "memory", "cc"));
    check(r->rax == 1 && r->rbx == 2 && r->rcx == 3 && r->rdx == 4 && r->rsi == 5 && r->rdi == 6,
          "rax to rdi");
    check(r->r8 == 7 && r->r9 == 8 && r->r10 == 9 && r->r11 == 10 && r->r12 == 12 && r->r13 == 13 &&
              r->r14 == 14 && r->r15 == 15 && r->rbp == 16,
          "r8 to r15, rbp");
    expect_eq(r->rflags & 3, 3); /* the carry flag of stc, and the bit that is always 1 */
    expect_eq(*(const uint16_t *)r->rip, 0x0b0f);
    expect_eq(r->cs, 0xe030);
    expect_eq(r->ss & ~3UL, 0xe028);
    FAULT(__asm__ volatile("int3"));
    expect_eq(*(const uint8_t *)(r->rip - 1), 0xcc);
}

static void raw_table(uint8_t flags)
{
    struct trap_info t[2] = {
        { .vector = BP, .flags = flags, .cs = PV_CS, .address = (unsigned long)raw_entry }
    };

    require(!HYPERVISOR_set_trap_table(t), "set_trap_table");
}

/* The stack is off by 8 here: the frame must be pushed below the next multiple of 16. */
static uint64_t raw_int3(void)
{
    static uint64_t rsp_before;

    if (!test_try_begin()) {
        __asm__ volatile(
            "mov %%rsp, %%rbx; and $-16, %%rsp; sub $24, %%rsp; mov %%rsp, %0; int3; mov %%rbx, %%rsp"
            : "=m"(rsp_before)
            :
            : "rbx", "memory");
        test_try_end();
    }
    return rsp_before;
}

static void frame(bool events, uint8_t flags, uint8_t mask_inside)
{
    uint64_t rsp;

    raw_table(flags);
    pv_vcpu_info()->evtchn_upcall_mask = !events;
    rsp = raw_int3();
    pv_vcpu_info()->evtchn_upcall_mask = 1;
    expect_eq(raw_mask, mask_inside);
    expect_eq(raw_rsp, (rsp & ~15UL) - 56); /* rcx r11 rip cs rflags rsp ss */
    expect_eq(raw_frame[3] & 0xffffffff, 0xe030);
    expect_eq(raw_frame[3] >> 32, !events);
    expect_eq(raw_frame[4] & PV_RFLAGS_IF, events ? PV_RFLAGS_IF : 0);
    expect_eq(raw_frame[4] & 0x27000, 0); /* VM, NT, IOPL */
    expect_eq(raw_frame[5], rsp);
    expect_eq(raw_frame[6] & ~3UL, 0xe028);
}

static void frames(void)
{
    frame(true, 0 | 3, 0);
    frame(true, 4 | 3, 1);
    frame(false, 0 | 3, 1);
    frame(false, 4 | 3, 1);
    pv_set_trap_dpl(BP, 3);
    expect_fault(BP, 0, __asm__ volatile("int3"));
}

static void table_errors(void)
{
    struct trap_info t[2] = { { .vector = 0x91, .flags = 4, .cs = PV_CS, .address = 1UL << 47 } };

    expect_eq(HYPERVISOR_set_trap_table(t), -EINVAL);
    expect_eq(HYPERVISOR_set_trap_table((void *)NOWHERE), -EFAULT);
    expect_eq(HYPERVISOR_set_trap_table((void *)0xffff800000000000UL), -EFAULT);
}

/* int $n: the table's privilege level decides. The number of a refused one can't be told from the error code
 * under QEMU 7.2 (docs/abi.md), where stock Xen therefore takes another vector than Parador. */
static void software(void)
{
    expect_fault(GP, 0x80 * 8 + 2, __asm__ volatile("int $0x80"));
    pv_set_trap_handler(0x80, test_catch);
    require(!pv_set_trap_dpl(0x80, 3), "vector 0x80 for everyone");
    expect_fault(0x80, 0, __asm__ volatile("int $0x80"));
    if (test_on_parador()) {
        pv_set_trap_handler(0x91, test_catch);
        require(!pv_set_trap_dpl(0x91, 1), "vector 0x91 for the kernel");
        expect_fault(0x91, 0, __asm__ volatile("int $0x91"));
        expect_eq(*(const uint8_t *)(test_trap.regs.rip - 1), 0x91);
        require(!pv_set_trap_dpl(0x91, 0), "vector 0x91 for nobody");
        expect_fault(GP, 0x91 * 8 + 2, __asm__ volatile("int $0x91"));
    }
}

void test_main(void)
{
    vectors();
    page_faults();
    registers();
    frames();
    table_errors();
    software();
}
