/* SPDX-License-Identifier: Apache-2.0 */
/* What several of sign-on's records hold. */
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "service/sso_int.h"
#include "trust/texts.h"

const char *mnet_attribute_find(const apr_array_header_t *attributes, const char *name)
{
    for (int i = 0; attributes && i < attributes->nelts; i++) {
        const mnet_attribute_t *one = &APR_ARRAY_IDX(attributes, i, mnet_attribute_t);

        if (!strcmp(one->name, name)) {
            return one->value;
        }
    }
    return NULL;
}

void mnet_attributes_pack(mnet_pack_t *pack, const apr_array_header_t *attributes)
{
    int count = attributes ? attributes->nelts : 0;

    mnet_pack_i64(pack, count);
    for (int i = 0; i < count; i++) {
        const mnet_attribute_t *one = &APR_ARRAY_IDX(attributes, i, mnet_attribute_t);

        mnet_pack_text(pack, one->name);
        mnet_pack_text(pack, one->value);
    }
}

apr_array_header_t *mnet_attributes_unpack(mnet_unpack_t *unpack)
{
    int count = mnet_count_unpack(unpack);
    apr_array_header_t *attributes =
        apr_array_make(unpack->pool, count > 0 && count < 64 ? count : 8, sizeof(mnet_attribute_t));

    for (int i = 0; i < count && !unpack->bad; i++) {
        mnet_attribute_t one = {mnet_unpack_text(unpack), NULL};

        one.value = mnet_unpack_text(unpack);
        unpack->bad |= !one.name || !one.value;
        if (!unpack->bad) {
            APR_ARRAY_PUSH(attributes, mnet_attribute_t) = one;
        }
    }
    return attributes;
}

apr_time_t mnet_ahead(apr_time_t now, apr_interval_time_t by)
{
    return by > 0 && now > APR_INT64_MAX - by ? APR_INT64_MAX : now + by;
}

const char *mnet_user_agent_hash(mnet_host_t *host, const char *user_agent, apr_pool_t *pool)
{
    mnet_digest_t *digest = mnet_sha1_create(host->engine->crypto, pool);
    unsigned char sha1[MNET_SHA1];

    if (!digest || (user_agent && mnet_digest_write(digest, user_agent, strlen(user_agent))) ||
        mnet_digest_end(digest, sha1)) {
        return "";
    }
    return mnet_hex(sha1, sizeof(sha1), pool);
}
