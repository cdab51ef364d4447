/* SPDX-License-Identifier: MIT
 *
 * The block backend and a frontend that means harm: anything in the page that they share and in the
 * frontend's directory, grants that come and go, while the disk finishes in its own order. Nothing outside of
 * the disk, the granted pages and the ring is touched (each is a mapping of its own, and the disk is an
 * allocation); no more is in flight than the ring has slots; responses hold no byte of the backend's; and
 * when the frontend is gone nothing is mapped any more.
 *
 * An input: steps, each a byte and what it needs.
 */
// sources: drivers/blk.c drivers/vaddr.c drivers/xenbus.c drivers/kernel.c libpv/xenstore.c
// sources: drivers/front/blkfront.c drivers/front/issue.c
// sources: drivers/back/blkback.c drivers/back/serve.c drivers/back/memdisk.c
// sources: drivers/xenstore/path.c drivers/xenstore/tree.c drivers/xenstore/watch.c
// sources: drivers/xenstore/transaction.c drivers/xenstore/server.c drivers/xenstore/request.c
// sources: tests/host/fake_pv.c tests/host/fake_machine.c tests/host/blk_pair.c
#include "libpv/memory.h"
#include "libpv/xenstore.h"
#include "tests/fuzz/fuzz.h"
#include "tests/host/blk_pair.h"

#define NR_DATA 3

static struct ring_page *page;
static unsigned char *data_pages;
static int ring_ref, data_ref[NR_DATA], port;
static uint32_t seen; /* responses looked at */

static void begin(void)
{
    struct ring_front init;

    if (!page) {
        page = fake_pages(1);
        data_pages = fake_pages(NR_DATA);
        start_store();
    }
    memset(page->slots, 0xaa, PAGE_SIZE - 64);
    make_disk(100 * 512 - 300);
    slow_init(&disk);
    ring_ref = pv_grant_access(0, pv_virt_to_mfn(page), false);
    for (int i = 0; i < NR_DATA; i++) /* the last one is read-only */
        data_ref[i] =
            pv_grant_access(0, pv_virt_to_mfn(data_pages + (size_t)i * PAGE_SIZE), i == NR_DATA - 1);
    port = pv_event_alloc_unbound(0, NULL, NULL);
    pv_event_mask((unsigned int)port);
    ring_front_init(&init, page, PAGE_SIZE, blk_SLOT_BYTES);
    seen = 0;
    domain = 0;
    back = blkback_offer(1, XVDA, &slow.store, false);
    MUST(back);
    domain = 1;
    xenbus_printf("device/vbd/51712", "ring-ref", "%d", ring_ref);
    xenbus_printf("device/vbd/51712", "event-channel", "%d", port);
    xenbus_set_state("device/vbd/51712", XenbusStateInitialised);
    xenbus_round(0);
    MUST(back->connected);
}

static void end(void)
{
    domain = 0;
    blkback_domain_gone(1);
    while (slow.nr || blkback_pending()) { /* a barrier comes behind the others */
        if (slow.nr)
            slow_finish(0);
        blkback_work();
    }
    MUST(!blkback_next(NULL) && fake_mappings() == 0);
    domain = 1;
    pv_xs_rm(0, "device/vbd/51712");
    pv_event_close((unsigned int)port);
    MUST(pv_grant_end(ring_ref));
    for (int i = 0; i < NR_DATA; i++)
        MUST(data_ref[i] < 0 || pv_grant_end(data_ref[i]));
    MUST(fake_grants_used() == 0 && fake_ports_used() == 0);
    free(bytes);
    domain = 0;
}

