/* SPDX-License-Identifier: MIT
 *
 * The instruction decoder: a small part of the x86-64 instruction set, without state and without side
 * effects.
 *
 * Both kinds of instructions begin alike: prefixes, then the opcode. Writes go on with a ModRM operand that
 * must be memory; its effective address is computed here, from the registers. Everything unknown, every
 * segment override with a base (fs, gs) and every 32-bit address is refused: better a fault in the guest than
 * a wrong write. Tables: Intel SDM vol. 2, appendix A. Tests: tests/host/decode_test.c.
 */
#include "domain/decode.h"
#include "lib/string.h"

#define REX_B   1
#define REX_X   2
#define REX_R   4
#define REX_W   8

#define FLAG_CF 0x001
#define FLAG_PF 0x004
#define FLAG_AF 0x010
#define FLAG_ZF 0x040
#define FLAG_SF 0x080
#define FLAG_OF 0x800
#define FLAGS   (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* The bytes, and what the prefixes said. */
struct reader {
    const uint8_t *code;
    size_t n, at;
    uint8_t rex;
    bool opsize, addrsize, lock, rep, segment, bad; /* bad: read beyond the end */
};

static inline uint8_t next_byte(struct reader *r)
{
    if (unlikely(r->at >= r->n)) {
        r->bad = true;
        return 0;
    }
    return r->code[r->at++];
}

static uint64_t next_number(struct reader *r, unsigned int bytes)
{
    uint64_t v = 0;

    for (unsigned int i = 0; i < bytes; i++)
        v |= (uint64_t)next_byte(r) << 8 * i;
    return v;
}

static uint64_t cut(uint64_t v, unsigned int bytes)
{
    return bytes == 8 ? v : v & ((1ULL << 8 * bytes) - 1);
}

static uint64_t sign_extend(uint64_t v, unsigned int bytes)
{
    unsigned int shift = 64 - 8 * bytes;

    return (uint64_t)((int64_t)(v << shift) >> shift);
}

/* Reads prefixes; gives the first opcode byte. */
static inline uint8_t read_prefixes(struct reader *r)
{
    for (;;) {
        uint8_t b = next_byte(r);

        switch (b) {
        case 0x66:
            r->opsize = true;
            break;
        case 0x67:
            r->addrsize = true;
            break;
        case 0xf0:
            r->lock = true;
            break;
        case 0xf2:
        case 0xf3:
            r->rep = true;
            break;
        case 0x64:
        case 0x65:
            r->segment = true;
            break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
            break;
        default:
            if ((b & 0xf0) != 0x40)
                return b;
            r->rex = b; /* counts only right before the opcode */
            b = next_byte(r);
            if ((b & 0xf0) != 0x40 && b != 0x66 && b != 0x67 && b != 0xf0 && b != 0xf2 && b != 0xf3)
                return b;
            r->bad = true; /* no compiler writes a prefix behind REX */
            return b;
        }
    }
}

static inline struct reader begin(const uint8_t *code, size_t n)
{
    return (struct reader){ .code = code, .n = MIN(n, INSN_MAX) };
}

uint64_t *decode_reg(struct cpu_user_regs *regs, unsigned int nr)
{
    static const uint8_t offsets[16] = {
        offsetof(struct cpu_user_regs, rax), offsetof(struct cpu_user_regs, rcx),
        offsetof(struct cpu_user_regs, rdx), offsetof(struct cpu_user_regs, rbx),
        offsetof(struct cpu_user_regs, rsp), offsetof(struct cpu_user_regs, rbp),
        offsetof(struct cpu_user_regs, rsi), offsetof(struct cpu_user_regs, rdi),
        offsetof(struct cpu_user_regs, r8),  offsetof(struct cpu_user_regs, r9),
        offsetof(struct cpu_user_regs, r10), offsetof(struct cpu_user_regs, r11),
        offsetof(struct cpu_user_regs, r12), offsetof(struct cpu_user_regs, r13),
        offsetof(struct cpu_user_regs, r14), offsetof(struct cpu_user_regs, r15),
    };

    return (uint64_t *)(void *)((char *)regs + offsets[nr & 15]);
}

