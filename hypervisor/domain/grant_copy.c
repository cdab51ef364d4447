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
    struct domain *r; /* NULL: nothing is held */
    bool by_grant;
    uint32_t ref;
    uint32_t pin; /* PIN_HOST_RO or _RW */
    mfn_t mfn;
};

static int hold(struct domain *d, const struct gnttab_copy_ptr *p, bool by_grant, bool write, struct side *s)
{
    int rc;

    s->by_grant = by_grant;
    s->ref = p->u.ref;
    s->pin = write ? PIN_HOST_RW : PIN_HOST_RO;
    if (!by_grant && p->domid != DOMID_SELF)
        return refuse(GNTST_permission_denied, R_GRANT_COPY_FOREIGN, p->u.gmfn, p->domid);
    s->r = get_domain_for(d, p->domid);
    if (!s->r)
        return refuse(GNTST_bad_domain, R_NO_SUCH_DOMAIN, p->domid, 0);
    if (by_grant) {
        rc = grant_pin(s->r, d->domid, s->ref, s->pin, &s->mfn);
    } else {
        s->mfn = MFN(p->u.gmfn);
        rc = grant_get_frame(d, s->mfn, s->pin);
    }
    if (rc) {
        put_domain(s->r);
        s->r = NULL;
    }
    return rc;
}

static void release(struct side *s)
{
    if (!s->r)
        return;
    grant_put_frame(s->mfn, s->pin);
    if (s->by_grant)
        grant_unpin(s->r, s->ref, s->pin);
    put_domain(s->r);
}

int grant_copy(struct domain *d, const struct gnttab_copy *op)
{
    struct side from = { 0 }, to = { 0 };
    int rc;

    if (op->source.offset > PAGE_SIZE || op->len > PAGE_SIZE - op->source.offset ||
        op->dest.offset > PAGE_SIZE || op->len > PAGE_SIZE - op->dest.offset)
        return refuse(GNTST_bad_copy_arg, R_GRANT_COPY_ARG, op->len, op->source.offset);
    rc = hold(d, &op->source, op->flags & GNTCOPY_source_gref, false, &from);
    if (!rc)
        rc = hold(d, &op->dest, op->flags & GNTCOPY_dest_gref, true, &to);
    if (!rc)
        memcpy((char *)mfn_to_virt(to.mfn) + op->dest.offset,
               (const char *)mfn_to_virt(from.mfn) + op->source.offset, op->len);
    release(&to);
    release(&from);
    return rc;
}
