/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_help.h"

#include "wire/base64.h"

/* Decodes in pieces of step bytes. */
static apr_status_t decode(const char *text, apr_size_t len, apr_size_t step, collected_t *out)
{
    mnet_sink_t to = {collect, out};
    mnet_base64_decoder_t decoder;
    apr_status_t rv = APR_SUCCESS;
    apr_size_t at;

    mnet_base64_decoder_init(&decoder, &to);
    for (at = 0; at < len && rv == APR_SUCCESS; at += step) {
        rv = mnet_base64_decode(&decoder, text + at, len - at < step ? len - at : step);
    }
    return rv == APR_SUCCESS ? mnet_base64_decode_end(&decoder) : rv;
}

static void encode(const char *data, apr_size_t len, apr_size_t step, collected_t *out)
{
    mnet_sink_t to = {collect, out};
    mnet_base64_encoder_t encoder;
    apr_size_t at;

    mnet_base64_encoder_init(&encoder, &to);
    for (at = 0; at < len; at += step) {
        assert_int_equal(mnet_base64_encode(&encoder, data + at, len - at < step ? len - at : step),
                         APR_SUCCESS);
    }
    assert_int_equal(mnet_base64_encode_end(&encoder), APR_SUCCESS);
}

/* RFC 4648, section 10 */
static const char *vectors[][2] = {{"", ""},
                                   {"f", "Zg=="},
                                   {"fo", "Zm8="},
                                   {"foo", "Zm9v"},
                                   {"foob", "Zm9vYg=="},
                                   {"fooba", "Zm9vYmE="},
                                   {"foobar", "Zm9vYmFy"}};

static void vectors_of_the_rfc(void **state)
{
    collected_t out = {0};
    apr_size_t i, step;

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const char *plain = vectors[i][0], *text = vectors[i][1];

        for (step = 1; step <= 9; step++) {
            assert_int_equal(decode(text, strlen(text), step, &out), APR_SUCCESS);
            assert_string_equal(collected(&out, *state), plain);
            encode(plain, strlen(plain), step, &out);
            assert_string_equal(collected(&out, *state), text);
        }
        assert_int_equal(mnet_base64_length((apr_off_t)strlen(plain)), strlen(text));
    }
}

static void what_peers_send_is_accepted(void **state)
{
    static const char *texts[] = {"Zm9vYg==",        "Zm9vYg=",           "Zm9vYg",
                                  " Zm9v\r\nYg==\n", "Z m\t9 v Y g = = ", "Zm9vYg==\n\n"};
    collected_t out = {0};
    apr_size_t i, step;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (step = 1; step < 20; step++) {
            assert_int_equal(decode(texts[i], strlen(texts[i]), step, &out), APR_SUCCESS);
            assert_string_equal(collected(&out, *state), "foob");
        }
    }
}

static void what_is_no_base64_is_refused(void **state)
{
    static const char *texts[] = {"Z",           "Zm9vY",  "=",      "Z=",      "Zm9v=", "Zg==Zg==",
                                  "Zg=g",        "Zg===",  "Zm8==",  "Zm9v-",   "Zm9_",  "Zm9v.",
                                  "Zm\xc3\xa9v", "<Zm9v>", "Zm9v\v", "Zm\x01v", "Zg==x"};
    collected_t out = {0};
    apr_size_t i, step;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (step = 1; step < 10; step++) {
            assert_int_equal(decode(texts[i], strlen(texts[i]), step, &out), MNET_E_BASE64);
            collected(&out, *state);
        }
    }
    assert_int_equal(decode("Zm\0v", 4, 4, &out), MNET_E_BASE64);
    collected(&out, *state);
}

