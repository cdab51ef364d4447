/* SPDX-License-Identifier: MIT
 *
 * The domain builder: boot modules become domains.
 *
 * Modules are taken in order. A kernel begins a domain (domid 0, 1, 2...), a module marked `ramdisk` belongs
 * to the kernel before it. Each domain is built in steps that may fail: words, ELF, layout, memory, contents,
 * tables. The first step that fails leaves its reason in b->trouble; one line tells it, what was made is
 * destroyed, and the next domain has its turn. Nothing runs before all are built.
 *
 * Memory: mem= if given; else an equal share of what is left when all mem= are served. Read next:
 * boot/layout.c (where things lie), boot/guest_image.c.
 */
#include "boot/builder.h"
#include "boot/boot.h"
#include "domain/console.h"
#include "domain/domain.h"
#include "domain/grant.h"
#include "lib/string.h"
#include "x86/percpu.h"

#define OVERHEAD   64  /* frames that a domain costs beside its memory: structures, grant table, GDT, XSAVE */
#define SPARE      256 /* frames that a domain without mem= gets at least beyond what it needs to start */
#define TOO_LITTLE "not enough memory"

/* What all modules together ask for; counted down while domains are built. */
struct demand {
    uint64_t built, frames, cost; /* domains, their memory, and with Parador's structures for them */
    uint64_t named;               /* frames, by mem= */
    uint64_t unnamed;             /* domains without mem= */
    bool short_line;              /* the line about the first domain that doesn't fit was printed */
};

static uint64_t to_mb(uint64_t frames)
{
    return frames >> 8;
}

static void refuse_domain(const struct build *b, struct demand *demand)
{
    exit_note_trouble();
    if (strcmp(b->trouble, TOO_LITTLE)) {
        say("parador: %s is not started: %s\n", b->options.name, b->trouble);
    } else if (!demand->short_line) {
        demand->short_line = true;
        say("parador: %s is not started, and none after it: not enough memory: %lu MB asked for, %lu MB "
            "free\n",
            b->options.name, to_mb(b->nr_pages + OVERHEAD), to_mb(frames_free()));
    }
}

/* What mem= asks for, in frames. More than there is at all is nobody's loss: it will be refused. */
static uint64_t named_frames(const struct module_options *o)
{
    uint64_t frames = o->mem >> PAGE_SHIFT;

    return frames > frames_total() ? 0 : frames;
}

/* What all modules ask for. */
static void count_demand(const struct boot_info *bi, struct demand *demand)
{
    struct module_options o;
    char why[160];

    for (unsigned int i = 0; i < bi->nr_modules; i++) {
        if (!cmdline_parse_module(bi->modules[i].cmdline, &o, why, sizeof(why)) || o.ramdisk)
            continue;
        demand->named += named_frames(&o);
        demand->unnamed += !o.mem;
    }
}

/* Words of the kernel's module, and the ramdisk behind it. Returns the index of the next kernel. */
static unsigned int read_modules(const struct boot_info *bi, unsigned int i, struct build *b, char *why,
                                 size_t size)
{
    const struct boot_module *m = &bi->modules[i];
    struct module_options o;

    b->kernel = maddr_to_virt(m->start);
    b->kernel_size = m->end - m->start;
    if (!cmdline_parse_module(m->cmdline, &b->options, why, size))
        b->trouble = why;
    else if (b->options.ramdisk)
        b->trouble = "a ramdisk needs a kernel before it";
    if (!b->options.name[0])
        snprintf(b->options.name, sizeof(b->options.name), "d%u", b->domid);
    for (i++; i < bi->nr_modules; i++) {
        if (!cmdline_parse_module(bi->modules[i].cmdline, &o, why + size / 2, size / 2) || !o.ramdisk)
            break;
        if (b->ramdisk)
            b->trouble = "it has two ramdisks";
        b->ramdisk = maddr_to_virt(bi->modules[i].start);
        b->ramdisk_size = bi->modules[i].end - bi->modules[i].start;
    }
    return i;
}

