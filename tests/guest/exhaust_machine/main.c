/* SPDX-License-Identifier: MIT
 *
 * Domain 0 has no maximum (as on stock Xen without dom0_mem=max:) and takes all the memory that the machine
 * has. Then what needs memory of the hypervisor's is refused, the rest works, and when the frames go back all
 * works again.
 */
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("exhaust_machine");
ROLE(dom0);

#define MOST  100000 /* frames; a machine with more is too large for this test */
#define BATCH 512
#define PORTS 4095

static xen_pfn_t frames[MOST + BATCH];
static evtchn_port_t ports[PORTS];

static long reservation(int cmd, xen_pfn_t *list, unsigned long n)
{
    struct xen_memory_reservation r = { .nr_extents = n, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, list);
    return HYPERVISOR_memory_op((unsigned int)cmd, &r);
}

static unsigned long take_all(void)
{
    unsigned long got = 0;
    long n;

    do {
        n = reservation(XENMEM_increase_reservation, frames + got, BATCH);
        require(n >= 0, "increase_reservation: %ld", n);
        got += (unsigned long)n;
    } while (n == BATCH && got < MOST);
    return got;
}

/* Until they are refused; all are closed again. *n: how many there were. */
static long all_ports(unsigned int *n)
{
    long err = 0;

    for (*n = 0; *n < PORTS && err >= 0; *n += err >= 0) {
        struct evtchn_bind_ipi o = { .vcpu = 0 };

        err = HYPERVISOR_event_channel_op(EVTCHNOP_bind_ipi, &o);
        ports[*n] = o.port;
    }
    for (unsigned int i = 0; i < *n; i++)
        expect_eq(pv_event_close(ports[i]), 0);
    return err;
}

static int16_t larger_table(void)
{
    static xen_pfn_t list[32];
    struct gnttab_setup_table o = { .dom = DOMID_SELF, .nr_frames = 32 };

    set_xen_guest_handle(o.frame_list, list);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &o, 1), 0);
    return o.status;
}

static void with_nothing_left(void)
{
    uint64_t *page = test_page(), *l1 = test_table_page();
    unsigned int n;
    long err;

    expect_eq(reservation(XENMEM_increase_reservation, frames + MOST, 1), 0);
    expect_eq(reservation(XENMEM_populate_physmap, &(xen_pfn_t){ 5 }, 1), 0);
    err = all_ports(&n);
    check(n > 0 && (err == -ENOMEM || !test_on_parador()), "%u ports, then %ld", n, err);
    err = larger_table();
    check(err == GNTST_general_error || !test_on_parador(), "a larger grant table: %ld", err);
    expect_eq(test_pin(1, l1), 0);
    expect_eq(test_update(0, &l1[7], test_pte(page, PTE_KERNEL)), 0);
    expect_eq(test_unpin(l1), 0);
}

void test_main(void)
{
    domid_t self = DOMID_SELF;
    unsigned long got;
    unsigned int n;

    expect_eq(HYPERVISOR_memory_op(XENMEM_maximum_reservation, &self), 0xffffffffL);
    got = take_all();
    if (got >= MOST)
        test_skip("more than %u free frames", MOST);
    pv_printf("%lu frames came\n", got);
    with_nothing_left();
    expect_eq(reservation(XENMEM_decrease_reservation, frames, got), got);
    all_ports(&n);
    check(n > 4000, "%u ports", n);
    expect_eq(larger_table(), GNTST_okay);
    expect_eq(take_all() > 0, true);
}
