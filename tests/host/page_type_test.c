/* SPDX-License-Identifier: MIT
 *
 * Page types: every transition and every refusal, walks that stop half-way, and the checker itself, which
 * must notice when a count is wrong. page_type_random_test.c lets chance do the same, on several CPUs.
 */
// sources: tests/host/fake_hv.c hypervisor/mm/heap.c hypervisor/mm/domain_frames.c
// sources: hypervisor/mm/page_type.c hypervisor/mm/pv_direct.c hypervisor/mm/relinquish.c
// sources: hypervisor/mm/check.c hypervisor/mm/descriptor.c
#include <criterion/criterion.h>
#include <string.h>
#include "mm/paging.h"
#include "tests/host/fake_hv.h"

static struct domain *d0, *d, *other;

static void setup(void)
{
    fake_machine();
    d0 = fake_domain(0, ~0UL);
    d = fake_domain(1, 8000);
    other = fake_domain(2, 8000);
}

static void teardown(void)
{
    cr_assert_eq(check_machine(), 0);
    cr_assert(fake_domain_end(d0) && fake_domain_end(d) && fake_domain_end(other));
    cr_assert_eq(frames_free(), FAKE_RAM);
}

/* Not .init and .fini: Criterion takes no notice of what fails in .fini. */
#define TYPE_TEST(name)     \
    static void name(void); \
    Test(type, name)        \
    {                       \
        setup();            \
        name();             \
        teardown();         \
    }                       \
    static void name(void)

TestSuite(seeded, .init = setup); /* ends with wrong counts, on purpose */

/* The checker knows all who may hold a frame in Parador, and the test isn't one of them: before
 * check_machine() tables are held by pins. */

static int get(mfn_t m, enum frame_type type)
{
    return get_frame_type(d, m, type);
}

static int write_entry(struct domain *whose, mfn_t table, unsigned int i, uint64_t entry)
{
    return pv_direct.write_entry(whose, whose, mfn_to_maddr(table) + i * 8, entry, false);
}

/* An L1 of d with n entries, all for different frames; the first frame. */
static mfn_t make_l1(unsigned int n, uint64_t flags, mfn_t *first)
{
    mfn_t l1 = fake_frame(d);

    for (unsigned int i = 0; i < n; i++) {
        mfn_t m = fake_frame(d);

        fake_words(l1)[i] = fake_entry(m, flags);
        if (!i && first)
            *first = m;
    }
    return l1;
}

static mfn_t above(mfn_t table)
{
    mfn_t m = fake_frame(d);

    fake_words(m)[3] = fake_entry(table, E_TABLE);
    return m;
}

/* A tree: L4, L3, L2 and n L1s of 4 entries each. */
static mfn_t make_tree(unsigned int n, mfn_t *l2, mfn_t *l1)
{
    mfn_t top = fake_frame(d);

    for (unsigned int i = 0; i < n; i++) {
        mfn_t m = make_l1(4, E_RW, NULL);

        fake_words(top)[i * 512 / n] = fake_entry(m, E_TABLE);
        if (!i && l1)
            *l1 = m;
    }
    if (l2)
        *l2 = top;
    return above(above(top));
}

static void map_walk(struct domain *whose, mfn_t l4)
{
    whose->vcpu[0]->arch.cr3_kernel = mfn_to_maddr(l4);
}

/* ---- One type at a time ---- */

TYPE_TEST(a_new_frame_has_no_type_and_one_reference)
{
    mfn_t m = fake_frame(d);

    cr_assert_eq(fake_word(m), FRAME_ALLOCATED | 1);
}

TYPE_TEST(uses_are_counted)
{
    mfn_t m = fake_frame(d);

    cr_assert_eq(get(m, FT_WRITABLE), 0);
    cr_assert_eq(get(m, FT_WRITABLE), 0);
    cr_assert_eq(fake_uses(m), 2);
    cr_assert_eq(fake_refs(m), 3);
    put_frame_type(m);
    put_frame_type(m);
    cr_assert_eq(fake_uses(m), 0);
    cr_assert_eq(fake_refs(m), 1);
}

TYPE_TEST(a_frame_has_one_type_at_a_time)
{
    for (enum frame_type a = FT_L1; a <= FT_WRITABLE; a++) {
        mfn_t m = fake_frame(d);

        cr_assert_eq(get(m, a), 0);
        for (enum frame_type b = FT_L1; b <= FT_WRITABLE; b++) {
            if (a == b)
                continue;
            cr_assert_eq(get(m, b), -EINVAL, "in use as %d, wanted as %d", a, b);
            cr_assert_eq(fake_rule, R_FRAME_TYPE_BUSY);
        }
        cr_assert_eq(fake_uses(m), 1);
        put_frame_type(m);
    }
}

TYPE_TEST(without_use_it_may_become_any_other)
{
    mfn_t m = fake_frame(d);

    for (enum frame_type a = FT_L1; a <= FT_WRITABLE; a++)
        for (enum frame_type b = FT_L1; b <= FT_WRITABLE; b++) {
            memset(fake_words(m), 0, PAGE_SIZE);
            cr_assert_eq(get(m, a), 0);
            put_frame_type(m);
            memset(fake_words(m), 0, PAGE_SIZE);
            cr_assert_eq(get(m, b), 0, "%d after %d", b, a);
            cr_assert_eq(type_of(fake_word(m)), b);
            put_frame_type(m);
        }
}