static void every_byte_goes_through_in_pieces_of_any_size(void **state)
{
    apr_pool_t *pool = *state;
    static const apr_size_t steps[] = {1, 2, 3, 4, 5, 7, 3071, 3072, 3073, 12287, 12289, 100000};
    char data[50001];
    collected_t text = {0}, back = {0};
    apr_size_t i;

    for (i = 0; i < sizeof(data); i++) {
        data[i] = (char)(i * 7 + i / 256);
    }
    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        encode(data, sizeof(data), steps[i], &text);
        assert_int_equal(text.len, mnet_base64_length(sizeof(data)));
        assert_int_equal(decode(text.data, text.len, steps[i], &back), APR_SUCCESS);
        assert_int_equal(back.len, sizeof(data));
        assert_memory_equal(back.data, data, sizeof(data));
        collected(&text, pool);
        collected(&back, pool);
    }
}

static apr_status_t refuse(void *baton, const char *data, apr_size_t len)
{
    return APR_ENOSPC;
}

/* Byte by byte no processor's vectors are used: any byte at any place comes to the same. */
static void many_digits_at_once_are_as_one_by_one(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[128];
    apr_size_t at;

    for (at = 0; at < sizeof(text); at++) {
        text[at] = digits[(at * 37 + 11) % 64];
    }
    for (at = 0; at < sizeof(text); at++) {
        char kept = text[at];
        int c;

        for (c = 0; c < 256; c++) {
            collected_t slow = {0}, quick = {0};
            apr_status_t rv;

            text[at] = (char)c;
            rv = decode(text, sizeof(text), 1, &slow);
            assert_int_equal(decode(text, sizeof(text), sizeof(text), &quick), rv);
            if (rv == APR_SUCCESS) {
                assert_int_equal(quick.len, slow.len);
                assert_memory_equal(quick.data, slow.data, slow.len);
            }
            free(slow.data);
            free(quick.data);
        }
        text[at] = kept;
    }
}

static void what_the_sink_answers_comes_back(void **state)
{
    mnet_sink_t to = {refuse, NULL};
    mnet_base64_decoder_t decoder;
    mnet_base64_encoder_t encoder;

    mnet_base64_decoder_init(&decoder, &to);
    assert_int_equal(mnet_base64_decode(&decoder, "Zm9v", 4), APR_ENOSPC);
    mnet_base64_encoder_init(&encoder, &to);
    assert_int_equal(mnet_base64_encode(&encoder, "foo", 3), APR_ENOSPC);
}

static void short_texts_at_once(void **state)
{
    apr_size_t len = 99;
    unsigned char *data = mnet_base64_decode_text("Zm9v YmFy\n", 10, 6, &len, *state);

    assert_non_null(data);
    assert_int_equal(len, 6);
    assert_string_equal((char *)data, "foobar");
    len = 99;
    assert_null(mnet_base64_decode_text("Zm9vYmFy", 8, 5, &len, *state));
    assert_null(mnet_base64_decode_text("Zm9v!", 5, 100, &len, *state));
    assert_null(mnet_base64_decode_text("Zm9vY", 5, 100, &len, *state));
    assert_int_equal(len, 99);
    assert_string_equal(mnet_base64_encode_text((const unsigned char *)"foobar!", 7, *state),
                        "Zm9vYmFyIQ==");
    assert_string_equal(mnet_base64_encode_text((const unsigned char *)"", 0, *state), "");
}

static void lengths_do_not_wrap(void **state)
{
    assert_int_equal(mnet_base64_length(0), 0);
    assert_int_equal(mnet_base64_length(1), 4);
    assert_int_equal(mnet_base64_length(3), 4);
    assert_int_equal(mnet_base64_length(APR_INT64_MAX / 2), 6148914691236517204);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(vectors_of_the_rfc),
        test(what_peers_send_is_accepted),
        test(what_is_no_base64_is_refused),
        test(every_byte_goes_through_in_pieces_of_any_size),
        test(many_digits_at_once_are_as_one_by_one),
        test(what_the_sink_answers_comes_back),
        test(short_texts_at_once),
        test(lengths_do_not_wrap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
