/* SPDX-License-Identifier: MIT
 *
 * A CPU's area (x86/percpu.h), and its GDT, LDT, TSS, IDT and SYSCALL registers; the windows for the running
 * vcpu's own tables.
 *
 * The windows are 32 entries of the CPU's own L1 table (x86/percpu.h). A GDT page that the vcpu doesn't have
 * shows a page of zeros; an LDT page that it hasn't touched is not present. The guest's pages are writable to
 * the processor, which sets accessed bits; what they may contain is checked by mm's descriptor type.
 */
#include "x86/descriptor.h"
#include "domain/domain.h"
#include "lib/string.h"
#include "x86/cpu.h"
#include "x86/msr.h"
#include "x86/pte.h"
#include "x86/trap.h"

struct tss {
    uint32_t pad0;
    uint64_t rsp[3];
    uint64_t pad1;
    uint64_t ist[7];
    uint64_t pad2;
    uint16_t pad3, iomap;
} __attribute__((packed));

_Static_assert(sizeof(struct tss) == 104, "Intel SDM vol. 3, 7.7");

struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

#define WINDOW_PAGES 16
#define GDT_BYTES    ((FIRST_RESERVED_GDT_PAGE + 1) * PAGE_SIZE)

/* Descriptors, Intel SDM vol. 3, 3.4.5. Accessed bits are set: the page is writable, but why let it be
 * written. */
#define DESC_HV_CODE   0x00af9b000000ffffULL
#define DESC_HV_DATA   0x00cf93000000ffffULL
#define DESC_CODE32_R3 0x00cffb000000ffffULL
#define DESC_DATA_R3   0x00cff3000000ffffULL
#define DESC_CODE64_R3 0x00affb000000ffffULL
#define TYPE_TSS       0x89ULL
#define TYPE_LDT       0x82ULL
#define GATE_INTERRUPT 0x8eULL /* Intel SDM vol. 3, 6.14 */
#define GATE_DPL3      0x60ULL

static uint64_t idt[256][2] __attribute__((aligned(4096))); /* constant after boot, the same for all CPUs */
static uint64_t zero_page[512] __attribute__((aligned(4096)));

extern const char trap_gates[][32];
extern const char stub[], stub_cstar[], stub_sysenter[], stub_end[];
extern uint64_t percpu_l2[512]; /* boot/head.S; entry id is CPU id's, written once */

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
    c->quiet = true;
    return c;
}

/* Writes a descriptor of the reserved page; high: the second half of a system descriptor. */
static void set_slot(struct cpu *c, unsigned int selector, uint64_t desc)
{
    *(uint64_t *)(percpu_area(c->id) + PERCPU_GDT_WINDOW + (selector & ~7U)) = desc;
}

static void set_system_slot(struct cpu *c, unsigned int selector, uint64_t base, uint64_t limit,
                            uint64_t type)
{
    set_slot(c, selector,
             (limit & 0xffff) | (base & 0xffffff) << 16 | type << 40 | (limit >> 16 & 15) << 48 |
                 (base >> 24 & 0xff) << 56);
    set_slot(c, selector + 8, base >> 32);
}

uint64_t ldt_window(void)
{
    return percpu_area(this_cpu()->id) + PERCPU_LDT_WINDOW;
}

/* Sets one entry of a window; true if it changed. */
static bool set_window(struct cpu *c, uint64_t offset, uint64_t entry)
{
    uint64_t *pte = &c->window[offset >> PAGE_SHIFT];

    if (*pte == entry)
        return false;
    *pte = entry;
    invlpg(percpu_area(c->id) + offset);
    return true;
}

void gdt_load(const struct vcpu *v)
{
    struct cpu *c = this_cpu();
    uint64_t pages = DIV_ROUND_UP(v->arch.gdt_entries, PAGE_SIZE / 8);

    for (uint64_t i = 0; i < MAX(pages, c->gdt_pages); i++) {
        uint64_t maddr = i < pages ? v->arch.gdt_mfns[i] << PAGE_SHIFT : (uint64_t)zero_page - IMAGE_VIRT;

        set_window(c, PERCPU_GDT_WINDOW + (i << PAGE_SHIFT),
                   maddr | PTE_P | PTE_NX | (i < pages ? PTE_RW : 0));
    }
    c->gdt_pages = pages;
}

