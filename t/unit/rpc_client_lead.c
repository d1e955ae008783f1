/* SPDX-License-Identifier: Apache-2.0 */
/* What a PHP says before its message is left out, wherever the pieces of the answer end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <cmocka.h>
#include <string.h>

#include "base/status.h"
#include "rpc/client_lead.h"

#define MESSAGE "<?xml version=\"1.0\"?><encryptedMessage>x</encryptedMessage>"
#define WARNING "<br />\n<b>Warning</b>:  a < b in <b>c.php</b><br />\n"

static apr_pool_t *pool;
static char out[64 * 1024];
static apr_size_t out_len;

static apr_status_t take(void *baton, const char *data, apr_size_t len)
{
    assert_true(len <= sizeof(out) - out_len);
    memcpy(out + out_len, data, len);
    out_len += len;
    return APR_SUCCESS;
}

/* Gives the text in pieces of that size; returns how much was left out. */
static apr_size_t give(const char *text, apr_size_t piece)
{
    mnet_sink_t to = {take, NULL};
    mnet_lead_t lead = {.to = &to, .pool = pool};
    apr_size_t i, len = strlen(text);

    out_len = 0;
    for (i = 0; i < len; i += piece) {
        assert_int_equal(mnet_lead_write(&lead, text + i, piece < len - i ? piece : len - i), 0);
    }
    assert_int_equal(mnet_lead_end(&lead), 0);
    return lead.skipped;
}

static void is(const char *text, const char *rest)
{
    apr_size_t piece;

    for (piece = 1; piece < 80; piece++) {
        assert_int_equal(give(text, piece), strlen(text) - strlen(rest));
        assert_int_equal(out_len, strlen(rest));
        assert_memory_equal(out, rest, out_len);
    }
}

static void a_message_alone_is_as_it_was(void **state)
{
    is(MESSAGE, MESSAGE);
    is("\n \t" MESSAGE, "\n \t" MESSAGE);
    is("\xef\xbb\xbf" MESSAGE, "\xef\xbb\xbf" MESSAGE);
    is("<methodResponse/>", "<methodResponse/>");
    is("", "");
}

static void warnings_are_left_out(void **state)
{
    is(WARNING MESSAGE, MESSAGE);
    is(WARNING WARNING MESSAGE, MESSAGE);
    is("Deprecated: x in y\n" MESSAGE, MESSAGE);
    is("\xef\xbb\xbf\n" WARNING MESSAGE, MESSAGE);
    is("<" MESSAGE, MESSAGE);
    is("<?xml" MESSAGE, MESSAGE);
}

static void what_holds_no_message_stays_whole(void **state)
{
    is("<html><p>x</p></html>", "<html><p>x</p></html>");
    is("nothing", "nothing");
    is("<?xm", "<?xm");
}

static void there_is_an_end_to_it(void **state)
{
    char *noise = apr_palloc(pool, 2 * MNET_LEAD_MAX + sizeof(MESSAGE));
    apr_size_t before;

    for (before = MNET_LEAD_MAX - 20; before < MNET_LEAD_MAX + 20; before++) {
        apr_size_t piece;

        memset(noise, '.', before);
        memcpy(noise + before, MESSAGE, sizeof(MESSAGE));
        for (piece = 1; piece < 2 * MNET_LEAD_MAX; piece = piece * 7 + 1) {
            apr_size_t skipped = give(noise, piece);

            assert_int_equal(skipped, before + 6 <= MNET_LEAD_MAX ? before : 0);
            assert_int_equal(out_len, strlen(noise) - skipped);
            assert_memory_equal(out, noise + skipped, out_len);
        }
    }
}

static apr_status_t refuse(void *baton, const char *data, apr_size_t len)
{
    return MNET_E_INVALID;
}

static void the_sinks_error_comes_back(void **state)
{
    mnet_sink_t to = {refuse, NULL};
    mnet_lead_t lead = {.to = &to, .pool = pool};

    assert_int_equal(mnet_lead_write(&lead, WARNING, strlen(WARNING)), 0);
    assert_int_equal(mnet_lead_write(&lead, MESSAGE, strlen(MESSAGE)), MNET_E_INVALID);
}

static int setup(void **state)
{
    return apr_pool_create(&pool, NULL);
}

static int teardown(void **state)
{
    apr_pool_destroy(pool);
    return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(a_message_alone_is_as_it_was), T(warnings_are_left_out),
                                       T(what_holds_no_message_stays_whole),
                                       T(there_is_an_end_to_it), T(the_sinks_error_comes_back)};

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
