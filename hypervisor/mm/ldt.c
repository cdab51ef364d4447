/* SPDX-License-Identifier: MIT
 *
 * LDTs. A GDT is named frame by frame; an LDT by address, as processors have it. So its pages are looked up
 * in the guest's page tables when the processor first reads them, which is a #PF in this CPU's LDT window
 * (x86/percpu.h), and forgotten when the guest changes its root. A frame in the window has the type FT_DESC
 * and so can't be written by the guest but through update_descriptor.
 */
#include "mm/descriptor.h"
#include "mm/page_type.h"
#include "mm/paging.h"
#include "x86/descriptor.h"
#include "x86/percpu.h"

void ldt_drop(struct vcpu *v)
{
    uint64_t old[ARRAY_SIZE(v->arch.ldt_mfns)], any = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(old); i++) {
        any |= old[i] = v->arch.ldt_mfns[i];
        v->arch.ldt_mfns[i] = 0;
    }
    if (!any)
        return;
    if (v == current)
        ldt_load(v); /* the CPU lets go of them first */
    for (unsigned int i = 0; i < ARRAY_SIZE(old); i++)
        if (old[i])
            put_frame_type(MFN(old[i]));
}

void ldt_set(struct vcpu *v, uint64_t base, unsigned int entries)
{
    ldt_drop(v);
    v->arch.ldt_base = base;
    v->arch.ldt_entries = entries;
}

bool ldt_fault(struct vcpu *v, uint64_t cr2)
{
    uint64_t offset = cr2 - ldt_window(), page = offset >> PAGE_SHIFT, entry;
    mfn_t m;

    if (offset >= v->arch.ldt_entries * 8UL || v->arch.ldt_mfns[page])
        return false;
    entry = guest_walk(v, v->arch.ldt_base + (offset & PAGE_MASK), NULL);
    m = entry_mfn(entry);
    if (!(entry & PTE_P) || get_frame_type(v->domain, m, FT_DESC))
        return false;
    v->arch.ldt_mfns[page] = m.v;
    ldt_load(v);
    return true;
}

uint64_t ldt_guest_address(const struct vcpu *v, uint64_t cr2)
{
    uint64_t offset = cr2 - ldt_window();

    return offset < sizeof(v->arch.ldt_mfns) / 8 * PAGE_SIZE ? v->arch.ldt_base + offset : cr2;
}