TYPE_TEST(only_frames_of_the_domain)
{
    static const enum frame_type types[] = { FT_L1, FT_L4, FT_DESC, FT_WRITABLE };
    mfn_t foreign = fake_frame(other), freed = fake_frame(d);

    cr_assert(domain_frame_release(d, freed));
    for (unsigned int i = 0; i < 4; i++) {
        cr_assert_eq(get(foreign, types[i]), -EINVAL);
        cr_assert_eq(get(freed, types[i]), -EINVAL);
        cr_assert_eq(get(MFN(1), types[i]), -EINVAL, "Parador's");
        cr_assert_eq(get(MFN(FAKE_HOLE), types[i]), -EINVAL);
        cr_assert_eq(get(MFN(FAKE_DEVICE), types[i]), -EINVAL);
        cr_assert_eq(get(MFN(FAKE_MAX_MFN), types[i]), -EINVAL);
        cr_assert_eq(get(INVALID_MFN, types[i]), -EINVAL);
    }
}

TYPE_TEST(a_full_count_takes_no_more)
{
    mfn_t m = fake_frame(d), l1 = make_l1(0, 0, NULL);
    uint64_t word = fake_word(m);

    frame_of(m)->word |= FRAME_REF_MASK;
    cr_assert_eq(get(m, FT_WRITABLE), -EINVAL);
    cr_assert_eq(fake_rule, R_TOO_MANY_REFS);
    fake_words(l1)[0] = fake_entry(m, E_RO);
    cr_assert_eq(get(l1, FT_L1), -EBUSY);
    frame_of(m)->word = word;
}

/* ---- Contents of an L1 ---- */

TYPE_TEST(an_l1_holds_what_it_maps)
{
    mfn_t first, l1 = make_l1(512, E_RW, &first);

    cr_assert_eq(pin_table(d, l1, FT_L1), 0);
    cr_assert_eq(fake_uses(first), 1);
    cr_assert_eq(fake_refs(first), 2);
    cr_assert_eq(type_of(fake_word(first)), FT_WRITABLE);
    cr_assert(fake_word(l1) & FRAME_VALIDATED);
    cr_assert_eq(check_machine(), 0);
    cr_assert_eq(unpin_table(d, l1), 0);
    cr_assert_eq(fake_uses(first), 0);
    cr_assert_eq(fake_refs(first), 1);
    cr_assert_not(fake_word(l1) & FRAME_VALIDATED);
}

TYPE_TEST(read_only_entries_use_no_type)
{
    mfn_t first, l1 = make_l1(512, E_RO, &first), table = make_l1(0, 0, NULL);

    fake_words(l1)[7] = fake_entry(table, E_RO);
    cr_assert_eq(get(table, FT_L1), 0);
    cr_assert_eq(get(l1, FT_L1), 0, "tables may be mapped read-only");
    cr_assert_eq(fake_uses(first), 0);
    cr_assert_eq(fake_refs(first), 2);
    cr_assert_eq(fake_uses(table), 1);
    put_frame_type(l1);
    put_frame_type(table);
}

TYPE_TEST(an_l1_may_map_itself_read_only_but_not_writable)
{
    mfn_t l1 = make_l1(1, E_RW, NULL);

    fake_words(l1)[1] = fake_entry(l1, E_RO);
    cr_assert_eq(get(l1, FT_L1), 0);
    put_frame_type(l1);
    fake_words(l1)[1] = fake_entry(l1, E_RW);
    cr_assert_eq(get(l1, FT_L1), -EBUSY);
    cr_assert_eq(fake_uses(l1), 0);
    cr_assert_eq(fake_refs(l1), 1);
}

TYPE_TEST(a_table_is_mapped_writable_nowhere)
{
    mfn_t table = make_l1(1, E_RW, NULL), l1 = make_l1(0, 0, NULL);

    fake_words(l1)[0] = fake_entry(table, E_RW);
    cr_assert_eq(get(l1, FT_L1), 0);
    cr_assert_eq(get(table, FT_L1), -EINVAL, "mapped writable");
    put_frame_type(l1);
    cr_assert_eq(get(table, FT_L1), 0);
    cr_assert_eq(get(l1, FT_L1), -EBUSY, "a table");
    put_frame_type(table);
}

/* What went before the bad entry is undone, wherever that stands. */
TYPE_TEST(a_bad_entry_leaves_nothing_behind)
{
    static const unsigned int at[] = { 0, 1, 6, 7, 8, 9, 63, 64, 255, 256, 504, 511 };
    mfn_t first, l1 = make_l1(512, E_RW, &first), foreign = fake_frame(other);

    for (unsigned int i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        uint64_t good = fake_words(l1)[at[i]];

        fake_words(l1)[at[i]] = fake_entry(foreign, E_RO);
        cr_assert_eq(get(l1, FT_L1), -EBUSY, "entry %u", at[i]);
        cr_assert_eq(fake_refs(l1), 1);
        cr_assert_eq(fake_uses(l1), 0);
        cr_assert_eq(fake_refs(foreign), 1);
        cr_assert_eq(check_machine(), 0);
        fake_words(l1)[at[i]] = good;
    }
    cr_assert_eq(get(l1, FT_L1), 0);
    put_frame_type(l1);
}

TYPE_TEST(the_same_frame_many_times)
{
    mfn_t m = fake_frame(d), l1 = make_l1(0, 0, NULL);

    for (unsigned int i = 0; i < 512; i++)
        fake_words(l1)[i] = fake_entry(m, i % 2 ? E_RW : E_RO);
    cr_assert_eq(get(l1, FT_L1), 0);
    cr_assert_eq(fake_refs(m), 513);
    cr_assert_eq(fake_uses(m), 256);
    put_frame_type(l1);
    cr_assert_eq(fake_refs(m), 1);
}

