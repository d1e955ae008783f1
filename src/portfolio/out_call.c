/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to the peer: protocol 5.5, and 7.3 for the first design's way. */
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/out_int.h"

#define MAHARA    "portfolio/mahara/lib.php/"
#define FIRST     "portfolio/"
#define TOKEN_MAX 255
#define PATIENCE  apr_time_from_sec(60) /* of a user; and of a Moodle */
#define SLOWEST   (256 * 1024)          /* bytes a second of a peer that fetches while we wait */
#define LONGEST   apr_time_from_sec(4 * 3600)

/* Moodle answers a list of names, Mahara a struct by name. */
static int lists(const mnet_value_t *methods, const char *path, apr_pool_t *pool)
{
    for (int i = 0; i < mnet_count(methods); i++) {
        const char *name = mnet_item_name(methods, i);
        const char *text = mnet_as_text(mnet_item(methods, i), pool);

        if ((name && !strcmp(name, path)) || (text && !strcmp(text, path))) {
            return 1;
        }
    }
    return 0;
}

int mnet_out_only_direct(mnet_host_t *host, const char *peer, apr_pool_t *pool)
{
    mnet_outgoing_t call = {.host = host,
                            .peer = peer,
                            .method = "system/listMethods",
                            .params = apr_array_make(pool, 1, sizeof(mnet_value_t *)),
                            .even_if_down = 1};
    mnet_reply_t *reply;

    mnet_client_call(&call, &reply, pool);
    return reply->kind == MNET_CALL_OK && lists(reply->value, FIRST "content_intent", pool) &&
           !lists(reply->value, MAHARA "send_content_intent", pool);
}

const char *mnet_out_location(const mnet_host_t *host, const mnet_out_t *out, apr_pool_t *pool)
{
    return apr_pstrcat(pool, host->site->wwwroot, "/mnet/file?token=", out->secret, NULL);
}

/* --- intent --- */

static mnet_out_said_e said_of(const char *word)
{
    if (!word) {
        return MNET_OUT_SAID_NONE;
    }
    if (!strcmp(word, "immediate") || !strcmp(word, "queandwait")) {
        return MNET_OUT_SAID_IMMEDIATE;
    }
    return !strcmp(word, "queue") || !strcmp(word, "queonly") ? MNET_OUT_SAID_QUEUE
                                                              : MNET_OUT_SAID_NONE;
}

static int token_ok(const char *token)
{
    apr_size_t len = token ? strnlen(token, TOKEN_MAX + 1) : 0;

    for (apr_size_t i = 0; i < len; i++) {
        if (token[i] <= ' ' || token[i] > '~') {
            return 0;
        }
    }
    return len > 0 && len <= TOKEN_MAX;
}

/* The first design names no members: Mahara's words, or its own. */
static const char *member(const mnet_value_t *value, const char *name, const char *or_name,
                          apr_pool_t *pool)
{
    const char *text = mnet_as_text(mnet_get(value, name), pool);

    return text && *text ? text : mnet_as_text(mnet_get(value, or_name), pool);
}

mnet_out_said_e mnet_out_intent(mnet_host_t *host, const char *peer, const char *user, int direct,
                                int even_if_down, const char **token, mnet_reply_t **reply,
                                apr_pool_t *pool)
{
    apr_array_header_t *params = apr_array_make(pool, 1, sizeof(mnet_value_t *));
    mnet_outgoing_t call = {.host = host,
                            .peer = peer,
                            .method =
                                direct ? FIRST "content_intent" : MAHARA "send_content_intent",
                            .params = params,
                            .even_if_down = even_if_down};
    mnet_value_t *who = mnet_struct(pool);
    mnet_out_said_e said;

    *token = NULL;
    mnet_set(who, "username", mnet_string(user, pool));
    APR_ARRAY_PUSH(params, mnet_value_t *) = direct ? who : mnet_string(user, pool);
    mnet_client_call(&call, reply, pool);
    if ((*reply)->kind != MNET_CALL_OK) {
        return MNET_OUT_SAID_NOTHING;
    }
    said = said_of(member((*reply)->value, "sendtype", "type", pool));
    *token = member((*reply)->value, direct ? "id" : "token", direct ? "token" : "id", pool);
    return token_ok(*token) ? said : MNET_OUT_SAID_NONE;
}

/* --- ready --- */

static mnet_value_t *size_text(apr_off_t size, apr_pool_t *pool)
{
    return mnet_string(apr_off_t_toa(pool, size), pool);
}

/* In the types that Moodle sends and Mahara insists on. */
static mnet_value_t *import_data(const mnet_out_t *out, const apr_array_header_t *files,
                                 apr_pool_t *pool)
{
    mnet_value_t *data = mnet_struct(pool), *manifest = mnet_struct(pool);

    for (int i = 0; i < files->nelts; i++) {
        const mnet_out_file_t *file = &APR_ARRAY_IDX(files, i, mnet_out_file_t);
        mnet_value_t *entry = mnet_struct(pool);
        mnet_member_t *place = apr_array_push(manifest->items);

        mnet_set(entry, "filename", mnet_string(file->name, pool));
        mnet_set(entry, "sha1", mnet_string(file->sha1, pool));
        mnet_set(entry, "size", size_text(file->size, pool));
        /* Not mnet_set, which looks through all of them: they are distinct. */
        place->name = file->sha1;
        place->name_len = strlen(file->sha1);
        place->value = entry;
    }
    mnet_set(data, "filesmanifest", manifest);
    mnet_set(data, "zipfilesha1", mnet_string(out->sha1, pool));
    mnet_set(data, "zipfilesize", size_text(out->size, pool));
    mnet_set(data, "totalsize", mnet_int(out->total, pool));
    return data;
}

/* A peer that fetches before it answers takes as long as the package is long. */
static apr_interval_time_t patience(const mnet_out_t *out)
{
    apr_interval_time_t time = PATIENCE + apr_time_from_sec(out->size / SLOWEST);

    return time < LONGEST ? time : LONGEST;
}

void mnet_out_call_ready(mnet_host_t *host, const mnet_out_t *out, const apr_array_header_t *files,
                         int even_if_down, mnet_reply_t **reply, apr_pool_t *pool)
{
    apr_array_header_t *params = apr_array_make(pool, 6, sizeof(mnet_value_t *));
    mnet_outgoing_t call = {.host = host,
                            .peer = out->peer,
                            .method =
                                out->direct ? FIRST "content_ready" : MAHARA "send_content_ready",
                            .params = params,
                            .timeout = patience(out),
                            .even_if_down = even_if_down};
    mnet_value_t *data = import_data(out, files, pool);
    mnet_value_t *wait = mnet_string(out->wait ? "1" : "0", pool);

    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(out->token, pool);
    if (out->direct) {
        mnet_set(data, "format", mnet_string(out->format, pool));
        APR_ARRAY_PUSH(params, mnet_value_t *) =
            mnet_string(mnet_out_location(host, out, pool), pool);
        APR_ARRAY_PUSH(params, mnet_value_t *) = wait;
        APR_ARRAY_PUSH(params, mnet_value_t *) = data;
    } else {
        APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(out->user, pool);
        APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string(out->format, pool);
        APR_ARRAY_PUSH(params, mnet_value_t *) = data;
        APR_ARRAY_PUSH(params, mnet_value_t *) = wait;
    }
    mnet_client_call(&call, reply, pool);
}
