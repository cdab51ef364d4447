/* SPDX-License-Identifier: MIT
 *
 * The machine-to-physical table: for each frame the number that its owner calls it. Guests read it at
 * M2P_VIRT, Parador writes it at M2P_RW_VIRT; nothing in Parador depends on what it says.
 */
#include "mm/frame.h"
#include "mm/layout.h"

#ifdef HOST_TEST
extern uint64_t *m2p_table; /* the fake machine */
#else
#define m2p_table ((uint64_t *)M2P_RW_VIRT)
#endif

void m2p_set(mfn_t m, pfn_t p)
{
    if (mfn_valid(m))
        WRITE_ONCE(m2p_table[m.v], p.v);
}

pfn_t m2p_get(mfn_t m)
{
    return mfn_valid(m) ? PFN(READ_ONCE(m2p_table[m.v])) : INVALID_PFN;
}
