/* SPDX-License-Identifier: MIT
 *
 * set_timer_op (hypervisor/hypercall/vcpu.c) at any time: a guest test sees only the first minute after boot.
 * What else that file calls is not called here.
 */
// sources: hypervisor/hypercall/vcpu.c hypervisor/domain/timer.c tests/host/fake_domains.c
#include <criterion/criterion.h>
#include <stdlib.h>
#include "hypercall/hypercall.h"
#include "tests/host/fake_domains.h"

#define MS  1000000ULL
#define DAY (24ULL * 3600 * 1000 * MS)
#define NOT_CALLED(ret, name, ...) \
    ret name(__VA_ARGS__)          \
    {                              \
        abort();                   \
    }

uint64_t max_mfn, frame_chunks[1];

#pragma GCC diagnostic ignored "-Wunused-parameter"
NOT_CALLED(void *, pages_alloc, unsigned int order)
NOT_CALLED(void, pages_free, void *pages, unsigned int order)
NOT_CALLED(void, domain_shutdown, struct domain *d, uint8_t reason)
NOT_CALLED(long, hypercall_restart, unsigned int nr, unsigned int nargs, const uint64_t *args)
NOT_CALLED(long, sub_op, unsigned int nr, const struct sub_op *rows, size_t n, struct vcpu *v, uint32_t op,
           uint64_t guest)
NOT_CALLED(void, vcpu_get_runstate, struct vcpu *v, struct vcpu_runstate_info *info)
NOT_CALLED(bool, vcpu_is_up, const struct vcpu *v)
NOT_CALLED(void, vcpu_pause, struct vcpu *v, uint8_t why)
NOT_CALLED(void, vcpu_unpause, struct vcpu *v, uint8_t why)
NOT_CALLED(void, vcpu_wake, struct vcpu *v)
NOT_CALLED(void, vcpu_update_areas, struct vcpu *v)
NOT_CALLED(int, vcpu_place_info, struct vcpu *v, mfn_t m, uint32_t offset)
NOT_CALLED(int, vcpu_set_context, struct vcpu *v, const struct vcpu_guest_context *c)
NOT_CALLED(void, vcpu_set_period, struct vcpu *v, uint64_t period_ns)

static unsigned int fired;

static void fire(void *arg)
{
    (void)arg;
    fired++;
}

static void begin(void)
{
    fake_domains_begin();
    timer_init_cpu(0);
    this_cpu()->vcpu = domains.by_id[1]->vcpu[0];
    timer_init(&current->singleshot, fire, NULL);
    fired = 0;
}

TestSuite(timer_call, .init = begin, .fini = fake_domains_end);

/* How long after `now` a timer that is set for `deadline` fires. */
static uint64_t fires_after(uint64_t now, uint64_t deadline)
{
    fake_now = now;
    cr_assert_eq(do_set_timer_op(deadline, 0, 0, 0, 0), 0);
    cr_assert(current->singleshot.armed);
    deadline = current->singleshot.deadline;
    timer_stop(&current->singleshot);
    return deadline > now ? deadline - now : 0;
}

Test(timer_call, soon_past_and_far_away_on_any_day)
{
    static const uint64_t days[] = { 1, 13, 14, 27, 1000, 30000 };

    for (unsigned int i = 0; i < ARRAY_SIZE(days); i++) {
        uint64_t now = days[i] * DAY;

        cr_assert_eq(fires_after(now, now + 5 * MS), 5 * MS);
        cr_assert_eq(fires_after(now, now + 10 * DAY), 10 * DAY);
        cr_assert_eq(fires_after(now, now - 1), 0, "at once, on day %u", (unsigned int)days[i]);
        cr_assert_eq(fires_after(now, 1), 0);
        cr_assert_eq(fires_after(now, now + 20 * DAY), 100 * MS);
        cr_assert_eq(fires_after(now, 1ULL << 63), 100 * MS);
    }
}

Test(timer_call, zero_stops_it)
{
    do_set_timer_op(5 * MS, 0, 0, 0, 0);
    do_set_timer_op(0, 0, 0, 0, 0);
    fake_now = 10 * MS;
    timer_run();
    cr_assert_eq(fired, 0);
    do_set_timer_op(5 * MS, 0, 0, 0, 0);
    timer_run();
    cr_assert_eq(fired, 1);
}
