/* SPDX-License-Identifier: MIT
 *
 * The instruction decoder against the processor: each form of a write is executed natively on a copy of its
 * operands, and decoded; memory, registers and flags must come out the same. Privileged instructions can't
 * run here, so they are compared with what the assembler was told.
 */
// sources: hypervisor/domain/decode.c
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include "domain/decode.h"

#define INSN(name, text)                                                              \
    __asm__(".pushsection .rodata\n" #name "_s: " text "\n" #name "_e: .popsection"); \
    extern const uint8_t name##_s[], name##_e[]
#define BYTES(name) name##_s, (size_t)(name##_e - name##_s)

/* Registers that the trampoline loads and stores, in the order of its code. */
struct state {
    uint64_t rax, rcx, rdx, rbx, rsi, rdi, r8, r9, flags;
};

void run_native(struct state *s, const void *code);
__asm__(".text\n"
        "run_native:\n"
        "push %rbx; push %rbp; push %r12; mov %rdi, %rbp; mov %rsi, %r12\n"
        "push 64(%rbp); popf\n"
        "mov (%rbp), %rax; mov 8(%rbp), %rcx; mov 16(%rbp), %rdx; mov 24(%rbp), %rbx\n"
        "mov 32(%rbp), %rsi; mov 40(%rbp), %rdi; mov 48(%rbp), %r8; mov 56(%rbp), %r9\n"
        "call *%r12\n"
        "mov %rax, (%rbp); mov %rcx, 8(%rbp); mov %rdx, 16(%rbp); mov %rbx, 24(%rbp)\n"
        "mov %rsi, 32(%rbp); mov %rdi, 40(%rbp); mov %r8, 48(%rbp); mov %r9, 56(%rbp)\n"
        "pushf; pop 64(%rbp)\n"
        "pop %r12; pop %rbp; pop %rbx; ret\n");

/* clang-format off */
#define FORMS(X)                                                                               \
    X(mov8, "movb %al, (%rdi)") X(movah, "movb %ah, 3(%rdi)") X(movsil, "movb %sil, (%rdi)")   \
    X(mov16, "movw %cx, (%rdi)") X(mov32, "movl %edx, 0x10(%rdi)") X(mov64, "movq %r8, -8(%rdi)") \
    X(movsib, "movq %rbx, 8(%rdi, %rsi, 8)") X(movnobase, "movq %rbx, 0x0(,%rdi,1)")           \
    X(movr9, "movq %rax, (%r9)") X(movdisp, "movq %rax, 0x1000-0x1000+0x100(%r9)")             \
    X(movi8, "movb $0x83, (%rdi)") X(movi16, "movw $0x8384, (%rdi)")                           \
    X(movi32, "movl $0x81828384, (%rdi)") X(movi64, "movq $-5, (%rdi)")                        \
    X(xchg8, "xchgb %cl, (%rdi)") X(xchg16, "xchgw %cx, (%rdi)") X(xchg32, "xchgl %ecx, (%rdi)") \
    X(xchg64, "xchgq %r8, (%rdi)") X(lxchg, "lock xchgq %rax, (%rdi)")                         \
    X(cmpx8, "lock cmpxchgb %cl, (%rdi)") X(cmpx16, "cmpxchgw %cx, (%rdi)")                    \
    X(cmpx32, "lock cmpxchgl %ecx, (%rdi)") X(cmpx64, "lock cmpxchgq %r8, (%rdi)")             \
    X(xadd8, "lock xaddb %cl, (%rdi)") X(xadd32, "xaddl %ecx, (%rdi)") X(xadd64, "lock xaddq %rdx, (%rdi)") \
    X(and8, "lock andb $0xfd, (%rdi)") X(and8p, ".byte 0x3e; andb $0xbf, 1(%rdi)")             \
    X(and32, "andl %ecx, (%rdi)") X(and64, "lock andq $-3, (%rdi)") X(and64i, "andq $0x7fffff00, (%rdi)") \
    X(or8, "orb %bl, (%rdi)") X(or64, "lock orq $0x40, (%rdi)") X(or16, "orw $0x1234, (%rdi)")  \
    X(xor64, "xorq %rbx, (%rdi)") X(xor32, "lock xorl $0x80000000, (%rdi)") X(xor8, "xorb %dh, (%rdi)")
/* clang-format on */

#define X(name, text) INSN(name, text);
FORMS(X)
#undef X

static const struct {
    const char *text;
    const uint8_t *start, *end;
} forms[] = {
#define X(name, text) { text, name##_s, name##_e },
    FORMS(X)
#undef X
};

static uint64_t seed = 88172645463325252;

static uint64_t number(void)
{
    static const uint64_t edges[] = { 0,      1,          0x7f,       0x80,  0xff,      0x7fff,
                                      0x8000, 0x7fffffff, 0x80000000, ~0ULL, 1ULL << 63 };

    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed % 3 ? seed * 0x9e3779b97f4a7c15 : edges[seed / 3 % ARRAY_SIZE(edges)];
}

/* A page of code that runs an instruction and returns. */
static void *executable(const uint8_t *start, const uint8_t *end)
{
    static uint8_t *page;
    size_t n = (size_t)(end - start);

    if (!page)
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
                    -1, 0);
    cr_assert(page != MAP_FAILED);
    memcpy(page, start, n);
    page[n] = 0xc3;
    return page;
}

