/* SPDX-License-Identifier: MIT
 *
 * The xenstore client against a store of somebody else (stock xenstored): nodes, directories, errors,
 * transactions and watches. A domain without a store, or with nobody behind it, skips.
 */
#include "libpv/start.h"
#include "libpv/string.h"
#include "libpv/xenstore.h"
#include "libpv/event.h"
#include "libpv/memory.h"
#include "tests/guest/test.h"

TEST("xenstore");
// beside: pvkernel
ROLE(domU);

static void nodes(void)
{
    char buf[512];
    unsigned long n = 0;

    expect_eq(pv_xs_write(0, "device/a", "17"), 0);
    expect_eq(pv_xs_read(0, "device/a", buf, sizeof(buf)), 2);
    check(!strcmp(buf, "17"), "read gives %s", buf);
    expect_eq(pv_xs_read_number(0, "device/a", &n), 0);
    expect_eq(n, 17);
    expect_eq(pv_xs_read(0, "device/a", buf, 2), -E2BIG);
    expect_eq(pv_xs_mkdir(0, "device/dir"), 0);
    expect_eq(pv_xs_printf(0, "device/dir/x", "%u-%s", 5, "five"), 0);
    expect_eq(pv_xs_read(0, "device/dir/x", buf, sizeof(buf)), 6);
    expect_eq(pv_xs_ls(0, "device/dir", buf, sizeof(buf)), 2);
    check(!strcmp(buf, "x"), "ls gives %s", buf);
    expect_eq(pv_xs_rm(0, "device/dir"), 0);
    expect_eq(pv_xs_read(0, "device/dir/x", buf, sizeof(buf)), -ENOENT);
    expect_eq(pv_xs_write(0, "/local/domain/0/not-mine", "1"), -EACCES);
    expect_eq(pv_xs_write(0, "bad path", "1"), -EINVAL);
    check(pv_xs_domain_path(7, buf, sizeof(buf)) == 15 && !strcmp(buf, "/local/domain/7"), "home is %s", buf);
}

static void transactions(void)
{
    char buf[64];
    pv_xs_tx tx = 0;

    expect_eq(pv_xs_transaction_start(&tx), 0);
    check(tx != 0, "a transaction has a number");
    expect_eq(pv_xs_write(tx, "device/t", "inside"), 0);
    expect_eq(pv_xs_read(0, "device/t", buf, sizeof(buf)), -ENOENT);
    expect_eq(pv_xs_transaction_end(tx, true), 0);
    expect_eq(pv_xs_read(0, "device/t", buf, sizeof(buf)), 6);

    expect_eq(pv_xs_transaction_start(&tx), 0);
    expect_eq(pv_xs_write(tx, "device/t", "given up"), 0);
    expect_eq(pv_xs_transaction_end(tx, false), 0);
    expect_eq(pv_xs_read(0, "device/t", buf, sizeof(buf)), 6);

    expect_eq(pv_xs_transaction_start(&tx), 0);
    expect_eq(pv_xs_read(tx, "device/t", buf, sizeof(buf)), 6);
    expect_eq(pv_xs_write(0, "device/t", "other"), 0);
    expect_eq(pv_xs_write(tx, "device/t", "mine"), 0);
    expect_eq(pv_xs_transaction_end(tx, true), -EAGAIN);
}

static void watches(void)
{
    struct pv_xs_event e;

    expect_eq(pv_xs_watch("device/w", "token"), 0);
    pv_xs_wait_watch(&e);
    check(!strcmp(e.path, "device/w") && !strcmp(e.token, "token"), "first firing: %s %s", e.path, e.token);
    expect_eq(pv_xs_write(0, "device/w/below", "1"), 0);
    pv_xs_wait_watch(&e);
    check(!strcmp(e.path, "device/w/below") && !strcmp(e.token, "token"), "a change: %s %s", e.path, e.token);
    expect_eq(pv_xs_unwatch("device/w", "token"), 0);
    expect_eq(pv_xs_write(0, "device/w/below", "2"), 0);
    check(!pv_xs_next_watch(&e), "no firing after unwatch");
    expect_eq(pv_xs_unwatch("device/w", "token"), -ENOENT);
}

static void large(void)
{
    static char big[1900], back[1901]; /* longer than the ring */

    memset(big, 'x', sizeof(big) - 1);
    expect_eq(pv_xs_write(0, "device/big", big), 0);
    expect_eq(pv_xs_read(0, "device/big", back, sizeof(back)), sizeof(big) - 1);
    expect_eq(memcmp(big, back, sizeof(big)), 0);
}

/* Nobody answers: no message is taken out of the ring. */
static bool answered(void)
{
    struct xenstore_domain_interface *ring = pv_mfn_to_virt(mfn(pv_start_info->store_mfn));

    /* A message of 0 bytes to XS_READ gets an error from whoever is there. */
    struct xsd_sockmsg h = { .type = XS_READ, .req_id = 0x7fffffff, .len = 0 };
    memcpy(ring->req, &h, sizeof(h));
    __atomic_store_n(&ring->req_prod, ring->req_prod + (uint32_t)sizeof(h), __ATOMIC_RELEASE);
    pv_event_send(pv_start_info->store_evtchn);
    return pv_event_wait(pv_start_info->store_evtchn, 5000000000);
}

void test_main(void)
{
    if (!pv_start_info->store_mfn || !answered()) {
        test_skip("no xenstore behind this domain");
        return;
    }
    expect_eq(pv_xs_init(), 0);
    nodes();
    transactions();
    watches();
    large();
}
