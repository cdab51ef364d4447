/* SPDX-License-Identifier: MIT
 *
 * Four vcpus that do everything a guest can do to a frame, at random, to the same six frames: pin and unpin
 * at all levels, map and write, single entries, grants mapped, copied and revoked, given back and got anew,
 * exchanged, as descriptor tables, cleared and copied. Each call may fail, by the errnos that it has; nothing
 * else may happen. At the end all is undone, and each frame is an ordinary page again. docs/safety.md,
 * "Frames and page tables" (XSA-217, 242, 287, 299) and "Grants" (XSA-218).
 */
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"
#include "tests/guest/vcpus.h"

TEST("races");
ROLE(dom0, domU);
// vcpus: 4

#define FRAMES 6
#define STEPS  4000
#define SPARE  1000 /* frames given back beforehand: those that are renewed while in use stay for long */
#define NONE   (~0U)

static unsigned long frames[FRAMES]; /* any vcpu may change one */
static int refs[FRAMES];             /* grants of them to this domain itself */
static domid_t self;
static unsigned int strange, refused, worked;

static unsigned long all[8192]; /* what ever was one of them: it may be a table still */
static unsigned int nr_all;

static void add_frame(unsigned int i, unsigned long n)
{
    all[__atomic_fetch_add(&nr_all, 1, __ATOMIC_RELAXED) % (sizeof(all) / sizeof(all[0]))] = n;
    __atomic_store_n(&frames[i], n, __ATOMIC_RELAXED);
}

static struct {
    uint64_t *window, *granted; /* pages of address space, of this vcpu alone */
    grant_handle_t handle;      /* what is mapped at `granted`; NONE: nothing */
    uint64_t seed;
} vcpus[TEST_VCPUS];

static unsigned long frame(uint64_t r)
{
    return __atomic_load_n(&frames[r % FRAMES], __ATOMIC_RELAXED);
}

/* What came of a call: an errno or a count; the first strange one is printed. */
static void outcome(const char *what, long rc)
{
    static const short errnos[] = { -EINVAL, -EBUSY, -ENOMEM, -EPERM, 1 };

    __atomic_add_fetch(rc >= 0 ? &worked : &refused, 1, __ATOMIC_RELAXED);
    if ((rc > 1 || (rc < 0 && !test_one_of(rc, errnos))) &&
        !__atomic_fetch_add(&strange, 1, __ATOMIC_RELAXED))
        pv_printf("%s: %ld\n", what, rc);
}

static long ext(unsigned int cmd, unsigned long a, unsigned long b)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = a, .arg2.src_mfn = b };

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static long map_at(volatile uint64_t *va, uint64_t pte, unsigned long flush)
{
    return HYPERVISOR_update_va_mapping((unsigned long)va, pte, flush);
}

/* An entry that may be good: a table or a page, in all flags that matter. */
static uint64_t some_entry(uint64_t r)
{
    static const uint64_t flags[] = { PTE_TABLE, PTE_KERNEL_RO, PTE_KERNEL, PTE_KERNEL_RO | PTE_US, 0 };

    return pv_pte(mfn(frame(r >> 4)), flags[(r >> 12) % 5]);
}

/* --- grants --- */

static void grant_map(unsigned int id, uint64_t r)
{
    struct gnttab_map_grant_ref op = { .host_addr = (unsigned long)vcpus[id].granted,
                                       .flags = GNTMAP_host_map | (r & 64 ? GNTMAP_readonly : 0),
                                       .ref = (grant_ref_t)refs[r % FRAMES],
                                       .dom = self };

    if (vcpus[id].handle != NONE)
        return;
    outcome("grant map", HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 1));
    if (op.status == GNTST_okay)
        vcpus[id].handle = op.handle;
}

static void grant_unmap(unsigned int id)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = (unsigned long)vcpus[id].granted,
                                         .handle = vcpus[id].handle };

    if (vcpus[id].handle == NONE)
        return;
    outcome("grant unmap", HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1));
    if (op.status != GNTST_okay && !__atomic_fetch_add(&strange, 1, __ATOMIC_RELAXED))
        pv_printf("grant unmap: status %d\n", op.status);
    vcpus[id].handle = NONE;
}

static void grant_copy(uint64_t r)
{
    struct gnttab_copy op = { .source = { .u.ref = (grant_ref_t)refs[r % FRAMES], .domid = self },
                              .dest = { .u.gmfn = frame(r >> 5), .domid = DOMID_SELF },
                              .len = 64,
                              .flags = GNTCOPY_source_gref };

    outcome("grant copy", HYPERVISOR_grant_table_op(GNTTABOP_copy, &op, 1));
}

static void regrant(uint64_t r)
{
    if (pv_grant_revoke(refs[r % FRAMES]))
        pv_grant_set(refs[r % FRAMES], self, mfn(frame(r >> 5)), r & 1024);
}

/* --- frames that go and come --- */

static void renew(uint64_t r)
{
    struct xen_memory_reservation res = { .nr_extents = 1, .domid = DOMID_SELF };
    xen_pfn_t n = frame(r);

    set_xen_guest_handle(res.extent_start, &n);
    outcome("decrease_reservation", HYPERVISOR_memory_op(XENMEM_decrease_reservation, &res));
    if (HYPERVISOR_memory_op(XENMEM_increase_reservation, &res) == 1)
        add_frame((unsigned int)(r % FRAMES), n);
}

static void exchange(uint64_t r)
{
    xen_pfn_t in = frame(r), out = 0;
    struct xen_memory_exchange x = { .in = { .nr_extents = 1, .domid = DOMID_SELF },
                                     .out = { .nr_extents = 1, .domid = DOMID_SELF } };
    long rc;

    set_xen_guest_handle(x.in.extent_start, &in);
    set_xen_guest_handle(x.out.extent_start, &out);
    rc = HYPERVISOR_memory_op(XENMEM_exchange, &x);
    outcome("exchange", rc);
    if (!rc)
        add_frame((unsigned int)(r % FRAMES), out);
}

