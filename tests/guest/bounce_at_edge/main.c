/* SPDX-License-Identifier: MIT
 *
 * Stacks at the edges of the guest's memory: with exactly the room of the largest frame above the
 * hypervisor's space, and at the end of the lower half. Frames are pushed there, and nothing outside of them
 * is written. docs/safety.md XSA-215; bounce_range is the stack without the room.
 */
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("bounce_at_edge");
ROLE(dom0, domU);

#define ABOVE 0xffff880000000000UL /* the first address behind the hypervisor's slots */
#define EDGE  0x0000800000000000UL /* the first one that isn't canonical */
#define ROOM  96

static void __attribute__((noreturn)) die_at(unsigned long sp)
{
    __asm__ volatile("mov %0, %%rsp; ud2" : : "r"(sp) : "memory");
    __builtin_unreachable();
}

/* Of a page that maps sp's and the words behind it. */
static bool only_below(const uint64_t *page, unsigned int end)
{
    for (unsigned int i = end; i < PAGE_SIZE / 8; i++)
        if (page[i] != 0x5555)
            return false;
    return true;
}

static void stack_in(uint64_t *page, unsigned long at, unsigned long sp)
{
    require(!pv_make_tables(at, PAGE_SIZE), "tables");
    require(!pv_map(at, test_pte(page, PTE_KERNEL)), "a page at %lx", at);
    for (unsigned int i = 0; i < PAGE_SIZE / 8; i++)
        page[i] = 0x5555;
    expect_fault(UD, 0, die_at(sp));
    expect_eq(test_trap.regs.rsp, sp);
    check(only_below(page, (unsigned int)(sp - at) / 8), "nothing is written above %lx", sp);
}

void test_main(void)
{
    uint64_t *page = test_page();

    /* the handler itself goes on pushing, and needs more than that: a second page would be the hypervisor's
     */
    stack_in(page, ABOVE, ABOVE + ROOM + 1024);
    stack_in(page, EDGE - PAGE_SIZE, EDGE);
    check(page[PAGE_SIZE / 8 - 1] != 0x5555, "the frame lies at the end of the page");
}