TYPE_TEST(absent_entries_may_hold_anything)
{
    mfn_t l1 = make_l1(1, E_RW, NULL);

    for (unsigned int i = 1; i < 512; i++)
        fake_words(l1)[i] = (0xfeedf00dUL * i) << 1;
    cr_assert_eq(get(l1, FT_L1), 0);
    put_frame_type(l1);
}

TYPE_TEST(bits_of_entries_are_a_whitelist)
{
    mfn_t m = fake_frame(d), l1 = fake_frame(d), l2 = fake_frame(d), l1of0 = fake_frame(d0);

    for (unsigned int bit = 0; bit < 64; bit++) {
        uint64_t flag = 1UL << bit;
        bool cache = flag & PTE_CACHE;

        if (flag & PTE_ADDR)
            continue;
        fake_words(l1)[0] = fake_entry(m, E_RO | flag);
        cr_assert_eq(get(l1, FT_L1), cache ? -EINVAL : 0, "bit %u of an L1 entry", bit);
        if (!cache)
            put_frame_type(l1);
        fake_words(l1)[0] = 0;
        fake_words(l2)[0] = fake_entry(l1, E_TABLE | flag);
        cr_assert_eq(get(l2, FT_L2), cache || flag == PTE_G ? -EINVAL : 0, "bit %u of an L2 entry", bit);
        if (!cache && flag != PTE_G)
            put_frame_type(l2);
    }
    /* Domain 0 has devices, so it may choose how its memory is cached. */
    fake_words(l1of0)[0] = fake_entry(fake_frame(d0), E_RW | PTE_CACHE);
    cr_assert_eq(get_frame_type(d0, l1of0, FT_L1), 0);
    put_frame_type(l1of0);
}

TYPE_TEST(devices_are_for_domain_0)
{
    static const struct {
        uint64_t mfn;
        int d0, d;
    } rows[] = {
        { FAKE_DEVICE, 0, -EPERM },
        { FAKE_HOLE, 0, -EPERM },
        { FAKE_MAX_MFN + 5, 0, -EPERM },
        { 0xfee00, -EPERM, -EPERM }, /* the local APIC */
        { 0xfec00, -EPERM, -EPERM },
        { 1UL << 28, -EPERM, -EPERM }, /* beyond the address lines */
        { (1UL << 40) - 1, -EINVAL, -EINVAL },
    };
    mfn_t l1 = fake_frame(d), l1of0 = fake_frame(d0);

    for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fake_words(l1)[3] = fake_words(l1of0)[3] = fake_entry(MFN(rows[i].mfn), E_RW);
        cr_assert_eq(get(l1, FT_L1), rows[i].d, "%lx", rows[i].mfn);
        cr_assert_eq(pin_table(d0, l1of0, FT_L1), rows[i].d0, "%lx by domain 0", rows[i].mfn);
        if (!rows[i].d0) {
            cr_assert_eq(check_machine(), 0);
            cr_assert_eq(unpin_table(d0, l1of0), 0);
        }
        if (rows[i].mfn < FAKE_MAX_MFN)
            cr_assert_eq(fake_word(MFN(rows[i].mfn)), 0, "devices aren't counted");
    }
    fake_words(l1of0)[3] = fake_entry(MFN(2), E_RO);
    cr_assert_eq(get_frame_type(d0, l1of0, FT_L1), -EBUSY, "Parador's memory is no device");
}

TYPE_TEST(kernel_entries_get_the_user_bit_and_remember)
{
    mfn_t m = fake_frame(d), l1 = fake_frame(d), l2 = above(l1);

    fake_words(l1)[0] = fake_entry(m, PTE_P | PTE_RW);
    fake_words(l1)[1] = fake_entry(m, PTE_P | PTE_RW | PTE_US);
    fake_words(l2)[3] = fake_entry(l1, PTE_P | PTE_RW);
    cr_assert_eq(get(l2, FT_L2), 0);
    cr_assert_eq(fake_words(l1)[0], fake_entry(m, PTE_P | PTE_RW | PTE_US | PTE_GUEST_KERNEL));
    cr_assert_eq(fake_words(l1)[1], fake_entry(m, PTE_P | PTE_RW | PTE_US));
    cr_assert_eq(fake_words(l2)[3], fake_entry(l1, PTE_P | PTE_RW | PTE_US));
    cr_assert_eq(write_entry(d, l1, 5, fake_entry(m, PTE_P)), 0);
    cr_assert_eq(fake_words(l1)[5], fake_entry(m, PTE_P | PTE_US | PTE_GUEST_KERNEL));
    put_frame_type(l2);
}

/* ---- Trees ---- */

TYPE_TEST(levels_descend_one_by_one)
{
    for (enum frame_type level = FT_L2; level <= FT_L4; level++)
        for (enum frame_type child = FT_L1; child <= FT_L4; child++) {
            mfn_t low = fake_frame(d), table = above(low);

            cr_assert_eq(get(low, child), 0);
            cr_assert_eq(get(table, level), child + 1 == level ? 0 : -EINVAL, "L%d over L%d", level, child);
            if (child + 1 == level)
                put_frame_type(table);
            put_frame_type(low);
        }
}

TYPE_TEST(no_linear_page_tables)
{
    for (enum frame_type level = FT_L2; level <= FT_L4; level++) {
        mfn_t a = fake_frame(d), b = above(a);

        fake_words(a)[3] = fake_entry(a, E_TABLE);
        cr_assert_eq(get(a, level), -EINVAL, "L%d in itself", level);
        fake_words(a)[3] = fake_entry(b, E_TABLE);
        cr_assert_neq(get(a, level), 0, "a circle of two L%d", level);
        fake_words(a)[3] = 0;
        cr_assert_eq(get(a, level), 0);
        cr_assert_eq(write_entry(d, a, 0, fake_entry(a, E_TABLE)), -EINVAL);
        cr_assert_eq(fake_words(a)[0], 0);
        put_frame_type(a);
    }
}

