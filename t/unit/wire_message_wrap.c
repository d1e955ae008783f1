/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_vectors.h"

#include "wire/message.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n"

static const char *const wwwroot = "https://gw.example.org";
static const char *const key_uri = "https://gw.example.org/mnet/publickey.php";

static mnet_spool_t *spooled(const fixture_t *f, const char *data, apr_size_t len)
{
    mnet_spool_t *spool = mnet_spool_create(0, NULL, f->pool);

    assert_int_equal(mnet_spool_write(spool, data, len), APR_SUCCESS);
    return spool;
}

static EVP_PKEY *our_key(const fixture_t *f)
{
    return vector_key(f, "appendix-c/key.p8");
}

static mnet_wrapping_t wrapping(const fixture_t *f, EVP_PKEY *sign, EVP_PKEY *seal)
{
    mnet_wrapping_t how = {f->crypto, sign, seal, wwwroot, key_uri, 1700000000};

    return how;
}

static keep_t *wrap_with(const fixture_t *f, const mnet_wrapping_t *how, const char *data,
                         apr_size_t len)
{
    keep_t *keep = keep_create(f->pool);
    apr_off_t length = -1;

    assert_int_equal(mnet_message_wrap(how, spooled(f, data, len), &length, &keep->sink, f->pool),
                     APR_SUCCESS);
    assert_int_equal(length, keep->len);
    return keep;
}

static keep_t *wrap(const fixture_t *f, EVP_PKEY *sign, EVP_PKEY *seal, const char *text)
{
    mnet_wrapping_t how = wrapping(f, sign, seal);

    return wrap_with(f, &how, text, strlen(text));
}

/* What a peer makes of it. */
static mnet_message_t *read_back(const fixture_t *f, const char *data, apr_size_t len)
{
    mnet_reading_t how = {f->crypto, &mnet_xml_limits_stranger, MNET_CHARSET_UTF8, 0, NULL};
    mnet_message_reader_t *reader = mnet_message_reader_create(&how, f->pool);
    mnet_message_t *message;

    assert_int_equal(mnet_message_reader_write(reader, data, len), APR_SUCCESS);
    assert_int_equal(mnet_message_reader_end(reader, &message), APR_SUCCESS);
    return message;
}

static mnet_message_t *open_back(const fixture_t *f, const char *data, apr_size_t len,
                                 EVP_PKEY *key, unsigned char session_key[MNET_SESSION_KEY])
{
    mnet_reading_t how = {f->crypto, &mnet_xml_limits_peer, MNET_CHARSET_UTF8, 0, NULL};
    mnet_message_t *inner;
    const char *why;
    int index;

    assert_int_equal(mnet_message_open(&how, read_back(f, data, len), &key, 1, &index, session_key,
                                       &inner, &why, f->pool),
                     APR_SUCCESS);
    return inner;
}

/* "keys/NAME.crt" to "keys/NAME.p8" and back. */
static const char *sibling(const fixture_t *f, const char *name, const char *ending)
{
    const char *dot = strrchr(name, '.');

    return apr_pstrcat(f->pool, apr_pstrmemdup(f->pool, name, (apr_size_t)(dot - name)), ending,
                       NULL);
}

static const char *between(const fixture_t *f, const char *text, const char *from, const char *to)
{
    const char *start = strstr(text, from), *end;

    assert_non_null(start);
    start += strlen(from);
    end = strstr(start, to);
    assert_non_null(end);
    return apr_pstrmemdup(f->pool, start, (apr_size_t)(end - start));
}

static int count_of(const char *text, const char *what)
{
    int n = 0;

    while ((text = strstr(text, what))) {
        text += strlen(what);
        n++;
    }
    return n;
}

/* --- against what real peers wrote --- */

/* With their key, time and payload, our signedMessage is Moodle's and Mahara's to the byte. */
static void test_signs_as_the_peers_do(void **state)
{
    fixture_t *f = *state;
    apr_array_header_t *all = read_vectors(f->pool);
    int i, seen = 0;

    for (i = 0; i < all->nelts; i++) {
        const vector_t *vector = APR_ARRAY_IDX(all, i, const vector_t *);
        mnet_wrapping_t how = wrapping(f, NULL, NULL);
        apr_size_t len, plain_len;
        const char *expected, *plain;
        keep_t *keep;

        /* Of the last their DigestValue is wrong on purpose. */
        if (!vector->is_signed || !vector->signature_cert || strstr(vector->wire, "wrongdigest/01"))
            continue;
        expected =
            read_vector(vector->signed_file ? vector->signed_file : vector->wire, &len, f->pool);
        plain = read_vector(vector->plain_file, &plain_len, f->pool);
        how.sign = vector_key(f, sibling(f, vector->signature_cert, ".p8"));
        how.wwwroot = vector->wwwroot;
        how.now = apr_atoi64(vector->timestamp);
        how.key_uri = between(f, expected, "<RetrievalMethod URI=\"", "\"");
        keep = wrap_with(f, &how, plain, plain_len);
        assert_int_equal(keep->len, len);
        if (memcmp(keep->data, expected, len) != 0)
            print_error("%s\n", vector->wire);
        assert_memory_equal(keep->data, expected, len);
        seen++;
    }
    assert_true(seen > 140);
}

