/* SPDX-License-Identifier: MIT
 *
 * A client of xenstore that lies: see hostile.h. It speaks by the page itself, without libpv's client, which
 * is too well-behaved.
 */
#include <stdint.h>
#include <xen/io/xs_wire.h>
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/print.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/hostile/hostile.h"

static struct xenstore_domain_interface *page;
static unsigned int port;
static char reply[XENSTORE_PAYLOAD_MAX + 1];
static struct xsd_sockmsg header; /* of the last answer */
static unsigned long nr_events;
static bool stuck; /* nothing moves any more: no use to go on */

/* ---- bytes ---- */

static void wait(int *turns, const char *what)
{
    if (++*turns > PATIENCE && !stuck) {
        hostile_complain("xenstore: %s: nothing moves", what);
        stuck = true;
    }
    if (!stuck)
        pv_event_wait(port, LOOK);
}

static void send_bytes(const void *bytes, size_t n)
{
    const char *from = bytes;
    int turns = 0;

    while (n && !stuck) {
        uint32_t prod = page->req_prod, used = prod - __atomic_load_n(&page->req_cons, __ATOMIC_ACQUIRE);
        uint32_t now = 0;

        while (now < n && used + now < XENSTORE_RING_SIZE)
            page->req[MASK_XENSTORE_IDX(prod + now)] = from[now], now++;
        __atomic_store_n(&page->req_prod, prod + now, __ATOMIC_RELEASE);
        pv_event_send(port);
        from += now;
        n -= now;
        if (!now)
            wait(&turns, "sending");
    }
}

static void take_bytes(void *bytes, size_t n)
{
    char *to = bytes;
    int turns = 0;

    while (n && !stuck) {
        uint32_t cons = page->rsp_cons, have = __atomic_load_n(&page->rsp_prod, __ATOMIC_ACQUIRE) - cons;
        uint32_t now = 0;

        while (now < n && now < have)
            to[now] = page->rsp[MASK_XENSTORE_IDX(cons + now)], now++;
        __atomic_store_n(&page->rsp_cons, cons + now, __ATOMIC_RELEASE);
        pv_event_send(port);
        to += now;
        n -= now;
        if (!now)
            wait(&turns, "an answer");
    }
}

/* The next answer; events before it are counted. */
static const char *take(void)
{
    do {
        memset(&header, 0, sizeof(header));
        take_bytes(&header, sizeof(header));
        if (header.len > XENSTORE_PAYLOAD_MAX) {
            hostile_complain("xenstore: an answer of %u bytes", header.len);
            stuck = true;
        }
        if (!stuck)
            take_bytes(reply, header.len);
        reply[stuck ? 0 : header.len] = 0;
        nr_events += header.type == XS_WATCH_EVENT;
    } while (!stuck && header.type == XS_WATCH_EVENT);
    return reply;
}

static void send(uint32_t type, uint32_t tx, const void *body, size_t len)
{
    struct xsd_sockmsg h = { .type = type, .req_id = type, .tx_id = tx, .len = (uint32_t)len };

    send_bytes(&h, sizeof(h));
    send_bytes(body, len);
}

static const char *ask_bytes(uint32_t type, uint32_t tx, const void *body, size_t len)
{
    send(type, tx, body, len);
    return take();
}

/* Each '|' of the text is a NUL on the wire. */
static const char *ask(uint32_t type, uint32_t tx, const char *text)
{
    static char body[XENSTORE_PAYLOAD_MAX];
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        body[i] = text[i];
    for (size_t i = 0; i < len; i++)
        if (body[i] == '|')
            body[i] = 0;
    return ask_bytes(type, tx, body, len);
}

