/* SPDX-License-Identifier: MIT
 *
 * A frontend that lies: see hostile.h. It never asks for a write that could be done, because the disk is
 * everybody's.
 */
#include <xen/io/xenbus.h>
#include "drivers/blkring.h"
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/start.h"
#include "libpv/print.h"
#include "libpv/string.h"
#include "libpv/xenstore.h"
#include "tests/hostile/hostile.h"

#define DIR "device/vbd/51712"

static char back_dir[96];
static unsigned long nr_sectors;
static unsigned char *ring_page, *data;
static int ring_ref, data_ref, port;
static struct blk_front ring;

/* ---- the meeting ---- */

static void set(const char *leaf, const char *value)
{
    char path[64];

    pv_snprintf(path, sizeof(path), DIR "/%s", leaf);
    pv_xs_write(0, path, value);
}

static void set_number(const char *leaf, unsigned long n)
{
    char text[24];

    pv_snprintf(text, sizeof(text), "%lu", n);
    set(leaf, text);
}

static unsigned long back_number(const char *leaf)
{
    char path[128];
    unsigned long n = 0;

    pv_snprintf(path, sizeof(path), "%s/%s", back_dir, leaf);
    return pv_xs_read_number(0, path, &n) ? 0 : n;
}

/* Asks for the backend's state until it is one of two; it is domain 0's turn between two questions. */
static unsigned long await_state(unsigned long one, unsigned long other)
{
    unsigned long state = 0;

    for (int i = 0; i < 20000; i++) {
        state = back_number("state");
        if (state == one || state == other)
            return state;
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    }
    hostile_complain("the backend is in state %lu, not %lu or %lu", state, one, other);
    return state;
}

static void offer(void)
{
    blk_front_init(&ring, ring_page, PAGE_SIZE);
    set_number("ring-ref", (unsigned long)ring_ref);
    set_number("event-channel", (unsigned long)port);
    set("protocol", XEN_IO_PROTO_ABI_X86_64);
}

static void begin_again(void)
{
    set_number("state", XenbusStateClosed);
    await_state(XenbusStateClosed, XenbusStateClosed);
    set_number("state", XenbusStateInitialising);
    await_state(XenbusStateInitWait, XenbusStateInitWait);
}

/* A connection as it should be. */
static void connect(void)
{
    begin_again();
    if (port > 0)
        pv_event_close((unsigned int)port);
    port = pv_event_alloc_unbound(0, NULL, NULL);
    pv_grant_set(ring_ref, 0, pv_virt_to_mfn(ring_page), false);
    pv_grant_set(data_ref, 0, pv_virt_to_mfn(data), false);
    offer();
    set_number("state", XenbusStateInitialised);
    expect(await_state(XenbusStateConnected, XenbusStateClosing) == XenbusStateConnected, "no connection");
    nr_sectors = back_number("sectors");
}

static void notify(void)
{
    pv_event_send((unsigned int)port);
}

void disk_begin(void)
{
    pv_xs_init();
    pv_grant_init();
    while (pv_xs_read(0, DIR "/backend", back_dir, sizeof(back_dir)) <= 0)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    ring_page = pv_page_alloc();
    data = pv_page_alloc();
    ring_ref = pv_grant_alloc();
    data_ref = pv_grant_alloc();
}

/* ---- requests ---- */

#define NONE 99

/* The status of the next answer. */
static int answer(void)
{
    struct blkif_response rsp;

    for (int i = 0; !blk_front_take(&ring, &rsp); i++) {
        if (i == PATIENCE || ring.ring.broken) {
            hostile_complain("no answer: %s", ring.ring.broken ? ring.ring.broken : "nothing comes");
            return NONE;
        }
        if (ring_front_idle(&ring.ring))
            pv_event_wait((unsigned int)port, LOOK);
    }
    return rsp.status;
}

static int ask(const struct blkif_request *req)
{
    blk_front_put(&ring, req);
    if (ring_front_push(&ring.ring))
        notify();
    return answer();
}

static struct blkif_request good(void)
{
    struct blkif_request req;

    memset(&req, 0, sizeof(req));
    req.operation = BLKIF_OP_READ;
    req.nr_segments = 1;
    req.seg[0] = (struct blkif_request_segment){ (grant_ref_t)data_ref, 0, 0 };
    return req;
}

