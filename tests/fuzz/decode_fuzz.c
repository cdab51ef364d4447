/* SPDX-License-Identifier: MIT
 *
 * The instruction decoder: any bytes, any registers. What it accepts has a length from 1 to 15 that lies in
 * what it was given, needs every byte of it and looks at no other; and a write does what the processor does
 * with the same bytes: they are run, where the address is one of ours, and memory, registers and flags
 * compared.
 *
 * An input: flags, a byte for each register but rsp (0 to 127: a line of the memory, above: a small number),
 * then the code.
 */
// sources: hypervisor/domain/decode.c
#define _GNU_SOURCE
#include <sys/mman.h>
#include "domain/decode.h"
#include "tests/fuzz/fuzz.h"

/*
 * The mapping: code | data, which writes may hit | where the kernel may put a signal's frame | more data,
 * at whose start rsp points.
 */
#define DATA   4096u
#define STACK  16384u
#define SIZE   20480u
#define LINE   64u
#define NR_RSP 4u

/* rax to r15 as instructions count, then the flags: before and after the code. */
uint64_t fuzz_regs[17], fuzz_own_stack;
const uint8_t *fuzz_entry;
void fuzz_run_code(void);
void fuzz_back(void);

#define LOAD(n, reg)  "mov fuzz_regs+8*" #n "(%rip), %" #reg "\n"
#define STORE(n, reg) "mov %" #reg ", fuzz_regs+8*" #n "(%rip)\n"
/* clang-format off */
#define ALL(X) \
    X(0, rax) X(1, rcx) X(2, rdx) X(3, rbx) X(4, rsp) X(5, rbp) X(6, rsi) X(7, rdi) \
    X(8, r8) X(9, r9) X(10, r10) X(11, r11) X(12, r12) X(13, r13) X(14, r14) X(15, r15)

/* Loads everything and jumps to the code, behind which stands a jump to fuzz_back. */
__asm__(".text\n"
        "fuzz_run_code:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "mov %rsp, fuzz_own_stack(%rip)\n"
        "pushq fuzz_regs+128(%rip); popfq\n"
        ALL(LOAD)
        "jmp *fuzz_entry(%rip)\n"
        "fuzz_back:\n"
        ALL(STORE)
        "mov fuzz_own_stack(%rip), %rsp\n"
        "pushfq; popq fuzz_regs+128(%rip)\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");
/* clang-format on */

static uint8_t *code;

static bool ours(uint64_t addr, unsigned int size)
{
    uint64_t at = addr - (uint64_t)code;

    return ((at >= DATA && at < 2 * DATA) || (at >= STACK && at < SIZE)) &&
           addr / LINE == (addr + size - 1) / LINE; /* no lock across lines */
}

/* Runs the instruction and compares with what was decoded. */
static void compare(const uint8_t *insn, const struct mem_write *w, struct cpu_user_regs *r)
{
    static const uint8_t jump[] = { 0xff, 0x25, 0, 0, 0, 0 }; /* jmp *0(%rip) */
    static uint8_t expected[SIZE];
    uint64_t old = 0, new, back = (uint64_t)fuzz_back;
    uint64_t flags = w->op >= WRITE_AND ? 0x8c5 : 0x8d5; /* and, or, xor leave AF undefined */

    memcpy(code, insn, w->length);
    memcpy(code + w->length, jump, sizeof(jump));
    memcpy(code + w->length + sizeof(jump), &back, sizeof(back));
    memcpy(expected, code, SIZE);
    memcpy(&old, (void *)w->addr, w->size);
    new = decode_write_result(w, old, r);
    memcpy(expected + (w->addr - (uint64_t)code), &new, w->size);
    decode_write_commit(w, old, r);
    MUST(r->rip == (uint64_t)code + w->length);
    fuzz_entry = code;
    fuzz_run_code();
    MUST(!memcmp(code + DATA, expected + DATA, DATA));
    MUST(!memcmp(code + STACK, expected + STACK, SIZE - STACK));
    MUST((fuzz_regs[16] & flags) == (r->rflags & flags));
    for (unsigned int i = 0; i < 16; i++)
        MUST(fuzz_regs[i] == *decode_reg(r, i));
}

/* Structures that began as zeros, padding too. */
static bool same(const void *a, const void *b, size_t bytes)
{
    return memcmp(a, b, bytes) == 0;
}

static void check_write(const uint8_t *insn, size_t n, struct cpu_user_regs *r)
{
    struct mem_write w = { 0 }, again = { 0 };

    if (!decode_write(insn, n, r, &w))
        return;
    MUST(w.length >= 1 && w.length <= INSN_MAX && w.length <= n && w.reg < 16 && w.op <= WRITE_XOR);
    MUST(w.size == 1 || w.size == 2 || w.size == 4 || w.size == 8);
    MUST(w.size == 8 || w.operand >> 8 * w.size == 0);
    MUST(!decode_write(insn, w.length - 1u, r, &again));
    MUST(decode_write(insn, w.length, r, &again) && same(&w, &again, sizeof(w)));
    if (ours(w.addr, w.size) && !(w.reg == NR_RSP && (w.op == WRITE_XCHG || w.op == WRITE_XADD)))
        compare(insn, &w, r);
}

static void check_privileged(const uint8_t *insn, size_t n, const struct cpu_user_regs *r)
{
    struct priv_insn p = { 0 }, again = { 0 };

    if (!decode_privileged(insn, n, r, &p))
        return;
    MUST(p.length >= 1 && p.length <= INSN_MAX && p.length <= n);
    MUST(p.op > PRIV_NONE && p.op <= PRIV_INT && p.reg < 16);
    if (p.op >= PRIV_IN && p.op <= PRIV_OUTS)
        MUST(p.size == 1 || p.size == 2 || p.size == 4);
    if (p.op >= PRIV_MOV_FROM_CR && p.op <= PRIV_MOV_TO_DR)
        MUST(p.number < 16);
    MUST(!decode_privileged(insn, p.length - 1u, r, &again));
    MUST(decode_privileged(insn, p.length, r, &again) && same(&p, &again, sizeof(p)));
}

static void begin(uint8_t fill)
{
    if (!code)
        code = mmap(NULL, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(code != MAP_FAILED);
    memset(code + DATA, fill, SIZE - DATA);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct cpu_user_regs r = { 0 };
    uint8_t flags = fuzz_byte(&in);

    begin(flags);
    fuzz_regs[16] = 0x202 | (flags & 0xd5u) | (flags & 2u) << 10;
    for (unsigned int i = 0; i < 16; i++) {
        uint8_t b = i == NR_RSP ? 0 : fuzz_byte(&in);

        fuzz_regs[i] = b < 128 ? (uint64_t)code + DATA + b % 64u * LINE : (uint64_t)(b - 192);
        if (i == NR_RSP)
            fuzz_regs[i] = (uint64_t)code + STACK;
        if (b == 255) /* what memory holds, so that a cmpxchg matches */
            memset(&fuzz_regs[i], flags, 8);
        *decode_reg(&r, i) = fuzz_regs[i];
    }
    r.rflags = fuzz_regs[16];
    r.rip = (uint64_t)code;
    check_privileged(in.at, in.left, &r);
    check_write(in.at, in.left, &r);
    return 0;
}
