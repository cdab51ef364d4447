/* SPDX-License-Identifier: MIT
 *
 * set_gdt and update_descriptor: a guest's descriptor tables. The frames have the type FT_DESC, which
 * excludes writable mappings; single descriptors change here, after mm/descriptor.c agreed.
 */
#include "hypercall/hypercall.h"
#include "lib/string.h"
#include "mm/descriptor.h"
#include "mm/frame.h"
#include "x86/cpu.h"
#include "x86/descriptor.h"

static void put_gdt_frames(const uint64_t *mfns, unsigned int n)
{
    while (n--)
        put_frame_type(MFN(mfns[n]));
}

static unsigned int gdt_frames(uint64_t entries)
{
    return (unsigned int)DIV_ROUND_UP(entries, 512);
}

void gdt_release(struct vcpu *v)
{
    put_gdt_frames(v->arch.gdt_mfns, gdt_frames(v->arch.gdt_entries));
    v->arch.gdt_entries = 0;
}

int gdt_set(struct vcpu *v, const uint64_t *mfns, uint32_t entries)
{
    unsigned int n = gdt_frames(entries), old_n = gdt_frames(v->arch.gdt_entries);
    uint64_t old[GDT_GUEST_FRAMES];

    for (unsigned int i = 0; i < n; i++) {
        int rc = get_frame_type(v->domain, MFN(mfns[i]), FT_DESC);

        if (rc) {
            put_gdt_frames(mfns, i);
            return rc;
        }
        cpu_window(); /* each is looked through; begun anew it might never come to its end */
    }
    memcpy(old, v->arch.gdt_mfns, sizeof(old));
    for (unsigned int i = 0; i < GDT_GUEST_FRAMES; i++)
        v->arch.gdt_mfns[i] = i < n ? mfns[i] : 0;
    v->arch.gdt_entries = entries;
    if (v == current)
        gdt_load(v);
    put_gdt_frames(old, old_n); /* the CPU has let go of them */
    return 0;
}

/* set_gdt(frames, entries): source arch-x86/xen.h. */
long do_set_gdt(uint64_t frames, uint64_t entries, uint64_t a3, uint64_t a4, uint64_t a5)
{
    uint64_t mfns[GDT_GUEST_FRAMES];
    int rc;

    entries = (uint32_t)entries;
    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return refuse(-EINVAL, R_GDT_TOO_LONG, entries, 0);
    if (entries && copy_from_guest(mfns, frames, gdt_frames(entries) * sizeof(mfns[0])))
        return refuse(-EFAULT, R_BAD_POINTER, frames, 0);
    rc = gdt_set(current, mfns, (uint32_t)entries);
    return rc == -ERESTART ? hypercall_restart(__HYPERVISOR_set_gdt, 0, NULL) : rc;
}

/* update_descriptor(machine address, descriptor): a table in use (FT_DESC), or any page of the caller's that
 * may be written. */
long do_update_descriptor(uint64_t maddr, uint64_t desc, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct domain *d = current->domain;
    mfn_t m = maddr_to_mfn(maddr);
    enum frame_type type;
    int rc;

    if (maddr & 7)
        return refuse(-EINVAL, R_MISALIGNED, maddr, 8);
    if (!descriptor_check(&desc))
        return refuse(-EINVAL, R_BAD_DESCRIPTOR, desc, 0);
    if (!mfn_valid(m))
        return refuse(-EINVAL, R_BAD_MFN, m.v, 0);
    type = READ_ONCE(frame_of(m)->word) >> FRAME_TYPE_SHIFT == FT_DESC ? FT_DESC : FT_WRITABLE;
    rc = get_frame_type(d, m, type);
    if (rc)
        return rc;
    WRITE_ONCE(*(uint64_t *)maddr_to_virt(maddr), desc);
    put_frame_type(m);
    return 0;
}
