/* SPDX-License-Identifier: MIT
 *
 * Rows of event channels (to the vcpu itself) and of grants (the domain's own frames, mapped by itself).
 */
#include "tests/bench/bench.h"
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/start.h"
#include "libpv/traps.h"

extern char bench_upcall[], bench_upcall_end[];
extern volatile uint64_t bench_upcall_tsc;

static struct evtchn_send ipi;

static uint64_t send_masked(uint64_t arg)
{
    (void)arg;
    pv_event_test(ipi.port);
    return TIMED(HYPERVISOR_event_channel_op(EVTCHNOP_send, &ipi));
}

/* An IPI to the vcpu itself with upcalls on: ticks until the handler's first rdtsc, or (round) until the call
 * has returned too. */
static uint64_t send_ipi(uint64_t round)
{
    register struct vcpu_info *info __asm__("r12") = pv_vcpu_info();
    register unsigned long *word __asm__("r13") = &pv_shared_info.evtchn_pending[ipi.port / 64];
    register unsigned long mask __asm__("r14") = ~(1UL << (ipi.port % 64));
    register unsigned long nr __asm__("rax") = __HYPERVISOR_event_channel_op;
    uint64_t start, end;

    info->evtchn_pending_sel = 0;
    info->evtchn_upcall_pending = 0;
    info->evtchn_upcall_mask = 0;
    MARK(MARK_START);
    start = pv_rdtsc();
    __asm__ volatile("call pv_hypercall_page + 32 * 32"
                     : "+r"(nr)
                     : "D"(EVTCHNOP_send), "S"(&ipi), "r"(info), "r"(word), "r"(mask)
                     : "rcx", "rdx", "r11", "memory");
    end = pv_rdtsc();
    MARK(MARK_END);
    info->evtchn_upcall_mask = 1;
    return (round ? end : bench_upcall_tsc) - start;
}

static struct gnttab_map_grant_ref map;
static struct gnttab_unmap_grant_ref unmap;
static struct gnttab_copy copy;

static void do_map(void)
{
    HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &map, 1);
}

static void do_unmap(void)
{
    unmap.handle = map.handle;
    HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1);
    bench_must(unmap.status, "grant unmap");
}

static uint64_t grant_map(uint64_t arg)
{
    uint64_t t = TIMED(do_map());

    (void)arg;
    bench_must(map.status, "grant map");
    do_unmap();
    return t;
}

static uint64_t grant_unmap(uint64_t arg)
{
    (void)arg;
    do_map();
    return TIMED(do_unmap());
}

static uint64_t grant_copy(uint64_t arg)
{
    uint64_t t = TIMED(HYPERVISOR_grant_table_op(GNTTABOP_copy, &copy, 1));

    (void)arg;
    bench_must(copy.status, "grant copy");
    return t;
}

static void grants(void)
{
    domid_t self = pv_domid();
    void *where = pv_vaddr_reserve(1), *page = pv_page_alloc();
    int ref;

    bench_must(pv_grant_init(), "grant table");
    ref = pv_grant_access(self, pv_virt_to_mfn(page), false);
    bench_must(ref, "grant");
    map = (struct gnttab_map_grant_ref){
        .host_addr = (unsigned long)where, .flags = GNTMAP_host_map, .ref = (grant_ref_t)ref, .dom = self
    };
    unmap = (struct gnttab_unmap_grant_ref){ .host_addr = (unsigned long)where };
    copy = (struct gnttab_copy){ .source = { .u.ref = (grant_ref_t)ref, .domid = self },
                                 .dest = { .u.gmfn = pv_virt_to_mfn(pv_page_alloc()).v, .domid = DOMID_SELF },
                                 .len = 4096,
                                 .flags = GNTCOPY_source_gref };
    bench_row("grant_map", grant_map, 0, 100, 1);
    bench_row("grant_unmap", grant_unmap, 0, 100, 1);
    bench_row("grant_copy_4k", grant_copy, 0, 100, 1);
}

static void upcall(const char *entry)
{
    struct callback_register cb = { .type = CALLBACKTYPE_event, .address = (unsigned long)entry };

    bench_must(HYPERVISOR_callback_op(CALLBACKOP_register, &cb), "event callback");
}

void bench_events(void)
{
    int port = pv_event_bind_ipi(0, 0);

    bench_must(port, "bind_ipi");
    ipi.port = (evtchn_port_t)port;
    pv_event_mask(ipi.port);
    bench_row("event_send_masked", send_masked, 0, 200, 1);
    pv_event_test(ipi.port);
    grants();
    pv_shared_info.evtchn_mask[ipi.port / 64] &= ~(1UL << (ipi.port % 64));
    upcall(bench_upcall_end);
    bench_row("event_ipi_to_upcall", send_ipi, 0, 200, 1);
    upcall(bench_upcall);
    bench_row("event_ipi_round_trip", send_ipi, 1, 200, 1);
    pv_traps_init();
}
