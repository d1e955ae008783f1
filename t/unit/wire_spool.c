/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_help.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <apr_portable.h>

#include "wire/spool.h"

static apr_status_t write_steps(mnet_spool_t *spool, const char *data, apr_size_t len,
                                apr_size_t step)
{
    apr_status_t rv = APR_SUCCESS;
    apr_size_t at;

    for (at = 0; at < len && rv == APR_SUCCESS; at += step) {
        rv = mnet_spool_write(spool, data + at, len - at < step ? len - at : step);
    }
    return rv;
}

static char *pattern(apr_size_t len, apr_pool_t *pool)
{
    char *data = apr_palloc(pool, len + 1);
    apr_size_t i;

    for (i = 0; i < len; i++) {
        data[i] = (char)('a' + (i * 31 + i / 1000) % 26);
    }
    data[len] = '\0';
    return data;
}

static void assert_pours(mnet_spool_t *spool, const char *data, apr_size_t len)
{
    collected_t out = {0};
    mnet_sink_t to = {collect, &out};

    assert_int_equal(mnet_spool_pour(spool, &to), APR_SUCCESS);
    assert_int_equal(out.len, len);
    if (len) {
        assert_memory_equal(out.data, data, len);
    }
    assert_true(out.writes <= (int)(len / 32768) + 1);
    free(out.data);
}

static void an_empty_spool(void **state)
{
    mnet_spool_t *spool = mnet_spool_create(0, NULL, *state);

    assert_int_equal(mnet_spool_length(spool), 0);
    assert_string_equal(mnet_spool_text(spool), "");
    assert_null(mnet_spool_file(spool));
    assert_pours(spool, "", 0);
}

static void a_text_up_to_64k_stays_in_memory(void **state)
{
    char *data = pattern(MNET_SPOOL_MEMORY, *state);
    static const apr_size_t steps[] = {1, 4095, 4096, 4097, 65536};
    apr_size_t i;

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        mnet_spool_t *spool = mnet_spool_create(0, "/nonexistent", *state);

        assert_int_equal(write_steps(spool, data, MNET_SPOOL_MEMORY, steps[i]), APR_SUCCESS);
        assert_int_equal(mnet_spool_length(spool), MNET_SPOOL_MEMORY);
        assert_string_equal(mnet_spool_text(spool), data);
        assert_null(mnet_spool_file(spool));
        assert_pours(spool, data, MNET_SPOOL_MEMORY);
    }
}

static void a_longer_one_goes_to_a_file(void **state)
{
    const apr_size_t len = 300001;
    char *data = pattern(len, *state);
    static const apr_size_t steps[] = {1000, 65536, 65537, 300001};
    apr_size_t i;

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        mnet_spool_t *spool = mnet_spool_create(0, NULL, *state);

        assert_int_equal(write_steps(spool, data, len, steps[i]), APR_SUCCESS);
        assert_int_equal(mnet_spool_length(spool), len);
        assert_null(mnet_spool_text(spool));
        assert_non_null(mnet_spool_file(spool));
        assert_pours(spool, data, len);
        assert_pours(spool, data, len);
    }
}

static void it_can_be_written_on_after_reading(void **state)
{
    const apr_size_t len = 200000;
    char *data = pattern(len, *state);
    mnet_spool_t *spool = mnet_spool_create(0, NULL, *state);

    assert_int_equal(mnet_spool_write(spool, data, 100000), APR_SUCCESS);
    assert_pours(spool, data, 100000);
    assert_int_equal(mnet_spool_write(spool, data + 100000, len - 100000), APR_SUCCESS);
    assert_pours(spool, data, len);
}

