/* SPDX-License-Identifier: Apache-2.0 */
#include "service/account.h"

#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "rpc/peer_share.h"
#include "service/sso_int.h"

#define GROUP   "account"
#define VERSION 1

static const char *const well_known[] = {"firstname",
                                         "lastname",
                                         "email",
                                         "firstnamephonetic",
                                         "lastnamephonetic",
                                         "middlename",
                                         "alternatename",
                                         "city",
                                         "country",
                                         "lang",
                                         "timezone",
                                         "description",
                                         "idnumber",
                                         "institution",
                                         "department",
                                         "phone1",
                                         "phone2",
                                         "address",
                                         "url"};

/* --- fields --- */

/* Control characters, those of Unicode's second block and the invisible ones among them. */
static int is_control(unsigned int code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 ||
           (code >= 0x200B && code <= 0x200F) || (code >= 0x202A && code <= 0x202E) ||
           (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF || (code & 0xFFFE) == 0xFFFE;
}

/* The joiners between letters (U+200C, U+200D) are part of names in some scripts. */
static int is_dropped(unsigned int code, int many_lines)
{
    if (code == 0x200C || code == 0x200D || (code == '\n' && many_lines)) {
        return 0;
    }
    return is_control(code);
}

const char *mnet_clean_text(const char *text, int many_lines, apr_pool_t *pool)
{
    apr_size_t len = strlen(text);
    char *out, *at;
    unsigned int code;

    if (len > MNET_FIELD_MAX || !mnet_is_utf8(text, len)) {
        return NULL;
    }
    out = at = apr_palloc(pool, len + 1);
    while (len) {
        int n = mnet_utf8_next(text, len, &code);

        if (n < 1) {
            return NULL;
        }
        if (!is_dropped(code, many_lines)) {
            memcpy(at, text, (apr_size_t)n);
            at += n;
        }
        text += n;
        len -= (apr_size_t)n;
    }
    *at = '\0';
    return out;
}

static const char *field(const mnet_value_t *user, const char *name, apr_pool_t *pool)
{
    const mnet_value_t *value = mnet_get(user, name);
    const char *text = mnet_as_text(value, pool);
    apr_size_t len;

    if (text && value->type == MNET_BOOLEAN) {
        text = value->integer ? "1" : "0";
    }
    text = text ? mnet_clean_text(text, !strcmp(name, "description"), pool) : NULL;
    if (!text || strcmp(name, "lang")) {
        return text;
    }
    /* Moodle 1.9's languages are "de_utf8". */
    len = strlen(text);
    return len > 5 && !strcmp(text + len - 5, "_utf8") ? apr_pstrmemdup(pool, text, len - 5) : text;
}

apr_array_header_t *mnet_account_fields(const mnet_host_t *host, const mnet_value_t *user,
                                        apr_pool_t *pool)
{
    const apr_array_header_t *chosen = host->site->profile_fields;
    int count = chosen ? chosen->nelts : (int)(sizeof(well_known) / sizeof(well_known[0]));
    apr_array_header_t *fields = apr_array_make(pool, count, sizeof(mnet_attribute_t));
    apr_size_t total = 0;

    for (int i = 0; i < count; i++) {
        const char *name = chosen ? APR_ARRAY_IDX(chosen, i, const char *) : well_known[i];
        const char *value = field(user, name, pool);
        apr_size_t len = value ? strlen(value) : 0;

        if (!len || len > MNET_PROFILE_MAX - total || !strcmp(name, "username") ||
            mnet_attribute_find(fields, name)) {
            continue;
        }
        total += len;
        APR_ARRAY_PUSH(fields, mnet_attribute_t) = (mnet_attribute_t){name, value};
    }
    return fields;
}

const char *mnet_username_problem(const char *username)
{
    apr_size_t len = username ? strlen(username) : 0;
    int characters = 0;
    unsigned int code = 0;

    if (!len) {
        return "it is empty";
    }
    if (len > 4 * MNET_USERNAME_MAX) {
        return "it is too long";
    }
    if (!mnet_is_utf8(username, len)) {
        return "it is not UTF-8";
    }
    if (!strcmp(username, ".") || !strcmp(username, "..") || strpbrk(username, "/\\")) {
        return "it looks like a path";
    }
    if (username[0] == ' ' || username[len - 1] == ' ') {
        return "it has white space at an end";
    }
    for (const char *at = username; len;) {
        int n = mnet_utf8_next(at, len, &code);

        /* Spaces of other kinds look like the common one, or like nothing. */
        if (n < 1 || is_control(code) || code == 0xA0 || code == 0x1680 || code == 0x3000 ||
            (code >= 0x2000 && code <= 0x200A) || code == 0x202F || code == 0x205F) {
            return "it has a control or invisible character";
        }
        at += n;
        len -= (apr_size_t)n;
        characters++;
    }
    return characters > MNET_USERNAME_MAX ? "it is too long" : NULL;
}

/* --- the record --- */

static apr_status_t account_name(const mnet_host_t *host, const char *peer, const char *username,
                                 mnet_name_t *name)
{
    mnet_name_begin(host, name);
    return mnet_name_add_digest(host, name, peer, username);
}

static apr_status_t get(const mnet_host_t *host, mnet_txn_t *txn, const mnet_name_t *name,
                        mnet_account_t **found, apr_pool_t *pool)
{
    mnet_account_t *account = apr_palloc(pool, sizeof(*account));
    mnet_unpack_t unpack;
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_txn_get(txn, GROUP, name->bytes, name->len, &data, &len);

    *found = NULL;
    if (rv) {
        return rv;
    }
    rv = mnet_record_open(&unpack, host, data, len, VERSION, pool);
    account->peer = mnet_unpack_text(&unpack);
    account->username = mnet_unpack_text(&unpack);
    account->first = mnet_unpack_i64(&unpack);
    account->last = mnet_unpack_i64(&unpack);
    account->landings = mnet_unpack_i64(&unpack);
    account->attributes = mnet_attributes_unpack(&unpack);
    unpack.bad |= !account->peer || !account->username;
    rv = rv ? rv : mnet_unpack_end(&unpack);
    *found = rv ? NULL : account;
    return rv;
}

apr_status_t mnet_account_note(const mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                               const char *username, const apr_array_header_t *attributes,
                               apr_time_t now, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_record_create(host, VERSION, pool);
    mnet_account_t *before = NULL;
    mnet_name_t name;
    const void *data;
    apr_size_t len, len_before = 0;
    apr_status_t rv = account_name(host, peer, username, &name);

    if (!rv) {
        rv = mnet_txn_get(txn, GROUP, name.bytes, name.len, &data, &len_before);
        rv = rv ? rv : get(host, txn, &name, &before, pool);
    }
    if (rv && !APR_STATUS_IS_NOTFOUND(rv) && rv != APR_EINCOMPLETE) {
        return rv; /* a damaged one is made anew; one of a later version is left alone */
    }
    mnet_pack_text(pack, peer);
    mnet_pack_text(pack, username);
    mnet_pack_i64(pack, before ? before->first : now);
    mnet_pack_i64(pack, now);
    mnet_pack_i64(pack, before && before->landings < APR_INT32_MAX ? before->landings + 1 : 1);
    mnet_attributes_pack(pack, attributes);
    data = mnet_pack_end(pack, &len);
    rv = mnet_user_share_keep(host, txn, peer, len, len_before, now);
    return rv ? rv : mnet_txn_put(txn, GROUP, name.bytes, name.len, data, len);
}

apr_status_t mnet_account_in(const mnet_host_t *host, mnet_txn_t *txn, const char *peer,
                             const char *username, mnet_account_t **account, apr_pool_t *pool)
{
    mnet_name_t name;
    apr_status_t rv = account_name(host, peer, username, &name);

    *account = NULL;
    return rv ? rv : get(host, txn, &name, account, pool);
}

apr_status_t mnet_account_find(const mnet_host_t *host, const char *peer, const char *username,
                               mnet_account_t **account, apr_pool_t *pool)
{
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, pool);

    *account = NULL;
    if (rv) {
        return rv;
    }
    rv = mnet_account_in(host, txn, peer, username, account, pool);
    mnet_txn_abort(txn);
    return rv;
}
