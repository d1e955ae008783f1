/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/clock.h"

#include "base/text.h"

#define SAY_EVERY apr_time_from_sec(3600)

apr_int64_t mnet_clock_apart(apr_int64_t timestamp, apr_time_t from, apr_time_t until)
{
    apr_int64_t first = apr_time_sec(from), last = apr_time_sec(until);

    /* As far off as 64 bits can be is as good as 10^15 seconds. */
    timestamp =
        timestamp > APR_INT64_C(1000000000000000) ? APR_INT64_C(1000000000000000) : timestamp;
    timestamp =
        timestamp < APR_INT64_C(-1000000000000000) ? APR_INT64_C(-1000000000000000) : timestamp;
    return timestamp < first ? timestamp - first : timestamp > last ? timestamp - last : 0;
}

static int within(apr_int64_t apart, apr_int64_t most)
{
    return apart >= -most && apart <= most;
}

int mnet_clock_ok(const mnet_site_t *site, apr_int64_t apart)
{
    return site->clock_skew <= 0 || within(apart, apr_time_sec(site->clock_skew));
}

apr_int64_t mnet_clock_answer(const mnet_site_t *site, apr_int64_t apart, apr_time_t now)
{
    apr_int64_t most = site->clock_skew > 0 ? apr_time_sec(site->clock_skew) : MNET_CLOCK_FAR;

    return apr_time_sec(now) + (within(apart, MNET_CLOCK_NEAR) || !within(apart, most) ? 0 : apart);
}

void mnet_clock_say(const mnet_host_t *host, const char *peer, apr_int64_t apart, apr_time_t now)
{
    const mnet_engine_t *engine = host->engine;

    if (within(apart, MNET_CLOCK_NEAR) || !engine->log || engine->log->level < MNET_LOG_WARNING ||
        !mnet_shared_once(engine->shared, "clock", peer, now, SAY_EVERY)) {
        return;
    }
    mnet_log(engine->log, MNET_LOG_WARNING, APR_SUCCESS, "MNET0462",
             "%s: the clock of %s is %" APR_INT64_T_FMT
             " seconds %s ours: set the wrong one by NTP; until then answers to it bear its time",
             host->site->wwwroot, peer, apart < 0 ? -apart : apart,
             apart < 0 ? "behind" : "ahead of");
}