/* The layout of an encryptedMessage with its two changing texts taken out, as X1 of Mahara. */
static const char *skeleton(const fixture_t *f, const char *text)
{
    const char *first = strstr(text, "<CipherValue>"), *first_end = strstr(text, "</CipherValue>");
    const char *second = strstr(first_end, "<CipherValue>");
    const char *second_end = strstr(second, "</CipherValue>");
    const char *rest = strstr(second_end, "        <X1>nothing</X1>\n");

    rest = rest ? apr_pstrcat(f->pool,
                              apr_pstrmemdup(f->pool, second_end, (apr_size_t)(rest - second_end)),
                              rest + strlen("        <X1>nothing</X1>\n"), NULL)
                : second_end;
    return apr_pstrcat(f->pool, apr_pstrmemdup(f->pool, text, (apr_size_t)(first - text)),
                       apr_pstrmemdup(f->pool, first_end, (apr_size_t)(second - first_end)), rest,
                       NULL);
}

/* A reply to each captured request, in the layout of the peers, opened with the requester's key. */
static void test_replies_to_every_captured_request(void **state)
{
    static const char reply[] = "<?xml version=\"1.0\"?><methodResponse><params><param><value>"
                                "<string>yes</string></value></param></params></methodResponse>";
    fixture_t *f = *state;
    apr_array_header_t *all = read_vectors(f->pool);
    EVP_PKEY *ours = our_key(f);
    int i, seen = 0;

    for (i = 0; i < all->nelts; i++) {
        const vector_t *vector = APR_ARRAY_IDX(all, i, const vector_t *);
        unsigned char session_key[MNET_SESSION_KEY];
        mnet_wrapping_t how = wrapping(f, ours, NULL);
        mnet_message_t *inner;
        apr_size_t len;
        keep_t *keep;

        if (!vector->is_encrypted || !vector->signature_cert || strcmp(vector->role, "request"))
            continue;
        how.wwwroot = vector->outer_wwwroot;
        how.seal = vector_cert_key(f, vector->signature_cert);
        keep = wrap_with(f, &how, reply, strlen(reply));
        assert_string_equal(skeleton(f, keep->data),
                            skeleton(f, read_vector(vector->wire, &len, f->pool)));
        inner = open_back(f, keep->data, keep->len,
                          vector_key(f, sibling(f, vector->signature_cert, ".p8")), session_key);
        assert_int_equal(inner->envelope, MNET_SIGNED);
        assert_string_equal(inner->wwwroot, vector->outer_wwwroot);
        assert_string_equal(mnet_spool_text(inner->payload), reply);
        assert_int_equal(inner->timestamp, 1700000000);
        assert_int_equal(mnet_message_verify(f->crypto, inner, ours), APR_SUCCESS);
        seen++;
    }
    assert_true(seen > 70);
}

/* --- the byte constraints of the MNET protocol reference, 2.3 to 2.5 --- */

static const char *opened_text(const fixture_t *f, const keep_t *sealed, EVP_PKEY *key)
{
    unsigned char session_key[MNET_SESSION_KEY];
    mnet_message_t *message = read_back(f, sealed->data, sealed->len);
    keep_t *keep = keep_create(f->pool);
    mnet_sink_t through = {mnet_rc4_write, NULL};
    mnet_rc4_t *rc4;

    assert_int_equal(
        mnet_rsa_unwrap(f->crypto, key, message->wrapped, message->wrapped_len, session_key),
        APR_SUCCESS);
    assert_int_equal(
        mnet_rc4_create(&rc4, f->crypto, session_key, MNET_SESSION_KEY, &keep->sink, f->pool),
        APR_SUCCESS);
    through.baton = rc4;
    assert_int_equal(mnet_spool_pour(message->cipher, &through), APR_SUCCESS);
    return keep->data;
}