static struct cpu_user_regs regs_of(const struct state *s)
{
    return (struct cpu_user_regs){ .rax = s->rax,
                                   .rcx = s->rcx,
                                   .rdx = s->rdx,
                                   .rbx = s->rbx,
                                   .rsi = s->rsi,
                                   .rdi = s->rdi,
                                   .r8 = s->r8,
                                   .r9 = s->r9,
                                   .rflags = s->flags,
                                   .rip = 0x1000 };
}

static void same(const char *text, const struct state *s, const struct cpu_user_regs *r, bool af)
{
    const uint64_t flags = 0x8c5 | (af ? 0x10 : 0);

    cr_assert_eq(s->rax, r->rax, "%s: rax %lx, not %lx", text, r->rax, s->rax);
    cr_assert_eq(s->rcx, r->rcx, "%s: rcx %lx, not %lx", text, r->rcx, s->rcx);
    cr_assert_eq(s->rdx, r->rdx, "%s: rdx", text);
    cr_assert_eq(s->rbx, r->rbx, "%s: rbx", text);
    cr_assert_eq(s->r8, r->r8, "%s: r8", text);
    cr_assert_eq(s->flags & flags, r->rflags & flags, "%s: flags %lx, not %lx", text, r->rflags & flags,
                 s->flags & flags);
}

static void compare(unsigned int i, uint8_t *memory, uint8_t *copy)
{
    size_t n = (size_t)(forms[i].end - forms[i].start);
    struct state s = { number(),
                       number(),
                       number(),
                       number(),
                       number() % 8,
                       (uint64_t)memory + 64,
                       number(),
                       (uint64_t)memory + 128,
                       0x202 | (number() & 0x8d5) };
    struct cpu_user_regs r;
    struct mem_write w;
    uint64_t old = 0, new;

    for (unsigned int k = 0; k < 512; k += 8)
        *(uint64_t *)(void *)(memory + k) = number();
    if (number() & 1) /* half of the compares match */
        memcpy(memory + 64, &s.rax, 8);
    memcpy(copy, memory, 512);
    r = regs_of(&s);
    cr_assert(decode_write(forms[i].start, n, &r, &w), "%s", forms[i].text);
    cr_assert_eq(w.length, n, "%s: length %u, not %zu", forms[i].text, w.length, n);
    cr_assert(w.addr >= (uint64_t)memory && w.addr < (uint64_t)memory + 504, "%s: address", forms[i].text);
    memcpy(&old, (void *)w.addr, w.size);
    new = decode_write_result(&w, old, &r);
    memcpy(copy + (w.addr - (uint64_t)memory), &new, w.size);
    decode_write_commit(&w, old, &r);
    cr_assert_eq(r.rip, 0x1000 + n);
    run_native(&s, executable(forms[i].start, forms[i].end));
    cr_assert(!memcmp(memory, copy, 512), "%s: memory", forms[i].text);
    same(forms[i].text, &s, &r, w.op == WRITE_CMPXCHG || w.op == WRITE_XADD);
}

Test(decode, writes_as_the_processor_does)
{
    uint8_t *memory =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    uint8_t copy[512];

    for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++)
        for (unsigned int round = 0; round < 300; round++)
            compare(i, memory, copy);
}

