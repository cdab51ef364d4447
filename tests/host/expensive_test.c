/* SPDX-License-Identifier: MIT
 *
 * Which instructions the benchmark's trace counts as expensive: each kind by its bytes as the assembler makes
 * them, and neighbours in the opcode maps that must not be counted.
 */
// sources: toolchain/plugin/expensive.c
#include <criterion/criterion.h>
#include "toolchain/plugin/expensive.h"

#define KIND(...)                                       \
    ({                                                  \
        static const uint8_t code_[] = { __VA_ARGS__ }; \
        expensive_kind(code_, sizeof(code_));           \
    })

Test(expensive, control_registers)
{
    cr_assert_eq(KIND(0x0f, 0x22, 0xd8), EXP_CR3);           /* mov %rax, %cr3 */
    cr_assert_eq(KIND(0x41, 0x0f, 0x22, 0xdf), EXP_CR3);     /* mov %r15, %cr3 */
    cr_assert_eq(KIND(0x0f, 0x22, 0xe1), EXP_CR4);           /* mov %rcx, %cr4 */
    cr_assert_eq(KIND(0x0f, 0x22, 0xc0), EXP_NOTHING);       /* mov %rax, %cr0 */
    cr_assert_eq(KIND(0x44, 0x0f, 0x22, 0xc0), EXP_NOTHING); /* mov %rax, %cr8 */
    cr_assert_eq(KIND(0x0f, 0x20, 0xd8), EXP_NOTHING);       /* mov %cr3, %rax */
}

Test(expensive, msr_tlb_iret)
{
    cr_assert_eq(KIND(0x0f, 0x30), EXP_WRMSR);
    cr_assert_eq(KIND(0x0f, 0x32), EXP_NOTHING);                   /* rdmsr */
    cr_assert_eq(KIND(0x0f, 0x31), EXP_NOTHING);                   /* rdtsc */
    cr_assert_eq(KIND(0x0f, 0x01, 0x38), EXP_INVLPG);              /* invlpg (%rax) */
    cr_assert_eq(KIND(0x0f, 0x01, 0xf8), EXP_NOTHING);             /* swapgs */
    cr_assert_eq(KIND(0x0f, 0x01, 0x18), EXP_NOTHING);             /* lidt (%rax) */
    cr_assert_eq(KIND(0x66, 0x0f, 0x38, 0x82, 0x01), EXP_INVLPG);  /* invpcid (%rcx), %rax */
    cr_assert_eq(KIND(0x48, 0xcf), EXP_IRET);                      /* iretq */
    cr_assert_eq(KIND(0xcf), EXP_IRET);                            /* iretl */
    cr_assert_eq(KIND(0x48, 0x0f, 0x07), EXP_NOTHING);             /* sysretq */
    cr_assert_eq(KIND(0x0f, 0x05), EXP_NOTHING);                   /* syscall */
    cr_assert_eq(KIND(0xf3, 0x48, 0x0f, 0xae, 0xd0), EXP_NOTHING); /* wrfsbase %rax */
}

Test(expensive, locks)
{
    cr_assert_eq(KIND(0xf0, 0x48, 0x0f, 0xb1, 0x0f), EXP_LOCK);       /* lock cmpxchg %rcx, (%rdi) */
    cr_assert_eq(KIND(0x48, 0x0f, 0xb1, 0x0f), EXP_NOTHING);          /* without */
    cr_assert_eq(KIND(0x66, 0xf0, 0x0f, 0xba, 0x2f, 0x03), EXP_LOCK); /* lock btsw $3, (%rdi) */
    cr_assert_eq(KIND(0x87, 0x07), EXP_LOCK);                         /* xchg %eax, (%rdi) */
    cr_assert_eq(KIND(0x48, 0x87, 0x47, 0x08), EXP_LOCK);             /* xchg %rax, 8(%rdi) */
    cr_assert_eq(KIND(0x48, 0x87, 0xc7), EXP_NOTHING);                /* xchg %rax, %rdi */
    cr_assert_eq(KIND(0x90), EXP_NOTHING);
}

Test(expensive, stores_that_may_be_ipis)
{
    cr_assert_eq(KIND(0x89, 0x07), EXP_STORE);                               /* mov %eax, (%rdi) */
    cr_assert_eq(KIND(0xc7, 0x07, 0x01, 0x00, 0x00, 0x00), EXP_STORE);       /* movl $1, (%rdi) */
    cr_assert_eq(KIND(0x44, 0x89, 0x87, 0x00, 0x03, 0x00, 0x00), EXP_STORE); /* mov %r8d, 768(%rdi) */
    cr_assert_eq(KIND(0x48, 0x89, 0x07), EXP_NOTHING);                       /* 64 bits */
    cr_assert_eq(KIND(0x66, 0x89, 0x07), EXP_NOTHING);                       /* 16 bits */
    cr_assert_eq(KIND(0x89, 0xc7), EXP_NOTHING);                             /* to a register */
}

Test(expensive, short_and_cut_off)
{
    static const uint8_t prefixes[] = { 0xf0, 0x66, 0x48 };

    cr_assert_eq(expensive_kind(prefixes, 0), EXP_NOTHING);
    cr_assert_eq(expensive_kind(prefixes, sizeof(prefixes)), EXP_NOTHING);
    cr_assert_eq(KIND(0x0f), EXP_NOTHING);
    cr_assert_eq(KIND(0x87), EXP_NOTHING);
}