/* A Moodle client looks for <signedMessage> in the first 100 bytes, and not at the first. */
static void test_the_root_is_where_moodle_looks(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = our_key(f);
    keep_t *sealed = wrap(f, key, key, "x");
    const char *text = opened_text(f, sealed, key);
    const char *root = strstr(text, "<signedMessage>");

    assert_non_null(root);
    assert_true(root > text && root - text + strlen("<signedMessage>") <= 100);
    assert_int_equal(strncmp(text, DECLARATION, strlen(DECLARATION)), 0);
    assert_int_equal(strncmp(sealed->data, DECLARATION, strlen(DECLARATION)), 0);
    root = strstr(sealed->data, "<encryptedMessage>");
    assert_non_null(root);
    assert_true(root > sealed->data && root - sealed->data + strlen("<encryptedMessage>") <= 100);
}

static void test_no_prefix_where_a_name_is_looked_for(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = our_key(f);
    keep_t *sealed = wrap(f, key, key, "x");
    const char *text = opened_text(f, sealed, key);

    assert_int_equal(count_of(sealed->data, "<CipherValue>"), 2);
    assert_int_equal(count_of(sealed->data, "<CipherData>"), 2);
    assert_int_equal(count_of(sealed->data, "<wwwroot>"), 1);
    assert_int_equal(count_of(text, "<SignatureValue>"), 1);
    assert_int_equal(count_of(text, "<DigestValue>"), 1);
    assert_int_equal(count_of(text, "<object ID=\"XMLRPC-MSG\">"), 1);
    assert_int_equal(count_of(text, "<wwwroot>"), 1);
    assert_int_equal(count_of(text, "<timestamp>"), 1);
    assert_int_equal(count_of(text, "<RetrievalMethod URI=\""), 1);
    assert_int_equal(count_of(text, ":object"), 0);
    assert_int_equal(count_of(text, "ds:"), 0);
}

/* The data's CipherValue first, the key's last: Moodle goes by the order alone. */
static void test_the_data_comes_before_the_key(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = our_key(f);
    keep_t *sealed = wrap(f, key, key, "x");
    const char *data = strstr(sealed->data, "<EncryptedData ");
    const char *wrapped = strstr(sealed->data, "<EncryptedKey ");
    apr_size_t len;

    assert_true(data && wrapped && data < wrapped);
    base64_between(wrapped, "<CipherValue>", "</CipherValue>", &len, f->pool);
    assert_int_equal(len, 256);
}

static void test_base64_is_one_line(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = our_key(f);
    char *payload = apr_palloc(f->pool, 20001);
    const char *text;
    keep_t *sealed;

    memset(payload, 'p', 20000);
    payload[20000] = '\0';
    sealed = wrap(f, key, key, payload);
    text = opened_text(f, sealed, key);
    assert_null(strpbrk(between(f, sealed->data, "<CipherValue>", "<"), "\r\n\t "));
    assert_null(strpbrk(between(f, strstr(sealed->data, "<EncryptedKey"), "<CipherValue>", "<"),
                        "\r\n\t "));
    assert_null(strpbrk(between(f, text, "<SignatureValue>", "<"), "\r\n\t "));
    assert_null(strpbrk(between(f, text, "<object ID=\"XMLRPC-MSG\">", "<"), "\r\n\t "));
}

/* 40 lower-case hexadecimal digits, not base64. */
static void test_the_digest_is_hexadecimal(void **state)
{
    fixture_t *f = *state;
    keep_t *keep = wrap(f, our_key(f), NULL, "abc");

    assert_string_equal(between(f, keep->data, "<DigestValue>", "<"),
                        "a9993e364706816aba3e25717850c26c9cd0d89d");
}

static void test_the_names_around(void **state)
{
    fixture_t *f = *state;
    keep_t *keep = wrap(f, our_key(f), NULL, "abc");

    assert_string_equal(between(f, keep->data, "<wwwroot>", "</wwwroot>"), wwwroot);
    assert_string_equal(between(f, keep->data, "<timestamp>", "</timestamp>"), "1700000000");
    assert_string_equal(between(f, keep->data, "<RetrievalMethod URI=\"", "\"/>"), key_uri);
    assert_string_equal(between(f, keep->data, "<object ID=\"XMLRPC-MSG\">", "</object>"), "YWJj");
    assert_non_null(strstr(keep->data, "<Reference URI=\"#XMLRPC-MSG\">"));
    assert_non_null(strstr(keep->data, "http://www.w3.org/2000/09/xmldsig#rsa-sha1"));
}