static void refused(const struct blkif_request *req, int status, const char *what)
{
    int got = ask(req);

    expect(got == status, "%s: status %d", what, got);
}

static void still_served(const char *after)
{
    struct blkif_request req = good();

    refused(&req, BLKIF_RSP_OKAY, after);
}

static void unknown_operations(void)
{
    static const uint8_t op[] = { 4, 5, 6, 7, 128, 255 };
    struct blkif_request req;

    connect();
    for (size_t i = 0; i < sizeof(op); i++) {
        req = good(), req.operation = op[i];
        refused(&req, BLKIF_RSP_EOPNOTSUPP, "an unknown operation");
    }
    req = good(), req.operation = BLKIF_OP_FLUSH_DISKCACHE;
    refused(&req, BLKIF_RSP_ERROR, "a flush with data");
    still_served("unknown operations");
}

static void wrong_segments(void)
{
    static const uint8_t nr[] = { 0, 12, 255 }, ends[][2] = { { 5, 4 }, { 0, 8 }, { 255, 255 }, { 7, 255 } };
    struct blkif_request req;

    for (size_t i = 0; i < sizeof(nr); i++) {
        req = good(), req.nr_segments = nr[i];
        refused(&req, BLKIF_RSP_ERROR, "a number of segments");
    }
    for (size_t i = 0; i < 4; i++) {
        req = good(), req.seg[0].first_sect = ends[i][0], req.seg[0].last_sect = ends[i][1];
        refused(&req, BLKIF_RSP_ERROR, "first_sect and last_sect");
    }
    still_served("wrong segments");
}

static void wrong_sectors(void)
{
    const uint64_t sector[] = { nr_sectors,
                                nr_sectors + 1,
                                1ul << 31,
                                1ul << 32,
                                1ul << 55,
                                (1ul << 55) - 1,
                                1ul << 63,
                                UINT64_MAX,
                                UINT64_MAX - 7,
                                UINT64_MAX / 512,
                                UINT64_MAX - nr_sectors };
    struct blkif_request req;

    for (size_t i = 0; i < sizeof(sector) / sizeof(sector[0]); i++)
        for (uint8_t op = BLKIF_OP_READ; op <= BLKIF_OP_WRITE_BARRIER; op++) {
            req = good(), req.sector_number = sector[i], req.operation = op;
            refused(&req, BLKIF_RSP_ERROR, "a sector beyond the disk");
        }
    still_served("wrong sectors");
}

static void with_grant(uint32_t ref, uint8_t op, const char *what)
{
    struct blkif_request req = good();

    req.seg[0].gref = ref;
    req.operation = op;
    if (op == BLKIF_OP_WRITE)
        req.sector_number = nr_sectors;
    refused(&req, BLKIF_RSP_ERROR, what);
}

static void wrong_grants(void)
{
    int ref = pv_grant_alloc();
    mfn_t table = mfn((unsigned long)(*pv_walk_level((unsigned long)data, 2) & PTE_ADDR) >> PAGE_SHIFT);

    with_grant((uint32_t)ref, BLKIF_OP_READ, "a grant that is free");
    with_grant(UINT32_MAX, BLKIF_OP_READ, "grant 2^32 - 1");
    with_grant(1u << 20, BLKIF_OP_READ, "a grant behind the table");
    pv_grant_set(ref, 0, pv_virt_to_mfn(data), true);
    with_grant((uint32_t)ref, BLKIF_OP_READ, "a read into a page granted read-only");
    pv_grant_revoke(ref);
    pv_grant_set(ref, 1, pv_virt_to_mfn(data), false);
    with_grant((uint32_t)ref, BLKIF_OP_READ, "a grant for another");
    pv_grant_revoke(ref);
    pv_grant_set(ref, 0, mfn(0x7fffffff), false);
    with_grant((uint32_t)ref, BLKIF_OP_READ, "a grant of no frame");
    pv_grant_revoke(ref);
    pv_grant_set(ref, 0, mfn(0x100), false);
    with_grant((uint32_t)ref, BLKIF_OP_READ, "a grant of the hypervisor's frame");
    pv_grant_revoke(ref);
    pv_grant_set(ref, 0, table, false);
    with_grant((uint32_t)ref, BLKIF_OP_READ, "a grant of a page table");
    expect(pv_grant_end(ref), "a grant is still in use");
    still_served("wrong grants");
}

