/* SPDX-License-Identifier: Apache-2.0 */
#include "service/session_block.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define BLOCK_MAX 4096            /* bytes; a larger session is read anew each time */
#define HOT       (7 * MNET_LINE) /* of a block: up to its variables and who it is */

/* What few requests read. */
typedef struct seldom_t {
    apr_array_header_t attributes;
    unsigned char name[MNET_KEPT_NAME];
    mnet_attribute_t entries[]; /* of the attributes */
} seldom_t;

void mnet_session_block_drop(mnet_session_block_t *block)
{
    if (block && atomic_fetch_sub(&block->refs, 1) == 1) {
        OPENSSL_cleanse(block, block->size);
        free(block);
    }
}

/* Where a list has that very text as a value, or -1. */
static int place_of(const apr_array_header_t *list, const char *value)
{
    for (int i = 0; list && i < list->nelts; i++) {
        if (APR_ARRAY_IDX(list, i, mnet_attribute_t).value == value) {
            return i;
        }
    }
    return -1;
}

/* What a text takes, unless other has it. */
static apr_size_t text_size(const char *text, const apr_array_header_t *other)
{
    return place_of(other, text) < 0 ? strlen(text) + 1 : 0;
}

static apr_size_t list_size(const apr_array_header_t *list, const apr_array_header_t *other)
{
    apr_size_t size = 0;

    for (int i = 0; i < list->nelts; i++) {
        const mnet_attribute_t *one = &APR_ARRAY_IDX(list, i, mnet_attribute_t);

        size += sizeof(*one) + text_size(one->value, other);
        size += mnet_usual_variable(one->name) ? 0 : strlen(one->name) + 1;
    }
    return size;
}

static const void *copy(char **at, const void *data, apr_size_t len)
{
    void *made = memcpy(*at, data, len);

    *at += len;
    return made;
}

static const char *copy_text(char **at, const char *text)
{
    return copy(at, text, strlen(text) + 1);
}

/* A value, or the copy of it that another list has already. */
static const char *copy_value(char **at, const char *value, const apr_array_header_t *from,
                              const apr_array_header_t *copied)
{
    int place = place_of(from, value);

    return place < 0 || !copied ? copy_text(at, value)
                                : APR_ARRAY_IDX(copied, place, mnet_attribute_t).value;
}

/* The list's texts go to *at; its entries are there already. */
static void copy_list(char **at, apr_array_header_t *to, mnet_attribute_t *entries,
                      const apr_array_header_t *from, const apr_array_header_t *other,
                      const apr_array_header_t *copied)
{
    memset(to, 0, sizeof(*to));
    to->elt_size = sizeof(mnet_attribute_t);
    to->nelts = to->nalloc = from->nelts;
    to->elts = (char *)entries;
    for (int i = 0; i < from->nelts; i++) {
        const mnet_attribute_t *one = &APR_ARRAY_IDX(from, i, mnet_attribute_t);

        entries[i].name = mnet_usual_variable(one->name);
        if (!entries[i].name) {
            entries[i].name = copy_text(at, one->name);
        }
        entries[i].value = copy_value(at, one->value, other, copied);
    }
}

mnet_session_block_t *mnet_session_block_make(const char *id, const mnet_kept_session_t *from,
                                              apr_pool_t *pool)
{
    const mnet_session_t *session = &from->session;
    const apr_array_header_t *variables = mnet_session_variables(session, pool);
    const char *who = mnet_session_who(session, pool);
    apr_size_t size =
        sizeof(mnet_session_block_t) + list_size(variables, NULL) + strlen(who) + 1 +
        _Alignof(seldom_t) + sizeof(seldom_t) + list_size(session->attributes, variables) +
        text_size(session->peer, variables) + text_size(session->username, variables) +
        strlen(session->user_agent) + 1 + strlen(session->key) + 1 + from->len;
    mnet_session_block_t *block = NULL;
    mnet_session_t *kept;
    mnet_attribute_t *entries;
    seldom_t *seldom;
    char *at;

    size = (size + MNET_LINE - 1) / MNET_LINE * MNET_LINE;
    if (size <= BLOCK_MAX) {
        block = aligned_alloc(MNET_LINE, size);
    }
    if (!block) {
        return NULL;
    }
    memcpy(block->id, id, MNET_SESSION_ID_LEN);
    atomic_init(&block->refs, 1);
    block->size = size;
    atomic_init(&block->kept.stamp, from->stamp);
    block->kept.mark = from->mark;
    block->kept.session = *session;
    block->kept.len = from->len;
    kept = &block->kept.session;
    entries = (mnet_attribute_t *)(block + 1);
    at = (char *)(entries + variables->nelts);
    kept->who = copy_text(&at, who);
    at += -(uintptr_t)at % _Alignof(seldom_t);
    seldom = (seldom_t *)(void *)at;
    at = (char *)(seldom->entries + session->attributes->nelts);
    copy_list(&at, &block->variables, entries, variables, NULL, NULL);
    copy_list(&at, &seldom->attributes, seldom->entries, session->attributes, variables,
              &block->variables);
    kept->variables = &block->variables;
    kept->attributes = &seldom->attributes;
    block->kept.name = memcpy(seldom->name, from->name, sizeof(seldom->name));
    kept->peer = copy_value(&at, session->peer, variables, &block->variables);
    kept->username = copy_value(&at, session->username, variables, &block->variables);
    kept->user_agent = copy_text(&at, session->user_agent);
    kept->key = copy_text(&at, session->key);
    block->kept.record = copy(&at, from->record, from->len);
    return block;
}

int mnet_session_block_is(const mnet_session_block_t *block, const char *id)
{
    apr_uint64_t differ = 0;

    for (int i = 0; i < MNET_SESSION_ID_LEN; i += 8) {
        apr_uint64_t a, b;

        memcpy(&a, block->id + i, sizeof(a));
        memcpy(&b, id + i, sizeof(b));
        differ |= a ^ b;
    }
    return !differ;
}

void mnet_fetch(const void *from, apr_size_t size)
{
    for (apr_size_t at = 0; at < size; at += MNET_LINE) {
        __builtin_prefetch((const char *)from + at);
    }
}

void mnet_session_block_fetch(const mnet_session_block_t *block)
{
    mnet_fetch(block, HOT);
}
