/* SPDX-License-Identifier: MIT
 *
 * Programs' memory in pvkernel: ELF files become regions, pages come by faults with the right bytes, copies
 * obey the protection, and broken files are refused.
 */
// sources: pvkernel/core/vm.c pvkernel/core/elf.c pvkernel/core/page.c pvkernel/core/print.c
// sources: pvkernel/core/lib.c pvkernel/core/lock.c tests/host/fake_arch.c
#include <criterion/criterion.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include "pvkernel/core/elf.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/page.h"
#include "pvkernel/core/vm.h"
#include "tests/host/fake_arch.h"

#define PAGES 512u

static struct vm vm;
static const char *why;

static void setup(void)
{
    fake_memory(PAGES);
    cr_assert_eq(vm_init(&vm), 0);
}

static void teardown(void)
{
    vm_destroy(&vm);
    cr_assert_eq(page_free_count(), PAGES, "all pages came back");
    cr_assert_eq(fake_mappings, 0);
    cr_assert_eq(fake_aspaces, 0);
}

TestSuite(vm, .init = setup, .fini = teardown);

/* A program: code at 0x400000 (100 bytes), data at 0x402010 (50 bytes of file, 5000 in memory). */
static unsigned char file[8192];
#define HEADER  ((Elf64_Ehdr *)(void *)file)
#define SEGMENT ((Elf64_Phdr *)(void *)(file + 64))

static void make_file(void)
{
    memset(file, 0, sizeof(file));
    *HEADER = (Elf64_Ehdr){ .e_type = ET_EXEC,
                            .e_machine = EM_X86_64,
                            .e_version = 1,
                            .e_entry = 0x400010,
                            .e_phoff = 64,
                            .e_ehsize = 64,
                            .e_phentsize = 56,
                            .e_phnum = 2 };
    memcpy(HEADER->e_ident, ELFMAG "\2\1\1", 7);
    SEGMENT[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
                               .p_flags = PF_R | PF_X,
                               .p_offset = 4096,
                               .p_vaddr = 0x400000,
                               .p_filesz = 100,
                               .p_memsz = 100 };
    SEGMENT[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
                               .p_flags = PF_R | PF_W,
                               .p_offset = 4096 + 0x10,
                               .p_vaddr = 0x402010,
                               .p_filesz = 50,
                               .p_memsz = 5000 };
    for (unsigned i = 0; i < 4096; i++)
        file[4096 + i] = (unsigned char)(i * 3 + 1);
}

static int load(size_t size)
{
    uintptr_t entry = 0;
    /* A copy of exactly this size, so that the sanitizer sees every byte read behind it. */
    static unsigned char *copy;
    free(copy);
    copy = malloc(size ? size : 1);
    memcpy(copy, file, size);
    int error = elf_load(&vm, copy, size, &entry, &why);
    if (!error)
        cr_assert_eq(entry, 0x400010);
    return error;
}

Test(vm, pages_come_with_their_bytes)
{
    unsigned char got[6000];
    make_file();
    cr_assert_eq(load(sizeof(file)), 0);
    cr_assert_eq(vm.pages, 0, "nothing is there before it is touched");
    cr_assert_eq(vm_copy_in(&vm, got, 0x400000, 100), 0);
    cr_assert_eq(memcmp(got, file + 4096, 100), 0);
    cr_assert_eq(vm.pages, 1);
    cr_assert_eq(vm_copy_in(&vm, got, 0x402010, 5000), 0);
    cr_assert_eq(memcmp(got, file + 4096 + 0x10, 50), 0);
    for (unsigned i = 50; i < 5000; i++)
        cr_assert_eq(got[i], 0, "bss at %u", i);
    cr_assert_eq(vm.pages, 3);
}

