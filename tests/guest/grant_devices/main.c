/* SPDX-License-Identifier: MIT
 *
 * Grants of frames that are no memory: device registers, holes, frames that can't be. Even domain 0, which
 * may map device frames, can neither grant nor copy them. xen/grant_table.h; docs/safety.md XSA-167.
 */
#include "libpv/grant.h"
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("grant_devices");
ROLE(dom0, domU);

static const unsigned long frames[] = { 0xb8, 0xfd000, 0xfee00, 1UL << 30, 0xffffffff };

static int copy(struct gnttab_copy c)
{
    c.len = 16;
    expect_eq(pv_grant_copy(&c, 1), 0);
    return c.status;
}

static void by_reference(unsigned long frame)
{
    uint64_t *page = test_page();
    int ref = pv_grant_access(pv_domid(), mfn(frame), false);
    struct gnttab_copy c = { .source.u.ref = (grant_ref_t)ref,
                             .source.domid = pv_domid(),
                             .dest.u.gmfn = pv_virt_to_mfn(page).v,
                             .dest.domid = DOMID_SELF,
                             .flags = GNTCOPY_source_gref };
    int from = copy(c), to;

    c = (struct gnttab_copy){ .dest.u.ref = (grant_ref_t)ref,
                              .dest.domid = pv_domid(),
                              .source.u.gmfn = pv_virt_to_mfn(page).v,
                              .source.domid = DOMID_SELF,
                              .flags = GNTCOPY_dest_gref };
    to = copy(c);
    check(from == GNTST_bad_page && to == GNTST_bad_page, "frame %lx: copied from %d, to %d", frame, from,
          to);
    check(pv_grant_end(ref), "given up");
}

static void by_number(unsigned long frame)
{
    uint64_t *page = test_page();
    struct gnttab_copy c = { .source.u.gmfn = frame,
                             .source.domid = DOMID_SELF,
                             .dest.u.gmfn = pv_virt_to_mfn(page).v,
                             .dest.domid = DOMID_SELF };
    int from = copy(c), to;

    c.dest.u.gmfn = frame;
    c.source.u.gmfn = pv_virt_to_mfn(page).v;
    to = copy(c);
    check(from == GNTST_bad_page && to == GNTST_bad_page, "frame %lx by number: copied from %d, to %d", frame,
          from, to);
}

static void mapped(unsigned long frame)
{
    unsigned long va = (unsigned long)pv_vaddr_reserve(1);
    int ref = pv_grant_access(pv_domid(), mfn(frame), false), status;
    grant_handle_t handle;

    status = pv_grant_map(pv_domid(), (grant_ref_t)ref, (void *)va, false, &handle);
    check(status == GNTST_bad_page, "frame %lx: mapped %d", frame, status);
    check(pv_grant_end(ref), "given up");
}

void test_main(void)
{
    require(!pv_grant_init(), "grants");
    for (unsigned int i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        by_reference(frames[i]);
        by_number(frames[i]);
        mapped(frames[i]);
    }
}
