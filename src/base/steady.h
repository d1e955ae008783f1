/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_BASE_STEADY_H
#define MNET_BASE_STEADY_H

#include <apr_time.h>

/* Microseconds of a clock that nobody sets, since some moment before the process: how long a thing
 * takes, whatever becomes of the time of day. */
apr_time_t mnet_steady(void);

#endif
