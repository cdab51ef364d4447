/* SPDX-License-Identifier: MIT
 *
 * multicall: calls in order with a result each, errors that stop nothing, refusals, and calls that change the
 * ground under it. xen.h; docs/safety.md XSA-213 (the privilege or the address space changes) and XSA-212
 * (the array).
 */
#include "libpv/event.h"
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("multicall");
ROLE(dom0, domU);

static void order(void)
{
    uint64_t *window = pv_vaddr_reserve(1), *a = test_page(), *b = test_page();
    struct multicall_entry calls[5] = {
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_version } },
        { .op = __HYPERVISOR_update_va_mapping,
          .args = { (unsigned long)window, test_pte(a, PTE_KERNEL), UVMF_INVLPG } },
        { .op = 63, .args = { 1, 2, 3, 4, 5, 6 } },
        { .op = __HYPERVISOR_sched_op, .args = { 99 } },
        { .op = __HYPERVISOR_update_va_mapping,
          .args = { (unsigned long)window, test_pte(b, PTE_KERNEL), UVMF_INVLPG } },
    };

    b[0] = 17;
    for (int i = 0; i < 5; i++)
        calls[i].result = 0x5555;
    expect_eq(HYPERVISOR_multicall(calls, 5), 0);
    expect_eq(calls[0].result, HYPERVISOR_xen_version(XENVER_version, NULL));
    expect_eq(calls[1].result, 0);
    expect_eq(calls[2].result, -ENOSYS);
    expect_eq(calls[3].result, -ENOSYS);
    expect_eq(calls[4].result, 0);
    expect_eq(window[0], 17);
    expect_eq(calls[2].args[5], 6);
}

static void refusals(void)
{
    struct multicall_entry inner = { .op = __HYPERVISOR_xen_version },
                           outer = { .op = __HYPERVISOR_multicall };

    outer.args[0] = (unsigned long)&inner;
    outer.args[1] = 1;
    expect_eq(HYPERVISOR_multicall(&outer, 1), 0);
    expect_eq(outer.result, -EINVAL); /* no multicall in a multicall */
    expect_eq(HYPERVISOR_multicall(&outer, 0), 0);
    expect_eq(HYPERVISOR_multicall((void *)NOWHERE, 1), -EFAULT);
    expect_eq(HYPERVISOR_multicall((void *)0xffff820000000000UL, 1), -EFAULT);
    expect_eq(HYPERVISOR_multicall((void *)0xffff7ffffffffff0UL, 2), -EFAULT);
}

/* The array lies on two pages, and the second goes away while it runs. */
static void vanishing(void)
{
    uint64_t *area = pv_vaddr_reserve(2), *a = test_page(), *b = test_page();
    struct multicall_entry *calls = (void *)((char *)area + PAGE_SIZE - sizeof(*calls));

    require(!pv_map((unsigned long)area, test_pte(a, PTE_KERNEL)), "map");
    require(!pv_map((unsigned long)area + PAGE_SIZE, test_pte(b, PTE_KERNEL)), "map");
    calls[0] = (struct multicall_entry){ .op = __HYPERVISOR_update_va_mapping,
                                         .args = { (unsigned long)area + PAGE_SIZE, 0, UVMF_INVLPG } };
    calls[1] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .result = 0x5555 };
    expect_eq(HYPERVISOR_multicall(calls, 2), -EFAULT);
    expect_eq(calls[0].result, 0);
    require(!pv_map((unsigned long)area + PAGE_SIZE, test_pte(b, PTE_KERNEL)), "map again");
    expect_eq(calls[1].result, 0x5555);
}

/* A long list is carried through whatever interrupts it. */
static unsigned int events;

static void count(unsigned int port, void *data)
{
    (void)port;
    (void)data;
    events++;
}

static void preempted(void)
{
    static struct multicall_entry calls[300];
    struct evtchn_send send = { 0 };
    int port = pv_event_bind_ipi(count, NULL);
    unsigned int wrong = 0;

    send.port = (evtchn_port_t)port;
    for (unsigned int i = 0; i < 300; i++) {
        calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .args = { XENVER_version } };
        if (i % 50 == 25)
            calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_event_channel_op,
                                                 .args = { EVTCHNOP_send, (unsigned long)&send } };
    }
    pv_events_on();
    expect_eq(HYPERVISOR_multicall(calls, 300), 0);
    pv_events_off();
    for (unsigned int i = 0; i < 300; i++)
        wrong += calls[i].result != (i % 50 == 25 ? 0 : calls[0].result);
    expect_eq(wrong, 0);
    check(events >= 1, "%u upcalls", events);
    pv_event_close((unsigned int)port);
}

/* iret in a multicall ends it, and the calls behind it are not made. */
static void landing(void)
{
    __asm__ volatile("ud2");
}

static char stack[4096] __attribute__((aligned(16)));
static struct multicall_entry last[3];

static void __attribute__((noreturn)) multicall_on(struct iret_context *frame)
{
    __asm__ volatile("mov %0, %%rsp; mov $13, %%eax; syscall" : : "r"(frame), "D"(last), "S"(3) : "memory");
    __builtin_unreachable();
}

static void iret(void)
{
    static struct iret_context frame;

    frame = (struct iret_context){ .rax = 7,
                                   .rip = (unsigned long)landing,
                                   .cs = 0xe030,
                                   .rflags = 2,
                                   .rsp = (unsigned long)stack + sizeof(stack),
                                   .ss = PV_SS };
    last[0] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version };
    last[1] = (struct multicall_entry){ .op = __HYPERVISOR_iret };
    last[2] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .result = 0x5555 };
    expect_fault(UD, 0, multicall_on(&frame));
    expect_eq(test_trap.regs.rip, (unsigned long)landing);
    expect_eq(test_trap.regs.rax, 7);
    expect_eq(last[2].result, 0x5555);
}

void test_main(void)
{
    order();
    refusals();
    vanishing();
    preempted();
    iret();
}
