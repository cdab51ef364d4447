/* SPDX-License-Identifier: MIT
 *
 * xen_version and vm_assist: what a guest asks first. The answers are those of a Xen 4.17, because kernels
 * choose their ways by them; who wants to know whom it really talks to asks arch_0 (libpv/parador.h).
 *
 * XENVER_version is also the null hypercall of the benchmarks, so it comes before the table.
 */
#include "hypercall/hypercall.h"
#include <xen/features.h>
#include <xen/version.h>
#include "lib/string.h"
#include "x86/trap.h"

#define XEN_VERSION (4 << 16 | 17)
#define LARGEST     sizeof(xen_capabilities_info_t)
#define FEATURES_PV                                                                  \
    (1u << XENFEAT_mmu_pt_update_preserve_ad | 1u << XENFEAT_highmem_assist |        \
     1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_memory_op_vnode_supported | \
     1u << XENFEAT_direct_mapped)

/* By words, without the table: also the benchmarks' hypercall with 8 bytes in and out. */
static long get_features(uint64_t arg)
{
    const struct domain *d = current->domain;
    uint64_t info, map = FEATURES_PV; /* struct xen_feature_info: submap_idx below, submap above */

    if (get_guest_u64(&info, arg))
        return refuse(-EFAULT, R_BAD_POINTER, arg, 0);
    if ((uint32_t)info >= XENFEAT_NR_SUBMAPS)
        return refuse(-EINVAL, R_NO_SUCH_SUBMAP, (uint32_t)info, 0);
    if (d->vm_assist >> VMASST_TYPE_pae_extended_cr3 & 1)
        map |= 1u << XENFEAT_pae_pgdir_above_4gb;
    if (d->privileged)
        map |= 1u << XENFEAT_dom0;
    if (put_guest_u64((uint32_t)info | map << 32, arg))
        return refuse(-EFAULT, R_BAD_POINTER, arg, 0);
    return 0;
}

/* The structure's size and the text that it holds, the rest is zero. */
static const struct {
    uint32_t size;
    const char *text;
} texts[] = {
    [XENVER_extraversion] = { sizeof(xen_extraversion_t), ".7" },
    [XENVER_compile_info] = { sizeof(xen_compile_info_t), "Parador" },
    [XENVER_capabilities] = { sizeof(xen_capabilities_info_t), "xen-3.0-x86_64" },
    [XENVER_changeset] = { sizeof(xen_changeset_info_t), "" },
    [XENVER_guest_handle] = { sizeof(xen_domain_handle_t), "" },
    [XENVER_commandline] = { sizeof(xen_commandline_t), "" },
};

static __attribute__((noinline)) long other_op(uint32_t op, uint64_t guest)
{
    char buf[LARGEST];
    uint32_t len;

    switch (op) {
    case XENVER_pagesize:
        return guest ? refuse(-EINVAL, R_NOT_NULL, guest, 0) : (long)PAGE_SIZE;
    case XENVER_build_id: /* Xen has one for domain 0, and refuses others */
        if (!current->domain->privileged)
            return refuse(-EPERM, R_NOT_PRIVILEGED, __HYPERVISOR_xen_version, op);
        if (guest && copy_from_guest(&len, guest, sizeof(len)))
            return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
        return refuse(guest && !len ? -EINVAL : -ENODATA, R_NO_BUILD_ID, 0, 0);
    case XENVER_platform_parameters:
        return put_guest_u64(HV_VIRT_START, guest) ? refuse(-EFAULT, R_BAD_POINTER, guest, 0) : 0;
    default:
        if (op >= ARRAY_SIZE(texts) || !texts[op].size)
            return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_xen_version, op);
        len = texts[op].size;
        if (op == XENVER_commandline && !current->domain->privileged)
            len = sizeof("<denied>"); /* Xen's answer to others, and no longer */
        memset(buf, 0, len);
        memcpy(buf, texts[op].text, strlen(texts[op].text));
        return copy_to_guest(guest, buf, len) ? refuse(-EFAULT, R_BAD_POINTER, guest, 0) : 0;
    }
}

/* op: XENVER_*; guest: its structure. */
long do_xen_version(uint64_t op, uint64_t guest, uint64_t a3, uint64_t a4, uint64_t a5)
{
    if (likely((uint32_t)op == XENVER_version))
        return XEN_VERSION;
    if (likely((uint32_t)op == XENVER_get_features))
        return get_features(guest);
    return other_op((uint32_t)op, guest);
}

#define ASSISTS                                                                   \
    (1u << VMASST_TYPE_4gb_segments | 1u << VMASST_TYPE_4gb_segments_notify |     \
     1u << VMASST_TYPE_writable_pagetables | 1u << VMASST_TYPE_pae_extended_cr3 | \
     1u << VMASST_TYPE_architectural_iopl | 1u << VMASST_TYPE_runstate_update_flag)

/* command: VMASST_CMD_*; which: VMASST_TYPE_*, both 32-bit numbers. Switches for the ways in which Parador
 * helps a guest. Their meaning is where they are asked for: writable_pagetables (mm/), architectural_iopl
 * (iopl_shown), pae_extended_cr3 (a bit of XENVER_get_features), runstate_update_flag (domain/time.c).
 * 4gb_segments is for 32-bit guests, and means nothing here. m2p_strict (type 32) is accepted: our M2P is
 * never mapped for guest users anyway. */
long do_vm_assist(uint64_t command, uint64_t which, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct domain *d = current->domain;
    uint32_t cmd = (uint32_t)command, type = (uint32_t)which;

    if (type != VMASST_TYPE_m2p_strict && (type >= 32 || !(ASSISTS >> type & 1)))
        return refuse(-EINVAL, R_NO_SUCH_ASSIST, type, 0);
    if (cmd != VMASST_CMD_enable && cmd != VMASST_CMD_disable)
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_vm_assist, cmd);
    if (type == VMASST_TYPE_m2p_strict)
        return 0;
    if (cmd == VMASST_CMD_enable)
        __atomic_fetch_or(&d->vm_assist, 1u << type, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&d->vm_assist, ~(1u << type), __ATOMIC_RELAXED);
    if (type == VMASST_TYPE_architectural_iopl)
        WRITE_ONCE(d->iopl_shown, cmd == VMASST_CMD_enable ? RFLAGS_IOPL : 0);
    return 0;
}
