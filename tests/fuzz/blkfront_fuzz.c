/* SPDX-License-Identifier: MIT
 *
 * The block frontend and a backend that means harm: anything in the page that they share and in the backend's
 * directory, answers before, after and instead of those that were asked for, grants that stay mapped. Each io
 * is done exactly once, with 0 or an errno; what is granted is what is in flight; nothing is left but what
 * the backend keeps mapped.
 *
 * An input: what the backend says of the disk, then steps, each a byte and what it needs.
 */
// sources: drivers/blk.c drivers/vaddr.c drivers/xenbus.c drivers/kernel.c libpv/xenstore.c
// sources: drivers/front/issue.c drivers/back/blkback.c drivers/back/serve.c drivers/back/memdisk.c
// sources: drivers/xenstore/path.c drivers/xenstore/tree.c drivers/xenstore/watch.c
// sources: drivers/xenstore/transaction.c drivers/xenstore/server.c drivers/xenstore/request.c
// sources: tests/host/fake_pv.c tests/host/fake_machine.c tests/host/blk_pair.c
/* A frontend is never freed: its list is emptied here. */
#include "drivers/front/blkfront.c" // NOLINT(bugprone-suspicious-include)
#include "libpv/xenstore.h"
#include "tests/fuzz/fuzz.h"
#include "tests/host/blk_pair.h"

#define NR_IOS 64
#define DIR    "/local/domain/0/backend/vbd/1/51712"

static struct test_io ios[NR_IOS];
static unsigned int nr_ios;
static unsigned char *data_pages;
static struct ring_page *page;
static void *window; /* where the backend maps a page of data */
static int mapped;   /* its grant, or -1 */
static grant_handle_t handle;

static void write_back_dir(struct fuzz_input *in)
{
    uint8_t what = fuzz_byte(in);

    domain = 0;
    xenbus_make_dir(DIR, 0, 1);
    xenbus_printf(DIR, "sectors", "%u", what & 1 ? fuzz_byte(in) : 100u);
    xenbus_printf(DIR, "sector-size", "%u", what & 2 ? fuzz_word(in) : 512u);
    xenbus_printf(DIR, "parador-bytes", "%u", what & 4 ? fuzz_word(in) : 50000u);
    xenbus_printf(DIR, "info", "%u", what & 8 ? fuzz_byte(in) : 0u);
    xenbus_printf(DIR, "feature-flush-cache", "%u", !(what & 16));
    xenbus_printf(DIR, "feature-barrier", "%u", !(what & 32));
    xenbus_set_state(DIR, XenbusStateInitWait);
}

static void begin(struct fuzz_input *in)
{
    if (!data_pages) {
        data_pages = fake_pages(16);
        window = pv_vaddr_reserve(1);
        start_store();
    }
    nr_ios = 0;
    mapped = -1;
    write_back_dir(in);
    domain = 1;
    xenbus_write("device/vbd/51712", "backend", DIR);
    xenbus_write("device/vbd/51712", "backend-id", "0");
    xenbus_write("device/vbd/51712", "virtual-device", "51712");
    front = blkfront_start("device/vbd/51712");
    MUST(front);
    page = front->ring.ring.page;
    domain = 0;
    xenbus_set_state(DIR, XenbusStateConnected);
    xenbus_round(1);
}

static unsigned int outstanding(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < nr_ios; i++) {
        MUST(ios[i].nr_done <= 1 && (!ios[i].nr_done || ios[i].io.status <= 0));
        n += !ios[i].nr_done;
    }
    return n;
}

/* What is granted: the ring, the ios in flight, and perhaps a page that the backend kept beyond its io's end.
 */
static void check(void)
{
    const struct ring_front *f = &front->ring.ring;
    unsigned int granted = f->page != NULL, in_flight = 0;

    for (unsigned int id = 0; id < BLK_RING_SLOTS; id++) {
        granted += front->slot[id].io ? front->slot[id].io->nr_segs : 0;
        in_flight += front->slot[id].io != NULL;
    }
    MUST(fake_grants_used() >= granted && fake_grants_used() <= granted + (mapped >= 0));
    MUST(in_flight <= outstanding() && (front->phase != FRONT_FAILED || !outstanding()));
    MUST(!f->page || f->req_put - f->rsp_taken <= BLK_RING_SLOTS);
    MUST(front->phase != FRONT_READY || in_flight || !front->first);
}

