/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_file: the peer takes its package as base64 in a string (protocol 5.5).  The text is made
 * from the file piece by piece each time it is read, once for the signature and once for the wire,
 * so that a package of any size costs a few buffers.
 */
#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/out_int.h"
#include "rpc/call.h"
#include "rpc/fault.h"

#include "wire/base64.h"

#define PIECE       (48 * 1024) /* a multiple of 3 */
#define TOKEN_MAX   255
#define AT_ONCE     apr_time_from_sec(5) /* whoever asks twice within it did not die meanwhile */
#define SHOW_EVERY  apr_time_from_sec(1)
#define GUESSES     30 /* wrong tokens of one peer */
#define GUESSES_PER apr_time_from_sec(60)

/* Moodle's codes. */
#define NO_TOKEN    8009
#define GONE        8010
#define OTHER_PEERS 8011
#define NO_FILE     8013

typedef struct fetching_t {
    mnet_call_t *call; /* while the handler runs */
    mnet_host_t *host;
    apr_pool_t *pool;
    const char *token;
    mnet_out_t *out;
    int fd;
    int passes;
    apr_off_t sent;
    apr_time_t started, shown;
    char *piece;
} fetching_t;

/* --- the text --- */

static void show(fetching_t *fetching)
{
    apr_time_t now = apr_time_now();

    /* The first time it is only digested, which takes a moment. */
    if (fetching->passes < 2 || (now >= fetching->shown && now - fetching->shown < SHOW_EVERY)) {
        return;
    }
    fetching->shown = now;
    mnet_out_note(fetching->host, fetching->out->id, fetching->sent, fetching->out->size, now,
                  fetching->pool);
}

static apr_status_t read_piece(const fetching_t *fetching, apr_off_t at, apr_size_t len)
{
    apr_size_t have = 0;

    while (have < len) {
        ssize_t n = pread(fetching->fd, fetching->piece + have, len - have, at + (apr_off_t)have);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? errno : APR_EOF; /* somebody cut it short */
        }
        have += (apr_size_t)n;
    }
    return APR_SUCCESS;
}

static apr_status_t pour(void *baton, const mnet_sink_t *to)
{
    fetching_t *fetching = baton;
    mnet_base64_encoder_t encoder;
    apr_off_t at = 0, size = fetching->out->size;
    apr_status_t rv = APR_SUCCESS;

    fetching->passes++;
    mnet_base64_encoder_init(&encoder, to);
    while (!rv && at < size) {
        apr_size_t len = size - at < PIECE ? (apr_size_t)(size - at) : PIECE;

        rv = read_piece(fetching, at, len);
        rv = rv ? rv : mnet_base64_encode(&encoder, fetching->piece, len);
        at += (apr_off_t)len;
        fetching->sent = at;
        show(fetching);
    }
    return rv ? rv : mnet_base64_encode_end(&encoder);
}

/* --- afterwards --- */

typedef apr_status_t note_fn(fetching_t *fetching, mnet_txn_t *txn, mnet_out_t *out,
                             apr_time_t now);

/* A change of the record, unless the token was taken back meanwhile. */
static apr_status_t note(fetching_t *fetching, note_fn *how, apr_time_t now)
{
    mnet_out_t *out;
    mnet_txn_t *txn;
    apr_status_t rv =
        mnet_txn_begin(fetching->host->engine->store, MNET_WRITE_WORK, &txn, fetching->pool);

    if (rv) {
        return rv;
    }
    rv = mnet_out_get(fetching->host, txn, fetching->out->id, &out, fetching->pool);
    if (!rv && out->token && !strcmp(out->token, fetching->token)) {
        rv = how(fetching, txn, out, now);
    }
    rv = rv ? rv : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    fetching->out = rv ? fetching->out : out;
    return rv;
}

static apr_status_t note_begun(fetching_t *fetching, mnet_txn_t *txn, mnet_out_t *out,
                               apr_time_t now)
{
    out->begun = now;
    return mnet_out_put(fetching->host, txn, out, fetching->pool);
}

static apr_status_t note_gone(fetching_t *fetching, mnet_txn_t *txn, mnet_out_t *out,
                              apr_time_t now)
{
    return mnet_out_went(fetching->host, txn, out, now, fetching->pool);
}

