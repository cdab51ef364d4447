/* SPDX-License-Identifier: MIT
 *
 * pvkernel's page allocator and its small objects: nothing is given out twice, all of it comes back, buddies
 * merge, and who uses freed memory is found.
 */
// sources: pvkernel/core/page.c pvkernel/core/kalloc.c pvkernel/core/print.c
// sources: pvkernel/core/lock.c tests/host/fake_arch.c
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "pvkernel/core/arch.h"
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/page.h"
#include "tests/host/fake_arch.h"

#define PAGES 2048u

static void setup(void)
{
    fake_memory(PAGES);
    page_junk = true;
}

TestSuite(kalloc, .init = setup);

Test(kalloc, all_pages_once)
{
    static char *got[PAGES];
    cr_assert_eq(page_free_count(), PAGES);
    for (unsigned i = 0; i < PAGES; i++) {
        got[i] = page_alloc();
        cr_assert_not_null(got[i]);
        cr_assert_eq((uintptr_t)got[i] % PAGE_SIZE, 0);
        memset(got[i], (int)i, PAGE_SIZE);
    }
    cr_assert_null(page_alloc());
    for (unsigned i = 0; i < PAGES; i++)
        for (unsigned k = 0; k < PAGE_SIZE; k += 512)
            cr_assert_eq((unsigned char)got[i][k], (unsigned char)i);
    for (unsigned i = 0; i < PAGES; i++)
        page_put(got[i * 7 % PAGES]); /* 7 and 2048 have no common divisor: each once */
    cr_assert_eq(page_free_count(), PAGES);
}

Test(kalloc, buddies_merge_again)
{
    void *small[PAGES];
    for (unsigned i = 0; i < PAGES; i++)
        small[i] = page_alloc();
    cr_assert_null(pages_alloc(1));
    for (unsigned i = 0; i < PAGES; i++)
        page_put(small[i]);
    void *a = pages_alloc(PAGE_MAX_ORDER), *b = pages_alloc(PAGE_MAX_ORDER);
    cr_assert(a && b && a != b);
    cr_assert_eq((uintptr_t)a % (PAGE_SIZE << PAGE_MAX_ORDER), 0);
    page_put(a);
    page_put(b);
    cr_assert_null(pages_alloc(PAGE_MAX_ORDER + 1));
}

Test(kalloc, orders_are_aligned_and_apart)
{
    char *block[PAGE_MAX_ORDER];
    for (unsigned o = 0; o < PAGE_MAX_ORDER; o++) {
        block[o] = pages_alloc(o);
        cr_assert_not_null(block[o]);
        cr_assert_eq((uintptr_t)block[o] % (PAGE_SIZE << o), 0);
        memset(block[o], (int)o + 1, PAGE_SIZE << o);
    }
    for (unsigned o = 0; o < PAGE_MAX_ORDER; o++) {
        cr_assert_eq(block[o][0], (char)(o + 1));
        cr_assert_eq(block[o][(PAGE_SIZE << o) - 1], (char)(o + 1));
        page_put(block[o]);
    }
    cr_assert_eq(page_free_count(), PAGES);
}

Test(kalloc, a_shared_page_lives_until_the_last_put)
{
    void *p = page_alloc();
    page_get(p);
    page_put(p);
    cr_assert_eq(page_free_count(), PAGES - 1);
    page_put(p);
    cr_assert_eq(page_free_count(), PAGES);
}

Test(kalloc, freeing_twice_is_found, .signal = SIGABRT)
{
    void *p = page_alloc();
    page_put(p);
    page_put(p);
}

Test(kalloc, writing_after_freeing_is_found, .signal = SIGABRT)
{
    char *p = page_alloc();
    page_put(p);
    p[5] = 1;
    for (unsigned i = 0; i < PAGES; i++)
        page_alloc();
}

Test(kalloc, a_foreign_address_is_found, .signal = SIGABRT)
{
    static char mine[1];
    page_put(mine);
}

Test(kalloc, small_objects_are_apart_and_aligned)
{
    static const size_t sizes[] = { 1, 16, 17, 100, 500, 1000, 2048, 2049, 4096, 10000 };
    char *object[sizeof(sizes) / sizeof(*sizes)][20];
    unsigned n = sizeof(sizes) / sizeof(*sizes);
    for (unsigned s = 0; s < n; s++)
        for (unsigned i = 0; i < 20; i++) {
            object[s][i] = kalloc(sizes[s]);
            cr_assert_not_null(object[s][i]);
            cr_assert_eq((uintptr_t)object[s][i] % 16, 0);
            memset(object[s][i], (int)(s * 20 + i), sizes[s]);
        }
    for (unsigned s = 0; s < n; s++)
        for (unsigned i = 0; i < 20; i++) {
            for (size_t k = 0; k < sizes[s]; k++)
                cr_assert_eq((unsigned char)object[s][i][k], (unsigned char)(s * 20 + i));
            kfree(object[s][i]);
        }
    cr_assert_eq(page_free_count(), PAGES, "all slabs went back");
    size_t objects, pages;
    kalloc_figures(&objects, &pages);
    cr_assert_eq(objects, 0);
    cr_assert_eq(pages, 0);
}

/* Random sizes and lifetimes; each object keeps a mark of its own at both ends. */
Test(kalloc, random_lifetimes)
{
    static struct {
        unsigned char *p;
        size_t size;
        unsigned char mark;
    } slot[200];
    unsigned seed = 1;
    for (unsigned round = 0; round < 20000; round++) {
        seed = seed * 1103515245 + 12345;
        unsigned i = (seed >> 16) % 200;
        if (slot[i].p) {
            cr_assert_eq(slot[i].p[0], slot[i].mark);
            cr_assert_eq(slot[i].p[slot[i].size - 1], slot[i].mark);
            kfree(slot[i].p);
            slot[i].p = NULL;
        } else {
            slot[i].size = 1 + (seed >> 8) % 5000;
            slot[i].mark = (unsigned char)round;
            slot[i].p = kzalloc(slot[i].size);
            cr_assert_not_null(slot[i].p);
            for (size_t k = 0; k < slot[i].size; k++)
                cr_assert_eq(slot[i].p[k], 0);
            slot[i].p[0] = slot[i].p[slot[i].size - 1] = slot[i].mark;
        }
    }
    for (unsigned i = 0; i < 200; i++)
        kfree(slot[i].p);
    cr_assert_eq(page_free_count(), PAGES);
}

Test(kalloc, no_memory_is_no_disaster)
{
    while (kalloc(2048))
        ;
    cr_assert_null(kalloc(2000));
    cr_assert_null(kalloc(5000));
    cr_assert_null(kzalloc(16));
    cr_assert_null(kalloc((size_t)1 << 40));
    kfree(NULL);
}