/* A ring full of requests of 11 segments, whose grants come and go meanwhile; with one number for all. */
static void changing_grants(void)
{
    struct blkif_request req = good();

    req.nr_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;
    for (int i = 1; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
        req.seg[i] = req.seg[0];
    for (int i = 0; i < 5; i++) {
        unsigned int n = 0;

        for (; blk_front_put(&ring, &req); n++)
            ;
        if (ring_front_push(&ring.ring))
            notify();
        for (unsigned int answers = 0; answers < n; answers++) {
            pv_grant_revoke(data_ref);
            HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
            pv_grant_set(data_ref, 0, pv_virt_to_mfn(data), hostile_random() & 1);
            if (answer() == NONE)
                return;
        }
    }
    pv_grant_set(data_ref, 0, pv_virt_to_mfn(data), false);
    still_served("changing grants");
}

/* As many requests as fast as they are answered, all of them lawful or all nonsense. */
static void flood(void)
{
    struct blkif_request req = good();
    unsigned long put = 0, taken = 0;
    bool lawful = hostile_random() & 1;

    if (!lawful)
        req.nr_segments = 200;
    while (taken < hostile_flood) {
        int status;

        for (; put < hostile_flood && blk_front_put(&ring, &req); put++)
            ;
        if (ring_front_push(&ring.ring))
            notify();
        status = answer();
        if (status == NONE)
            return;
        expect(status == (lawful ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR), "in a flood: status %d", status);
        taken++;
    }
}

static void storm(void)
{
    for (unsigned long i = 0; i < hostile_flood; i++)
        notify();
    still_served("a storm of events");
}

/* ---- the ring's page ---- */

static void broken(const char *what)
{
    notify();
    expect(await_state(XenbusStateClosing, XenbusStateClosed), "%s", what);
}

static void wild_indices(void)
{
    static const uint32_t step[] = { 33, 1u << 31, UINT32_MAX, 1000, UINT32_MAX - 31 };
    struct ring_page *page = (struct ring_page *)(void *)ring_page;

    for (size_t i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
        still_served("before a wild index");
        page->req_prod += step[i];
        broken("req_prod is wild");
        connect();
    }
    /* 31 requests, and back before the first of them. */
    page->req_prod = 31;
    notify();
    HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    page->req_prod = UINT32_MAX;
    broken("req_prod goes back");
    connect();
    page->rsp_prod += 7; /* the backend's own indices */
    page->req_event -= 7;
    page->rsp_event = hostile_random();
    ring.ring.rsp_seen = ring.ring.rsp_taken;
    notify();
    connect();
}

static void random_page(void)
{
    for (int round = 0; round < 5; round++) {
        uint32_t *word = (uint32_t *)(void *)ring_page;

        for (int i = 0; i < 200; i++) {
            for (int n = 0; n < 20; n++) {
                uint32_t at = 16 + hostile_random() % 1008;

                /* The first byte of a slot is the operation: no write can be meant. */
                word[at] = (at - 16) % 28 ? hostile_random() % 16 : (hostile_random() & 0xff00) | 4;
            }
            word[0] += hostile_random() % 5;
            if (hostile_random() % 100 == 0)
                word[hostile_random() % 4] = hostile_random();
            notify();
            HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
        }
        connect();
    }
}

/* The disk's contents come into the ring's page. */
static void ring_as_data(void)
{
    struct blkif_request req = good();

    req.seg[0] = (struct blkif_request_segment){ (grant_ref_t)ring_ref, 0, 7 };
    blk_front_put(&ring, &req);
    ring_front_push(&ring.ring);
    notify();
    HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    connect();
    still_served("the ring's page as data");
}

/* Its grant is taken away and overwritten, its port closed, while the backend has both. */
static void ring_taken_away(void)
{
    expect(!pv_grant_revoke(ring_ref), "the ring's grant is in use and can be revoked");
    pv_grant_set(ring_ref, 3, pv_virt_to_mfn(data), true);
    notify();
    still_served("an overwritten grant");
    pv_event_close((unsigned int)port);
    port = 0;
    connect();
    still_served("a ring that was taken away");
}

/* Its page is given back to the hypervisor, and there is a new one at its place. */
static void ring_given_back(void)
{
    xen_pfn_t frame = pv_virt_to_mfn(ring_page).v, gpfn = pv_virt_to_pfn(ring_page).v;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, &frame);
    pv_map((unsigned long)ring_page, 0);
    if (HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r) == 1) {
        notify();
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
        begin_again();
        frame = gpfn;
        if (HYPERVISOR_memory_op(XENMEM_populate_physmap, &r) != 1) {
            hostile_complain("the hypervisor gives no frame");
            return;
        }
        pv_set_p2m(pfn(gpfn), mfn(frame));
    }
    pv_map((unsigned long)ring_page, pv_pte(pv_virt_to_mfn(ring_page), PTE_KERNEL));
    connect();
    still_served("a ring that was given back");
}

