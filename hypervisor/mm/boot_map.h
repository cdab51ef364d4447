/* SPDX-License-Identifier: MIT
 *
 * Between mm/frame.c and mm/boot_map.c: memory and tables before the heap is there.
 */
#ifndef MM_BOOT_MAP_H
#define MM_BOOT_MAP_H

#include "lib/types.h"
#include "mm/paging.h"

struct boot_info;

/* One zeroed page below 4 GiB, for good; its machine address. Before the heap is there. */
uint64_t boot_frame(const struct boot_info *bi);
/* Counts frames that were Parador's before the heap was there. */
void heap_count_boot(uint64_t frames);

/* Machine-to-physical table: guests may read it through slot 256, whose L4 entry isn't writable; Parador
 * writes through slot 259, whose L4 entry isn't the user's. The tables below are shared and allow both. */
#define HV_M2P (HV_RW | 4)

#endif
