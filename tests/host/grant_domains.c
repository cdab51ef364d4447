/* SPDX-License-Identifier: MIT
 *
 * See grant_domains.h.
 */
#include "tests/host/grant_domains.h"
#include <criterion/criterion.h>

struct domain *g, *u, *other;
mfn_t frame, l1;

void grants_begin(void)
{
    fake_machine();
    g = fake_domain(1, 100);
    u = fake_domain(2, 100);
    other = fake_domain(3, 100);
    cr_assert(!grant_init(g) && !grant_init(u) && !grant_init(other));
    frame = fake_frame(g);
    l1 = fake_frame(u);
    cr_assert_eq(pin_table(u, l1, FT_L1), 0);
}

void relinquish(struct domain *d)
{
    d->dying = DYING;
    while (paging_relinquish(d))
        ;
    while (grant_relinquish(d))
        ;
    while (domain_frames_relinquish(d))
        ;
}

void grants_end(void)
{
    struct domain *all[] = { u, other, g };

    cr_assert_eq(check_machine(), 0);
    for (unsigned int i = 0; i < 3; i++)
        if (!all[i]->dying)
            relinquish(all[i]);
    for (unsigned int i = 0; i < 3; i++) {
        cr_assert(grant_idle(all[i]), "domain %u", all[i]->domid);
        cr_assert_eq(all[i]->tot_pages, 0);
        cr_assert_eq(all[i]->grant->nr_mapped, 0);
        grant_destroy(all[i]);
    }
    cr_assert_eq(frames_free(), FAKE_RAM);
}

void offer(uint32_t ref, struct domain *to, mfn_t m, uint16_t flags)
{
    *grant_shared(g->grant, ref) =
        (struct grant_entry_v1){ .flags = flags, .domid = to->domid, .frame = (uint32_t)m.v };
}

uint16_t flags_of(uint32_t ref)
{
    return grant_shared(g->grant, ref)->flags;
}

uint64_t entry_addr(unsigned int i)
{
    return mfn_to_maddr(l1) + i * 8UL;
}

int map_as(struct domain *d, uint32_t ref, uint64_t addr, uint32_t flags, uint32_t *handle)
{
    struct gnttab_map_grant_ref op = { .host_addr = addr, .flags = flags, .ref = ref, .dom = g->domid };
    int rc = fake_grant_map(d->vcpu[0], &op);

    if (!rc)
        *handle = op.handle;
    return rc;
}

int map(uint32_t ref, unsigned int i, uint32_t flags, uint32_t *handle)
{
    return map_as(u, ref, entry_addr(i), flags | GNTMAP_host_map | GNTMAP_contains_pte, handle);
}

int unmap(uint32_t handle, unsigned int i)
{
    return grant_unmap(u->vcpu[0], entry_addr(i), 0, 0, handle);
}
