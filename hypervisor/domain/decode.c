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

/* What a byte before the opcode says. REX counts only right before the opcode. */
enum { OPSIZE = 1, ADDRSIZE = 2, LOCK = 4, REP = 8, SEGMENT = 16, REX = 32, NOTHING = 64 };

static const uint8_t prefixes[256] = {
    [0x26] = NOTHING,      [0x2e] = NOTHING,          [0x36] = NOTHING, [0x3e] = NOTHING,
    [0x66] = OPSIZE,       [0x67] = ADDRSIZE,         [0xf0] = LOCK,    [0xf2 ... 0xf3] = REP,
    [0x40 ... 0x4f] = REX, [0x64 ... 0x65] = SEGMENT, /* fs, gs */
};

struct reader {
    const uint8_t *code;
    size_t n, at;
    uint8_t rex, prefix; /* the REX byte, or 0; what the prefixes say */
    bool bad;            /* read beyond the end, or nothing that a compiler writes */
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
    uint8_t b;

    while (prefixes[b = next_byte(r)]) {
        r->bad |= r->rex != 0; /* a prefix behind REX */
        if (prefixes[b] == REX)
            r->rex = b;
        r->prefix |= prefixes[b];
    }
    return b;
}

uint64_t *decode_reg(struct cpu_user_regs *regs, unsigned int nr)
{
#define AT(reg) offsetof(struct cpu_user_regs, reg)
    static const uint8_t offsets[16] = {
        AT(rax), AT(rcx), AT(rdx), AT(rbx), AT(rsp), AT(rbp), AT(rsi), AT(rdi),
        AT(r8),  AT(r9),  AT(r10), AT(r11), AT(r12), AT(r13), AT(r14), AT(r15),
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
 * An even opcode writes a byte, and the odd one behind it a word of the operand size. */
enum source { SRC_REG, SRC_IMM, SRC_GROUP1 };

static const struct form {
    uint16_t opcode;
    uint8_t op, source;
} forms[] = {
    { 0x88, WRITE_MOV, SRC_REG },   { 0xc6, WRITE_MOV, SRC_IMM }, { 0x86, WRITE_XCHG, SRC_REG },
    { 0x20, WRITE_AND, SRC_REG },   { 0x08, WRITE_OR, SRC_REG },  { 0x30, WRITE_XOR, SRC_REG },
    { 0x80, 0, SRC_GROUP1 },        { 0x83, 0, SRC_GROUP1 },      { 0xfb0, WRITE_CMPXCHG, SRC_REG },
    { 0xfc0, WRITE_XADD, SRC_REG },
};

/* Group 1 (80, 81, 83): the operation stands in the reg field. */
static const uint8_t group1[8] = { [1] = WRITE_OR, [4] = WRITE_AND, [6] = WRITE_XOR };

static const struct form *find_form(uint16_t opcode)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++)
        if (forms[i].opcode == opcode || forms[i].opcode == (opcode & ~1))
            return &forms[i];
    return NULL;
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
    struct reader r = { .code = code, .n = MIN(n, INSN_MAX) };
    uint16_t opcode = read_prefixes(&r);
    const struct form *f;
    struct operand o;

    if (opcode == 0x0f)
        opcode = 0xf00 | next_byte(&r);
    f = find_form(opcode);
    if (!f || r.prefix & (SEGMENT | ADDRSIZE | REP) || !read_operand(&r, regs, &o))
        return false;
    w->op = f->source == SRC_GROUP1 ? group1[o.reg & 7] : f->op;
    w->size = !(opcode & 1) ? 1 : r.rex & REX_W ? 8 : r.prefix & OPSIZE ? 2 : 4;
    w->reg = (uint8_t)o.reg;
    if (f->source == SRC_GROUP1 && !w->op)
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
    if (r.prefix & LOCK && w->op == WRITE_MOV)
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

/* Carries of x + y = sum. Those of a subtraction a - b = d are the same bits of d + b = a. */
static uint64_t carry_flags(uint64_t x, uint64_t y, uint64_t sum, unsigned int size)
{
    return (sum < x ? FLAG_CF : 0) | ((x ^ y ^ sum) & 0x10 ? FLAG_AF : 0) |
           (~(x ^ y) & (x ^ sum) & sign_bit(size) ? FLAG_OF : 0);
}

/* As the processor writes a register: 4 bytes clear the upper half, 1 and 2 leave the rest. */
static void set_reg(uint64_t *reg, uint64_t v, unsigned int size)
{
    *reg = size >= 4 ? v : (*reg & ~cut(~0ULL, size)) | v;
}

void decode_write_commit(const struct mem_write *w, uint64_t old, struct cpu_user_regs *regs)
{
    uint64_t flags = regs->rflags & FLAGS, accumulator = cut(regs->rax, w->size);
    uint64_t result = decode_write_result(w, old, regs), difference = cut(accumulator - old, w->size);

    if (w->op == WRITE_AND || w->op == WRITE_OR || w->op == WRITE_XOR)
        flags = result_flags(result, w->size);
    else if (w->op == WRITE_XADD)
        flags = result_flags(result, w->size) | carry_flags(old, w->operand, result, w->size);
    else if (w->op == WRITE_CMPXCHG)
        flags = result_flags(difference, w->size) | carry_flags(difference, old, accumulator, w->size);
    if (takes_old(w->op))
        set_reg(decode_reg(regs, w->reg), old, w->size);
    else if (w->op == WRITE_CMPXCHG && accumulator != old)
        set_reg(&regs->rax, old, w->size);
    regs->rflags = (regs->rflags & ~(uint64_t)FLAGS) | flags;
    regs->rip += w->length;
}

/* Privileged instructions by opcode, those behind 0f apart. What is not here is not ours. */
static const uint8_t one_byte[256] = {
    [0x6c ... 0x6d] = PRIV_INS, [0x6e ... 0x6f] = PRIV_OUTS, [0xcd] = PRIV_INT,
    [0xe4 ... 0xe5] = PRIV_IN,  [0xe6 ... 0xe7] = PRIV_OUT,  [0xec ... 0xed] = PRIV_IN,
    [0xee ... 0xef] = PRIV_OUT, [0xfa] = PRIV_CLI,           [0xfb] = PRIV_STI,
};
static const uint8_t two_bytes[256] = {
    [0x01] = PRIV_XSETBV, /* of that opcode's many; the next byte is looked at */
    [0x06] = PRIV_CLTS,      [0x09] = PRIV_WBINVD,    [0x20] = PRIV_MOV_FROM_CR, [0x21] = PRIV_MOV_FROM_DR,
    [0x22] = PRIV_MOV_TO_CR, [0x23] = PRIV_MOV_TO_DR, [0x30] = PRIV_WRMSR,       [0x32] = PRIV_RDMSR,
};

/* What follows the opcode, or is said by it. A form that is not ours is bad. */
static inline void read_operands(struct reader *r, uint8_t opcode, const struct cpu_user_regs *regs,
                                 struct priv_insn *p)
{
    uint8_t modrm;

    switch (p->op) {
    case PRIV_NONE:
        r->bad = true;
        break;
    case PRIV_XSETBV:
        if (next_byte(r) != 0xd1)
            r->bad = true;
        break;
    case PRIV_MOV_FROM_CR ... PRIV_MOV_TO_DR: /* the mod field is ignored; lock means CR8 on AMD */
        modrm = next_byte(r);
        p->number = (uint8_t)((modrm >> 3 & 7) | (r->rex & REX_R ? 8 : 0));
        p->reg = (uint8_t)((modrm & 7) | (r->rex & REX_B ? 8 : 0));
        if (r->prefix & LOCK)
            r->bad = true;
        break;
    case PRIV_IN ... PRIV_OUTS: /* e4 to e7 name the port, others have it in DX; even ones move a byte */
        p->port = opcode >> 2 == 0xe4 >> 2 ? next_byte(r) : (uint16_t)regs->rdx;
        p->size = !(opcode & 1) ? 1 : r->prefix & OPSIZE ? 2 : 4;
        p->rep = r->prefix & REP;
        p->addr32 = r->prefix & ADDRSIZE;
        if (p->op >= PRIV_INS && r->prefix & SEGMENT)
            r->bad = true;
        break;
    case PRIV_INT:
        p->number = next_byte(r);
        break;
    default:
        break;
    }
}

bool decode_privileged(const uint8_t *code, size_t n, const struct cpu_user_regs *regs, struct priv_insn *p)
{
    struct reader r = { .code = code, .n = MIN(n, INSN_MAX) };
    uint8_t opcode = read_prefixes(&r);

    p->op = opcode == 0x0f ? two_bytes[next_byte(&r)] : one_byte[opcode];
    read_operands(&r, opcode, regs, p);
    p->length = (uint8_t)r.at;
    return !r.bad;
}
