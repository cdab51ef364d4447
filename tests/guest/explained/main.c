/* SPDX-License-Identifier: MIT
 *
 * Every error that a call returns is explained: `why` has counted a refusal more, with that errno and a
 * sentence; so with the status of grant operations. Sweeps all calls and sub-operations with arguments of
 * several kinds, as domain 0 and as another domain. hypervisor/domain/refuse.h.
 */
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("explained");
ROLE(control);

#define SUB_OPS 48

/* What must not succeed, or never comes back: shutdown, yield and block; vcpu_op down, a watchdog and the
 * areas that would be written later. And vcpu_op is_up, whose -ENOENT is an answer: kernels count their vcpus
 * by it. */
static bool harmful(unsigned int nr, unsigned int op)
{
    switch (nr) {
    case __HYPERVISOR_iret:
    case __HYPERVISOR_set_trap_table:
    case __HYPERVISOR_stack_switch:
    case __HYPERVISOR_set_callbacks:
    case __HYPERVISOR_console_io:
    case __HYPERVISOR_sched_op_compat:
    case __HYPERVISOR_platform_op: /* domain 0 would set the clock */
        return true;
    case __HYPERVISOR_sched_op:
        return op <= SCHEDOP_shutdown_code || op == SCHEDOP_watchdog;
    case __HYPERVISOR_vcpu_op:
        return op == VCPUOP_down || op == VCPUOP_is_up || op == VCPUOP_register_vcpu_info ||
               op == VCPUOP_send_nmi || op == VCPUOP_register_runstate_memory_area ||
               op == VCPUOP_register_vcpu_time_memory_area;
    case __HYPERVISOR_arch_0:
        return op == PARADOR_destroy || op == PARADOR_exit_status || op == PARADOR_check ||
               op == PARADOR_plain;
    case __HYPERVISOR_event_channel_op:
        return op == EVTCHNOP_reset || op == EVTCHNOP_close;
    default:
        return false;
    }
}

static struct parador_why last(void)
{
    struct parador_why w = { .domid = DOMID_SELF };

    require(HYPERVISOR_parador(PARADOR_why, &w) == 0, "why");
    return w;
}

/* Makes a call and looks whether its error, if any, was explained. */
static long explained(const char *what, unsigned long nr, unsigned long a1, unsigned long a2,
                      unsigned long a3, unsigned long a4)
{
    struct parador_why before = last(), after;
    long res = pv_hypercall(nr, a1, a2, a3, a4, 0);

    if (res >= 0 || res < -4095)
        return res;
    if (nr == __HYPERVISOR_arch_0 && a1 == PARADOR_domain_info && res == -ENOENT)
        return res; /* the end of the list */
    after = last();
    check(after.count > before.count && after.error == res && after.rule && strlen(after.text) > 10,
          "%s: hypercall %lu (%lx, %lx, %lx, %lx) = %ld: refusal %u, error %d, rule %u: %s", what, nr, a1, a2,
          a3, a4, res, after.count - before.count, after.error, after.rule, after.text);
    return res;
}

static void sweep(void)
{
    uint64_t *ones = test_page(), *zeros = test_page(); /* some calls write back a KB */
    const unsigned long pointers[] = { NOWHERE, 0xffff820000000000UL, (unsigned long)ones,
                                       (unsigned long)zeros };

    for (unsigned int nr = 0; nr < 64; nr++) {
        for (unsigned int op = 0; op < SUB_OPS; op++) {
            for (unsigned int p = 0; p < 4 && !harmful(nr, op); p++) {
                memset(ones, 0xff, PAGE_SIZE);
                memset(zeros, 0, PAGE_SIZE);
                explained("sweep", nr, op, pointers[p], 1, DOMID_SELF);
                explained("vcpu", nr, op, 7, pointers[p], DOMID_SELF);
            }
        }
        explained("pointer first", nr == __HYPERVISOR_iret ? 63 : nr, NOWHERE, 1, 0, DOMID_SELF);
    }
}

static void map(const char *what, unsigned long va, uint64_t entry)
{
    long res = explained(what, __HYPERVISOR_update_va_mapping, va, entry, 0, 0);

    check(res < 0, "%s: %ld", what, res);
}

