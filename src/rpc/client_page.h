/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_RPC_CLIENT_PAGE_H
#define MNET_RPC_CLIENT_PAGE_H

/*
 * What an answer was that is no message: the page of another program, an empty one, or a message
 * with something before or behind it, as of a PHP that shows its warnings.
 */

#include <apr_pools.h>

#define MNET_PAGE_HEAD 512
#define MNET_PAGE_TAIL 256

/* The two ends of an answer.  Zeroed to begin with. */
typedef struct mnet_page_t {
    char head[MNET_PAGE_HEAD + 1];
    apr_size_t head_len;
    char tail[MNET_PAGE_TAIL + 1];
    apr_size_t tail_len;
} mnet_page_t;

/* Keeps what is needed of the next piece. */
void mnet_page_take(mnet_page_t *page, const char *data, apr_size_t len);

typedef enum {
    MNET_PAGE_EMPTY,
    MNET_PAGE_WEB,    /* HTML */
    MNET_PAGE_BEFORE, /* a message, or the complaint of a PHP, with something before it */
    MNET_PAGE_BEHIND, /* a message with something behind it */
    MNET_PAGE_OTHER
} mnet_page_e;

/* Which it was, and the words in it that say so, without their tags, fit for a log. */
mnet_page_e mnet_page_judge(const mnet_page_t *page, const char **words, apr_pool_t *pool);

#endif
