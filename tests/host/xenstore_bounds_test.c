/* SPDX-License-Identifier: MIT
 *
 * What a client may make the xenstore server hold, and what becomes of one that breaks the protocol, or the
 * server when it has no memory.
 */
// sources: drivers/xenstore/path.c drivers/xenstore/tree.c drivers/xenstore/watch.c
// sources: drivers/xenstore/transaction.c drivers/xenstore/server.c drivers/xenstore/request.c
// sources: tests/host/fake_pv.c tests/host/xs_clients.c
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/host/xs_clients.h"
#include "tests/host/fake_pv.h"

TestSuite(bounds, .init = clients_begin, .fini = clients_end);

Test(bounds, quota_of_nodes_and_bytes)
{
    char text[XENSTORE_PAYLOAD_MAX];
    int made = 0;

    for (;; made++) {
        snprintf(text, sizeof(text), "n/%d|", made);
        if (strcmp(ask(dom1, XS_WRITE, text), "OK") != 0)
            break;
    }
    cr_assert_str_eq(answer_body, "ENOSPC");
    cr_assert_eq(made, XS_MAX_NODES - 2); /* its home and n count */
    cr_assert_str_eq(ask(dom1, XS_WRITE, "n/5|again"), "OK");
    cr_assert_str_eq(ask(dom2, XS_WRITE, "n|1"), "OK"); /* others are not concerned */
    cr_assert_str_eq(ask(dom1, XS_RM, "n|"), "OK");
    cr_assert_str_eq(ask(dom1, XS_WRITE, "n/1|"), "OK");
    memset(text, 'v', sizeof(text));
    memcpy(text, "v|", 2);
    text[2 + XS_MAX_VALUE + 1] = '\0';
    cr_assert_str_eq(ask(dom1, XS_WRITE, text), "ENOSPC");
    text[2 + XS_MAX_VALUE] = '\0';
    cr_assert_str_eq(ask(dom1, XS_WRITE, text), "OK");
    for (made = 1;; made++) {
        char path[16] = "";

        snprintf(path, sizeof(path), "v%03d|", made);
        memcpy(text, path, 5);
        text[5 + XS_MAX_VALUE] = '\0';
        if (strcmp(ask(dom1, XS_WRITE, text), "OK") != 0)
            break;
    }
    cr_assert_leq(made, XS_MAX_BYTES / XS_MAX_VALUE);
    cr_assert_geq(made, XS_MAX_BYTES / XS_MAX_VALUE - 2);
}

Test(bounds, domains_that_hoard_together_leave_domain_0_its_memory)
{
    uint32_t tx = begin_tx(dom1);

    fake_memory_low = true;
    cr_assert_str_eq(ask(dom1, XS_WRITE, "n|1"), "ENOSPC");
    cr_assert_str_eq(ask(dom1, XS_MKDIR, "n|"), "ENOSPC");
    cr_assert_str_eq(ask(dom1, XS_WATCH, "n|t|"), "E2BIG");
    cr_assert_str_eq(ask(dom1, XS_TRANSACTION_START, "|"), "ENOSPC");
    cr_assert_str_eq(ask_tx(dom1, XS_READ, tx, "name|"), "ENOSPC");
    cr_assert_str_eq(ask(dom0, XS_WRITE, "/local/domain/1/n|1"), "OK");
    cr_assert_str_eq(ask(dom1, XS_READ, "n|"), "1");
    cr_assert_str_eq(ask(dom1, XS_TRANSACTION_END, "F|"), "ENOENT");
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, tx, "F|"), "OK");
    fake_memory_low = false;
    cr_assert_str_eq(ask(dom1, XS_WRITE, "m|1"), "OK");
}

Test(bounds, quota_of_watches_and_logs)
{
    char text[XENSTORE_PAYLOAD_MAX];
    uint32_t tx = begin_tx(dom1);
    int i;

    for (i = 0; i < XS_MAX_WATCHES; i++) {
        snprintf(text, sizeof(text), "w|%d|", i);
        cr_assert_str_eq(ask(dom1, XS_WATCH, text), "OK");
    }
    cr_assert_str_eq(ask(dom1, XS_WATCH, "w|more|"), "E2BIG");
    for (i = 0; i < 100000; i++)
        if (strcmp(ask_tx(dom1, XS_WRITE, tx, "x|1"), "OK") != 0)
            break;
    cr_assert_lt(i, 100000);
    cr_assert_str_eq(answer_body, "ENOSPC");
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, tx, "T|"), "OK");
}

