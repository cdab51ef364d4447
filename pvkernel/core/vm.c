/* SPDX-License-Identifier: MIT
 *
 * Demand paging and copies to and from a program. Copies go page by page through the kernel's own mapping of
 * the page, so that the kernel never touches a user address and a page fault in the kernel is always a bug.
 * Read next: process.c.
 */
#include "pvkernel/core/vm.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/page.h"

#define HEAP_MAX 0x40000000UL

int vm_init(struct vm *vm)
{
    memset(vm, 0, sizeof(*vm));
    vm->as = arch_aspace_make();
    return vm->as ? 0 : -KE_NOMEM;
}

void vm_destroy(struct vm *vm)
{
    for (unsigned i = 0; i < vm->nr_regions; i++)
        arch_aspace_unmap(vm->as, vm->regions[i].start, vm->regions[i].end, page_put);
    arch_aspace_destroy(vm->as);
    memset(vm, 0, sizeof(*vm));
}

static bool overlaps(const struct vm *vm, const struct region *r)
{
    for (unsigned i = 0; i < vm->nr_regions; i++)
        if (r->start < vm->regions[i].end && vm->regions[i].start < r->end)
            return true;
    return false;
}

int vm_add(struct vm *vm, const struct region *r)
{
    if ((r->start | r->end) % PAGE_SIZE || r->start < USER_START || r->end > USER_END || r->start > r->end ||
        r->file_len > r->end - r->start || overlaps(vm, r))
        return -KE_INVAL;
    if (vm->nr_regions == VM_REGIONS)
        return -KE_NOMEM;
    vm->regions[vm->nr_regions++] = *r;
    return 0;
}

int vm_add_heap(struct vm *vm, uintptr_t start)
{
    struct region heap = { .start = start, .end = start, .prot = MAP_READ | MAP_WRITE, .name = "heap" };
    int error = vm_add(vm, &heap);
    if (error)
        return error;
    vm->heap = &vm->regions[vm->nr_regions - 1];
    vm->brk = start;
    return 0;
}

int vm_brk(struct vm *vm, intptr_t delta, uintptr_t *old)
{
    struct region *heap = vm->heap;
    if (!heap)
        return -KE_NOMEM;
    uintptr_t now = vm->brk + (uintptr_t)delta;
    if (delta < 0 ? now > vm->brk || now < heap->start : now < vm->brk || now - heap->start > HEAP_MAX)
        return -KE_NOMEM;
    uintptr_t end = (now + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    if (end < heap->end) {
        vm->pages -= arch_aspace_unmap(vm->as, end, heap->end, page_put);
    } else {
        struct region more = { .start = heap->end, .end = end };
        if (end > USER_END || overlaps(vm, &more))
            return -KE_NOMEM;
    }
    *old = vm->brk;
    vm->brk = now;
    heap->end = end;
    return 0;
}

static const struct region *region_at(const struct vm *vm, uintptr_t va)
{
    for (unsigned i = 0; i < vm->nr_regions; i++)
        if (va >= vm->regions[i].start && va < vm->regions[i].end)
            return &vm->regions[i];
    return NULL;
}

/* Fills a fresh page with the file's bytes and zeros. */
static void fill(uint8_t *page, const struct region *r, uintptr_t va)
{
    size_t off = va - r->start;
    size_t n = off < r->file_len ? r->file_len - off : 0;
    if (n > PAGE_SIZE)
        n = PAGE_SIZE;
    if (n)
        memcpy(page, r->file + off, n);
    memset(page + n, 0, PAGE_SIZE - n);
}

bool vm_fault(struct vm *vm, uintptr_t va, unsigned access, const char **why)
{
    const struct region *r = region_at(vm, va);
    vm->faults++;
    if (!r) {
        *why = "nothing is mapped there";
        return false;
    }
    if (access & ~r->prot) {
        *why = access & MAP_WRITE ? "it is read-only" : "it is not code";
        return false;
    }
    va &= ~(PAGE_SIZE - 1);
    if (arch_aspace_lookup(vm->as, va, NULL))
        return true; /* present with the region's protection: a stale translation */
    uint8_t *page = page_alloc();
    if (!page || (fill(page, r, va), arch_aspace_map(vm->as, va, page, r->prot))) {
        if (page)
            page_put(page);
        *why = "out of memory";
        return false;
    }
    vm->pages++;
    return true;
}

/* The kernel's address of a user byte, made present; NULL: the program may not access it. */
static uint8_t *user_byte(struct vm *vm, uintptr_t va, unsigned access)
{
    const char *why;
    unsigned prot;
    uint8_t *page = arch_aspace_lookup(vm->as, va & ~(PAGE_SIZE - 1), &prot);
    if (!page || access & ~prot) {
        if (!vm_fault(vm, va, access, &why))
            return NULL;
        page = arch_aspace_lookup(vm->as, va & ~(PAGE_SIZE - 1), &prot);
    }
    return page + va % PAGE_SIZE;
}

static int copy(struct vm *vm, uintptr_t user, void *kernel, size_t n, unsigned access)
{
    char *k = kernel;
    if (user > USER_END || n > USER_END - user)
        return -KE_FAULT;
    while (n) {
        size_t part = PAGE_SIZE - user % PAGE_SIZE;
        if (part > n)
            part = n;
        uint8_t *u = user_byte(vm, user, access);
        if (!u)
            return -KE_FAULT;
        if (access == MAP_WRITE)
            memcpy(u, k, part);
        else
            memcpy(k, u, part);
        user += part;
        k += part;
        n -= part;
    }
    return 0;
}

int vm_copy_out(struct vm *vm, uintptr_t to, const void *from, size_t n)
{
    return copy(vm, to, (void *)(uintptr_t)from, n, MAP_WRITE);
}

int vm_copy_in(struct vm *vm, void *to, uintptr_t from, size_t n)
{
    return copy(vm, from, to, n, MAP_READ);
}
