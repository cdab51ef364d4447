/* SPDX-License-Identifier: MIT
 *
 * Grants to oneself, and attempts at others'.
 */
#include "tests/guest/random_calls/calls.h"

#define NO_HANDLE 0xdeadU
#define ALL       504 /* references of a table of one frame, but for 0 to 7 */

static grant_entry_v1_t *table;
static grant_handle_t handle[WINDOWS];
static bool mapped[WINDOWS];
static uint64_t where[WINDOWS], bus[WINDOWS]; /* the addresses that were given and got */

/* The grant table of one frame; its references are 8 and above. */
static grant_entry_v1_t *entry(unsigned int ref)
{
    return &table[8 + ref];
}

/* Of those in a multicall each has other windows: what is mapped is known behind it. */
static unsigned int some_window(void)
{
    return batching ? batched * 2 + random(2) : random(WINDOWS);
}

static uint32_t some_ref(struct call *c)
{
    static const uint32_t wrong[] = { 0, 7, 8 + REFS, 511, 512, 1U << 20, ~0U };
    uint32_t ref = odd(6) ? PICK(wrong) : 8 + random(REFS);

    say(c, "grant %u ", ref);
    return ref;
}

static void op(struct call *c, unsigned int cmd, size_t size)
{
    unsigned int count = odd(10) ? 0 : 1;

    c->nr = __HYPERVISOR_grant_table_op;
    c->a[0] = some_op(c, cmd, GNTTABOP_cache_flush + 1);
    c->a[1] = some_pointer(c, size);
    c->a[2] = odd(20) ? 1UL << 31 : count;
    c->a[3] = c->a[4] = 0;
    if (c->a[2] != 1)
        say(c, "(count %lx) ", c->a[2]);
}

/* The call was made, so its status is the result. */
static bool made(const struct call *c)
{
    return !c->result && c->a[2] && c->a[1] == (uint64_t)c->data && c->a[0] <= GNTTABOP_cache_flush;
}

static void after_status(struct call *c)
{
    if (made(c))
        c->result = STATUS(*(const int16_t *)((const char *)c->data + c->x));
}

static void judge_by_status(struct call *c, size_t offset)
{
    c->x = (unsigned int)offset;
    c->after = after_status;
}

/* An entry of the table, changed by the guest itself; nobody is called. */
static void gen_grant(struct call *c)
{
    static const uint16_t odd_flags[] = { GTF_invalid, GTF_accept_transfer, GTF_permit_access | 0x100,
                                          GTF_transitive };
    unsigned int ref = random(REFS), i;
    struct frame f = some_frame(false);
    uint16_t flags = GTF_permit_access | (random(3) ? 0 : GTF_readonly);

    c->nr = NO_CALL;
    for (i = 0; i < WINDOWS && !mapped[i]; i++)
        ;
    if (i < WINDOWS && !nearly)
        return; /* entries in use stay as they are, mostly */
    if (entry(ref)->flags & (GTF_reading | GTF_writing))
        return;
    if (odd(3))
        flags = PICK(odd_flags);
    entry(ref)->flags = 0;
    entry(ref)->domid = odd(4) ? 77 : pv_domid();
    entry(ref)->frame = (uint32_t)f.mfn;
    __atomic_store_n(&entry(ref)->flags, flags, __ATOMIC_RELEASE);
    c->by_hand = true;
    c->result = 0;
    say(c, "grant %u: %s flags %x", 8 + ref, f.name, flags);
}

static void after_map(struct call *c)
{
    struct gnttab_map_grant_ref *m = (void *)c->data;

    if (!made(c))
        return;
    c->result = STATUS(m->status);
    if (m->status)
        return;
    handle[c->x] = m->handle;
    mapped[c->x] = true;
    where[c->x] = m->flags & GNTMAP_host_map ? m->host_addr : 0;
    bus[c->x] = m->flags & GNTMAP_device_map ? m->dev_bus_addr : 0;
}

static void gen_map(struct call *c)
{
    static const uint32_t kinds[] = {
        0, GNTMAP_device_map, GNTMAP_application_map, GNTMAP_contains_pte, 1U << 16, 1U << 9
    };
    struct gnttab_map_grant_ref *m = (void *)c->data;
    unsigned int w = some_window();

    if (mapped[w]) {
        c->nr = NO_CALL;
        return;
    }
    m->flags = GNTMAP_host_map | (random(3) ? 0 : GNTMAP_readonly);
    if (odd(3))
        m->flags ^= PICK(kinds);
    if (odd(10))
        m->flags &= ~(uint32_t)GNTMAP_host_map;
    m->host_addr =
        m->flags & GNTMAP_contains_pte ? pv_walk_maddr((unsigned long)window[w]).v : (uint64_t)window[w];
    m->ref = some_ref(c);
    if (m->ref >= 8 && m->ref < 8 + ALL && is_dead((uint64_t)entry(m->ref - 8)->frame << PAGE_SHIFT))
        m->ref = 7; /* it could never be unmapped once the guest has taken its entry away */
    m->dom = odd(8) ? some_domain(c) : pv_domid();
    if (odd(10))
        m->host_addr = some_address();
    op(c, GNTTABOP_map_grant_ref, sizeof(*m));
    c->x = w;
    c->after = after_map;
    say(c, "map at window %u%s flags %x", w,
        (m->flags & GNTMAP_contains_pte) || m->host_addr == (uint64_t)window[w] ? "" : " (or not)", m->flags);
}

