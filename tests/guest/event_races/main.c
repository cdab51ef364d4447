/* SPDX-License-Identifier: MIT
 *
 * Four vcpus that open, bind, close, send on, mask, move and ask about the same few ports at random, and
 * reset them all now and then, while the others are in the middle of that. Each call gives one of its errnos,
 * and in the end no port is left that nobody has. docs/safety.md XSA-343 (reset against open), 340.
 */
#include "libpv/event.h"
#include "libpv/start.h"
#include "tests/guest/pages.h"
#include "tests/guest/vcpus.h"

TEST("event_races");
ROLE(dom0, domU);
// vcpus: 4

#define PORTS 24
#define STEPS 4000

static uint64_t seeds[TEST_VCPUS];
static unsigned int strange, worked, refused;
static bool may_reset; /* else our console's port would go */
static uint32_t first; /* port that is nobody's before */

static void outcome(const char *what, long rc)
{
    static const short errnos[] = { -EINVAL, -ENOENT, -EEXIST, -ESRCH, -EBUSY, 1 };

    __atomic_add_fetch(rc >= 0 ? &worked : &refused, 1, __ATOMIC_RELAXED);
    if ((rc > 1 || (rc < 0 && !test_one_of(rc, errnos))) &&
        !__atomic_fetch_add(&strange, 1, __ATOMIC_RELAXED))
        pv_printf("%s: %ld\n", what, rc);
}

#define OP(cmd, ...) outcome(#cmd, HYPERVISOR_event_channel_op(cmd, &(__VA_ARGS__)))

static void step(unsigned int id)
{
    uint64_t r = test_random(&seeds[id]) >> 24;
    uint32_t port = first + (uint32_t)(r >> 8) % PORTS;
    uint32_t vcpu = (uint32_t)(r >> 20) % (TEST_VCPUS + 1); /* one too many */

    switch (r % 10) {
    case 0:
        OP(EVTCHNOP_alloc_unbound,
           (struct evtchn_alloc_unbound){ .dom = DOMID_SELF, .remote_dom = DOMID_SELF });
        break;
    case 1:
        OP(EVTCHNOP_bind_interdomain,
           (struct evtchn_bind_interdomain){ .remote_dom = DOMID_SELF, .remote_port = port });
        break;
    case 2:
        OP(EVTCHNOP_bind_ipi, (struct evtchn_bind_ipi){ .vcpu = vcpu });
        break;
    case 3:
        OP(EVTCHNOP_bind_virq, (struct evtchn_bind_virq){ .virq = VIRQ_DEBUG, .vcpu = vcpu });
        break;
    case 4:
        OP(EVTCHNOP_bind_vcpu, (struct evtchn_bind_vcpu){ .port = port, .vcpu = vcpu });
        break;
    case 5:
    case 6:
        OP(EVTCHNOP_close, (struct evtchn_close){ .port = port });
        break;
    case 7:
        OP(EVTCHNOP_send, (struct evtchn_send){ .port = port });
        break;
    case 8:
        OP(EVTCHNOP_unmask, (struct evtchn_unmask){ .port = port });
        break;
    default:
        if (may_reset && r >> 30 & 1)
            OP(EVTCHNOP_reset, (struct evtchn_reset){ .dom = DOMID_SELF });
        else
            OP(EVTCHNOP_status, (struct evtchn_status){ .dom = DOMID_SELF, .port = port });
        break;
    }
}

static void race(unsigned int id)
{
    for (unsigned int n = 0; n < STEPS; n++) {
        step(id);
        if (n % 8 == 0)
            test_let_others();
    }
}

/* All closed, the next one is the first again. */
static void after(void)
{
    struct evtchn_alloc_unbound next = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };

    for (uint32_t port = first; port < 4096; port++) {
        struct evtchn_close close = { .port = port };

        HYPERVISOR_event_channel_op(EVTCHNOP_close, &close);
    }
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &next), 0);
    check(next.port <= first, "port %u, not %u", next.port, first);
}

void test_main(void)
{
    struct evtchn_alloc_unbound probe = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    struct evtchn_close close;

    require(!HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &probe), "a port");
    first = close.port = probe.port;
    require(!HYPERVISOR_event_channel_op(EVTCHNOP_close, &close), "close it");
    may_reset = pv_is_dom0() || test_on_parador();
    for (unsigned int id = 0; id < TEST_VCPUS; id++)
        seeds[id] = 4000 + id;
    test_on_vcpus(TEST_VCPUS, race);
    check(!strange, "%u strange results", strange);
    check(worked > STEPS && refused > STEPS, "%u calls worked, %u were refused", worked, refused);
    after();
}