void ldt_load(const struct vcpu *v)
{
    struct cpu *c = this_cpu();
    uint16_t selector = 0;

    if (!v->arch.ldt_entries && !c->ldt_loaded)
        return;
    for (uint64_t i = 0; i < WINDOW_PAGES; i++) {
        uint64_t mfn = v->arch.ldt_entries ? v->arch.ldt_mfns[i] : 0;

        set_window(c, PERCPU_LDT_WINDOW + (i << PAGE_SHIFT),
                   mfn ? mfn << PAGE_SHIFT | PTE_P | PTE_RW | PTE_NX : 0);
    }
    if (v->arch.ldt_entries) {
        set_system_slot(c, HV_LDTR, percpu_area(c->id) + PERCPU_LDT_WINDOW, v->arch.ldt_entries * 8 - 1,
                        TYPE_LDT);
        selector = HV_LDTR;
    }
    c->ldt_loaded = selector != 0;
    __asm__ volatile("lldt %0" : : "r"(selector));
}

void descriptors_set_entry_stack(struct cpu *c, uint64_t stack)
{
    c->entry_stack = stack;
    ((struct tss *)(percpu_area(c->id) + PERCPU_TSS))->rsp[0] = stack;
}

/* Makes the IDT. own_stacks: the TSS is there, and with it the stacks that some vectors go to. */
static void idt_make(uint16_t selector, bool own_stacks)
{
    static const uint8_t ist[32] = {
        [VEC_DB] = IST_DB, [VEC_NMI] = IST_NMI, [VEC_DF] = IST_DF, [VEC_MC] = IST_MC
    };

    for (unsigned int v = 0; v < 256; v++) {
        uint64_t to = (uint64_t)trap_gates[v], stack = v < 32 && own_stacks ? ist[v] : 0;
        bool open = v == VEC_BP || v == VEC_BP + 1; /* int3 and into come straight from ring 3 */

        idt[v][0] = (to & 0xffff) | (uint64_t)selector << 16 | stack << 32 |
                    (GATE_INTERRUPT | (open ? GATE_DPL3 : 0)) << 40 | (to >> 16 & 0xffff) << 48;
        idt[v][1] = to >> 32;
    }
}

static void idt_load(void)
{
    const struct table_register idtr = { sizeof(idt) - 1, (uint64_t)idt };

    __asm__ volatile("lidt %0" : : "m"(idtr));
}

void descriptors_early(void)
{
    uint16_t cs;

    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    idt_make(cs, false);
    idt_load();
}

static void syscall_init(uint64_t area)
{
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
    /* SYSRET takes e023 + 16 for CS and + 8 for SS; SYSCALL HV_CS and the next. */
    wrmsr(MSR_STAR, (uint64_t)FLAT_RING3_CS32 << 48 | (uint64_t)HV_CS << 32);
    wrmsr(MSR_LSTAR, area + PERCPU_STUB);
    wrmsr(MSR_CSTAR, area + PERCPU_STUB + (uint64_t)(stub_cstar - stub));
    wrmsr(MSR_SFMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM |
                          RFLAGS_AC | 0xd5);
    /* Only Intel's processors have SYSENTER in long mode; elsewhere a CS of 0 makes it #GP, as on Xen. */
    wrmsr(MSR_SYSENTER_CS, cpu_features.sysenter ? HV_CS : 0);
    wrmsr(MSR_SYSENTER_EIP, area + PERCPU_STUB + (uint64_t)(stub_sysenter - stub));
    wrmsr(MSR_SYSENTER_ESP, area + PERCPU_STACKS + STACKS_SIZE - sizeof(struct cpu));
}

void descriptors_init(struct cpu *c)
{
    uint64_t area = percpu_area(c->id);
    struct tss *tss = (struct tss *)(area + PERCPU_TSS);
    struct table_register gdtr = { GDT_BYTES - 1, area + PERCPU_GDT_WINDOW };

    set_slot(c, HV_CS, DESC_HV_CODE);
    set_slot(c, HV_DS, DESC_HV_DATA);
    set_slot(c, FLAT_RING3_CS32, DESC_CODE32_R3);
    set_slot(c, FLAT_RING3_SS32, DESC_DATA_R3);
    set_slot(c, FLAT_RING3_CS64, DESC_CODE64_R3);
    set_system_slot(c, HV_TSS, (uint64_t)tss, sizeof(*tss) - 1, TYPE_TSS);
    tss->iomap = sizeof(*tss);
    for (unsigned int i = IST_DF; i <= IST_DB; i++)
        tss->ist[i - 1] = area + IST_TOP(i);
    if (!c->id)
        idt_make(HV_CS, true);
    idt_load();

    __asm__ volatile("lgdt %0\n\t"
                     "ltr %1\n\t"
                     "lldt %2\n\t"
                     "push %3\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "push %%rax\n\t"
                     "lretq\n"
                     "1:"
                     :
                     : "m"(gdtr), "r"((uint16_t)HV_TSS), "r"((uint16_t)0), "i"(HV_CS)
                     : "rax", "memory");
    syscall_init(area);
}
