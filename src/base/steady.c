/* SPDX-License-Identifier: Apache-2.0 */
#include "base/steady.h"

#include <time.h>

apr_time_t mnet_steady(void)
{
    struct timespec ts = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return apr_time_from_sec(ts.tv_sec) + ts.tv_nsec / 1000;
}
