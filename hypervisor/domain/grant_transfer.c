/* SPDX-License-Identifier: MIT
 *
 * GNTTABOP_transfer: a frame changes its owner for good. The receiver offered an entry (GTF_accept_transfer);
 * the frame's number is written there, and then the flag that says so.
 */
#include "domain/grant_table.h"

/* The receiver's entry, committed to this transfer: from here on it can't take the offer back. */
static int commit(struct grant_entry_v1 *entry, uint16_t from)
{
    uint32_t *word = grant_header_word(entry), old = __atomic_load_n(word, __ATOMIC_ACQUIRE);

    do {
        if (old != (GTF_accept_transfer | (uint32_t)from << 16))
            return refuse(GNTST_general_error, R_GRANT_NO_OFFER, old & 0xffff, old >> 16);
    } while (!__atomic_compare_exchange_n(word, &old, old | GTF_transfer_committed, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_ACQUIRE));
    return GNTST_okay;
}

static int transfer_locked(struct domain *d, struct domain *to, uint32_t ref, mfn_t m)
{
    struct grant_entry_v1 *entry;
    int rc;

    if (ref >= to->grant->nr_entries)
        return refuse(GNTST_general_error, R_GRANT_REF_RANGE, ref, to->domid);
    if (to->dying)
        return refuse(GNTST_general_error, R_GRANT_DYING, ref, to->domid);
    entry = grant_shared(to->grant, ref);
    rc = commit(entry, d->domid);
    if (rc)
        return rc;
    rc = domain_frame_move(d, to, m);
    if (rc) {
        __atomic_and_fetch(&entry->flags, (uint16_t)~GTF_transfer_committed, __ATOMIC_SEQ_CST);
        return refuse(rc == -ENOMEM ? GNTST_general_error : GNTST_bad_page, R_GRANT_TRANSFER_FRAME, m.v,
                      to->domid);
    }
    WRITE_ONCE(entry->frame, (uint32_t)m.v);
    __atomic_or_fetch(&entry->flags, GTF_transfer_completed, __ATOMIC_RELEASE); /* after the frame number */
    return GNTST_okay;
}

int grant_transfer(struct domain *d, const struct gnttab_transfer *op)
{
    struct domain *to;
    int rc;

    if (!mfn_valid(MFN(op->mfn)) || frame_of(MFN(op->mfn))->owner != owner_of(d) ||
        (READ_ONCE(frame_of(MFN(op->mfn))->word) & FRAME_REF_MASK) != 1) /* domain_frame_move() looks again */
        return refuse(GNTST_bad_page, R_GRANT_TRANSFER_FRAME, op->mfn, op->domid);
    to = get_domain(op->domid);
    if (!to)
        return refuse(GNTST_bad_domain, R_NO_SUCH_DOMAIN, op->domid, 0);
    lock_take(&to->grant->lock);
    rc = transfer_locked(d, to, op->ref, MFN(op->mfn));
    lock_drop(&to->grant->lock);
    put_domain(to);
    return rc;
}
