/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_HTTPD_WATCHDOG_H
#define MNET_HTTPD_WATCHDOG_H

/*
 * What is done from time to time, by mod_watchdog, in one child at a time.  Its thread only
 * schedules: what is quick it does itself, what waits for a peer goes to a few threads of ours, so
 * that one that hangs costs nobody else's time.
 */

#include "httpd/config.h"
#include "portfolio/queue_run.h"

typedef struct mnet_background_t mnet_background_t;

/* In post_config, before mod_watchdog's own.  0 if it cannot be had; the log said so. */
int mnet_watchdog_register(server_rec *s, apr_pool_t *pconf);

/*
 * At a child's end: waits until the watchdog's thread is not at work, two seconds at most, and lets
 * it begin nothing any more.  mod_watchdog does not wait for its thread, which may end after us. 0:
 * it goes on, and everything it uses must stay.
 */
int mnet_watchdog_end(mnet_global_t *global);

/* In a child that has an engine; queue: NULL if it has none.  pool: one that any thread may take
 * children from. */
apr_status_t mnet_background_create(mnet_background_t **background, mnet_engine_t *engine,
                                    mnet_queue_t *queue, apr_pool_t *pool);
/* What may take as long as a peer does; what: a wwwroot, or more. */
typedef void mnet_work_fn(mnet_host_t *host, const char *what, apr_time_t now, apr_pool_t *pool);
/* Does it in a thread of its own, soon; not at all if too much waits already. */
void mnet_background_do(mnet_background_t *background, mnet_host_t *host, mnet_work_fn *work,
                        const char *what);
/* Nothing new is begun from now on. */
void mnet_background_stop(mnet_background_t *background);
/* Waits until nothing is under way, two seconds at most.  1: all is done, and its threads are gone;
 * 0: some peer still hangs, and everything they use must stay. */
int mnet_background_end(mnet_background_t *background);

#endif
