/* SPDX-License-Identifier: MIT
 *
 * Bits of page-table entries, Intel SDM vol. 3, 4.5.
 */
#ifndef X86_PTE_H
#define X86_PTE_H

#define PTE_P     0x001ULL
#define PTE_RW    0x002ULL
#define PTE_US    0x004ULL
#define PTE_PWT   0x008ULL
#define PTE_PCD   0x010ULL
#define PTE_A     0x020ULL
#define PTE_D     0x040ULL
#define PTE_PS    0x080ULL /* in L2 and L3: a large page */
#define PTE_PAT   0x080ULL /* in L1 */
#define PTE_G     0x100ULL
#define PTE_AVAIL 0xe00ULL
#define PTE_NX    0x8000000000000000ULL
#define PTE_ADDR  0x000ffffffffff000ULL

#endif
