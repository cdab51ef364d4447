/* SPDX-License-Identifier: MIT
 *
 * Arguments that change while the hypervisor works on them: one vcpu calls, the other writes two versions of
 * the structure over each other all the time, one that is good and one that isn't. Whatever mixture a call
 * gets, it must be checked and used as one: the results are those of the call, and what a good check followed
 * by a bad use would change stays as it was. docs/safety.md XSA-155 for hypercalls; x86/copy.h.
 */
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"
#include "tests/guest/vcpus.h"

TEST("double_fetch");
ROLE(dom0, domU);
// vcpus: 2

#define WORDS  10
#define ROUNDS 1000
#define ALL    (1U << WORDS) - 1
#define HV     0xffff830000000000UL /* the hypervisor's memory */

static struct {
    const char *name;
    uint64_t good[WORDS], bad[WORDS];
    unsigned int words;      /* bit n: word n changes */
    long (*call)(void *arg); /* makes the call, and undoes what it did */
    short errnos[6];         /* that it may give; 1: end */
} now;

static uint64_t *arg; /* where the structure lies */
static bool over;
static unsigned int wrong;

static void change(void)
{
    for (unsigned int i = 0; !__atomic_load_n(&over, __ATOMIC_ACQUIRE); i++) {
        const uint64_t *from = i & 1 ? now.bad : now.good;

        for (unsigned int w = 0; w < WORDS; w++)
            if (now.words >> w & 1)
                ((volatile uint64_t *)arg)[w] = from[w];
        test_let_others();
    }
}

static void both(unsigned int id)
{
    if (id) {
        change();
        return;
    }
    for (unsigned int i = 0; i < ROUNDS; i++) {
        long rc = now.call(arg);

        if (!test_one_of(rc, now.errnos) && !wrong++)
            pv_printf("%s: %ld\n", now.name, rc);
        if (i % 16 == 0)
            test_let_others();
    }
    __atomic_store_n(&over, true, __ATOMIC_RELEASE);
}

static void race(void)
{
    pv_printf("%s\n", now.name);
    over = false;
    wrong = 0;
    memcpy(arg, now.good, sizeof(now.good));
    test_on_vcpus(2, both);
    check(!wrong, "%s: %u calls with other results", now.name, wrong);
}

/* The two versions, of any type. */
#define VERSIONS(type, ...)                                          \
    do {                                                             \
        type both_[2] = { __VA_ARGS__ };                             \
        _Static_assert(sizeof(type) <= sizeof(now.good), "it fits"); \
        memset(&now, 0, sizeof(now));                                \
        memcpy(now.good, &both_[0], sizeof(type));                   \
        memcpy(now.bad, &both_[1], sizeof(type));                    \
        now.words = ALL;                                             \
    } while (0)
#define RESULTS(...) memcpy(now.errnos, ((const short[6]){ __VA_ARGS__, 1 }), sizeof(now.errnos))

/* --- page tables --- */

static uint64_t *l1, *data, *next;

static long ext(void *op)
{
    long rc = HYPERVISOR_mmuext_op(op, 1, NULL, DOMID_SELF);

    test_unpin(l1);
    return rc;
}

static void pins(void)
{
    VERSIONS(struct mmuext_op, { .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = pv_virt_to_mfn(l1).v },
             { .cmd = MMUEXT_PIN_L2_TABLE, .arg1.mfn = test_foreign_mfn() });
    now.name = "pin";
    now.call = ext;
    RESULTS(0, -EINVAL);
    race();
}

static long copy_page(void *op)
{
    long rc = HYPERVISOR_mmuext_op(op, 1, NULL, DOMID_SELF);

    wrong += l1[7] != 0 || (data[7] != 0 && data[7] != 0x77);
    return rc;
}

/* To a page from a page; or to a table from memory that isn't ours. */
static void copies(void)
{
    require(!test_pin(1, l1), "a table");
    next[7] = 0x77;
    VERSIONS(
        struct mmuext_op,
        { .cmd = MMUEXT_COPY_PAGE,
          .arg1.mfn = pv_virt_to_mfn(data).v,
          .arg2.src_mfn = pv_virt_to_mfn(next).v },
        { .cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = pv_virt_to_mfn(l1).v, .arg2.src_mfn = test_foreign_mfn() });
    now.name = "copy_page";
    now.call = copy_page;
    RESULTS(0, -EINVAL);
    race();
    require(!test_unpin(l1), "no table any more");
}

