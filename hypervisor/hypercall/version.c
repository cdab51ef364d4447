/* SPDX-License-Identifier: MIT
 *
 * xen_version: what a guest asks first. The answers are those of a Xen 4.17, because kernels choose their
 * ways by them; who wants to know whom it really talks to asks arch_0 (libpv/parador.h).
 *
 * XENVER_version is also the null hypercall of the benchmarks, so it comes before the table.
 */
#include "lib/types.h"
#include <xen/xen.h>
#include <xen/features.h>
#include <xen/version.h>
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "lib/string.h"
#include "mm/layout.h"
#include "x86/copy.h"
#include "x86/percpu.h"

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

static long platform_parameters(void *arg)
{
    ((struct xen_platform_parameters *)arg)->virt_start = HV_VIRT_START;
    return 0;
}

/* Rows by sub-operation: the structure's size and what it holds, a fixed text or what a function fills in. It
 * is zeroed before. */
static const struct version_op {
    uint32_t size;
    const char *text;
    long (*fill)(void *arg);
} version_ops[] = {
    [XENVER_extraversion] = { sizeof(xen_extraversion_t), ".7", NULL },
    [XENVER_compile_info] = { sizeof(xen_compile_info_t), "Parador", NULL },
    [XENVER_capabilities] = { sizeof(xen_capabilities_info_t), "xen-3.0-x86_64", NULL },
    [XENVER_changeset] = { sizeof(xen_changeset_info_t), "", NULL },
    [XENVER_platform_parameters] = { sizeof(xen_platform_parameters_t), NULL, platform_parameters },
    [XENVER_guest_handle] = { sizeof(xen_domain_handle_t), "", NULL },
    [XENVER_commandline] = { sizeof(xen_commandline_t), "", NULL },
};

/* No build id: Xen has one for domain 0, and refuses others. */
static long build_id(void)
{
    return current->domain->privileged
               ? refuse(-ENODATA, R_NO_BUILD_ID, 0, 0)
               : refuse(-EPERM, R_NOT_PRIVILEGED, __HYPERVISOR_xen_version, XENVER_build_id);
}

static __attribute__((noinline)) long version_op(uint32_t op, uint64_t arg)
{
    uint8_t buf[LARGEST] __attribute__((aligned(8)));
    const struct version_op *row;
    long rc;

    if (op == XENVER_pagesize)
        return arg ? refuse(-EINVAL, R_NOT_NULL, arg, 0) : (long)PAGE_SIZE;
    if (op == XENVER_build_id)
        return build_id();
    if (op >= ARRAY_SIZE(version_ops) || !version_ops[op].size)
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_xen_version, op);
    row = &version_ops[op];
    memset(buf, 0, row->size);
    if (row->text)
        memcpy(buf, row->text, strlen(row->text) + 1);
    rc = row->fill ? row->fill(buf) : 0;
    if (!rc && copy_to_guest(arg, buf, row->size))
        return refuse(-EFAULT, R_BAD_POINTER, arg, 0);
    return rc;
}

/* a1: XENVER_*; a2: its structure. */
long do_xen_version(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    (void)a3, (void)a4, (void)a5;
    if (likely((uint32_t)a1 == XENVER_version))
        return XEN_VERSION;
    if (likely((uint32_t)a1 == XENVER_get_features))
        return get_features(a2);
    return version_op((uint32_t)a1, a2);
}
