/* SPDX-License-Identifier: MIT
 *
 * The invariant checker: counts every reference and every use anew, from those who hold them, and compares
 * with the words of the frames.
 *
 * Who holds a frame: entries of tables (as many of them as the table's state says), roots, descriptor tables,
 * registered vcpu_info pages, device maps of grants, and the frame itself by `allocated`, its pin, a walk
 * that stopped half-way, or by being shared with Parador for good. What is counted and what the word says
 * must be equal: one too few is a use after free in waiting, one too many a frame that never comes back.
 *
 * Runs between two hypercalls; other CPUs stand still meanwhile.
 */
#include "domain/grant_table.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/page_type.h"
#include "x86/cpu.h"

#if defined(DEBUG) || defined(HOST_TEST)

#define LINES_MAX 10
#define TYPE_OF_NR(t) \
    ((const char *const[]){ "none", "L1", "L2", "L3", "L4", "descriptors", "writable", "?" }[t])

struct seen {
    uint32_t refs, uses; /* counted; index: frame number */
};

struct check {
    struct seen *seen;
    unsigned int wrong;
};

static void complain(struct check *c, const char *what, uint64_t a, uint64_t b)
{
    if (c->wrong++ >= LINES_MAX)
        return;
    say("parador: check: ");
    say(what, a, b);
    say("\n");
}

/* Somebody holds m, as type (FT_NONE: a general reference only). */
static void hold(struct check *c, mfn_t m, enum frame_type type, uint64_t who)
{
    const struct frame *f;

    if (!mfn_valid(m)) {
        complain(c, "%lx holds frame %lx, which does not exist", who, m.v);
        return;
    }
    f = frame_of(m);
    c->seen[m.v].refs++;
    if (type == FT_NONE)
        return;
    c->seen[m.v].uses++;
    if (type_of(f->word) != type)
        complain(c, "frame %lx is used as what it is not, by %lx", m.v, who);
    else if (is_table_type(type) && !(f->word & (FRAME_VALIDATED | FRAME_PARTIAL)))
        complain(c, "table %lx is in use by %lx and not validated", m.v, who);
}

static void check_leaf(struct check *c, const struct domain *d, uint64_t entry, uint64_t table)
{
    if (leaf_forbidden(d, entry))
        complain(c, "entry %lx of table %lx has forbidden bits", entry, table);
    if (!is_device_frame(entry_mfn(entry)))
        hold(c, entry_mfn(entry), entry & PTE_RW ? FT_WRITABLE : FT_NONE, table);
    else if (!d->privileged)
        complain(c, "entry %lx of table %lx maps a device", entry, table);
}

/* Entries [0, n) of a table. */
static void check_table(struct check *c, const struct domain *d, mfn_t m, enum frame_type level,
                        unsigned int n)
{
    const uint64_t *t = mfn_to_virt(m);

    for (unsigned int i = 0; i < n; i++) {
        if (!(t[i] & PTE_P) || !guest_slot(level, &t[i]))
            continue;
        if (!(t[i] & PTE_US))
            complain(c, "entry %lx of table %lx lacks the user bit", t[i], m.v);
        if (level == FT_L1)
            check_leaf(c, d, t[i], m.v);
        else if (t[i] & ~PTE_ALLOWED)
            complain(c, "entry %lx of table %lx has forbidden bits", t[i], m.v);
        else
            hold(c, entry_mfn(t[i]), level - 1, m.v);
    }
}

/* What a frame of d holds, itself and others. */
static void check_frame(struct check *c, const struct domain *d, mfn_t m)
{
    const struct frame *f = frame_of(m);
    uint64_t w = f->word;
    enum frame_type type = type_of(w);

    if (w & FRAME_LOCKED)
        complain(c, "frame %lx is locked (word %lx)", m.v, w);
    if (!(w & FRAME_REF_MASK))
        complain(c, "frame %lx has an owner and no reference (word %lx)", m.v, w);
    if (f->prev == SHARED)
        hold(c, m, FT_WRITABLE, m.v);
    if (w & FRAME_ALLOCATED)
        hold(c, m, FT_NONE, m.v);
    if (!is_table_type(type)) {
        if (w & (FRAME_VALIDATED | FRAME_PARTIAL | FRAME_PINNED))
            complain(c, "frame %lx is no table, and marked as one (word %lx)", m.v, w);
        return;
    }
    if (w & FRAME_PINNED)
        hold(c, m, type, m.v);
    if (w & FRAME_PARTIAL)
        hold(c, m, type, m.v);
    if (!(w & FRAME_VALIDATED) != !((w & FRAME_COUNT_MASK) && !(w & FRAME_PARTIAL)))
        complain(c, "table %lx: in use and not validated, or the other way round (word %lx)", m.v, w);
    if (w & FRAME_VALIDATED)
        check_table(c, d, m, type, ENTRIES);
    else if (w & FRAME_PARTIAL)
        check_table(c, d, m, type, f->aux & CURSOR);
}

