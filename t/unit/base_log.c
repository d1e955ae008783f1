/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_help.h"

#include "base/log.h"

typedef struct line_t {
    int count;
    int level;
    apr_status_t rv;
    char id[16];
    char text[4096];
} line_t;

static void keep(void *baton, int level, apr_status_t rv, const char *id, const char *text)
{
    line_t *line = baton;

    line->count++;
    line->level = level;
    line->rv = rv;
    snprintf(line->id, sizeof(line->id), "%s", id);
    snprintf(line->text, sizeof(line->text), "%s", text);
}

static void a_line_is_passed_on(void **state)
{
    line_t line = {0};
    mnet_log_t log = {keep, &line, MNET_LOG_NOTICE};

    mnet_log(&log, MNET_LOG_WARNING, APR_ENOENT, "MNET9999", "peer %s, %d times", "a", 3);
    assert_int_equal(line.count, 1);
    assert_int_equal(line.level, MNET_LOG_WARNING);
    assert_int_equal(line.rv, APR_ENOENT);
    assert_string_equal(line.id, "MNET9999");
    assert_string_equal(line.text, "peer a, 3 times");
}

static void a_line_above_the_level_is_not_written(void **state)
{
    line_t line = {0};
    mnet_log_t log = {keep, &line, MNET_LOG_NOTICE};

    mnet_log(&log, MNET_LOG_INFO, APR_SUCCESS, "MNET9999", "x");
    assert_int_equal(line.count, 0);
    mnet_log(&log, MNET_LOG_NOTICE, APR_SUCCESS, "MNET9999", "x");
    assert_int_equal(line.count, 1);
}

static void without_a_log_nothing_happens(void **state)
{
    mnet_log_t log = {NULL, NULL, MNET_LOG_DEBUG};

    mnet_log(NULL, MNET_LOG_ERR, APR_SUCCESS, "MNET9999", "x");
    mnet_log(&log, MNET_LOG_ERR, APR_SUCCESS, "MNET9999", "x");
    assert_null(log.baton);
}

static void one_call_is_one_line_of_bounded_length(void **state)
{
    line_t line = {0};
    mnet_log_t log = {keep, &line, MNET_LOG_DEBUG};
    char *big = apr_palloc(*state, 100000);

    memset(big, 'x', 99999);
    big[99999] = '\0';
    mnet_log(&log, MNET_LOG_DEBUG, APR_SUCCESS, "MNET9999", "a\nb\r\x1b\x7f %s", big);
    assert_int_equal(line.count, 1);
    assert_memory_equal(line.text, "a b    xxx", 10);
    assert_true(strlen(line.text) < 2048);
}

static void every_status_has_a_name(void **state)
{
    char buf[80], other[80];
    apr_status_t rv;

    for (rv = MNET_E_XML; rv <= MNET_E_INVALID; rv++) {
        assert_ptr_equal(mnet_strerror(rv, buf, sizeof(buf)), buf);
        assert_true(strlen(buf) > 3);
        assert_string_not_equal(buf, mnet_strerror(rv + 1, other, sizeof(other)));
    }
    assert_string_equal(mnet_strerror(APR_SUCCESS, buf, sizeof(buf)), "success");
    assert_string_equal(mnet_strerror(ENOENT, buf, sizeof(buf)), "No such file or directory");
    assert_string_equal(mnet_strerror(MNET_E_BASE64, buf, 5), "not ");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(a_line_is_passed_on),           test(a_line_above_the_level_is_not_written),
        test(without_a_log_nothing_happens), test(one_call_is_one_line_of_bounded_length),
        test(every_status_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