/* Frames for a domain without mem=. */
static uint64_t share(const struct demand *demand)
{
    uint64_t others = demand->named + OVERHEAD * demand->unnamed, free = frames_free();

    return free > others ? (free - others) / demand->unnamed : 0;
}

static void lay_out(struct build *b, struct demand *demand)
{
    bool named = b->options.mem != 0;

    b->nr_pages = named ? b->options.mem >> PAGE_SHIFT : share(demand);
    if (named)
        demand->named -= named_frames(&b->options);
    else
        demand->unnamed--;
    b->trouble = elf_parse(b->kernel, b->kernel_size, &b->image);
    if (!b->trouble && b->nr_pages > frames_total())
        b->trouble = "its mem= is more than the machine has";
    if (b->trouble)
        return;
    b->trouble = layout_domain(&b->image, b->ramdisk_size, !b->domid, b->nr_pages, &b->at);
    if (!b->trouble && !named && b->nr_pages < b->at.pages + SPARE) {
        b->nr_pages = b->at.pages + SPARE;
        b->trouble = layout_domain(&b->image, b->ramdisk_size, !b->domid, b->nr_pages, &b->at);
    }
    if (!b->trouble && b->nr_pages + OVERHEAD > frames_free())
        b->trouble = TOO_LITTLE;
    else if (!b->trouble && b->nr_pages < b->at.pages)
        b->trouble = "its mem= is too little for image, ramdisk and first page tables";
}

/* Store and console page of a domain other than 0: a port and a grant entry each, for domain 0. */
static bool io_pages(struct build *b)
{
    struct domain *d = b->d;

    if (d->privileged)
        return true;
    d->store_mfn = *build_p2m(b, (b->at.store - b->at.start) >> PAGE_SHIFT);
    d->console_mfn = *build_p2m(b, (b->at.console - b->at.start) >> PAGE_SHIFT);
    grant_fill(d, GNTTAB_RESERVED_CONSOLE, 0, d->console_mfn);
    grant_fill(d, GNTTAB_RESERVED_XENSTORE, 0, d->store_mfn);
    return !evtchn_alloc_unbound(d, 0, &d->store_port) && !evtchn_alloc_unbound(d, 0, &d->console_port);
}

/* docs/abi.md, start of day 1. */
static void first_registers(const struct build *b)
{
    struct vcpu *v = b->d->vcpu[0];
    struct cpu_user_regs *regs = &v->regs;

    regs->rip = b->image.entry;
    regs->rsp = b->at.stack + PAGE_SIZE;
    regs->rsi = b->at.start_info;
    regs->cs = FLAT_KERNEL_CS;
    regs->ss = FLAT_KERNEL_SS;
    regs->rflags = 0x202;
    v->kernel_mode = true;
    v->arch.kernel_sp = regs->rsp;
    v->arch.kernel_ss = FLAT_KERNEL_SS;
    v->info->evtchn_upcall_mask = 1;
    v->initialised = true;
    vcpu_up(v);
}

static void create(struct build *b)
{
    uint64_t most = b->domid ? b->nr_pages : UINT32_MAX; /* domain 0 has no maximum, as on stock Xen */

    b->trouble = TOO_LITTLE;
    b->d = domain_create(b->domid, b->options.name, b->options.vcpus, most);
    if (!b->d || !build_memory(b) || !io_pages(b))
        return;
    build_image(b);
    b->trouble = build_tables(b) ? "its first page tables were refused" : NULL;
    if (b->trouble)
        return;
    first_registers(b);
    b->d->symbols = symbols_keep(b->domid, &b->image.symbols);
}

