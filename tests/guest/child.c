/* SPDX-License-Identifier: MIT
 *
 * Children of a test: child.h.
 */
#include "tests/guest/child.h"
#include "libpv/domctl.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "libpv/time.h"

#define LIMIT    20000000000UL /* ns */
#define MEGABYTE 8

void rest_ns(uint64_t ns)
{
    struct sched_poll poll = { .timeout = pv_time_ns() + ns };

    HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
}

uint64_t machine_free(void)
{
    uint64_t pages = pv_free_pages();

    require(pages, "physinfo");
    return pages;
}

const char *child_word(void)
{
    static char word[16];

    return pv_cmdline_option("child", word, sizeof(word)) ? word : NULL;
}

volatile struct child_page *child_page(void)
{
    return pv_mfn_to_virt(mfn(pv_start_info->store_mfn));
}

void child_step(uint32_t n)
{
    __atomic_store_n(&child_page()->child, n, __ATOMIC_RELEASE);
}

void child_await(uint32_t n)
{
    while (__atomic_load_n(&child_page()->parent, __ATOMIC_ACQUIRE) < n)
        rest_ns(1000000);
}

/* With pauses: else, in QEMU's virtual time, some of the other processors do not run. */
void child_count(void)
{
    for (;;) {
        ++*(volatile uint64_t *)&child_page()->words[CHILD_COUNT];
        __asm__ volatile("pause");
    }
}

void child_make(struct child *c, const char *word, unsigned int vcpus)
{
    static char words[32];
    uint64_t frame;
    int err;

    pv_snprintf(words, sizeof(words), "child=%s", word);
    *c = (struct child){ .build = { .words = words, .pages = MEGABYTE << 8, .vcpus = vcpus } };
    c->build.kernel = pv_ramdisk(&c->build.kernel_size);
    require(c->build.kernel, "the test's own image as its ramdisk");
    err = pv_build(&c->build);
    require(!err, "child %s: %d %s", word, err, c->build.why ? c->build.why : "");
    c->page = pv_vaddr_reserve(1);
    frame = c->build.store_frame;
    require(!pv_foreign_map(c->build.domid, (void *)c->page, &frame, 1), "the shared page");
}

void child_wait(struct child *c, uint32_t n)
{
    uint64_t until = pv_time_ns() + LIMIT;

    while (__atomic_load_n(&c->page->child, __ATOMIC_ACQUIRE) < n && pv_time_ns() < until)
        rest_ns(1000000);
    require(__atomic_load_n(&c->page->child, __ATOMIC_ACQUIRE) >= n, "child %u did not come to step %u",
            c->build.domid, n);
}

void child_run(struct child *c, uint32_t n)
{
    require(!pv_domain_unpause(c->build.domid), "unpause");
    child_wait(c, n);
}

void child_unmap(struct child *c)
{
    if (c->page)
        pv_foreign_unmap((void *)c->page, 1);
    c->page = NULL;
}

bool child_gone(const struct child *c)
{
    struct xen_domctl_getdomaininfo info;

    for (int i = 0; i < 20000; i++) {
        if (pv_domain_info(c->build.domid, &info) || info.domain != c->build.domid)
            return true;
        rest_ns(2000000);
    }
    return false;
}

void child_end(struct child *c)
{
    child_unmap(c);
    expect_eq(pv_domain_destroy(c->build.domid), 0);
    check(child_gone(c), "domain %u is still there", c->build.domid);
}