/* The cipher text is as long as what was sealed, no more. */
static void test_rc4_adds_nothing(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = our_key(f);
    keep_t *keep = wrap(f, key, key, "abc");
    mnet_message_t *message = read_back(f, keep->data, keep->len);

    assert_int_equal(mnet_spool_length(message->cipher), strlen(opened_text(f, keep, key)));
}

/* --- ours --- */

static void test_a_session_key_is_never_used_twice(void **state)
{
    fixture_t *f = *state;
    EVP_PKEY *key = our_key(f);
    unsigned char first[MNET_SESSION_KEY], second[MNET_SESSION_KEY];
    keep_t *a = wrap(f, key, key, "abc"), *b = wrap(f, key, key, "abc");

    open_back(f, a->data, a->len, key, first);
    open_back(f, b->data, b->len, key, second);
    assert_memory_not_equal(first, second, MNET_SESSION_KEY);
}

static void test_plain_is_the_payload(void **state)
{
    fixture_t *f = *state;
    keep_t *keep = wrap(f, NULL, NULL, "<methodCall/>");

    assert_string_equal(keep->data, "<methodCall/>");
}

static void test_sealed_but_not_signed(void **state)
{
    static const char call[] = "<methodCall><methodName>system/listServices</methodName>"
                               "<params/></methodCall>";
    fixture_t *f = *state;
    EVP_PKEY *key = our_key(f);
    unsigned char session_key[MNET_SESSION_KEY];
    keep_t *keep = wrap(f, NULL, key, call);

    assert_int_equal(open_back(f, keep->data, keep->len, key, session_key)->envelope, MNET_PLAIN);
    assert_string_equal(opened_text(f, keep, key), call);
}

/* Round trips of every length about the boundaries of the pieces, and of one that needs files. */
static void test_every_length(void **state)
{
    static const apr_size_t lengths[] = {0,     1,     2,     3,     4,     5,     3071,  3072,
                                         3073,  4095,  4096,  8191,  8192,  8193,  32767, 32768,
                                         32769, 49151, 49152, 65535, 65536, 65537, 300001};
    fixture_t *f = *state;
    EVP_PKEY *key = our_key(f);
    char *data = apr_palloc(f->pool, 300001);
    size_t i;

    for (i = 0; i < 300001; i++)
        data[i] = (char)(i * 31 >> 3);
    for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        mnet_wrapping_t how = wrapping(f, key, key);
        unsigned char session_key[MNET_SESSION_KEY];
        keep_t *keep = wrap_with(f, &how, data, lengths[i]), *payload = keep_create(f->pool);
        mnet_message_t *inner = open_back(f, keep->data, keep->len, key, session_key);

        assert_int_equal(mnet_spool_pour(inner->payload, &payload->sink), APR_SUCCESS);
        assert_int_equal(payload->len, lengths[i]);
        if (payload->len)
            assert_memory_equal(payload->data, data, payload->len);
        assert_int_equal(mnet_message_verify(f->crypto, inner, key), APR_SUCCESS);
        assert_true(keep->pieces == 1 || keep->smallest >= 4096);
    }
}

typedef struct early_t {
    apr_off_t *length;
    apr_off_t told;
    int calls;
} early_t;

static apr_status_t look_at_length(void *baton, const char *data, apr_size_t len)
{
    early_t *early = baton;

    if (!early->calls++)
        early->told = *early->length;
    return APR_SUCCESS;
}

/* A Mahara's libxml2 2.9 reads no text over 10,000,000 bytes of a document that it must convert. */
static void test_a_long_one_is_declared_as_utf8(void **state)
{
    static const char utf8[] = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";
    const fixture_t *f = *state;
    apr_size_t len = 6 << 20;
    char *text = apr_palloc(f->pool, len);
    keep_t *sealed, *signature;
    mnet_wrapping_t how = wrapping(f, our_key(f), our_key(f));

    memset(text, 'x', len);
    sealed = wrap_with(f, &how, text, len);
    assert_memory_equal(sealed->data, utf8, sizeof(utf8) - 1);
    how.seal = NULL;
    signature = wrap_with(f, &how, text, len);
    assert_memory_equal(signature->data, utf8, sizeof(utf8) - 1);
    sealed = wrap_with(f, &how, text, 100000);
    assert_memory_equal(sealed->data, DECLARATION, sizeof(DECLARATION) - 1);
}