TYPE_TEST(one_table_in_many_places)
{
    mfn_t l1 = make_l1(2, E_RW, NULL), a = above(l1), b = above(l1);

    fake_words(a)[100] = fake_entry(l1, E_TABLE);
    cr_assert_eq(pin_table(d, a, FT_L2), 0);
    cr_assert_eq(pin_table(d, b, FT_L2), 0);
    cr_assert_eq(pin_table(d, l1, FT_L1), 0);
    cr_assert_eq(fake_uses(l1), 4);
    cr_assert_eq(check_machine(), 0);
    cr_assert_eq(unpin_table(d, a), 0);
    cr_assert_eq(fake_uses(l1), 2);
    cr_assert_eq(unpin_table(d, b), 0);
    cr_assert(fake_word(l1) & FRAME_VALIDATED);
    cr_assert_eq(unpin_table(d, l1), 0);
    cr_assert_not(fake_word(l1) & FRAME_VALIDATED);
}

TYPE_TEST(the_hypervisors_slots_are_filled_in_and_ignored)
{
    mfn_t l1 = make_l1(1, E_RW, NULL), l4 = above(above(above(l1)));

    for (unsigned int i = 256; i < 272; i++)
        fake_words(l4)[i] = ~0UL - i;
    cr_assert_eq(get(l4, FT_L4), 0);
    for (unsigned int i = 256; i < 272; i++)
        cr_assert_eq(fake_words(l4)[i], 0xfeed000);
    for (unsigned int i = 256; i < 272; i++) {
        cr_assert_eq(write_entry(d, l4, i, 0), -EINVAL);
        cr_assert_eq(write_entry(d, l4, i, fake_words(l4)[3]), -EINVAL);
        cr_assert_eq(fake_words(l4)[i], 0xfeed000);
    }
    cr_assert_eq(write_entry(d, l4, 255, fake_words(l4)[3]), 1);
    cr_assert_eq(write_entry(d, l4, 272, fake_words(l4)[3]), 1);
    put_frame_type(l4);
    cr_assert_eq(fake_uses(l1), 0);
}

TYPE_TEST(pins)
{
    mfn_t l1 = make_l1(3, E_RW, NULL), foreign = fake_frame(other);

    cr_assert_eq(unpin_table(d, l1), -EINVAL);
    cr_assert_eq(fake_rule, R_TABLE_NOT_PINNED);
    cr_assert_eq(pin_table(d, l1, FT_L1), 0);
    cr_assert_eq(pin_table(d, l1, FT_L1), -EINVAL);
    cr_assert_eq(fake_rule, R_ALREADY_PINNED);
    cr_assert_eq(fake_uses(l1), 1);
    cr_assert_eq(unpin_table(other, l1), -EINVAL);
    cr_assert_eq(pin_table(d, foreign, FT_L1), -EINVAL);
    cr_assert_eq(unpin_table(d, INVALID_MFN), -EINVAL);
    cr_assert_eq(unpin_table(d, l1), 0);
    cr_assert_eq(unpin_table(d, l1), -EINVAL);
}

/* ---- Descriptor tables ---- */

TYPE_TEST(descriptor_tables)
{
    mfn_t gdt = fake_frame(d), l1 = fake_frame(d);
    uint64_t *t = fake_words(gdt);

    t[1] = 0x00cf9b000000ffff; /* code, privilege 0 */
    t[2] = 0x0000890000000067; /* a TSS */
    cr_assert_eq(get(gdt, FT_DESC), -EINVAL);
    cr_assert_eq(fake_uses(gdt), 0);
    t[2] = 0x0000090000000067; /* not present */
    cr_assert_eq(get(gdt, FT_DESC), 0);
    cr_assert_eq(t[1], 0x00cffb000000ffff, "privilege 3 now");
    fake_words(l1)[0] = fake_entry(gdt, E_RW);
    cr_assert_eq(get(l1, FT_L1), -EBUSY);
    fake_words(l1)[0] = fake_entry(gdt, E_RO);
    cr_assert_eq(get(l1, FT_L1), 0);
    put_frame_type(l1);
    put_frame_type(gdt);
}

/* ---- Changing entries ---- */

TYPE_TEST(map_remap_clear)
{
    mfn_t l1 = make_l1(0, 0, NULL), a = fake_frame(d), b = fake_frame(d);

    cr_assert_eq(get(l1, FT_L1), 0);
    cr_assert_eq(write_entry(d, l1, 9, fake_entry(a, E_RW)), 0);
    cr_assert_eq(fake_uses(a), 1);
    cr_assert_eq(write_entry(d, l1, 9, fake_entry(b, E_RW)), 0);
    cr_assert_eq(fake_uses(a), 0);
    cr_assert_eq(fake_refs(a), 1);
    cr_assert_eq(fake_uses(b), 1);
    cr_assert_eq(write_entry(d, l1, 9, fake_entry(b, E_RO)), 0);
    cr_assert_eq(fake_uses(b), 0);
    cr_assert_eq(fake_refs(b), 2);
    cr_assert_eq(write_entry(d, l1, 9, 0x1234000), 0);
    cr_assert_eq(fake_refs(b), 1);
    cr_assert_eq(fake_words(l1)[9], 0x1234000);
    cr_assert_not(fake_word(l1) & FRAME_LOCKED);
    put_frame_type(l1);
}

