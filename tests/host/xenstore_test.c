/* SPDX-License-Identifier: MIT
 *
 * The xenstore server, driven by bytes as a client sends them.
 */
// sources: drivers/xenstore/path.c drivers/xenstore/tree.c drivers/xenstore/watch.c
// sources: drivers/xenstore/transaction.c drivers/xenstore/server.c drivers/xenstore/request.c
// sources: tests/host/fake_pv.c
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "drivers/xenstore/server.h"
#include "drivers/xenstore/state.h"
#include "tests/host/fake_pv.h"

static struct xs_server *server;
static struct xs_conn *dom0, *dom1, *dom2;

/* The last answer: type, length, and body with a NUL behind it. The events that came since the last
 * get_events. */
static struct xsd_sockmsg answer;
static char answer_body[XENSTORE_PAYLOAD_MAX + 1];
static char events[256][256];
static unsigned int nr_events;
static bool events_seen;

static void get_bytes(struct xs_conn *c, void *to, size_t n)
{
    /* In small pieces, as a ring might give them. */
    for (size_t at = 0; at < n;) {
        size_t step = n - at < 7 ? n - at : 7;
        size_t got = xs_server_output(c, (char *)to + at, step);
        cr_assert_gt(got, 0, "output ends in the middle of a message");
        at += got;
    }
}

static bool get_message(struct xs_conn *c)
{
    if (!xs_server_has_output(c))
        return false;
    get_bytes(c, &answer, sizeof(answer));
    cr_assert_leq(answer.len, XENSTORE_PAYLOAD_MAX);
    get_bytes(c, answer_body, answer.len);
    answer_body[answer.len] = '\0';
    if (answer.type == XS_WATCH_EVENT) {
        const char *token = answer_body + strlen(answer_body) + 1;
        if (events_seen)
            nr_events = 0;
        events_seen = false;
        cr_assert(nr_events < 256 && answer.len < sizeof(events[0]));
        strcpy(events[nr_events], answer_body);
        strcat(strcat(events[nr_events++], "|"), token);
    }
    return true;
}

static void get_events(struct xs_conn *c)
{
    while (get_message(c))
        cr_assert_eq(answer.type, XS_WATCH_EVENT);
    if (events_seen)
        nr_events = 0;
    events_seen = true;
}

/* Sends a request in pieces of `piece` bytes and takes the answer. Returns its text: the error's name, or the
 * body. */
