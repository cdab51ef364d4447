/* SPDX-License-Identifier: MIT
 *
 * What the files of random_calls share. A generator (a gen_* function) fills a struct call: a hypercall with
 * its arguments, which may point into `data`, and words that say the same on every hypervisor: pages by their
 * index, other frames by name. main.c makes the call, alone or within a multicall, and judges the result.
 *
 * Half of the calls are sensible. In the other half, `nearly` is set, and what the pickers give is now and
 * then just wrong: the frame of somebody else, a domain that isn't there, a pointer past the end.
 *
 * Nothing that is picked depends on a frame number, a port, a handle or a time: two hypervisors get the same
 * calls as long as their answers are the same, and an epoch's first calls are the same whatever was before.
 */
#pragma once

#include "libpv/hypercall.h"
#include "libpv/start.h"
#include "libpv/memory.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"
#include "tests/guest/random.h"

#define PAGES   14
#define ROOTS   2 /* the last of them: top-level tables on which the guest could run */
#define WINDOWS 8
#define REFS    16
#define PORTS   24 /* calls name ports below this, some of which never exist */

extern uint64_t *page[PAGES];
extern bool gone[PAGES]; /* given back */
extern volatile uint64_t *window[WINDOWS];
extern bool nearly;
extern bool batching;        /* the call goes into a multicall, */
extern unsigned int batched; /* behind so many */

#define FINE(r)   ((r) >= 0)
#define STATUS(s) ((s) == 0 ? 0L : -RANDOM_STATUS + (long)(s))
#define SHORT     (-RANDOM_STATUS - 30) /* fewer than asked for */

struct call {
    unsigned long nr; /* NO_CALL: the generator did its work without a call */
    uint64_t a[5];
    uint64_t data[140]; /* an argument's memory; the largest is a page of text */
    /* Looks at what came back, and may put another result in place of the call's; NULL: nothing to do. */
    void (*after)(struct call *c);
    unsigned int x, y; /* for `after` */
    bool by_hand;      /* NO_CALL, and there is a result all the same */
    long result;
    char text[160];
};
#define NO_CALL 999

/* Fills in number and arguments. */
void call(struct call *c, unsigned long nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4);
/* Adds to the words. */
void say(struct call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* True once in n, and only where arguments may be wrong. */
bool odd(unsigned int n);

struct frame {
    uint64_t mfn;
    char name[12];
};
/* A page's frame; or another. `harmless`: whatever is done with it, this guest lives on. */
struct frame some_frame(bool harmless);
/* An entry of a page table that points to such a frame. */
uint64_t some_entry(struct call *c);
/* A machine address in a page: of one of the slots that are used. */
uint64_t some_slot(struct call *c);
uint16_t some_domain(struct call *c);
/* c->data, or where no n bytes of memory are. */
uint64_t some_pointer(struct call *c, size_t n);
/* A sub-operation: op, or one that does not exist. */
uint64_t some_op(struct call *c, uint64_t op, uint64_t last);
uint64_t some_address(void);

/* The callbacks and the trap table are not libpv's any more. */
extern bool callbacks_changed;

typedef void generator(struct call *c);
/* By file; each ends with NULL. A generator that stands there twice comes twice as often. */
extern generator *const table_calls[];
extern generator *const grant_calls[];
extern generator *const event_calls[];
extern generator *const cpu_calls[];
extern generator *const memory_calls[];
extern generator *const other_calls[];

void grants_begin(void);
void grants_end(void);
/* Grants name no frame that was given back (memory.c). False: one that is in use does. */
bool grants_purge(void);
/* A grant of that frame is in use: it can be unmapped only as long as the frame is ours. */
bool grants_use(uint64_t mfn);
bool is_dead(uint64_t entry);
void events_end(void);
void memory_end(void);
void cpu_begin(void);
void cpu_end(void);
