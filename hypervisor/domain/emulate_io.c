/* SPDX-License-Identifier: MIT
 *
 * Port I/O of guests.
 *
 * Two questions: may the guest do I/O at all (its virtual IOPL, or its I/O bitmap says so; else #GP), and is
 * the port its own? Domain 0 has the machine's ports but a few that Parador keeps. What isn't there reads as
 * ones and swallows writes, as on a bus without a device; PIT channel 2 reads 0, so that a kernel which waits
 * for it to count down from ff gives up at once.
 */
#include "domain/emulate.h"
#include "domain/bounce.h"
#include "mm/paging.h"
#include "x86/copy.h"
#include "x86/cpu.h"
#include "x86/pte.h"
#include "x86/segment.h"
#include "x86/trap.h"

#define PIT_CHANNEL2 0x42
#define STRING_PIECE 256 /* units of a rep ins or outs at one go, then interrupts have their turn */

/* Parador's own. */
static const struct {
    uint16_t first, last;
} kept[] = {
    { 0x20, 0x21 },                   /* interrupt controllers */
    { 0xa0, 0xa1 },   { 0x40, 0x43 }, /* PIT */
    { 0x61, 0x61 },                   /* and its gate */
    { 0x3f8, 0x3ff },                 /* serial line */
    { 0x608, 0x60b },                 /* power management timer */
};

static bool port_is_guests(const struct vcpu *v, unsigned int port, unsigned int size)
{
    if (!v->domain->privileged)
        return false;
    for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++)
        if (port <= kept[i].last && port + size > kept[i].first)
            return false;
    return true;
}

/* The guest kernel's bitmap, for guest user mode: two bytes hold all bits of an access. It lies in the
 * kernel's address space. */
static __attribute__((noinline)) bool bitmap_allows(struct vcpu *v, unsigned int port, unsigned int size)
{
    bool user = !v->kernel_mode;
    uint8_t bits[2] = { 0xff, 0xff };
    uint64_t at = v->arch.iobmp + port / 8;

    if (!v->arch.iobmp || port + size > v->arch.iobmp_limit)
        return false;
    if (user)
        enter_guest_kernel(v);
    if (copy_from_guest(&bits[0], at, 1) || (port % 8 + size > 8 && copy_from_guest(&bits[1], at + 1, 1)))
        bits[0] = bits[1] = 0xff;
    if (user)
        enter_guest_user(v);
    return !((bits[0] | (unsigned int)bits[1] << 8) >> port % 8 & ((1u << size) - 1));
}

static inline bool io_allowed(struct vcpu *v, const struct priv_insn *p)
{
    return emulate_iopl_ok(v) || bitmap_allows(v, p->port, p->size);
}

static uint32_t port_read(const struct vcpu *v, uint16_t port, unsigned int size)
{
    if (!port_is_guests(v, port, size))
        return port == PIT_CHANNEL2 ? 0 : ~0u;
    return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static void port_write(const struct vcpu *v, uint16_t port, unsigned int size, uint32_t val)
{
    if (!port_is_guests(v, port, size))
        return;
    if (size == 1)
        outb(port, (uint8_t)val);
    else if (size == 2)
        outw(port, (uint16_t)val);
    else
        outl(port, val);
}

/* As IN writes RAX: 4 bytes clear the upper half. */
int emulate_in(struct vcpu *v, const struct priv_insn *p)
{
    uint64_t mask = p->size == 4 ? ~0ULL : (1ULL << 8 * p->size) - 1;

    if (!io_allowed(v, p))
        return EMULATE_FAULT;
    v->regs.rax = (v->regs.rax & ~mask) | (port_read(v, p->port, p->size) & mask);
    return EMULATED;
}

int emulate_out(struct vcpu *v, const struct priv_insn *p)
{
    if (!io_allowed(v, p))
        return EMULATE_FAULT;
    port_write(v, p->port, p->size, (uint32_t)v->regs.rax);
    return EMULATED;
}

/* One unit between port and guest memory. */
static bool move_unit(const struct vcpu *v, const struct priv_insn *p, uint64_t at)
{
    uint32_t val = 0;

    if (p->op == PRIV_OUTS) {
        if (copy_from_guest(&val, at, p->size))
            return false;
        port_write(v, p->port, p->size, val);
        return true;
    }
    val = port_read(v, p->port, p->size);
    return !copy_to_guest(at, &val, p->size);
}

/* The memory at `at` can't be reached: the guest's page fault at the first such byte, or #GP where no guest
 * has memory. */
static __attribute__((noinline)) int memory_fault(struct vcpu *v, const struct priv_insn *p, uint64_t at)
{
    uint64_t entry = guest_walk(v, at, NULL), writes = p->op == PRIV_INS;

    if (!guest_range_ok(at, p->size))
        return EMULATE_FAULT;
    if (entry & PTE_P && (!writes || entry & PTE_RW)) {
        at = (at | (PAGE_SIZE - 1)) + 1;
        entry = guest_walk(v, at, NULL);
    }
    bounce_page_fault(v, at, PF_USER | (entry & PTE_P ? PF_PRESENT : 0) | (writes ? PF_WRITE : 0));
    return EMULATE_AGAIN;
}

/* ins and outs, with and without rep. */
int emulate_string_io(struct vcpu *v, const struct priv_insn *p)
{
    uint64_t *index = p->op == PRIV_OUTS ? &v->regs.rsi : &v->regs.rdi, left = p->rep ? v->regs.rcx : 1;

    if (p->addr32 || !io_allowed(v, p))
        return EMULATE_FAULT;
    for (unsigned int i = 0; i < STRING_PIECE && left; i++) {
        if (!move_unit(v, p, *index))
            return memory_fault(v, p, *index);
        *index += v->regs.rflags & RFLAGS_DF ? -(uint64_t)p->size : p->size;
        left--;
        if (p->rep)
            v->regs.rcx = left;
    }
    return left ? EMULATE_AGAIN : EMULATED;
}
