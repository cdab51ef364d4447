/* SPDX-License-Identifier: MIT
 *
 * memory_op: what a domain has, giving pages back and getting others.
 *
 * A frame that was given back may come again by another name, on one hypervisor sooner than on the other. So
 * no entry of any page may name it when frames change hands: dead frames are purged from the pages, and where
 * that can't be done nothing is fetched.
 */
#include "tests/guest/random_calls/calls.h"

#define DEAD 64

static uint64_t dead[DEAD];
static unsigned int nr_dead;

static void forget(uint64_t mfn)
{
    for (unsigned int i = 0; i < nr_dead; i++)
        if (dead[i] == mfn)
            dead[i] = 0;
}

bool is_dead(uint64_t entry)
{
    for (unsigned int i = 0; i < nr_dead; i++)
        if (dead[i] && pv_pte_mfn(entry).v == dead[i])
            return true;
    return false;
}

/* True when no page and no grant names a dead frame any more. */
static bool purged(void)
{
    bool clean = grants_purge();

    for (unsigned int i = 0; nr_dead && i < PAGES; i++)
        for (unsigned int k = 0; !gone[i] && k < 512; k++)
            if (page[i][k] && is_dead(page[i][k]))
                clean &= !test_update(0, &page[i][k], 0) && !is_dead(page[i][k]);
    return clean;
}

/* No frame's number matters any more. One that was pinned when it was given back is a table until now. */
void memory_end(void)
{
    for (unsigned int i = 0; i < nr_dead; i++)
        test_mmuext_mfn(MMUEXT_UNPIN_TABLE, dead[i]);
    nr_dead = 0;
}

static void op(struct call *c, unsigned int cmd, size_t size)
{
    call(c, __HYPERVISOR_memory_op, odd(12) ? 29 + random(35) : cmd, some_pointer(c, size), 0, 0);
    say(c, "memory op %lu", c->a[0]);
}

/* Calls that return how many extents they did. */
static void after_extents(struct call *c)
{
    if (c->result == 0 && c->y)
        c->result = SHORT;
}

static struct xen_memory_reservation *reservation(struct call *c, unsigned int cmd)
{
    static const uint32_t orders[] = { 19, 20, 31, 63, 64, ~0U };
    struct xen_memory_reservation *r = (void *)c->data;

    r->nr_extents = 1;
    r->extent_order = odd(6) ? PICK(orders) : 0;
    r->domid = odd(6) ? 77 : DOMID_SELF;
    set_xen_guest_handle(r->extent_start, odd(8) ? (void *)some_address() : &c->data[20]);
    if (r->extent_order || r->domid == 77)
        say(c, "order %u domain %x ", r->extent_order, r->domid);
    if ((uint64_t)r->extent_start.p != (uint64_t)&c->data[20])
        say(c, "list at %lx ", (uint64_t)r->extent_start.p);
    op(c, cmd, sizeof(*r));
    c->y = 1;
    return r;
}

static void after_give(struct call *c)
{
    bool given = c->result == 1;

    after_extents(c);
    if (given) {
        gone[c->x] = true;
        dead[nr_dead++] = c->data[20];
    } else {
        pv_map((unsigned long)page[c->x], test_pte(page[c->x], PTE_KERNEL_RO));
    }
}

static void gen_give(struct call *c)
{
    unsigned int i = random(PAGES - ROOTS);

    c->nr = NO_CALL;
    if (batching || gone[i] || nr_dead == DEAD || grants_use(pv_virt_to_mfn(page[i]).v) ||
        pv_map((unsigned long)page[i], 0))
        return;
    c->data[20] = pv_virt_to_mfn(page[i]).v;
    c->x = i;
    say(c, "give page %u ", i);
    reservation(c, XENMEM_decrease_reservation);
    c->after = after_give;
}

/* What is not ours to give. */
static void gen_give_other(struct call *c)
{
    struct frame f = some_frame(true);

    if (f.name[0] == 'p' || f.name[0] == 'L')
        f.mfn = 1UL << 38;
    say(c, "give %s ", f.mfn == 1UL << 38 ? "no frame" : f.name);
    c->data[20] = f.mfn;
    reservation(c, XENMEM_decrease_reservation);
    c->after = after_extents;
}

static void after_fetch(struct call *c)
{
    bool fetched = c->result == 1;

    after_extents(c);
    if (!fetched)
        return;
    forget(c->data[20]);
    gone[c->x] = false;
    pv_set_p2m(pv_virt_to_pfn(page[c->x]), mfn(c->data[20]));
    random_mix((uint64_t)pv_map((unsigned long)page[c->x], test_pte(page[c->x], PTE_KERNEL)));
    memset(page[c->x], 0, PAGE_SIZE); /* Xen leaves in it what this domain had there */
}