INSN(riprel, "movq $7, 0x1234(%rip)");
INSN(riprel_reg, "movq %rax, -0x20(%rip)");

Test(decode, relative_to_rip)
{
    struct cpu_user_regs r = { .rip = 0x400000 };
    struct mem_write w;

    cr_assert(decode_write(BYTES(riprel), &r, &w));
    cr_assert_eq(w.addr, 0x400000 + w.length + 0x1234);
    cr_assert_eq(w.length, (size_t)(riprel_e - riprel_s));
    cr_assert(decode_write(BYTES(riprel_reg), &r, &w));
    cr_assert_eq(w.addr, 0x400000 + w.length - 0x20);
}

INSN(load, "movq (%rdi), %rax");
INSN(regreg, "movq %rax, %rbx");
INSN(gs, "movq %rax, %gs:(%rdi)");
INSN(addr32, "movq %rax, (%edi)");
INSN(add, "addq %rax, (%rdi)");
INSN(stos, "rep stosq");
INSN(lockmov, ".byte 0xf0; movq %rax, (%rdi)");
INSN(xchgah, "xchgb %ah, (%rdi)");

Test(decode, what_is_no_write_of_ours)
{
    struct cpu_user_regs r = { 0 };
    struct mem_write w;

    cr_assert_not(decode_write(BYTES(load), &r, &w));
    cr_assert_not(decode_write(BYTES(regreg), &r, &w));
    cr_assert_not(decode_write(BYTES(gs), &r, &w));
    cr_assert_not(decode_write(BYTES(addr32), &r, &w));
    cr_assert_not(decode_write(BYTES(add), &r, &w));
    cr_assert_not(decode_write(BYTES(stos), &r, &w));
    cr_assert_not(decode_write(BYTES(lockmov), &r, &w));
    cr_assert_not(decode_write(BYTES(xchgah), &r, &w));
}

Test(decode, every_cut_is_refused)
{
    struct cpu_user_regs r = { 0 };
    struct mem_write w;

    for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++)
        for (size_t n = 0; n < (size_t)(forms[i].end - forms[i].start); n++)
            cr_assert_not(decode_write(forms[i].start, n, &r, &w), "%s, %zu bytes", forms[i].text, n);
}

/* clang-format off */
#define PRIVILEGED(X)                                                                          \
    X(rcr0, "mov %cr0, %rax", PRIV_MOV_FROM_CR, 0, 0) X(rcr3, "mov %cr3, %r12", PRIV_MOV_FROM_CR, 3, 12) \
    X(rcr8, "mov %cr8, %rbx", PRIV_MOV_FROM_CR, 8, 3) X(wcr4, "mov %rsi, %cr4", PRIV_MOV_TO_CR, 4, 6) \
    X(rdr7, "mov %db7, %rdx", PRIV_MOV_FROM_DR, 7, 2) X(wdr0, "mov %r9, %db0", PRIV_MOV_TO_DR, 0, 9) \
    X(clts_i, "clts", PRIV_CLTS, 0, 0) X(cli_i, "cli", PRIV_CLI, 0, 0) X(sti_i, "sti", PRIV_STI, 0, 0) \
    X(rdmsr_i, "rdmsr", PRIV_RDMSR, 0, 0) X(wrmsr_i, "wrmsr", PRIV_WRMSR, 0, 0)                \
    X(wbinvd_i, "wbinvd", PRIV_WBINVD, 0, 0) X(xsetbv_i, "xsetbv", PRIV_XSETBV, 0, 0)          \
    X(int80, "int $0x80", PRIV_INT, 0x80, 0) X(int3l, ".byte 0xcd, 3", PRIV_INT, 3, 0)

#define PORTS(X)                                                                               \
    X(inb_i, "inb $0x42, %al", PRIV_IN, 0x42, 1, false) X(inw_d, "inw %dx, %ax", PRIV_IN, 0x3f8, 2, false) \
    X(inl_d, "inl %dx, %eax", PRIV_IN, 0x3f8, 4, false) X(outb_i, "outb %al, $0x80", PRIV_OUT, 0x80, 1, false) \
    X(outw_d, "outw %ax, %dx", PRIV_OUT, 0x3f8, 2, false) X(outl_i, "outl %eax, $0xf8", PRIV_OUT, 0xf8, 4, false) \
    X(insb_i, "rep insb", PRIV_INS, 0x3f8, 1, true) X(outsw_i, "outsw", PRIV_OUTS, 0x3f8, 2, false) \
    X(outsl_i, "rep outsl", PRIV_OUTS, 0x3f8, 4, true)
