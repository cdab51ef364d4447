/* SPDX-License-Identifier: MIT
 *
 * What the drivers take from libpv and the kernel, faked in one process for the tests on the host: memory,
 * events, grants, printing.
 *
 * There are no domains here: ports and grant references are numbered once for all, a "frame" is a page of the
 * process, an event upcall is a call of fake_upcalls (or of a thread of the test). Nothing waits.
 */
#ifndef TESTS_HOST_FAKE_PV_H
#define TESTS_HOST_FAKE_PV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Allocations that are live now. */
extern long fake_allocs;
/* How many allocations succeed from now on; negative: all. */
extern long fake_alloc_budget;
/* Lines printed by pv_printf; the last one. */
extern unsigned int fake_lines;
extern char fake_line[256];

/* Forgets all ports and grants. */
void fake_reset(void);

/* Runs the handlers of pending ports until none is pending; how many ran. */
unsigned int fake_upcalls(void);

/* A port whose other end is gone, as after the death of that domain. */
void fake_port_orphan(unsigned int port);

/* Grant references that are in use; mappings that are live. */
unsigned int fake_grants_used(void);
unsigned int fake_mappings(void);
/* From now on that many maps succeed; negative: all. */
extern long fake_map_budget;

#endif
