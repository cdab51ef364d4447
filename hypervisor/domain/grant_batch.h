/* SPDX-License-Identifier: MIT
 *
 * Grant operations come in arrays, a status each. Structures are copied in whole, and out goes the status,
 * for a map also what follows it; between two entries the batch may stop and go on later.
 *
 * Inline for each operation, with its code: what a driver asks for at every request makes no calls here, and
 * the copies are a few moves.
 */
#pragma once

#include "hypercall/hypercall.h"
#include <xen/grant_table.h>

/* `one` does one, and gives its status. Structures of `size` bytes with the status at `status`, from whose
 * word on they go back if there is more than it (`results`); at `size`: there is none, an error ends the
 * array. */
static force_inline long grant_batch(struct vcpu *v, uint32_t cmd, uint64_t guest, uint32_t count,
                                     size_t size, size_t status, bool results,
                                     int (*one)(struct vcpu *v, void *op))
{
    size_t out = status & ~7UL;
    uint64_t op[sizeof(struct gnttab_copy) / 8]; /* the largest */
    int16_t result;
    int rc;

    if (unlikely(!count)) /* even so */
        return guest_range_ok(guest, 1) ? 0 : refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    for (;;) {
        if (unlikely(copy_from_guest(op, guest, size)))
            goto fault;
        rc = one(v, op);
        result = (int16_t)rc;
        if (status < size && !results) {
            guest_put_or(result, guest + status, fault);
        } else if (status < size) {
            *(int16_t *)(void *)((char *)op + status) = result;
            if (unlikely(copy_to_guest_nocheck(guest + out, (char *)op + out, size - out)))
                goto fault;
        } else if (rc) {
            return rc;
        }
        if (likely(!--count))
            return 0;
        guest += size;
        if (unlikely(preempt_pending()))
            return hypercall_restart(__HYPERVISOR_grant_table_op, 3, (uint64_t[]){ cmd, guest, count });
    }
fault:
    return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
}

#define GRANT_BATCH(v, cmd, type, one)                                                    \
    grant_batch(v, cmd, guest, count, sizeof(struct type), offsetof(struct type, status), \
                (cmd) == GNTTABOP_map_grant_ref, one)
