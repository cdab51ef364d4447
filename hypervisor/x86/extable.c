/* SPDX-License-Identifier: MIT
 *
 * Instructions of Parador that may fault, and where to go on if they do: pairs of self-relative offsets that
 * the linker collects (x86/copy.h shows an entry). A few dozen rows, and a fault is rare: searched from the
 * start.
 */
#include "x86/trap.h"

struct row {
    int32_t insn, fixup;
};

extern const struct row __extable_start[], __extable_end[];

uint64_t extable_find(uint64_t rip)
{
    for (const struct row *r = __extable_start; r < __extable_end; r++) {
        if ((uint64_t)&r->insn + (uint64_t)(int64_t)r->insn == rip)
            return (uint64_t)&r->fixup + (uint64_t)(int64_t)r->fixup;
    }
    return 0;
}
