/* SPDX-License-Identifier: MIT
 *
 * libpv and the kernel, faked for the drivers' tests: see fake_pv.h. The prototypes are libpv's own.
 */
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/kernel.h"
#include "libpv/lock.h"
#include "libpv/print.h"
#include "libpv/string.h"
#include "tests/host/fake_pv.h"

long fake_allocs;
long fake_alloc_budget = -1;
unsigned int fake_lines;
char fake_line[256];

void *drv_alloc(size_t bytes)
{
    if (fake_alloc_budget == 0)
        return NULL;
    if (fake_alloc_budget > 0)
        fake_alloc_budget--;
    __atomic_fetch_add(&fake_allocs, 1, __ATOMIC_RELAXED);
    return calloc(1, bytes);
}

void drv_free(void *p)
{
    if (p)
        __atomic_fetch_sub(&fake_allocs, 1, __ATOMIC_RELAXED);
    free(p);
}

bool fake_memory_low;

bool drv_memory_low(void)
{
    return fake_memory_low;
}

int pv_snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(buf, size, fmt, args);
    va_end(args);
    return n;
}

int pv_vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
    return vsnprintf(buf, size, fmt, args);
}

int pv_printf(const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(fake_line, sizeof(fake_line), fmt, args);
    va_end(args);
    fake_lines++;
    return n;
}

bool pv_several = true; /* the tests' threads are our vcpus */

void pv_spin(unsigned int n)
{
    if (n % 64 == 63)
        sched_yield();
}

bool pv_events_off(void)
{
    return true;
}

void pv_events_restore(bool on)
{
    (void)on;
}

void pv_block(void)
{
    abort(); /* tests never wait */
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
    snprintf(dst, size, "%s", src);
    return strlen(src);
}
