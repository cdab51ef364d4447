/* SPDX-License-Identifier: MIT
 *
 * Domains and their store pages, for the xenstore server in domain 0: see conn.h.
 *
 * One struct client a domain, made and ended by xenstored_scan: for each domain of the hypervisor's list of
 * those made at boot, and for each that was introduced since. The event upcall masks the port and notes the
 * work; xenstored_work moves bytes and unmasks. Everything of the server is used with the guard held, because
 * requests of domain 0's own threads come in between (local.c). The list of clients is changed and walked by
 * the one service thread.
 */
#include "drivers/xenstore/conn.h"
#include <xen/grant_table.h>
#include "drivers/kernel.h"
#include "drivers/vaddr.h"
#include "drivers/xenbus.h"
#include "drivers/xenstore/local.h"
#include "drivers/xenstore/ring.h"
#include "libpv/domctl.h"
#include "libpv/errno.h"
#include "libpv/grant.h"
#include "libpv/hypercall.h"
#include "libpv/parador.h"
#include "libpv/print.h"
#include "libpv/string.h"
#include "libpv/xenstore.h"

struct client {
    struct client *next;
    domid_t domid;
    struct drv_work work; /* its event came */
    bool stalled;         /* its ring is full: output waits for its event */
    int port;             /* 0: none */
    unsigned int remote_port;
    struct drv_page page;
    struct xs_conn *conn;
    struct xs_ring ring;
};

static struct drv_lock guard; /* of the server */
static struct xs_server *server;
static struct client *clients;
static struct client *newcomers; /* introduced, not yet clients: domid and remote_port; with the guard held */
static bool domains_changed = true; /* set by VIRQ_DOM_EXC */
static bool work_waits;             /* some client is pending */

/* ---- events ---- */

static void domain_event(unsigned int port, void *data)
{
    (void)port;
    (void)data;
    __atomic_store_n(&domains_changed, true, __ATOMIC_RELEASE);
    drv_wake();
}

/* ---- clients ---- */

static void client_end(struct client *c)
{
    struct client **place = &clients;
    bool events;

    while (*place && *place != c)
        place = &(*place)->next;
    if (*place)
        *place = c->next;
    if (c->conn) {
        events = drv_lock(&guard);
        xs_server_close(server, c->conn);
        drv_unlock(&guard, events);
    }
    if (c->port > 0)
        pv_event_close((unsigned int)c->port);
    drv_page_unmap(&c->page);
    drv_free(c);
}

/* Maps the store page, opens the connection, binds the port. 0 or an error (of grants: -1 to -13). */
static int client_connect(struct client *c)
{
    bool events;
    int err;

    err = drv_page_map(&c->page, c->domid, GNTTAB_RESERVED_XENSTORE);
    if (err)
        return err;
    events = drv_lock(&guard);
    c->conn = xs_server_open(server, c->domid);
    if (c->conn)
        xs_ring_attach(&c->ring, c->page.vaddr, c->conn);
    drv_unlock(&guard, events);
    if (!c->conn)
        return -ENOMEM;
    err = pv_event_bind_interdomain(c->domid, c->remote_port, drv_work_event, &c->work);
    if (err < 0)
        return err;
    c->port = err;
    return 0;
}

/* If not, *reason is why it ended. On stock Xen a domain that has shut down waits for its tools to destroy
 * it.
 */
static bool lives(domid_t domid, unsigned int *reason)
{
    struct xen_domctl_getdomaininfo info;

    *reason = XENSTORED_DESTROYED;
    if (pv_domain_info(domid, &info) || info.domain != domid)
        return false;
    if (info.flags & XEN_DOMINF_shutdown)
        *reason = info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
    if (!(info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying)))
        return true;
    if (!(info.flags & XEN_DOMINF_dying))
        pv_domain_destroy(domid);
    return false;
}

/* A domain that can't be connected is kept as dead, so that it isn't tried again. */
static void client_begin(struct client *c)
{
    unsigned int reason;
    int err;

    c->next = clients;
    clients = c;
    c->work.any = &work_waits;
    err = client_connect(c);
    if (err) {
        if (lives(c->domid, &reason)) /* else it was destroyed before we came to it */
            pv_printf("xenstore: domain %u can't be connected: error %d\n", c->domid, err);
        c->ring.dead = true;
    } else {
        drv_work_event((unsigned int)c->port, &c->work); /* what the domain asked before we were there */
    }
}

static struct client *client_find(domid_t domid)
{
    struct client *c = clients;

    while (c && c->domid != domid)
        c = c->next;
    return c;
}

/* ---- the home of a new domain ---- */

static void put(const char *home, const char *leaf, const char *value)
{
    char path[96];

    pv_snprintf(path, sizeof(path), "%s/%s", home, leaf);
    pv_xs_write(0, path, value);
}

static void put_number(const char *home, const char *leaf, unsigned long n)
{
    char text[24];

    pv_snprintf(text, sizeof(text), "%lu", n);
    put(home, leaf, text);
}

void xenstored_make_home(const struct xenstored_home *h)
{
    /* Where the domain may write; the rest of its home it only reads. */
    static const char *const own[] = { "device", "control", "data", "attr", "drivers", "feature", "error" };
    char home[32], text[64];

    pv_snprintf(home, sizeof(home), "/local/domain/%u", h->domid);
    xenbus_make_dir(home, 0, h->domid);
    put_number(home, "domid", h->domid);
    put(home, "name", h->name);
    put_number(home, "memory/target", h->pages * 4);
    put_number(home, "console/ring-ref", h->console_frame);
    put_number(home, "console/port", h->console_port);
    for (unsigned int i = 0; i < h->vcpus; i++) {
        pv_snprintf(text, sizeof(text), "cpu/%u/availability", i);
        put(home, text, "online");
    }
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        pv_snprintf(text, sizeof(text), "%s/%s", home, own[i]);
        xenbus_make_dir(text, h->domid, 0);
    }
}

