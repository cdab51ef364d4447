/* SPDX-License-Identifier: MIT
 *
 * The invariant checker: counts every reference and every use anew, from those who hold them, and compares
 * with the words of the frames.
 *
 * Who holds a frame: entries of tables (as many of them as the table's state says), roots, descriptor tables,
 * registered vcpu_info pages, device maps of grants, and the frame itself by `allocated`, its pin, a walk
 * that stopped half-way, or by being shared with Parador for good. What is counted and what the word says
 * must be equal: one too few is a use after free in waiting, one too many a frame that never comes back.
 * Besides: each frame is on the list that it belongs on, free frames are free, and zero if they say so, and
 * what may be cached is told by stamps that are not of the future. domain/check.c has the rest: ports,
 * handles of grants, locks, vcpus.
 *
 * Runs between two hypercalls; other CPUs stand still meanwhile.
 */
#include "mm/check.h"
#include "domain/domain.h"
#include "lib/string.h"
#include "mm/descriptor.h"
#include "mm/heap.h"
#include "mm/page_type.h"
#include "x86/cpu.h"

#if defined(DEBUG) || defined(HOST_TEST)

#define TYPE_NAME(t) \
    ((const char *const[]){ "none", "L1", "L2", "L3", "L4", "descriptors", "writable", "no type" }[t])
#define ZERO_FRAMES 4096 /* looked through at a time */

/* What was counted of a frame. `mapped`: by domains that it doesn't belong to and that need a grant for that;
 * less what their handles allow. */
struct seen {
    uint32_t refs, uses;
    int32_t mapped;
};

/* Of a domain's frames, by domid. */
static struct totals {
    uint32_t owned, shared, undone;
} totals[DOMID_MAX_BOOT]; /* by who runs the check, like the next two */

/* The checker's memory; the pointer is constant after boot, since later there may be none left. */
static struct seen *counts;
static uint64_t zero_next; /* where the look at free frames goes on */

struct check {
    unsigned int wrong;
};

bool check_wrong(struct check *c)
{
    return c->wrong++ < CHECK_LINES;
}

void check_holds(struct check *c, mfn_t m, enum frame_type type, const char *who, uint64_t number)
{
    uint64_t w;

    if (!check_that(c, mfn_valid(m), "%s %lx holds frame %lx, which does not exist\n", who, number, m.v))
        return;
    w = frame_of(m)->word;
    counts[m.v].refs++;
    if (type == FT_NONE)
        return;
    counts[m.v].uses++;
    if (type_of(w) != type)
        complain(c, "frame %lx: used as %s by %s %lx, its word says %s (%lx)\n", m.v, TYPE_NAME(type), who,
                 number, TYPE_NAME(type_of(w)), w);
    else if (is_table_type(type) && !(w & (FRAME_VALIDATED | FRAME_PARTIAL)))
        complain(c, "frame %lx: a table in use by %s %lx and not validated (word %lx)\n", m.v, who, number,
                 w);
}

void check_allows(struct check *c, mfn_t m, int n)
{
    if (mfn_valid(m))
        counts[m.v].mapped -= n;
}

static void check_leaf(struct check *c, const struct domain *d, uint64_t entry, uint64_t table)
{
    mfn_t m = entry_mfn(entry);

    if (leaf_forbidden(d, entry))
        complain(c, "table %lx: entry %lx has forbidden bits\n", table, entry);
    if (is_device_frame(m)) {
        if (!d->privileged)
            complain(c, "table %lx of domain %u: entry %lx maps a device\n", table, d->domid, entry);
        return;
    }
    check_holds(c, m, entry & PTE_RW ? FT_WRITABLE : FT_NONE, "table", table);
    if (frame_of(m)->owner != owner_of(d) && !d->privileged)
        check_allows(c, m, -1);
}

/* Entries [0, n) of a table. */
static void check_entries(struct check *c, const struct domain *d, mfn_t m, enum frame_type level,
                          unsigned int n)
{
    const uint64_t *t = mfn_to_virt(m);

    for (unsigned int i = 0; i < n; i++) {
        if (!(t[i] & PTE_P) || !guest_slot(level, &t[i]))
            continue;
        if (!(t[i] & PTE_US))
            complain(c, "table %lx: entry %u (%lx) lacks the user bit\n", m.v, i, t[i]);
        if (level == FT_L1)
            check_leaf(c, d, t[i], m.v);
        else if (t[i] & ~PTE_ALLOWED)
            complain(c, "table %lx: entry %u (%lx) has forbidden bits\n", m.v, i, t[i]);
        else
            check_holds(c, entry_mfn(t[i]), level - 1, "table", m.v);
    }
}

