/* SPDX-License-Identifier: MIT
 *
 * platform_op: what domain 0 asks of the machine. Only the wall clock is its to set; the rest (microcode,
 * MTRRs, power states) has no row, and answers as Xen does where there is nothing behind it.
 */
#include "lib/types.h"
#include <xen/xen.h>
#include <xen/platform.h>
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "x86/copy.h"
#include "x86/percpu.h"

/* a1: struct xen_platform_op. */
long do_platform_op(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct xen_platform_op op;

    (void)a2, (void)a3, (void)a4, (void)a5;
    if (copy_from_guest(&op, a1, sizeof(op)))
        return refuse(-EFAULT, R_BAD_POINTER, a1, 0);
    if (op.interface_version != XENPF_INTERFACE_VERSION)
        return refuse(-EACCES, R_INTERFACE_VERSION, op.interface_version, XENPF_INTERFACE_VERSION);
    if (!current->domain->privileged)
        return refuse(-EPERM, R_NOT_PRIVILEGED, __HYPERVISOR_platform_op, op.cmd);
    switch (op.cmd) {
    case XENPF_settime32:
        time_set_wallclock(op.u.settime32.secs, op.u.settime32.nsecs, op.u.settime32.system_time);
        return 0;
    case XENPF_settime64:
        if (op.u.settime64.mbz)
            return refuse(-EINVAL, R_RESERVED_BITS, op.u.settime64.mbz, 0);
        time_set_wallclock(op.u.settime64.secs, op.u.settime64.nsecs, op.u.settime64.system_time);
        return 0;
    default:
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_platform_op, op.cmd);
    }
}