static void test_the_length_is_told_first(void **state)
{
    fixture_t *f = *state;
    mnet_wrapping_t how = wrapping(f, our_key(f), our_key(f));
    apr_off_t length = -1;
    early_t early = {&length, -1, 0};
    mnet_sink_t to = {look_at_length, &early};

    assert_int_equal(mnet_message_wrap(&how, spooled(f, "abc", 3), &length, &to, f->pool),
                     APR_SUCCESS);
    assert_true(early.told > 0);
    assert_int_equal(early.told, length);
    assert_int_equal(mnet_message_wrap(&how, spooled(f, "abc", 3), NULL, &to, f->pool),
                     APR_SUCCESS);
}

static apr_status_t refuse(void *baton, const char *data, apr_size_t len)
{
    ++*(int *)baton;
    return APR_EPIPE;
}

static void test_hands_back_what_the_sink_says(void **state)
{
    fixture_t *f = *state;
    mnet_wrapping_t how = wrapping(f, our_key(f), our_key(f));
    char *data = apr_pcalloc(f->pool, 100000);
    int calls = 0;
    mnet_sink_t to = {refuse, &calls};

    assert_int_equal(mnet_message_wrap(&how, spooled(f, data, 100000), NULL, &to, f->pool),
                     APR_EPIPE);
    assert_int_equal(calls, 1);
}

static void refuses(const fixture_t *f, const mnet_wrapping_t *how, apr_status_t rv)
{
    int calls = 0;
    mnet_sink_t to = {refuse, &calls};

    assert_int_equal(mnet_message_wrap(how, spooled(f, "abc", 3), NULL, &to, f->pool), rv);
    assert_int_equal(calls, 0);
}

static void test_nothing_is_written_of_what_cannot_be_wrapped(void **state)
{
    static const char *const bad[] = {NULL, "", "https://a b", "https://\xc3\xa9", "https://a\n"};
    fixture_t *f = *state;
    EVP_PKEY *ec =
        keep_key(EVP_PKEY_Q_keygen(mnet_crypto_libctx(f->crypto), NULL, "EC", "P-256"), f->pool);
    EVP_PKEY *key = our_key(f);
    mnet_wrapping_t how;
    size_t i;

    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        how = wrapping(f, key, key);
        how.wwwroot = bad[i];
        refuses(f, &how, MNET_E_INVALID);
    }
    how = wrapping(f, key, key);
    how.key_uri = NULL;
    refuses(f, &how, MNET_E_INVALID);
    how = wrapping(f, key, key);
    how.now = -1;
    refuses(f, &how, MNET_E_INVALID);
    how = wrapping(f, ec, key);
    refuses(f, &how, MNET_E_CRYPTO);
    how = wrapping(f, key, ec);
    refuses(f, &how, MNET_E_CRYPTO);
    how = wrapping(f, vector_cert_key(f, "keys/moodle-783647bf.crt"), key);
    refuses(f, &how, MNET_E_CRYPTO);
}

static void test_markup_in_a_name_is_escaped(void **state)
{
    static const char odd[] = "https://a.example/<b>?c=1&d=\"2\"";
    fixture_t *f = *state;
    mnet_wrapping_t how = wrapping(f, our_key(f), our_key(f));
    unsigned char session_key[MNET_SESSION_KEY];
    keep_t *keep;

    how.wwwroot = how.key_uri = odd;
    keep = wrap_with(f, &how, "abc", 3);
    assert_string_equal(read_back(f, keep->data, keep->len)->wwwroot, odd);
    assert_string_equal(open_back(f, keep->data, keep->len, our_key(f), session_key)->wwwroot, odd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signs_as_the_peers_do),
        cmocka_unit_test(test_replies_to_every_captured_request),
        cmocka_unit_test(test_the_root_is_where_moodle_looks),
        cmocka_unit_test(test_no_prefix_where_a_name_is_looked_for),
        cmocka_unit_test(test_the_data_comes_before_the_key),
        cmocka_unit_test(test_base64_is_one_line),
        cmocka_unit_test(test_the_digest_is_hexadecimal),
        cmocka_unit_test(test_the_names_around),
        cmocka_unit_test(test_rc4_adds_nothing),
        cmocka_unit_test(test_a_session_key_is_never_used_twice),
        cmocka_unit_test(test_plain_is_the_payload),
        cmocka_unit_test(test_sealed_but_not_signed),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_a_long_one_is_declared_as_utf8),
        cmocka_unit_test(test_the_length_is_told_first),
        cmocka_unit_test(test_hands_back_what_the_sink_says),
        cmocka_unit_test(test_nothing_is_written_of_what_cannot_be_wrapped),
        cmocka_unit_test(test_markup_in_a_name_is_escaped),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