#define expect_answer(call, want)                                              \
    do {                                                                       \
        const char *got_ = (call);                                             \
        expect(stuck || !strcmp(got_, want), "xenstore: %s: %s", #call, got_); \
    } while (0)

static uint32_t start_tx(void)
{
    return (uint32_t)strtoul(ask(XS_TRANSACTION_START, 0, "|"), NULL, 10);
}

/* ---- messages ---- */

static void odd_messages(void)
{
    static char big[XENSTORE_PAYLOAD_MAX];
    static const uint32_t types[] = { XS_TYPE_COUNT, XS_TYPE_COUNT + 1, 255,      65536,
                                      1u << 31,      UINT32_MAX,        XS_ERROR, XS_WATCH_EVENT };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        expect_answer(ask(types[i], 0, "data/h|"), "ENOSYS");
    for (uint32_t type = 0; type < XS_TYPE_COUNT; type++)
        if (type != XS_TRANSACTION_START && type != XS_RESET_WATCHES) {
            ask_bytes(type, 0, "", 0);
            expect(header.type == XS_ERROR, "xenstore: an empty message of type %u: %s", type, reply);
        }
    memset(big, 'a', sizeof(big));
    for (uint32_t type = 0; type < XS_TYPE_COUNT; type++)
        if (type != XS_TRANSACTION_START && type != XS_RESET_WATCHES) {
            ask_bytes(type, 0, big, sizeof(big)); /* no NUL */
            expect(header.type == XS_ERROR, "xenstore: 4096 letters to type %u: %s", type, reply);
        }
    expect_answer(ask(XS_READ, 0, "data/h"), "EINVAL");
    expect_answer(ask(XS_READ, 0, "da|ta|"), "EINVAL");
    expect_answer(ask(XS_READ, 0, "|"), "EINVAL");
    expect_answer(ask(XS_SET_PERMS, 0, "data/h|x1|"), "EINVAL");
    expect_answer(ask(XS_SET_PERMS, 0, "data/h|n99999999999|"), "EINVAL");
}

static void in_pieces(void)
{
    struct xsd_sockmsg h = { .type = XS_WRITE, .len = 9 };

    for (size_t i = 0; i < sizeof(h); i++) {
        send_bytes((char *)&h + i, 1);
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    }
    send_bytes("data/h/", 7);
    for (int i = 0; i < 20; i++) { /* it hangs */
        pv_event_send(port);
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    }
    send_bytes("b", 2);
    expect_answer(take(), "OK");
}

static void paths(void)
{
    static char text[XENSTORE_PAYLOAD_MAX];
    static const char *const wrong[] = { "//|",     "a//b|",   "a/|",       "/a/|",
                                         "sp ace|", "a\001b|", "\303\244|", "a.b|" };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        expect_answer(ask(XS_WRITE, 0, wrong[i]), "EINVAL");
    memset(text, 'p', sizeof(text));
    text[sizeof(text) - 1] = 0;
    expect_answer(ask_bytes(XS_READ, 0, text, sizeof(text)), "EINVAL");
    for (size_t i = 1; i < sizeof(text) - 1; i += 2)
        text[i] = '/';
    expect_answer(ask_bytes(XS_WRITE, 0, text, sizeof(text)), "EINVAL");
    text[200] = 0;
    expect_answer(ask_bytes(XS_WRITE, 0, text, 201), "EINVAL");
}

/* What is domain 0's, or another's. */
static void others(void)
{
    static const char *const path[] = { "/|",
                                        "/local|",
                                        "/local/domain|",
                                        "/local/domain/0|",
                                        "/local/domain/0/name|",
                                        "/local/domain/1|",
                                        "/local/domain/1/control/shutdown|",
                                        "/tool|" };
    char text[48];

    for (size_t i = 0; i < sizeof(path) / sizeof(path[0]); i++) {
        expect_answer(ask(XS_WRITE, 0, path[i]), "EACCES");
        expect_answer(ask(XS_RM, 0, path[i]), "EACCES");
        expect_answer(ask(XS_READ, 0, path[i]), "EACCES");
        expect_answer(ask(XS_DIRECTORY, 0, path[i]), "EACCES");
        pv_snprintf(text, sizeof(text), "%sb9|", path[i]);
        expect_answer(ask(XS_SET_PERMS, 0, text), "EACCES");
    }
    expect_answer(ask(XS_WRITE, 0, "name|another"), "EACCES");
    expect_answer(ask(XS_INTRODUCE, 0, "9|1|1|"), "EACCES");
    expect_answer(ask(XS_RELEASE, 0, "1|"), "EACCES");
    ask(XS_SET_TARGET, 0, "1|0|");
    expect(header.type == XS_ERROR, "xenstore: set_target: %s", reply);
    expect_answer(ask(XS_MKDIR, 0, "data/h/p|"), "OK");
    expect_answer(ask(XS_SET_PERMS, 0, "data/h/p|n0|"), "EPERM");
    expect_answer(ask(XS_SET_PERMS, 0, "data/h/p|n1|n2|n3|n4|n5|n6|"), "ENOSPC");
    expect_answer(ask(XS_RM, 0, "data/h/p|"), "OK");
}

/* ---- quotas ---- */

static void transactions(void)
{
    uint32_t tx[32];
    unsigned int n = 0;

    for (uint32_t id = 1; id; id <<= 1) /* not ours */
        expect_answer(ask(XS_READ, id | 0x50000000, "data/h|"), "ENOENT");
    while (n < 32 && (tx[n] = start_tx()) != 0)
        n++;
    expect(n > 0 && n < 32, "xenstore: %u transactions", n);
    expect_answer(reply, "ENOSPC");
    /* The first one grows until it may not. */
    for (int i = 0;; i++) {
        char text[80];

        pv_snprintf(text, sizeof(text), "data/h/t%d|some bytes that are remembered", i);
        if (!strcmp(ask(XS_WRITE, tx[0], text), "ENOSPC") || stuck)
            break;
        expect(i < 4000, "xenstore: a transaction without an end");
        if (i >= 4000)
            break;
    }
    for (unsigned int i = 0; i < n; i++)
        ask(XS_TRANSACTION_END, tx[i], i & 1 ? "F|" : "T|");
    expect_answer(ask(XS_TRANSACTION_END, tx[0], "T|"), "ENOENT");
    ask(XS_RM, 0, "data/h|");
    expect_answer(ask(XS_MKDIR, 0, "data/h|"), "OK");
}

static void nodes_and_bytes(void)
{
    static char text[XENSTORE_PAYLOAD_MAX];
    unsigned int n = 0;

    for (; n < 5000 && !stuck; n++) {
        pv_snprintf(text, sizeof(text), "data/h/n%u|", n);
        if (!strcmp(ask(XS_WRITE, 0, text), "ENOSPC"))
            break;
    }
    expect(n > 100 && n < 1001, "xenstore: %u nodes", n);
    ask(XS_DIRECTORY, 0, "data/h|");
    expect_answer(reply, "E2BIG"); /* or it would not fit a message */
    expect_answer(ask(XS_RM, 0, "data/h|"), "OK");
    memset(text, 'v', sizeof(text));
    memcpy(text, "data/h/v", 9);
    expect_answer(ask_bytes(XS_WRITE, 0, text, sizeof(text)), "ENOSPC");
    for (n = 0; n < 5000 && !stuck; n++) {
        int len = pv_snprintf(text, 16, "data/h/%05u", n) + 1;

        text[len] = 'v';
        if (!strcmp(ask_bytes(XS_WRITE, 0, text, (size_t)len + 2000), "ENOSPC"))
            break;
    }
    expect(n > 10 && n < 100, "xenstore: %u values of 2000 bytes", n);
    expect_answer(ask(XS_RM, 0, "data/h|"), "OK");
    expect_answer(ask(XS_MKDIR, 0, "data/h|"), "OK");
}

/* Watches as many and as long as may be; then one commit that fires all of them for many nodes. */
static void watches(size_t token)
{
    static char text[XENSTORE_PAYLOAD_MAX];
    unsigned int n = 0;
    uint32_t tx;

    memset(text, 'w', sizeof(text));
    for (; n < 500 && !stuck; n++) {
        int len = pv_snprintf(text, 16, "data/h") + 1;

        text[len] = 'w';
        pv_snprintf(text + len + token, 16, "%u", n);
        if (!strcmp(ask_bytes(XS_WATCH, 0, text, (size_t)len + token + strlen(text + len + token) + 1),
                    "E2BIG"))
            break;
    }
    expect(n > 0 && n < 500, "xenstore: %u watches with tokens of %lu bytes", n, token);
    tx = start_tx();
    for (int i = 0; i < 2000 && !stuck; i++) {
        pv_snprintf(text, sizeof(text), "data/h/%d|", i % 40);
        if (!strcmp(ask(XS_WRITE, tx, text), "ENOSPC"))
            break;
    }
    expect_answer(ask(XS_TRANSACTION_END, tx, "T|"), "OK");
    expect_answer(ask(XS_WRITE, 0, "data/h/5|again"), "OK");
    expect_answer(ask(XS_RM, 0, "data/h|"), "OK");
    expect_answer(ask_bytes(XS_RESET_WATCHES, 0, "", 1), "OK");
    expect_answer(ask(XS_MKDIR, 0, "data/h|"), "OK");
}

static void short_watches(void)
{
    watches(0);
}

static void long_watches(void)
{
    watches(3900);
}

/* Each event is answered by a change that makes the next one. */
static void loop(void)
{
    expect_answer(ask(XS_WATCH, 0, "data/h/loop|me|"), "OK");
    for (unsigned long i = 0; i < hostile_flood / 4 && !stuck; i++) {
        nr_events = 0;
        ask(XS_WRITE, 0, "data/h/loop|x");
        expect(nr_events || i == 0, "xenstore: a watch does not fire");
    }
    expect_answer(ask(XS_UNWATCH, 0, "data/h/loop|me|"), "OK");
    expect_answer(ask(XS_UNWATCH, 0, "data/h/loop|me|"), "ENOENT");
}

/* Requests until no more are taken, no answer is read, and events to hurry it. */
static void never_reads(void)
{
    struct {
        struct xsd_sockmsg h;
        char path[2];
    } __attribute__((packed)) msg = { { XS_DIRECTORY, 1, 0, 2 }, "/" };
    unsigned int sent = 0, turns = 0;

    while (turns < 200 && sent < 10000) {
        uint32_t prod = page->req_prod, used = prod - __atomic_load_n(&page->req_cons, __ATOMIC_ACQUIRE);

        if (used + sizeof(msg) <= XENSTORE_RING_SIZE) {
            for (uint32_t i = 0; i < sizeof(msg); i++)
                page->req[MASK_XENSTORE_IDX(prod + i)] = ((const char *)&msg)[i];
            __atomic_store_n(&page->req_prod, prod + (uint32_t)sizeof(msg), __ATOMIC_RELEASE);
            sent++;
        } else {
            turns++;
            HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
        }
        pv_event_send(port);
    }
    expect(sent < 10000, "xenstore: it takes requests without an end, and nobody reads the answers");
    while (sent && !stuck && sent--)
        take();
}

const struct attack store_attacks[] = {
    { "xenstore: unknown types, messages of length 0, without a NUL", odd_messages },
    { "xenstore: a message in pieces, that hangs", in_pieces },
    { "xenstore: paths that are none", paths },
    { "xenstore: nodes of others", others },
    { "xenstore: transactions, more and longer than allowed, and of others", transactions },
    { "xenstore: more nodes and bytes than allowed", nodes_and_bytes },
    { "xenstore: more watches than allowed, all of them fired", short_watches },
    { "xenstore: watches with long tokens", long_watches },
    { "xenstore: a watch that fires itself", loop },
    { "xenstore: answers are not read", never_reads },
    { NULL, NULL },
};

/* ---- the script ---- */

void store_begin(void)
{
    page = pv_mfn_to_virt(mfn(pv_start_info->store_mfn));
    port = pv_start_info->store_evtchn;
    ask(XS_MKDIR, 0, "data/h|");
}

bool store_command(unsigned long *seq, char *text, size_t size)
{
    char *rest;

    HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    ask(XS_READ, 0, "control/parador-run|");
    if (header.type != XS_READ || !reply[0])
        return false;
    *seq = strtoul(reply, &rest, 10);
    strlcpy(text, *rest ? rest + 1 : rest, size);
    return true;
}

void store_answer(unsigned long seq, int status)
{
    char text[64];

    pv_snprintf(text, sizeof(text), "control/parador-done|%lu %d", seq, status);
    ask(XS_WRITE, 0, text);
}

/* ---- the end of the connection ---- */

/* As much as a domain may make the server remember: transactions that see an old tree each and have a log of
 * their own, a tree, watches. */
static void hoard(void)
{
    static char text[XENSTORE_PAYLOAD_MAX];
    uint32_t tx;

    memset(text, 'v', sizeof(text));
    while ((tx = start_tx()) != 0 && !stuck)
        for (unsigned int i = 0; i < 120; i++) {
            size_t len = (size_t)pv_snprintf(text, 32, "data/h/%u", i) + 1;

            text[len] = 'v';
            ask_bytes(XS_WRITE, i < 60 ? tx : 0, text, len + 2000);
        }
    for (unsigned int i = 0; i < 200 && !stuck; i++) {
        memcpy(text, "data/h", sizeof("data/h"));
        pv_snprintf(text + 3000, 16, "%u", i);
        ask_bytes(XS_WATCH, 0, text, 3010);
    }
}

void store_end(unsigned long kind, unsigned long seq)
{
    static const char *const what[] = { "req_prod is wild",
                                        "rsp_cons is wild",
                                        "a message of 4097 bytes",
                                        "a message of 2^32 - 1 bytes",
                                        "half a message, for ever",
                                        "random contents",
                                        "all that is allowed, hoarded" };
    struct xsd_sockmsg h = { .type = XS_WRITE, .len = kind == 2 ? XENSTORE_PAYLOAD_MAX + 1 : UINT32_MAX };

    pv_printf("hostile: xenstore: %s\n", what[kind % 7]);
    if (kind == 6)
        hoard();
    store_answer(seq, 0);
    switch (kind % 7) {
    case 0:
        page->req_prod += XENSTORE_RING_SIZE + 1;
        break;
    case 1:
        page->rsp_cons += 1;
        break;
    case 2:
    case 3:
        send_bytes(&h, sizeof(h));
        break;
    case 4:
        h.len = 100;
        send_bytes(&h, sizeof(h));
        send_bytes("data", 4);
        break;
    default:
        break;
    }
    for (;;) {
        if (kind % 7 == 5)
            ((uint32_t *)page)[hostile_random() % (sizeof(*page) / 4)] = hostile_random();
        pv_event_send(port);
    }
}