static const char *send(struct xs_conn *c, uint32_t type, uint32_t tx, const void *body, size_t len,
                        size_t piece)
{
    static uint32_t id;
    char bytes[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg hdr = { type, ++id, tx, (uint32_t)len };

    memcpy(bytes, &hdr, sizeof(hdr));
    if (len)
        memcpy(bytes + sizeof(hdr), body, len);
    len += sizeof(hdr);
    for (size_t at = 0; at < len;) {
        size_t n = len - at < piece ? len - at : piece;
        size_t took = xs_server_input(c, bytes + at, n);
        at += took;
        if (took == 0) {
            cr_assert(xs_server_has_output(c));
            get_message(c);
        }
    }
    do
        cr_assert(get_message(c), "no answer");
    while (answer.type == XS_WATCH_EVENT);
    cr_assert_eq(answer.req_id, id);
    cr_assert_eq(answer.tx_id, tx);
    cr_assert(answer.type == type || answer.type == XS_ERROR);
    return answer_body;
}

/* With a body of strings: each '|' in text is a NUL on the wire. */
static const char *ask_tx(struct xs_conn *c, uint32_t type, uint32_t tx, const char *text)
{
    char body[XENSTORE_PAYLOAD_MAX];
    size_t len = strlen(text);

    memcpy(body, text, len + 1);
    for (size_t i = 0; i < len; i++)
        if (body[i] == '|')
            body[i] = '\0';
    return send(c, type, tx, body, len, 13);
}

static const char *ask(struct xs_conn *c, uint32_t type, const char *text)
{
    return ask_tx(c, type, 0, text);
}

static uint32_t begin(struct xs_conn *c)
{
    unsigned int tx;

    cr_assert_eq(sscanf(ask(c, XS_TRANSACTION_START, "|"), "%u", &tx), 1);
    return tx;
}

/* A server with the homes of domains 1 and 2 as domain 0 makes them. */
static void setup(void)
{
    fake_alloc_budget = -1;
    server = xs_server_new();
    dom0 = xs_server_open(server, 0);
    dom1 = xs_server_open(server, 1);
    dom2 = xs_server_open(server, 2);
    for (int d = 1; d <= 2; d++) {
        char text[80];

        snprintf(text, sizeof(text), "/local/domain/%d|", d);
        ask(dom0, XS_MKDIR, text);
        snprintf(text, sizeof(text), "/local/domain/%d|n%d|", d, d);
        cr_assert_str_eq(ask(dom0, XS_SET_PERMS, text), "OK");
    }
    ask(dom0, XS_WRITE, "/secret|x");
    ask(dom0, XS_SET_PERMS, "/secret|n0|");
}

static void teardown(void)
{
    xs_server_free(server);
    cr_assert_eq(fake_allocs, 0, "%ld allocations are left", fake_allocs);
}

TestSuite(xenstore, .init = setup, .fini = teardown);

Test(xenstore, write_read_directory_rm)
{
    cr_assert_str_eq(ask(dom0, XS_WRITE, "/a/b/c|hello"), "OK");
    cr_assert_str_eq(ask(dom0, XS_READ, "/a/b/c|"), "hello");
    cr_assert_eq(answer.len, 5);
    cr_assert_str_eq(ask(dom0, XS_READ, "/a/b|"), "");
    cr_assert_eq(answer.type, XS_READ);
    ask(dom0, XS_WRITE, "/a/b/d|1");
    ask(dom0, XS_WRITE, "/a/b/a|2");
    ask(dom0, XS_DIRECTORY, "/a/b|");
    cr_assert_eq(answer.len, 6);
    cr_assert_arr_eq(answer_body, "c\0d\0a\0", 6); /* in the order they were made */
    cr_assert_str_eq(ask(dom0, XS_RM, "/a/b/d|"), "OK");
    ask(dom0, XS_DIRECTORY, "/a/b|");
    cr_assert_arr_eq(answer_body, "c\0a\0", 4);
    cr_assert_str_eq(ask(dom0, XS_RM, "/a|"), "OK");
    cr_assert_str_eq(ask(dom0, XS_READ, "/a/b/c|"), "ENOENT");
    cr_assert_eq(answer.type, XS_ERROR);
    cr_assert_str_eq(ask(dom0, XS_MKDIR, "/m|"), "OK");
    ask(dom0, XS_WRITE, "/m|v");
    cr_assert_str_eq(ask(dom0, XS_MKDIR, "/m|"), "OK");
    cr_assert_str_eq(ask(dom0, XS_READ, "/m|"), "v");
}

Test(xenstore, write_of_bytes_and_nothing)
{
    char body[] = "/bin\0a\0b\0";

    send(dom0, XS_WRITE, 0, body, 9, 100);
    ask(dom0, XS_READ, "/bin|");
    cr_assert_eq(answer.len, 4);
    cr_assert_arr_eq(answer_body, "a\0b\0", 4);
    cr_assert_str_eq(ask(dom0, XS_WRITE, "/bin|"), "OK");
    ask(dom0, XS_READ, "/bin|");
    cr_assert_eq(answer.len, 0);
}

Test(xenstore, rm_of_what_is_missing)
{
    cr_assert_str_eq(ask(dom0, XS_RM, "/none|"), "OK");
    cr_assert_str_eq(ask(dom0, XS_RM, "/none/below|"), "ENOENT");
    cr_assert_str_eq(ask(dom0, XS_RM, "/|"), "EINVAL");
}

Test(xenstore, bad_paths_and_bodies)
{
    char text[XENSTORE_PAYLOAD_MAX];

    cr_assert_str_eq(ask(dom0, XS_READ, "|"), "EINVAL");
    cr_assert_str_eq(ask(dom0, XS_READ, ""), "EINVAL");
    cr_assert_str_eq(ask(dom0, XS_READ, "/a"), "EINVAL"); /* no NUL */
    cr_assert_str_eq(ask(dom0, XS_READ, "/a|/b|"), "EINVAL");
    cr_assert_str_eq(ask(dom0, XS_READ, "//a|"), "EINVAL");
    cr_assert_str_eq(ask(dom0, XS_READ, "/a/|"), "EINVAL");
    cr_assert_str_eq(ask(dom0, XS_READ, "/a b|"), "EINVAL");
    cr_assert_str_eq(ask(dom0, XS_WRITE, "/a"), "EINVAL");
    memset(text, 'x', sizeof(text));
    text[0] = '/';
    strcpy(text + XENSTORE_ABS_PATH_MAX, "|");
    cr_assert_str_eq(ask(dom0, XS_MKDIR, text), "OK"); /* the longest */
    text[XENSTORE_ABS_PATH_MAX] = 'x';
    strcpy(text + XENSTORE_ABS_PATH_MAX + 1, "|");
    cr_assert_str_eq(ask(dom0, XS_MKDIR, text), "EINVAL");
    for (int i = 0; i < 2 * (XS_MAX_DEPTH + 1); i += 2)
        memcpy(text + i, "/d", 2);
    strcpy(text + 2 * (XS_MAX_DEPTH + 1), "|");
    cr_assert_str_eq(ask(dom0, XS_MKDIR, text), "EINVAL");
    strcpy(text + 2 * XS_MAX_DEPTH, "|");
    cr_assert_str_eq(ask(dom0, XS_MKDIR, text), "OK");
    cr_assert_str_eq(ask(dom0, 77, "x|"), "ENOSYS");
    cr_assert_str_eq(ask(dom0, XS_CONTROL, "print|x|"), "ENOSYS");
    cr_assert_str_eq(ask(dom0, XS_WATCH_EVENT, "x|y|"), "ENOSYS");
}

Test(xenstore, relative_paths_start_at_home)
{
    cr_assert_str_eq(ask(dom1, XS_WRITE, "device/vbd/51712/state|1"), "OK");
    cr_assert_str_eq(ask(dom0, XS_READ, "/local/domain/1/device/vbd/51712/state|"), "1");
    cr_assert_str_eq(ask(dom1, XS_GET_DOMAIN_PATH, "1|"), "/local/domain/1");
    cr_assert_str_eq(ask(dom1, XS_GET_DOMAIN_PATH, "x|"), "EINVAL");
    cr_assert_str_eq(ask(dom1, XS_IS_DOMAIN_INTRODUCED, "2|"), "T");
    cr_assert_str_eq(ask(dom1, XS_IS_DOMAIN_INTRODUCED, "7|"), "F");
}

Test(xenstore, a_domain_stays_in_its_home)
{
    cr_assert_str_eq(ask(dom1, XS_WRITE, "/local/domain/2/x|1"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_MKDIR, "/local/domain/3|"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_RM, "/local/domain/2|"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_READ, "/secret|"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_READ, "/secret/more|"), "EACCES"); /* not even that it is missing */
    cr_assert_str_eq(ask(dom1, XS_DIRECTORY, "/local/domain/2|"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "/local/domain/2|n1|"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_DIRECTORY, "/local|"), "EACCES"); /* nor who else there is */
}

Test(xenstore, permissions)
{
    ask(dom1, XS_WRITE, "data/x|v");
    ask(dom1, XS_GET_PERMS, "data/x|");
    cr_assert_arr_eq(answer_body, "n1\0", 3);
    cr_assert_str_eq(ask(dom2, XS_READ, "/local/domain/1/data/x|"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "data/x|n1|r2|"), "OK");
    cr_assert_str_eq(ask(dom2, XS_READ, "/local/domain/1/data/x|"), "v");
    cr_assert_str_eq(ask(dom2, XS_WRITE, "/local/domain/1/data/x|w"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "data/x|n1|b2|"), "OK");
    cr_assert_str_eq(ask(dom2, XS_WRITE, "/local/domain/1/data/x|w"), "OK");
    cr_assert_str_eq(ask(dom2, XS_SET_PERMS, "/local/domain/1/data/x|n2|"), "EACCES"); /* not the owner */
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "data/x|n2|"), "EPERM"); /* only domain 0 gives away */
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "data/x|q1|"), "EINVAL");
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "data/x|n1|r2|r3|r4|r5|r6|"), "ENOSPC");
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "data/x|n1|r2|r3|r4|r5|r6|r7|r8|r9|r10|"), "ENOSPC");
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "data/none|n1|"), "ENOENT");
    /* What a domain makes below another's node is its own, with the rest of the parent's permissions. */
    cr_assert_str_eq(ask(dom2, XS_WRITE, "/local/domain/1/data/x/mine|1"), "OK");
    ask(dom2, XS_GET_PERMS, "/local/domain/1/data/x/mine|");
    cr_assert_arr_eq(answer_body, "n2\0b2\0", 6);
}