/* It is known that the peer has not got it: as if it had never begun. */
static apr_status_t note_broken(fetching_t *fetching, mnet_txn_t *txn, mnet_out_t *out,
                                apr_time_t now)
{
    if (out->fetched) {
        return APR_SUCCESS;
    }
    out->begun = 0;
    return mnet_out_put(fetching->host, txn, out, fetching->pool);
}

static void let_go(fetching_t *fetching)
{
    mnet_out_unlock(fetching->fd);
    fetching->fd = -1;
}

static apr_status_t let_go_cleanup(void *baton)
{
    let_go(baton);
    return APR_SUCCESS;
}

static void answered(void *baton, int whole)
{
    fetching_t *fetching = baton;
    const mnet_log_t *log = fetching->host->engine->log;
    apr_pool_t *pool = fetching->pool;
    const char *site = fetching->host->site->wwwroot, *peer = fetching->out->peer;
    const char *title = mnet_say(fetching->out->title, pool), *id = fetching->out->id;
    apr_time_t now = apr_time_now();
    apr_status_t rv = note(fetching, whole ? note_gone : note_broken, now);

    if (!whole) {
        mnet_log(log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET1061",
                 "%s: %s went away before it had the whole of %s (%s); it may fetch again", site,
                 peer, title, id);
    } else if (rv) {
        mnet_log(log, MNET_LOG_ERR, rv, "MNET1062",
                 "%s: %s has fetched %s (%s), which could not be noted: it may fetch again", site,
                 peer, title, id);
    } else {
        mnet_log(log, MNET_LOG_INFO, APR_SUCCESS, "MNET1060",
                 "%s: %s fetched %s (%s): %" APR_OFF_T_FMT " bytes in %s", site, peer, title, id,
                 fetching->out->size,
                 mnet_format_time((now - fetching->started) / 1000 * 1000, pool));
    }
    let_go(fetching);
}

/* --- which one --- */

static apr_status_t refuse(fetching_t *fetching, int code, const char *what)
{
    mnet_call_t *call = fetching->call;

    mnet_log(fetching->host->engine->log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET1063",
             "%s: fetch_file by %s refused with %d: %s (%s)", fetching->host->site->wwwroot,
             call->peer->facts->wwwroot, code, what, call->id ? call->id : "-");
    return mnet_call_fault(call, code, "%s", what);
}

/* A token that is none of this peer's: counted, and after too many no longer looked into. */
static apr_status_t unknown(fetching_t *fetching, int code, const char *what)
{
    mnet_call_t *call = fetching->call;
    mnet_shared_t *shared = fetching->host->engine->shared;
    const char *name = apr_pstrcat(call->pool, "fetch:", call->peer->facts->wwwroot, NULL);

    if (mnet_shared_failures(shared, name, call->now, GUESSES_PER) >= GUESSES) {
        return mnet_call_fault(call, NO_TOKEN, "There is no transfer with this token.");
    }
    mnet_shared_failed(shared, name, call->now, GUESSES_PER);
    return refuse(fetching, code, what);
}

static apr_status_t find(fetching_t *fetching, int *others)
{
    mnet_host_t *host = fetching->host;
    apr_pool_t *pool = fetching->call->pool;
    mnet_out_t *theirs;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);

    *others = 0;
    if (rv) {
        return rv;
    }
    rv = mnet_out_find(host, txn, fetching->call->peer->facts->wwwroot, fetching->token,
                       &fetching->out, pool);
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        *others = !mnet_out_find(host, txn, "*", fetching->token, &theirs, pool);
    }
    mnet_txn_abort(txn);
    return rv;
}

/* 0, or the fault and why. */
static int judge(const fetching_t *fetching, const char **what)
{
    const mnet_out_t *out = fetching->out;

    *what = "This transfer was fetched before.";
    if (out->state == MNET_OUT_STATE_DELIVERED) {
        return mnet_out_is_unconfirmed(out) && fetching->call->now - out->fetched > AT_ONCE &&
                       fetching->call->now - out->done < MNET_OUT_UNCONFIRMED
                   ? 0
                   : NO_TOKEN;
    }
    *what = "This transfer has expired.";
    if (out->state == MNET_OUT_STATE_EXPIRED || out->state == MNET_OUT_STATE_DROPPED ||
        fetching->call->now > out->expires) {
        return GONE;
    }
    *what = "The package of this transfer is not ready.";
    if (!out->offered) {
        return NO_FILE;
    }
    *what = "This transfer was fetched before.";
    if (out->fetched >= out->offered &&
        mnet_out_telling(fetching->host, out, fetching->call->pool)) {
        return NO_TOKEN;
    }
    *what = NULL;
    return 0;
}

