/* SPDX-License-Identifier: MIT
 *
 * The builder in domain 0: see build.h.
 *
 * No memory is allocated here. The p2m list is built where it will lie, in the new domain's own pages, which
 * stay mapped while the rest is done; all else goes through a window of a few pages, a piece at a time.
 * Everything is unmapped before the first table is pinned, because a frame that is writable anywhere can't be
 * a page table; the hypervisor then checks all that was built here as it would check a guest's own tables.
 *
 * Next: hypervisor/hypercall/domctl.c.
 */
#include "libpv/build.h"
#include "libpv/domctl.h"
#include "libpv/errno.h"
#include "libpv/grant.h"
#include "libpv/hypercall.h"
#include "libpv/image.h"
#include "libpv/memory.h"
#include "libpv/print.h"
#include "libpv/string.h"
#include "libpv/traps.h"

#define MIB4       (4UL << 20)
#define SPARE      (512UL << 10) /* bytes behind the stack at least */
#define WINDOW     64            /* pages */
#define P2M_WINDOW (PV_BUILD_MAX_PAGES / ENTRIES)
#define ENTRIES    512

/* Page numbers (pfns) of the parts; the domain's first page is mapped at image.virt_base. */
struct layout {
    unsigned long ramdisk, ramdisk_pages, p2m, p2m_pages, start_info, store, console, tables, stack, end;
    unsigned long nr[5]; /* tables of each level, from 1 (L1) to 4 */
};

static struct build {
    struct pv_build *b;
    struct pv_image image;
    struct layout at;
    uint64_t *p2m;     /* the list, in the new domain's pages */
    char *window;      /* WINDOW pages with tables and without frames */
    unsigned long pfn; /* of the piece in the window */
    unsigned int n;    /* its pages; 0: nothing is there */
} build;

/* What was wrong, with two numbers in it. */
static const char *said(const char *format, unsigned long a, unsigned long b)
{
    static char text[80];

    pv_snprintf(text, sizeof(text), format, a, b);
    return text;
}

