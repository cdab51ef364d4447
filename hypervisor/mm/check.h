/* SPDX-License-Identifier: MIT
 *
 * The invariant checker of debug builds: walks every table of every domain, recounts all types and references
 * and compares them with the frame words (mm/check.c).
 */
#ifndef MM_CHECK_H
#define MM_CHECK_H

/* Boot: takes the memory that it needs (8 bytes a frame; release builds: none). */
void check_init(void);

/* Prints a line for each violation, at most a few, and returns how many there are. Release builds: 0. */
unsigned int check_machine(void);

#endif