/* More and longer events than get_message keeps. */
static void drop_output(struct xs_conn *c)
{
    char bytes[256];

    while (xs_server_output(c, bytes, sizeof(bytes)))
        ;
    cr_assert_eq(c->event_bytes, 0);
}

/* Long tokens: the watches' bytes and those of the events that wait are bounded. */
Test(bounds, quota_of_watch_bytes)
{
    char text[XENSTORE_PAYLOAD_MAX];
    int i;

    memset(text, 'w', sizeof(text));
    memcpy(text, "w|", 2);
    for (i = 0; i < XS_MAX_WATCHES; i++) {
        snprintf(text + 3000, sizeof(text) - 3000, "%d|", i);
        if (strcmp(ask(dom1, XS_WATCH, text), "OK") != 0)
            break;
        drop_output(dom1);
    }
    cr_assert_str_eq(answer_body, "E2BIG");
    cr_assert_eq(i, XS_MAX_WATCH_BYTES / 3020);
    cr_assert_str_eq(ask(dom1, XS_RESET_WATCHES, "|"), "OK");
    memcpy(text + 3000, "1|", 3);
    cr_assert_str_eq(ask(dom1, XS_WATCH, text), "OK");
    drop_output(dom1);
    for (i = 0; i < 100; i++) {
        char path[64];

        snprintf(path, sizeof(path), "/local/domain/1/w/%d|", i);
        ask(dom0, XS_WRITE, path);
    }
    cr_assert_eq(dom1->nr_events, XS_MAX_EVENT_BYTES / 3020);
    cr_assert_leq(dom1->event_bytes, XS_MAX_EVENT_BYTES);
    drop_output(dom1);
}

/* One commit that fires all watches for a full log: what it costs has a bound. */
Test(bounds, a_commit_that_fires_much)
{
    struct xsd_sockmsg hdr = { XS_TRANSACTION_END, 1, begin_tx(dom1), 2 };
    char text[64];
    unsigned int n = 0;

    ask(dom0, XS_WATCH, "/local/domain|all|");
    for (int i = 0; i < XS_MAX_WATCHES; i++) {
        snprintf(text, sizeof(text), "/local/domain/1|%d|", i);
        cr_assert_str_eq(ask(dom1, XS_WATCH, text), "OK");
    }
    drop_output(dom0);
    drop_output(dom1);
    do
        snprintf(text, sizeof(text), "c/%u|", n % 4);
    while (n++ < 5000 && strcmp(ask_tx(dom1, XS_WRITE, hdr.tx_id, text), "OK") == 0);
    cr_assert(n > 500 && n < 5000);
    server->compared_events = 0;
    xs_server_input(dom1, &hdr, sizeof(hdr));
    cr_assert_eq(xs_server_input(dom1, "T", 2), 2);
    cr_assert_leq(server->compared_events, 2 * XS_MAX_EVENTS * XS_MAX_EVENTS);
    cr_assert_eq(dom0->nr_events, 4); /* of each path one */
    drop_output(dom1);
}

/* Domains that change more than one may have waiting: domain 0 hears of all of it. */
Test(bounds, domain_0_loses_no_event)
{
    char text[64];

    ask(dom0, XS_WATCH, "/local/domain|all|");
    drop_output(dom0);
    for (unsigned int i = 0; i < 2 * XS_MAX_EVENTS; i++) {
        snprintf(text, sizeof(text), "/local/domain/1/c%u|", i);
        ask(dom1, XS_WRITE, text);
        ask(dom1, XS_RM, text);
    }
    cr_assert_eq(dom0->nr_events, 2 * XS_MAX_EVENTS);
    drop_output(dom0);
}

