/* SPDX-License-Identifier: MIT
 *
 * Parador's address map, one place for all of it. L4 slots 256 to 271 are the hypervisor's by the ABI.
 *
 *   slot  address            what                                                 mapped
 *   256   ffff8000_00000000  machine-to-physical table, 8 bytes a frame           guests too, read-only
 *   257   ffff8080_00000000  per-CPU areas, 2 MiB each (x86/percpu.h)             Parador
 *   258   ffff8100_00000000  frame table, 24 bytes a frame (mm/frame.h)           Parador
 *   259   ffff8180_00000000  machine-to-physical table again, writable            Parador
 *   261   ffff8280_00000000  text and data of the image (parador.lds)             Parador, W^X
 *   262+  ffff8300_00000000  direct map of all memory (to slot 271: 5 TiB)        Parador, no execute
 *
 * Holes of the frame table read as zeros (frames with no owner and no reference), holes of the
 * machine-to-physical table as ~0 (no pfn).
 *
 * The L4 entries of these slots are the same in every address space and never change after boot, so a guest's
 * L4 gets a copy when it is validated, and no later change has to find it again.
 */
#pragma once

#define HV_FIRST_SLOT    256
#define HV_LAST_SLOT     271
#define HV_VIRT_START    0xffff800000000000
#define HV_VIRT_END      0xffff880000000000 /* first address after slot 271 */

#define M2P_VIRT         0xffff800000000000
#define PERCPU_VIRT      0xffff808000000000
#define FRAME_TABLE_VIRT 0xffff810000000000
#define M2P_RW_VIRT      0xffff818000000000
#define IMAGE_VIRT       0xffff828000000000
#define DIRECT_VIRT      0xffff830000000000
#define DIRECT_END       0xffff880000000000
#define IMAGE_MADDR      0x100000 /* where Multiboot puts the image; mapped at IMAGE_VIRT + IMAGE_MADDR */

#ifndef __ASSEMBLY__
#include "lib/types.h"

#ifdef HOST_TEST
void *maddr_to_virt(uint64_t maddr); /* the fake machine of the host tests */
uint64_t virt_to_maddr(const void *p);
#else
static inline void *maddr_to_virt(uint64_t maddr)
{
    return (void *)(maddr + DIRECT_VIRT);
}

/* Only for addresses in the direct map. */
static inline uint64_t virt_to_maddr(const void *p)
{
    return (uint64_t)p - DIRECT_VIRT;
}
#endif

static inline void *mfn_to_virt(mfn_t m)
{
    return maddr_to_virt(mfn_to_maddr(m));
}

static inline mfn_t virt_to_mfn(const void *p)
{
    return maddr_to_mfn(virt_to_maddr(p));
}
#endif
