/* SPDX-License-Identifier: MIT
 *
 * Emulated instructions in the last bytes of a page, with nothing mapped behind it: the emulator may read
 * what the instruction has, and no byte more. And instructions that do reach over the edge: a page fault at
 * the edge, as on the bare machine. docs/safety.md XSA-298.
 */
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("page_edge");
ROLE(dom0, domU);

static char *code; /* a page with an unmapped one behind */
static char *data; /* the same, for operands */

/* Runs n bytes at the end of the page. They fall off the edge, which is a page fault there: that is success.
 */
static void at_the_edge(const char *what, const char *bytes, size_t n)
{
    char *start = code + PAGE_SIZE - n;

    memcpy(start, bytes, n);
    long vector = FAULT(__asm__ volatile("call *%0"
                                         :
                                         : "r"(start), "a"(0), "c"(0xc0000080), "d"(0x80)
                                         : "rbx", "rsi", "rdi", "memory", "cc"));
    check(vector == PF && test_trap.cr2 == (unsigned long)code + PAGE_SIZE &&
              test_trap.regs.rip == test_trap.cr2,
          "%s: vector %ld error %lx rip %lx cr2 %lx", what, vector, test_trap.error, test_trap.regs.rip,
          test_trap.cr2);
}

/* Without its last byte: the fault is the fetch of that byte, and rip still at the beginning. */
static void over_the_edge(const char *what, const char *bytes, size_t n)
{
    char *start = code + PAGE_SIZE - (n - 1);

    memcpy(start, bytes, n - 1);
    long vector = FAULT(__asm__ volatile("call *%0"
                                         :
                                         : "r"(start), "a"(0), "c"(0xc0000080), "d"(0x80)
                                         : "rbx", "rsi", "rdi", "memory", "cc"));
    check(vector == PF && (test_trap.error & ~0x10UL) == 0 &&
              test_trap.cr2 == (unsigned long)code + PAGE_SIZE && test_trap.regs.rip == (unsigned long)start,
          "%s, cut: vector %ld error %lx rip %lx cr2 %lx", what, vector, test_trap.error, test_trap.regs.rip,
          test_trap.cr2);
}

#define EDGE(bytes)                                      \
    do {                                                 \
        at_the_edge(#bytes, bytes, sizeof(bytes) - 1);   \
        over_the_edge(#bytes, bytes, sizeof(bytes) - 1); \
    } while (0)

static void instructions(void)
{
    struct physdev_set_iopl iopl = { .iopl = 1 };

    EDGE("\x0f\x20\xc0"); /* mov cr0, rax */
    EDGE("\x0f\x06");     /* clts */
    EDGE("\x0f\x32");     /* rdmsr EFER */
    EDGE("\x0f\x21\xf0"); /* mov dr6, rax */
    EDGE("\x0f\x09");     /* wbinvd */
    require(!HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl), "IOPL");
    EDGE("\xe4\x80");     /* in al, 0x80 */
    EDGE("\x66\xe5\x80"); /* in ax, 0x80 */
    at_the_edge("cli", "\xfa", 1);
    at_the_edge("in al, dx", "\xec", 1);
    EDGE("\x0f\x0b\x78\x65\x6e\x0f\xa2"); /* the forced prefix and cpuid */
}

/* The rest of the instruction is there, but not to be executed. Stock Xen reads it all the same. */
static void no_execute(void)
{
    static const char forced[] = "\x0f\x0b\x78\x65\x6e\x0f\xa2";
    char *start = code + PAGE_SIZE - 5;

    require(!pv_map((unsigned long)code + PAGE_SIZE, test_pte(test_page(), PTE_KERNEL | PTE_NX)),
            "behind it");
    memcpy(start, forced, sizeof(forced) - 1);
    long vector = FAULT(__asm__ volatile("call *%0"
                                         :
                                         : "r"(start), "a"(0)
                                         : "rbx", "rcx", "rdx", "memory", "cc"));
    check(vector == PF, "forced prefix into no-execute: vector %ld", vector);
    check(test_trap.cr2 == (unsigned long)code + PAGE_SIZE || !test_on_parador(), "cr2 %lx", test_trap.cr2);
    check(test_trap.regs.rip == (unsigned long)start || !test_on_parador(), "rip %lx", test_trap.regs.rip);
    require(!pv_map((unsigned long)code + PAGE_SIZE, 0), "and away");
}

/* Writes to an L1 by an instruction at the edge. */
static void table_write(void)
{
    uint64_t *l1 = test_table_page();

    require(!test_pin(1, l1), "an L1");
    require(!HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables),
            "writable page tables");
    memcpy(code + PAGE_SIZE - 3, (const uint8_t[]){ 0x48, 0x89, 0x03 }, 3); /* mov rax, (rbx) */
    long vector = FAULT(__asm__ volatile("call *%0"
                                         :
                                         : "r"(code + PAGE_SIZE - 3), "a"(0x1230), "b"(&l1[1])
                                         : "memory"));
    check(vector == PF && test_trap.cr2 == (unsigned long)code + PAGE_SIZE, "vector %ld cr2 %lx", vector,
          test_trap.cr2);
    expect_eq(l1[1], 0x1230);
    /* not a whole entry, and over the table's end: nothing may be written past it */
    uint64_t next = *(volatile uint64_t *)((char *)l1 + PAGE_SIZE);
    vector = FAULT(*(volatile uint64_t *)((char *)l1 + PAGE_SIZE - 4) = ~0UL);
    check(*(volatile uint64_t *)((char *)l1 + PAGE_SIZE) == next || vector == -1, "vector %ld", vector);
    check(!(l1[511] & PTE_P), "entry 511 is %lx", l1[511]);
    expect_eq(test_unpin(l1), 0);
}

/* Strings of a port end at an unmapped page: the fault is the guest's. */
static void string_io(void)
{
    long vector = FAULT(__asm__ volatile("rep insb"
                                         :
                                         : "D"(data + PAGE_SIZE - 4), "c"(8), "d"(0x80)
                                         : "memory"));

    check(vector == PF && test_trap.error == 2 && test_trap.cr2 == (unsigned long)data + PAGE_SIZE,
          "rep insb: vector %ld error %lx cr2 %lx", vector, test_trap.error, test_trap.cr2);
    expect_eq(test_trap.regs.rcx, 4);
    expect_eq(test_trap.regs.rdi, (unsigned long)data + PAGE_SIZE);
    expect_fault(GP, 0, __asm__ volatile("rep insb" : : "D"(1UL << 47), "c"(1), "d"(0x80) : "memory"));
    expect_fault(PF, 2, __asm__ volatile("rep insb" : : "D"(NOWHERE), "c"(1), "d"(0x80) : "memory"));
}

void test_main(void)
{
    code = pv_vaddr_reserve(2);
    data = pv_vaddr_reserve(2);
    require(code && data, "address space");
    require(!pv_map((unsigned long)code, test_pte(test_page(), PTE_KERNEL)), "code");
    require(!pv_map((unsigned long)data, test_pte(test_page(), PTE_KERNEL)), "data");
    instructions();
    no_execute();
    table_write();
    string_io();
}
