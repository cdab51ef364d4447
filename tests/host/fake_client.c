/* SPDX-License-Identifier: MIT
 *
 * See fake_client.h. The prototypes are libpv's own.
 */
#include "tests/host/fake_client.h"
#include <criterion/criterion.h>
#include "libpv/event.h"
#include "libpv/memory.h"
#include "libpv/start.h"
#include "libpv/time.h"

uint64_t now;
bool connected;

struct start_info *pv_start_info;
char pv_hypercall_page[4096]; /* never called */

pfn_t pv_mfn_to_pfn(mfn_t m) /* nor is this */
{
    return pfn(m.v);
}

uint64_t pv_time_ns(void)
{
    return now;
}

bool pv_event_connected(unsigned int port)
{
    cr_assert_eq(port, PORT);
    return connected;
}

void pv_event_set_handler(unsigned int port, pv_event_fn fn, void *data)
{
    (void)port, (void)fn, (void)data;
}