static long update(void *op)
{
    long rc = HYPERVISOR_mmu_update(op, 1, NULL, DOMID_SELF);
    uint64_t entry = l1[1];

    wrong += (entry & PTE_P) && pv_pte_mfn(entry).v != pv_virt_to_mfn(data).v;
    return rc;
}

/* A mapping of a data page; or of the table itself, writable, and that also written where it isn't an entry.
 */
static void updates(void)
{
    require(!test_pin(1, l1), "a table");
    VERSIONS(struct mmu_update, { .ptr = pv_virt_to_maddr(&l1[1]).v, .val = test_pte(data, PTE_KERNEL) },
             { .ptr = pv_virt_to_maddr(&data[1]).v, .val = test_pte(l1, PTE_KERNEL) });
    now.name = "mmu_update";
    now.call = update;
    RESULTS(0, -EINVAL, -EBUSY);
    race();
    require(!test_unpin(l1), "no table any more");
}

/* --- grants --- */

static domid_t self;
static uint64_t *window;

static long map(void *op)
{
    volatile struct gnttab_map_grant_ref *m = op;
    long rc;

    m->status = 99;
    rc = HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, op, 1);
    if (!rc && m->status > 0)
        wrong++;
    if (!rc && m->status == GNTST_okay && pv_grant_unmap(m->handle, window) != GNTST_okay)
        wrong++;
    return rc;
}

static void grant_maps(void)
{
    int ref = pv_grant_access(self, pv_virt_to_mfn(data), false);

    VERSIONS(struct gnttab_map_grant_ref,
             { .host_addr = (unsigned long)window,
               .flags = GNTMAP_host_map,
               .ref = (grant_ref_t)ref,
               .dom = self },
             { .host_addr = HV,
               .flags = GNTMAP_host_map | GNTMAP_readonly | GNTMAP_contains_pte,
               .ref = 0x7fffffff,
               .dom = self });
    now.name = "map_grant_ref";
    now.words = 3; /* the results share the third word with `dom` */
    now.call = map;
    RESULTS(0);
    race();
    check(pv_grant_end(ref), "the grant is in use for ever");
}

static long grant_copy(void *op)
{
    long rc = HYPERVISOR_grant_table_op(GNTTABOP_copy, op, 1);

    wrong += next[0] != 0x1111 || next[511] != 0x1111;
    return rc;
}

/* All of a page; or a little at its end. A mixture would go on into the next frame. */
static void grant_copies(void)
{
    VERSIONS(struct gnttab_copy,
             { .source = { .u.gmfn = pv_virt_to_mfn(data).v, .domid = DOMID_SELF },
               .dest = { .u.gmfn = pv_virt_to_mfn(data).v, .domid = DOMID_SELF },
               .len = PAGE_SIZE },
             { .source = { .u.gmfn = pv_virt_to_mfn(data).v, .domid = DOMID_SELF, .offset = 4000 },
               .dest = { .u.gmfn = pv_virt_to_mfn(data).v, .domid = DOMID_SELF, .offset = 4000 },
               .len = 96 });
    next[0] = next[511] = 0x1111;
    now.name = "grant copy";
    now.call = grant_copy;
    RESULTS(0);
    race();
}

/* --- descriptors --- */

static uint64_t *gdt;

static long set_gdt(void *list)
{
    long rc = HYPERVISOR_set_gdt(list, 512);

    HYPERVISOR_set_gdt(list, 0);
    return rc;
}

static void gdt_frames(void)
{
    VERSIONS(struct { uint64_t frame[1]; }, { { pv_virt_to_mfn(gdt).v } }, { { test_foreign_mfn() } });
    now.name = "set_gdt";
    now.call = set_gdt;
    RESULTS(0, -EINVAL);
    race();
}

#define RING0_CODE 0x00af9a000000ffffUL /* present, of ring 0 */

static void alias_writer(unsigned int id)
{
    uint64_t list = pv_virt_to_mfn(gdt).v;

    for (unsigned int i = 0; id && !__atomic_load_n(&over, __ATOMIC_ACQUIRE); i++) {
        HYPERVISOR_update_va_mapping((unsigned long)window, test_pte(gdt, PTE_KERNEL), UVMF_NONE);
        test_poke(&window[40], RING0_CODE);
        test_poke(&window[40], 0);
        HYPERVISOR_update_va_mapping((unsigned long)window, 0, UVMF_NONE); /* and no flush */
        test_poke(&window[40], RING0_CODE);
        test_let_others();
    }
    for (unsigned int i = 0; !id && i < ROUNDS; i++) {
        if (!HYPERVISOR_set_gdt(&list, 512)) {
            for (unsigned int k = 0; k < 50; k++)
                wrong +=
                    (((volatile uint64_t *)gdt)[40] & RING0_CODE) == RING0_CODE && (gdt[40] >> 45 & 3) != 3;
            HYPERVISOR_set_gdt(&list, 0);
        }
        if (i % 16 == 0)
            test_let_others();
    }
    if (!id)
        __atomic_store_n(&over, true, __ATOMIC_RELEASE);
}