static void after_unmap(struct call *c)
{
    struct gnttab_unmap_grant_ref *u = (void *)c->data;

    if (!made(c))
        return;
    c->result = STATUS(u->status);
    if (!u->status && c->y && (u->host_addr == where[c->x] || !where[c->x])) /* 0 leaves it as it is */
        mapped[c->x] = false;
}

static void gen_unmap(struct call *c)
{
    struct gnttab_unmap_grant_ref *u = (void *)c->data;
    unsigned int w = some_window();

    if (!mapped[w] && !nearly) {
        c->nr = NO_CALL;
        return;
    }
    c->y = !odd(6) && mapped[w];
    u->handle = c->y ? handle[w] : NO_HANDLE;
    u->host_addr = odd(6) ? some_address() : c->y ? where[w] : (uint64_t)window[w];
    u->dev_bus_addr = odd(6) ? PAGE_SIZE : c->y ? bus[w] : 0;
    op(c, GNTTABOP_unmap_grant_ref, sizeof(*u));
    c->x = w;
    c->after = after_unmap;
    say(c, "unmap window %u%s%s", w, c->y ? "" : ", no handle",
        !c->y || u->host_addr == where[w] ? "" : ", wrong address");
}

static void copy_end(struct call *c, struct gnttab_copy *g, bool source)
{
    struct gnttab_copy_ptr *at = source ? &g->source : &g->dest;
    bool by_ref = random(2);
    struct frame f = some_frame(true);

    while (!source && f.name[0] != 'p' && f.name[0] != 'h' && f.name[0] != 'R' && f.name[0] != 'n' &&
           f.name[0] != 'L')
        f = some_frame(true);
    at->offset = odd(8) ? (uint16_t)((source ? 4080 : 4089) + random(20)) : 64;
    at->domid = by_ref && !odd(8) ? pv_domid() : some_domain(c);
    if (by_ref) {
        g->flags |= source ? GNTCOPY_source_gref : GNTCOPY_dest_gref;
        at->u.ref = some_ref(c);
    } else {
        at->u.gmfn = f.mfn;
    }
    say(c, "%s", by_ref ? "" : f.name);
}

/* What this guest lives on, or changes by itself. */
static bool outside(uint64_t mfn)
{
    return mfn == pv_start_info->shared_info >> PAGE_SHIFT || mfn == pv_virt_to_mfn(pv_start_info).v ||
           mfn == 0xa0;
}

/* By grants only where none of them names such a frame. */
static void gen_copy(struct call *c)
{
    struct gnttab_copy *g = (void *)c->data;

    copy_end(c, g, true);
    say(c, " -> ");
    copy_end(c, g, false);
    for (unsigned int ref = 0; ref < ALL; ref++) {
        if (!outside(entry(ref)->frame))
            continue;
        if (g->flags & GNTCOPY_dest_gref)
            g->dest.u.ref = 7;
        if (g->flags & GNTCOPY_source_gref)
            g->source.u.ref = 7;
    }
    g->len = odd(8) ? 4097 : 8;
    op(c, GNTTABOP_copy, sizeof(*g));
    judge_by_status(c, offsetof(struct gnttab_copy, status));
    say(c, " copy of %u", g->len);
}

static void gen_query(struct call *c)
{
    struct gnttab_query_size *q = (void *)c->data;

    q->dom = some_domain(c);
    op(c, GNTTABOP_query_size, sizeof(*q));
    judge_by_status(c, offsetof(struct gnttab_query_size, status));
    say(c, "query size");
}

static void gen_setup(struct call *c)
{
    struct gnttab_setup_table *s = (void *)c->data;

    s->dom = some_domain(c);
    s->nr_frames = odd(3) ? 1000 : random(2);
    set_xen_guest_handle(s->frame_list, odd(4) ? (void *)some_address() : &c->data[10]);
    op(c, GNTTABOP_setup_table, sizeof(*s));
    judge_by_status(c, offsetof(struct gnttab_setup_table, status));
    say(c, "setup of %u frames%s", s->nr_frames,
        (uint64_t)s->frame_list.p == (uint64_t)&c->data[10] ? "" : ", bad list");
}

static void gen_version(struct call *c)
{
    if (random(2)) {
        c->data[0] = odd(3) ? 3 : odd(3) ? 0 : 1;
        op(c, GNTTABOP_set_version, sizeof(struct gnttab_set_version));
        say(c, "set version %lu", c->data[0]);
    } else {
        c->data[0] = some_domain(c);
        op(c, GNTTABOP_get_version, sizeof(struct gnttab_get_version));
        say(c, "get version");
    }
}

