/* SPDX-License-Identifier: MIT
 *
 * Rows of whole tables: pinning and unpinning, changing the address space, flushing.
 */
#include "tests/bench/bench.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/string.h"

/* A page that becomes a table: filled while it is writable, then read-only. */
static void *table(uint64_t *frame)
{
    void *page = pv_page_alloc();

    *frame = pv_virt_to_mfn(page).v;
    return page;
}

static void make_readonly(void *page)
{
    bench_must(pv_set_readonly(page, true), "make read-only");
}

static struct mmuext_op pin_op, unpin_op;

static void pin(void)
{
    bench_must(HYPERVISOR_mmuext_op(&pin_op, 1, 0, DOMID_SELF), "pin");
}

static void unpin(void)
{
    bench_must(HYPERVISOR_mmuext_op(&unpin_op, 1, 0, DOMID_SELF), "unpin");
}

static uint64_t time_pin(uint64_t arg)
{
    uint64_t t = TIMED(pin());

    (void)arg;
    unpin();
    return t;
}

static uint64_t time_unpin(uint64_t arg)
{
    (void)arg;
    pin();
    return TIMED(unpin());
}

static void rows(const char *pin_name, const char *unpin_name, unsigned int cmd, uint64_t frame)
{
    pin_op = (struct mmuext_op){ .cmd = cmd, .arg1.mfn = frame };
    unpin_op = (struct mmuext_op){ .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = frame };
    bench_row(pin_name, time_pin, 0, 40, 1);
    bench_row(unpin_name, time_unpin, 0, 40, 1);
}

static uint64_t own_l4, new_l4, user_l4;

static uint64_t ext(uint64_t cmd)
{
    struct mmuext_op op = { .cmd = (unsigned int)cmd, .arg1.mfn = own_l4 };

    if (cmd == MMUEXT_INVLPG_LOCAL)
        op.arg1.linear_addr = PV_VIRT_BASE;
    return TIMED(HYPERVISOR_mmuext_op(&op, 1, 0, DOMID_SELF));
}

/* There and back, so that each call really changes the root; the way there is measured. */
static uint64_t change_root(uint64_t both)
{
    struct mmuext_op to[2] = { { .cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = new_l4 },
                               { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = user_l4 } };
    struct mmuext_op back[2] = { { .cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = own_l4 },
                                 { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = new_l4 } };
    unsigned int n = both ? 2 : 1;
    uint64_t t = TIMED(HYPERVISOR_mmuext_op(to, n, 0, DOMID_SELF));

    bench_must(HYPERVISOR_mmuext_op(back, n, 0, DOMID_SELF), "NEW_BASEPTR");
    return t;
}

static uint64_t change_user_root(uint64_t arg)
{
    struct mmuext_op op = { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = user_l4 };
    uint64_t t = TIMED(HYPERVISOR_mmuext_op(&op, 1, 0, DOMID_SELF));

    (void)arg;
    op.arg1.mfn = new_l4;
    bench_must(HYPERVISOR_mmuext_op(&op, 1, 0, DOMID_SELF), "NEW_USER_BASEPTR");
    return t;
}

void bench_pins(void)
{
    uint64_t l1, l2, l3, empty, data;
    uint64_t *t1 = table(&l1), *t2 = table(&l2), *t3 = table(&l3), *t4 = table(&user_l4),
             *copy = table(&new_l4);
    void *t0 = table(&empty);

    pv_page_alloc();
    table(&data);
    for (unsigned int i = 0; i < 512; i++)
        t1[i] = pv_pte(mfn(data), PTE_KERNEL);
    t2[0] = pv_pte(mfn(l1), PTE_TABLE);
    t3[0] = pv_pte(mfn(l2), PTE_TABLE);
    t4[0] = pv_pte(mfn(l3), PTE_TABLE);
    memcpy(copy, pv_kernel_l4(), PAGE_SIZE);
    memset(copy + 256, 0, 16 * sizeof(*copy));
    make_readonly(t0);
    make_readonly(t1);
    make_readonly(t2);
    make_readonly(t3);
    make_readonly(t4);
    make_readonly(copy);
    rows("pin_l1_512", "unpin_l1_512", MMUEXT_PIN_L1_TABLE, l1);
    rows("pin_l1_empty", "unpin_l1_empty", MMUEXT_PIN_L1_TABLE, empty);
    rows("pin_l4_tree", "unpin_l4_tree", MMUEXT_PIN_L4_TABLE, user_l4);

    own_l4 = pv_virt_to_mfn(pv_kernel_l4()).v;
    pin_op.arg1.mfn = user_l4;
    pin();
    pin_op.arg1.mfn = new_l4;
    pin();
    bench_row("new_baseptr", change_root, 0, 100, 1);
    bench_row("new_user_baseptr", change_user_root, 0, 100, 1);
    bench_row("new_baseptr_both", change_root, 1, 100, 1);
    bench_row("tlb_flush_local", ext, MMUEXT_TLB_FLUSH_LOCAL, 200, 1);
    bench_row("invlpg_local", ext, MMUEXT_INVLPG_LOCAL, 200, 1);
}
