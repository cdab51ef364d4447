/* SPDX-License-Identifier: MIT
 *
 * Bits of page-table entries, Intel SDM vol. 3, 4.5.
 */
#pragma once

#define PTE_P            0x001ULL
#define PTE_RW           0x002ULL
#define PTE_US           0x004ULL
#define PTE_CACHE        0x098ULL /* PWT, PCD, PAT: for domains with devices */
#define PTE_A            0x020ULL
#define PTE_D            0x040ULL
#define PTE_PS           0x080ULL /* in L2 and L3: a large page (in L1: PAT) */
#define PTE_G            0x100ULL /* in an L1 entry; means nothing while CR4.PGE is off */
#define PTE_AVAIL        0xe00ULL
#define PTE_AVAIL_SHIFT  9
#define PTE_AVAIL_HIGH   (0x7ffULL << 52)
#define PTE_GUEST_KERNEL (1ULL << 52) /* ours: the guest did not set the user bit (abi 5) */
#define PTE_NX           (1ULL << 63)
#define PTE_ADDR         0x000ffffffffff000ULL