static uint64_t reg_value(const struct cpu_user_regs *regs, unsigned int nr)
{
    return *decode_reg((struct cpu_user_regs *)(uintptr_t)regs, nr);
}

/* ModRM with SIB and displacement; what is relative to RIP lacks the instruction's length yet. */
struct operand {
    uint64_t addr;
    unsigned int reg; /* the reg field with REX.R */
    bool rip_relative;
};

static uint64_t sib_address(struct reader *r, unsigned int mod, const struct cpu_user_regs *regs)
{
    uint8_t sib = next_byte(r);
    unsigned int index = (sib >> 3 & 7) | (r->rex & REX_X ? 8 : 0),
                 base = (sib & 7) | (r->rex & REX_B ? 8 : 0);
    uint64_t addr = index == 4 ? 0 : reg_value(regs, index) << (sib >> 6);

    if ((sib & 7) == 5 && mod == 0)
        return addr + sign_extend(next_number(r, 4), 4);
    return addr + reg_value(regs, base);
}

/* False: a register, no memory. */
static bool read_operand(struct reader *r, const struct cpu_user_regs *regs, struct operand *o)
{
    uint8_t modrm = next_byte(r);
    unsigned int mod = modrm >> 6, rm = modrm & 7;

    o->reg = (modrm >> 3 & 7) | (r->rex & REX_R ? 8 : 0);
    o->rip_relative = mod == 0 && rm == 5;
    if (mod == 3)
        return false;
    if (o->rip_relative)
        o->addr = sign_extend(next_number(r, 4), 4);
    else if (rm == 4)
        o->addr = sib_address(r, mod, regs);
    else
        o->addr = reg_value(regs, rm | (r->rex & REX_B ? 8 : 0));
    if (mod == 1)
        o->addr += sign_extend(next_number(r, 1), 1);
    else if (mod == 2)
        o->addr += sign_extend(next_number(r, 4), 4);
    return true;
}

/* The forms of a write: opcode (0x0f00 added for two bytes), the operation, and where the operand comes from.
 * Even opcodes write a byte, odd ones a word of the operand size. */
enum source { SRC_REG, SRC_IMM, SRC_IMM8, SRC_GROUP1 };

static const struct form {
    uint16_t opcode;
    uint8_t op, source;
} forms[] = {
    { 0x88, WRITE_MOV, SRC_REG },      { 0x89, WRITE_MOV, SRC_REG },      { 0xc6, WRITE_MOV, SRC_IMM },
    { 0xc7, WRITE_MOV, SRC_IMM },      { 0x86, WRITE_XCHG, SRC_REG },     { 0x87, WRITE_XCHG, SRC_REG },
    { 0x20, WRITE_AND, SRC_REG },      { 0x21, WRITE_AND, SRC_REG },      { 0x08, WRITE_OR, SRC_REG },
    { 0x09, WRITE_OR, SRC_REG },       { 0x30, WRITE_XOR, SRC_REG },      { 0x31, WRITE_XOR, SRC_REG },
    { 0x80, WRITE_AND, SRC_GROUP1 },   { 0x81, WRITE_AND, SRC_GROUP1 },   { 0x83, WRITE_AND, SRC_GROUP1 },
    { 0xfb0, WRITE_CMPXCHG, SRC_REG }, { 0xfb1, WRITE_CMPXCHG, SRC_REG }, { 0xfc0, WRITE_XADD, SRC_REG },
    { 0xfc1, WRITE_XADD, SRC_REG },
};

static const struct form *find_form(uint16_t opcode)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++)
        if (forms[i].opcode == opcode)
            return &forms[i];
    return NULL;
}

/* Group 1 (80, 81, 83): the operation stands in the reg field. */
static bool group1(unsigned int reg, uint8_t *op)
{
    static const uint8_t ops[8] = { [1] = WRITE_OR, [4] = WRITE_AND, [6] = WRITE_XOR };

    *op = ops[reg & 7];
    return *op != 0;
}

/* A register as a source; byte registers 4 to 7 without REX are ah, ch, dh, bh. */
static uint64_t source_reg(const struct reader *r, const struct cpu_user_regs *regs, unsigned int reg,
                           unsigned int size)
{
    if (size == 1 && !r->rex && reg >= 4)
        return reg_value(regs, reg - 4) >> 8 & 0xff;
    return cut(reg_value(regs, reg), size);
}