TYPE_TEST(harmless_bits_change_without_counting)
{
    mfn_t first, l1 = make_l1(1, E_RW, &first);

    cr_assert_eq(get(l1, FT_L1), 0);
    cr_assert_eq(write_entry(d, l1, 0, fake_entry(first, E_RW | PTE_A | PTE_D | PTE_NX | PTE_AVAIL)), 0);
    cr_assert_eq(fake_uses(first), 1);
    cr_assert_eq(fake_refs(first), 2);
    /* Others go through the whole check, also when the frame is the same. */
    cr_assert_eq(write_entry(d, l1, 0, fake_entry(first, E_RW | 0x80)), -EINVAL);
    cr_assert_eq(write_entry(d, l1, 0, fake_entry(first, E_RW | 0x10)), -EINVAL);
    put_frame_type(l1);
}

TYPE_TEST(a_refused_change_leaves_the_old_entry)
{
    mfn_t first, l1 = make_l1(1, E_RW, &first), foreign = fake_frame(other);
    uint64_t old;

    cr_assert_eq(get(l1, FT_L1), 0);
    old = fake_words(l1)[0];
    cr_assert_eq(write_entry(d, l1, 0, fake_entry(foreign, E_RO)), -EBUSY);
    cr_assert_eq(write_entry(d, l1, 0, fake_entry(l1, E_RW)), -EBUSY);
    cr_assert_eq(write_entry(d, l1, 0, fake_entry(MFN(FAKE_HOLE), E_RW)), -EPERM);
    cr_assert_eq(fake_words(l1)[0], old);
    cr_assert_eq(fake_uses(first), 1);
    cr_assert_not(fake_word(l1) & FRAME_LOCKED);
    put_frame_type(l1);
}

TYPE_TEST(accessed_and_dirty_bits_survive_if_asked)
{
    mfn_t first, l1 = make_l1(1, E_RW, &first), b = fake_frame(d);
    uint64_t at = mfn_to_maddr(l1);

    cr_assert_eq(get(l1, FT_L1), 0);
    fake_words(l1)[0] |= PTE_A | PTE_D; /* the processor */
    cr_assert_eq(pv_direct.write_entry(d, d, at, fake_entry(first, E_RO), true), 0);
    cr_assert_eq(fake_words(l1)[0], fake_entry(first, E_RO | PTE_A | PTE_D));
    cr_assert_eq(pv_direct.write_entry(d, d, at, fake_entry(b, E_RW), true), 0);
    cr_assert_eq(fake_words(l1)[0], fake_entry(b, E_RW | PTE_A | PTE_D));
    cr_assert_eq(pv_direct.write_entry(d, d, at, fake_entry(b, E_RW), false), 0);
    cr_assert_eq(fake_words(l1)[0], fake_entry(b, E_RW));
    put_frame_type(l1);
}

TYPE_TEST(exchange_wants_the_old_entry)
{
    mfn_t first, l1 = make_l1(1, E_RW, &first), b = fake_frame(d), foreign = fake_frame(other);
    uint64_t at = mfn_to_maddr(l1), old;

    cr_assert_eq(get(l1, FT_L1), 0);
    old = fake_words(l1)[0];
    cr_assert_eq(pv_exchange_leaf(d, at, old | PTE_A, fake_entry(b, E_RW)), -EAGAIN);
    cr_assert_eq(pv_exchange_leaf(d, at, old | PTE_A, 0), -EAGAIN);
    cr_assert_eq(pv_exchange_leaf(d, at, old | PTE_A, old | PTE_D), -EAGAIN);
    cr_assert_eq(fake_uses(b), 0);
    cr_assert_eq(fake_refs(b), 1);
    cr_assert_eq(fake_uses(first), 1);
    cr_assert_eq(pv_exchange_leaf(d, at, old, fake_entry(foreign, E_RW)), -EBUSY);
    cr_assert_eq(pv_exchange_leaf(d, at, old, fake_entry(b, E_RW)), 0);
    cr_assert_eq(fake_uses(b), 1);
    cr_assert_eq(fake_uses(first), 0);
    put_frame_type(l1);
    cr_assert_eq(pv_exchange_leaf(d, at, fake_words(l1)[0], 0), -EINVAL, "no table any more");
}

TYPE_TEST(changes_of_upper_levels_move_whole_trees)
{
    mfn_t a = make_l1(5, E_RW, NULL), b = make_l1(5, E_RW, NULL), l2 = above(a);

    cr_assert_eq(get(l2, FT_L2), 0);
    cr_assert_eq(write_entry(d, l2, 3, fake_entry(b, E_TABLE)), 1);
    cr_assert_not(fake_word(a) & FRAME_VALIDATED);
    cr_assert(fake_word(b) & FRAME_VALIDATED);
    cr_assert_eq(write_entry(d, l2, 3, fake_entry(b, E_TABLE | PTE_A)), 1);
    cr_assert_eq(fake_uses(b), 1);
    cr_assert_eq(write_entry(d, l2, 3, fake_entry(b, E_TABLE | 0x80)), -EINVAL);
    cr_assert_eq(fake_rule, R_ENTRY_FLAGS);
    cr_assert_eq(write_entry(d, l2, 3, 0), 1);
    cr_assert_eq(fake_uses(b), 0);
    put_frame_type(l2);
}