/* A root shows Parador's slots as they are, or it would fault in the middle of ring 0. */
static void check_own_slots(struct check *c, mfn_t m)
{
    static uint64_t right[ENTRIES]; /* by who runs the check */
    const uint64_t *t = mfn_to_virt(m);

    hv_fill_l4(right);
    for (unsigned int i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
        if (t[i] != right[i])
            complain(c, "table %lx: Parador's slot %u holds %lx, not %lx\n", m.v, i, t[i], right[i]);
}

static void check_descriptors(struct check *c, mfn_t m)
{
    const uint64_t *t = mfn_to_virt(m);

    for (unsigned int i = 0; i < ENTRIES; i++) {
        uint64_t desc = t[i];

        if (!descriptor_check(&desc) || desc != t[i])
            complain(c, "frame %lx: descriptor %u (%lx) is none that a guest may have\n", m.v, i, t[i]);
    }
}

/* A table holds itself by its pin or its partial state, and others by its entries. */
static void check_table(struct check *c, const struct domain *d, mfn_t m)
{
    const struct frame *f = frame_of(m);
    uint64_t w = f->word;
    enum frame_type type = type_of(w);
    bool used = w & FRAME_COUNT_MASK, partial = w & FRAME_PARTIAL;

    if (w & FRAME_PINNED)
        check_holds(c, m, type, "the pin of", m.v);
    if (partial)
        check_holds(c, m, type, "the half-done work on", m.v);
    if (!(w & FRAME_VALIDATED) != !(used && !partial))
        complain(c, "frame %lx: an %s in use and not validated, or the other way round (word %lx)\n", m.v,
                 TYPE_NAME(type), w);
    if (partial && (f->aux & CURSOR) > ENTRIES)
        complain(c, "frame %lx: its cursor is %x\n", m.v, f->aux);
    totals[d->domid].undone += partial && (f->aux & CURSOR_UNDO);
    if (w & FRAME_VALIDATED)
        check_entries(c, d, m, type, ENTRIES);
    else if (partial)
        check_entries(c, d, m, type, MIN(f->aux & CURSOR, ENTRIES));
    if ((w & FRAME_VALIDATED) && type == FT_L4)
        check_own_slots(c, m);
}

/* The stamp of a frame that nobody uses as anything. */
static void check_stamp(struct check *c, mfn_t m)
{
    if ((int32_t)(tlb_clock - frame_of(m)->aux) < 0)
        complain(c, "frame %lx: its use ended at %u of the TLB clock, which is at %u\n", m.v,
                 frame_of(m)->aux, tlb_clock);
}

/* A domain's frame, and what it holds. */
static void check_owned(struct check *c, const struct domain *d, mfn_t m)
{
    const struct frame *f = frame_of(m);
    uint64_t w = f->word;
    enum frame_type type = type_of(w);
    bool shared = f->prev == SHARED;

    totals[d->domid].shared += shared;
    totals[d->domid].owned += !shared;
    if (w & FRAME_LOCKED)
        complain(c, "frame %lx: it is locked (word %lx)\n", m.v, w);
    if (!(w & FRAME_REF_MASK))
        complain(c, "frame %lx: domain %u owns it by no reference (word %lx)\n", m.v, d->domid, w);
    if (shared)
        check_holds(c, m, FT_WRITABLE, "Parador, which shares", m.v);
    if (w & FRAME_ALLOCATED)
        check_holds(c, m, FT_NONE, "the owner of", m.v);
    if (is_table_type(type))
        check_table(c, d, m);
    else if (w & (FRAME_VALIDATED | FRAME_PARTIAL | FRAME_PINNED))
        complain(c, "frame %lx: no table, and marked as one (word %lx)\n", m.v, w);
    if (type == FT_DESC && (w & FRAME_COUNT_MASK))
        check_descriptors(c, m);
    if (!(w & FRAME_COUNT_MASK))
        check_stamp(c, m);
}

static bool is_zero(mfn_t m)
{
    const uint64_t *p = mfn_to_virt(m), *end = p + ENTRIES;
    uint64_t any = 0;

    for (; p < end; p += 8)
        any |= p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7];
    return !any;
}

/* Its words and links are mm/heap.c's to check. */
static void check_free(struct check *c, mfn_t m)
{
    check_stamp(c, m);
    if (m2p_table[m.v] != INVALID_PFN.v)
        complain(c, "frame %lx: free, and has the number %lx in its owner's eyes\n", m.v, m2p_table[m.v]);
}

/* Free frames that count as zero: all of a small machine's, of a large one's the next ones in turn. */
static void check_zeros(struct check *c)
{
    for (uint64_t looked = 0, n = 0; looked < max_mfn && n < ZERO_FRAMES; looked++, zero_next++) {
        mfn_t m = MFN(zero_next %= max_mfn);

        if (!mfn_valid(m) || frame_of(m)->owner != OWNER_NONE || !(frame_of(m)->word & FREE_ZERO))
            continue;
        n++;
        if (!is_zero(m))
            complain(c, "frame %lx: free, said to be zero, and isn't\n", m.v);
    }
}

