/* SPDX-License-Identifier: MIT
 *
 * Two domains of four vcpus each that map, copy, unmap and take back each other's grants at random, make
 * tables of the same frames, give them back, and send events. In the midst of it a ends: its mappings of b's
 * frames, b's of its frames, and calls that are under way on both. b goes on for a while, and then has
 * nothing left of a's. docs/safety.md "Grants" (XSA-218, 224, 396), XSA-344, 380 (teardown).
 */
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pair.h"
#include "tests/guest/vcpus.h"

TEST("pair_races");
ROLE(pair);
// vcpus: 4

#define FRAMES 4
#define STEPS  1500 /* of a; b makes three times as many */
#define SPARE  500  /* frames given back beforehand: those that are renewed while in use stay for long */
#define NONE   (~0U)

static unsigned long frames[FRAMES];
static int refs[FRAMES];
static unsigned int strange;

static struct {
    uint64_t *window[2]; /* for a grant, for a frame of our own; of this vcpu alone */
    grant_handle_t handle;
    uint64_t seed;
} vcpus[TEST_VCPUS];

static unsigned long frame(uint64_t r)
{
    return __atomic_load_n(&frames[r % FRAMES], __ATOMIC_RELAXED);
}

static grant_ref_t peers(uint64_t r)
{
    return (grant_ref_t)pair.page->words[r % FRAMES + (pair.is_a ? FRAMES : 0)];
}

/* The call itself must work; what came of the operation is a status. */
static void expect(bool good, const char *what, long rc)
{
    if (!good && !__atomic_fetch_add(&strange, 1, __ATOMIC_RELAXED))
        pv_printf("%s: %ld\n", what, rc);
}

static void map(unsigned int id, uint64_t r)
{
    struct gnttab_map_grant_ref op = { .host_addr = (unsigned long)vcpus[id].window[0],
                                       .flags = GNTMAP_host_map | (r & 64 ? GNTMAP_readonly : 0),
                                       .ref = peers(r),
                                       .dom = pair.peer };
    long rc;

    if (vcpus[id].handle != NONE)
        return;
    rc = HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
    expect(!rc && op.status <= 0, "map", rc ? rc : op.status);
    if (op.status != GNTST_okay)
        return;
    vcpus[id].handle = op.handle;
    expect(test_poke(&vcpus[id].window[0][r % 512], r & ~1UL) == !(r & 64), "write to what is mapped",
           (long)(r & 64));
}

static void unmap(unsigned int id)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = (unsigned long)vcpus[id].window[0],
                                         .handle = vcpus[id].handle };
    long rc;

    if (vcpus[id].handle == NONE)
        return;
    rc = HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1);
    expect(!rc && op.status == GNTST_okay, "unmap", rc ? rc : op.status);
    vcpus[id].handle = NONE;
    expect(!test_poke(vcpus[id].window[0], 0), "write to what is unmapped", 0);
}

static void copy(uint64_t r)
{
    struct gnttab_copy op = { .source = { .u.ref = peers(r), .domid = pair.peer },
                              .dest = { .u.gmfn = frame(r >> 5), .domid = DOMID_SELF },
                              .len = 256,
                              .flags = GNTCOPY_source_gref };
    long rc = HYPERVISOR_grant_table_op(GNTTABOP_copy, &op, 1);

    expect(!rc && op.status <= 0, "copy", rc ? rc : op.status);
}

static void regrant(uint64_t r)
{
    if (pv_grant_revoke(refs[r % FRAMES]))
        pv_grant_set(refs[r % FRAMES], pair.peer, mfn(frame(r >> 5)), r & 1024);
}

static void renew(uint64_t r)
{
    struct xen_memory_reservation res = { .nr_extents = 1, .domid = DOMID_SELF };
    xen_pfn_t n = frame(r);

    set_xen_guest_handle(res.extent_start, &n);
    HYPERVISOR_memory_op(XENMEM_decrease_reservation, &res);
    if (HYPERVISOR_memory_op(XENMEM_increase_reservation, &res) == 1)
        __atomic_store_n(&frames[r % FRAMES], n, __ATOMIC_RELAXED);
}

static void tables(unsigned int id, uint64_t r)
{
    struct mmuext_op op = { .cmd = r & 8192 ? MMUEXT_PIN_L1_TABLE : MMUEXT_UNPIN_TABLE,
                            .arg1.mfn = frame(r) };
    long rc = HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);

    expect(!rc || rc == -EINVAL || rc == -EBUSY, "pin", rc);
    rc = HYPERVISOR_update_va_mapping((unsigned long)vcpus[id].window[1],
                                      r & 16384 ? pv_pte(mfn(frame(r >> 4)), PTE_KERNEL) : 0, UVMF_NONE);
    expect(!rc || rc == -EINVAL || rc == -EBUSY, "update_va_mapping", rc);
}

static void step(unsigned int id)
{
    struct evtchn_send send = { .port = pair.port };
    uint64_t r = test_random(&vcpus[id].seed), s;

    r = r >> 16 ^ r << 20;
    s = r >> 8;
    switch (r % 8) {
    case 0:
    case 1:
        map(id, s);
        break;
    case 2:
        unmap(id);
        break;
    case 3:
        copy(s);
        break;
    case 4:
        regrant(s);
        break;
    case 5:
        renew(s);
        break;
    case 6:
        tables(id, s);
        break;
    default:
        HYPERVISOR_event_channel_op(EVTCHNOP_send, &send);
        break;
    }
}

static void race(unsigned int id)
{
    for (unsigned int n = 0; n < STEPS * 3; n++) {
        step(id);
        if (n % 8 == 0)
            test_let_others();
        if (pair.is_a && !id && n == STEPS) {
            check(!strange, "%u strange results", strange);
            test_finish_amid();
        }
    }
    unmap(id);
    HYPERVISOR_update_va_mapping((unsigned long)vcpus[id].window[1], 0, UVMF_INVLPG);
}

void test_main(void)
{
    pair_init();
    for (unsigned int i = 0; i < SPARE; i++)
        test_give_back();
    for (unsigned int i = 0; i < FRAMES; i++) {
        uint64_t *page = test_page();

        frames[i] = pv_virt_to_mfn(page).v;
        refs[i] = pv_grant_access(pair.peer, mfn(frames[i]), false);
        require(refs[i] > 0 && !pv_map((unsigned long)page, 0), "frame %u", i);
        pair.page->words[i + (pair.is_a ? 0 : FRAMES)] = (uint64_t)refs[i];
    }
    for (unsigned int id = 0; id < TEST_VCPUS; id++) {
        vcpus[id].window[0] = pv_vaddr_reserve(1);
        vcpus[id].window[1] = pv_vaddr_reserve(1);
        vcpus[id].handle = NONE;
        vcpus[id].seed = pair.is_a ? 2000 + id : 3000 + id;
    }
    pair_sync();
    test_on_vcpus(TEST_VCPUS, race);
    check(!strange, "%u strange results", strange);
}