static void gen_swap(struct call *c)
{
    struct gnttab_swap_grant_ref *s = (void *)c->data;

    s->ref_a = some_ref(c);
    s->ref_b = some_ref(c);
    if (s->ref_a < 8 || s->ref_b < 8)
        s->ref_a = s->ref_b = 1000; /* not those of console and store */
    op(c, GNTTABOP_swap_grant_ref, sizeof(*s));
    judge_by_status(c, offsetof(struct gnttab_swap_grant_ref, status));
    say(c, "swap");
}

static void gen_cache_flush(struct call *c)
{
    struct gnttab_cache_flush *f = (void *)c->data;
    struct frame at = some_frame(true);

    f->a.dev_bus_addr = at.mfn << PAGE_SHIFT;
    f->offset = odd(6) ? 4096 : 0;
    f->length = odd(6) ? 4097 : 64;
    f->op = odd(6) ? 4 : random(3);
    op(c, GNTTABOP_cache_flush, sizeof(*f));
    say(c, "cache flush %s %u+%u op %x", at.name, f->offset, f->length, f->op);
}

/* A frame that cannot go: it is not ours, or the one who should take it is not there or is the giver. */
static void gen_transfer(struct call *c)
{
    struct gnttab_transfer *t = (void *)c->data;
    struct frame f = some_frame(true);

    t->mfn = f.name[0] == 'p' ? 1UL << 38 : f.mfn;
    t->domid = random(2) ? 77 : pv_domid();
    t->ref = some_ref(c);
    op(c, GNTTABOP_transfer, sizeof(*t));
    judge_by_status(c, offsetof(struct gnttab_transfer, status));
    say(c, "transfer %s to %s", t->mfn == f.mfn ? f.name : "no frame", t->domid == 77 ? "nobody" : "self");
}

generator *const grant_calls[] = { gen_grant, gen_map,         gen_map,      gen_map,
                                   gen_unmap, gen_unmap,       gen_unmap,    gen_copy,
                                   gen_copy,  gen_query,       gen_setup,    gen_version,
                                   gen_swap,  gen_cache_flush, gen_transfer, NULL };

/* No mapping is left: one whose entry was taken away gets it back for that. */
void grants_end(void)
{
    for (unsigned int w = 0; w < WINDOWS; w++) {
        struct gnttab_unmap_grant_ref u = { .handle = handle[w],
                                            .host_addr = where[w],
                                            .dev_bus_addr = bus[w] };

        if (!mapped[w])
            continue;
        HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1);
        for (unsigned int ref = 0; u.status && ref < 2 * ALL; ref++) {
            if (!entry(ref % ALL)->flags)
                continue;
            pv_map((unsigned long)window[w],
                   pv_pte(mfn(entry(ref % ALL)->frame), ref < ALL ? PTE_KERNEL : PTE_KERNEL_RO));
            u.status = 0;
            HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1);
        }
        check(!u.status, "unmapping window %u: status %d, at %lx, bus %lx", w, u.status, where[w], bus[w]);
        mapped[w] = false;
    }
}

bool grants_use(uint64_t mfn)
{
    for (unsigned int ref = 0; ref < ALL; ref++)
        if (entry(ref)->flags & (GTF_reading | GTF_writing) && entry(ref)->frame == mfn)
            return true;
    return false;
}

bool grants_purge(void)
{
    bool clean = true;

    for (unsigned int ref = 0; ref < ALL; ref++) {
        if (!is_dead((uint64_t)entry(ref)->frame << PAGE_SHIFT))
            continue;
        if (entry(ref)->flags & (GTF_reading | GTF_writing))
            clean = false;
        else
            entry(ref)->frame = entry(ref)->flags = 0;
    }
    return clean;
}

void grants_begin(void)
{
    struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };
    xen_pfn_t frame;

    if (!table) {
        set_xen_guest_handle(s.frame_list, &frame);
        require(!HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &s, 1) && !s.status, "grant table");
        table = pv_vaddr_reserve(1);
        require(table && !pv_map((unsigned long)table, pv_pte(mfn(frame), PTE_KERNEL)), "mapping it");
    }
    for (unsigned int ref = 0; ref < ALL; ref++)
        check(!(entry(ref)->flags & (GTF_reading | GTF_writing)), "grant %u is in use, flags %x", ref + 8,
              entry(ref)->flags);
    memset(entry(0), 0, ALL * sizeof(*table));
    for (unsigned int ref = 0; ref < REFS; ref++) {
        entry(ref)->domid = pv_domid();
        entry(ref)->frame = (uint32_t)pv_virt_to_mfn(page[ref % PAGES]).v;
        entry(ref)->flags = GTF_permit_access;
    }
}
