/* SPDX-License-Identifier: MIT
 *
 * The longest of each kind of hypercall, and a domain that ends with much to undo: nothing may keep
 * interrupts out for long. The runner fails any test under which Parador's debug build counts more than
 * 30,000 instructions between two points where interrupts are served; here is what comes next to it.
 * docs/safety.md XSA-45, 290, 344, 380.
 */
// vcpus: 2
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("longest");
ROLE(dom0, domU);

#define N    512
#define MANY 2048

static uint64_t *data[N];  /* pages that are mapped read-only but in `leaves` */
static uint64_t *leaves;   /* an L1 that maps them all writable */
static uint64_t *second;   /* another, in no tree */
static uint64_t *trees[5]; /* by level: a table full of entries */

/* A table with an entry for each of N pages. */
static uint64_t *full_table(uint64_t *const pages[N], uint64_t flags)
{
    uint64_t *t = test_page();

    for (unsigned int i = 0; i < N; i++)
        t[i] = test_pte(pages[i], flags);
    test_readonly(t, true);
    return t;
}

static void make_tables(void)
{
    for (unsigned int i = 0; i < N; i++) {
        data[i] = test_page();
        memset(data[i], 0x5a, PAGE_SIZE); /* a table of nothing, too */
        test_readonly(data[i], true);
    }
    leaves = trees[1] = full_table(data, PTE_USER);
    second = full_table(data, PTE_USER);
    for (unsigned int level = 2; level <= 4; level++) {
        trees[level] = test_page();
        for (unsigned int i = 0; i < N; i++)
            if (level < 4 || i < 256 || i > 271)
                trees[level][i] = test_pte(trees[level - 1], PTE_TABLE);
        test_readonly(trees[level], true);
    }
}

static void pin_and_unpin(unsigned int level, uint64_t *table)
{
    expect_eq(test_pin(level, table), 0);
    expect_eq(test_unpin(table), 0);
}

/* Each frame of an L1 gets its first use and loses its last; walks that look at every entry; a tree that is
 * refused at its very end. */
static void pins(void)
{
    static uint64_t *tables[N];
    uint64_t *bad;

    for (unsigned int level = 1; level <= 4; level++)
        pin_and_unpin(level, trees[level]);
    for (unsigned int i = 0; i < N; i++) /* the frames were tables: their translations must go first */
        pin_and_unpin(1, data[i]);
    pin_and_unpin(1, leaves);
    for (unsigned int i = 0; i < N; i++)
        tables[i] = i % 16 ? leaves : full_table(data, PTE_USER);
    pin_and_unpin(2, full_table(tables, PTE_TABLE));
    bad = test_page();
    memcpy(bad, leaves, PAGE_SIZE);
    bad[N - 1] = pv_pte(mfn(test_foreign_mfn()), PTE_USER);
    test_readonly(bad, true);
    check(test_pin(1, bad) < 0, "a bad last entry");
    tables[N - 1] = bad;
    check(test_pin(2, full_table(tables, PTE_TABLE)) < 0, "a bad last table");
}

static void update_all(uint64_t ptr(unsigned int i), uint64_t val(unsigned int i))
{
    static struct mmu_update u[MANY];
    unsigned int done = 0;

    for (unsigned int i = 0; i < MANY; i++)
        u[i] = (struct mmu_update){ ptr(i), val(i) };
    expect_eq(HYPERVISOR_mmu_update(u, MANY, &done, DOMID_SELF), 0);
    expect_eq(done, MANY);
}

static uint64_t leaf(unsigned int i)
{
    return pv_virt_to_maddr(&leaves[i % N]).v;
}

static uint64_t leaf_keep(unsigned int i)
{
    return leaf(i) | MMU_PT_UPDATE_PRESERVE_AD;
}

static uint64_t upper(unsigned int i)
{
    return pv_virt_to_maddr(&trees[2][1 + i % 2]).v;
}

static uint64_t plain(unsigned int i)
{
    return pv_virt_to_maddr(&data[i % N][i % 7]).v;
}

static uint64_t m2p(unsigned int i)
{
    return pv_virt_to_maddr(data[i % N]).v | MMU_MACHPHYS_UPDATE;
}