static void end(void)
{
    fake_grant_budget = -1;
    domain = 1;
    blkfront_stop(front);
    check();
    if (mapped >= 0)
        pv_grant_unmap(handle, window);
    domain = 0;
    xenbus_set_state(DIR, XenbusStateClosed);
    xenbus_round(1);
    MUST(xenbus_get_state("device/vbd/51712") == XenbusStateClosed && !front->ring.ring.page);
    if (fake_grants_used())
        pv_grant_end(mapped);
    MUST(fake_grants_used() == 0 && fake_ports_used() == 0 && fake_mappings() == 0);
    xenbus_watch_del(&front->watch);
    while (xenbus_work())
        ;
    drv_free(front);
    fronts = NULL;
    pv_xs_rm(0, "device/vbd/51712");
    domain = 0;
    pv_xs_rm(0, DIR);
}

static void submit_io(struct fuzz_input *in)
{
    struct test_io *t = &ios[nr_ios];
    uint8_t what = fuzz_byte(in), nr = fuzz_byte(in);

    if (nr_ios == NR_IOS)
        return;
    nr_ios++;
    memset(t, 0, sizeof(*t));
    t->io.op = what % 4;
    t->io.sector = what & 4 ? fuzz_word(in) : fuzz_byte(in) % 100u;
    t->io.done = test_done;
    blk_io_fill(&t->io, data_pages + (what >> 3) % 8u * 512u, nr % 90);
    if (what & 128)
        t->io.seg[0].bytes = fuzz_byte(in) * 256u;
    blk_submit(blkfront_store(front), &t->io);
}

/* An answer in the next slot: to an io that waits, or to any id; nearly right. */
static void respond(struct fuzz_input *in)
{
    uint8_t what = fuzz_byte(in);
    struct blkif_response rsp = { .id = fuzz_byte(in) };

    for (uint16_t id = 0; what < 240 && id < BLK_RING_SLOTS; id++)
        if (front->slot[(id + rsp.id) % BLK_RING_SLOTS].io) {
            rsp.id = (id + rsp.id) % BLK_RING_SLOTS;
            break;
        }
    rsp.operation = what < 230 ? front->slot[rsp.id % BLK_RING_SLOTS].operation : what;
    rsp.status = what < 200 ? BLKIF_RSP_OKAY : (int16_t)(what - 220);
    memcpy(ring_slot(page, page->rsp_prod, BLK_RING_SLOTS, blk_SLOT_BYTES), &rsp, sizeof(rsp));
    page->rsp_prod++;
}

/* Maps the first page of an io in flight. */
static void map_one(uint8_t id)
{
    const struct blkfront_slot *s = &front->slot[id % BLK_RING_SLOTS];

    if (mapped < 0 && s->io && s->io->nr_segs &&
        pv_grant_map(1, (grant_ref_t)s->ref[0], window, true, &handle) == GNTST_okay)
        mapped = s->ref[0];
}

static void say(struct fuzz_input *in)
{
    static const char *const leaves[] = { "state", "sectors", "sector-size", "state" };
    uint8_t which = fuzz_byte(in);

    domain = 0;
    xenbus_printf(DIR, leaves[which % 4], "%u", which % 4 == 1 ? fuzz_word(in) : which >> 4);
    xenbus_round(1);
}

static void note(const char *format, ...)
{
    (void)format;
}

static void step(struct fuzz_input *in)
{
    uint8_t what = fuzz_byte(in);

    domain = 1;
    if (what < 80)
        submit_io(in);
    else if (what < 150 && front->ring.ring.page)
        respond(in);
    else if (what < 180 && front->ring.ring.page)
        fuzz_ring_page(in, page);
    else if (what < 190)
        say(in);
    else if (what < 200)
        map_one(what);
    else if (what < 205)
        blkfront_check(note);
    else if (what < 210)
        fake_grant_budget = fuzz_byte(in) % 16 - 1; /* of references; -1: any number */
    else if (front->port > 0)
        blkfront_event((unsigned int)front->port, front);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };

    begin(&in);
    while (in.left) {
        step(&in);
        check();
    }
    end();
    return 0;
}
