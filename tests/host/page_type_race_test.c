/* SPDX-License-Identifier: MIT
 *
 * page_type_random_test.c with the thread sanitizer: no two CPUs touch anything of mm/ at the same time but
 * by atomic exchanges, or where READ_ONCE and WRITE_ONCE say that they may.
 */
// sources: tests/host/race/main.c tests/host/fake_hv.c hypervisor/mm/heap.c hypervisor/mm/domain_frames.c
// sources: hypervisor/mm/page_type.c hypervisor/mm/pv_direct.c hypervisor/mm/relinquish.c
// sources: hypervisor/mm/check.c hypervisor/domain/check.c hypervisor/mm/descriptor.c
#include "tests/host/page_type_random_test.c"
