/* SPDX-License-Identifier: MIT
 *
 * libpv's xenstore client against the real server in one process, and what it does when the server is not
 * there: its domain has ended, or never comes, or hangs, or takes its time. No call waits for ever. The clock
 * moves only while the client waits.
 */
// sources: libpv/xenstore.c libpv/xenstore_ring.c drivers/xenstore/path.c drivers/xenstore/tree.c
// sources: drivers/xenstore/watch.c drivers/xenstore/transaction.c drivers/xenstore/server.c
// sources: drivers/xenstore/request.c drivers/xenstore/ring.c tests/host/fake_pv.c tests/host/fake_client.c
#include <criterion/criterion.h>
#include <string.h>
#include "drivers/xenstore/ring.h"
#include "libpv/errno.h"
#include "libpv/event.h"
#include "libpv/xenstore.h"
#include "libpv/xenstore_ring.h"
#include "tests/host/fake_client.h"
#include "tests/host/fake_pv.h"

#define SECOND 1000000000UL
#define MINUTE (60 * SECOND)

static struct xenstore_domain_interface page;
static struct xs_server *server;
static struct xs_ring ring;
static bool serves;          /* and does its work */
static uint64_t comes, goes; /* times at which it begins and ends; 0: never */
static uint64_t naps;        /* ns that pass before it moves a few bytes */

/* ---- the store ---- */

static void work(void)
{
    bool moved;

    while (serves && xs_ring_work(&ring, &moved))
        ;
}

int pv_event_send(unsigned int port)
{
    cr_assert_eq(port, PORT);
    if (!naps)
        work();
    return 0;
}

/* A server that can take eight bytes of the ring only. */
static void crumbs(void)
{
    uint32_t prod = page.req_prod;

    if (prod - page.req_cons > 8)
        page.req_prod = page.req_cons + 8;
    work();
    page.req_prod = prod;
}

bool pv_event_wait(unsigned int port, uint64_t timeout)
{
    cr_assert(port == PORT && timeout && timeout <= SECOND, "it must look again");
    now += naps ? naps : timeout;
    if (comes && now >= comes)
        connected = serves = true;
    if (goes && now >= goes)
        connected = serves = false;
    if (naps)
        crumbs();
    else
        work();
    return true;
}

/* ---- the tests ---- */

static void setup(void)
{
    now = 1000 * SECOND;
    comes = goes = naps = 0;
    connected = serves = true;
    server = xs_server_new();
    xs_ring_attach(&ring, &page, xs_server_open(server, 0));
    pv_xs_set_transport(pv_xs_ring_attach(&page, PORT));
}

static void teardown(void)
{
    xs_server_free(server);
    cr_assert_eq(fake_allocs, 0);
}

TestSuite(xenstore_client, .init = setup, .fini = teardown);

static int get(void)
{
    char text[16];
    int n = pv_xs_read(0, "/a", text, sizeof(text));

    return n < 0 ? n : strcmp(text, "b") ? -1 : 0;
}

/* Longer than the ring. */
static int put_long(void)
{
    char value[XENSTORE_RING_SIZE + 200];

    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = 0;
    return pv_xs_write(0, "/long", value);
}

static void write_a(void)
{
    cr_assert_eq(pv_xs_write(0, "/a", "b"), 0);
    cr_assert_eq(get(), 0);
}

Test(xenstore_client, a_store_that_works)
{
    write_a();
    cr_assert_eq(put_long(), 0);
    cr_assert_eq(now, 1000 * SECOND);
}

Test(xenstore_client, its_domain_has_ended)
{
    uint64_t start = now;

    write_a();
    connected = serves = false;
    for (int i = 0; i < 3; i++)
        cr_assert_eq(get(), -ENOTCONN);
    cr_assert_eq(put_long(), -ENOTCONN);
    cr_assert_eq(now, start, "at once");
}

Test(xenstore_client, its_domain_ends_while_the_answer_is_awaited)
{
    uint64_t start = now;

    write_a();
    serves = false;
    goes = now + 5 * SECOND;
    cr_assert_eq(get(), -ENOTCONN);
    cr_assert_leq(now, start + 6 * SECOND);
    cr_assert_eq(get(), -ENOTCONN);
}

Test(xenstore_client, its_domain_ends_in_the_middle_of_a_request)
{
    write_a();
    serves = false;
    goes = now + 5 * SECOND;
    cr_assert_eq(put_long(), -ENOTCONN);
}

Test(xenstore_client, a_store_that_hangs_and_comes_back)
{
    uint64_t start = now;

    write_a();
    serves = false;
    cr_assert_eq(get(), -ETIMEDOUT);
    cr_assert(now >= start + MINUTE && now < start + MINUTE + 3 * SECOND);
    serves = true; /* its late answer is not taken for that of the next request */
    cr_assert_eq(pv_xs_write(0, "/a", "c"), 0);
    cr_assert_eq(get(), -1);
}

Test(xenstore_client, a_store_that_hangs_in_the_middle_of_a_request)
{
    uint64_t until;

    write_a();
    serves = false;
    cr_assert_eq(put_long(), -ETIMEDOUT);
    until = now;
    serves = true; /* what is in the ring is half a message */
    cr_assert_eq(get(), -ETIMEDOUT);
    cr_assert_eq(now, until, "at once");
}

Test(xenstore_client, slowness_is_no_death)
{
    uint64_t start = now;

    naps = 30 * SECOND;
    cr_assert_eq(put_long(), 0);
    cr_assert_gt(now, start + 60 * MINUTE);
}

Test(xenstore_client, a_store_that_comes_late)
{
    connected = serves = false;
    comes = now + 50 * SECOND;
    cr_assert_eq(pv_xs_write(0, "/a", "b"), 0);
    cr_assert_eq(get(), 0);
}

Test(xenstore_client, a_store_that_never_comes)
{
    connected = serves = false;
    cr_assert_eq(get(), -ETIMEDOUT);
}

Test(xenstore_client, a_store_that_calls_it_broken)
{
    uint64_t start = now;

    serves = false;
    page.error = XENSTORE_ERROR_PROTO;
    cr_assert_eq(get(), -EIO);
    cr_assert_eq(get(), -EIO);
    cr_assert_eq(now, start);
}
