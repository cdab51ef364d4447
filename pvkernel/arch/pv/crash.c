/* SPDX-License-Identifier: MIT
 *
 * Ways to misbehave: each kind breaks one rule of the ABI, so that the hypervisor's report can be read. Some
 * end this domain, others are refused, and the kernel panics: then `why` has the rule. None of them harms
 * another domain.
 */
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/traps.h"
#include "libpv/event.h"
#include "pvkernel/arch/pv/pv.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/page.h"
#include "pvkernel/core/shell.h"
#include "pvkernel/core/thread.h"

int cmd_crash(int argc, char **argv);

static volatile unsigned long sink;

/* A kernel that doesn't get a mapping which it counts on can't go on. */
static int refused(const char *what, long error)
{
    if (error)
        panic("%s was refused (errno %ld)", what, -error);
    kprintf("%s: the hypervisor let it happen\n", what);
    return 1;
}

static int null_call(void)
{
    ((void (*)(void))sink)(); /* sink is 0 */
    return 1;
}

static int wild_write(void)
{
    *(volatile unsigned long *)0xdead0000UL = 1;
    return 1;
}

static int read_hypervisor(void)
{
    sink = *(volatile unsigned long *)0xffff828000000000UL;
    return 1;
}

static int map_table_writable(void)
{
    unsigned long l4 = (unsigned long)pv_kernel_l4();
    return refused(
        "mapping the top page table writable",
        HYPERVISOR_update_va_mapping(l4, pv_pte(pv_virt_to_mfn((void *)l4), PTE_KERNEL), UVMF_INVLPG));
}

static int map_hypervisor(void)
{
    void *page = page_zalloc();
    if (!page)
        return 1;
    uint64_t pte = pv_pte(mfn(0x100), PTE_KERNEL);
    int status = refused("mapping machine frame 0x100",
                         HYPERVISOR_update_va_mapping((unsigned long)page, pte, UVMF_INVLPG));
    page_put(page);
    return status;
}

static int write_table(void)
{
    pv_kernel_l4()[0] = 0x123456789067UL;
    return 1;
}

static int bad_iret(void)
{
    pv_events_off();
    struct pv_regs r = { .rip = 0x8000000000000000UL, .cs = PV_CS, .ss = PV_SS, .rflags = 2, .rsp = 0 };
    r.cs = 0x1234; /* no such descriptor; its low bits say: to kernel mode */
    pv_resume(&r);
}

static int wrong_selectors(void)
{
    __asm__ volatile("mov %0, %%ds" : : "r"(0x8));
    return 1;
}

/* User mode with a kernel stack that isn't there: the first bounce has nowhere to go. */
static int no_stack(void)
{
    struct arch_aspace *as = arch_aspace_make();
    pv_events_off();
    if (as)
        arch_aspace_switch(as);
    HYPERVISOR_stack_switch(PV_SS, 0x1000);
    struct pv_regs r = { .rip = 0x400000, .cs = PV_CS, .ss = PV_SS, .rflags = PV_RFLAGS_IF, .rsp = 0x500000 };
    pv_resume(&r);
}

static int privileged(void)
{
    __asm__ volatile("hlt");
    return 1;
}

static void loop(void *unused)
{
    struct sched_watchdog watchdog = { .timeout = 2 };

    (void)unused;
    thread_sleep_ns(300000000); /* so that a script hears of the command's end */
    pv_events_off();
    HYPERVISOR_sched_op(SCHEDOP_watchdog, &watchdog);
    for (;;)
        __asm__ volatile("");
}

static int endless_loop(void)
{
    kprintf(
        "from now on this domain loops with events off; the others go on, and its watchdog ends it in 2 s\n");
    return thread_start("loop", loop, NULL) ? 0 : 1;
}

static int overflow_deep(unsigned long n)
{
    volatile char room[1000] = { 0 };
    room[n % sizeof(room)] = (char)n;
    return (n < sink + 1000000 ? overflow_deep(n + 1) : 0) + room[0];
}

static int stack_overflow(void)
{
    return overflow_deep(0);
}

static int panic_call(void)
{
    panic("asked for by the crash command");
}

static const struct {
    const char *name, *what;
    int (*run)(void);
    bool keep_handlers;
} kinds[] = {
    { "null", "calls address 0", null_call, false },
    { "write", "writes to an address where nothing is", wild_write, false },
    { "hypervisor", "reads the hypervisor's memory", read_hypervisor, false },
    { "table", "writes straight into a page table", write_table, false },
    { "mapping", "maps its page table writable", map_table_writable, true },
    { "foreign", "maps a frame that isn't its own", map_hypervisor, true },
    { "iret", "returns to a code selector that doesn't exist", bad_iret, false },
    { "selectors", "loads a selector of the hypervisor", wrong_selectors, false },
    { "stack", "goes to user mode without a kernel stack", no_stack, true },
    { "overflow", "recurses until the stack is used up", stack_overflow, false },
    { "halt", "executes a privileged instruction", privileged, false },
    { "loop", "loops for ever with events off", endless_loop, true },
    { "panic", "panics", panic_call, true },
};

/* Our handlers would catch the fault and panic, with a report of our own. Without them it is the hypervisor
 * that finds nobody to bounce it to, and reports. */
static int without_handlers(int (*run)(void))
{
    if (HYPERVISOR_set_trap_table(NULL))
        kprintf("the trap table can't be cleared, so our own handlers will report\n");
    return run();
}

int cmd_crash(int argc, char **argv)
{
    unsigned n = sizeof(kinds) / sizeof(*kinds);
    for (unsigned i = 0; argc == 2 && i < n; i++)
        if (str_equal(kinds[i].name, argv[1]))
            return kinds[i].keep_handlers ? kinds[i].run() : without_handlers(kinds[i].run);
    if (argc == 2)
        kprintf("crash: %s: no such kind; there are\n", argv[1]);
    for (unsigned i = 0; i < n; i++)
        kprintf("  crash %-11s %s\n", kinds[i].name, kinds[i].what);
    return argc == 1 ? 0 : 2;
}