/* --- the file --- */

static apr_status_t open_package(fetching_t *fetching)
{
    const char *path =
        mnet_out_path(fetching->host, fetching->out->id, ".zip", fetching->call->pool);
    struct stat st;

    fetching->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fetching->fd < 0) {
        return errno;
    }
    apr_pool_cleanup_register(fetching->call->pool, fetching, let_go_cleanup,
                              apr_pool_cleanup_null);
    if (fstat(fetching->fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        st.st_size != fetching->out->size) {
        return APR_EINVAL;
    }
    (void)posix_fadvise(fetching->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return APR_SUCCESS;
}

static apr_status_t give(fetching_t *fetching)
{
    mnet_call_t *call = fetching->call;
    mnet_spool_t *text =
        mnet_spool_made(mnet_base64_length(fetching->out->size), pour, fetching, call->pool);

    fetching->piece = apr_palloc(call->pool, PIECE);
    fetching->started = apr_time_now();
    call->result = mnet_string_plain(text, call->pool);
    call->answered = answered;
    call->answered_baton = fetching;
    return APR_SUCCESS;
}

/* Looks again once it has the lock: the one before may just have had it all. */
static apr_status_t fetch_found(fetching_t *fetching)
{
    const char *what;
    int code = judge(fetching, &what), others;
    apr_status_t rv;

    if (code) {
        return refuse(fetching, code, what);
    }
    rv = open_package(fetching);
    if (rv) {
        mnet_log(fetching->host->engine->log, MNET_LOG_ERR, rv, "MNET1067",
                 "%s: the package of %s for %s cannot be read", fetching->host->site->wwwroot,
                 fetching->out->id, fetching->out->peer);
        return refuse(fetching, NO_FILE, "The package of this transfer cannot be read.");
    }
    if (!mnet_out_lock_package(fetching->fd)) {
        return refuse(fetching, MNET_FAULT_BUSY, "This transfer is being fetched at this moment.");
    }
    rv = find(fetching, &others);
    if (rv) {
        return rv;
    }
    code = judge(fetching, &what);
    if (code) {
        return refuse(fetching, code, what);
    }
    /* Should we die over it, it is known that the peer may have it. */
    rv = fetching->out->begun ? APR_SUCCESS : note(fetching, note_begun, fetching->call->now);
    return rv ? rv : give(fetching);
}

static apr_status_t fetch_file(mnet_call_t *call, void *baton)
{
    fetching_t *fetching = apr_pcalloc(call->pool, sizeof(*fetching));
    int others = 0;
    apr_status_t rv = APR_NOTFOUND;

    fetching->call = call;
    fetching->host = call->host;
    fetching->pool = call->pool;
    fetching->token = mnet_call_text(call, 0);
    fetching->fd = -1;
    if (fetching->token && *fetching->token &&
        strnlen(fetching->token, TOKEN_MAX + 1) <= TOKEN_MAX && call->host->site->portfolio) {
        rv = find(fetching, &others);
    }
    if (others) {
        return unknown(fetching, OTHER_PEERS, "This transfer is with another site.");
    }
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return unknown(fetching, NO_TOKEN, "There is no transfer with this token.");
    }
    return rv ? rv : fetch_found(fetching);
}

static const mnet_parameter_t parameters[] = {
    {"token", "string", "that the caller gave for the transfer"}, {NULL}};

static const mnet_method_t method = {.path = "portfolio/mahara/lib.php/fetch_file",
                                     .service = "pf",
                                     .effect = MNET_METHOD_CHANGES,
                                     .parameters = parameters,
                                     .required = 1,
                                     .returns = {NULL, "string", "the package, a zip, in base64"},
                                     .help =
                                         "Gives out a package of which the caller was told, once.",
                                     .handler = fetch_file};

apr_status_t mnet_out_register(mnet_registry_t *registry, const char *wwwroot)
{
    return mnet_registry_add(registry, wwwroot, &method);
}
