/* SPDX-License-Identifier: MIT
 *
 * Page types: the heart of Parador.
 *
 * A PV guest writes its own page tables' contents, and the processor walks them; so memory is isolated
 * exactly if no guest can write a table except through a check. The rule that gives this: every frame has at
 * most one type at a time (frame.h), a frame is only ever used as the type it has, and the type changes only
 * while nothing uses it. "Uses" are counted: a writable mapping is one use as `writable`; an L2 entry is one
 * use of an L1 table; CR3 and a pin are uses of an L4. A frame that is a table anywhere is so writable
 * nowhere.
 *
 * To become a table, a frame's 512 entries are checked (validate), and each present entry takes its
 * references: on the frame that an L1 entry maps, on the table that an upper entry points to, which then must
 * be a table of one level less: so validation recurses down the tree. The last use gone, the references are
 * dropped again (undo). In between, entries change one by one (pv_direct.c), each checked alike. A table that
 * points to one of its own level (a linear page table) is refused: levels strictly descend, so there are no
 * cycles, recursion ends, and locks are always taken downwards.
 *
 * Trees are big and hypercalls must stay short, so both walks can stop after any entry. The frame is then
 * `partial`, with the cursor in aux, and keeps for itself one type use and one reference; whoever wants the
 * table next goes on where it stopped. A stopped undo goes on d->undo_list, finished by paging_finish()
 * before the domain's next change of frames. Each partial frame stands for itself: nobody else remembers it.
 *
 * Next: mm/pv_direct.c, the changes of single entries.
 */
#include "mm/page_type.h"
#include "hypercall/hypercall.h"
#include "lib/bug.h"
#include "lib/lock.h"
#include "mm/descriptor.h"
#include "mm/paging.h"
#include "mm/tlb.h"

#define LOOK 8 /* groups of eight entries of an L1 between two looks whether something waits */

/* ---- General references ---- */

bool get_frame(struct domain *d, mfn_t m)
{
    struct frame *f;
    uint64_t w;

    if (unlikely(m.v >= max_mfn))
        return false;
    f = frame_of(m);
    w = READ_ONCE(f->word);
    do {
        if (unlikely(f->owner != owner_of(d)) || unlikely(((w + 1) & FRAME_REF_MASK) < 2))
            return false;
    } while (unlikely(!frame_cas(f, &w, w + 1)));
    if (unlikely(READ_ONCE(f->owner) != owner_of(d))) {
        put_frame(m);
        return false;
    }
    return true;
}

void put_frame(mfn_t m)
{
    struct frame *f = frame_of(m);
    uint64_t w = READ_ONCE(f->word);

    do {
        if (unlikely(!(w & FRAME_REF_MASK)))
            BUG("frame %lx: no reference to drop (word %lx)", m.v, w);
    } while (unlikely(!frame_cas(f, &w, w - 1)));
    if (unlikely((w & FRAME_REF_MASK) == 1))
        frame_unreferenced(m);
}

/* ---- The entries of a table ---- */

int get_table_entry(struct domain *d, enum frame_type level, uint64_t entry)
{
    if (unlikely(entry & ~PTE_ALLOWED))
        return refuse(-EINVAL, R_ENTRY_FLAGS, entry, entry & ~PTE_ALLOWED);
    return likely(get_type_fast(d, entry_mfn(entry), level - 1))
               ? 0
               : get_frame_type(d, entry_mfn(entry), level - 1);
}

uint64_t device_mfn_limit;

bool is_device_frame(mfn_t m)
{
    return !mfn_valid(m) || frame_of(m)->owner == OWNER_IO;
}