static bool takes_old(uint8_t op)
{
    return op == WRITE_XCHG || op == WRITE_XADD;
}

bool decode_write(const uint8_t *code, size_t n, const struct cpu_user_regs *regs, struct mem_write *w)
{
    struct reader r = begin(code, n);
    uint16_t opcode = read_prefixes(&r);
    const struct form *f;
    struct operand o;

    if (opcode == 0x0f)
        opcode = 0xf00 | next_byte(&r);
    f = find_form(opcode);
    if (!f || r.segment || r.addrsize || r.rep || !read_operand(&r, regs, &o))
        return false;
    w->op = f->op;
    w->size = !(opcode & 1) ? 1 : r.rex & REX_W ? 8 : r.opsize ? 2 : 4;
    w->reg = (uint8_t)o.reg;
    if (f->source == SRC_GROUP1 && !group1(o.reg, &w->op))
        return false;
    if (f->source == SRC_REG) {
        if (takes_old(w->op) && w->size == 1 && !r.rex && o.reg >= 4)
            return false;
        w->operand = source_reg(&r, regs, o.reg, w->size);
    } else {
        unsigned int bytes = opcode == 0x83 ? 1 : MIN(w->size, 4u);

        if (f->source == SRC_IMM && o.reg & 7)
            return false;
        w->operand = cut(sign_extend(next_number(&r, bytes), bytes), w->size);
    }
    if (r.lock && w->op == WRITE_MOV)
        return false;
    w->length = (uint8_t)r.at;
    w->addr = o.rip_relative ? o.addr + regs->rip + r.at : o.addr;
    return !r.bad;
}

uint64_t decode_write_result(const struct mem_write *w, uint64_t old, const struct cpu_user_regs *regs)
{
    switch (w->op) {
    case WRITE_CMPXCHG:
        return cut(regs->rax, w->size) == old ? w->operand : old;
    case WRITE_XADD:
        return cut(old + w->operand, w->size);
    case WRITE_AND:
        return old & w->operand;
    case WRITE_OR:
        return old | w->operand;
    case WRITE_XOR:
        return old ^ w->operand;
    default:
        return w->operand;
    }
}

static uint64_t sign_bit(unsigned int size)
{
    return 1ULL << (8 * size - 1);
}

/* ZF, SF and PF of a result. */
static uint64_t result_flags(uint64_t result, unsigned int size)
{
    return (result ? 0 : FLAG_ZF) | (result & sign_bit(size) ? FLAG_SF : 0) |
           (__builtin_parity((unsigned int)(result & 0xff)) ? 0 : FLAG_PF);
}

/* Flags of a + b. */
static uint64_t add_flags(uint64_t a, uint64_t b, unsigned int size)
{
    uint64_t sum = cut(a + b, size);

    return result_flags(sum, size) | (sum < a ? FLAG_CF : 0) | ((a ^ b ^ sum) & 0x10 ? FLAG_AF : 0) |
           (~(a ^ b) & (a ^ sum) & sign_bit(size) ? FLAG_OF : 0);
}

/* Flags of a - b. */
static uint64_t sub_flags(uint64_t a, uint64_t b, unsigned int size)
{
    uint64_t diff = cut(a - b, size);

    return result_flags(diff, size) | (a < b ? FLAG_CF : 0) | ((a ^ b ^ diff) & 0x10 ? FLAG_AF : 0) |
           ((a ^ b) & (a ^ diff) & sign_bit(size) ? FLAG_OF : 0);
}

/* As the processor writes a register: 4 bytes clear the upper half, 1 and 2 leave the rest. */
static void set_reg(uint64_t *reg, uint64_t v, unsigned int size)
{
    *reg = size >= 4 ? v : (*reg & ~cut(~0ULL, size)) | v;
}