Test(vm, protection_holds)
{
    make_file();
    cr_assert_eq(load(sizeof(file)), 0);
    cr_assert(vm_fault(&vm, 0x400010, MAP_EXEC, &why));
    cr_assert(!vm_fault(&vm, 0x400010, MAP_WRITE, &why));
    cr_assert_str_eq(why, "it is read-only");
    cr_assert(!vm_fault(&vm, 0x402010, MAP_EXEC, &why));
    cr_assert(!vm_fault(&vm, 0x500000, MAP_READ, &why));
    cr_assert_str_eq(why, "nothing is mapped there");
    cr_assert(!vm_fault(&vm, 0xffffffff80000000, MAP_READ, &why));
    cr_assert_eq(vm_copy_out(&vm, 0x400000, "x", 1), -KE_FAULT);
    cr_assert_eq(vm_copy_out(&vm, 0x402020, "hello", 5), 0);
    char got[5];
    cr_assert_eq(vm_copy_in(&vm, got, 0x402020, 5), 0);
    cr_assert_eq(memcmp(got, "hello", 5), 0);
}

Test(vm, copies_check_their_range)
{
    char c;
    cr_assert_eq(vm_copy_in(&vm, &c, 0xffffffff80000000, 1), -KE_FAULT);
    cr_assert_eq(vm_copy_in(&vm, &c, UINTPTR_MAX, 2), -KE_FAULT);
    cr_assert_eq(vm_copy_in(&vm, &c, USER_END - 1, 2), -KE_FAULT);
    cr_assert_eq(vm_copy_in(&vm, &c, 0x400000, SIZE_MAX), -KE_FAULT);
    cr_assert_eq(vm_copy_in(&vm, &c, 0, 1), -KE_FAULT);
    cr_assert_eq(vm_copy_out(&vm, 0xffff800000000000, &c, 1), -KE_FAULT);
    cr_assert_eq(vm_copy_in(&vm, &c, 0x400000, 0), 0);
}

Test(vm, the_heap_grows_and_shrinks)
{
    uintptr_t old;
    cr_assert_eq(vm_add_heap(&vm, 0x600000), 0);
    cr_assert_eq(vm_brk(&vm, 10000, &old), 0);
    cr_assert_eq(old, 0x600000);
    cr_assert_eq(vm_copy_out(&vm, 0x600000 + 9999, "x", 1), 0);
    cr_assert_eq(vm_copy_out(&vm, 0x600000, "y", 1), 0);
    cr_assert_eq(vm.pages, 2);
    cr_assert_eq(vm_brk(&vm, -9000, &old), 0);
    cr_assert_eq(old, 0x600000 + 10000);
    cr_assert_eq(vm.pages, 1);
    cr_assert_eq(vm_copy_out(&vm, 0x600000 + 9999, "x", 1), -KE_FAULT);
    cr_assert_eq(vm_brk(&vm, -1001, &old), -KE_NOMEM, "not below its start");
    cr_assert_eq(vm_brk(&vm, INTPTR_MAX, &old), -KE_NOMEM);
    cr_assert_eq(vm_brk(&vm, INTPTR_MIN, &old), -KE_NOMEM);
    char c = 1;
    cr_assert_eq(vm_brk(&vm, 9000, &old), 0);
    cr_assert_eq(vm_copy_in(&vm, &c, 0x600000 + 9999, 1), 0);
    cr_assert_eq(c, 0, "a page that comes back is empty");
}

Test(vm, the_heap_stops_at_the_next_region)
{
    uintptr_t old;
    cr_assert_eq(vm_add_heap(&vm, 0x600000), 0);
    struct region r = { .start = 0x604000, .end = 0x605000, .prot = MAP_READ };
    cr_assert_eq(vm_add(&vm, &r), 0);
    cr_assert_eq(vm_brk(&vm, 0x4000, &old), 0);
    cr_assert_eq(vm_brk(&vm, 1, &old), -KE_NOMEM);
}

