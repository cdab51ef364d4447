/* SPDX-License-Identifier: MIT
 *
 * The xenstore server's transactions: private until they are committed, and again when others were faster.
 */
// sources: drivers/xenstore/path.c drivers/xenstore/tree.c drivers/xenstore/watch.c
// sources: drivers/xenstore/transaction.c drivers/xenstore/server.c drivers/xenstore/request.c
// sources: tests/host/fake_pv.c tests/host/xs_clients.c
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/host/xs_clients.h"

TestSuite(transactions, .init = clients_begin, .fini = clients_end);

Test(transactions, transaction_is_private_until_committed)
{
    uint32_t tx = begin_tx(dom1);

    ask(dom0, XS_WATCH, "/local/domain/1|t|");
    get_events(dom0);
    ask_tx(dom1, XS_WRITE, tx, "a|1");
    ask_tx(dom1, XS_WRITE, tx, "b|2");
    cr_assert_str_eq(ask_tx(dom1, XS_READ, tx, "a|"), "1");
    cr_assert_str_eq(ask(dom1, XS_READ, "a|"), "ENOENT");
    get_events(dom0);
    cr_assert_eq(nr_events, 0);
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, tx, "T|"), "OK");
    cr_assert_str_eq(ask(dom1, XS_READ, "a|"), "1");
    get_events(dom0);
    cr_assert_eq(nr_events, 2);
    cr_assert_str_eq(events[0], "/local/domain/1/a|t");
    cr_assert_str_eq(events[1], "/local/domain/1/b|t");
    cr_assert_str_eq(ask_tx(dom1, XS_READ, tx, "a|"), "ENOENT"); /* its number is gone */
    tx = begin_tx(dom1);
    ask_tx(dom1, XS_RM, tx, "a|");
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, tx, "F|"), "OK");
    cr_assert_str_eq(ask(dom1, XS_READ, "a|"), "1");
}

Test(transactions, transactions_that_meet)
{
    uint32_t t1, t2;

    ask(dom1, XS_WRITE, "n|0");
    ask(dom1, XS_WRITE, "m|0");
    /* Both read and write the same node: the second starts over. */
    t1 = begin_tx(dom1);
    t2 = begin_tx(dom0);
    ask_tx(dom1, XS_READ, t1, "n|");
    ask_tx(dom0, XS_READ, t2, "/local/domain/1/n|");
    ask_tx(dom1, XS_WRITE, t1, "n|1");
    ask_tx(dom0, XS_WRITE, t2, "/local/domain/1/n|2");
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, t1, "T|"), "OK");
    cr_assert_str_eq(ask_tx(dom0, XS_TRANSACTION_END, t2, "T|"), "EAGAIN");
    cr_assert_str_eq(ask(dom1, XS_READ, "n|"), "1");
    /* Different nodes of one directory: both succeed. */
    t1 = begin_tx(dom1);
    t2 = begin_tx(dom0);
    ask_tx(dom1, XS_WRITE, t1, "new1/x|1");
    ask_tx(dom0, XS_WRITE, t2, "/local/domain/1/new2/x|2");
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, t1, "T|"), "OK");
    cr_assert_str_eq(ask_tx(dom0, XS_TRANSACTION_END, t2, "T|"), "OK");
    cr_assert_str_eq(ask(dom1, XS_READ, "new1/x|"), "1");
    cr_assert_str_eq(ask(dom1, XS_READ, "new2/x|"), "2");
    /* One listed the directory in which the other made a node. */
    t1 = begin_tx(dom1);
    ask_tx(dom1, XS_DIRECTORY, t1, "new1|");
    ask_tx(dom1, XS_WRITE, t1, "m|1");
    ask(dom0, XS_WRITE, "/local/domain/1/new1/y|1");
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, t1, "T|"), "EAGAIN");
    /* One looked for a node that was missing, and the other made it. */
    t1 = begin_tx(dom1);
    cr_assert_str_eq(ask_tx(dom1, XS_READ, t1, "soon|"), "ENOENT");
    ask(dom0, XS_WRITE, "/local/domain/1/soon|1");
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, t1, "T|"), "EAGAIN");
}

Test(transactions, transaction_numbers)
{
    uint32_t tx = begin_tx(dom1);

    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_START, tx, "|"), "EBUSY");
    cr_assert_str_eq(ask_tx(dom2, XS_READ, tx, "x|"), "ENOENT"); /* another's */
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, tx, "X|"), "EINVAL");
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, 0, "T|"), "ENOENT");
    for (int i = 1; i < XS_MAX_TRANSACTIONS; i++)
        begin_tx(dom1);
    cr_assert_str_eq(ask(dom1, XS_TRANSACTION_START, "|"), "ENOSPC");
    begin_tx(dom2);
}