int get_leaf_slow(struct domain *d, struct domain *owner, uint64_t entry)
{
    mfn_t m = entry_mfn(entry);
    int rc;

    if (leaf_forbidden(d, entry))
        return refuse(-EINVAL, R_ENTRY_FLAGS, entry, leaf_forbidden(d, entry));
    if (is_device_frame(m)) {
        /* Parador's are the local and I/O APICs and message-signalled interrupts. */
        if (d->privileged && m.v < device_mfn_limit && (m.v < 0xfee00 || m.v >= 0xfef00) && m.v != 0xfec00)
            return 0;
        return m.v == PTE_ADDR >> PAGE_SHIFT ? refuse(-EINVAL, R_BAD_MFN, m.v, 0)
                                             : refuse(-EPERM, R_DEVICE_FRAME, m.v, 0);
    }
    if (!owner)
        return refuse(-EBUSY, R_NOT_DEVICE_FRAME, m.v, 0);
    if (entry & PTE_CACHE && frame_of(m)->prev == SHARED && frame_of(m)->owner == owner_of(owner))
        return refuse(-EACCES, R_ENTRY_FLAGS, entry, entry & PTE_CACHE); /* Parador maps it as all memory */
    if (!(entry & PTE_RW))
        return get_frame(owner, m) ? 0 : refuse(-EBUSY, R_FRAME_FOREIGN, m.v, owner->domid);
    rc = get_frame_type(owner, m, FT_WRITABLE);
    return rc == -EINVAL ? refuse_as(-EBUSY) : rc;
}

void put_leaf_slow(uint64_t entry)
{
    mfn_t m = entry_mfn(entry);

    if (is_device_frame(m))
        return;
    if (entry & PTE_RW)
        put_frame_type(m);
    else
        put_frame(m);
}

/* Most tables are mostly empty: eight entries at a glance. */
static bool any_present(const uint64_t *p)
{
    return (p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7]) & PTE_P;
}

/*
 * Both walks stop, with the cursor at what comes next, when something waits: in an L1 (whose entries cost
 * little, but more if a frame gets its first use or becomes free) after every LOOK groups that aren't
 * empty, in others after any entry.
 */
static bool stop_at(uint64_t *t, const uint64_t *next, unsigned int *cursor)
{
    *cursor = (unsigned int)(next - t);
    return *cursor % ENTRIES && preempt_pending();
}

/* Entries [*cursor, 512) of a table take their references. In an L1 the cursor is a multiple of 8. */
static force_inline int get_entries(struct domain *d, enum frame_type level, uint64_t *t,
                                    unsigned int *cursor)
{
    const uint32_t id = owner_of(d);
    uint64_t *first = t + *cursor;
    unsigned int groups = 0;

    for (uint64_t *p = level == FT_L1 ? first : t + (*cursor & ~7u); p < t + ENTRIES; p += 8) {
        if (!any_present(p))
            continue;
        for (uint64_t *q = level == FT_L1 ? p : MAX(p, first); q < p + 8; q++) {
            uint64_t e = *q;
            int rc;

            if (!(e & PTE_P) || !guest_slot(level, q))
                continue;
            rc = level == FT_L1 ? get_leaf(d, d, id, e) : get_table_entry(d, level, e);
            if (unlikely(rc)) {
                *cursor = (unsigned int)(q - t);
                return rc;
            }
            if (level != FT_L1)
                *q = e | PTE_US;
            else if (!(e & PTE_US))
                *q = leaf_adjust(e);
            if (level != FT_L1 && stop_at(t, q + 1, cursor))
                return -ERESTART;
        }
        if (level == FT_L1 && unlikely(!(++groups % LOOK)) && stop_at(t, p + 8, cursor))
            return -ERESTART;
    }
    *cursor = ENTRIES;
    return 0;
}

/* Entries [0, *cursor), from the end, drop them. */
static force_inline int put_entries(enum frame_type level, uint64_t *t, unsigned int *cursor)
{
    uint64_t *end = t + *cursor, *p = t + ((*cursor - 1) & ~7u);
    unsigned int groups = 0;

    for (; end > t; end = p, p -= 8) {
        if (!any_present(p))
            continue;
        for (uint64_t *q = end; q-- > p;) {
            if (!(*q & PTE_P) || !guest_slot(level, q))
                continue;
            if (level == FT_L1)
                put_leaf(*q);
            else
                put_table_fast(entry_mfn(*q));
            if (level != FT_L1 && stop_at(t, q, cursor))
                return -ERESTART;
        }
        if (level == FT_L1 && unlikely(!(++groups % LOOK)) && stop_at(t, p, cursor))
            return -ERESTART;
    }
    *cursor = 0;
    return 0;
}

/* ---- Types ---- */

