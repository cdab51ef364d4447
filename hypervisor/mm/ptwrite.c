/* SPDX-License-Identifier: MIT
 *
 * Writes to read-only page tables, trapped and carried out: the slow way beside mmu_update, for guests that
 * asked for it (vm_assist writable_pagetables).
 *
 * The guest's instruction is decoded, its effect on the eight-byte entry computed, and the change made like
 * any other, but by exchange: an instruction that reads the entry too (xchg, cmpxchg, lock and) must see what
 * it replaces, A and D bits that the processor sets meanwhile included.
 */
#include "domain/emulate.h"
#include "mm/page_type.h"
#include "mm/paging.h"

static uint64_t cut(uint64_t value, unsigned int size)
{
    return size == 8 ? value : value & ((1ULL << size * 8) - 1);
}

bool ptwrite_fault(struct vcpu *v, uint64_t cr2)
{
    uint64_t entry = guest_walk(v, cr2, NULL), w, ptr;
    uint8_t code[INSN_MAX + 1];
    struct mem_write write;
    unsigned int shift;
    int rc;

    if (!(entry & PTE_P) || (entry & PTE_RW))
        return false;
    w = is_device_frame(entry_mfn(entry)) ? 0 : frame_of(entry_mfn(entry))->word;
    if (type_of(w) != FT_L1 || !(w & FRAME_VALIDATED))
        return false;
    if (!decode_write(code, emulate_fetch(v, code), &v->regs, &write) || write.addr != cr2 ||
        (cr2 & 7) + write.size > 8)
        return false;

    ptr = (entry & PTE_ADDR) | (cr2 & (PAGE_SIZE - 8));
    shift = (cr2 & 7) * 8;
    do {
        uint64_t old = READ_ONCE(*(uint64_t *)maddr_to_virt(ptr)), was = cut(old >> shift, write.size);
        uint64_t is = decode_write_result(&write, was, &v->regs), mask = cut(~0ULL, write.size) << shift;

        rc = pv_exchange_leaf(v->domain, ptr, old, (old & ~mask) | (is << shift & mask));
        if (!rc)
            decode_write_commit(&write, was, &v->regs);
    } while (rc == -EAGAIN);
    return !rc;
}