/* A request that is nearly right, in the slot of the next one. */
static void write_request(struct fuzz_input *in)
{
    static const uint8_t operations[] = { BLKIF_OP_READ,  BLKIF_OP_WRITE,           BLKIF_OP_WRITE_BARRIER,
                                          BLKIF_OP_READ,  BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_DISCARD,
                                          BLKIF_OP_WRITE, BLKIF_OP_INDIRECT };
    struct blkif_request req = { .id = fuzz_byte(in) };
    uint8_t what = fuzz_byte(in);

    req.operation = operations[what % 8];
    req.nr_segments = what >> 4 < 14 ? what >> 4 : fuzz_byte(in);
    req.sector_number = fuzz_byte(in);
    if (req.sector_number > 200)
        req.sector_number = (uint64_t)fuzz_word(in) << 32 | fuzz_word(in);
    for (uint32_t i = 0; i < BLK_MAX_SEGS && i < req.nr_segments; i++) {
        uint8_t seg = fuzz_byte(in), ref = fuzz_byte(in);

        req.seg[i].gref = ref < 250 ? (uint32_t)data_ref[ref % NR_DATA] : fuzz_word(in);
        req.seg[i].first_sect = seg & 7;
        req.seg[i].last_sect = seg < 240 ? (seg >> 3 & 7) : seg;
    }
    memcpy(ring_slot(page, page->req_prod, BLK_RING_SLOTS, blk_SLOT_BYTES), &req, sizeof(req));
    page->req_prod++;
}

/* The frontend's directory: a number or a text for one of its entries. */
static void say(struct fuzz_input *in)
{
    static const char *const leaves[] = { "state", "ring-ref", "event-channel", "protocol" };
    uint8_t which = fuzz_byte(in);
    char text[12] = "";

    domain = 1;
    if (which < 128) {
        xenbus_printf("device/vbd/51712", leaves[which % 4], "%u", fuzz_byte(in) % (which & 16 ? 256u : 8u));
    } else {
        fuzz_bytes(in, text, which % sizeof(text));
        xenbus_write("device/vbd/51712", leaves[which % 4], text);
    }
    xenbus_round(0);
    domain = 0;
}

/* A grant is taken back, if it is not mapped, or given again. */
static void grant(uint8_t which)
{
    int *ref = &data_ref[which % NR_DATA];

    if (*ref >= 0 && pv_grant_end(*ref))
        *ref = -1;
    else if (*ref < 0)
        *ref = pv_grant_access(0, pv_virt_to_mfn(data_pages + (size_t)(which % NR_DATA) * PAGE_SIZE),
                               which & 64);
}

static void work(void)
{
    domain = 0;
    if (back->connected)
        blkback_poke(back);
    for (unsigned int n = 0; n < 10 && blkback_pending(); n++)
        blkback_work();
}

static void check(bool told_lies)
{
    const struct ring_back *b = &back->ring.ring;

    MUST(back->in_flight <= BLK_RING_SLOTS && slow.nr <= back->in_flight);
    MUST(fake_mappings() <= 1 + back->in_flight * BLK_MAX_SEGS && (back->connected || !fake_mappings()));
    if (!back->connected)
        return;
    MUST(b->req_taken - b->rsp_pushed <= BLK_RING_SLOTS && b->req_seen - b->rsp_pushed <= BLK_RING_SLOTS);
    for (; !told_lies && !b->broken && seen != b->rsp_pushed; seen++) {
        const unsigned char *slot = ring_slot(page, seen, BLK_RING_SLOTS, blk_SLOT_BYTES);

        MUST(slot[9] == 0 && !memcmp(slot + 12, "\0\0\0\0", 4)); /* the padding of a response */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    bool told_lies = false;

    begin();
    while (in.left) {
        uint8_t what = fuzz_byte(&in);

        if (what < 100) {
            write_request(&in);
        } else if (what < 140) {
            if (slow.nr)
                slow_finish(what % slow.nr);
        } else if (what < 180) {
            told_lies = true;
            fuzz_ring_page(&in, page);
        } else if (what < 220) {
            say(&in);
            told_lies = true; /* a ring may begin anew */
        } else {
            grant(what);
        }
        work();
        check(told_lies);
    }
    end();
    return 0;
}
