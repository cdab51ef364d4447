/* SPDX-License-Identifier: MIT
 *
 * Calls about page tables and descriptor tables.
 */
#include "tests/guest/random_calls/calls.h"

static void gen_protect(struct call *c)
{
    unsigned int i = random(PAGES), ro = random(2);

    if (gone[i]) {
        c->nr = NO_CALL;
        return;
    }
    call(c, __HYPERVISOR_update_va_mapping, (uint64_t)page[i],
         test_pte(page[i], ro ? PTE_KERNEL_RO : PTE_KERNEL), UVMF_INVLPG, 0);
    say(c, "page %u %s", i, ro ? "read-only" : "writable");
}

static struct mmuext_op *mmuext(struct call *c, unsigned int cmd, uint64_t arg1)
{
    struct mmuext_op *op = (void *)c->data;
    unsigned int count = odd(8) ? random(2) * 2 : 1;

    *op = (struct mmuext_op){ .cmd = cmd, .arg1.mfn = arg1 };
    op[1] = (struct mmuext_op){ .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    call(c, __HYPERVISOR_mmuext_op, some_pointer(c, sizeof(*op) * 2), count, 0, DOMID_SELF);
    c->a[3] = some_domain(c);
    if (count != 1)
        say(c, "count %u ", count);
    return op;
}

static void gen_pin(struct call *c)
{
    unsigned int level = 1 + random(4);
    struct frame f = some_frame(true);

    mmuext(c, MMUEXT_PIN_L1_TABLE + level - 1, f.mfn);
    say(c, "pin L%u %s", level, f.name);
}

static void gen_unpin(struct call *c)
{
    struct frame f = some_frame(true);

    mmuext(c, MMUEXT_UNPIN_TABLE, f.mfn);
    say(c, "unpin %s", f.name);
}

/* A page that is not full of kernel entries makes a bad address space to run on, so none is offered. */
static void gen_root(struct call *c)
{
    unsigned int i = PAGES - 1 - random(ROOTS);

    if (odd(2)) {
        struct frame f = some_frame(true);

        while (f.name[0] == 'p')
            f = some_frame(true);
        mmuext(c, MMUEXT_NEW_BASEPTR, f.mfn);
        say(c, "root %s", f.name);
        return;
    }
    if (random(2)) {
        mmuext(c, MMUEXT_NEW_BASEPTR, pv_virt_to_mfn(pv_kernel_l4()).v);
        say(c, "own root");
        return;
    }
    mmuext(c, MMUEXT_NEW_BASEPTR, pv_virt_to_mfn(page[i]).v);
    say(c, "root page %u", i);
}

/* A root stays one. */
static bool is_root(uint64_t mfn)
{
    return mfn == pv_virt_to_mfn(page[PAGES - 1]).v || mfn == pv_virt_to_mfn(page[PAGES - 2]).v;
}

/* Not the guest's own root, nor what could be one: under the assist m2p_strict Xen takes its table of frames
 * out of those. */
static void gen_user_root(struct call *c)
{
    struct frame f = some_frame(true);

    while (is_root(f.mfn) || !strcmp(f.name, "L4"))
        f = some_frame(true);

    mmuext(c, MMUEXT_NEW_USER_BASEPTR, random(2) ? f.mfn : 0);
    say(c, "user root %s", ((struct mmuext_op *)(void *)c->data)->arg1.mfn ? f.name : "none");
}

static void gen_content(struct call *c)
{
    struct frame to = some_frame(true), from = some_frame(true);

    while (to.name[0] == 'V' || is_root(to.mfn))
        to = some_frame(true);
    if (from.name[0] == 'L')
        from = some_frame(true);
    if (random(2)) {
        mmuext(c, MMUEXT_CLEAR_PAGE, to.mfn);
        say(c, "clear %s", to.name);
        return;
    }
    mmuext(c, MMUEXT_COPY_PAGE, to.mfn)->arg2.src_mfn = from.mfn;
    say(c, "copy %s <- %s", to.name, from.name);
}

static void gen_flush(struct call *c)
{
    static const uint8_t cmds[] = { MMUEXT_TLB_FLUSH_LOCAL, MMUEXT_INVLPG_LOCAL,       MMUEXT_TLB_FLUSH_MULTI,
                                    MMUEXT_INVLPG_MULTI,    MMUEXT_TLB_FLUSH_ALL,      MMUEXT_INVLPG_ALL,
                                    MMUEXT_FLUSH_CACHE,     MMUEXT_FLUSH_CACHE_GLOBAL, MMUEXT_MARK_SUPER,
                                    MMUEXT_UNMARK_SUPER };
    unsigned int cmd = odd(6) ? 14 + random(8) : cmds[random(nearly ? 10 : 6)];
    bool vcpus = odd(4);
    struct mmuext_op *op;

    if (cmd == MMUEXT_CLEAR_PAGE || cmd == MMUEXT_COPY_PAGE || cmd == MMUEXT_NEW_USER_BASEPTR)
        cmd = 14;
    op = mmuext(c, cmd, 0);
    op->arg1.linear_addr = nearly ? some_address() : (uint64_t)window[random(WINDOWS)];
    if (vcpus) {
        set_xen_guest_handle(op->arg2.vcpumask, (void *)NOWHERE);
    } else {
        c->data[20] = random(2) ? 1 : ~0UL;
        set_xen_guest_handle(op->arg2.vcpumask, &c->data[20]);
    }
    say(c, "mmuext %u%s", cmd, vcpus ? ", bad mask" : "");
}

static void gen_ldt(struct call *c)
{
    unsigned int i = random(PAGES - ROOTS), n = random(3) ? 512 * random(2) : 1 + random(8192);
    struct mmuext_op *op = mmuext(c, MMUEXT_SET_LDT, 0);

    op->arg1.linear_addr = odd(3) ? some_address() : (uint64_t)page[i];
    op->arg2.nr_ents = odd(6) ? 8193 : n;
    say(c, "LDT at %s%u, %u entries", op->arg1.linear_addr == (uint64_t)page[i] ? "page " : "?", i,
        op->arg2.nr_ents);
}

static void gen_update(struct call *c)
{
    static const uint8_t cmds[] = { 0, 0, 0, 0, 2, 1, 3, 4 };
    struct mmu_update *u = (void *)c->data;
    unsigned int cmd = cmds[random(nearly ? 8 : 5)], count = random(4) ? 1 : 2;

    for (unsigned int i = 0; i < count; i++) {
        u[i].ptr = some_slot(c) | cmd;
        if (cmd == MMU_MACHPHYS_UPDATE)
            u[i].ptr = pv_virt_to_mfn(pv_start_info).v << PAGE_SHIFT | cmd;
        say(c, " %u <- ", cmd);
        u[i].val = cmd == MMU_MACHPHYS_UPDATE ? pv_virt_to_pfn(pv_start_info).v
                   : random(4)                ? some_entry(c)
                                              : 0;
        say(c, "; ");
    }
    call(c, __HYPERVISOR_mmu_update, some_pointer(c, sizeof(*u) * 2), odd(8) ? 0 : count,
         odd(8)      ? NOWHERE
         : random(2) ? (uint64_t)&c->data[30]
                     : 0,
         0);
    c->a[3] = some_domain(c);
    if (odd(8))
        c->a[3] |= (random(3) + 1UL) << 16;
}

static void gen_map(struct call *c)
{
    static const uint8_t flushes[] = {
        0, 0, UVMF_INVLPG, UVMF_INVLPG, UVMF_INVLPG | UVMF_ALL, UVMF_TLB_FLUSH, UVMF_TLB_FLUSH | UVMF_ALL, 3
    };
    unsigned int w = random(WINDOWS);
    uint64_t e = some_entry(c), flush = PICK(flushes), va = (uint64_t)window[w];

    if (odd(6)) {
        va = some_address();
        say(c, " at %lx", va);
    } else {
        say(c, " at window %u", w);
    }
    if (odd(8))
        flush = NOWHERE | (flush & 3);
    if (odd(3)) {
        call(c, __HYPERVISOR_update_va_mapping_otherdomain, va, e, flush, 0);
        c->a[3] = some_domain(c);
    } else {
        call(c, __HYPERVISOR_update_va_mapping, va, e, flush, 0);
    }
    say(c, ", flush %lx", flush);
}

static void gen_unmap(struct call *c)
{
    unsigned int w = random(WINDOWS);

    call(c, __HYPERVISOR_update_va_mapping, (uint64_t)window[w], 0, UVMF_INVLPG, 0);
    say(c, "unmap window %u", w);
}

static void gen_set_gdt(struct call *c)
{
    static const uint16_t counts[] = { 0, 0, 1, 512, 512, 513, 1024, 7168, 7169 };
    unsigned int n = counts[random(nearly ? 9 : 5)];

    for (unsigned int i = 0; i < 14; i++) {
        struct frame f = some_frame(true);

        c->data[i] = f.mfn;
        if (i * 512 < n)
            say(c, " %s", f.name);
    }
    call(c, __HYPERVISOR_set_gdt, some_pointer(c, 14 * 8), n, 0, 0);
    say(c, " GDT of %u", n);
}

static void gen_descriptor(struct call *c)
{
    static const uint64_t d[] = { 0,
                                  0x00cff2000000ffffUL,
                                  0x00affa000000ffffUL,
                                  0x00cf92000000ffffUL,
                                  0x0000890000000067UL,
                                  0x0000820000000fffUL,
                                  0x00008c00e0080000UL };
    uint64_t at = some_slot(c), n = random(nearly ? 7 : 3);

    call(c, __HYPERVISOR_update_descriptor, odd(8) ? at + 4 : at, d[n], 0, 0);
    say(c, " descriptor %lu%s", n, c->a[0] & 7 ? ", misaligned" : "");
}

/* The processor's store into a page, which may be a table. */
static void gen_store(struct call *c)
{
    static volatile uint64_t *at;
    static uint64_t e;
    unsigned int i = random(PAGES), k = 1 + random(3);

    c->nr = NO_CALL;
    if (gone[i])
        return;
    e = random(3) ? some_entry(c) : 0;
    at = &page[i][k];
    c->by_hand = true;
    c->result = FAULT(*at = e);
    say(c, " stored in page %u[%u]", i, k);
}

generator *const table_calls[] = { gen_protect, gen_protect, gen_pin,       gen_pin,        gen_unpin,
                                   gen_unpin,   gen_root,    gen_user_root, gen_content,    gen_flush,
                                   gen_ldt,     gen_update,  gen_update,    gen_update,     gen_map,
                                   gen_map,     gen_unmap,   gen_set_gdt,   gen_descriptor, gen_descriptor,
                                   gen_store,   NULL };