TYPE_TEST(what_is_no_table_is_written_plainly)
{
    mfn_t m = fake_frame(d), gdt = fake_frame(d), foreign = fake_frame(other);

    cr_assert_eq(write_entry(d, m, 4, 0xabcdef), 0);
    cr_assert_eq(fake_words(m)[4], 0xabcdef);
    cr_assert_eq(fake_uses(m), 0);
    cr_assert_eq(get(gdt, FT_DESC), 0);
    cr_assert_eq(write_entry(d, gdt, 4, 0), -EINVAL);
    cr_assert_eq(write_entry(d, foreign, 4, 1), -EINVAL);
    cr_assert_eq(fake_words(foreign)[4], 0);
    cr_assert_eq(pv_direct.write_entry(d, d, ~7UL, 0, false), -EINVAL);
    put_frame_type(gdt);
}

TYPE_TEST(foreign_frames_with_their_owners_name)
{
    mfn_t l1 = fake_frame(d0), theirs = fake_frame(d);
    uint64_t at = mfn_to_maddr(l1);

    cr_assert_eq(pin_table(d0, l1, FT_L1), 0);
    cr_assert_eq(pv_direct.write_entry(d0, d0, at, fake_entry(theirs, E_RW), false), -EBUSY);
    cr_assert_eq(pv_direct.write_entry(d0, NULL, at, fake_entry(theirs, E_RW), false), -EBUSY);
    cr_assert_eq(pv_direct.write_entry(d0, d, at, fake_entry(theirs, E_RW), false), 0);
    cr_assert_eq(fake_uses(theirs), 1);
    cr_assert_eq(get(theirs, FT_L1), -EINVAL, "mapped writable by another domain");
    cr_assert_eq(check_machine(), 0);
    cr_assert_not(fake_domain_end(d));
    cr_assert_eq(pv_direct.write_entry(d0, d0, at, 0, false), 0);
    cr_assert_eq(d->tot_pages, 0);
    cr_assert_eq(unpin_table(d0, l1), 0);
}

TYPE_TEST(by_virtual_address)
{
    mfn_t l1 = make_l1(0, 0, NULL), above_l1 = above(l1), l4 = above(above(above_l1)), m = fake_frame(d);
    uint64_t va = 3UL << 39 | 3UL << 30 | 3UL << 21, at;
    struct vcpu *v = d->vcpu[0];

    cr_assert_eq(pv_direct.set_root(v, l4, false), 0);
    cr_assert_eq(pv_direct.write_va(v, d, va + 5 * PAGE_SIZE + 77, fake_entry(m, E_RW)), 0);
    cr_assert_eq(fake_words(l1)[5], fake_entry(m, E_RW));
    cr_assert_eq(guest_walk(v, va + 5 * PAGE_SIZE, &at), fake_entry(m, E_RW));
    cr_assert_eq(at, mfn_to_maddr(l1) + 40);
    cr_assert_eq(guest_walk(v, va, NULL), 0);
    cr_assert_eq(pv_direct.write_va(v, d, va + (1UL << 21), 0), -EINVAL);
    cr_assert_eq(pv_direct.write_va(v, d, va + (1UL << 30), 0), -EINVAL);
    cr_assert_eq(pv_direct.write_va(v, d, va + (1UL << 39), 0), -EINVAL);
    cr_assert_eq(pv_direct.write_va(v, d, HV_VIRT_START, 0), -EINVAL);
    cr_assert_eq(pv_direct.write_va(v, d, 1UL << 47, 0), -EINVAL);
    /* Another CPU has just taken the L2 apart, and its frame says what its new owner likes. */
    fake_words(above_l1)[3] = fake_entry(MFN(max_mfn + 1), E_TABLE);
    cr_assert_eq(pv_direct.write_va(v, d, va, 0), -EINVAL);
    fake_words(above_l1)[3] = fake_entry(l1, E_TABLE);
}

TYPE_TEST(roots)
{
    mfn_t a = above(above(above(make_l1(1, E_RW, NULL)))), b = above(above(above(make_l1(1, E_RW, NULL))));
    struct vcpu *v = d->vcpu[0];

    cr_assert_eq(pv_direct.set_root(v, a, false), 0);
    cr_assert_eq(pv_direct.set_root(v, b, false), 0);
    cr_assert_eq(v->arch.cr3_kernel, mfn_to_maddr(b));
    cr_assert_not(fake_word(a) & FRAME_VALIDATED);
    cr_assert_eq(pv_direct.set_root(v, b, true), 0);
    cr_assert_eq(fake_uses(b), 2);
    cr_assert_eq(pv_direct.set_root(v, MFN(0), true), 0);
    cr_assert_eq(v->arch.cr3_user, 0);
    cr_assert_eq(pv_direct.set_root(v, MFN(0), false), -EINVAL);
    cr_assert_eq(pv_direct.set_root(v, fake_frame(other), false), -EINVAL);
    cr_assert_eq(v->arch.cr3_kernel, mfn_to_maddr(b));
    cr_assert_eq(fake_uses(b), 1);
}

/* ---- Translations ---- */

TYPE_TEST(flushed_before_a_new_type)
{
    mfn_t m = fake_frame(d);

    cr_assert_eq(get(m, FT_WRITABLE), 0);
    cr_assert_eq(fake_flushes, 0, "it had no type before");
    put_frame_type(m);
    cr_assert_eq(get(m, FT_WRITABLE), 0);
    cr_assert_eq(fake_flushes, 0, "the same type");
    put_frame_type(m);
    memset(fake_words(m), 0, PAGE_SIZE);
    cr_assert_eq(get(m, FT_L1), 0);
    cr_assert_eq(fake_flushes, 1, "a TLB may still let the guest write it");
    put_frame_type(m);
    cr_assert_eq(get(m, FT_WRITABLE), 0);
    cr_assert_eq(fake_flushes, 2, "a paging-structure cache may still walk it");
    put_frame_type(m);
    fake_flush();
    cr_assert_eq(get(m, FT_L1), 0);
    cr_assert_eq(fake_flushes, 2, "flushed already");
    put_frame_type(m);
}