static unsigned long pages_of(unsigned long bytes)
{
    return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

static unsigned long vaddr(unsigned long pfn)
{
    return build.image.virt_base + (pfn << PAGE_SHIFT);
}

/* Tables of a level that map [start, end). */
static unsigned long spans(unsigned long start, unsigned long end, unsigned int level)
{
    unsigned int shift = 12 + 9 * level;

    return level == 4 ? 1 : ((end - 1) >> shift) - (start >> shift) + 1;
}

/* The number of tables depends on the end, and the end on the number of tables: until both agree. */
static const char *lay_out(struct layout *at)
{
    unsigned long tables = 0, before, next;

    at->ramdisk_pages = pages_of(build.b->ramdisk_size);
    at->p2m_pages = pages_of(build.b->pages * sizeof(uint64_t));
    do {
        before = tables;
        next = pages_of(build.image.end - build.image.virt_base);
        at->ramdisk = next;
        at->p2m = at->ramdisk + at->ramdisk_pages;
        at->start_info = at->p2m + at->p2m_pages;
        at->store = at->start_info + 1;
        at->console = at->store + 1;
        at->tables = at->console + 1;
        at->stack = at->tables + tables;
        next = (vaddr(at->stack + 1) + SPARE + MIB4 - 1) & ~(MIB4 - 1);
        at->end = (next - build.image.virt_base) >> PAGE_SHIFT;
        tables = 0;
        for (unsigned int level = 1; level <= 4; level++)
            tables += at->nr[level] = spans(vaddr(0), vaddr(at->end), level);
    } while (tables != before);
    return at->end > build.b->pages
               ? said("%lu MB is too little for its image: mem=%lu, and what it needs to run",
                      build.b->pages >> 8, (at->end + 255) >> 8)
               : NULL;
}

/* ---- memory ---- */

/* Frames for pfns [pfn, pfn + n), whose numbers stand at list and become those of the frames. */
static int populate(uint64_t *list, unsigned long n)
{
    struct xen_memory_reservation r = { .nr_extents = n, .domid = build.b->domid };
    long done;

    set_xen_guest_handle(r.extent_start, (xen_pfn_t *)list);
    done = HYPERVISOR_memory_op(XENMEM_populate_physmap, &r);
    return done == (long)n ? 0 : done < 0 ? (int)done : -ENOMEM;
}

/* The list's own pages first; they are mapped, and then it is filled. */
static int make_memory(void)
{
    const struct layout *at = &build.at;
    static uint64_t list[P2M_WINDOW];
    int err;

    for (unsigned long i = 0; i < at->p2m_pages; i++)
        list[i] = at->p2m + i;
    err = populate(list, at->p2m_pages);
    if (!err)
        err = pv_foreign_map(build.b->domid, build.p2m, list, (unsigned int)at->p2m_pages);
    if (err)
        return err;
    memset(build.p2m, 0, at->p2m_pages << PAGE_SHIFT);
    for (unsigned long pfn = 0; pfn < build.b->pages; pfn++)
        build.p2m[pfn] = pfn;
    memcpy(build.p2m + at->p2m, list, at->p2m_pages * sizeof(uint64_t));
    err = populate(build.p2m, at->p2m);
    if (!err)
        err = populate(build.p2m + at->start_info, build.b->pages - at->start_info);
    if (err) /* what can't be had is no frame */
        pv_foreign_unmap(build.p2m, (unsigned int)at->p2m_pages);
    return err;
}

static void close_window(void)
{
    if (build.n)
        pv_foreign_unmap(build.window, build.n);
    build.n = 0;
}

/* The page pfn, mapped until others are looked at; NULL: it can't be. */
static void *page(unsigned long pfn)
{
    if (pfn - build.pfn >= build.n) {
        unsigned long left = build.b->pages - pfn;

        close_window();
        build.pfn = pfn;
        if (pv_foreign_map(build.b->domid, build.window, build.p2m + pfn,
                           left < WINDOW ? (unsigned int)left : WINDOW))
            return NULL;
        build.n = left < WINDOW ? (unsigned int)left : WINDOW;
    }
    return build.window + ((pfn - build.pfn) << PAGE_SHIFT);
}

/* n bytes to byte `at` of the domain's memory; from NULL: zeros. */
static int fill(unsigned long at, const void *from, unsigned long n)
{
    const char *src = from;

    while (n) {
        unsigned long offset = at % PAGE_SIZE, part = PAGE_SIZE - offset < n ? PAGE_SIZE - offset : n;
        char *to = page(at >> PAGE_SHIFT);

        if (!to)
            return -EFAULT;
        if (src)
            memcpy(to + offset, src, part);
        else
            memset(to + offset, 0, part);
        src = src ? src + part : NULL;
        at += part;
        n -= part;
    }
    return 0;
}

/* ---- contents ---- */

static int copy_image(void)
{
    const struct pv_image *i = &build.image;
    int err = fill(0, NULL, build.at.ramdisk << PAGE_SHIFT);

    for (unsigned int s = 0; s < i->segments && !err; s++)
        err =
            fill(i->segment[s].vaddr - i->virt_base, i->file + i->segment[s].offset, i->segment[s].file_size);
    if (!err)
        err = fill(build.at.ramdisk << PAGE_SHIFT, build.b->ramdisk, build.b->ramdisk_size);
    if (!err)
        err =
            fill(build.at.start_info << PAGE_SHIFT, NULL, (build.at.end - build.at.start_info) << PAGE_SHIFT);
    return err;
}

/* No vcpu takes events before its kernel says so: stock Xen leaves that to who builds the domain. */
static int mask_events(uint64_t frame)
{
    struct shared_info *shared = (void *)build.window;
    int err;

    close_window();
    err = pv_foreign_map(build.b->domid, shared, &frame, 1);
    if (err)
        return err;
    for (unsigned int i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        shared->vcpu_info[i].evtchn_upcall_mask = 1;
    pv_foreign_unmap(shared, 1);
    return 0;
}

static int make_start_info(void)
{
    const struct layout *at = &build.at;
    struct xen_domctl_getdomaininfo info;
    struct start_info *si;
    int err = pv_domain_info(build.b->domid, &info);

    if (err)
        return err;
    si = page(at->start_info);
    if (!si)
        return -EFAULT;
    memcpy(si->magic, "xen-3.0-x86_64", sizeof("xen-3.0-x86_64"));
    si->nr_pages = build.b->pages;
    si->shared_info = info.shared_info_frame << PAGE_SHIFT;
    si->store_mfn = build.b->store_frame;
    si->store_evtchn = build.b->store_port;
    si->console.domU.mfn = build.b->console_frame;
    si->console.domU.evtchn = build.b->console_port;
    si->pt_base = vaddr(at->tables);
    si->nr_pt_frames = at->stack - at->tables;
    si->mfn_list = vaddr(at->p2m);
    si->mod_start = at->ramdisk_pages ? vaddr(at->ramdisk) : 0;
    si->mod_len = build.b->ramdisk_size;
    strlcpy((char *)si->cmd_line, build.b->words, sizeof(si->cmd_line));
    return mask_events(info.shared_info_frame);
}

/* Tables: the L4, then the L3s, L2s and L1s, each level in the order of addresses. */

static unsigned long first_table(unsigned int level)
{
    unsigned long pfn = build.at.tables;

    for (unsigned int l = 4; l > level; l--)
        pfn += build.at.nr[l];
    return pfn;
}

/* The entry for one page in the table of a level that covers it. */
static int map_entry(unsigned long pfn, unsigned int level, unsigned long to, uint64_t flags)
{
    unsigned long va = vaddr(pfn), base = vaddr(0);
    unsigned int shift = 12 + 9 * level;
    uint64_t *table = page(first_table(level) + (level == 4 ? 0 : (va >> shift) - (base >> shift)));

    if (!table)
        return -EFAULT;
    table[pv_pt_index(va, level)] = build.p2m[to] << PAGE_SHIFT | flags;
    return 0;
}

static int make_tables(void)
{
    const struct layout *at = &build.at;
    int err = 0;

    for (unsigned long pfn = 0; pfn < at->end && !err; pfn++) {
        bool table = pfn >= at->tables && pfn < at->stack;

        err = map_entry(pfn, 1, pfn, PTE_P | PTE_US | PTE_A | (table ? 0 : PTE_RW | PTE_D));
    }
    for (unsigned int level = 2; level <= 4; level++) {
        unsigned long base = vaddr(0) >> (12 + 9 * (level - 1));

        for (unsigned long i = 0; i < at->nr[level - 1] && !err; i++) {
            unsigned long va = i ? (base + i) << (12 + 9 * (level - 1)) : vaddr(0);

            err = map_entry((va - vaddr(0)) >> PAGE_SHIFT, level, first_table(level - 1) + i, PTE_TABLE);
        }
    }
    return err;
}

/* ---- the domain's parts in the hypervisor ---- */

static int make_ports(void)
{
    struct evtchn_alloc_unbound alloc = { .dom = build.b->domid, .remote_dom = DOMID_SELF };
    int err = (int)HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc);

    build.b->store_port = alloc.port;
    if (!err)
        err = (int)HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc);
    build.b->console_port = alloc.port;
    return err;
}