Test(xenstore, watches_fire_at_once_then_in_order)
{
    cr_assert_str_eq(ask(dom1, XS_WATCH, "device|tok|"), "OK");
    get_events(dom1);
    cr_assert_eq(nr_events, 1);
    cr_assert_str_eq(events[0], "device|tok");
    cr_assert_str_eq(ask(dom1, XS_WATCH, "device|tok|"), "EEXIST");
    ask(dom1, XS_WATCH, "/local/domain/1/device/a|abs|");
    get_events(dom1);
    ask(dom1, XS_WRITE, "device/a/b|1");
    ask(dom1, XS_WRITE, "devices|1"); /* a sibling with the same beginning: no event */
    get_events(dom1);
    cr_assert_eq(nr_events, 2);
    cr_assert_str_eq(events[0], "device/a/b|tok"); /* in the order the watches were set */
    cr_assert_str_eq(events[1], "/local/domain/1/device/a/b|abs");
    cr_assert_str_eq(ask(dom1, XS_UNWATCH, "device|tok|"), "OK");
    cr_assert_str_eq(ask(dom1, XS_UNWATCH, "device|tok|"), "ENOENT");
    /* Removal of something above the watched path. */
    ask(dom1, XS_RM, "device|");
    get_events(dom1);
    cr_assert_eq(nr_events, 1);
    cr_assert_str_eq(events[0], "/local/domain/1/device/a|abs");
    ask(dom1, XS_RM, "device|"); /* nothing there: no event */
    ask(dom1, XS_RESET_WATCHES, "|");
    ask(dom1, XS_WRITE, "device/a|1");
    get_events(dom1);
    cr_assert_eq(nr_events, 0);
}