/* Sets and clears bits of the word of a frame that is locked, and changes its counts. Returns the old word.
 */
static uint64_t change_word(struct frame *f, uint64_t clear, uint64_t set, uint64_t subtract)
{
    uint64_t w = READ_ONCE(f->word);

    while (!frame_cas(f, &w, ((w & ~clear) | set) - subtract))
        ;
    return w;
}

/* A stopped walk: the frame keeps one use and one reference for itself. */
static void become_partial(struct frame *f, uint32_t aux)
{
    WRITE_ONCE(f->aux, aux);
    change_word(f, FRAME_LOCKED, FRAME_PARTIAL, 0);
}

/* Drops the one use of a locked frame, and its reference: unlocked it has no use, and nobody took one over.
 */
static inline __attribute__((always_inline)) void end_use(mfn_t m)
{
    struct frame *f = frame_of(m);

    WRITE_ONCE(f->aux, tlb_stamp());
    change_word(f, FRAME_LOCKED, 0, FRAME_COUNT_ONE);
    put_frame(m);
}

/*
 * Drops the references of entries [0, cursor) of a locked table with one use, then that use and its
 * reference: the one path on which a table's last use goes. -ERESTART: it is partial now, and on undo_list
 * before others can see that it is; the caller need not wait for the rest.
 */
static int undo(mfn_t m, unsigned int cursor)
{
    struct frame *f = frame_of(m);
    struct domain *d = frame_domain(f);
    enum frame_type type = type_of(READ_ONCE(f->word));
    uint64_t *t = mfn_to_virt(m);
    int rc = type == FT_L1 ? put_entries(FT_L1, t, &cursor) : put_entries(type, t, &cursor);

    if (rc) {
        lock_take(&d->page_lock);
        frame_list_move(d, m, &d->undo_list);
        lock_drop(&d->page_lock);
        become_partial(f, cursor | CURSOR_UNDO);
        return rc;
    }
    end_use(m);
    return 0;
}

/* A locked frame with its first use: checks the entries from the cursor on. pin: FRAME_PINNED or 0, set when
 * all are good. */
static int validate(struct domain *d, mfn_t m, enum frame_type type, unsigned int cursor, uint64_t pin)
{
    struct frame *f = frame_of(m);
    uint64_t *t = mfn_to_virt(m);
    int rc;

    rc = type == FT_L1 ? get_entries(d, FT_L1, t, &cursor) : get_entries(d, type, t, &cursor);
    if (!rc && type == FT_L4)
        hv_fill_l4(t);
    if (!rc)
        change_word(f, FRAME_LOCKED, FRAME_VALIDATED | pin, 0);
    else if (rc == -ERESTART)
        become_partial(f, cursor);
    else {
        refuse_entry(m.v, cursor);
        (void)undo(m, cursor);
    }
    return rc;
}

/*
 * Makes a frame without use what it shall be: it gets the type, one use and one reference. w: its word, read
 * before. -EAGAIN: the word has changed, look again.
 *
 * While the old type's translations are flushed the frame is locked and of no type, so nobody can use it. The
 * old type is the one that the exchange found (XSA-408).
 */
static int first_use(struct domain *d, mfn_t m, uint64_t w, enum frame_type type, uint64_t pin)
{
    struct frame *f = frame_of(m);
    enum frame_type old = type_of(w);

    if (!frame_cas(f, &w, ((w & ~TYPE_BITS) | FRAME_LOCKED) + 1))
        return -EAGAIN;
    if (unlikely(f->owner != owner_of(d))) { /* another's now, with the same word */
        change_word(f, FRAME_LOCKED, w & TYPE_BITS, 0);
        put_frame(m);
        return -EAGAIN;
    }
    if (old != FT_NONE && old != type)
        tlb_filter_flush(f->aux);
    change_word(f, type == FT_WRITABLE ? FRAME_LOCKED : 0,
                (uint64_t)type << FRAME_TYPE_SHIFT | FRAME_COUNT_ONE, 0);
    if (is_table_type(type))
        return validate(d, m, type, 0, pin);
    if (type == FT_DESC) {
        if (!descriptor_check_frame(mfn_to_virt(m))) {
            end_use(m);
            return refuse(-EINVAL, R_BAD_DESCRIPTOR_FRAME, m.v, 0);
        }
        change_word(f, FRAME_LOCKED, 0, 0);
    }
    return 0;
}

