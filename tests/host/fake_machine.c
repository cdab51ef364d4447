/* SPDX-License-Identifier: MIT
 *
 * Events, grants and pages of one machine in one process: see fake_pv.h. The prototypes are libpv's own.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/memory.h"
#include "tests/host/fake_pv.h"

/* ---- pages ---- */

#define POOL_PAGES 8192

static int pool_file = -1;
static unsigned char *pool;
static unsigned int pool_used;
static void *free_pages[64];
static unsigned int nr_free;

void *fake_pages(unsigned int n)
{
    void *page;

    if (pool_file < 0) {
        pool_file = memfd_create("frames", 0);
        assert(pool_file >= 0 && ftruncate(pool_file, POOL_PAGES * (long)PAGE_SIZE) == 0);
        pool = mmap(NULL, POOL_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, pool_file, 0);
        assert(pool != MAP_FAILED);
    }
    assert(pool_used + n <= POOL_PAGES);
    page = pool + pool_used * PAGE_SIZE;
    pool_used += n;
    return page;
}

void *pv_page_alloc(void)
{
    void *page = nr_free ? free_pages[--nr_free] : fake_pages(1);

    memset(page, 0, PAGE_SIZE);
    return page;
}

void pv_page_free(void *page)
{
    assert(nr_free < 64);
    free_pages[nr_free++] = page;
}

/* pv_virt_to_mfn computes the pfn from libpv's linear mapping; turn it back into the address, and that into a
 * page of the pool. */
mfn_t pv_pfn_to_mfn(pfn_t p)
{
    unsigned char *va = (unsigned char *)((p.v << PAGE_SHIFT) + PV_VIRT_BASE);

    assert(va >= pool && va < pool + pool_used * PAGE_SIZE);
    return mfn((unsigned long)(va - pool) >> PAGE_SHIFT);
}

void *pv_vaddr_reserve(unsigned int n)
{
    void *va = mmap(NULL, n * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return va == MAP_FAILED ? NULL : va;
}

/* ---- grants ---- */

#define NR_GRANTS 1024

static struct {
    bool used, readonly;
    unsigned long mfn;
    unsigned int mapped;
} grants[NR_GRANTS];
static unsigned int nr_mappings;
long fake_grant_budget = -1;

int pv_grant_init(void)
{
    return 0;
}

int pv_grant_access(domid_t to, mfn_t frame, bool readonly)
{
    (void)to;
    if (fake_grant_budget == 0)
        return -1;
    for (int ref = PV_GRANT_RESERVED; ref < NR_GRANTS; ref++)
        if (!grants[ref].used) {
            if (fake_grant_budget > 0)
                fake_grant_budget--;
            pv_grant_set(ref, to, frame, readonly);
            return ref;
        }
    return -1;
}

void pv_grant_set(int ref, domid_t to, mfn_t frame, bool readonly)
{
    (void)to;
    grants[ref].used = true;
    grants[ref].readonly = readonly;
    grants[ref].mfn = frame.v;
}

bool pv_grant_end(int ref)
{
    assert(ref >= PV_GRANT_RESERVED && ref < NR_GRANTS && grants[ref].used);
    if (grants[ref].mapped)
        return false;
    grants[ref].used = false;
    if (fake_grant_budget >= 0)
        fake_grant_budget++;
    return true;
}

int pv_grant_map(domid_t from, grant_ref_t ref, void *vaddr, bool readonly, grant_handle_t *handle)
{
    (void)from;
    if (ref >= NR_GRANTS || !grants[ref].used || (grants[ref].readonly && !readonly))
        return GNTST_bad_gntref;
    assert(mmap(vaddr, PAGE_SIZE, readonly ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                pool_file, (long)(grants[ref].mfn * PAGE_SIZE)) == vaddr);
    grants[ref].mapped++;
    nr_mappings++;
    *handle = ref;
    return GNTST_okay;
}

int pv_grant_unmap(grant_handle_t handle, void *vaddr)
{
    assert(handle < NR_GRANTS && grants[handle].mapped);
    assert(mmap(vaddr, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == vaddr);
    grants[handle].mapped--;
    nr_mappings--;
    return GNTST_okay;
}

int pv_grant_map_batch(struct gnttab_map_grant_ref *ops, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++)
        ops[i].status = (int16_t)pv_grant_map(ops[i].dom, ops[i].ref, (void *)ops[i].host_addr,
                                              ops[i].flags & GNTMAP_readonly, &ops[i].handle);
    return 0;
}

int pv_grant_unmap_batch(struct gnttab_unmap_grant_ref *ops, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++)
        ops[i].status = (int16_t)pv_grant_unmap(ops[i].handle, (void *)ops[i].host_addr);
    return 0;
}

unsigned int fake_grants_used(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < NR_GRANTS; i++)
        n += grants[i].used;
    return n;
}

unsigned int fake_mappings(void)
{
    return nr_mappings;
}

/* ---- events ---- */

#define NR_PORTS 64

static struct {
    bool used, pending, masked;
    unsigned int peer; /* 0: unbound */
    pv_event_fn fn;
    void *data;
} ports[NR_PORTS];

static int port_new(pv_event_fn fn, void *data)
{
    for (unsigned int p = 1; p < NR_PORTS; p++)
        if (!ports[p].used) {
            memset(&ports[p], 0, sizeof(ports[p]));
            ports[p].used = true;
            ports[p].fn = fn;
            ports[p].data = data;
            return (int)p;
        }
    return -28;
}

int pv_event_alloc_unbound(domid_t remote, pv_event_fn fn, void *data)
{
    (void)remote;
    return port_new(fn, data);
}

int pv_event_bind_interdomain(domid_t remote, unsigned int remote_port, pv_event_fn fn, void *data)
{
    int port;

    (void)remote;
    if (remote_port >= NR_PORTS || !ports[remote_port].used || ports[remote_port].peer)
        return -22;
    port = port_new(fn, data);
    ports[port].peer = remote_port;
    ports[remote_port].peer = (unsigned int)port;
    return port;
}

void fake_port_orphan(unsigned int port)
{
    ports[port].peer = 0;
}

int pv_event_close(unsigned int port)
{
    assert(port && port < NR_PORTS && ports[port].used);
    ports[ports[port].peer].peer = 0;
    ports[port].used = false;
    return 0;
}

bool pv_event_connected(unsigned int port)
{
    return ports[port].used && ports[port].peer;
}

int pv_event_send(unsigned int port)
{
    assert(ports[port].used);
    if (ports[port].peer)
        ports[ports[port].peer].pending = true;
    return 0;
}

void pv_event_mask(unsigned int port)
{
    ports[port].masked = true;
}

void pv_event_unmask(unsigned int port)
{
    ports[port].masked = false;
}

unsigned int fake_upcalls(void)
{
    unsigned int ran = 0, p;

    do {
        for (p = 1; p < NR_PORTS; p++)
            if (ports[p].used && ports[p].pending && !ports[p].masked) {
                ports[p].pending = false;
                ports[p].fn(p, ports[p].data);
                ran++;
                break;
            }
    } while (p < NR_PORTS);
    return ran;
}

unsigned int fake_ports_used(void)
{
    unsigned int n = 0;

    for (unsigned int p = 1; p < NR_PORTS; p++)
        n += ports[p].used;
    return n;
}