/* Descriptors of a table that another vcpu maps writable, writes to and unmaps without a flush. */
static void gdt_alias(void)
{
    over = false;
    wrong = 0;
    test_on_vcpus(2, alias_writer);
    check(!wrong, "%u times a descriptor of ring 0 in a GDT in use", wrong);
}

static long trap_table(void *rows)
{
    return HYPERVISOR_set_trap_table(rows);
}

static void traps(void)
{
    VERSIONS(struct trap_info, { 200, 0, PV_CS, 0x1000 }, { 201, 3, 8, 1UL << 47 });
    now.name = "set_trap_table";
    now.words = 3;
    now.call = trap_table;
    RESULTS(0, -EINVAL);
    race();
}

/* --- the others --- */

static long multicall(void *list)
{
    return HYPERVISOR_multicall(list, 1);
}

static void multicalls(void)
{
    VERSIONS(struct multicall_entry, { .op = __HYPERVISOR_xen_version, .args = { XENVER_version } },
             { .op = 1UL << 63 | __HYPERVISOR_multicall, .args = { HV, HV, HV, HV, HV, HV } });
    now.name = "multicall";
    now.words = 0xfd; /* all but the result */
    now.call = multicall;
    RESULTS(0);
    race();
}

static long decrease(void *r)
{
    return HYPERVISOR_memory_op(XENMEM_decrease_reservation, r);
}

/* A list of one frame that isn't ours; or a huge one in the hypervisor's memory. */
static void reservations(void)
{
    static xen_pfn_t list;

    list = test_foreign_mfn();
    VERSIONS(struct xen_memory_reservation,
             { .extent_start.p = (xen_pfn_t *)&list, .nr_extents = 1, .domid = DOMID_SELF },
             { .extent_start.p = (xen_pfn_t *)HV, .nr_extents = 1UL << 50, .extent_order = 60, .domid = 77 });
    now.name = "memory_op";
    now.call = decrease;
    RESULTS(0);
    race();
}

static long poll(void *p)
{
    return HYPERVISOR_sched_op(SCHEDOP_poll, p);
}

static void polls(void)
{
    static evtchn_port_t port = 1;

    VERSIONS(struct sched_poll, { .ports.p = &port, .nr_ports = 1, .timeout = 1 },
             { .ports.p = (evtchn_port_t *)HV, .nr_ports = 128, .timeout = 2 });
    now.name = "sched_poll";
    now.call = poll;
    RESULTS(0, -EFAULT, -EINVAL);
    race();
}

static long bind(void *b)
{
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, b);
    struct evtchn_close close = { .port = ((struct evtchn_bind_interdomain *)b)->local_port };

    if (!rc)
        wrong += HYPERVISOR_event_channel_op(EVTCHNOP_close, &close) != 0;
    return rc;
}

static void ports(void)
{
    struct evtchn_alloc_unbound any = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    struct evtchn_close close;

    require(!HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &any), "a port");
    VERSIONS(struct evtchn_bind_interdomain, { .remote_dom = DOMID_SELF, .remote_port = any.port },
             { .remote_dom = 77, .remote_port = 0xffffffff });
    now.name = "bind_interdomain";
    now.words = 1; /* the rest is the result */
    now.call = bind;
    RESULTS(0, -EINVAL, -ESRCH);
    race();
    close.port = any.port;
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_close, &close), 0);
}

void test_main(void)
{
    arg = test_page();
    l1 = test_table_page();
    data = test_page();
    next = test_page(); /* most likely the next frame too */
    gdt = test_table_page();
    window = pv_vaddr_reserve(1);
    self = pv_domid();
    require(!pv_grant_init(), "grants");
    pins();
    copies();
    updates();
    grant_maps();
    grant_copies();
    gdt_frames();
    gdt_alias();
    traps();
    multicalls();
    reservations();
    polls();
    ports();
}
