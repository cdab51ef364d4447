/* SPDX-License-Identifier: MIT
 *
 * The kernel's side of the drivers.
 */
#include "pvkernel/arch/pv/pv.h"

void pv_drivers_setup(void)
{
}

void pv_services_start(void)
{
}

void pv_frontends_start(void)
{
}

void pv_script_run(void)
{
}

void pv_stop_others(unsigned seconds)
{
    (void)seconds;
}