Test(xenstore, watch_hears_only_what_may_be_read)
{
    ask(dom2, XS_WATCH, "/local/domain/1|t|");
    get_events(dom2);
    ask(dom1, XS_WRITE, "private|1");
    get_events(dom2);
    cr_assert_eq(nr_events, 0);
    ask(dom0, XS_WRITE, "/local/domain/1/public|1");
    ask(dom1, XS_SET_PERMS, "public|r1|");
    get_events(dom2);
    cr_assert_eq(nr_events, 1);
    ask(dom1, XS_RM, "public|"); /* was readable before */
    get_events(dom2);
    cr_assert_eq(nr_events, 1);
}

Test(xenstore, equal_events_wait_once)
{
    ask(dom1, XS_WATCH, "x|t|");
    get_events(dom1);
    for (int i = 0; i < 10; i++)
        ask(dom0, XS_WRITE, "/local/domain/1/x|1");
    get_events(dom1);
    cr_assert_eq(nr_events, 1);
}

Test(xenstore, special_watches_are_for_domain_0)
{
    ask(dom0, XS_WATCH, "@releaseDomain|r|");
    ask(dom0, XS_WATCH, "@introduceDomain|i|");
    ask(dom1, XS_WATCH, "@releaseDomain|r|");
    get_events(dom0);
    get_events(dom1);
    cr_assert_str_eq(ask(dom0, XS_WATCH, "@other|r|"), "EINVAL");
    xs_server_close(server, dom2);
    dom2 = xs_server_open(server, 2);
    get_events(dom0);
    cr_assert_eq(nr_events, 2);
    cr_assert_str_eq(events[0], "@releaseDomain|r");
    cr_assert_str_eq(events[1], "@introduceDomain|i");
    get_events(dom1);
    cr_assert_eq(nr_events, 0);
}

Test(xenstore, transaction_is_private_until_committed)
{
    uint32_t tx = begin(dom1);

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
    tx = begin(dom1);
    ask_tx(dom1, XS_RM, tx, "a|");
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, tx, "F|"), "OK");
    cr_assert_str_eq(ask(dom1, XS_READ, "a|"), "1");
}

