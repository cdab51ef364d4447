/* SPDX-License-Identifier: MIT
 *
 * As much of an x86-64 decoder as it takes to recognise some instructions: prefixes, opcode, ModRM. Source:
 * Intel SDM volume 2, "Instruction Format" and the opcode maps of its appendix A.
 */
#include <stdbool.h>
#include <string.h>
#include "toolchain/plugin/expensive.h"

#define REX_R 0x04
#define REX_W 0x08

static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3 };

static bool in_memory(uint8_t modrm)
{
    return modrm >> 6 != 3;
}

/* Opcodes behind 0f; `at` has at least two bytes. */
static enum expensive two_bytes(const uint8_t *at, size_t left, uint8_t rex)
{
    unsigned int reg = at[1] >> 3 & 7;

    if (at[0] == 0x30)
        return EXP_WRMSR;
    if (at[0] == 0x22 && !(rex & REX_R))
        return reg == 3 ? EXP_CR3 : reg == 4 ? EXP_CR4 : EXP_NOTHING;
    if (at[0] == 0x01 && reg == 7 && in_memory(at[1]))
        return EXP_INVLPG;
    if (at[0] == 0x38 && at[1] == 0x82 && left > 2) /* invpcid */
        return EXP_INVLPG;
    return EXP_NOTHING;
}

enum expensive expensive_kind(const uint8_t *code, size_t size)
{
    uint8_t rex = 0;
    bool lock = false, half = false;
    uint8_t next[3] = { 0 }; /* short instructions end in zeros */
    size_t i = 0;

    for (; i < size && memchr(prefixes, code[i], sizeof(prefixes)); i++) {
        lock |= code[i] == 0xf0;
        half |= code[i] == 0x66;
    }
    if (i < size && (code[i] & 0xf0) == 0x40)
        rex = code[i++];
    if (i >= size)
        return EXP_NOTHING;
    if (lock)
        return EXP_LOCK;
    memcpy(next, code + i, size - i < sizeof(next) ? size - i : sizeof(next));
    if (next[0] == 0xcf)
        return EXP_IRET;
    if (next[0] == 0x0f && size - i > 1)
        return two_bytes(next + 1, size - i - 1, rex);
    if (size - i < 2 || !in_memory(next[1]))
        return EXP_NOTHING;
    if (next[0] == 0x86 || next[0] == 0x87)
        return EXP_LOCK;
    return (next[0] == 0x89 || next[0] == 0xc7) && !(rex & REX_W) && !half ? EXP_STORE : EXP_NOTHING;
}