/* The first two domains are told of in full, they stand for all. */
static void tell(const struct build *b)
{
    const char *name = b->options.name;

    if (b->domid > 1)
        return;
    screen_act("boot/builder.c", "Built %s: %s MB; kernel of %s KB, ramdisk of %s KB", name,
               COMMAS(to_mb(b->nr_pages)), COMMAS((b->image.end - b->image.start) >> 10),
               COMMAS(b->ramdisk_size >> 10));
    screen_act("mm/page_type.c", "Checked %s: %s page tables, %s entries, %s %s", name,
               COMMAS(b->at.nr_tables + b->at.p2m_tables), COMMAS(b->entries), COMMAS(b->ticks),
               screen_unit());
    if (b->domid)
        screen_act("domain/grant.c", "Granted %s's console and store page to d0; ports %u and %u", name,
                   b->d->console_port, b->d->store_port);
}

/* The pages of modules [i, next) go to the heap, but for the kernel's symbols, which reports read. */
static void release_modules(const struct boot_info *bi, unsigned int i, unsigned int next,
                            const struct build *b)
{
    const struct symbols *syms = &b->image.symbols;
    uint64_t start = bi->modules[i].start, end = bi->modules[i].end, keep = end, keep_end = end;

    if (!b->trouble && syms->table) {
        keep = virt_to_maddr(MIN(syms->table, syms->strings));
        keep_end = virt_to_maddr(MAX(syms->table + syms->size, syms->strings + syms->strings_size));
    }
    frames_release_boot(start, keep & PAGE_MASK);
    frames_release_boot(keep_end, end);
    for (i++; i < next; i++)
        frames_release_boot(bi->modules[i].start, bi->modules[i].end);
}

/* One domain out of module i and its ramdisk; the index of the next kernel's module. */
static unsigned int build_one(const struct boot_info *bi, unsigned int i, struct build *b,
                              struct demand *demand)
{
    char why[320];
    unsigned int next = read_modules(bi, i, b, why, sizeof(why));
    uint64_t before = frames_free();

    if (!b->trouble)
        lay_out(b, demand);
    if (!b->trouble && demand->short_line) /* modules that were left give memory back: not for those behind */
        b->trouble = TOO_LITTLE;
    if (!b->trouble)
        create(b);
    if (b->p2m_mfns)
        pages_free(b->p2m_mfns, b->p2m_mfns_order);
    if (b->d)
        demand->cost += before - frames_free();
    if (b->trouble) {
        refuse_domain(b, demand);
        if (b->d)
            domain_destroy(b->d);
    } else {
        demand->built++;
        demand->frames += b->nr_pages;
        tell(b);
        console_domain_begins(b->d);
    }
    release_modules(bi, i, next, b);
    return next;
}

static void start_all(const struct demand *demand)
{
    struct domain *d;

    if (demand->built > 2)
        screen_act("boot/builder.c", "Built the others: %s domains in all, %s MB", COMMAS(demand->built),
                   COMMAS(to_mb(demand->frames)));
    screen_act("domain/sched.c", "Gives %s to each in turn, %s ms at a time; d0 is first",
               nr_cpus > 1 ? "the CPUs" : "the CPU", COMMAS(sched->slice_ns / 1000000));

    console_focus(0);
    console_focus(1); /* where there is one: the newcomer's shell is in a domain without privileges */
    screen_end();
    frames_without_domains = frames_free() + demand->cost;
    for (unsigned int i = 0; (d = get_domain_by_index(i)); i++) {
        if (!d->dying)
            domain_unpause(d);
        put_domain(d);
    }
}

int builder_run(const struct boot_info *bi)
{
    struct build *b = page_alloc();
    struct demand demand = { 0 };
    uint16_t domid = 0;

    _Static_assert(sizeof(*b) <= PAGE_SIZE, "a page holds it");
    screen_begin(bi);
    if (!bi->nr_modules)
        say("parador: no module: nothing to run (QEMU: -initrd \"KERNEL words\")\n");
    count_demand(bi, &demand);
    for (unsigned int i = 0; b && i < bi->nr_modules; domid++) {
        memset(b, 0, sizeof(*b));
        b->domid = domid;
        i = build_one(bi, i, b, &demand);
        if (!domain0)
            break;
    }
    page_free(b);
    if (!domain0)
        return -ENOENT;
    start_all(&demand);
    return 0;
}
