/* SPDX-License-Identifier: MIT
 *
 * The domains' consoles: see consback.h. One struct consback a domain, made and ended by the service thread,
 * which also takes what the domains write; the upcall masks the port and notes the work
 * (drivers/kernel.h), consback_work() unmasks.
 *
 * The guard is for what who is attached shares with that thread: whether it is attached, and the page to type
 * into.
 */
#include "drivers/back/consback.h"
#include <xen/grant_table.h>
#include <xen/io/console.h>
#include "drivers/kernel.h"
#include "drivers/vaddr.h"
#include "drivers/xenbus.h"
#include "libpv/errno.h"
#include "libpv/grant.h"
#include "libpv/print.h"
#include "ring/order.h"

#define OUT_SIZE   sizeof(((struct xencons_interface *)0)->out)
#define IN_SIZE    sizeof(((struct xencons_interface *)0)->in)

#define LAST_LINES 40 /* that are printed of a domain that crashed, and how wide they may be */
#define LAST_WIDTH 128

struct consback {
    struct consback *next;
    struct drv_page page; /* a struct xencons_interface; .vaddr NULL: gone, or not connected. Changed with the
                             guard held */
    domid_t front;
    bool crashed; /* set before it is gone */
    int port;
    struct drv_work work;                    /* its event came, or somebody attached */
    void (*out)(const char *text, size_t n); /* who is attached, NULL: nobody; with the guard held */
    uint32_t out_cons, in_prod;              /* our indices of the ring; in_prod: with the guard held */
    uint64_t written, shown;                 /* bytes so far; the service thread's */
    char kept[CONSBACK_KEPT];
};

static struct drv_lock guard;
static struct consback *consoles; /* changed by the service thread, with the guard held */
static bool work_waits;           /* some console is pending */

/* ---- what the domain writes ---- */

/* At most a ring full; the oldest of what is kept goes. */
static void take(struct consback *c)
{
    struct xencons_interface *ring = c->page.vaddr;
    uint32_t cons = c->out_cons, prod = ring_observe(&ring->out_prod), n = prod - cons;

    if (!n)
        return;
    if (n <= OUT_SIZE)
        for (; cons != prod; cons++)
            ring_copy(&c->kept[c->written++ % CONSBACK_KEPT], &ring->out[MASK_XENCONS_IDX(cons, ring->out)],
                      1);
    c->out_cons = prod;
    ring_publish(&ring->out_cons, prod);
    pv_event_send((unsigned int)c->port);
}

/* To who is attached. */
static void show(struct consback *c)
{
    void (*out)(const char *text, size_t n) = __atomic_load_n(&c->out, __ATOMIC_ACQUIRE);

    if (!out) {
        c->shown = 0; /* for the next one, from the beginning */
        return;
    }
    if (c->written - c->shown > CONSBACK_KEPT)
        c->shown = c->written - CONSBACK_KEPT;
    while (c->shown < c->written) {
        uint64_t at = c->shown % CONSBACK_KEPT, n = c->written - c->shown;

        if (n > CONSBACK_KEPT - at)
            n = CONSBACK_KEPT - at;
        out(c->kept + at, n);
        c->shown += n;
    }
}

bool consback_pending(void)
{
    return drv_work_waits(&work_waits);
}

/* It is gone, and nobody is attached. */
static void forget(struct consback *c)
{
    struct consback **place = &consoles;
    bool events = drv_lock(&guard);

    while (*place != c)
        place = &(*place)->next;
    *place = c->next;
    drv_unlock(&guard, events);
    drv_free(c);
}

bool consback_work(void)
{
    struct consback *next;

    drv_work_begin(&work_waits);
    for (struct consback *c = consoles; c; c = next) {
        next = c->next;
        if (!drv_work_take(&c->work))
            continue;
        if (c->page.vaddr)
            take(c);
        show(c);
        if (c->page.vaddr)
            pv_event_unmask((unsigned int)c->port); /* what came meanwhile is raised again */
        else if (!__atomic_load_n(&c->out, __ATOMIC_ACQUIRE))
            forget(c);
    }
    return consback_pending();
}

/* ---- domains that come and go ---- */

/* The one that lives: a number is used again. */
static struct consback *find(domid_t front)
{
    struct consback *c = consoles;

    while (c && (c->front != front || !c->page.vaddr))
        c = c->next;
    return c;
}

