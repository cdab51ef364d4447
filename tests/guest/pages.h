/* SPDX-License-Identifier: MIT
 *
 * Short forms for the tests of page tables. All end the test with `error` when they can't do their work.
 */
#pragma once

#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "tests/guest/test.h"

#define NOWHERE 0x7000000000UL /* no table maps it */

/* A zeroed page, mapped writable; the same but read-only, to become a table. */
uint64_t *test_page(void);
uint64_t *test_table_page(void);
void test_readonly(void *page, bool readonly);

/* One mmuext_op for a page of the linear mapping. Its errno. */
long test_mmuext(unsigned int cmd, const void *page);
/* The same for any frame number. */
long test_mmuext_mfn(unsigned int cmd, unsigned long frame);
#define test_pin(level, page) test_mmuext(MMUEXT_PIN_L1_TABLE + (level)-1, page)
#define test_unpin(page)      test_mmuext(MMUEXT_UNPIN_TABLE, page)

/* One mmu_update: `entry` in the linear mapping. Its errno. */
long test_update(unsigned int cmd, const uint64_t *entry, uint64_t val);

/* A page's frame goes back to the hypervisor; its number. */
unsigned long test_give_back(void);
/* A frame number that exists but isn't this domain's, nor I/O memory. */
unsigned long test_foreign_mfn(void);

static inline uint64_t test_pte(const void *page, uint64_t flags)
{
    return pv_pte(pv_virt_to_mfn(page), flags);
}