Test(vm, regions_are_checked)
{
    struct region bad[] = {
        { .start = 0x400001, .end = 0x401000 },
        { .start = 0x400000, .end = 0x400800 },
        { .start = 0x0, .end = 0x401000 },
        { .start = 0x402000, .end = 0x401000 },
        { .start = USER_END - 4096, .end = USER_END + 4096 },
        { .start = 0x400000, .end = 0x401000, .file_len = 4097 },
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        cr_assert_eq(vm_add(&vm, &bad[i]), -KE_INVAL, "region %u", i);
    struct region r = { .start = 0x400000, .end = 0x403000 }, over = { .start = 0x402000, .end = 0x404000 };
    cr_assert_eq(vm_add(&vm, &r), 0);
    cr_assert_eq(vm_add(&vm, &over), -KE_INVAL);
}

Test(vm, no_memory_is_a_failed_fault)
{
    make_file();
    cr_assert_eq(load(sizeof(file)), 0);
    fake_map_budget = 0;
    cr_assert(!vm_fault(&vm, 0x400000, MAP_READ, &why));
    cr_assert_str_eq(why, "out of memory");
    fake_map_budget = -1;
    cr_assert(vm_fault(&vm, 0x400000, MAP_READ, &why));
}

Test(vm, files_that_are_cut_off)
{
    make_file();
    for (size_t size = 0; size < 4096 + 100; size += size < 200 ? 1 : 97)
        cr_assert_eq(load(size), -KE_NOEXEC, "%zu bytes", size);
}

static void expect_refused(const char *text)
{
    cr_assert_eq(load(sizeof(file)), -KE_NOEXEC);
    cr_assert_str_eq(why, text);
    vm_destroy(&vm);
    cr_assert_eq(vm_init(&vm), 0);
    make_file();
}

Test(vm, files_that_make_no_sense)
{
    make_file();
    HEADER->e_ident[0] = 'x';
    expect_refused("no 64-bit ELF file");
    HEADER->e_type = ET_DYN;
    expect_refused("no static x86-64 program");
    HEADER->e_machine = EM_AARCH64;
    expect_refused("no static x86-64 program");
    HEADER->e_phoff = UINT64_MAX;
    expect_refused("its program headers are cut off");
    HEADER->e_phnum = 65535;
    expect_refused("its program headers are cut off");
    SEGMENT[0].p_offset = UINT64_MAX - 4095;
    expect_refused("a segment is cut off");
    SEGMENT[0].p_filesz = UINT64_MAX;
    expect_refused("a segment is cut off");
    SEGMENT[0].p_memsz = 99;
    expect_refused("a segment's size makes no sense");
    SEGMENT[1].p_memsz = UINT64_MAX;
    expect_refused("a segment's size makes no sense");
    SEGMENT[1].p_vaddr = 0xffffffff80000010;
    expect_refused("a segment's size makes no sense");
    SEGMENT[1].p_vaddr = 0x402011;
    expect_refused("a segment is not aligned as its file bytes are");
    SEGMENT[1].p_vaddr = 0x400010;
    expect_refused("its segments overlap, are too many or lie outside of the user's range");
    SEGMENT[0].p_vaddr = 0;
    expect_refused("its segments overlap, are too many or lie outside of the user's range");
    SEGMENT[1].p_type = PT_DYNAMIC;
    expect_refused("it is dynamically linked");
}

/* Any single byte of the headers may be anything: it loads or it is refused, and nothing else happens. */
Test(vm, headers_with_any_byte_changed)
{
    unsigned loaded = 0;
    for (unsigned at = 0; at < 64 + 112; at++)
        for (unsigned v = 0; v < 256; v += 5) {
            uintptr_t entry;
            make_file();
            file[at] = (unsigned char)v;
            loaded += elf_load(&vm, file, sizeof(file), &entry, &why) == 0;
            for (unsigned i = 0; i < vm.nr_regions; i++)
                if (vm.regions[i].file_len) {
                    cr_assert(vm.regions[i].file >= file);
                    cr_assert(vm.regions[i].file + vm.regions[i].file_len <= file + sizeof(file));
                }
            vm_destroy(&vm);
            cr_assert_eq(vm_init(&vm), 0);
        }
    cr_assert_gt(loaded, 0);
}
