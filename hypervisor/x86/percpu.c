/* SPDX-License-Identifier: MIT
 *
 * Makes a CPU's area (percpu.h): one L1 table, its pages, and struct cpu. What is written into TSS and GDT is
 * descriptor.c's.
 */
#include "x86/percpu.h"
#include "x86/cpu.h"
#include "x86/pte.h"
#include "mm/frame.h"
#include "lib/string.h"

extern uint64_t percpu_l2[512]; /* boot/head.S; entry id is CPU id's, written once */
extern const char stub[], stub_end[];

/* A fresh page at `offset` of the area; its direct-map address, or NULL. */
static void *add_page(uint64_t *window, uint64_t offset, uint64_t flags)
{
    void *page = page_alloc();

    if (page)
        window[offset >> PAGE_SHIFT] = virt_to_maddr(page) | flags;
    return page;
}

struct cpu *percpu_create(uint32_t id)
{
    uint64_t *window = page_alloc();
    struct cpu *c;
    void *text;

    if (!window)
        return NULL;
    text = add_page(window, PERCPU_STUB, PTE_P);
    if (!text || !add_page(window, PERCPU_TSS, PTE_P | PTE_RW | PTE_NX))
        return NULL;
    memcpy(text, stub, (size_t)(stub_end - stub));
    for (uint64_t off = PERCPU_STACKS + PAGE_SIZE; off < PERCPU_STACKS + STACKS_SIZE; off += PAGE_SIZE) {
        if (!add_page(window, off, PTE_P | PTE_RW | PTE_NX))
            return NULL;
    }
    if (!add_page(window, PERCPU_GDT_WINDOW + (PERCPU_GDT_PAGES << PAGE_SHIFT), PTE_P | PTE_RW | PTE_NX))
        return NULL;
    percpu_l2[id] = virt_to_maddr(window) | PTE_P | PTE_RW;
    c = (struct cpu *)(percpu_area(id) + PERCPU_STACKS + STACKS_SIZE) - 1;
    c->id = id;
    c->window = window;
    c->cr3 = this_cpu()->cr3;
    return c;
}
