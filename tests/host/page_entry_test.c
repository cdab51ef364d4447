/* SPDX-License-Identifier: MIT
 *
 * Changes of page-table entries in validated tables, and the translations that have to be flushed for them.
 */
// sources: tests/host/fake_hv.c tests/host/page_trees.c hypervisor/mm/heap.c hypervisor/mm/domain_frames.c
// sources: hypervisor/mm/page_type.c hypervisor/mm/pv_direct.c hypervisor/mm/relinquish.c
// sources: hypervisor/mm/check.c hypervisor/domain/check.c hypervisor/mm/descriptor.c
#include <criterion/criterion.h>
#include <string.h>
#include "mm/paging.h"
#include "tests/host/page_trees.h"

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
    cr_assert_eq(pv_direct.write_va(v, va + 5 * PAGE_SIZE + 77, fake_entry(m, E_RW)), 0);
    cr_assert_eq(fake_words(l1)[5], fake_entry(m, E_RW));
    cr_assert_eq(guest_walk(v, va + 5 * PAGE_SIZE, &at), fake_entry(m, E_RW));
    cr_assert_eq(at, mfn_to_maddr(l1) + 40);
    cr_assert_eq(guest_walk(v, va, NULL), 0);
    cr_assert_eq(pv_direct.write_va(v, va + (1UL << 21), 0), -EINVAL);
    cr_assert_eq(pv_direct.write_va(v, va + (1UL << 30), 0), -EINVAL);
    cr_assert_eq(pv_direct.write_va(v, va + (1UL << 39), 0), -EINVAL);
    cr_assert_eq(pv_direct.write_va(v, HV_VIRT_START, 0), -EINVAL);
    cr_assert_eq(pv_direct.write_va(v, 1UL << 47, 0), -EINVAL);
    /* Another CPU has just taken the L2 apart, and its frame says what its new owner likes. */
    fake_words(above_l1)[3] = fake_entry(MFN(max_mfn + 1), E_TABLE);
    cr_assert_eq(pv_direct.write_va(v, va, 0), -EINVAL);
    fake_words(above_l1)[3] = fake_entry(l1, E_TABLE);
}

TYPE_TEST(roots)
{
    mfn_t a = above(above(above(make_l1(1, E_RW, NULL)))), b = above(above(above(make_l1(1, E_RW, NULL))));
    struct vcpu *v = d->vcpu[0];

    cr_assert_eq(pv_direct.set_root(v, a, false), 0);
    cr_assert_eq(pv_direct.set_root(v, b, false), 1);
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
