/* SPDX-License-Identifier: MIT
 *
 * physdev_op: the virtual IOPL and I/O bitmap of a vcpu. Interrupts and PCI devices of domain 0 (PIRQs) come
 * with the physical drivers; their sub-operations are rows to fill, and answer as Xen does on a machine
 * without them.
 */
#include "lib/types.h"
#include <xen/xen.h>
#include <xen/physdev.h>
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "x86/copy.h"
#include "x86/percpu.h"

#define LAST_OP   32
#define MAX_PORTS 65536

/* v is the caller; arg the structure, copied in already. */
static long set_iopl(struct vcpu *v, void *arg)
{
    uint32_t iopl = ((struct physdev_set_iopl *)arg)->iopl;

    if (iopl > 3)
        return refuse(-EINVAL, R_IOPL_RANGE, iopl, 0);
    v->arch.iopl = iopl;
    return 0;
}

static long set_iobitmap(struct vcpu *v, void *arg)
{
    const struct physdev_set_iobitmap *map = arg;
    uint64_t addr = (uint64_t)map->bitmap.p;

    if (map->nr_ports > MAX_PORTS || !guest_range_ok(addr, DIV_ROUND_UP(map->nr_ports, 8)))
        return refuse(-EINVAL, R_IOBITMAP, addr, map->nr_ports);
    v->arch.iobmp = addr;
    v->arch.iobmp_limit = map->nr_ports;
    return 0;
}

/* Nothing is pending and nothing needs an end-of-interrupt message. */
static long irq_status_query(struct vcpu *v, void *arg)
{
    (void)v;
    ((struct physdev_irq_status_query *)arg)->flags = 0;
    return 0;
}

/* Sub-operations: bytes to copy in, bytes to copy out, and who does it; or the errno of one that has nothing
 * to work on, for domain 0 and for others. */
static const struct physdev_row {
    uint16_t in, out;
    long (*fn)(struct vcpu *v, void *arg);
    int16_t errno0, errno_other;
} rows[LAST_OP] = {
    [PHYSDEVOP_irq_status_query] = { sizeof(struct physdev_irq_status_query),
                                     sizeof(struct physdev_irq_status_query), irq_status_query, 0, 0 },
    [PHYSDEVOP_set_iopl] = { sizeof(struct physdev_set_iopl), 0, set_iopl, 0, 0 },
    [PHYSDEVOP_set_iobitmap] = { sizeof(struct physdev_set_iobitmap), 0, set_iobitmap, 0, 0 },
    [PHYSDEVOP_eoi] = { sizeof(struct physdev_eoi), 0, NULL, -EINVAL, -EINVAL },
    [PHYSDEVOP_pirq_eoi_gmfn_v1] = { sizeof(struct physdev_pirq_eoi_gmfn), 0, NULL, -EINVAL, -EINVAL },
    [PHYSDEVOP_pirq_eoi_gmfn_v2] = { sizeof(struct physdev_pirq_eoi_gmfn), 0, NULL, -EINVAL, -EINVAL },
    [PHYSDEVOP_apic_read] = { sizeof(struct physdev_apic), 0, NULL, -EINVAL, -EPERM },
    [PHYSDEVOP_apic_write] = { sizeof(struct physdev_apic), 0, NULL, -EINVAL, -EPERM },
    [PHYSDEVOP_alloc_irq_vector] = { sizeof(struct physdev_irq), 0, NULL, -EINVAL, -EPERM },
    [PHYSDEVOP_map_pirq] = { sizeof(struct physdev_map_pirq), 0, NULL, -EINVAL, -EPERM },
    [PHYSDEVOP_unmap_pirq] = { sizeof(struct physdev_unmap_pirq), 0, NULL, -EINVAL, -EPERM },
    [PHYSDEVOP_manage_pci_add] = { sizeof(struct physdev_manage_pci), 0, NULL, -ENODEV, -EPERM },
    [PHYSDEVOP_manage_pci_remove] = { sizeof(struct physdev_manage_pci), 0, NULL, -ENODEV, -EPERM },
    [PHYSDEVOP_manage_pci_add_ext] = { sizeof(struct physdev_manage_pci_ext), 0, NULL, -ENODEV, -EPERM },
    [PHYSDEVOP_restore_msi] = { sizeof(struct physdev_restore_msi), 0, NULL, -ENODEV, -EPERM },
    [PHYSDEVOP_setup_gsi] = { sizeof(struct physdev_setup_gsi), 0, NULL, -EEXIST, -EPERM },
    [PHYSDEVOP_get_free_pirq] = { sizeof(struct physdev_get_free_pirq), 0, NULL, -ENOSPC, -ENOSPC },
    [PHYSDEVOP_pci_mmcfg_reserved] = { sizeof(struct physdev_pci_mmcfg_reserved), 0, NULL, -ENODEV, -EPERM },
    [PHYSDEVOP_pci_device_add] = { sizeof(struct physdev_pci_device), 0, NULL, -ENODEV, -EPERM },
    [PHYSDEVOP_pci_device_remove] = { sizeof(struct physdev_pci_device), 0, NULL, -ENODEV, -EPERM },
    [PHYSDEVOP_restore_msi_ext] = { sizeof(struct physdev_pci_device), 0, NULL, -ENODEV, -EPERM },
    [PHYSDEVOP_prepare_msix] = { sizeof(struct physdev_pci_device), 0, NULL, -ENODEV, -EPERM },
    [PHYSDEVOP_release_msix] = { sizeof(struct physdev_pci_device), 0, NULL, -ENODEV, -EPERM },
};

/* a1: PHYSDEVOP_*; a2: its structure. */
long do_physdev_op(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    uint8_t arg[64] __attribute__((aligned(8)));
    const struct physdev_row *row;
    struct vcpu *v = current;
    uint32_t op = (uint32_t)a1;
    long rc;

    (void)a3, (void)a4, (void)a5;
    if (op == PHYSDEVOP_IRQ_UNMASK_NOTIFY)
        return 0; /* an old name for "tell me about unmasking", without an argument */
    if (op >= LAST_OP || !rows[op].in)
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_physdev_op, op);
    row = &rows[op];
    if (copy_from_guest(arg, a2, row->in))
        return refuse(-EFAULT, R_BAD_POINTER, a2, 0);
    if (!row->fn)
        return refuse(v->domain->privileged ? row->errno0 : row->errno_other, R_NO_DEVICE, op, 0);
    rc = row->fn(v, arg);
    if (!rc && row->out && copy_to_guest(a2, arg, row->out))
        return refuse(-EFAULT, R_BAD_POINTER, a2, 0);
    return rc;
}