static uint64_t rw_or_ro(unsigned int i)
{
    return test_pte(data[i % N], i / N % 2 ? PTE_USER : PTE_USER & ~PTE_RW);
}

static uint64_t table_or_none(unsigned int i)
{
    return i / 2 % 2 ? test_pte(second, PTE_TABLE) : 0;
}

static uint64_t any(unsigned int i)
{
    return 2 * i;
}

static uint64_t own_pfn(unsigned int i)
{
    return pv_virt_to_pfn(data[i % N]).v;
}

static void updates(void)
{
    expect_eq(test_pin(1, leaves), 0);
    update_all(leaf, rw_or_ro);
    update_all(leaf_keep, rw_or_ro);
    expect_eq(test_unpin(leaves), 0);
    update_all(plain, any);
    update_all(m2p, own_pfn);
    expect_eq(test_pin(2, trees[2]), 0);
    update_all(upper, table_or_none);
    expect_eq(test_unpin(trees[2]), 0);
}

static struct mmuext_op ext[MANY];

static void ext_all(unsigned int cmd, unsigned int n, unsigned long first(unsigned int i))
{
    unsigned int done = 0;

    for (unsigned int i = 0; i < n; i++) {
        ext[i] = (struct mmuext_op){ .cmd = cmd, .arg1.mfn = first(i) };
        if (cmd == MMUEXT_COPY_PAGE)
            ext[i].arg2.src_mfn = pv_virt_to_mfn(data[0]).v;
    }
    expect_eq(HYPERVISOR_mmuext_op(ext, n, &done, DOMID_SELF), 0);
    expect_eq(done, n);
}

static unsigned long frame_of_data(unsigned int i)
{
    return pv_virt_to_mfn(data[i % N]).v;
}

static unsigned long address(unsigned int i)
{
    return (unsigned long)data[i % N];
}

static unsigned long root(unsigned int i)
{
    (void)i;
    return pv_virt_to_mfn(pv_kernel_l4()).v;
}

static unsigned long user_root(unsigned int i)
{
    return i % 2 ? 0 : pv_virt_to_mfn(trees[4]).v;
}

static void operations(void)
{
    ext_all(MMUEXT_CLEAR_PAGE, MANY, frame_of_data);
    ext_all(MMUEXT_COPY_PAGE, MANY, frame_of_data);
    ext_all(MMUEXT_INVLPG_LOCAL, MANY, address);
    ext_all(MMUEXT_TLB_FLUSH_ALL, MANY, address);
    ext_all(MMUEXT_NEW_BASEPTR, MANY, root);
    ext_all(MMUEXT_NEW_USER_BASEPTR, 4, user_root);
}

static void multicalls(void)
{
    static struct multicall_entry calls[MANY];
    unsigned int wrong = 0;

    for (unsigned int i = 0; i < MANY; i++)
        calls[i] =
            i % 2 ? (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .args = { XENVER_version } }
                  : (struct multicall_entry){ .op = __HYPERVISOR_mmuext_op,
                                              .args = { (unsigned long)&ext[i], 32, 0, DOMID_SELF } };
    for (unsigned int i = 0; i < MANY; i++)
        ext[i] = (struct mmuext_op){ .cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = frame_of_data(i) };
    expect_eq(HYPERVISOR_multicall(calls, MANY - 32), 0);
    for (unsigned int i = 0; i < MANY - 32; i += 2)
        wrong += calls[i].result != 0;
    expect_eq(wrong, 0);
}

/* ---- Memory ---- */

static long reservation(unsigned int cmd, xen_pfn_t *frames, unsigned long n, unsigned int order)
{
    struct xen_memory_reservation r = { .nr_extents = n, .extent_order = order, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, frames);
    return HYPERVISOR_memory_op(cmd, &r);
}

/* Frames that are given back and live on in one L1: the last entry's end frees each. Then large blocks, one
 * at a time and many, and trades between large and small. */