/* The ways in which page tables are refused. */
static void tables(void)
{
    unsigned long window = (unsigned long)pv_vaddr_reserve(1);
    uint64_t *l1 = test_page(), *inner = test_table_page();
    struct mmuext_op op;
    char want[200];

    require(!test_pin(1, inner), "an L1");
    map("a table writable", window, test_pte(inner, PTE_KERNEL));
    map("a frame given back", window, pv_pte(mfn(test_foreign_mfn()), PTE_KERNEL));
    map("the same read-only", window, pv_pte(mfn(test_foreign_mfn()), PTE_KERNEL_RO));
    map("no such frame", window, pv_pte(mfn(1UL << 39), PTE_KERNEL));
    map("the interrupt controller", window, pv_pte(mfn(0xfee00), PTE_KERNEL));
    explained("cache bits", __HYPERVISOR_update_va_mapping, window,
              test_pte(inner, PTE_P | PTE_PAT | PTE_PWT), 0, 0); /* domain 0 may */
    require(!pv_map(window, 0), "unmap");
    map("no table there", NOWHERE, 0);
    map("in the hypervisor's slots", 0xffff820000000000UL, 0);
    for (unsigned int cmd = MMUEXT_PIN_L1_TABLE; cmd <= MMUEXT_NEW_BASEPTR; cmd++) {
        op = (struct mmuext_op){ .cmd = cmd, .arg1.mfn = pv_virt_to_mfn(l1).v };
        check(explained("mapped writable", __HYPERVISOR_mmuext_op, (unsigned long)&op, 1, 0, DOMID_SELF) < 0,
              "command %u", cmd);
        op.arg1.mfn = test_foreign_mfn();
        check(explained("given back", __HYPERVISOR_mmuext_op, (unsigned long)&op, 1, 0, DOMID_SELF) < 0,
              "command %u", cmd);
    }
    l1[17] = test_pte(inner, PTE_KERNEL);
    test_readonly(l1, true);
    op = (struct mmuext_op){ .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = pv_virt_to_mfn(l1).v };
    explained("a bad entry", __HYPERVISOR_mmuext_op, (unsigned long)&op, 1, 0, DOMID_SELF);
    struct parador_why w = last();
    pv_snprintf(
        want, sizeof(want),
        "frame %#lx is an L1 page table of domain %u, pinned, so it cannot be mapped writable (entry 17 of "
        "the table in frame %#lx)",
        pv_virt_to_mfn(inner).v, pv_domid(), pv_virt_to_mfn(l1).v);
    check(strcmp(w.text, want) == 0, "%s", w.text);
    expect_eq(test_unpin(inner), 0);
}

/* Makes one grant operation and looks whether its status, which must be bad, was explained. */
static void grant(const char *what, unsigned int cmd, void *op, const int16_t *status)
{
    struct parador_why before = last(), after;

    expect_eq(HYPERVISOR_grant_table_op(cmd, op, 1), 0);
    after = last();
    check(*status < 0 && after.count > before.count && after.error == *status && strlen(after.text) > 10,
          "%s: status %d: refusal %u, error %d: %s", what, *status, after.count - before.count, after.error,
          after.text);
}

static void grants(void)
{
    domid_t self = pv_domid();
    unsigned long window = (unsigned long)pv_vaddr_reserve(1);
    uint64_t *table = test_table_page(), *page = test_page();
    int ref = pv_grant_access(self, pv_virt_to_mfn(page), true);
    int of_table = pv_grant_access(self, pv_virt_to_mfn(table), false);
    const struct gnttab_map_grant_ref good = {
        .host_addr = window, .flags = GNTMAP_host_map | GNTMAP_readonly, .ref = (grant_ref_t)ref, .dom = self
    };
    struct gnttab_map_grant_ref m[6] = { good, good, good, good, good, good };
    struct gnttab_unmap_grant_ref u = { .host_addr = window, .handle = 999999 };
    struct gnttab_copy c = { .source.domid = 77, .dest.domid = DOMID_SELF, .len = 8 };
    struct gnttab_transfer t = { .mfn = 1UL << 40, .domid = self };
    struct gnttab_query_size q = { .dom = 77 };

    require(!test_pin(1, table), "an L1");
    m[0].dom = 77;
    m[1].ref = 1000000;
    m[2].flags = 0;
    m[3].flags = GNTMAP_host_map; /* writable */
    m[4].host_addr = NOWHERE;
    m[5].ref = (grant_ref_t)of_table, m[5].flags = GNTMAP_host_map;
    for (unsigned int i = 0; i < 6; i++)
        grant("map", GNTTABOP_map_grant_ref, &m[i], &m[i].status);
    grant("unmap", GNTTABOP_unmap_grant_ref, &u, &u.status);
    grant("copy", GNTTABOP_copy, &c, &c.status);
    c.source.domid = DOMID_SELF;
    c.source.u.gmfn = 1UL << 40;
    c.dest.u.gmfn = pv_virt_to_mfn(page).v;
    grant("copy a frame that can't be", GNTTABOP_copy, &c, &c.status);
    c.source.u.gmfn = c.dest.u.gmfn;
    c.dest.u.gmfn = pv_virt_to_mfn(table).v;
    grant("copy into a table", GNTTABOP_copy, &c, &c.status);
    grant("transfer", GNTTABOP_transfer, &t, &t.status);
    grant("query", GNTTABOP_query_size, &q, &q.status);
    m[0] = good;
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &m[0], 1), 0);
    expect_eq(m[0].status, GNTST_okay);
    u.handle = m[0].handle;
    u.host_addr = (unsigned long)page;
    grant("unmap another place", GNTTABOP_unmap_grant_ref, &u, &u.status);
    u.host_addr = window;
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1), 0);
    expect_eq(u.status, GNTST_okay);
    expect_eq(test_unpin(table), 0);
}

void test_main(void)
{
    HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    require(!pv_grant_init(), "the grant table");
    tables();
    grants();
    sweep();
}
