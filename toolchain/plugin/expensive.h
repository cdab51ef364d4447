/* SPDX-License-Identifier: MIT
 *
 * Instructions that cost a processor much more than others, found by their bytes. A count of instructions
 * charges them one each like any other, so they are counted apart.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum expensive {
    EXP_CR3,    /* mov to cr3 */
    EXP_CR4,    /* mov to cr4 */
    EXP_WRMSR,  /* wrmsr */
    EXP_INVLPG, /* invlpg, invpcid */
    EXP_LOCK,   /* a lock prefix, or xchg with memory, which locks without one */
    EXP_IRET,   /* iret of any width */
    EXP_IPI,    /* a store to the local APIC's command register; only the plugin sees it */
    EXP_KINDS,
    EXP_STORE,   /* mov of 32 bits to memory: may be an IPI */
    EXP_NOTHING, /* cheap */
};
#define EXP_NAMES                                              \
    {                                                          \
        "cr3", "cr4", "wrmsr", "invlpg", "lock", "iret", "ipi" \
    }

/* The kind of the 64-bit mode instruction of `size` bytes at `code`. */
enum expensive expensive_kind(const uint8_t *code, size_t size);
