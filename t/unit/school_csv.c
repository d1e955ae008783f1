/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <apr_general.h>
#include <apr_strings.h>
#include <string.h>

#include "base/status.h"
#include "school/csv.h"

static apr_pool_t *pool;

static int setup(void **state)
{
    return apr_pool_create(&pool, NULL);
}

static int teardown(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}

/* Every row as "a|b/c|d", or the mistake as "!line:column why". */
static const char *rows(const char *text, apr_size_t len)
{
    const char *all = "";
    apr_array_header_t *cells;
    mnet_csv_t csv;
    apr_status_t rv;

    mnet_csv_begin(&csv, text, len);
    while (!(rv = mnet_csv_row(&csv, &cells, pool))) {
        all = apr_pstrcat(pool, all, *all ? "/" : "", NULL);
        for (int i = 0; i < cells->nelts; i++) {
            all = apr_pstrcat(pool, all, i ? "|" : "", APR_ARRAY_IDX(cells, i, const char *), NULL);
        }
    }
    if (rv == MNET_E_INVALID) {
        return apr_psprintf(pool, "%s!%d:%d", all, csv.line, csv.column);
    }
    assert_int_equal(rv, APR_EOF);
    return all;
}

#define READS(text, expected) assert_string_equal(rows(text, sizeof(text) - 1), expected)

static void test_rows(void **state)
{
    READS("", "");
    READS("\n\r\n\n", "");
    READS("a,b\nc,d\n", "a|b/c|d");
    READS("a,b\r\nc,d", "a|b/c|d");
    READS("a,b\rc,d\r", "a|b/c|d");
    READS("a,,\n,,b", "a||/||b");
    READS("\xEF\xBB\xBF"
          "a,b",
          "a|b");
}

static void test_separators(void **state)
{
    READS("a;b;c\n1,5;2;3\n", "a|b|c/1,5|2|3");
    READS("a\tb\n1,5\t2;3\n", "a|b/1,5|2;3");
    READS("a\nb,c\n", "a/b|c");
}

static void test_quotes(void **state)
{
    READS("\"a,\"\"b\"\"\",\"\"\n", "a,\"b\"|");
    READS("\"a\nb\",c\nd,e", "a\nb|c/d|e");
    READS("a\"b,c", "a\"b|c");
    READS("x,y\n\"a\nb\n\",c\nd,\"e", "x|y/a\nb\n|c!5:2");
    READS("\"a\"b,c", "!1:1");
    READS("a,\"", "!1:2");
}

static void test_what_is_no_text(void **state)
{
    READS("a\nb,\xE9", "a!2:2");
    READS("a,b\0c", "!1:2");
    READS("a\n\xF0\x9F\x98\x80", "a/\xF0\x9F\x98\x80");
}

static void test_limits(void **state)
{
    apr_size_t len = MNET_CSV_CELL;
    char *text = apr_palloc(pool, len + 2);

    memset(text, 'x', len + 2);
    assert_int_equal(strlen(rows(text, len)), len);
    assert_string_equal(rows(text, len + 1), "!1:1");
    text[0] = '"';
    assert_string_equal(rows(text, len + 2), "!1:1");
    memset(text, ',', MNET_CSV_CELLS + 1);
    assert_string_equal(rows(text, MNET_CSV_CELLS + 1),
                        apr_psprintf(pool, "!1:%d", MNET_CSV_CELLS + 1));
}

static apr_status_t collect(void *baton, const char *data, apr_size_t len)
{
    const char **text = baton;

    *text = apr_pstrcat(pool, *text, apr_pstrmemdup(pool, data, len), NULL);
    return APR_SUCCESS;
}

static const char *written(const char *const *cells, int count, int raw)
{
    const char *text = "";
    mnet_sink_t to = {collect, &text};

    assert_int_equal(mnet_csv_write(&to, cells, count, raw), 0);
    return text;
}

static void test_written(void **state)
{
    const char *const cells[] = {"a", NULL, "b,c", "d\"e", "f\ng", " h", "\xC3\xA9"};

    assert_string_equal(written(cells, 7, 0), "a,,\"b,c\",\"d\"\"e\",\"f\ng\",\" h\",\xC3\xA9\r\n");
}

static void test_formulas(void **state)
{
    const char *const cells[] = {"=1+1", "+1", "-1", "@x", "\tx", "1=2", "'"};
    const char *safe = written(cells, 7, 0);

    assert_string_equal(safe, "\"'=1+1\",\"'+1\",\"'-1\",\"'@x\",\"'\tx\",1=2,'\r\n");
    assert_string_equal(rows(safe, strlen(safe)), "=1+1|+1|-1|@x|\tx|1=2|'");
    assert_string_equal(written(cells, 2, 1), "=1+1,+1\r\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_rows),   T(test_separators), T(test_quotes),  T(test_what_is_no_text),
        T(test_limits), T(test_written),    T(test_formulas)};
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