static void gen_fetch(struct call *c)
{
    unsigned int i = random(PAGES - ROOTS);

    c->nr = NO_CALL;
    for (unsigned int n = 0; n < PAGES - ROOTS && !gone[i]; n++)
        i = (i + 1) % (PAGES - ROOTS);
    if (batching || !gone[i] || !purged())
        return;
    c->data[20] = pv_virt_to_pfn(page[i]).v;
    c->x = i;
    say(c, "fetch page %u ", i);
    reservation(c, XENMEM_populate_physmap);
    c->after = after_fetch;
}

/* One more, which goes back at once. */
static void after_more(struct call *c)
{
    bool fetched = c->result == 1;
    xen_pfn_t frame = c->data[20];
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    after_extents(c);
    set_xen_guest_handle(r.extent_start, &frame);
    if (fetched)
        random_mix((uint64_t)HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r));
}

static void gen_more(struct call *c)
{
    struct xen_memory_reservation *r;

    c->nr = NO_CALL;
    if (batching || !purged())
        return;
    r = reservation(c, XENMEM_increase_reservation);
    if ((uint64_t)r->extent_start.p != (uint64_t)&c->data[20])
        r->nr_extents = 0; /* else nobody knows which it was */
    c->after = after_more;
}

static void after_exchange(struct call *c)
{
    struct xen_memory_exchange *x = (void *)c->data;

    random_mix(x->nr_exchanged);
    if (!c->result && x->nr_exchanged == 1 && !c->y) {
        forget(c->data[30]);
        pv_set_p2m(pv_virt_to_pfn(page[c->x]), mfn(c->data[30]));
        dead[nr_dead++] = c->data[29];
        random_mix((uint64_t)test_mmuext(MMUEXT_CLEAR_PAGE, page[c->x]));
    }
    random_mix((uint64_t)pv_map((unsigned long)page[c->x], test_pte(page[c->x], PTE_KERNEL_RO)));
}

static void gen_exchange(struct call *c)
{
    struct xen_memory_exchange *x = (void *)c->data;
    unsigned int i = random(PAGES - ROOTS);

    c->nr = NO_CALL;
    if (batching || gone[i] || nr_dead == DEAD || grants_use(pv_virt_to_mfn(page[i]).v) || !purged() ||
        pv_map((unsigned long)page[i], 0))
        return;
    c->data[28] = c->data[29] = pv_virt_to_mfn(page[i]).v;
    c->data[30] = pv_virt_to_pfn(page[i]).v;
    c->x = i;
    x->in = x->out = (struct xen_memory_reservation){ .nr_extents = 1, .domid = odd(6) ? 77 : DOMID_SELF };
    set_xen_guest_handle(x->in.extent_start, &c->data[28]);
    set_xen_guest_handle(x->out.extent_start, &c->data[30]);
    if (odd(6))
        x->out.nr_extents = 2;
    if (odd(6))
        x->in.extent_order = 1;
    if (odd(6))
        x->in.extent_order = x->out.extent_order = 20;
    if (odd(6))
        x->nr_exchanged = 1 + random(2);
    c->y = (unsigned int)x->nr_exchanged;
    if (odd(6))
        set_xen_guest_handle(x->in.extent_start, (void *)some_address());
    say(c, "exchange page %u in %lu %u out %lu %u done %lu domain %x ", i, x->in.nr_extents,
        x->in.extent_order, x->out.nr_extents, x->out.extent_order, x->nr_exchanged, x->in.domid);
    call(c, __HYPERVISOR_memory_op, XENMEM_exchange, (uint64_t)c->data, 0, 0);
    c->after = after_exchange;
}

/* Not how many there are. */
static void after_size(struct call *c)
{
    if (FINE(c->result))
        c->result = 0;
}

static void gen_size(struct call *c)
{
    static const uint8_t cmds[] = { XENMEM_current_reservation, XENMEM_maximum_reservation,
                                    XENMEM_maximum_ram_page };

    c->data[0] = some_domain(c);
    op(c, PICK(cmds), sizeof(domid_t));
    c->after = after_size;
}

static void gen_tables(struct call *c)
{
    struct xen_machphys_mfn_list *l = (void *)c->data;

    if (random(2)) {
        op(c, XENMEM_machphys_mapping, sizeof(struct xen_machphys_mapping));
        return;
    }
    l->max_extents = 1;
    set_xen_guest_handle(l->extent_start, odd(4) ? (void *)NOWHERE : &c->data[20]);
    say(c, "list%s ", (uint64_t)l->extent_start.p == NOWHERE ? " nowhere" : "");
    op(c, XENMEM_machphys_mfn_list, sizeof(*l));
}

static void gen_physmap(struct call *c)
{
    static const uint8_t cmds[] = { XENMEM_add_to_physmap, XENMEM_remove_from_physmap,
                                    XENMEM_add_to_physmap_batch, XENMEM_memory_map };

    *(domid_t *)c->data = some_domain(c);
    op(c, PICK(cmds), 64);
}

generator *const memory_calls[] = { gen_give,     gen_give, gen_give_other, gen_fetch,  gen_fetch,   gen_more,
                                    gen_exchange, gen_size, gen_size,       gen_tables, gen_physmap, NULL };