/* ---- what conn.h offers ---- */

/* Called by the server, with the guard held. The service thread does the rest. */
static int introduce(uint16_t domid, uint64_t mfn, uint32_t port)
{
    struct client *c = domid && mfn ? drv_alloc(sizeof(*c)) : NULL;

    if (!c)
        return domid && mfn ? -ENOMEM : -EINVAL;
    c->domid = domid;
    c->remote_port = port;
    c->next = newcomers;
    newcomers = c;
    __atomic_store_n(&domains_changed, true, __ATOMIC_RELEASE);
    return 0;
}

/* A domain is served until its end, which the scan looks for. */
static int release(uint16_t domid)
{
    (void)domid;
    __atomic_store_n(&domains_changed, true, __ATOMIC_RELEASE);
    return 0;
}

int xenstored_start(void)
{
    static const struct xs_server_hooks hooks = { introduce, release };
    int err;

    server = xs_server_new();
    if (!server)
        return -ENOMEM;
    xs_server_set_hooks(server, &hooks);
    err = xs_local_start(server, &guard);
    if (err)
        return err;
    pv_xs_mkdir(0, "/local/domain/0");
    put("/local/domain/0", "domid", "0");
    put("/local/domain/0", "name", "d0");
    err = pv_event_bind_virq(VIRQ_DOM_EXC, domain_event, NULL);
    return err < 0 ? err : 0;
}

/* Those that the hypervisor made at boot. */
static void scan_boot(void (*came)(domid_t domid, const char *name))
{
    struct parador_domain_info info = { 0 };

    for (; HYPERVISOR_parador(PARADOR_domain_info, &info) == 0; info.idx++) {
        struct client *c;

        if (info.domid == 0 || info.dying || !info.store_mfn || client_find(info.domid))
            continue;
        info.name[sizeof(info.name) - 1] = '\0';
        c = drv_alloc(sizeof(*c));
        if (!c)
            continue;
        c->domid = info.domid;
        c->remote_port = info.store_port;
        xenstored_make_home(&(struct xenstored_home){ .domid = info.domid,
                                                      .name = info.name,
                                                      .pages = info.tot_pages,
                                                      .vcpus = info.nr_vcpus,
                                                      .console_frame = info.console_mfn,
                                                      .console_port = info.console_port });
        if (came)
            came(info.domid, info.name);
        client_begin(c);
    }
}

static struct client *next_newcomer(void)
{
    bool events = drv_lock(&guard);
    struct client *c = newcomers;

    if (c)
        newcomers = c->next;
    drv_unlock(&guard, events);
    return c;
}

/* Those that were introduced. Who introduces a domain has made its home. */
static void scan_newcomers(void (*came)(domid_t domid, const char *name))
{
    struct client *c;

    while ((c = next_newcomer()) != NULL) {
        char path[40], name[40];

        if (client_find(c->domid)) {
            drv_free(c);
            continue;
        }
        pv_snprintf(path, sizeof(path), "/local/domain/%u/name", c->domid);
        if (pv_xs_read(0, path, name, sizeof(name)) < 0)
            name[0] = '\0';
        if (came)
            came(c->domid, name);
        client_begin(c);
    }
}

/* Its number is free for another when the last page of it is unmapped: by client_end, at last. */
static void scan_ended(void (*gone)(domid_t domid, unsigned int reason))
{
    struct client *next;

    for (struct client *c = clients; c; c = next) {
        unsigned int reason;
        char home[32];

        next = c->next;
        if (lives(c->domid, &reason))
            continue;
        if (gone)
            gone(c->domid, reason);
        pv_snprintf(home, sizeof(home), "/local/domain/%u", c->domid);
        pv_xs_rm(0, home);
        client_end(c);
    }
}

void xenstored_scan(void (*came)(domid_t domid, const char *name),
                    void (*gone)(domid_t domid, unsigned int reason))
{
    __atomic_store_n(&domains_changed, false, __ATOMIC_SEQ_CST);
    scan_ended(gone);
    scan_boot(came);
    scan_newcomers(came);
}

bool xenstored_domains_changed(void)
{
    return __atomic_load_n(&domains_changed, __ATOMIC_ACQUIRE);
}

bool xenstored_pending(void)
{
    if (drv_work_waits(&work_waits) || xs_local_pending())
        return true;
    /* Events that another's request has made. */
    for (const struct client *c = clients; c; c = c->next)
        if (!c->ring.dead && !c->stalled && xs_server_has_output(c->conn))
            return true;
    return false;
}

/* One round with one client. True: there is more. */
static bool client_work(struct client *c)
{
    bool came = drv_work_take(&c->work), moved, more, events;

    if (c->ring.dead || (!came && (c->stalled || !xs_server_has_output(c->conn))))
        return false;
    events = drv_lock(&guard);
    more = xs_ring_work(&c->ring, &moved);
    c->stalled = !more && xs_server_has_output(c->conn);
    drv_unlock(&guard, events);
    if (moved)
        pv_event_send((unsigned int)c->port);
    if (c->ring.dead)
        pv_printf("xenstore: domain %u broke the protocol and is served no more\n", c->domid);
    else if (more)
        drv_work_again(&c->work);
    else
        pv_event_unmask((unsigned int)c->port);
    return more;
}

bool xenstored_work(void)
{
    bool more = false;

    drv_work_begin(&work_waits);
    for (struct client *c = clients; c; c = c->next)
        more |= client_work(c);
    return more;
}

unsigned int xenstored_nr_connections(void)
{
    unsigned int n = 0;

    for (const struct client *c = clients; c; c = c->next)
        n++;
    return n;
}
