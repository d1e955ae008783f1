/* SPDX-License-Identifier: Apache-2.0 */
/* The references that PHP's xmlrpc extension writes wrongly, in pieces of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <apr_general.h>

#include "wire/spool.h"
#include "wire/xmlrpc.h"
#include "wire/xmlrpc_mend.h"

typedef struct got_t {
    char text[256];
    apr_size_t len;
    int writes_left; /* then it fails */
} got_t;

static apr_status_t take(void *baton, const char *data, apr_size_t len)
{
    got_t *got = baton;

    if (!got->writes_left--) {
        return APR_ENOSPC;
    }
    assert_true(got->len + len < sizeof(got->text));
    memcpy(got->text + got->len, data, len);
    got->len += len;
    return APR_SUCCESS;
}

/* Through the mender in pieces of that size. */
static const char *mended(const char *text, apr_size_t piece, got_t *got)
{
    mnet_sink_t to = {take, got};
    mnet_mend_t mend;
    apr_size_t len = strlen(text), at;

    memset(got, 0, sizeof(*got));
    got->writes_left = 1000;
    mnet_mend_init(&mend, &to);
    for (at = 0; at < len; at += piece) {
        apr_size_t n = len - at < piece ? len - at : piece;

        assert_int_equal(mnet_mend_write(&mend, text + at, n), APR_SUCCESS);
    }
    assert_int_equal(mnet_mend_end(&mend), APR_SUCCESS);
    got->text[got->len] = '\0';
    return got->text;
}

static void in_all_pieces(const char *text, const char *expected)
{
    got_t got;
    apr_size_t piece;

    for (piece = 1; piece <= strlen(text) + 1; piece++) {
        assert_string_equal(mended(text, piece, &got), expected);
    }
}

static void test_mends(void **state)
{
    in_all_pieces("&#26;&#163;", "&#206;&#163;");
    in_all_pieces("&#20;&#21;&#22;&#23;&#24;&#25;&#26;&#27;&#28;&#29;",
                  "&#200;&#201;&#202;&#203;&#204;&#205;&#206;&#207;&#208;&#209;");
    in_all_pieces("a&#26;b", "a&#206;b");
    in_all_pieces("&&#26;", "&&#206;");
    in_all_pieces("&#&#26;", "&#&#206;");
    in_all_pieces("&#2&#26;", "&#2&#206;");
    in_all_pieces("&#26&#26;", "&#26&#206;");
}

static void test_leaves_alone(void **state)
{
    static const char *const texts[] = {
        "",        "plain",  "&",          "&#",        "&#2",
        "&#26",    "&#2;",   "&#260;",     "&#x26;",    "&#197;&#140;",
        "&#10;",   "&#30;",  "&amp;#26;",  "&#13;&#9;", "&#126;",
        "&#0026;", "& #26;", "&lt;&gt;&#", "&#2",       "&quot;&#39;",
    };
    apr_size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        in_all_pieces(texts[i], texts[i]);
    }
}

static void test_passes_errors_on(void **state)
{
    got_t got = {.writes_left = 0};
    mnet_sink_t to = {take, &got};
    mnet_mend_t mend;

    mnet_mend_init(&mend, &to);
    assert_int_equal(mnet_mend_write(&mend, "a&#26;b", 7), APR_ENOSPC);
    mnet_mend_init(&mend, &to);
    assert_int_equal(mnet_mend_write(&mend, "&#2", 3), APR_SUCCESS);
    got.writes_left = 0;
    assert_int_equal(mnet_mend_end(&mend), APR_ENOSPC);
}

/* A Greek and a Russian name as a Mahara writes them. */
static void test_reads_a_name(void **state)
{
    static const char text[] =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<methodResponse>\n<params>\n <param>\n"
        "  <value>\n   <string>&#26;&#163;&#27;&#137; &#28;&#159;&#29;&#128;</string>\n"
        "  </value>\n </param>\n</params>\n</methodResponse>\n";
    apr_pool_t *pool;
    mnet_spool_t *spool;
    mnet_document_t *document;
    const char *why;

    assert_int_equal(apr_pool_create(&pool, NULL), APR_SUCCESS);
    spool = mnet_spool_create(0, "/tmp", pool);
    assert_int_equal(mnet_spool_write(spool, text, sizeof(text) - 1), APR_SUCCESS);
    assert_int_equal(
        mnet_xmlrpc_read(spool, MNET_CHARSET_BYTES, &mnet_xml_limits_peer, &document, &why, pool),
        APR_SUCCESS);
    assert_string_equal(mnet_as_text(APR_ARRAY_IDX(document->params, 0, mnet_value_t *), pool),
                        "\xce\xa3\xcf\x89 \xd0\x9f\xd1\x80");
    apr_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mends),
        cmocka_unit_test(test_leaves_alone),
        cmocka_unit_test(test_passes_errors_on),
        cmocka_unit_test(test_reads_a_name),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
