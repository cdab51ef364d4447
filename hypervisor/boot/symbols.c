/* SPDX-License-Identifier: MIT
 *
 * A guest's addresses by name: the nearest function at or below, out of the kernel's own symbol table.
 *
 * The table lies in the pages of the boot module and costs nothing until a report asks. It is hostile input
 * like the rest of the file: every name is looked at only inside the string table, and only letters that do
 * no harm on a console get out.
 */
#include "boot/elf.h"
#include "domain/domain.h"
#include "lib/print.h"
#include "lib/string.h"
#include "x86/cpu.h"

struct elf_symbol {
    uint32_t name;
    uint8_t info, other;
    uint16_t section;
    uint64_t value, size;
};

#define SHN_LORESERVE  0xff00 /* absolute values and other special ones */
#define STT_NOTYPE     0
#define STT_FUNC       2
#define NAME_MAX       48
#define SYMBOLS_A_LOOK 512

static struct symbols kept[DOMID_MAX_BOOT]; /* by domid; filled at boot, constant after that */

const struct symbols *symbols_keep(uint16_t domid, const struct symbols *s)
{
    if (domid >= DOMID_MAX_BOOT || !s->table)
        return NULL;
    kept[domid] = *s;
    return &kept[domid];
}

/* Functions, and labels of assembly code. */
static bool is_code(const struct elf_symbol *sym)
{
    unsigned int type = sym->info & 15;

    return sym->section && sym->section < SHN_LORESERVE && (type == STT_FUNC || type == STT_NOTYPE);
}

static size_t copy_name(const struct symbols *s, uint32_t at, char *name)
{
    size_t n = 0;

    for (; n < NAME_MAX && at + (uint64_t)n < s->strings_size; n++) {
        name[n] = (char)s->strings[at + n];
        if (name[n] <= ' ' || name[n] > '~')
            break;
    }
    name[n] = '\0';
    return n;
}

bool symbols_hypercall_page(const struct symbols *s, uint64_t addr)
{
    return s && s->hypercall_page != ELF_UNSET && addr - s->hypercall_page < PAGE_SIZE;
}

void symbols_name(const struct symbols *s, uint64_t addr, char *buf, size_t size)
{
    struct elf_symbol sym, best = { 0 };
    char name[NAME_MAX + 1];

    buf[0] = '\0';
    if (!s || addr < s->code_start || addr >= s->code_end)
        return;
    for (uint64_t at = 0; at + sizeof(sym) <= s->size; at += sizeof(sym)) {
        if (!(at % (SYMBOLS_A_LOOK * sizeof(sym))))
            cpu_window();
        memcpy(&sym, s->table + at, sizeof(sym));
        if (is_code(&sym) && sym.value <= addr && sym.value > best.value)
            best = sym;
    }
    if (best.value && copy_name(s, best.name, name))
        snprintf(buf, size, "%s+0x%lx", name, addr - best.value);
}