/* clang-format on */

#define X(name, text, ...) INSN(name, text);
PRIVILEGED(X)
PORTS(X)
#undef X
INSN(hlt_i, "hlt");
INSN(cpuid_i, "cpuid");
INSN(xgetbv_i, "xgetbv");
INSN(rdtscp_i, "rdtscp");
INSN(invlpg_i, "invlpg (%rax)");
INSN(lgdt_i, "lgdt (%rax)");
INSN(swapgs_i, "swapgs");
INSN(sysret_i, "sysretq");
INSN(invd_i, "invd");
INSN(rdpmc_i, "rdpmc");
INSN(lockcr, ".byte 0xf0; mov %cr0, %rax");

Test(decode, privileged)
{
    struct cpu_user_regs r = { .rdx = 0x3f8 };
    struct priv_insn p;

#define X(name, text, what, nr, general)                               \
    memset(&p, 0, sizeof(p));                                          \
    cr_assert(decode_privileged(BYTES(name), &r, &p), "%s", text);     \
    cr_assert_eq(p.op, what, "%s", text);                              \
    cr_assert_eq(p.number, nr, "%s", text);                            \
    cr_assert_eq(p.reg, general, "%s", text);                          \
    cr_assert_eq(p.length, (size_t)(name##_e - name##_s), "%s", text); \
    for (size_t n = 0; n < (size_t)(name##_e - name##_s); n++)         \
        cr_assert_not(decode_privileged(name##_s, n, &r, &p), "%s", text);
    PRIVILEGED(X)
#undef X
#define X(name, text, what, nr, bytes, repeated)                   \
    cr_assert(decode_privileged(BYTES(name), &r, &p), "%s", text); \
    cr_assert_eq(p.op, what, "%s", text);                          \
    cr_assert_eq(p.port, nr, "%s", text);                          \
    cr_assert_eq(p.size, bytes, "%s", text);                       \
    cr_assert_eq(p.rep, repeated, "%s", text);                     \
    cr_assert_eq(p.length, (size_t)(name##_e - name##_s), "%s", text);
    PORTS(X)
#undef X
}

Test(decode, what_stays_a_fault)
{
    struct cpu_user_regs r = { 0 };
    struct priv_insn p;

    cr_assert_not(decode_privileged(BYTES(hlt_i), &r, &p));
    cr_assert_not(decode_privileged(BYTES(cpuid_i), &r, &p));
    cr_assert_not(decode_privileged(BYTES(xgetbv_i), &r, &p));
    cr_assert_not(decode_privileged(BYTES(rdtscp_i), &r, &p));
    cr_assert_not(decode_privileged(BYTES(invlpg_i), &r, &p));
    cr_assert_not(decode_privileged(BYTES(lgdt_i), &r, &p));
    cr_assert_not(decode_privileged(BYTES(swapgs_i), &r, &p));
    cr_assert_not(decode_privileged(BYTES(sysret_i), &r, &p));
    cr_assert_not(decode_privileged(BYTES(invd_i), &r, &p));
    cr_assert_not(decode_privileged(BYTES(rdpmc_i), &r, &p));
    cr_assert_not(decode_privileged(BYTES(lockcr), &r, &p));
}

/* No bytes make it read beyond what is there; the sanitizers watch. */
Test(decode, random_bytes)
{
    struct cpu_user_regs r = { .rdi = 0x1000 };
    struct mem_write w;
    struct priv_insn p;

    for (unsigned int round = 0; round < 300000; round++) {
        uint64_t words[2] = { number(), number() };
        size_t n = number() % 16;
        uint8_t *code = (uint8_t *)words + 16 - n;

        decode_privileged(code, n, &r, &p);
        if (decode_write(code, n, &r, &w))
            cr_assert(w.length <= n && (w.size == 1 || w.size == 2 || w.size == 4 || w.size == 8));
    }
}