/* Domain 0 may map both pages by the reserved references. */
static int make_grants(void)
{
    struct gnttab_setup_table setup = { .dom = build.b->domid, .nr_frames = 1 };
    uint64_t frame = 0;
    struct grant_entry_v1 *table = (void *)build.window;
    int err;

    close_window();
    set_xen_guest_handle(setup.frame_list, (xen_pfn_t *)&frame);
    err = (int)HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1);
    if (err || setup.status != GNTST_okay)
        return err ? err : -ENOMEM;
    err = pv_foreign_map(build.b->domid, table, &frame, 1);
    if (err)
        return err;
    table[GNTTAB_RESERVED_CONSOLE] =
        (struct grant_entry_v1){ GTF_permit_access, 0, (uint32_t)build.b->console_frame };
    table[GNTTAB_RESERVED_XENSTORE] =
        (struct grant_entry_v1){ GTF_permit_access, 0, (uint32_t)build.b->store_frame };
    pv_foreign_unmap(table, 1);
    return 0;
}

static int make_hypercall_page(void)
{
    unsigned long at = build.image.hypercall_page;
    struct xen_domctl op = { .cmd = XEN_DOMCTL_hypercall_init, .domain = build.b->domid };

    if (at == PV_IMAGE_UNSET)
        return 0;
    op.u.hypercall_init.gmfn = build.p2m[(at - build.image.virt_base) >> PAGE_SHIFT];
    return pv_domctl(&op);
}