/* Goes on with the undo of a locked table that stopped. 0 or -ERESTART. */
static int resume_undo(struct domain *d, mfn_t m, unsigned int cursor)
{
    lock_take(&d->page_lock);
    frame_list_move(d, m, &d->page_list);
    lock_drop(&d->page_lock);
    return undo(m, cursor);
}

/* Locks a partial table of d; w: its word, read before. False: it is none (now). */
static bool lock_partial(struct domain *d, struct frame *f, uint64_t w)
{
    if (!(w & FRAME_PARTIAL) || !frame_cas(f, &w, (w & ~FRAME_PARTIAL) | FRAME_LOCKED))
        return false;
    if (likely(f->owner == owner_of(d)))
        return true;
    become_partial(f, f->aux);
    return false;
}

/* Goes on with a partial table, for who wants to use it. -EAGAIN: it has no use any more, look again. */
static int resume(struct domain *d, mfn_t m, uint64_t w, uint64_t pin)
{
    struct frame *f = frame_of(m);

    if (!lock_partial(d, f, w))
        return -EAGAIN;
    if (!(f->aux & CURSOR_UNDO))
        return validate(d, m, type_of(w), f->aux & CURSOR, pin);
    return resume_undo(d, m, f->aux & CURSOR) ?: -EAGAIN;
}

/* Turns a use of a table that the caller has into its pin, unless it has one. */
static int set_pin(mfn_t m)
{
    if (!(change_word(frame_of(m), 0, FRAME_PINNED, 0) & FRAME_PINNED))
        return 0;
    put_frame_type(m);
    return refuse(-EINVAL, R_ALREADY_PINNED, m.v, 0);
}

/* One more use, and for pin = FRAME_PINNED (else 0) it is the pin. */
static int get_type_slow(struct domain *d, mfn_t m, enum frame_type type, uint64_t pin)
{
    struct frame *f;

    if (m.v >= max_mfn)
        return refuse(-EINVAL, R_BAD_MFN, m.v, 0);
    f = frame_of(m);
    for (;;) {
        uint64_t w = READ_ONCE(f->word);
        int rc = -EAGAIN;

        if (f->owner != owner_of(d) || !(w & FRAME_REF_MASK))
            return refuse(-EINVAL, R_FRAME_FOREIGN, m.v, d->domid);
        if (((w + 1) & FRAME_REF_MASK) == 0)
            return refuse(-EINVAL, R_TOO_MANY_REFS, m.v, 0);
        if (w & FRAME_LOCKED && (!(w & FRAME_COUNT_MASK) || (type_of(w) == type && !(w & FRAME_VALIDATED))))
            cpu_relax(); /* another CPU makes it what it will be, or stamps it */
        else if (!(w & FRAME_COUNT_MASK))
            rc = first_use(d, m, w, type, pin);
        else if (type_of(w) != type)
            return refuse(-EINVAL, R_FRAME_TYPE_BUSY, m.v, type);
        else if (w & FRAME_PARTIAL)
            rc = resume(d, m, w, pin);
        else if (frame_cas(f, &w, w + FRAME_COUNT_ONE + 1)) {
            if (likely(f->owner == owner_of(d)))
                return pin ? set_pin(m) : 0;
            put_frame_type(m);
        }
        if (rc != -EAGAIN)
            return rc;
    }
}

int get_frame_type(struct domain *d, mfn_t m, enum frame_type type)
{
    return likely(get_type_fast(d, m, type)) ? 0 : get_type_slow(d, m, type, 0);
}

/* The last use of a table: nobody may use it while its entries are taken apart. */
static void put_table(mfn_t m, uint64_t w)
{
    struct frame *f = frame_of(m);

    if (!frame_cas(f, &w, (w & ~FRAME_VALIDATED) | FRAME_LOCKED))
        put_frame_type(m);
    else
        (void)undo(m, ENTRIES);
}

