/* SPDX-License-Identifier: MIT
 *
 * physdev_op and platform_op: what domains ask of the machine. A vcpu has a virtual IOPL and an I/O bitmap;
 * interrupts and PCI devices of domain 0 (PIRQs) come with the physical drivers, and their sub-operations
 * answer as Xen does on a machine without them. Of platform_op only the wall clock is there, domain 0's to
 * set; the rest (microcode, MTRRs, power states) answers as Xen does where there is nothing behind it.
 */
#include "hypercall/hypercall.h"
#include <xen/physdev.h>
#include <xen/platform.h>

#define MAX_PORTS 65536

static long set_iopl(struct vcpu *v, uint32_t op, void *arg)
{
    uint32_t iopl = ((struct physdev_set_iopl *)arg)->iopl;

    if (iopl > 3)
        return refuse(-EINVAL, R_IOPL_RANGE, iopl, 0);
    v->arch.iopl = (uint64_t)iopl << 12;
    return 0;
}

static long set_iobitmap(struct vcpu *v, uint32_t op, void *arg)
{
    const struct physdev_set_iobitmap *map = arg;
    uint64_t addr = (uint64_t)map->bitmap.p;

    if (map->nr_ports > MAX_PORTS || !guest_range_ok(addr, 1))
        return refuse(-EINVAL, R_IOBITMAP, addr, map->nr_ports);
    v->arch.iobmp = addr;
    v->arch.iobmp_limit = map->nr_ports;
    return 0;
}

/* Nothing is pending and nothing needs an end-of-interrupt message. */
static long irq_status_query(struct vcpu *v, uint32_t op, void *arg)
{
    struct physdev_irq_status_query *query = arg;

    if (query->irq >= nr_pirqs(v->domain))
        return refuse(-EINVAL, R_PIRQ_RANGE, query->irq, 0);
    query->flags = 0;
    return 0;
}

static const struct sub_op ops[] = {
    [PHYSDEVOP_irq_status_query] = { .fn = irq_status_query, IN_OUT(struct physdev_irq_status_query) },
    [PHYSDEVOP_set_iopl] = { .fn = set_iopl, IN(struct physdev_set_iopl) },
    [PHYSDEVOP_set_iobitmap] = { .fn = set_iobitmap, IN(struct physdev_set_iobitmap) },
};

/* Sub-operations that have nothing to work on: bytes that must be there, the errnos for domain 0 and for
 * others. */
static const struct {
    uint8_t in;
    int8_t domain0, others;
} absent[] = {
    [PHYSDEVOP_eoi] = { sizeof(struct physdev_eoi), -EINVAL, -EINVAL },
    [PHYSDEVOP_pirq_eoi_gmfn_v1] = { sizeof(struct physdev_pirq_eoi_gmfn), -EINVAL, -EINVAL },
    [PHYSDEVOP_pirq_eoi_gmfn_v2] = { sizeof(struct physdev_pirq_eoi_gmfn), -EINVAL, -EINVAL },
    [PHYSDEVOP_apic_read] = { sizeof(struct physdev_apic), -EINVAL, -EPERM },
    [PHYSDEVOP_apic_write] = { sizeof(struct physdev_apic), -EINVAL, -EPERM },
    [PHYSDEVOP_alloc_irq_vector] = { sizeof(struct physdev_irq), -EINVAL, -EPERM },
    [PHYSDEVOP_map_pirq] = { sizeof(struct physdev_map_pirq), -EINVAL, -EPERM },
    [PHYSDEVOP_unmap_pirq] = { sizeof(struct physdev_unmap_pirq), -EINVAL, -EPERM },
    [PHYSDEVOP_manage_pci_add] = { sizeof(struct physdev_manage_pci), -ENODEV, -EPERM },
    [PHYSDEVOP_manage_pci_remove] = { sizeof(struct physdev_manage_pci), -ENODEV, -EPERM },
    [PHYSDEVOP_manage_pci_add_ext] = { sizeof(struct physdev_manage_pci_ext), -ENODEV, -EPERM },
    [PHYSDEVOP_restore_msi] = { sizeof(struct physdev_restore_msi), -ENODEV, -EPERM },
    [PHYSDEVOP_setup_gsi] = { sizeof(struct physdev_setup_gsi), -EEXIST, -EPERM },
    [PHYSDEVOP_get_free_pirq] = { sizeof(struct physdev_get_free_pirq), -ENOSPC, -ENOSPC },
    [PHYSDEVOP_pci_mmcfg_reserved] = { sizeof(struct physdev_pci_mmcfg_reserved), -ENODEV, -EPERM },
    [PHYSDEVOP_pci_device_add] = { sizeof(struct physdev_pci_device), -ENODEV, -EPERM },
    [PHYSDEVOP_pci_device_remove] = { sizeof(struct physdev_pci_device), -ENODEV, -EPERM },
    [PHYSDEVOP_restore_msi_ext] = { sizeof(struct physdev_pci_device), -ENODEV, -EPERM },
    [PHYSDEVOP_prepare_msix] = { sizeof(struct physdev_pci_device), -ENODEV, -EPERM },
    [PHYSDEVOP_release_msix] = { sizeof(struct physdev_pci_device), -ENODEV, -EPERM },
};

/* cmd: PHYSDEVOP_*; guest: its structure. */
long do_physdev_op(uint64_t cmd, uint64_t guest, uint64_t a3, uint64_t a4, uint64_t a5)
{
    uint32_t op = (uint32_t)cmd;
    bool privileged = current->domain->privileged;
    char arg[64];

    if (op == PHYSDEVOP_IRQ_UNMASK_NOTIFY)
        return 0; /* an old name for "tell me about unmasking", without an argument */
    if (op >= ARRAY_SIZE(absent) || !absent[op].in)
        return sub_op(__HYPERVISOR_physdev_op, ops, ARRAY_SIZE(ops), current, op, guest);
    if (copy_from_guest(arg, guest, absent[op].in))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    return refuse(privileged ? absent[op].domain0 : absent[op].others, R_NO_DEVICE, op, 0);
}

/* guest: struct xen_platform_op. */
long do_platform_op(uint64_t guest, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct xen_platform_op op;

    if (copy_from_guest(&op, guest, sizeof(op)))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
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