TYPE_TEST(an_entry_dropped_is_a_use_ended)
{
    mfn_t first, l1 = make_l1(1, E_RW, &first);

    cr_assert_eq(get(l1, FT_L1), 0);
    fake_flush();
    cr_assert_eq(write_entry(d, l1, 0, 0), 0); /* and the guest doesn't flush */
    cr_assert_eq(fake_flushes, 0);
    cr_assert_eq(get(first, FT_L1), 0);
    cr_assert_eq(fake_flushes, 1);
    put_frame_type(first);
    put_frame_type(l1);
}

/* ---- Walks that stop ---- */

/* Calls until it is no -ERESTART; how often it was one. */
static unsigned int finish(int (*fn)(struct domain *, mfn_t, enum frame_type), mfn_t m, enum frame_type t,
                           int *rc)
{
    unsigned int n = 0;

    while ((*rc = fn(d, m, t)) == -ERESTART)
        cr_assert(++n < 10000);
    return n;
}

TYPE_TEST(validation_stops_and_goes_on)
{
    mfn_t l2, l1, l4 = make_tree(64, &l2, &l1);
    unsigned int n;
    int rc;

    fake_preempt_every = 0;
    n = finish(pin_table, l4, FT_L4, &rc);
    cr_assert_eq(rc, 0);
    cr_assert(n >= 60, "%u stops", n);
    cr_assert_eq(fake_uses(l1), 1);
    cr_assert_eq(check_machine(), 0);
}

TYPE_TEST(every_state_between_is_consistent)
{
    mfn_t l4 = make_tree(16, NULL, NULL);
    int rc;

    fake_preempt_every = 0;
    while ((rc = pin_table(d, l4, FT_L4)) == -ERESTART)
        cr_assert_eq(check_machine(), 0);
    cr_assert_eq(rc, 0);
    cr_assert_eq(unpin_table(d, l4), 0);
    do
        cr_assert_eq(check_machine(), 0);
    while (paging_finish(d));
    cr_assert_eq(d->undo_list, 0);
}

TYPE_TEST(a_half_validated_table_is_nothing_yet)
{
    mfn_t l2, l4 = make_tree(8, &l2, NULL), l1 = fake_frame(d), spare = make_l1(0, 0, NULL);

    fake_preempt_every = 0;
    cr_assert_eq(pin_table(d, l4, FT_L4), -ERESTART);
    cr_assert(fake_word(l2) & FRAME_PARTIAL);
    cr_assert_not(fake_word(l2) & FRAME_VALIDATED);
    cr_assert_eq(get(l2, FT_WRITABLE), -EINVAL);
    cr_assert_eq(get(l2, FT_L3), -EINVAL);
    cr_assert_eq(write_entry(d, l2, 0, fake_entry(spare, E_TABLE)), -EINVAL, "no entry changes meanwhile");
    fake_words(l1)[0] = fake_entry(l2, E_RW);
    cr_assert_eq(get(l1, FT_L1), -EBUSY);
    cr_assert(fake_word(l4) & FRAME_PARTIAL);
    cr_assert_not(fake_word(l4) & FRAME_PINNED);
    cr_assert_eq(unpin_table(d, l4), -EINVAL);
    cr_assert_eq(check_machine(), 0);
}

TYPE_TEST(somebody_else_goes_on_with_it)
{
    mfn_t l2, l4 = make_tree(8, &l2, NULL);
    int rc;

    fake_preempt_every = 0;
    cr_assert_eq(pin_table(d, l4, FT_L4), -ERESTART);
    (void)finish(pin_table, l2, FT_L2, &rc);
    cr_assert_eq(rc, 0);
    cr_assert_eq(fake_uses(l2), 1);
    cr_assert_eq(check_machine(), 0);
    (void)finish(pin_table, l4, FT_L4, &rc);
    cr_assert_eq(rc, 0);
    cr_assert_eq(fake_uses(l2), 2);
}

TYPE_TEST(a_guest_may_never_come_back)
{
    mfn_t l4 = make_tree(8, NULL, NULL);

    fake_preempt_every = 2;
    cr_assert_eq(pin_table(d, l4, FT_L4), -ERESTART);
    cr_assert_eq(check_machine(), 0);
    /* and the end of the domain drops what it holds: teardown() */
}

TYPE_TEST(undoing_stops_and_goes_on)
{
    mfn_t l2, l1, l4 = make_tree(64, &l2, &l1);
    unsigned int n = 0;

    cr_assert_eq(pin_table(d, l4, FT_L4), 0);
    fake_preempt_every = 0;
    cr_assert_eq(unpin_table(d, l4), 0);
    cr_assert_neq(d->undo_list, 0);
    cr_assert_eq(check_machine(), 0);
    while (paging_finish(d))
        n++;
    cr_assert(n > 50, "%u stops", n);
    cr_assert_eq(fake_uses(l1), 0);
    cr_assert_eq(fake_refs(l1), 1);
    cr_assert_eq(fake_uses(l4), 0);
    fake_preempt_every = ~0UL;
    cr_assert_eq(pin_table(d, l4, FT_L4), 0, "and it can be a table again");
}