int consback_offer(domid_t front)
{
    char dir[40];
    unsigned long port;
    struct xencons_interface *ring;
    struct consback *c;
    bool events;
    int err;

    pv_snprintf(dir, sizeof(dir), "/local/domain/%u/console", front);
    port = xenbus_number(dir, "port", PV_NR_PORTS - 1, 0);
    if (!port)
        return -ENOENT;
    c = drv_alloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->work.any = &work_waits;
    c->front = front;
    err = drv_page_map(&c->page, front, GNTTAB_RESERVED_CONSOLE);
    if (err) {
        drv_free(c);
        return err;
    }
    ring = c->page.vaddr;
    c->out_cons = ring_observe(&ring->out_cons);
    c->in_prod = ring_observe(&ring->in_prod);
    err = pv_event_bind_interdomain(front, (unsigned int)port, drv_work_event, &c->work);
    if (err < 0) {
        drv_page_unmap(&c->page);
        drv_free(c);
        return err;
    }
    c->port = err;
    events = drv_lock(&guard);
    c->next = consoles;
    consoles = c;
    drv_unlock(&guard, events);
    drv_work_note(&c->work); /* what it wrote before we were there */
    return 0;
}

static char kept_at(const struct consback *c, uint64_t at)
{
    return c->kept[at % CONSBACK_KEPT];
}

/* A kernel that gives up says why on its console. Nothing that would move the cursor is printed. */
static void say_last_lines(const struct consback *c)
{
    uint64_t first = c->written > CONSBACK_KEPT ? c->written - CONSBACK_KEPT : 0, at = c->written;
    char line[LAST_WIDTH];
    size_t n = 0;

    if (!c->written)
        return;
    pv_printf("domain %u crashed; its console ended so:\n", c->front);
    for (unsigned int lines = 0; at > first; at--) {
        lines += kept_at(c, at - 1) == '\n' && at != c->written;
        if (lines == LAST_LINES)
            break;
    }
    for (; at <= c->written; at++) {
        char ch = at < c->written ? kept_at(c, at) : '\n';

        if (ch == '\n' && n) {
            line[n] = 0;
            pv_printf("  %s\n", line);
            n = 0;
        } else if (ch >= ' ' && ch <= '~' && n < sizeof(line) - 1) {
            line[n++] = ch;
        }
    }
}

void consback_domain_gone(domid_t front, bool crashed)
{
    struct consback *c = find(front);
    struct drv_page page;
    bool events;

    if (!c)
        return;
    take(c);
    c->crashed = crashed;
    if (crashed && !__atomic_load_n(&c->out, __ATOMIC_ACQUIRE))
        say_last_lines(c);
    pv_event_close((unsigned int)c->port);
    events = drv_lock(&guard);
    page = c->page;
    c->page.vaddr = NULL;
    drv_unlock(&guard, events);
    drv_page_unmap(&page);
    drv_work_note(&c->work);
}

/* ---- who is attached ---- */

struct consback *consback_attach(domid_t front, void (*out)(const char *text, size_t n))
{
    bool events = drv_lock(&guard);
    struct consback *c = find(front);

    if (c && c->out)
        c = NULL;
    if (c) {
        __atomic_store_n(&c->out, out, __ATOMIC_RELEASE);
        drv_work_note(&c->work);
    }
    drv_unlock(&guard, events);
    return c;
}

void consback_detach(struct consback *c)
{
    bool events = drv_lock(&guard);

    __atomic_store_n(&c->out, NULL, __ATOMIC_RELEASE);
    drv_work_note(&c->work); /* which frees it, if it is gone */
    drv_unlock(&guard, events);
}

size_t consback_type(struct consback *c, const char *keys, size_t n)
{
    bool events = drv_lock(&guard);
    struct xencons_interface *ring = c->page.vaddr;
    size_t done = 0;

    if (ring) {
        uint32_t cons = ring_observe(&ring->in_cons);

        for (; done < n && c->in_prod - cons < IN_SIZE; done++, c->in_prod++)
            ring_copy(&ring->in[MASK_XENCONS_IDX(c->in_prod, ring->in)], &keys[done], 1);
        ring_publish(&ring->in_prod, c->in_prod);
        if (done)
            pv_event_send((unsigned int)c->port);
    }
    drv_unlock(&guard, events);
    return done;
}

bool consback_lives(const struct consback *c)
{
    return __atomic_load_n(&c->page.vaddr, __ATOMIC_ACQUIRE);
}

bool consback_crashed(const struct consback *c)
{
    return !consback_lives(c) && c->crashed;
}

bool consback_spoke(const struct consback *c)
{
    return __atomic_load_n(&c->written, __ATOMIC_RELAXED);
}