static void extents(void)
{
    static xen_pfn_t frames[N], blocks[64];
    struct xen_memory_exchange e = { .in = { .nr_extents = N, .domid = DOMID_SELF },
                                     .out = { .nr_extents = 1, .extent_order = 9, .domid = DOMID_SELF } };
    long n;

    for (unsigned int i = 0; i < N; i++) {
        frames[i] = pv_virt_to_mfn(data[i]).v;
        require(!pv_map((unsigned long)data[i], 0), "unmap");
    }
    expect_eq(test_pin(1, leaves), 0);
    expect_eq(reservation(XENMEM_decrease_reservation, frames, N, 0), N);
    expect_eq(test_unpin(leaves), 0);

    n = reservation(XENMEM_increase_reservation, blocks, 1, 9);
    check(n == 1 || !test_on_parador(), "a block of 2 MiB");
    expect_eq(reservation(XENMEM_decrease_reservation, blocks, (unsigned long)n, 9), n);
    n = reservation(XENMEM_increase_reservation, blocks, 64, 3);
    expect_eq(reservation(XENMEM_decrease_reservation, blocks, (unsigned long)n, 3), n);

    for (unsigned int i = 0; i < N; i++)
        frames[i] = pv_virt_to_pfn(data[i]).v;
    expect_eq(reservation(XENMEM_populate_physmap, frames, N, 0), N);
    for (unsigned int i = 0; i < N; i++)
        pv_set_p2m(pv_virt_to_pfn(data[i]), mfn(frames[i]));
    blocks[0] = pv_virt_to_pfn(data[0]).v;
    set_xen_guest_handle(e.in.extent_start, frames);
    set_xen_guest_handle(e.out.extent_start, blocks);
    if (HYPERVISOR_memory_op(XENMEM_exchange, &e) == 0) { /* contiguous memory may be short */
        e = (struct xen_memory_exchange){ .in = e.out, .out = e.in };
        for (unsigned int i = 0; i < N; i++)
            frames[i] = pv_virt_to_pfn(data[i]).v;
        expect_eq(HYPERVISOR_memory_op(XENMEM_exchange, &e), 0);
    } else {
        check(!test_on_parador(), "no exchange");
    }
    for (unsigned int i = 0; i < N; i++) {
        pv_set_p2m(pv_virt_to_pfn(data[i]), mfn(frames[i]));
        require(!pv_map((unsigned long)data[i], test_pte(data[i], PTE_KERNEL)), "map");
        for (unsigned int t = 0; t < 2; t++)
            require(
                !test_update(MMU_NORMAL_PT_UPDATE, t ? &second[i] : &leaves[i], test_pte(data[i], PTE_USER)),
                "an entry");
    }
}

/* ---- Grants, events, descriptors and the rest ---- */

static grant_handle_t handles[N];

static void grants(void)
{
    static struct gnttab_map_grant_ref map[N];
    static struct gnttab_copy copies[N];
    static struct gnttab_swap_grant_ref swaps[N];
    static struct gnttab_unmap_grant_ref unmaps[N];
    static xen_pfn_t frames[64];
    struct gnttab_query_size size = { .dom = DOMID_SELF };
    struct gnttab_setup_table setup = { .dom = DOMID_SELF };
    unsigned long va = (unsigned long)pv_vaddr_reserve(N);
    unsigned int wrong = 0;
    static int ref[N];

    require(va && !pv_grant_init(), "grants");
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_query_size, &size, 1), 0);
    setup.nr_frames = size.max_nr_frames < 64 ? size.max_nr_frames : 64;
    set_xen_guest_handle(setup.frame_list, frames);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
    expect_eq(setup.status, GNTST_okay);
    for (unsigned int i = 0; i < N; i++) {
        ref[i] = pv_grant_access(pv_domid(), pv_virt_to_mfn(data[i]), false);
        map[i] = (struct gnttab_map_grant_ref){ .host_addr = va + i * PAGE_SIZE,
                                                .flags = GNTMAP_host_map,
                                                .ref = (grant_ref_t)ref[i],
                                                .dom = pv_domid() };
        copies[i] = (struct gnttab_copy){ .source.u.ref = (grant_ref_t)ref[i],
                                          .source.domid = pv_domid(),
                                          .dest.u.gmfn = pv_virt_to_mfn(data[(i + 1) % N]).v,
                                          .dest.domid = DOMID_SELF,
                                          .len = PAGE_SIZE,
                                          .flags = GNTCOPY_source_gref };
    }
    for (unsigned int i = 0; i < N; i++)
        swaps[i] = (struct gnttab_swap_grant_ref){ .ref_a = (grant_ref_t)ref[i],
                                                   .ref_b = (grant_ref_t)ref[N - 1 - i] };
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_copy, copies, N), 0);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_swap_grant_ref, swaps, N), 0);
    for (unsigned int round = 0; round < 2; round++) {
        expect_eq(pv_grant_map_batch(map, N), 0);
        for (unsigned int i = 0; i < N; i++) {
            handles[i] = map[i].handle;
            unmaps[i] =
                (struct gnttab_unmap_grant_ref){ .host_addr = map[i].host_addr, .handle = handles[i] };
            wrong += map[i].status != GNTST_okay || copies[i].status != GNTST_okay ||
                     swaps[i].status != GNTST_okay;
        }
        if (!round) /* they stay mapped till the end */
            expect_eq(pv_grant_unmap_batch(unmaps, N), 0);
    }
    expect_eq(wrong, 0);
}