TYPE_TEST(wanted_again_while_it_is_undone)
{
    mfn_t l2, l4 = make_tree(64, &l2, NULL);
    unsigned int n;
    int rc;

    cr_assert_eq(pin_table(d, l4, FT_L4), 0);
    fake_preempt_every = 0;
    cr_assert_eq(unpin_table(d, l4), 0);
    cr_assert_eq(get(l2, FT_WRITABLE), -EINVAL);
    cr_assert_eq(write_entry(d, l2, 0, 0), -EINVAL);
    n = finish(pin_table, l4, FT_L4, &rc);
    cr_assert_eq(rc, 0);
    cr_assert(n > 10, "%u stops", n);
    cr_assert(fake_word(l2) & FRAME_VALIDATED);
    cr_assert_eq(check_machine(), 0);
}

TYPE_TEST(an_error_late_in_a_long_walk)
{
    mfn_t l2, l4 = make_tree(64, &l2, NULL);
    int rc;

    fake_words(l2)[511] = fake_entry(fake_frame(other), E_TABLE);
    fake_preempt_every = 0;
    (void)finish(pin_table, l4, FT_L4, &rc);
    cr_assert_eq(rc, -EINVAL, "the error, not an endless -ERESTART");
    cr_assert_eq(check_machine(), 0);
    while (paging_finish(d))
        cr_assert_eq(check_machine(), 0);
    cr_assert_eq(fake_uses(l2), 0);
    cr_assert_eq(fake_refs(l4), 1);
}

TYPE_TEST(a_stopped_undo_frees_frames_given_back_meanwhile)
{
    mfn_t l1 = make_l1(512, E_RW, NULL);
    uint64_t pages = d->tot_pages;

    cr_assert_eq(pin_table(d, l1, FT_L1), 0);
    for (unsigned int i = 0; i < 512; i++)
        cr_assert(domain_frame_release(d, entry_mfn(fake_words(l1)[i])));
    cr_assert_eq(d->tot_pages, pages, "still mapped");
    fake_preempt_every = 0;
    cr_assert(domain_frame_release(d, l1));
    cr_assert_eq(unpin_table(d, l1), 0);
    while (paging_finish(d))
        cr_assert_eq(check_machine(), 0);
    cr_assert_eq(d->tot_pages, 0);
}

TYPE_TEST(the_end_in_any_state)
{
    for (unsigned int stop = 0; stop < 12; stop++) {
        mfn_t l4 = make_tree(6, NULL, NULL), l4b = make_tree(6, NULL, NULL);

        fake_preempt_every = ~0UL;
        cr_assert_eq(pin_table(d, l4b, FT_L4), 0);
        fake_preempt_every = stop;
        (void)!pin_table(d, l4, FT_L4);
        if (stop % 2)
            cr_assert_eq(unpin_table(d, l4b), 0);
        else
            map_walk(d, MFN(0));
        cr_assert_eq(check_machine(), 0);
        cr_assert(fake_domain_end(d), "stopped after %u", stop);
        cr_assert_eq(frames_free(), FAKE_RAM);
        d->dying = ALIVE;
    }
}

/* ---- The checker notices ---- */

static void expect_noticed(const char *what)
{
    cr_assert_neq(check_machine(), 0, "%s goes unnoticed", what);
}

static mfn_t seed_l1, seed_first;

static void seed(void)
{
    seed_l1 = make_l1(8, E_RW, &seed_first);
    cr_assert_eq(pin_table(d, seed_l1, FT_L1), 0);
    cr_assert_eq(check_machine(), 0);
}

Test(seeded, a_reference_too_many)
{
    seed();
    frame_of(seed_first)->word++;
    expect_noticed("a reference too many");
}

Test(seeded, a_reference_too_few)
{
    seed();
    frame_of(seed_first)->word--;
    expect_noticed("a reference too few");
}

Test(seeded, a_use_too_few)
{
    seed();
    frame_of(seed_first)->word -= FRAME_COUNT_ONE;
    expect_noticed("a use too few");
}

Test(seeded, a_writable_table)
{
    seed();
    fake_words(seed_l1)[1] = fake_entry(seed_l1, E_RW);
    expect_noticed("a table that is mapped writable");
}

Test(seeded, an_entry_nobody_checked)
{
    seed();
    fake_words(seed_l1)[100] = fake_entry(fake_frame(other), E_RO);
    expect_noticed("an entry that nobody checked");
}

Test(seeded, a_forbidden_bit)
{
    seed();
    fake_words(seed_l1)[0] |= 0x80;
    expect_noticed("a forbidden bit");
}

Test(seeded, a_lost_validated_bit)
{
    seed();
    frame_of(seed_l1)->word &= ~FRAME_VALIDATED;
    expect_noticed("a table in use and not validated");
}

Test(seeded, a_lock_left_behind)
{
    seed();
    frame_of(seed_l1)->word |= FRAME_LOCKED;
    expect_noticed("a lock left behind");
}

Test(seeded, a_broken_list)
{
    seed();
    frame_of(MFN(d->page_list))->next = (uint32_t)seed_l1.v;
    expect_noticed("a broken list");
}

Test(seeded, a_wrong_count_of_pages)
{
    seed();
    d->tot_pages++;
    expect_noticed("a wrong count of pages");
}

Test(seeded, an_owner_without_reference)
{
    mfn_t m = fake_frame(d);

    frame_of(m)->word = 0;
    expect_noticed("an owner without a reference");
}

Test(seeded, a_root_nobody_holds)
{
    seed();
    map_walk(d, seed_first);
    expect_noticed("a root that is no table");
}

Test(seeded, a_lost_free_frame)
{
    mfn_t m = fake_frame(d);

    cr_assert(domain_frame_release(d, m));
    frame_of(m)->owner = OWNER_HV;
    expect_noticed("a free frame with an owner");
}