static void check_vcpu(struct check *c, const struct vcpu *v)
{
    if (v->arch.cr3_kernel)
        hold(c, maddr_to_mfn(v->arch.cr3_kernel), FT_L4, v->id);
    if (v->arch.cr3_user)
        hold(c, maddr_to_mfn(v->arch.cr3_user), FT_L4, v->id);
    for (unsigned int i = 0; i < DIV_ROUND_UP(v->arch.gdt_entries, 512u); i++)
        hold(c, MFN(v->arch.gdt_mfns[i]), FT_DESC, v->id);
    for (unsigned int i = 0; i < ARRAY_SIZE(v->arch.ldt_mfns); i++)
        if (v->arch.ldt_mfns[i])
            hold(c, MFN(v->arch.ldt_mfns[i]), FT_DESC, v->id);
    if (v->info_mfn != INVALID_MFN.v)
        hold(c, MFN(v->info_mfn), FT_WRITABLE, v->id);
}

/* Device maps of d's grants; the references of host maps are the page-table entries'. */
static void check_grants(struct check *c, const struct domain *d)
{
    const struct grant_table *t = d->grant;

    for (uint32_t ref = 0; t && ref < t->nr_entries; ref++) {
        const struct grant_active *a = grant_active(t, ref);

        for (uint32_t n = a->pins / PIN_DEV_RO & 0xff; n; n--)
            hold(c, MFN(a->mfn), FT_NONE, ref);
        for (uint32_t n = a->pins / PIN_DEV_RW & 0xff; n; n--)
            hold(c, MFN(a->mfn), FT_WRITABLE, ref);
    }
}

static uint64_t check_list(struct check *c, const struct domain *d, uint32_t first)
{
    uint64_t n = 0;

    for (uint32_t m = first, prev = 0; m; prev = m, m = frame_of(MFN(m))->next, n++) {
        if (!mfn_valid(MFN(m)) || frame_of(MFN(m))->owner != owner_of(d) || frame_of(MFN(m))->prev != prev ||
            n > max_mfn) {
            complain(c, "domain %lu's list of frames is broken at %lx", d->domid, m);
            break;
        }
    }
    return n;
}

static void check_domain(struct check *c, struct domain *d)
{
    uint64_t n =
        check_list(c, d, d->page_list) + check_list(c, d, d->undo_list) + check_list(c, d, d->done_list);

    if (n != d->tot_pages)
        complain(c, "%lu frames on a domain's lists, %lu counted", n, d->tot_pages);
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i])
            check_vcpu(c, d->vcpu[i]);
    check_grants(c, d);
}

static void compare(struct check *c, mfn_t m)
{
    const struct frame *f = frame_of(m);
    uint64_t refs = f->word & FRAME_REF_MASK, uses = (f->word & FRAME_COUNT_MASK) >> FRAME_COUNT_SHIFT;

    if (refs != c->seen[m.v].refs)
        complain(c, "frame %lx: one count of its references is wrong (word %lx)", m.v, f->word);
    if (uses != c->seen[m.v].uses)
        complain(c, "frame %lx: one count of its uses is wrong (word %lx)", m.v, f->word);
    if ((refs != c->seen[m.v].refs || uses != c->seen[m.v].uses) && c->wrong <= LINES_MAX)
        say("check:   %s of owner %x; counted %u references, %u uses\n", TYPE_OF_NR(type_of(f->word)),
            f->owner, c->seen[m.v].refs, c->seen[m.v].uses);
}

static struct seen
    *counts; /* the checker's memory; constant after boot, since later there may be none left */

void check_init(void)
{
    unsigned int order = 0;

    while (PAGE_SIZE << order < max_mfn * sizeof(*counts))
        order++;
    counts = pages_alloc(order);
}

unsigned int check_machine(void)
{
    struct check c = { .seen = counts };
    struct domain *d;

    if (!counts) {
        say("check: no memory for the counts\n");
        return 1;
    }
    cpus_stop();
    memset(counts, 0, max_mfn * sizeof(*counts));
    if (heap_check() == ~0ULL)
        c.wrong++;
    for (unsigned int i = 0; (d = get_domain_by_index(i)); i++) {
        check_domain(&c, d);
        put_domain(d);
    }
    for (uint64_t m = 0; m < max_mfn; m++)
        if (mfn_valid(MFN(m)) && (d = frame_domain(frame_of(MFN(m)))))
            check_frame(&c, d, MFN(m));
    for (uint64_t m = 0; m < max_mfn; m++)
        if (mfn_valid(MFN(m)) && frame_domain(frame_of(MFN(m))))
            compare(&c, MFN(m));
    cpus_go();
    latency_begin(); /* it takes its time */
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