static void the_file_is_private_and_has_no_name(void **state)
{
    mnet_spool_t *spool = mnet_spool_create(0, NULL, *state);
    char *data = pattern(70000, *state);
    apr_os_file_t fd;
    struct stat st;

    assert_int_equal(mnet_spool_write(spool, data, 70000), APR_SUCCESS);
    assert_int_equal(apr_os_file_get(&fd, mnet_spool_file(spool)), APR_SUCCESS);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(st.st_size, 70000);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void the_file_is_closed_with_the_pool(void **state)
{
    apr_pool_t *pool;
    mnet_spool_t *spool;
    apr_os_file_t fd;

    apr_pool_create(&pool, *state);
    spool = mnet_spool_create(0, NULL, pool);
    assert_int_equal(mnet_spool_write(spool, pattern(70000, pool), 70000), APR_SUCCESS);
    assert_int_equal(apr_os_file_get(&fd, mnet_spool_file(spool)), APR_SUCCESS);
    apr_pool_destroy(pool);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void the_limit_holds(void **state)
{
    mnet_spool_t *spool = mnet_spool_create(10, NULL, *state);
    mnet_spool_t *large = mnet_spool_create(100000, NULL, *state);
    char *data = pattern(100001, *state);

    assert_int_equal(mnet_spool_write(spool, data, 10), APR_SUCCESS);
    assert_int_equal(mnet_spool_write(spool, data, 1), MNET_E_LIMIT);
    assert_int_equal(mnet_spool_length(spool), 10);
    assert_int_equal(mnet_spool_write(large, data, 100001), MNET_E_LIMIT);
    assert_int_equal(mnet_spool_write(large, data, 100000), APR_SUCCESS);
    assert_int_equal(mnet_spool_write(large, data, 1), MNET_E_LIMIT);
    assert_pours(large, data, 100000);
}

static void without_a_directory_it_says_so_and_stays_broken(void **state)
{
    mnet_spool_t *spool = mnet_spool_create(0, "/nonexistent", *state);
    char *data = pattern(70000, *state);
    collected_t out = {0};
    mnet_sink_t to = {collect, &out};
    apr_status_t rv = mnet_spool_write(spool, data, 70000);

    assert_true(APR_STATUS_IS_ENOENT(rv));
    assert_int_equal(mnet_spool_write(spool, data, 1), rv);
    assert_int_equal(mnet_spool_pour(spool, &to), rv);
    assert_null(mnet_spool_text(spool));
    assert_int_equal(out.len, 0);
}

static apr_status_t refuse(void *baton, const char *data, apr_size_t len)
{
    return APR_EOF;
}

static void what_the_sink_answers_comes_back(void **state)
{
    mnet_spool_t *spool = mnet_spool_create(0, NULL, *state);
    mnet_sink_t to = {refuse, NULL};

    assert_int_equal(mnet_spool_write(spool, "x", 1), APR_SUCCESS);
    assert_int_equal(mnet_spool_pour(spool, &to), APR_EOF);
}

/* --- texts that are not kept --- */

typedef struct making_t {
    const char *data;
    apr_size_t len;
    int times;
} making_t;

static apr_status_t make(void *baton, const mnet_sink_t *to)
{
    making_t *making = baton;

    making->times++;
    return mnet_sink_write(to, making->data, making->len);
}

static void a_text_is_made_each_time_it_is_read(void **state)
{
    making_t making = {"made", 4, 0};
    mnet_spool_t *spool = mnet_spool_made(4, make, &making, *state);

    assert_int_equal(mnet_spool_length(spool), 4);
    assert_null(mnet_spool_text(spool));
    assert_null(mnet_spool_file(spool));
    assert_int_equal(mnet_spool_write(spool, "x", 1), APR_EINVAL);
    assert_int_equal(making.times, 0);
    assert_pours(spool, "made", 4);
    assert_pours(spool, "made", 4);
    assert_int_equal(making.times, 2);
}

static void another_s_text_stands_where_it_was_appended(void **state)
{
    char *large = pattern(100000, *state);
    making_t making = {"MADE", 4, 0}, huge = {"", 0, 0};
    mnet_spool_t *spool = mnet_spool_create(0, NULL, *state);
    const char *whole = apr_pstrcat(*state, "beforeMADE", large, "MADEafter", NULL);

    assert_int_equal(mnet_spool_write(spool, "before", 6), APR_SUCCESS);
    assert_int_equal(mnet_spool_append(spool, mnet_spool_made(4, make, &making, *state)), 0);
    assert_null(mnet_spool_text(spool));
    assert_int_equal(write_steps(spool, large, 100000, 7000), APR_SUCCESS);
    assert_int_equal(mnet_spool_append(spool, mnet_spool_made(4, make, &making, *state)), 0);
    assert_int_equal(mnet_spool_write(spool, "after", 5), APR_SUCCESS);
    assert_int_equal(mnet_spool_length(spool), strlen(whole));
    assert_null(mnet_spool_file(spool));
    {
        collected_t out = {0};
        mnet_sink_t to = {collect, &out};

        assert_int_equal(mnet_spool_pour(spool, &to), APR_SUCCESS);
        assert_int_equal(out.len, strlen(whole));
        assert_memory_equal(out.data, whole, out.len);
        free(out.data);
    }
    assert_int_equal(making.times, 2);
    /* Of any size: nothing is read. */
    assert_int_equal(
        mnet_spool_append(spool, mnet_spool_made(APR_INT64_C(1) << 40, make, &huge, *state)), 0);
    assert_int_equal(huge.times, 0);
}

static void the_limit_holds_for_what_is_appended(void **state)
{
    making_t making = {"made", 4, 0};
    mnet_spool_t *spool = mnet_spool_create(7, NULL, *state);

    assert_int_equal(mnet_spool_write(spool, "1234", 4), APR_SUCCESS);
    assert_int_equal(mnet_spool_append(spool, mnet_spool_made(4, make, &making, *state)),
                     MNET_E_LIMIT);
    assert_int_equal(mnet_spool_append(spool, mnet_spool_made(3, make, &making, *state)), 0);
    assert_int_equal(mnet_spool_write(spool, "5", 1), MNET_E_LIMIT);
}

static apr_status_t fail_to_make(void *baton, const mnet_sink_t *to)
{
    return APR_EOF;
}

static void what_cannot_be_made_is_told(void **state)
{
    mnet_spool_t *spool = mnet_spool_create(0, NULL, *state);
    collected_t out = {0};
    mnet_sink_t to = {collect, &out};

    assert_int_equal(mnet_spool_append(spool, mnet_spool_made(4, fail_to_make, NULL, *state)), 0);
    assert_int_equal(mnet_spool_pour(spool, &to), APR_EOF);
    free(out.data);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(an_empty_spool),
        test(a_text_up_to_64k_stays_in_memory),
        test(a_longer_one_goes_to_a_file),
        test(it_can_be_written_on_after_reading),
        test(the_file_is_private_and_has_no_name),
        test(the_file_is_closed_with_the_pool),
        test(the_limit_holds),
        test(without_a_directory_it_says_so_and_stays_broken),
        test(what_the_sink_answers_comes_back),
        test(a_text_is_made_each_time_it_is_read),
        test(another_s_text_stands_where_it_was_appended),
        test(the_limit_holds_for_what_is_appended),
        test(what_cannot_be_made_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
