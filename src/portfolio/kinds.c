/* SPDX-License-Identifier: Apache-2.0 */
/* What the queue is used for: each kind is a file of its own. */
#include "portfolio/arrival.h"
#include "portfolio/out.h"
#include "portfolio/queue.h"

const mnet_queue_kind_t *const mnet_queue_kinds[] = {
    &mnet_fetch_kind, &mnet_get_kind, &mnet_out_ready_kind, &mnet_out_offered_kind, NULL};