void decode_write_commit(const struct mem_write *w, uint64_t old, struct cpu_user_regs *regs)
{
    uint64_t flags = regs->rflags & FLAGS, accumulator = cut(regs->rax, w->size);

    if (w->op == WRITE_AND || w->op == WRITE_OR || w->op == WRITE_XOR)
        flags = result_flags(decode_write_result(w, old, regs), w->size);
    else if (w->op == WRITE_XADD)
        flags = add_flags(old, w->operand, w->size);
    else if (w->op == WRITE_CMPXCHG)
        flags = sub_flags(accumulator, old, w->size);
    if (takes_old(w->op))
        set_reg(decode_reg(regs, w->reg), old, w->size);
    else if (w->op == WRITE_CMPXCHG && accumulator != old)
        set_reg(&regs->rax, old, w->size);
    regs->rflags = (regs->rflags & ~(uint64_t)FLAGS) | flags;
    regs->rip += w->length;
}

/* 0f 01 with a register form. */
static uint8_t decode_0f01(struct reader *r)
{
    switch (next_byte(r)) {
    case 0xd0:
        return PRIV_XGETBV;
    case 0xd1:
        return PRIV_XSETBV;
    case 0xf9:
        return PRIV_RDTSCP;
    default:
        return PRIV_NONE;
    }
}

/* mov between a general register and CRn or DRn: the mod field is ignored, lock means CR8 on AMD. */
static uint8_t decode_mov_cr(struct reader *r, struct priv_insn *p, uint8_t op)
{
    uint8_t modrm = next_byte(r);

    p->number = (uint8_t)((modrm >> 3 & 7) | (r->rex & REX_R ? 8 : 0));
    p->reg = (uint8_t)((modrm & 7) | (r->rex & REX_B ? 8 : 0));
    return r->lock ? PRIV_NONE : op;
}

static uint8_t decode_two_bytes(struct reader *r, struct priv_insn *p)
{
    switch (next_byte(r)) {
    case 0x20:
        return decode_mov_cr(r, p, PRIV_MOV_FROM_CR);
    case 0x21:
        return decode_mov_cr(r, p, PRIV_MOV_FROM_DR);
    case 0x22:
        return decode_mov_cr(r, p, PRIV_MOV_TO_CR);
    case 0x23:
        return decode_mov_cr(r, p, PRIV_MOV_TO_DR);
    case 0x01:
        return decode_0f01(r);
    case 0x06:
        return PRIV_CLTS;
    case 0x09:
        return PRIV_WBINVD;
    case 0x30:
        return PRIV_WRMSR;
    case 0x31:
        return PRIV_RDTSC;
    case 0x32:
        return PRIV_RDMSR;
    case 0xa2:
        return PRIV_CPUID;
    default:
        return PRIV_NONE;
    }
}

/* in, out, ins, outs: the port is an immediate for e4 to e7, else DX; even opcodes move a byte. */
static uint8_t decode_io(struct reader *r, struct priv_insn *p, uint8_t opcode,
                         const struct cpu_user_regs *regs)
{
    p->port = opcode >= 0xe4 && opcode <= 0xe7 ? next_byte(r) : (uint16_t)regs->rdx;
    p->size = !(opcode & 1) ? 1 : r->opsize ? 2 : 4;
    p->rep = r->rep;
    p->addr32 = r->addrsize;
    if (opcode < 0x70)
        return r->segment ? PRIV_NONE : opcode < 0x6e ? PRIV_INS : PRIV_OUTS;
    return opcode & 2 ? PRIV_OUT : PRIV_IN;
}

bool decode_privileged(const uint8_t *code, size_t n, const struct cpu_user_regs *regs, struct priv_insn *p)
{
    struct reader r = begin(code, n);
    uint8_t opcode = read_prefixes(&r);

    if (opcode == 0x0f) {
        p->op = decode_two_bytes(&r, p);
    } else if ((opcode >= 0x6c && opcode <= 0x6f) || (opcode >= 0xe4 && opcode <= 0xe7) ||
               (opcode >= 0xec && opcode <= 0xef)) {
        p->op = decode_io(&r, p, opcode, regs);
    } else if (opcode == 0xfa) {
        p->op = PRIV_CLI;
    } else if (opcode == 0xfb) {
        p->op = PRIV_STI;
    } else if (opcode == 0xcd) {
        p->op = PRIV_INT;
        p->number = next_byte(&r);
    } else {
        return false;
    }
    p->length = (uint8_t)r.at;
    return p->op != PRIV_NONE && !r.bad;
}
