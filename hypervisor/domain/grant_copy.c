/* SPDX-License-Identifier: MIT
 *
 * GNTTABOP_copy: bytes between two frames, each named by a grant or, for the caller's own, by number.
 *
 * Both sides are pinned (or referenced) while the bytes move, so neither frame can become a page table or
 * change its owner under the copy.
 */
#include "domain/grant_table.h"
#include "lib/string.h"

/* One side of a copy. */
struct side {
    struct domain *r; /* the granter, with a reference; NULL: the caller's own frame, or nothing held */
    uint32_t ref;
    mfn_t mfn;
};

/* The granter, with a reference; NULL for one's own frame, named by number. */
grant_inline int find_granter(struct domain *d, const struct gnttab_copy_ptr *p, bool by_grant,
                              struct side *s)
{
    s->r = NULL;
    if (!by_grant && p->domid == DOMID_SELF)
        return GNTST_okay;
    s->r = get_domain(p->domid == DOMID_SELF ? d->domid : p->domid);
    return likely(s->r) ? GNTST_okay : refuse(GNTST_bad_domain, R_NO_SUCH_DOMAIN, p->domid, 0);
}

/* pin: PIN_HOST_RO for the source, PIN_HOST_RW for the destination. */
grant_inline int hold(struct domain *d, const struct gnttab_copy_ptr *p, bool by_grant, uint32_t pin,
                      struct side *s)
{
    if (!by_grant) {
        if (unlikely(s->r)) /* only own frames may be named by number */
            return refuse(GNTST_permission_denied, R_GRANT_COPY_FOREIGN, p->u.gmfn, p->domid);
        s->mfn = MFN(p->u.gmfn);
        return grant_get_frame(d, s->mfn, pin);
    }
    s->ref = p->u.ref;
    return grant_pin(s->r, d->domid, s->ref, pin, GRANT_TO_COPY, &s->mfn);
}

grant_inline void release(const struct side *s, uint32_t pin)
{
    grant_put_frame(s->mfn, pin);
    if (s->r)
        grant_unpin(s->r, s->ref, pin);
}

/* Both granters are known. */
grant_inline int copy(struct domain *d, const struct gnttab_copy *op, struct side *from, struct side *to)
{
    int rc = hold(d, &op->source, op->flags & GNTCOPY_source_gref, PIN_HOST_RO, from);

    if (unlikely(rc))
        return rc;
    rc = hold(d, &op->dest, op->flags & GNTCOPY_dest_gref, PIN_HOST_RW, to);
    if (likely(!rc)) {
        if (likely(op->source.offset + op->len <= PAGE_SIZE && op->dest.offset + op->len <= PAGE_SIZE))
            memcpy((char *)mfn_to_virt(to->mfn) + op->dest.offset,
                   (const char *)mfn_to_virt(from->mfn) + op->source.offset, op->len);
        else
            rc = refuse(GNTST_bad_copy_arg, R_GRANT_COPY_ARG, op->len, op->source.offset);
        release(to, PIN_HOST_RW);
    }
    release(from, PIN_HOST_RO);
    return rc;
}

int grant_copy(struct domain *d, const struct gnttab_copy *op)
{
    struct side from = { 0 }, to = { 0 };
    int rc = find_granter(d, &op->source, op->flags & GNTCOPY_source_gref, &from);

    if (likely(!rc))
        rc = find_granter(d, &op->dest, op->flags & GNTCOPY_dest_gref, &to);
    if (likely(!rc))
        rc = copy(d, op, &from, &to);
    if (from.r)
        put_domain(from.r);
    if (to.r)
        put_domain(to.r);
    return rc;
}