static uint64_t check_list(struct check *c, const struct domain *d, uint32_t first, bool undo)
{
    uint64_t n = 0;

    for (uint32_t m = first, prev = 0; m; prev = m, m = frame_of(MFN(m))->next, n++) {
        if (!check_that(c,
                        mfn_valid(MFN(m)) && frame_of(MFN(m))->owner == owner_of(d) &&
                            frame_of(MFN(m))->prev == prev && n <= max_mfn,
                        "domain %u's list of frames is broken at %x\n", d->domid, m))
            break;
        if (undo && !((frame_of(MFN(m))->word & FRAME_PARTIAL) && (frame_of(MFN(m))->aux & CURSOR_UNDO)))
            complain(c, "frame %x: on the list of tables to undo, with word %lx\n", m,
                     frame_of(MFN(m))->word);
    }
    return n;
}

/* What frames said of their owner is what the owner says of them. */
static void check_totals(struct check *c, const struct domain *d)
{
    const struct totals *t = &totals[d->domid];
    uint64_t undo = check_list(c, d, d->undo_list, true);
    uint64_t n = check_list(c, d, d->page_list, false) + undo + check_list(c, d, d->done_list, false);

    if (n != d->tot_pages || t->owned != d->tot_pages)
        complain(c, "domain %u: %lu frames on its lists, %u that it owns, %lu by its count\n", d->domid, n,
                 t->owned, d->tot_pages);
    if (t->shared != d->shared_pages)
        complain(c, "domain %u: %u pages that it shares with Parador, %u by its count\n", d->domid, t->shared,
                 d->shared_pages);
    if (t->undone != undo)
        complain(c, "domain %u: %u tables half undone, %lu on its list of them\n", d->domid, t->undone, undo);
}

static void compare(struct check *c, const struct domain *d, mfn_t m)
{
    uint64_t w = frame_of(m)->word;
    uint64_t refs = w & FRAME_REF_MASK, uses = (w & FRAME_COUNT_MASK) >> FRAME_COUNT_SHIFT;
    const struct seen *s = &counts[m.v];

    if (refs != s->refs || uses != s->uses)
        complain(
            c,
            "frame %lx, %s of domain %u: %u references and %u uses found, its word says %lu and %lu (%lx)\n",
            m.v, TYPE_NAME(type_of(w)), d->domid, s->refs, s->uses, refs, uses, w);
    if (s->mapped > 0)
        complain(c, "frame %lx of domain %u: others map it %d times more than its grants allow\n", m.v,
                 d->domid, s->mapped);
}

void check_init(void)
{
    unsigned int order = 0;

    while (PAGE_SIZE << order < max_mfn * sizeof(*counts))
        order++;
    counts = pages_alloc(order);
}

/* Each frame by what it is. */
static uint64_t check_frames(struct check *c)
{
    struct domain *d;
    uint64_t hv = 0;

    for (uint64_t m = 0; m < max_mfn; m++) {
        const struct frame *f = frame_of(MFN(m));

        if (!mfn_valid(MFN(m)))
            continue;
        if ((d = frame_domain(f)))
            check_owned(c, d, MFN(m));
        else if (f->owner == OWNER_NONE && m)
            check_free(c, MFN(m));
        hv += f->owner == OWNER_HV;
    }
    return hv;
}

static void check_all(struct check *c)
{
    struct domain *d;
    uint64_t hv;

    memset(counts, 0, max_mfn * sizeof(*counts));
    memset(totals, 0, sizeof(totals));
    for (uint32_t i = 0; i < nr_cpus; i++)
        check_cpu(c, cpus[i]);
    if (heap_check() == ~0ULL)
        c->wrong++;
    hv = check_frames(c);
    if (hv != frames_hv())
        complain(c, "%lu frames are Parador's, %lu by its count\n", hv, frames_hv());
    check_zeros(c);
    for (unsigned int i = 0; (d = get_domain_by_index(i)); i++) {
        check_handles(c, d);
        put_domain(d);
    }
    for (unsigned int i = 0; (d = get_domain_by_index(i)); i++) {
        check_domain_state(c, d);
        check_totals(c, d);
        put_domain(d);
    }
    for (uint64_t m = 0; m < max_mfn; m++)
        if (mfn_valid(MFN(m)) && (d = frame_domain(frame_of(MFN(m)))))
            compare(c, d, MFN(m));
}

unsigned int check_machine(void)
{
    struct check c = { 0 };

    if (!counts) {
        say("parador: check: no memory for the counts\n");
        return 1;
    }
    cpus_stop();
    check_all(&c);
    cpus_go();
    latency_begin(); /* it took its time */
    return c.wrong;
}

void check_machine_and_say(void)
{
    say("parador: check: %s\n", check_machine() ? "FAILED" : "ok");
}

#else

void check_init(void)
{
}

unsigned int check_machine(void)
{
    return 0;
}

#endif