void put_frame_type(mfn_t m)
{
    struct frame *f = frame_of(m);
    uint64_t w = READ_ONCE(f->word);

    for (;;) {
        if (unlikely(!(w & FRAME_COUNT_MASK)))
            BUG("frame %lx: no use to drop (word %lx)", m.v, w);
        if ((w & FRAME_COUNT_MASK) == FRAME_COUNT_ONE) {
            if (w & FRAME_LOCKED) { /* an entry is being changed */
                cpu_relax();
                w = READ_ONCE(f->word);
                continue;
            }
            if (is_table_type(type_of(w))) {
                put_table(m, w);
                return;
            }
            if (!frame_cas(f, &w, (w | FRAME_LOCKED) - FRAME_COUNT_ONE - 1))
                continue;
            stamp_and_unlock(f, type_of(w));
            break;
        }
        if (likely(frame_cas(f, &w, w - FRAME_COUNT_ONE - 1)))
            break;
    }
    if (unlikely((w & FRAME_REF_MASK) == 1))
        frame_unreferenced(m);
}

bool table_lock_slow(struct frame *f, enum frame_type type)
{
    uint64_t w;

    while ((w = READ_ONCE(f->word)) & FRAME_VALIDATED && (type == FT_NONE || type_of(w) == type)) {
        if (!(w & FRAME_LOCKED) && frame_cas(f, &w, w | FRAME_LOCKED))
            return true;
        cpu_relax();
    }
    return false;
}

/* ---- Pins, and work that was put off ---- */

int pin_table(struct domain *d, mfn_t m, enum frame_type level)
{
    return get_type_slow(d, m, level, FRAME_PINNED);
}

int unpin_table(struct domain *d, mfn_t m)
{
    struct frame *f;
    uint64_t w;

    if (m.v >= max_mfn)
        return refuse(-EINVAL, R_BAD_MFN, m.v, 0);
    f = frame_of(m);
    w = READ_ONCE(f->word);
    do {
        if (f->owner != owner_of(d))
            return refuse(-EINVAL, R_FRAME_FOREIGN, m.v, d->domid);
        if (!(w & FRAME_PINNED))
            return refuse(-EINVAL, R_TABLE_NOT_PINNED, m.v, 0);
    } while (!frame_cas(f, &w, w & ~FRAME_PINNED));
    if (unlikely(f->owner != owner_of(d))) { /* another's now, with the same word: its pin stays */
        if (change_word(f, 0, FRAME_PINNED, 0) & FRAME_PINNED)
            put_frame_type(m); /* and it has pinned it anew: one is enough */
        return refuse(-EINVAL, R_FRAME_FOREIGN, m.v, d->domid);
    }
    put_frame_type(m);
    return 0;
}

int paging_finish(struct domain *d)
{
    while (READ_ONCE(d->undo_list)) {
        mfn_t m = MFN(READ_ONCE(d->undo_list));
        struct frame *f = frame_of(m);
        uint64_t w = READ_ONCE(f->word);

        /* Another CPU may have it in hand, or be done with it. */
        if (!lock_partial(d, f, w))
            cpu_relax();
        else if (!(f->aux & CURSOR_UNDO))
            become_partial(f, f->aux);
        else if (resume_undo(d, m, f->aux & CURSOR))
            return -ERESTART;
    }
    return 0;
}

/* The word of a frame that was d's, which is dying; 0 if it is not any more. It never becomes d's again, so
 * its owner needs no second look. */
static uint64_t word_if(const struct domain *d, const struct frame *f)
{
    uint64_t w = READ_ONCE(f->word);

    return READ_ONCE(f->owner) == owner_of(d) ? w : 0;
}

int abandon_table(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);
    uint64_t w;

    if ((word_if(d, f) & FRAME_PINNED) && (change_word(f, FRAME_PINNED, 0, 0) & FRAME_PINNED))
        put_frame_type(m); /* else domain 0 has unpinned it meanwhile */
    w = word_if(d, f);
    if (!(w & FRAME_PARTIAL) || (f->aux & CURSOR_UNDO))
        return 0; /* a stopped undo is on undo_list */
    return lock_partial(d, f, w) ? undo(m, f->aux & CURSOR) : -ERESTART;
}
