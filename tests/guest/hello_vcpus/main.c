/* SPDX-License-Identifier: MIT
 *
 * Hello from every vcpu: the smallest guest of several. VCPUOP_initialise, up and down of xen/vcpu.h, by
 * libpv/vcpu.h.
 */
#include "libpv/vcpu.h"
#include "tests/guest/test.h"

TEST("hello_vcpus");
ROLE(dom0, domU);
// vcpus: 4

static unsigned int ran;

static void hello(void *arg)
{
    (void)arg;
    pv_printf("hello from vcpu %u\n", pv_vcpu_id());
    __atomic_fetch_or(&ran, 1u << pv_vcpu_id(), __ATOMIC_RELAXED);
}

void test_main(void)
{
    expect_eq(pv_nr_vcpus(), 4);
    expect_eq(pv_vcpus_run(hello, NULL), 0);
    expect_eq(ran, 0xf);
}