static void open_ports(unsigned int n)
{
    struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    struct evtchn_bind_interdomain b = { .remote_dom = DOMID_SELF };

    for (unsigned int i = 0; i < n; i += 2) {
        expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &a), 0);
        b.remote_port = a.port;
        expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &b), 0);
    }
}

static void ports(void)
{
    static evtchn_port_t list[128];
    struct sched_poll poll = { .nr_ports = 128, .timeout = 1 };
    struct evtchn_reset reset = { .dom = DOMID_SELF };

    open_ports(4000);
    memset((void *)pv_shared_info.evtchn_pending, 0, sizeof(pv_shared_info.evtchn_pending));
    for (unsigned int i = 0; i < 128; i++)
        list[i] = 1000 + i;
    set_xen_guest_handle(poll.ports, list);
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_poll, &poll), 0);
    if (!pv_is_dom0() && !test_on_parador())
        return; /* the reset would take our console's port */
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_reset, &reset), 0);
    open_ports(4000);
}

static void descriptors(void)
{
    static struct trap_info traps[MANY + 1];
    static struct vcpu_guest_context context;
    static xen_pfn_t frames[14];

    for (unsigned int i = 0; i < 14; i++) {
        uint64_t *gdt = test_page();

        for (unsigned int n = 0; n < N; n++)
            gdt[n] = 0x00cff2000000ffffUL;
        test_readonly(gdt, true);
        frames[i] = pv_virt_to_mfn(gdt).v;
    }
    expect_eq(HYPERVISOR_set_gdt(frames, 14 * N), 0);
    expect_eq(HYPERVISOR_set_gdt(frames, 0), 0);
    for (unsigned int i = 0; i < MANY; i++)
        traps[i] = (struct trap_info){ .vector = (uint8_t)(32 + i % 128),
                                       .cs = PV_CS,
                                       .address = (unsigned long)ports };
    expect_eq(HYPERVISOR_set_trap_table(traps), 0);

    context.flags = VGCF_in_kernel;
    memcpy(context.gdt_frames, frames, sizeof(frames));
    context.gdt_ents = 14 * N;
    context.ctrlreg[3] = pv_virt_to_mfn(trees[4]).v << PAGE_SHIFT;
    context.user_regs.cs = PV_CS;
    context.user_regs.ss = PV_SS;
    context.kernel_ss = PV_SS;
    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_initialise, 1, &context), 0);
}

static void lines(void)
{
    static char text[MANY];

    memset(text, '\n', sizeof(text));
    for (unsigned int i = 0; i < MANY / 2; i++)
        text[i] = i % 100 ? 'x' : '\n';
    HYPERVISOR_console_io(CONSOLEIO_write, MANY, text);
}

void test_main(void)
{
    make_tables();
    pins();
    updates();
    operations();
    multicalls();
    extents();
    grants();
    ports();
    descriptors();
    lines();
}
