/* SPDX-License-Identifier: MIT
 *
 * What the drivers take from libpv and the kernel, faked in one process for the tests on the host.
 *
 * fake_pv.c: memory, printing. fake_machine.c: events, grants and pages of one machine without domains: ports
 * and grant references are numbered once for all; frames are pages of one memory file, and to map a grant is
 * to map that page a second time, so that a write through a read-only grant or after the unmap is a real
 * fault.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Allocations (drv_alloc) that are live now. */
extern long fake_allocs;
/* How many allocations succeed from now on; negative: all. */
extern long fake_alloc_budget;
/* What drv_memory_low says. */
extern bool fake_memory_low;
/* Lines printed by pv_printf; the last one. */
extern unsigned int fake_lines;
extern char fake_line[256];

/* n zeroed pages in a row that can be granted; never freed. */
void *fake_pages(unsigned int n);

/* Runs the handlers of pending ports until none is pending; how many ran. */
unsigned int fake_upcalls(void);

/* Ports, grant references and mappings in use. How many more references can be had; negative: any number. */
unsigned int fake_ports_used(void);
unsigned int fake_grants_used(void);
unsigned int fake_mappings(void);
extern long fake_grant_budget;

/* Closes the other end of a port, as the death of its domain does. */
void fake_port_orphan(unsigned int port);
