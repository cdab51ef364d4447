/* SPDX-License-Identifier: MIT
 *
 * Rows of a user program: a system call and a page fault, bounced to the guest kernel and back. The program
 * (entries.S) runs in guest-user mode on tables of its own and takes the times itself.
 */
#include "tests/bench/bench.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "libpv/traps.h"

#define CODE  0x400000UL
#define COUNT 200U

extern char bench_user_code[], bench_user_code_end[], bench_syscall[], bench_user_fault[];
extern void bench_enter_user(unsigned long rip, unsigned long rsp, unsigned long rdi);

static uint64_t *readonly_table(uint64_t *page)
{
    bench_must(pv_set_readonly(page, true), "make read-only");
    return page;
}

static uint64_t entry(void *page, uint64_t flags)
{
    return pv_pte(pv_virt_to_mfn(page), flags);
}

/* The program's own tables: its code at CODE, its data in the page behind it. The L3 is shared by the
 * kernel's and the user's L4. */
static uint64_t *address_space(void *code, void *data)
{
    uint64_t *l1 = pv_page_alloc(), *l2 = pv_page_alloc(), *l3 = pv_page_alloc(), *l4 = pv_page_alloc();

    l1[pv_pt_index(CODE, 1)] = entry(code, PTE_P | PTE_US | PTE_A);
    l1[pv_pt_index(CODE, 1) + 1] = entry(data, PTE_USER);
    l2[pv_pt_index(CODE, 2)] = entry(readonly_table(l1), PTE_TABLE);
    l3[0] = entry(readonly_table(l2), PTE_TABLE);
    l4[0] = entry(readonly_table(l3), PTE_TABLE);
    return readonly_table(l4);
}

/* The program takes so many samples of system calls and of faults (one of them none), after some to warm up.
 */
static void run(uint64_t *data, uint64_t calls, uint64_t faults)
{
    data[0] = calls;
    data[1] = faults;
    bench_enter_user(CODE, CODE + 2 * PAGE_SIZE, CODE + PAGE_SIZE);
}

static void row(const char *name, uint64_t *data, unsigned int calls, unsigned int faults)
{
    if (!bench_wanted(name))
        return;
    run(data, calls ? BENCH_WARM_UP : 0, faults ? BENCH_WARM_UP : 0);
    MARK(MARK_ROW);
    run(data, calls, faults);
    for (unsigned int i = 0; i < calls + faults; i++)
        data[2 + i] = bench_less_overhead(data[2 + i]);
    bench_samples(name, data + 2, calls + faults, 1);
}

void bench_user(void)
{
    uint64_t *data = pv_page_alloc();
    void *code = pv_page_alloc();
    struct trap_info fault[2] = { { .vector = 14, .cs = PV_CS, .address = (unsigned long)bench_user_fault } };
    struct callback_register cb = { .type = CALLBACKTYPE_syscall, .address = (unsigned long)bench_syscall };
    uint64_t *l4;
    struct mmuext_op op[2];

    memcpy(code, bench_user_code, (size_t)(bench_user_code_end - bench_user_code));
    l4 = address_space(code, data);
    op[0] = (struct mmuext_op){ .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = pv_virt_to_mfn(l4).v };
    op[1] = (struct mmuext_op){ .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = pv_virt_to_mfn(l4).v };
    bench_must(HYPERVISOR_mmuext_op(op, 2, 0, DOMID_SELF), "user address space");
    bench_must(HYPERVISOR_callback_op(CALLBACKOP_register, &cb), "syscall callback");
    bench_must(HYPERVISOR_set_trap_table(fault), "set_trap_table");
    bench_must(HYPERVISOR_stack_switch(PV_SS, (unsigned long)pv_page_alloc() + PAGE_SIZE), "stack_switch");

    row("user_syscall", data, COUNT, 0);
    row("user_page_fault", data, 0, COUNT);
    pv_traps_init();
}
