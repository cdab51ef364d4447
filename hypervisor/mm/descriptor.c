/* SPDX-License-Identifier: MIT
 *
 * What a guest may put in its descriptor tables: code and data segments of ring 3, and call gates that lead
 * to ring 3. System descriptors (TSS, LDT, interrupt gates) would let it load our state, so they are refused;
 * a descriptor that is not present faults at every use and is harmless. Source: Intel SDM
 * 3A 3.4.5, 3.5, 5.8.3; the DPL fix-up as stock Xen does it, because all of a 64-bit guest runs in ring 3.
 *
 * Invariant: a frame of type FT_DESC holds nothing but descriptors that passed here. hypercall/descriptor.c
 * is the way to change one.
 */
#include "mm/descriptor.h"
#include <xen/xen.h>

#define DESC_P         (1ULL << 47)
#define DESC_DPL       (3ULL << 45)
#define DESC_S         (1ULL << 44) /* code or data, not a system descriptor */
#define DESC_TYPE      (15ULL << 40)
#define TYPE_CALL_GATE (12ULL << 40)
#define GATE_RESERVED  (0xe0ULL << 32)

/* A call gate's target: a code selector of ring 3, in the guest's part of the GDT, in the LDT, or one of the
 * ABI's flat ones. */
static bool gate_target_ok(uint16_t sel)
{
    if ((sel & 3) != 3)
        return false;
    return (sel & 4) || sel >> 3 < FIRST_RESERVED_GDT_ENTRY || sel == FLAT_RING3_CS32 ||
           sel == FLAT_RING3_CS64;
}

bool descriptor_check(uint64_t *desc)
{
    uint64_t d = *desc;

    if (!(d & DESC_P))
        return true;
    if (!(d & DESC_S) && (d & DESC_TYPE)) {
        if ((d & DESC_TYPE) != TYPE_CALL_GATE || (d & GATE_RESERVED) || !gate_target_ok((uint16_t)(d >> 16)))
            return false;
    }
    *desc = d | DESC_DPL;
    return true;
}

bool descriptor_check_frame(uint64_t *entries)
{
    for (unsigned int i = 0; i < 512; i++) {
        uint64_t d = entries[i];

        if (!descriptor_check(&d))
            return false;
        if (d != entries[i])
            entries[i] = d;
    }
    return true;
}
