/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/client_page.h"

#include <apr_lib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define WORDS_MAX 120

void mnet_page_take(mnet_page_t *page, const char *data, apr_size_t len)
{
    apr_size_t n = MNET_PAGE_HEAD - page->head_len;
    apr_size_t kept;

    n = len < n ? len : n;
    memcpy(page->head + page->head_len, data, n);
    page->head_len += n;
    if (len > MNET_PAGE_TAIL) {
        data += len - MNET_PAGE_TAIL;
        len = MNET_PAGE_TAIL;
    }
    kept = page->tail_len < MNET_PAGE_TAIL - len ? page->tail_len : MNET_PAGE_TAIL - len;
    memmove(page->tail, page->tail + page->tail_len - kept, kept);
    memcpy(page->tail + kept, data, len);
    page->tail_len = kept + len;
}

/* A tag is a space, spaces are one, and none stands at the ends or before a colon; what stands in
 * quotes in a log is quoted otherwise. */
static const char *words_of(const char *text, apr_size_t len, apr_pool_t *pool)
{
    char *out = apr_palloc(pool, len + 1);
    apr_size_t i, n = 0;
    int gap = 0;

    for (i = 0; i < len; i++) {
        if (text[i] == '<') {
            const char *end = memchr(text + i, '>', len - i);

            i = end ? (apr_size_t)(end - text) : len;
            gap = 1;
        } else if (apr_isspace(text[i]) || !text[i]) {
            gap = 1;
        } else {
            if (gap && n && text[i] != ':') {
                out[n++] = ' ';
            }
            gap = 0;
            out[n++] = text[i] == '"' ? '\'' : text[i];
        }
    }
    return mnet_for_log(out, n, WORDS_MAX, pool);
}

/* What PHP writes into a page when display_errors is on. */
static int is_complaint(const char *words)
{
    static const char *const begins[] = {
        "Warning: ",        "Notice: ",           "Deprecated: ",  "Fatal error: ",
        "Parse error: ",    "Strict Standards: ", "PHP Warning: ", "PHP Notice: ",
        "PHP Deprecated: ", "PHP Fatal error: "};
    apr_size_t i;

    for (i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        if (!strncasecmp(words, begins[i], strlen(begins[i]))) {
            return 1;
        }
    }
    return 0;
}

static const char *const ends[] = {"</encryptedMessage>", "</signedMessage>", "</methodResponse>"};
#define ENDS (sizeof(ends) / sizeof(ends[0]))

/* Where a message begins in the head, or NULL. */
static const char *message_in(const char *head)
{
    const char *at = strstr(head, "<?xml");
    apr_size_t i;

    for (i = 0; !at && i < ENDS; i++) {
        at = strstr(head, ends[i] + 2);
        at = at && at > head && at[-1] == '<' ? at - 1 : NULL;
    }
    return at;
}

/* What stands behind the end of a message, or NULL if none ends there. */
static const char *behind(const char *tail)
{
    const char *at = NULL;
    apr_size_t i;

    for (i = 0; !at && i < ENDS; i++) {
        at = strstr(tail, ends[i]);
        at = at ? at + strlen(ends[i]) : NULL;
    }
    return at;
}

mnet_page_e mnet_page_judge(const mnet_page_t *page, const char **words, apr_pool_t *pool)
{
    const char *head = page->head, *at = message_in(head), *rest = behind(page->tail);

    *words = "";
    if (!page->head_len) {
        return MNET_PAGE_EMPTY;
    }
    *words = words_of(head, page->head_len, pool);
    if (is_complaint(*words)) {
        *words = at ? words_of(head, (apr_size_t)(at - head), pool) : *words;
        return MNET_PAGE_BEFORE;
    }
    if (at != head && memchr(head, '<', page->head_len)) {
        return MNET_PAGE_WEB;
    }
    if (at == head && rest && rest[strspn(rest, " \t\r\n")]) {
        *words = words_of(rest, strlen(rest), pool);
        return MNET_PAGE_BEHIND;
    }
    return MNET_PAGE_OTHER;
}
