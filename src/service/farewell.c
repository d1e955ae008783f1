/* SPDX-License-Identifier: Apache-2.0 */
#include "service/farewell.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "service/kill_call.h"
#include "service/sso_int.h"
#include "trust/texts.h"

#define GROUP       "farewell"
#define VERSION     1
#define SITE_MAX    10000 /* more are not kept: their sessions end by themselves */
#define BATCH       50    /* told to one peer at a turn */
#define BACKOFF     apr_time_from_sec(10)
#define BACKOFF_MAX apr_time_from_sec(15 * 60)
#define TURN        apr_time_from_sec(5)

/* --- the record --- */

static apr_status_t name_of(const mnet_host_t *host, const mnet_farewell_t *farewell,
                            mnet_name_t *name)
{
    apr_status_t rv;

    mnet_name_begin(host, name);
    rv = mnet_name_add_digest(host, name, farewell->peer, NULL);
    rv = rv ? rv
            : mnet_name_add_digest(host, name, farewell->at_provider ? "provider" : "child",
                                   farewell->username);
    return rv ? rv : mnet_name_add_digest(host, name, farewell->user_agent, NULL);
}

static mnet_farewell_t *read_one(const mnet_host_t *host, const void *data, apr_size_t len,
                                 apr_pool_t *pool)
{
    mnet_farewell_t *farewell = apr_palloc(pool, sizeof(*farewell));
    mnet_unpack_t unpack;
    apr_status_t rv = mnet_record_open(&unpack, host, data, len, VERSION, pool);

    farewell->peer = mnet_unpack_text(&unpack);
    farewell->at_provider = mnet_unpack_u8(&unpack) == 1;
    farewell->username = mnet_unpack_text(&unpack);
    farewell->user_agent = mnet_unpack_text(&unpack);
    farewell->until = mnet_unpack_i64(&unpack);
    farewell->next = mnet_unpack_i64(&unpack);
    farewell->tries = (int)mnet_number_unpack(&unpack, 0, APR_INT32_MAX);
    unpack.bad |= !farewell->peer || !farewell->username || !farewell->user_agent;
    return rv || mnet_unpack_end(&unpack) ? NULL : farewell;
}

static apr_status_t put(const mnet_host_t *host, mnet_txn_t *txn, const mnet_farewell_t *farewell,
                        apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_record_create(host, VERSION, pool);
    mnet_name_t name;
    apr_status_t rv = name_of(host, farewell, &name);

    mnet_pack_text(pack, farewell->peer);
    mnet_pack_u8(pack, farewell->at_provider != 0);
    mnet_pack_text(pack, farewell->username);
    mnet_pack_text(pack, farewell->user_agent);
    mnet_pack_i64(pack, farewell->until);
    mnet_pack_i64(pack, farewell->next);
    mnet_pack_i64(pack, farewell->tries);
    return rv ? rv : mnet_record_put(txn, GROUP, &name, pack);
}

apr_status_t mnet_farewell_note(const mnet_host_t *host, mnet_txn_t *txn, mnet_farewell_t *farewell,
                                apr_time_t now, apr_pool_t *pool)
{
    farewell->tries = 0;
    farewell->next = now + BACKOFF; /* at once it is told by whoever notes it */
    return farewell->until > now ? put(host, txn, farewell, pool) : APR_SUCCESS;
}

