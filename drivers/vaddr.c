/* SPDX-License-Identifier: MIT
 *
 * Address space to map grants at: see vaddr.h. The list entries are never freed: they are as many as
 * reservations.
 */
#include "drivers/vaddr.h"
#include "drivers/kernel.h"
#include "libpv/errno.h"
#include "libpv/grant.h"
#include "libpv/memory.h"

static struct drv_lock lock; /* guards both lists and their entries */
static struct range {
    struct range *next;
    void *vaddr; /* NULL in `unused` */
    unsigned int n;
} * given_back, *unused;

void *drv_vaddr_get(unsigned int n)
{
    bool events = drv_lock(&lock);
    void *vaddr = NULL;

    for (struct range **p = &given_back; *p; p = &(*p)->next)
        if ((*p)->n == n) {
            struct range *r = *p;

            vaddr = r->vaddr;
            *p = r->next;
            r->next = unused;
            unused = r;
            break;
        }
    drv_unlock(&lock, events);
    return vaddr ? vaddr : pv_vaddr_reserve(n);
}

void drv_vaddr_put(void *vaddr, unsigned int n)
{
    bool events = drv_lock(&lock);
    struct range *r = unused;

    if (vaddr) {
        if (r)
            unused = r->next;
        else
            r = drv_alloc(sizeof(*r));
        if (r) { /* without memory the space is lost */
            *r = (struct range){ given_back, vaddr, n };
            given_back = r;
        }
    }
    drv_unlock(&lock, events);
}

int drv_page_map(struct drv_page *p, domid_t from, grant_ref_t ref)
{
    int err = -ENOMEM;

    p->vaddr = drv_vaddr_get(1);
    if (p->vaddr)
        err = pv_grant_map(from, ref, p->vaddr, false, &p->handle);
    if (err) {
        drv_vaddr_put(p->vaddr, 1);
        p->vaddr = NULL;
    }
    return err;
}

void drv_page_unmap(struct drv_page *p)
{
    if (!p->vaddr)
        return;
    pv_grant_unmap(p->handle, p->vaddr);
    drv_vaddr_put(p->vaddr, 1);
    p->vaddr = NULL;
}
