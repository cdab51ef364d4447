/* SPDX-License-Identifier: MIT
 *
 * Domains and their store pages, for the xenstore server in domain 0: see conn.h.
 *
 * One struct client a domain, made and ended by xenstored_scan. The event upcall masks the port and notes the
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
    bool seen;    /* in the scan that runs */
    bool mapped;  /* the store page, at `page` */
    bool pending; /* its event came; set by the upcall */
    bool stalled; /* its ring is full: output waits for its event */
    int port;     /* 0: none */
    void *page;
    grant_handle_t handle;
    struct xs_conn *conn;
    struct xs_ring ring;
};

static struct drv_lock guard; /* of the server */
static struct xs_server *server;
static struct client *clients;
static bool domains_changed = true; /* set by VIRQ_DOM_EXC */
static bool work_waits;             /* some client is pending; set by the upcall */

/* ---- events ---- */

static void client_event(unsigned int port, void *data)
{
    struct client *c = data;

    pv_event_mask(port);
    __atomic_store_n(&c->pending, true, __ATOMIC_RELEASE);
    __atomic_store_n(&work_waits, true, __ATOMIC_RELEASE);
    drv_wake();
}

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
    if (c->mapped)
        pv_grant_unmap(c->handle, c->page);
    drv_vaddr_put(c->page, 1);
    drv_free(c);
}

/* Maps the store page, opens the connection, binds the port. 0 or an error (of grants: -1 to -13). */
static int client_connect(struct client *c, unsigned int remote_port)
{
    bool events;
    int err;

    c->page = drv_vaddr_get(1);
    if (!c->page)
        return -ENOMEM;
    err = pv_grant_map(c->domid, GNTTAB_RESERVED_XENSTORE, c->page, false, &c->handle);
    if (err)
        return err;
    c->mapped = true;
    events = drv_lock(&guard);
    c->conn = xs_server_open(server, c->domid);
    if (c->conn)
        xs_ring_attach(&c->ring, c->page, c->conn);
    drv_unlock(&guard, events);
    if (!c->conn)
        return -ENOMEM;
    err = pv_event_bind_interdomain(c->domid, remote_port, client_event, c);
    if (err < 0)
        return err;
    c->port = err;
    return 0;
}

/* A domain that can't be connected is kept as dead, so that it isn't tried again. NULL: no memory. */
static struct client *client_make(domid_t domid, unsigned int remote_port)
{
    struct client *c = drv_alloc(sizeof(*c));
    int err;

    if (!c)
        return NULL;
    c->domid = domid;
    c->next = clients;
    clients = c;
    err = client_connect(c, remote_port);
    if (err) {
        pv_printf("xenstore: domain %u can't be connected: error %d\n", domid, err);
        c->ring.dead = true;
    } else {
        client_event((unsigned int)c->port, c); /* what the domain asked before we were there */
    }
    return c;
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

static void make_home(const struct parador_domain_info *info)
{
    /* Where the domain may write; the rest of its home it only reads. */
    static const char *const own[] = { "device", "control", "data", "attr", "drivers", "feature", "error" };
    char home[32], text[64];

    pv_snprintf(home, sizeof(home), "/local/domain/%u", info->domid);
    xenbus_make_dir(home, 0, info->domid);
    pv_snprintf(text, sizeof(text), "%u", info->domid);
    put(home, "domid", text);
    put(home, "name", info->name);
    pv_snprintf(text, sizeof(text), "%llu", (unsigned long long)info->tot_pages * 4);
    put(home, "memory/target", text);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        pv_snprintf(text, sizeof(text), "%s/%s", home, own[i]);
        xenbus_make_dir(text, info->domid, 0);
    }
}

/* ---- what conn.h offers ---- */

int xenstored_start(void)
{
    int err;

    server = xs_server_new();
    if (!server)
        return -ENOMEM;
    err = xs_local_start(server, &guard);
    if (err)
        return err;
    pv_xs_mkdir(0, "/local/domain/0");
    put("/local/domain/0", "domid", "0");
    put("/local/domain/0", "name", "d0");
    err = pv_event_bind_virq(VIRQ_DOM_EXC, domain_event, NULL);
    return err < 0 ? err : 0;
}

static void domain_seen(struct parador_domain_info *info, void (*came)(domid_t domid, const char *name))
{
    struct client *c = client_find(info->domid);

    if (info->domid == 0 || info->dying || !info->store_mfn)
        return;
    info->name[sizeof(info->name) - 1] = '\0';
    if (!c) {
        make_home(info);
        if (came)
            came(info->domid, info->name);
        c = client_make(info->domid, info->store_port);
    }
    if (c)
        c->seen = true;
}

void xenstored_scan(void (*came)(domid_t domid, const char *name), void (*gone)(domid_t domid))
{
    struct parador_domain_info info = { 0 };
    struct client *next;

    __atomic_store_n(&domains_changed, false, __ATOMIC_SEQ_CST);
    for (struct client *c = clients; c; c = c->next)
        c->seen = false;
    while (HYPERVISOR_parador(PARADOR_domain_info, &info) == 0) {
        domain_seen(&info, came);
        info.idx++;
    }
    for (struct client *c = clients; c; c = next) {
        domid_t domid = c->domid;
        char home[32];

        next = c->next;
        if (c->seen)
            continue;
        client_end(c);
        if (gone)
            gone(domid);
        pv_snprintf(home, sizeof(home), "/local/domain/%u", domid);
        pv_xs_rm(0, home);
    }
}

bool xenstored_domains_changed(void)
{
    return __atomic_load_n(&domains_changed, __ATOMIC_ACQUIRE);
}

bool xenstored_pending(void)
{
    if (__atomic_load_n(&work_waits, __ATOMIC_ACQUIRE) || xs_local_pending())
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
    bool came = __atomic_exchange_n(&c->pending, false, __ATOMIC_ACQUIRE), moved, more, events;

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
        __atomic_store_n(&c->pending, true, __ATOMIC_RELEASE);
    else
        pv_event_unmask((unsigned int)c->port);
    return more;
}

bool xenstored_work(void)
{
    bool more = false;

    __atomic_store_n(&work_waits, false, __ATOMIC_SEQ_CST);
    for (struct client *c = clients; c; c = c->next)
        more |= client_work(c);
    if (more)
        __atomic_store_n(&work_waits, true, __ATOMIC_RELEASE);
    return more;
}

unsigned int xenstored_nr_connections(void)
{
    unsigned int n = 0;

    for (const struct client *c = clients; c; c = c->next)
        n++;
    return n;
}