Test(bounds, a_client_that_never_reads_holds_up_itself)
{
    struct xsd_sockmsg hdr = { XS_READ, 1, 0, 2 };
    char bytes[sizeof(hdr) + 2];

    memcpy(bytes, &hdr, sizeof(hdr));
    memcpy(bytes + sizeof(hdr), "/", 2);
    cr_assert_eq(xs_server_input(dom1, bytes, sizeof(bytes)), sizeof(bytes));
    cr_assert_eq(xs_server_input(dom1, bytes, sizeof(bytes)), 0); /* the answer waits */
    ask(dom2, XS_WATCH, "/local/domain/2|t|");
    for (int i = 0; i < 2 * XS_MAX_EVENTS; i++) {
        char text[64];

        snprintf(text, sizeof(text), "/local/domain/2/%d|", i);
        ask(dom0, XS_WRITE, text);
    }
    cr_assert_eq(dom2->nr_events, XS_MAX_EVENTS);
    cr_assert_gt(server->dropped_events, 0);
    get_message(dom1);
    cr_assert_eq(xs_server_input(dom1, bytes, sizeof(bytes)), sizeof(bytes));
}

Test(bounds, a_message_that_is_too_long_ends_the_connection)
{
    struct xsd_sockmsg hdr = { XS_WRITE, 1, 0, XENSTORE_PAYLOAD_MAX + 1 };

    cr_assert_not(xs_server_dead(dom1));
    cr_assert_eq(xs_server_input(dom1, &hdr, sizeof(hdr)), sizeof(hdr));
    cr_assert(xs_server_dead(dom1));
    cr_assert_eq(xs_server_input(dom1, &hdr, sizeof(hdr)), 0);
}

/* Whatever allocation fails: an error or a dead connection, and a tree that is as before or as after. */
Test(bounds, no_memory_at_any_point)
{
    for (long budget = 0; budget < 40; budget++) {
        struct xsd_sockmsg hdr = { XS_WRITE, 1, 0, 10 };
        char bytes[sizeof(hdr) + 10];
        struct xs_conn *c = xs_server_open(server, 5);
        const struct xs_node *n;

        memcpy(bytes, &hdr, sizeof(hdr));
        memcpy(bytes + sizeof(hdr), "/p/q/r\0new", 10);
        ask(dom0, XS_RM, "/p|");
        ask(dom0, XS_MKDIR, "/p|");
        ask(dom0, XS_SET_PERMS, "/p|n5|");
        fake_alloc_budget = budget;
        xs_server_input(c, bytes, sizeof(bytes));
        fake_alloc_budget = -1;
        n = xs_tree_find(&server->tree, "/p/q/r");
        cr_assert(!n || memcmp(xs_node_value(n), "new", 3) == 0);
        cr_assert(n || !xs_tree_find(&server->tree, "/p/q"));
        if (!xs_server_dead(c)) {
            get_message(c);
            cr_assert_str_eq(answer_body, n ? "OK" : "ENOMEM");
        }
        xs_server_close(server, c);
    }
}

/* Random bytes, with headers that are often nearly right: no crash (the sanitizers watch), nobody else is
 * touched. */
Test(bounds, random_requests)
{
    unsigned int seed = 1;

    ask(dom2, XS_WRITE, "mine|untouched");
    for (int i = 0; i < 200000; i++) {
        static const char *const words[] = { "a",  "/",  "/local", "/local/domain/1/a/b", "T", "F",
                                             "n1", "r2", "x|y" };
        struct xsd_sockmsg hdr = { (uint32_t)(rand_r(&seed) % (XS_TYPE_COUNT + 1)), 0,
                                   (uint32_t)(rand_r(&seed) % 4 ? 0 : rand_r(&seed) % 20), 0 };
        char body[128] = "";

        for (int w = rand_r(&seed) % 4; w > 0; w--) {
            const char *word = words[(size_t)rand_r(&seed) % (sizeof(words) / sizeof(words[0]))];

            memcpy(body + hdr.len, word, strlen(word) + 1);
            hdr.len += (uint32_t)strlen(word) + (rand_r(&seed) % 8 != 0);
        }
        if (!dom1 || xs_server_dead(dom1))
            break;
        xs_server_input(dom1, &hdr, sizeof(hdr));
        xs_server_input(dom1, body, hdr.len);
        while (get_message(dom1))
            nr_events = 0;
    }
    cr_assert_not(xs_server_dead(dom1));
    cr_assert_str_eq(ask(dom2, XS_READ, "mine|"), "untouched");
    cr_assert_str_eq(ask(dom0, XS_READ, "/secret|"), "x");
}
