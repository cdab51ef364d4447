/* SPDX-License-Identifier: MIT
 *
 * vm_assist: switches for the ways in which Parador helps a guest. Their meaning is where they are asked for:
 * writable_pagetables (mm/), architectural_iopl (x86/ iret), pae_extended_cr3 (a bit of XENVER_get_features),
 * runstate_update_flag (domain/time.c). 4gb_segments is for 32-bit guests, and means nothing here.
 */
#include "lib/types.h"
#include <xen/xen.h>
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "x86/percpu.h"

#define ASSISTS                                                                   \
    (1u << VMASST_TYPE_4gb_segments | 1u << VMASST_TYPE_4gb_segments_notify |     \
     1u << VMASST_TYPE_writable_pagetables | 1u << VMASST_TYPE_pae_extended_cr3 | \
     1u << VMASST_TYPE_architectural_iopl | 1u << VMASST_TYPE_runstate_update_flag)

/* a1: VMASST_CMD_*; a2: VMASST_TYPE_*. Both are 32-bit numbers. m2p_strict (type 32) is accepted: our M2P is
 * never mapped for guest users anyway. */
long do_vm_assist(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct domain *d = current->domain;
    uint32_t cmd = (uint32_t)a1, type = (uint32_t)a2;

    (void)a3, (void)a4, (void)a5;
    if (cmd != VMASST_CMD_enable && cmd != VMASST_CMD_disable)
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_vm_assist, cmd);
    if (type == VMASST_TYPE_m2p_strict)
        return 0;
    if (type >= 32 || !(ASSISTS >> type & 1))
        return refuse(-EINVAL, R_NO_SUCH_ASSIST, type, 0);
    if (cmd == VMASST_CMD_enable)
        __atomic_fetch_or(&d->vm_assist, 1u << type, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&d->vm_assist, ~(1u << type), __ATOMIC_RELAXED);
    return 0;
}
