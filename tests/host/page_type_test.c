/* SPDX-License-Identifier: MIT
 *
 * Page types: one at a time, and what each kind of table may hold. Next: page_entry_test.c (changes of
 * entries), page_walk_test.c (walks that stop half-way), page_checker_test.c; page_type_random_test.c lets
 * chance do the same, on several CPUs.
 */
// sources: tests/host/fake_hv.c tests/host/page_trees.c hypervisor/mm/heap.c hypervisor/mm/domain_frames.c
// sources: hypervisor/mm/page_type.c hypervisor/mm/pv_direct.c hypervisor/mm/relinquish.c
// sources: hypervisor/mm/check.c hypervisor/domain/check.c hypervisor/mm/descriptor.c
#include <criterion/criterion.h>
#include <string.h>
#include "mm/paging.h"
#include "tests/host/page_trees.h"

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

/* Between heap_alloc()'s choice of an owner and the frame's first word of its own, another CPU may see both.
 */
TYPE_TEST(a_free_frame_is_not_pinned_whoever_owns_it)
{
    mfn_t m = fake_frame(d);
    uint64_t word;

    cr_assert(domain_frame_release(d, m));
    while (frames_scrub_step())
        ;
    word = fake_word(m);
    cr_assert(word & FREE_ZERO);
    frame_of(m)->owner = owner_of(d);
    cr_assert_eq(unpin_table(d, m), -EINVAL);
    cr_assert_not(get_frame(d, m));
    for (enum frame_type a = FT_L1; a <= FT_WRITABLE; a++)
        cr_assert_eq(get(m, a), -EINVAL);
    cr_assert_eq(fake_word(m), word);
    frame_of(m)->owner = OWNER_NONE;
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
