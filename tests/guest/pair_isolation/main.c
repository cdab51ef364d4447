/* SPDX-License-Identifier: MIT
 *
 * A hostile domain that knows the frame numbers of another: b tries every call that takes one on a's data
 * page, page table and shared page, and a sees that nothing changed. docs/safety.md, threat model; XSA-167.
 */
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pair.h"

TEST("pair_isolation");
ROLE(pair);

enum { DATA, L1, INFO, FRAMES };

static void try_mappings(unsigned long frame)
{
    uint64_t *va = pv_vaddr_reserve(1), *table = test_page();
    mfn_t m = mfn(frame);

    check(pv_map((unsigned long)va, pv_pte(m, PTE_KERNEL)) < 0, "mapped writable");
    check(pv_map((unsigned long)va, pv_pte(m, PTE_KERNEL_RO)) < 0, "mapped read-only");
    check(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)va, pv_pte(m, PTE_KERNEL_RO), 0,
                                                   pair.peer) < 0,
          "mapped as a's");
    table[0] = pv_pte(m, PTE_KERNEL_RO);
    test_readonly(table, true);
    check(test_pin(1, table) < 0, "in a table that is pinned");
    for (unsigned int level = 1; level <= 4; level++)
        check(test_mmuext_mfn(MMUEXT_PIN_L1_TABLE + level - 1, frame) < 0, "pinned as L%u", level);
    check(test_mmuext_mfn(MMUEXT_UNPIN_TABLE, frame) < 0, "unpinned");
    check(test_mmuext_mfn(MMUEXT_NEW_BASEPTR, frame) < 0, "as top-level table");
    check(test_mmuext_mfn(MMUEXT_NEW_USER_BASEPTR, frame) < 0, "as the user's");
}

static void try_writes(unsigned long frame)
{
    struct mmu_update u = { .ptr = frame << PAGE_SHIFT };
    struct mmuext_op copy = { .cmd = MMUEXT_COPY_PAGE, .arg1.mfn = frame };
    xen_pfn_t gdt = frame;
    struct vcpu_register_vcpu_info info = { .mfn = frame };

    check(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_SELF) < 0, "an entry in it");
    check(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_SELF | (pair.peer + 1U) << 16) < 0,
          "an entry in it, as a's");
    u.ptr |= MMU_MACHPHYS_UPDATE;
    check(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_SELF) < 0, "its pseudo-physical number");
    check(HYPERVISOR_mmu_update(&u, 1, NULL, pair.peer) < 0, "the same as a's");
    check(test_mmuext_mfn(MMUEXT_CLEAR_PAGE, frame) < 0, "cleared");
    copy.arg2.src_mfn = pv_virt_to_mfn(test_page()).v;
    check(HYPERVISOR_mmuext_op(&copy, 1, NULL, DOMID_SELF) < 0, "copied into");
    copy = (struct mmuext_op){ .cmd = MMUEXT_COPY_PAGE,
                               .arg1.mfn = pv_virt_to_mfn(test_page()).v,
                               .arg2.src_mfn = frame };
    check(HYPERVISOR_mmuext_op(&copy, 1, NULL, DOMID_SELF) < 0, "copied from");
    check(HYPERVISOR_update_descriptor(frame << PAGE_SHIFT, 0) < 0, "a descriptor in it");
    check(HYPERVISOR_set_gdt(&gdt, 512) < 0, "as GDT");
    check(HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_info, 0, &info) < 0, "as vcpu_info");
}

static void try_ownership(unsigned long frame)
{
    xen_pfn_t in = frame, out = 5;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    struct xen_memory_exchange e = { .in = { .nr_extents = 1, .domid = DOMID_SELF } };
    struct gnttab_transfer t = { .mfn = frame, .domid = pair.peer, .ref = 30 };
    void *va = pv_vaddr_reserve(1);
    grant_handle_t h;
    int ref = pv_grant_access(pv_domid(), mfn(frame), true);

    set_xen_guest_handle(r.extent_start, &in);
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0);
    r.domid = pair.peer;
    check(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r) <= 0, "given back for a");
    e.in.extent_start = r.extent_start;
    e.out = e.in;
    set_xen_guest_handle(e.out.extent_start, &out);
    check(HYPERVISOR_memory_op(XENMEM_exchange, &e) < 0, "exchanged");
    HYPERVISOR_grant_table_op(GNTTABOP_transfer, &t, 1);
    check(t.status != GNTST_okay, "transferred");
    check(pv_grant_map(pv_domid(), (grant_ref_t)ref, va, true, &h) != GNTST_okay,
          "granted by who doesn't own it");
    check(pv_grant_end(ref), "revoked");
}

/* Calls that are domain 0's. */
static void try_control(void)
{
    static uint64_t buffer[64];
    struct sched_remote_shutdown down = { .domain_id = pair.peer, .reason = SHUTDOWN_crash };
    uint32_t id = pair.peer;
    domid_t d = pair.peer;

    check(HYPERVISOR_sched_op(SCHEDOP_remote_shutdown, &down) < 0, "shut down");
    check(pv_hypercall(__HYPERVISOR_domctl, (unsigned long)buffer, 0, 0, 0, 0) < 0, "domctl");
    check(pv_hypercall(__HYPERVISOR_sysctl, (unsigned long)buffer, 0, 0, 0, 0) < 0, "sysctl");
    check(HYPERVISOR_platform_op(buffer) < 0, "platform_op");
    check(HYPERVISOR_memory_op(XENMEM_current_reservation, &d) < 0, "its reservation");
    check(HYPERVISOR_parador(PARADOR_destroy, &id) < 0, "destroyed");
    check(HYPERVISOR_parador(PARADOR_domain_info, &(struct parador_domain_info){ .idx = 0 }) < 0, "listed");
}

void test_main(void)
{
    pair_init();
    if (pair.is_a) {
        uint64_t *data = test_page(), *l1 = test_page();

        memset(data, 0x77, PAGE_SIZE);
        l1[0] = test_pte(data, PTE_KERNEL);
        test_readonly(l1, true);
        require(!test_pin(1, l1), "an L1");
        pair.page->words[DATA] = pv_virt_to_mfn(data).v;
        pair.page->words[L1] = pv_virt_to_mfn(l1).v;
        pair.page->words[INFO] = pv_start_info->shared_info >> PAGE_SHIFT;
        uint64_t entry = l1[0];
        pair_sync();
        pair_sync(); /* b has tried */
        for (unsigned int i = 0; i < 512; i++) {
            if (!check(data[i] == 0x7777777777777777UL, "word %u: %lx", i, data[i]))
                break;
        }
        expect_eq(l1[0], entry);
        expect_eq(pv_mfn_to_pfn(pv_virt_to_mfn(data)).v, pv_virt_to_pfn(data).v);
        expect_eq(test_unpin(l1), 0);
    } else {
        pair_sync();
        for (unsigned int i = 0; i < FRAMES; i++) {
            unsigned long frame = pair.page->words[i];

            try_mappings(frame);
            try_writes(frame);
            try_ownership(frame);
        }
        try_control();
        pair_sync();
    }
    pair_sync();
}
