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

/* Fresh pages for [offset, end) of the area; the direct-map address of the last one, or NULL. */
static void *add_pages(uint64_t *window, uint64_t offset, uint64_t end, uint64_t flags)
{
    void *page = NULL;

    for (; offset < end; offset += PAGE_SIZE) {
        page = page_alloc();
        if (!page)
            return NULL;
        window[offset >> PAGE_SHIFT] = virt_to_maddr(page) | flags;
    }
    return page;
}

struct cpu *percpu_create(uint32_t id)
{
    const uint64_t data = PTE_P | PTE_RW | PTE_NX, gdt = PERCPU_GDT_WINDOW + (PERCPU_GDT_PAGES << PAGE_SHIFT);
    uint64_t *window = page_alloc();
    void *text = window ? add_pages(window, PERCPU_STUB, PERCPU_STUB + PAGE_SIZE, PTE_P) : NULL;
    struct cpu *c;

    if (!text || !add_pages(window, PERCPU_TSS, PERCPU_TSS + PAGE_SIZE, data) ||
        !add_pages(window, PERCPU_STACKS + PAGE_SIZE, PERCPU_STACKS + STACKS_SIZE, data) ||
        !add_pages(window, gdt, gdt + PAGE_SIZE, data))
        return NULL;
    memcpy(text, stub, (size_t)(stub_end - stub));
    percpu_l2[id] = virt_to_maddr(window) | PTE_P | PTE_RW;
    c = (struct cpu *)(percpu_area(id) + PERCPU_STACKS + STACKS_SIZE) - 1;
    c->id = id;
    c->window = window;
    c->gdt_pages = PERCPU_GDT_PAGES; /* the first gdt_load() sets them all */
    c->cr3 = this_cpu()->cr3;
    return c;
}
