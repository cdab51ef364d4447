/* SPDX-License-Identifier: MIT
 *
 * The store page of a domain from the server's side: messages longer than the ring, indices that wrap,
 * clients that lie.
 */
// sources: drivers/xenstore/path.c drivers/xenstore/tree.c drivers/xenstore/watch.c
// sources: drivers/xenstore/transaction.c drivers/xenstore/server.c drivers/xenstore/request.c
// sources: drivers/xenstore/ring.c tests/host/fake_pv.c
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/xenstore/ring.h"
#include "tests/host/fake_pv.h"

static struct xenstore_domain_interface page;
static struct xs_server *server;
static struct xs_ring ring;

static void begin_at(uint32_t req, uint32_t rsp)
{
    memset(&page, 0, sizeof(page));
    page.req_cons = page.req_prod = req;
    page.rsp_cons = page.rsp_prod = rsp;
    server = xs_server_new();
    xs_ring_attach(&ring, &page, xs_server_open(server, 0));
}

static void setup(void)
{
    begin_at(0, 0);
}

static void teardown(void)
{
    xs_server_free(server);
    cr_assert_eq(fake_allocs, 0);
}

TestSuite(xenstore_ring, .init = setup, .fini = teardown);

static void work(void)
{
    bool moved;

    while (xs_ring_work(&ring, &moved))
        cr_assert(moved);
}

static void put_bytes(const void *bytes, size_t n)
{
    const char *from = bytes;

    while (n) {
        while (n && page.req_prod - page.req_cons < XENSTORE_RING_SIZE) {
            page.req[MASK_XENSTORE_IDX(page.req_prod)] = *from++;
            page.req_prod++;
            n--;
        }
        work();
    }
}

static void get_bytes(void *bytes, size_t n)
{
    char *to = bytes;

    while (n) {
        cr_assert_neq(page.rsp_cons, page.rsp_prod, "an answer is cut");
        while (n && page.rsp_cons != page.rsp_prod) {
            *to++ = page.rsp[MASK_XENSTORE_IDX(page.rsp_cons)];
            page.rsp_cons++;
            n--;
        }
        work();
    }
}

static uint32_t ask(uint32_t type, const void *body, uint32_t len, char *answer)
{
    struct xsd_sockmsg hdr = { type, 1, 0, len };

    put_bytes(&hdr, sizeof(hdr));
    put_bytes(body, len);
    get_bytes(&hdr, sizeof(hdr));
    get_bytes(answer, hdr.len);
    cr_assert_eq(hdr.type, type);
    return hdr.len;
}

static void long_messages(void)
{
    char body[XENSTORE_PAYLOAD_MAX] = "/long", answer[XENSTORE_PAYLOAD_MAX];

    for (size_t i = 6; i < sizeof(body); i++)
        body[i] = (char)(i * 31);
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(ask(XS_WRITE, body, sizeof(body), answer), 3);
        cr_assert_eq(ask(XS_READ, "/long", 6, answer), sizeof(body) - 6);
        cr_assert_arr_eq(answer, body + 6, sizeof(body) - 6);
    }
}

Test(xenstore_ring, messages_longer_than_the_ring)
{
    long_messages();
}

Test(xenstore_ring, indices_wrap)
{
    xs_server_free(server);
    begin_at(UINT32_MAX - 5000, UINT32_MAX - 777);
    long_messages();
    cr_assert_lt(page.req_prod, 200000);
    cr_assert_lt(page.rsp_prod, 200000);
}

Test(xenstore_ring, many_requests_at_once)
{
    struct xsd_sockmsg hdr = { XS_READ, 0, 0, 2 }, answer;
    char body;

    for (hdr.req_id = 0; hdr.req_id < 50; hdr.req_id++) {
        for (size_t i = 0; i < sizeof(hdr); i++)
            page.req[page.req_prod++] = ((char *)&hdr)[i];
        page.req[page.req_prod++] = '/';
        page.req[page.req_prod++] = 0;
    }
    work();
    for (uint32_t id = 0; id < 50; id++) {
        get_bytes(&answer, sizeof(answer));
        cr_assert_eq(answer.req_id, id);
        get_bytes(&body, answer.len);
    }
}

Test(xenstore_ring, a_full_ring_stalls_and_goes_on)
{
    char body[1200] = "/x";
    struct xsd_sockmsg hdr = { XS_READ, 1, 0, 3 };
    bool moved;

    ask(XS_WRITE, body, sizeof(body), body + 8);
    put_bytes(&hdr, sizeof(hdr));
    put_bytes("/x", 3);
    cr_assert_eq(page.rsp_prod - page.rsp_cons, XENSTORE_RING_SIZE);
    cr_assert_not(xs_ring_work(&ring, &moved));
    cr_assert_not(moved);
    cr_assert(xs_server_has_output(ring.conn));
    get_bytes(&hdr, sizeof(hdr));
    cr_assert_eq(hdr.len, 1197);
    get_bytes(body, hdr.len);
    cr_assert_not(xs_server_has_output(ring.conn));
}

static void lie(uint32_t *word, uint32_t value, uint32_t error)
{
    bool moved;

    *word = value;
    cr_assert_not(xs_ring_work(&ring, &moved));
    cr_assert(moved); /* it is told, once */
    cr_assert(ring.dead);
    cr_assert_eq(page.error, error);
    *word = 0;
    cr_assert_not(xs_ring_work(&ring, &moved));
    cr_assert_not(moved);
}

Test(xenstore_ring, request_index_that_lies)
{
    lie(&page.req_prod, XENSTORE_RING_SIZE + 1, XENSTORE_ERROR_RINGIDX);
}

Test(xenstore_ring, request_index_that_goes_back)
{
    lie(&page.req_prod, UINT32_MAX, XENSTORE_ERROR_RINGIDX);
}

Test(xenstore_ring, response_index_that_lies)
{
    lie(&page.rsp_cons, 1, XENSTORE_ERROR_RINGIDX);
}

Test(xenstore_ring, message_too_long)
{
    struct xsd_sockmsg hdr = { XS_WRITE, 1, 0, UINT32_MAX };

    memcpy(page.req, &hdr, sizeof(hdr));
    lie(&page.req_prod, sizeof(hdr), XENSTORE_ERROR_PROTO);
}

Test(xenstore_ring, random_pages)
{
    unsigned int seed = 3, died = 0;

    for (int round = 0; round < 2000; round++) {
        xs_server_free(server);
        begin_at((uint32_t)rand_r(&seed), (uint32_t)rand_r(&seed));
        for (int i = 0; i < 30; i++) {
            struct xsd_sockmsg hdr = { (uint32_t)rand_r(&seed) % 24, 1, 0, (uint32_t)rand_r(&seed) % 40 };
            bool moved;

            for (size_t b = 0; b < sizeof(hdr) + hdr.len; b++)
                page.req[MASK_XENSTORE_IDX(page.req_prod + b)] =
                    b < sizeof(hdr) ? ((char *)&hdr)[b] : "/ab\0T1"[rand_r(&seed) % 6];
            page.req_prod += (uint32_t)sizeof(hdr) + hdr.len;
            if (rand_r(&seed) % 100 == 0)
                page.req_prod = (uint32_t)rand_r(&seed);
            for (int n = 0; n < 10 && xs_ring_work(&ring, &moved); n++)
                page.rsp_cons = page.rsp_prod;
        }
        died += ring.dead;
    }
    cr_assert_gt(died, 0);
    cr_assert_lt(died, 2000);
}
