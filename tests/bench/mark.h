/* SPDX-License-Identifier: MIT
 *
 * Marks: instructions that do nothing, each an 8-byte NOP with a displacement of ours, by which a trace finds
 * the measured part of a row. They stand outside the pair of clock readings, so a row's figure does not
 * contain them, and they need nothing of the system below. toolchain/plugin/count.c looks for them; nothing
 * else does.
 */
#pragma once

/* 0f 1f 84 00 and 32 bits of displacement: nopl MARK_WORD + what(%rax,%rax,1). */
#define MARK_BYTES 0x0f, 0x1f, 0x84, 0x00
#define MARK_WORD  0x70617200 /* "par", and in the low byte one of: */
#define MARK_ROW   1          /* a row begins: what was sampled so far is warm-up */
#define MARK_START 2          /* a sample begins, right before the clock is read */
#define MARK_END   3          /* it ended; without a start it means nothing */
#define MARK_DONE  4          /* the row has all its samples */

#ifdef __ASSEMBLY__
#define MARK(what)    \
    .byte MARK_BYTES; \
    .long MARK_WORD + what
#else
#define MARK_STR_(x...) #x
#define MARK_STR(x...)  MARK_STR_(x)
#define MARK(what)      __asm__ volatile(".byte " MARK_STR(MARK_BYTES) "; .long " MARK_STR(MARK_WORD + what))
#endif