/* ---- its directory in xenstore ---- */

static void wrong_parameter(const char *leaf, const char *value)
{
    begin_again();
    offer();
    set(leaf, value);
    set_number("state", XenbusStateInitialised);
    expect(await_state(XenbusStateClosing, XenbusStateConnected) == XenbusStateClosing,
           "%s=%s: it is connected", leaf, value);
}

static void wrong_parameters(void)
{
    static const char *const number[] = { "-1",  "99999999999999999999", "0x10",    "",
                                          "8 8", "4294967295",           "nonsense" };
    static const char *const ports[] = { "0", "4096", "4095", "" };
    char own[12];

    for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++)
        wrong_parameter("ring-ref", number[i]);
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        wrong_parameter("event-channel", ports[i]);
    pv_snprintf(own, sizeof(own), "%u", pv_start_info->store_evtchn);
    wrong_parameter("event-channel", own); /* bound already */
    wrong_parameter("protocol", "x86_32-abi");
    connect();
    still_served("wrong parameters");
}

static void states_at_random(void)
{
    for (int i = 0; i < 200; i++) {
        uint32_t state = hostile_random() % 12;

        if (state < 9)
            set_number("state", state);
        else
            set("state", state == 9 ? "" : state == 10 ? "four" : "4294967300");
    }
    connect();
    still_served("states at random");
}

static void states_in_circles(void)
{
    for (int i = 0; i < 60; i++) {
        set_number("state", XenbusStateConnected);
        set_number("state", XenbusStateInitialising);
        set_number("state", XenbusStateClosed);
        set_number("state", XenbusStateInitialised);
    }
    connect();
    still_served("states in circles");
}

static void own_directory(void)
{
    static const char nobody[] = "n0", below[] = DIR "/state/below/it";
    char path[64];

    pv_xs_write(0, below, "1");
    for (int i = 0; i < 100; i++) {
        pv_snprintf(path, sizeof(path), DIR "/state/%d", i);
        pv_xs_write(0, path, "");
    }
    pv_xs_set_perms(0, DIR "/state", nobody, sizeof(nobody));
    pv_xs_rm(0, DIR "/state");
    notify();
    pv_xs_rm(0, DIR);
    pv_xs_mkdir(0, DIR);
    set_number("state", XenbusStateInitialising);
    connect();
    still_served("its directory removed and made anew");
}

const struct attack disk_attacks[] = {
    { "disk: unknown operations", unknown_operations },
    { "disk: segments out of range", wrong_segments },
    { "disk: sectors beyond the disk and near 2^64", wrong_sectors },
    { "disk: grants that don't exist, are another's, read-only, no memory, a page table", wrong_grants },
    { "disk: grants revoked and changed while in flight", changing_grants },
    { "disk: a flood of requests", flood },
    { "disk: a storm of events", storm },
    { "disk: req_prod far ahead, behind, jumping back", wild_indices },
    { "disk: random contents of the ring's page", random_page },
    { "disk: the ring's page as a data page", ring_as_data },
    { "disk: the ring's grant and port taken away", ring_taken_away },
    { "disk: the ring's page given back", ring_given_back },
    { "disk: ring-ref, event-channel, protocol of nonsense", wrong_parameters },
    { "disk: states at random", states_at_random },
    { "disk: states in circles", states_in_circles },
    { "disk: its directory removed, filled, closed", own_directory },
    { NULL, NULL },
};

/* ---- the script ---- */

bool disk_command(unsigned long *seq, char *text, size_t size)
{
    char line[96], *rest;

    if (pv_xs_read(0, "control/parador-run", line, sizeof(line)) <= 0)
        return false;
    *seq = strtoul(line, &rest, 10);
    strlcpy(text, *rest ? rest + 1 : rest, size);
    return true;
}

void disk_answer(unsigned long seq, int status)
{
    pv_xs_printf(0, "control/parador-done", "%lu %d", seq, status);
}