apr_status_t mnet_farewell_drop(const mnet_host_t *host, mnet_txn_t *txn,
                                const mnet_farewell_t *farewell)
{
    mnet_name_t name;
    apr_status_t rv = name_of(host, farewell, &name);

    rv = rv ? rv : mnet_txn_del(txn, GROUP, name.bytes, name.len);
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* In a transaction of its own: gone, or to be tried again. */
static apr_status_t settle(mnet_host_t *host, const mnet_farewell_t *farewell, int again,
                           apr_pool_t *pool)
{
    mnet_name_t name;
    mnet_txn_t *txn;
    const void *data;
    apr_size_t len;
    apr_status_t rv = name_of(host, farewell, &name);

    rv = rv ? rv : mnet_txn_begin(host->engine->store, MNET_WRITE_END, &txn, pool);
    if (rv) {
        return rv;
    }
    /* They may have logged in meanwhile: what is gone stays gone. */
    rv = mnet_txn_get(txn, GROUP, name.bytes, name.len, &data, &len);
    if (!rv) {
        rv = again ? put(host, txn, farewell, pool) : mnet_farewell_drop(host, txn, farewell);
        rv = rv ? rv : mnet_txn_commit(txn);
    }
    mnet_txn_abort(txn);
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

static void say(mnet_host_t *host, apr_status_t rv)
{
    if (rv) {
        mnet_log(host->engine->log, MNET_LOG_WARNING, rv, "MNET0869",
                 "%s: what is still to be told of logouts cannot be read or written; it is tried "
                 "again in a minute",
                 host->site->wwwroot);
    }
}

/* --- who is due --- */

typedef struct look_t {
    mnet_host_t *host;
    apr_time_t now;
    const char *peer;         /* of this one alone; NULL: of all */
    apr_hash_t *peers;        /* wwwroots that are due */
    apr_array_header_t *list; /* mnet_farewell_t *: due, of that peer; or past */
    int count;
    apr_pool_t *pool;
} look_t;

static void give_up(look_t *look, const mnet_farewell_t *farewell)
{
    mnet_farewell_t *kept = apr_pmemdup(look->pool, farewell, sizeof(*kept));

    kept->peer = apr_pstrdup(look->pool, farewell->peer);
    kept->username = apr_pstrdup(look->pool, farewell->username);
    kept->user_agent = apr_pstrdup(look->pool, farewell->user_agent);
    APR_ARRAY_PUSH(look->list, mnet_farewell_t *) = kept;
}

static apr_status_t see(void *baton, const mnet_name_t *name, const void *data, apr_size_t len,
                        apr_pool_t *scratch)
{
    look_t *look = baton;
    const mnet_farewell_t *farewell = read_one(look->host, data, len, scratch);

    if (!farewell) {
        return APR_SUCCESS;
    }
    if (farewell->until <= look->now || ++look->count > SITE_MAX) {
        if (look->list->nelts < SITE_MAX) {
            give_up(look, farewell);
        }
    } else if (farewell->next <= look->now &&
               !apr_hash_get(look->peers, farewell->peer, APR_HASH_KEY_STRING)) {
        const char *peer = apr_pstrdup(look->pool, farewell->peer);

        apr_hash_set(look->peers, peer, APR_HASH_KEY_STRING, peer);
    }
    return APR_SUCCESS;
}

/* Is it worth a call?  The breaker knows that without one. */
static int is_up(mnet_host_t *host, const char *wwwroot, apr_time_t now, apr_pool_t *pool)
{
    mnet_contact_t contact = {0};
    const mnet_peer_t *peer;

    if (mnet_host_look(host, wwwroot, &peer, NULL, pool)) {
        return 1; /* which ends it */
    }
    mnet_shared_contact(host->engine->shared, peer->id, &contact);
    return contact.retry <= now;
}

apr_array_header_t *mnet_farewells_due(mnet_host_t *host, apr_time_t now, apr_pool_t *pool)
{
    apr_array_header_t *due = apr_array_make(pool, 4, sizeof(const char *));
    look_t look = {.host = host,
                   .now = now,
                   .peers = apr_hash_make(pool),
                   .list = apr_array_make(pool, 4, sizeof(mnet_farewell_t *)),
                   .pool = pool};
    mnet_walk_t walk = {GROUP, see, NULL, &look};

    say(host, mnet_walk(host, &walk, pool));
    for (int i = 0; i < look.list->nelts; i++) {
        const mnet_farewell_t *farewell = APR_ARRAY_IDX(look.list, i, const mnet_farewell_t *);

        mnet_log(
            host->engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET0868",
            "%s: %s was never told that %s logged out, tried %d times: their session there has "
            "ended by now",
            host->site->wwwroot, farewell->peer, mnet_say(farewell->username, pool),
            farewell->tries + 1);
        say(host, settle(host, farewell, 0, pool));
    }
    for (apr_hash_index_t *at = apr_hash_first(pool, look.peers); at; at = apr_hash_next(at)) {
        const char *wwwroot = apr_hash_this_key(at);

        if (is_up(host, wwwroot, now, pool) &&
            mnet_shared_once(host->engine->shared, "farewell",
                             apr_pstrcat(pool, host->site->wwwroot, " ", wwwroot, NULL), now,
                             TURN)) {
            APR_ARRAY_PUSH(due, const char *) = wwwroot;
        }
    }
    return due;
}

/* --- telling --- */

static apr_status_t collect(void *baton, mnet_txn_t *txn, const void *key, apr_size_t key_len,
                            const void *data, apr_size_t len)
{
    look_t *look = baton;
    mnet_farewell_t *farewell = read_one(look->host, data, len, look->pool);

    if (farewell && !strcmp(farewell->peer, look->peer) && farewell->next <= look->now) {
        APR_ARRAY_PUSH(look->list, mnet_farewell_t *) = farewell;
    }
    return look->list->nelts < BATCH ? APR_SUCCESS : APR_EOF;
}

static apr_status_t list_of(look_t *look)
{
    mnet_name_t prefix;
    mnet_txn_t *txn;
    apr_status_t rv;

    mnet_name_begin(look->host, &prefix);
    rv = mnet_name_add_digest(look->host, &prefix, look->peer, NULL);
    rv = rv ? rv : mnet_txn_begin(look->host->engine->store, MNET_READ, &txn, look->pool);
    if (rv) {
        return rv;
    }
    rv = mnet_txn_each(txn, GROUP, prefix.bytes, prefix.len, NULL, 0, collect, look);
    mnet_txn_abort(txn);
    return rv;
}

static int is_there(mnet_host_t *host, const mnet_farewell_t *farewell, apr_pool_t *pool)
{
    mnet_name_t name;
    mnet_txn_t *txn;
    const void *data;
    apr_size_t len;
    apr_status_t rv = name_of(host, farewell, &name);

    rv = rv ? rv : mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);
    if (!rv) {
        rv = mnet_txn_get(txn, GROUP, name.bytes, name.len, &data, &len);
        mnet_txn_abort(txn);
    }
    return !rv;
}

/* 0: it did not answer, and the next one is not tried. */
static int tell(mnet_host_t *host, mnet_farewell_t *farewell, apr_pool_t *pool)
{
    const mnet_reply_t *reply;
    const mnet_peer_t *peer;
    int tries = farewell->tries < 16 ? farewell->tries : 16, told;
    apr_interval_time_t wait = BACKOFF << tries;

    if (!is_there(host, farewell, pool)) {
        return 1;
    }
    reply = mnet_kill_call(host, farewell->peer, farewell->at_provider, farewell->username,
                           farewell->user_agent, 0, pool);
    /* A fault is an answer; and who is no peer any more is told no more. */
    told = reply->kind == MNET_CALL_OK || reply->kind == MNET_CALL_FAULT ||
           mnet_host_look(host, farewell->peer, &peer, NULL, pool) == APR_NOTFOUND;
    farewell->tries++;
    farewell->next = apr_time_now() + (wait < BACKOFF_MAX ? wait : BACKOFF_MAX);
    say(host, settle(host, farewell, !told, pool));
    mnet_log(host->engine->log, MNET_LOG_INFO, APR_SUCCESS, "MNET0867",
             "%s: %s %s told that %s logged out, on try %d: %s", host->site->wwwroot,
             farewell->peer, told ? "was" : "could not be", mnet_say(farewell->username, pool),
             farewell->tries + 1, mnet_call_kind_name(reply->kind));
    return told;
}

void mnet_farewell_peer(mnet_host_t *host, const char *wwwroot, apr_time_t now, apr_pool_t *parent)
{
    look_t look = {.host = host, .now = now, .peer = wwwroot};
    apr_pool_t *scratch;

    if (apr_pool_create(&look.pool, parent)) {
        return;
    }
    look.list = apr_array_make(look.pool, 4, sizeof(mnet_farewell_t *));
    say(host, list_of(&look));
    if (!apr_pool_create(&scratch, look.pool)) {
        for (int i = 0; i < look.list->nelts; i++) {
            apr_pool_clear(scratch);
            if (!tell(host, APR_ARRAY_IDX(look.list, i, mnet_farewell_t *), scratch)) {
                break;
            }
        }
    }
    apr_pool_destroy(look.pool);
}
