/* SPDX-License-Identifier: MIT
 *
 * GNTTABOP_copy: bytes between two frames, each named by a grant or, for the caller's own, by number.
 *
 * Both sides are pinned (or referenced) while the bytes move, so neither frame can become a page table or
 * change its owner under the copy.
 */
#include "domain/grant_batch.h"
#include "domain/grant_table.h"
#include "lib/string.h"

/* pin: PIN_HOST_RO for the source, PIN_HOST_RW for the destination. r: whose frame it is. */
grant_inline int hold(struct domain *d, struct domain *r, const struct gnttab_copy_ptr *p, bool by_grant,
                      uint32_t pin, mfn_t *mfn)
{
    if (by_grant)
        return grant_pin(r, d, p->u.ref, pin, GRANT_TO_COPY, mfn);
    if (unlikely(p->domid != DOMID_SELF)) /* only own frames may be named by number */
        return refuse(GNTST_permission_denied, R_GRANT_COPY_FOREIGN, p->u.gmfn, p->domid);
    *mfn = MFN(p->u.gmfn);
    return grant_get_frame(d, *mfn, pin);
}

grant_inline int copy_one(struct vcpu *v, void *arg)
{
    struct gnttab_copy *op = arg;
    struct domain *d = v->domain, *from, *to;
    mfn_t from_mfn = INVALID_MFN, to_mfn = INVALID_MFN;
    size_t len;
    int rc;

    __asm__("" : "+m"(*op)); /* many fields, each used once or twice: they stay in memory */
    from = to = d;
    if (op->source.domid != DOMID_SELF && unlikely(!(from = find_domain(op->source.domid))))
        return refuse(GNTST_bad_domain, R_NO_SUCH_DOMAIN, op->source.domid, 0);
    if (op->dest.domid != DOMID_SELF && unlikely(!(to = find_domain(op->dest.domid))))
        return refuse(GNTST_bad_domain, R_NO_SUCH_DOMAIN, op->dest.domid, 0);
    rc = hold(d, from, &op->source, op->flags & GNTCOPY_source_gref, PIN_HOST_RO, &from_mfn);
    if (unlikely(rc))
        return rc;
    rc = hold(d, to, &op->dest, op->flags & GNTCOPY_dest_gref, PIN_HOST_RW, &to_mfn);
    if (likely(!rc)) {
        len = op->len;
        if (likely(MAX(op->source.offset, op->dest.offset) + len <= PAGE_SIZE))
            copy_words((char *)mfn_to_virt(to_mfn) + op->dest.offset,
                       (const char *)mfn_to_virt(from_mfn) + op->source.offset, len);
        else
            rc = refuse(GNTST_bad_copy_arg, R_GRANT_COPY_ARG, op->len, op->source.offset);
        grant_put_frame(to_mfn, PIN_HOST_RW);
        if (op->flags & GNTCOPY_dest_gref)
            grant_unpin(to, op->dest.u.ref, PIN_HOST_RW);
    }
    grant_put_frame(from_mfn, PIN_HOST_RO);
    if (op->flags & GNTCOPY_source_gref)
        grant_unpin(from, op->source.u.ref, PIN_HOST_RO);
    return rc;
}

long grant_copy(struct vcpu *v, uint64_t guest, uint32_t count)
{
    return GRANT_BATCH(v, GNTTABOP_copy, gnttab_copy, copy_one);
}