Test(xenstore, transactions_that_meet)
{
    uint32_t t1, t2;

    ask(dom1, XS_WRITE, "n|0");
    ask(dom1, XS_WRITE, "m|0");
    /* Both read and write the same node: the second starts over. */
    t1 = begin(dom1);
    t2 = begin(dom0);
    ask_tx(dom1, XS_READ, t1, "n|");
    ask_tx(dom0, XS_READ, t2, "/local/domain/1/n|");
    ask_tx(dom1, XS_WRITE, t1, "n|1");
    ask_tx(dom0, XS_WRITE, t2, "/local/domain/1/n|2");
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, t1, "T|"), "OK");
    cr_assert_str_eq(ask_tx(dom0, XS_TRANSACTION_END, t2, "T|"), "EAGAIN");
    cr_assert_str_eq(ask(dom1, XS_READ, "n|"), "1");
    /* Different nodes of one directory: both succeed. */
    t1 = begin(dom1);
    t2 = begin(dom0);
    ask_tx(dom1, XS_WRITE, t1, "new1/x|1");
    ask_tx(dom0, XS_WRITE, t2, "/local/domain/1/new2/x|2");
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, t1, "T|"), "OK");
    cr_assert_str_eq(ask_tx(dom0, XS_TRANSACTION_END, t2, "T|"), "OK");
    cr_assert_str_eq(ask(dom1, XS_READ, "new1/x|"), "1");
    cr_assert_str_eq(ask(dom1, XS_READ, "new2/x|"), "2");
    /* One listed the directory in which the other made a node. */
    t1 = begin(dom1);
    ask_tx(dom1, XS_DIRECTORY, t1, "new1|");
    ask_tx(dom1, XS_WRITE, t1, "m|1");
    ask(dom0, XS_WRITE, "/local/domain/1/new1/y|1");
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, t1, "T|"), "EAGAIN");
    /* One looked for a node that was missing, and the other made it. */
    t1 = begin(dom1);
    cr_assert_str_eq(ask_tx(dom1, XS_READ, t1, "soon|"), "ENOENT");
    ask(dom0, XS_WRITE, "/local/domain/1/soon|1");
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, t1, "T|"), "EAGAIN");
}

Test(xenstore, transaction_numbers)
{
    uint32_t tx = begin(dom1);

    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_START, tx, "|"), "EBUSY");
    cr_assert_str_eq(ask_tx(dom2, XS_READ, tx, "x|"), "ENOENT"); /* another's */
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, tx, "X|"), "EINVAL");
    cr_assert_str_eq(ask_tx(dom1, XS_TRANSACTION_END, 0, "T|"), "ENOENT");
    for (int i = 1; i < XS_MAX_TRANSACTIONS; i++)
        begin(dom1);
    cr_assert_str_eq(ask(dom1, XS_TRANSACTION_START, "|"), "ENOSPC");
    begin(dom2);
}

Test(xenstore, quota_of_nodes_and_bytes)
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

Test(xenstore, quota_of_watches_and_logs)
{
    char text[XENSTORE_PAYLOAD_MAX];
    uint32_t tx = begin(dom1);
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

Test(xenstore, a_client_that_never_reads_holds_up_itself)
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

Test(xenstore, a_message_that_is_too_long_ends_the_connection)
{
    struct xsd_sockmsg hdr = { XS_WRITE, 1, 0, XENSTORE_PAYLOAD_MAX + 1 };

    cr_assert_not(xs_server_dead(dom1));
    cr_assert_eq(xs_server_input(dom1, &hdr, sizeof(hdr)), sizeof(hdr));
    cr_assert(xs_server_dead(dom1));
    cr_assert_eq(xs_server_input(dom1, &hdr, sizeof(hdr)), 0);
}

Test(xenstore, long_directories_go_in_parts)
{
    char text[64], all[16384];
    size_t len = 0;
    unsigned int parts = 0, names = 0;

    for (int i = 0; i < 900; i++) {
        snprintf(text, sizeof(text), "dir/name-%06d|", i);
        ask(dom1, XS_MKDIR, text);
    }
    cr_assert_str_eq(ask(dom1, XS_DIRECTORY, "dir|"), "E2BIG");
    for (;;) {
        size_t head;

        snprintf(text, sizeof(text), "dir|%zu|", len);
        ask(dom1, XS_DIRECTORY_PART, text);
        cr_assert_eq(answer.type, XS_DIRECTORY_PART);
        head = strlen(answer_body) + 1;
        memcpy(all + len, answer_body + head, answer.len - head);
        parts++;
        if (answer.len == head + 1 || answer_body[answer.len - 2] == '\0') {
            len += answer.len - head - 1;
            break;
        }
        len += answer.len - head;
    }
    for (size_t at = 0; at < len; at += strlen(all + at) + 1)
        cr_assert_eq(atoi(all + at + 5), (int)names++);
    cr_assert_eq(names, 900);
    cr_assert_gt(parts, 1);
}

Test(xenstore, introduce_is_for_domain_0)
{
    cr_assert_str_eq(ask(dom1, XS_INTRODUCE, "3|1000|1|"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_RELEASE, "2|"), "EACCES");
    cr_assert_str_eq(ask(dom0, XS_INTRODUCE, "3|1000|1|"), "ENOSYS"); /* nobody behind it here */
    cr_assert_str_eq(ask(dom0, XS_INTRODUCE, "3|1000|"), "EINVAL");
}

/* Whatever allocation fails: an error or a dead connection, and a tree that is as before or as after. */
Test(xenstore, no_memory_at_any_point)
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
Test(xenstore, random_requests)
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