static int make_vcpu(uint64_t root)
{
    static struct vcpu_guest_context c;
    struct mmuext_op pin = { .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = root };
    struct xen_domctl op = { .cmd = XEN_DOMCTL_setvcpucontext, .domain = build.b->domid };
    int err = (int)HYPERVISOR_mmuext_op(&pin, 1, NULL, build.b->domid);

    if (err)
        return err;
    memset(&c, 0, sizeof(c));
    c.flags = VGCF_in_kernel | VGCF_online;
    c.user_regs.rip = build.image.entry;
    c.user_regs.rsp = vaddr(build.at.stack + 1);
    c.user_regs.rsi = vaddr(build.at.start_info);
    c.user_regs.rflags = PV_RFLAGS_IF;
    c.user_regs.cs = PV_CS;
    c.user_regs.ss = PV_SS;
    c.kernel_ss = PV_SS;
    c.kernel_sp = c.user_regs.rsp;
    c.ctrlreg[3] = xen_pfn_to_cr3(root);
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &c);
    return pv_domctl(&op);
}

/* What was mapped for it is unmapped in any case. */
static int make_all(void)
{
    uint64_t root, pages = pv_free_pages();
    int err = make_memory();

    if (err) {
        build.b->why =
            said("it wants %lu MB, and %lu MB of memory are free", build.b->pages >> 8, pages >> 8);
        return err;
    }
    build.b->store_frame = build.p2m[build.at.store];
    build.b->console_frame = build.p2m[build.at.console];
    root = build.p2m[build.at.tables];
    err = make_ports();
    if (!err)
        err = copy_image();
    if (!err)
        err = make_start_info();
    if (!err)
        err = make_tables();
    if (!err)
        err = make_grants();
    if (!err)
        err = make_hypercall_page();
    close_window();
    pv_foreign_unmap(build.p2m, (unsigned int)build.at.p2m_pages);
    return err ? err : make_vcpu(root);
}

int pv_build(struct pv_build *b)
{
    int err;

    build.b = b;
    if (!build.window)
        build.window = pv_vaddr_reserve(WINDOW);
    if (!build.p2m)
        build.p2m = pv_vaddr_reserve((unsigned int)P2M_WINDOW);
    b->why = pv_image_read(&build.image, b->kernel, b->kernel_size);
    if (!b->why && b->pages > PV_BUILD_MAX_PAGES)
        b->why = "more than 1024 MB is too much";
    if (!b->why)
        b->why = lay_out(&build.at);
    if (b->why)
        return -EINVAL;
    if (!build.window || !build.p2m)
        return -ENOMEM;
    err = pv_domain_create(&b->domid, b->vcpus, b->pages);
    if (err)
        return err;
    b->why = NULL;
    err = make_all();
    if (err)
        pv_domain_destroy(b->domid);
    return err;
}
