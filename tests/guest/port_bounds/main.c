/* SPDX-License-Identifier: MIT
 *
 * A port number that was valid once stays valid to name: when all ports are closed, and after a reset, the
 * calls find a closed port there, and numbers beyond are refused as before. docs/safety.md XSA-221, 338.
 */
#include "libpv/event.h"
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("port_bounds");
ROLE(dom0, domU);

#define HIGH 700 /* beyond the first pages of ports */

static unsigned int ports[HIGH];
static unsigned int n;

static void open_many(void)
{
    int port;

    while (n < HIGH && (port = pv_event_alloc_unbound(DOMID_SELF, NULL, NULL)) > 0)
        ports[n++] = (unsigned int)port;
    expect_eq(n, HIGH);
}

static long op(int cmd, unsigned int port)
{
    struct evtchn_send arg = { .port = port }; /* close and unmask look the same */

    return HYPERVISOR_event_channel_op(cmd, &arg);
}

/* Every call on a closed port. */
static void all_closed(const char *when)
{
    for (unsigned int i = 0; i < n; i++) {
        struct evtchn_status status = { .dom = DOMID_SELF, .port = ports[i] };
        struct evtchn_bind_vcpu bind = { .port = ports[i] };
        long err = HYPERVISOR_event_channel_op(EVTCHNOP_status, &status);

        if (!check(err == 0 && status.status == EVTCHNSTAT_closed, "%s: port %u: %ld, status %u", when,
                   ports[i], err, status.status))
            break;
        check(op(EVTCHNOP_send, ports[i]) == -EINVAL, "%s: sent to port %u", when, ports[i]);
        check(op(EVTCHNOP_close, ports[i]) == -EINVAL, "%s: closed port %u again", when, ports[i]);
        check(HYPERVISOR_event_channel_op(EVTCHNOP_bind_vcpu, &bind) == -EINVAL, "%s: bound port %u", when,
              ports[i]);
    }
}

/* No port has been opened up there yet. */
static void never_valid(void)
{
    unsigned int wrong = 0;

    for (unsigned int port = 64; port < 4096; port++) {
        struct evtchn_status status = { .dom = DOMID_SELF, .port = port };
        struct evtchn_bind_interdomain bind = { .remote_dom = DOMID_SELF, .remote_port = port };
        long err = HYPERVISOR_event_channel_op(EVTCHNOP_status, &status);

        wrong += err != -EINVAL && (err || status.status != EVTCHNSTAT_closed);
        wrong += op(EVTCHNOP_send, port) != -EINVAL;
        wrong += op(EVTCHNOP_close, port) != -EINVAL;
        wrong += HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &bind) != -EINVAL;
        op(EVTCHNOP_unmask, port);
    }
    expect_eq(wrong, 0);
}

static void beyond(void)
{
    static const unsigned int numbers[] = { 4096, 4097, 65536, 0x7fffffff, 0xffffffff };

    for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct evtchn_status status = { .dom = DOMID_SELF, .port = numbers[i] };
        struct evtchn_bind_interdomain bind = { .remote_dom = DOMID_SELF, .remote_port = numbers[i] };

        check(HYPERVISOR_event_channel_op(EVTCHNOP_status, &status) == -EINVAL, "status of %u", numbers[i]);
        check(HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &bind) == -EINVAL, "bound to %u",
              numbers[i]);
        check(op(EVTCHNOP_send, numbers[i]) == -EINVAL, "sent to %u", numbers[i]);
        check(op(EVTCHNOP_close, numbers[i]) == -EINVAL, "closed %u", numbers[i]);
    }
}

void test_main(void)
{
    struct evtchn_reset reset = { .dom = DOMID_SELF };

    never_valid();
    open_many();
    for (unsigned int i = 0; i < n; i++)
        pv_event_close(ports[i]);
    all_closed("closed");
    beyond();
    n = 0;
    open_many();
    if (!pv_is_dom0() && !test_on_parador())
        return; /* the reset would take our console's port */
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_reset, &reset), 0);
    all_closed("reset");
    beyond();
}
