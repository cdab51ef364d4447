/* SPDX-License-Identifier: MIT
 *
 * Selectors: those of ring 0, those that are empty, those that vanish while they are loaded. The guest gets
 * its #GP or its failsafe callback; the hypervisor's own loads must survive. docs/safety.md "Entry, exit,
 * exceptions"; docs/abi.md 13, 21.
 */
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/time.h"
#include "tests/guest/pages.h"
#include "tests/guest/user.h"

TEST("bad_selectors");
ROLE(dom0, domU);

#define DATA3 0x00cff2000000ffffUL

USER_CODE(code_ud2, "ud2");

static void load(unsigned int selector, char which)
{
    if (which == 'd')
        __asm__ volatile("mov %w0, %%ds" : : "r"(selector));
    else if (which == 'e')
        __asm__ volatile("mov %w0, %%es" : : "r"(selector));
    else if (which == 'f')
        __asm__ volatile("mov %w0, %%fs" : : "r"(selector));
    else if (which == 'g')
        __asm__ volatile("mov %w0, %%gs" : : "r"(selector));
    else
        __asm__ volatile("mov %w0, %%ss" : : "r"(selector));
}

/* The whole reserved part of the GDT: nothing there but the flat segments may be loaded from ring 3. */
static void reserved(void)
{
    static unsigned int loaded, s;

    for (s = FIRST_RESERVED_GDT_BYTE; s < 0x10000; s += 8) {
        long v = FAULT(load(s | 3, 'd'));

        if (v == -1) {
            loaded++;
            check(s == 0xe028 || s == 0xe030 || s == 0xe020 || s < 0xe020 || s > 0xe030, "%x can be loaded",
                  s);
        } else if (!check(v == GP, "selector %x: vector %ld", s, v)) {
            break;
        }
    }
    load(0, 'd');
    check(loaded >= 1 && loaded < 16, "%u selectors of the reserved part can be loaded", loaded);
}

static void in_each_register(void)
{
    static const char which[] = "defgs";
    static unsigned int i;

    for (i = 0; i < 5; i++) {
        expect_fault(GP, 0x18, load(0x1b, which[i]));
        expect_fault(GP, 0xe008, load(0xe008, which[i]));
    }
    expect_fault(GP, 0, load(0, 's'));
}

/* Direct returns within ring 3. */
static void far_returns(void)
{
    expect_fault(GP, 0x18, __asm__ volatile("push $0x1b; push $0; lretq" ::: "memory"));
    expect_fault(GP, 0xe008, __asm__ volatile("push $0xe008; push $0; lretq" ::: "memory"));
    expect_no_fault(__asm__ volatile("push %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:"
                                     :
                                     : "r"((unsigned long)PV_CS)
                                     : "rax", "memory"));
    expect_fault(GP, 0x18,
                 __asm__ volatile("push %0; push %%rsp; pushfq; push $0x1b; push $0; iretq"
                                  :
                                  : "r"(0xe02bUL)
                                  : "memory"));
}

/* ds is loaded from a GDT that then goes away; the next switch or return must cope. */
static void vanishing(void)
{
    uint64_t *gdt = test_page();
    xen_pfn_t frame = pv_virt_to_mfn(gdt).v;
    struct sched_poll poll;
    long vector;

    gdt[3] = DATA3;
    test_readonly(gdt, true);
    require(!HYPERVISOR_set_gdt(&frame, 512), "a GDT");
    load(0x1b, 'd');
    load(0x1b, 'e');
    load(0x1b, 'f');
    load(0x1b, 'g');
    poll.timeout = pv_time_ns() + 3000000;
    poll.nr_ports = 0;
    /* From here on any switch to another domain and back may fault, before the sleep too. */
    vector = FAULT(HYPERVISOR_set_gdt(&frame, 0); HYPERVISOR_sched_op(SCHEDOP_poll, &poll));
    check(vector == -1 || vector == PV_VECTOR_FAILSAFE || vector == GP, "after a sleep: vector %ld", vector);
    for (const char *w = "defg"; *w; w++)
        load(0, *w);
    expect_eq(pv_set_readonly(gdt, false), 0);
}

/* Selectors of a user frame that can't be loaded. */
static void user_frames(void)
{
    static struct pv_regs r;
    static const uint16_t bad[] = { 0x1b, 0xe00b, 0xe013, 0x0003 };

    for (unsigned int i = 0; i < 4; i++) {
        long vector;

        r = test_user_regs(code_ud2);
        r.cs = (uint16_t)(bad[i] | 3);
        vector = FAULT(pv_resume(&r));
        check(vector == GP && test_trap.error == (bad[i] & 0xfffcU), "cs %x: vector %ld error %lx", bad[i],
              vector, test_trap.error);
        r = test_user_regs(code_ud2);
        r.ss = bad[i];
        vector = FAULT(pv_resume(&r));
        check(vector == GP || vector == UD, "ss %x: vector %ld error %lx", bad[i], vector, test_trap.error);
    }
}

void test_main(void)
{
    test_user_init();
    reserved();
    in_each_register();
    far_returns();
    vanishing();
    user_frames();
}
