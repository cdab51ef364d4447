/* SPDX-License-Identifier: MIT
 *
 * Domain 0 and a domain that it controls, two of one image: what domain 0 may not do to the other while that
 * one runs, and the arguments of Parador's own calls. On stock Xen no guest of ours can be domain 0 beside
 * another domain, so this role is Parador's alone. libpv/parador.h; xen/event_channel.h (reset).
 */
#include "libpv/event.h"
#include "libpv/start.h"
#include "libpv/time.h"
#include "tests/guest/pages.h"

TEST("dom0_control");
ROLE(control);

#define OTHER 1 /* the other domain's number */

static bool other_lives(void)
{
    struct parador_domain_info info = { .idx = 1 };

    return HYPERVISOR_parador(PARADOR_domain_info, &info) == 0 && info.domid == OTHER && !info.dying;
}

static void other_is_running(void)
{
    struct evtchn_reset reset = { .dom = OTHER };
    struct evtchn_status status = { .dom = OTHER, .port = 1 };
    struct gnttab_query_size size = { .dom = OTHER };
    domid_t id = OTHER;

    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_reset, &reset), -EINVAL);
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_status, &status), 0);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_query_size, &size, 1), 0);
    expect_eq(size.status, GNTST_okay);
    check(HYPERVISOR_memory_op(XENMEM_current_reservation, &id) > 0, "its frames");
}

static void arguments(void)
{
    static struct parador_why why = { .domid = 77 };
    uint32_t id = 0;
    int32_t status = 256;

    expect_eq(HYPERVISOR_parador(PARADOR_exit_status, &status), -EINVAL);
    status = -1;
    expect_eq(HYPERVISOR_parador(PARADOR_exit_status, &status), -EINVAL);
    expect_eq(HYPERVISOR_parador(PARADOR_exit_status, (void *)NOWHERE), -EFAULT);
    expect_eq(HYPERVISOR_parador(PARADOR_destroy, &id), -EINVAL); /* domain 0 itself */
    expect_eq(HYPERVISOR_parador(PARADOR_plain, &id), 0);
    expect_eq(HYPERVISOR_parador(PARADOR_plain, (void *)NOWHERE), -EFAULT);
    id = 77;
    expect_eq(HYPERVISOR_parador(PARADOR_destroy, &id), -ESRCH);
    id = 1U << 16 | OTHER;
    expect_eq(HYPERVISOR_parador(PARADOR_destroy, &id), -ESRCH);
    expect_eq(HYPERVISOR_parador(PARADOR_why, &why), -ESRCH);
    expect_eq(HYPERVISOR_parador(99, &why), -ENOSYS);
}

/* `why` tells domain 0 what was refused to the other. */
static void why_of_other(void)
{
    static struct parador_why why;

    why.domid = OTHER;
    expect_eq(HYPERVISOR_parador(PARADOR_why, &why), 0);
    check(why.count > 0 && why.error == -ENOSYS, "%u refusals, error %d: %s", why.count, why.error, why.text);
}

static void domain0(void)
{
    uint32_t id = OTHER;
    uint64_t until = pv_time_ns() + 20000000000UL;
    static struct parador_why why = { .domid = OTHER };

    while ((HYPERVISOR_parador(PARADOR_why, &why) || !why.count) && pv_time_ns() < until) {
        struct sched_poll poll = { .timeout = pv_time_ns() + 2000000 };

        HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
        why.domid = OTHER;
    }
    require(other_lives(), "the other domain");
    other_is_running();
    arguments();
    why_of_other();
    expect_eq(HYPERVISOR_parador(PARADOR_destroy, &id), 0);
    check(!other_lives(), "it is gone");
}

void test_main(void)
{
    HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    if (pv_is_dom0()) {
        domain0();
        return;
    }
    expect_eq(pv_hypercall(63, 0, 0, 0, 0, 0), -ENOSYS); /* what domain 0 asks `why` about */
    for (;;) {
        struct sched_poll poll = { .timeout = pv_time_ns() + 1000000000 };

        HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
    }
}
