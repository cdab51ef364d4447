/* SPDX-License-Identifier: MIT
 *
 * The instruction decoder: bytes in, a structure out, nothing else touched.
 *
 * Two kinds of instructions of a guest kernel come here: the privileged ones (decode_privileged(), for
 * domain/emulate.c) and writes to memory that hit a read-only page table (decode_write(), for mm/ptwrite.c).
 * Everything that kernels don't use for these two purposes is refused, and the guest gets its fault. Only
 * 64-bit code is decoded. Instruction set: Intel SDM vol. 2, AMD APM vol. 3.
 */
#pragma once

#include "lib/types.h"
#include <xen/xen.h>

#define INSN_MAX 15 /* bytes of the longest instruction */

enum write_op { WRITE_MOV, WRITE_XCHG, WRITE_CMPXCHG, WRITE_XADD, WRITE_AND, WRITE_OR, WRITE_XOR };

/* A write to memory. */
struct mem_write {
    uint64_t addr;    /* guest virtual */
    uint64_t operand; /* the register or (sign-extended) immediate that goes in, cut to size */
    uint8_t size;     /* 1, 2, 4 or 8 bytes */
    uint8_t op;       /* enum write_op */
    uint8_t reg;      /* xchg, xadd: the register (0..15) that takes the old value */
    uint8_t length;   /* of the instruction, bytes */
};

/*
 * Decodes the instruction at code (n bytes are there, at most INSN_MAX are looked at) with the registers
 * regs. False: not an instruction that we emulate, or n is too small.
 *
 * Forms: mov r,m; mov imm,m; xchg; cmpxchg; xadd; and/or/xor r,m and imm,m, all with or without lock.
 */
bool decode_write(const uint8_t *code, size_t n, const struct cpu_user_regs *regs, struct mem_write *w);

/* What the memory holds afterwards, given what it holds now (both cut to w->size). A cmpxchg that doesn't
 * match gives `old` back. */
uint64_t decode_write_result(const struct mem_write *w, uint64_t old, const struct cpu_user_regs *regs);

/* The write was done: moves RIP behind the instruction, sets flags and the register that takes the old value.
 */
void decode_write_commit(const struct mem_write *w, uint64_t old, struct cpu_user_regs *regs);

/* Register number (0 rax, 1 rcx, ... 15 r15, as instructions count) of regs. */
uint64_t *decode_reg(struct cpu_user_regs *regs, unsigned int nr);

enum priv_op {
    PRIV_NONE, /* not one that we know: the guest gets its #GP */
    PRIV_MOV_FROM_CR,
    PRIV_MOV_TO_CR,
    PRIV_MOV_FROM_DR,
    PRIV_MOV_TO_DR,
    PRIV_CLTS,
    PRIV_RDMSR,
    PRIV_WRMSR,
    PRIV_WBINVD,
    PRIV_XSETBV,
    PRIV_CLI, /* from here on also for guest user mode, which then needs IOPL 3 or the I/O bitmap */
    PRIV_STI,
    PRIV_IN, /* port and size */
    PRIV_OUT,
    PRIV_INS, /* string forms; rep tells whether a rep prefix stands before */
    PRIV_OUTS,
    PRIV_INT, /* int n: vector is `number` */
};

/* A privileged instruction. */
struct priv_insn {
    uint8_t op;     /* enum priv_op */
    uint8_t length; /* bytes */
    uint8_t number; /* CR or DR number; vector of int n */
    uint8_t reg;    /* general register of mov cr/dr */
    uint8_t size;   /* in/out: 1, 2 or 4 */
    bool rep;       /* ins/outs */
    bool addr32;    /* ins/outs: 32-bit addresses */
    uint16_t port;  /* in/out (DX already looked up) */
};

/* As decode_write(). The forced prefix is not looked for here (domain/emulate.c). */
bool decode_privileged(const uint8_t *code, size_t n, const struct cpu_user_regs *regs, struct priv_insn *p);