/* --- all --- */

static uint64_t next(unsigned int id)
{
    uint64_t r = test_random(&vcpus[id].seed);

    return r >> 16 ^ r << 20;
}

static void write_some(unsigned int id, uint64_t r)
{
    outcome("map",
            map_at(vcpus[id].window, pv_pte(mfn(frame(r)), PTE_KERNEL), r & 256 ? UVMF_INVLPG : UVMF_NONE));
    for (unsigned int i = 0; i < 4; i++)
        test_poke(&vcpus[id].window[(r >> (8 + i * 3)) % 512], some_entry(next(id)));
}

static void step(unsigned int id)
{
    const uint64_t r = next(id), s = r >> 8;
    const bool coin = r >> 40 & 1;
    uint64_t list = frame(s);
    struct mmu_update u = { .ptr = list << PAGE_SHIFT | (s >> 12 & 0x1ff) << 3 | (coin ? 2 : 0),
                            .val = some_entry(next(id)) };

    switch (r % 20) {
    case 0:
    case 1:
        outcome("pin", ext(MMUEXT_PIN_L1_TABLE + (s >> 20) % 4, frame(s), 0));
        break;
    case 2:
        outcome("unpin", ext(MMUEXT_UNPIN_TABLE, frame(s), 0));
        break;
    case 3:
    case 4:
        write_some(id, s);
        break;
    case 5:
        outcome("map", map_at(vcpus[id].window, pv_pte(mfn(frame(s)), PTE_KERNEL_RO), UVMF_NONE));
        test_poke(&vcpus[id].window[5], ~0UL);
        break;
    case 6:
        outcome("unmap", map_at(vcpus[id].window, 0, UVMF_NONE));
        test_poke(&vcpus[id].window[6], ~0UL);
        break;
    case 7:
    case 8:
        outcome("mmu_update", HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_SELF));
        break;
    case 9:
        grant_map(id, s);
        break;
    case 10:
        grant_unmap(id);
        break;
    case 11:
        grant_copy(s);
        break;
    case 12:
        regrant(s);
        break;
    case 13:
        renew(s);
        break;
    case 14:
        exchange(s);
        break;
    case 15:
        outcome("set_gdt", HYPERVISOR_set_gdt(&list, coin ? 512 : 0));
        break;
    case 16:
        outcome("update_descriptor",
                HYPERVISOR_update_descriptor(list << PAGE_SHIFT | 8, coin ? 0x00cff3000000ffffUL : 0));
        break;
    case 17:
    case 18: /* by a translation that may be cached still */
        test_poke(&vcpus[id].window[s % 512], some_entry(next(id)));
        break;
    default:
        outcome("clear or copy", ext(coin ? MMUEXT_CLEAR_PAGE : MMUEXT_COPY_PAGE, frame(s), frame(s >> 4)));
        break;
    }
}

static void race(unsigned int id)
{
    for (unsigned int n = 0; n < STEPS; n++) {
        step(id);
        if (n % 8 == 0)
            test_let_others();
    }
    grant_unmap(id);
    outcome("unmap", map_at(vcpus[id].window, 0, UVMF_INVLPG));
    outcome("set_gdt", HYPERVISOR_set_gdt((const xen_pfn_t *)frames, 0));
}

static void prepare(void)
{
    self = pv_domid();
    require(!pv_grant_init(), "grants");
    for (unsigned int i = 0; i < FRAMES; i++) {
        uint64_t *page = test_page();

        add_frame(i, pv_virt_to_mfn(page).v);
        refs[i] = pv_grant_access(self, mfn(frames[i]), false);
        require(refs[i] > 0 && !pv_map((unsigned long)page, 0), "frame %u", i);
    }
    for (unsigned int i = 0; i < SPARE; i++)
        test_give_back();
    for (unsigned int id = 0; id < TEST_VCPUS; id++) {
        vcpus[id].window = pv_vaddr_reserve(1);
        vcpus[id].granted = pv_vaddr_reserve(1);
        vcpus[id].handle = NONE;
        vcpus[id].seed = 1000 + id;
    }
}

/* Nothing is left of what the frames were. Stock Xen may keep a table of a failed validation: docs/oracle.md.
 */
static void after(void)
{
    for (unsigned int i = 0; i < nr_all; i++)
        ext(MMUEXT_UNPIN_TABLE, all[i], 0);
    test_mmuext_mfn(MMUEXT_TLB_FLUSH_LOCAL, 0);
    for (unsigned int i = 0; i < FRAMES; i++) {
        long ours = map_at(vcpus[0].window, pv_pte(mfn(frames[i]), PTE_KERNEL_RO), UVMF_INVLPG);
        long rc = map_at(vcpus[0].window, pv_pte(mfn(frames[i]), PTE_KERNEL), UVMF_INVLPG);

        check(rc == ours || !test_on_parador(), "frame %u: %ld", i, rc); /* no table any more */
        check(pv_grant_revoke(refs[i]) || !test_on_parador(), "the grant of frame %u is in use", i);
    }
    map_at(vcpus[0].window, 0, UVMF_INVLPG);
}

void test_main(void)
{
    prepare();
    test_on_vcpus(TEST_VCPUS, race);
    pv_printf("%u calls worked, %u were refused\n", worked, refused);
    check(!strange, "%u strange results", strange);
    check(worked > STEPS / 4 && refused > STEPS / 4, "%u calls worked, %u were refused", worked, refused);
    after();
}
