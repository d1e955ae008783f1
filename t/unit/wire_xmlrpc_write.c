/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_help.h"

#include <math.h>

#include "wire/xml_escape.h"
#include "wire/xmlrpc.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"

/* What a response with this value holds between <param> and </param>. */
static const char *written(const mnet_value_t *value, mnet_charset_e charset, apr_pool_t *pool)
{
    static const char before[] = DECLARATION "<methodResponse>\n<params>\n<param>\n";
    static const char after[] = "\n</param>\n</params>\n</methodResponse>\n";
    collected_t out = {0};
    mnet_sink_t to = {collect, &out};
    const char *text;
    apr_size_t len;

    assert_int_equal(mnet_xmlrpc_write_response(value, charset, &to), APR_SUCCESS);
    text = collected(&out, pool);
    len = strlen(text);
    assert_memory_equal(text, before, sizeof(before) - 1);
    assert_string_equal(text + len - (sizeof(after) - 1), after);
    return apr_pstrmemdup(pool, text + sizeof(before) - 1,
                          len - sizeof(before) - sizeof(after) + 2);
}

static void assert_written(const mnet_value_t *value, const char *xml, apr_pool_t *pool)
{
    assert_string_equal(written(value, MNET_CHARSET_UTF8, pool), xml);
}

#define STRING(x) "<value><string>" x "</string></value>"

static void scalars(void **state)
{
    apr_pool_t *p = *state;
    mnet_value_t base64 = {.type = MNET_BASE64, .data = "Zm9v", .len = 4};

    assert_written(mnet_string("x", p), STRING("x"), p);
    assert_written(mnet_string("", p), STRING(""), p);
    assert_written(mnet_nil(p), STRING(""), p);
    assert_written(NULL, STRING(""), p);
    assert_written(&base64, STRING("Zm9v"), p);
    assert_written(mnet_int(-5, p), "<value><int>-5</int></value>", p);
    assert_written(mnet_int(2147483647, p), "<value><int>2147483647</int></value>", p);
    assert_written(mnet_int(-2147483648LL, p), "<value><int>-2147483648</int></value>", p);
    assert_written(mnet_int(2147483648LL, p), STRING("2147483648"), p);
    assert_written(mnet_int(-2147483649LL, p), STRING("-2147483649"), p);
    assert_written(mnet_boolean(1, p), "<value><boolean>1</boolean></value>", p);
    assert_written(mnet_boolean(0, p), "<value><boolean>0</boolean></value>", p);
    assert_written(mnet_double(1.5, p), "<value><double>1.5</double></value>", p);
    assert_written(mnet_double(1e-9, p), "<value><double>0.000000001</double></value>", p);
    assert_written(mnet_double(INFINITY, p), STRING("INF"), p);
}

static void containers(void **state)
{
    apr_pool_t *p = *state;
    mnet_value_t *array = mnet_array(p), *structure = mnet_struct(p);

    assert_written(array, "<value><array><data></data></array></value>", p);
    assert_written(structure, "<value><struct></struct></value>", p);
    mnet_append(array, mnet_int(1, p));
    mnet_append(array, mnet_nil(p));
    assert_written(array,
                   "<value><array><data>\n<value><int>1</int></value>\n" STRING(
                       "") "\n</data></array></value>",
                   p);
    mnet_set(structure, "a<b", mnet_int(1, p));
    mnet_set(structure, "c", mnet_array(p));
    assert_written(structure,
                   "<value><struct>\n<member><name>a&lt;b</name><value><int>1</int></value>"
                   "</member>\n<member><name>c</name><value><array><data></data></array></value>"
                   "</member>\n</struct></value>",
                   p);
}

/* U+00E9, U+6F22, U+1F600 */
#define TEXT "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80"

static void text_outside_ascii_in_both_forms(void **state)
{
    apr_pool_t *p = *state;
    mnet_value_t *value = mnet_string(TEXT, p);

    assert_string_equal(written(value, MNET_CHARSET_UTF8, p), STRING(TEXT));
    assert_string_equal(written(value, MNET_CHARSET_BYTES, p),
                        STRING("&#195;&#169;&#230;&#188;&#162;&#240;&#159;&#152;&#128;"));
}

static void markup_and_line_ends(void **state)
{
    apr_pool_t *p = *state;
    mnet_value_t *value = mnet_string("<a b=\"c\"> & ' ]]> \t\n\r\x7f", p);

    assert_string_equal(written(value, MNET_CHARSET_UTF8, p),
                        STRING("&lt;a b=&quot;c&quot;&gt; &amp; ' ]]&gt; \t\n&#13;\x7f"));
    assert_string_equal(written(value, MNET_CHARSET_BYTES, p),
                        STRING("&lt;a b=&quot;c&quot;&gt; &amp; ' ]]&gt; &#9;&#10;&#13;\x7f"));
}

static void what_xml_cannot_carry(void **state)
{
    apr_pool_t *p = *state;

    assert_written(mnet_string_n("a\0b\x01\x1f"
                                 "c",
                                 6, p),
                   STRING("abc"), p);
    assert_written(mnet_string("a\xef\xbf\xbe\xef\xbf\xbf"
                               "b",
                               p),
                   STRING("ab"), p);
    assert_written(mnet_string("a\xff\xc3", p), STRING("a\xef\xbf\xbd\xef\xbf\xbd"), p);
    assert_written(mnet_string("\xed\xa0\x80", p), STRING("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"),
                   p);
    assert_string_equal(written(mnet_string("\xe9", p), MNET_CHARSET_BYTES, p),
                        STRING("&#239;&#191;&#189;"));
}

static void calls(void **state)
{
    apr_pool_t *p = *state;
    apr_array_header_t *params = apr_array_make(p, 2, sizeof(mnet_value_t *));
    collected_t out = {0};
    mnet_sink_t to = {collect, &out};

    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_string("\xc3\xa9", p);
    APR_ARRAY_PUSH(params, mnet_value_t *) = mnet_int(3, p);
    assert_int_equal(mnet_xmlrpc_write_call("a/b", params, &to), APR_SUCCESS);
    assert_string_equal(
        collected(&out, p), DECLARATION
        "<methodCall>\n<methodName>a/b</methodName>\n<params>\n"
        "<param>\n" STRING("\xc3\xa9") "\n</param>\n<param>\n"
                                       "<value><int>3</int></value>\n</param>\n</params>\n"
                                       "</methodCall>\n");
    assert_int_equal(mnet_xmlrpc_write_call("m", NULL, &to), APR_SUCCESS);
    assert_string_equal(collected(&out, p),
                        DECLARATION "<methodCall>\n<methodName>m</methodName>\n<params>\n"
                                    "</params>\n</methodCall>\n");
}

/* The bytes of protocol 2.5: another layout hides the code from Moodle's client. */
static void faults(void **state)
{
    apr_pool_t *p = *state;
    collected_t out = {0};
    mnet_sink_t to = {collect, &out};

    assert_int_equal(mnet_xmlrpc_write_fault(7023, "a & b", MNET_CHARSET_UTF8, &to), APR_SUCCESS);
    assert_non_null(strstr(
        collected(&out, p),
        "<fault>\n<value><struct><member><name>faultCode</name><value><int>7023</int></value>"
        "</member><member><name>faultString</name><value><string>a &amp; b</string></value>"
        "</member></struct></value></fault>"));
    assert_int_equal(mnet_xmlrpc_write_fault(-1, "\xc3\xa9", MNET_CHARSET_BYTES, &to), APR_SUCCESS);
    assert_non_null(strstr(collected(&out, p), "<string>&#195;&#169;</string>"));
    assert_int_equal(mnet_xmlrpc_write_fault(1, NULL, MNET_CHARSET_UTF8, &to), APR_SUCCESS);
    assert_non_null(strstr(collected(&out, p), "<string></string>"));
}

static const char *escaped(const char *data, apr_size_t len, apr_size_t step,
                           mnet_charset_e charset, apr_pool_t *pool)
{
    collected_t out = {0};
    mnet_sink_t to = {collect, &out};
    mnet_xml_writer_t writer;
    apr_size_t at;

    mnet_xml_writer_init(&writer, charset, &to);
    for (at = 0; at < len; at += step) {
        assert_int_equal(mnet_xml_escape(&writer, data + at, len - at < step ? len - at : step),
                         APR_SUCCESS);
    }
    mnet_xml_escape_end(&writer);
    assert_int_equal(mnet_xml_writer_flush(&writer), APR_SUCCESS);
    return collected(&out, pool);
}

static void a_text_in_pieces_is_the_same_text(void **state)
{
    static const char *texts[] = {TEXT,
                                  "a" TEXT "<" TEXT,
                                  "\xe6\xbc",
                                  "\xe6\xbc(",
                                  "\xf0\x9f\x98",
                                  "\xf0\x9f" TEXT,
                                  "\xc3\xc3\xa9",
                                  "\xff\xf0\xf0\x9f\x98\x80",
                                  "\xe6\xbc\xa2\xe6"};
    apr_pool_t *p = *state;
    apr_size_t i, step;
    int charset;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (charset = MNET_CHARSET_UTF8; charset <= MNET_CHARSET_BYTES; charset++) {
            apr_size_t len = strlen(texts[i]);
            const char *whole = escaped(texts[i], len, len, (mnet_charset_e)charset, p);

            for (step = 1; step < 6; step++) {
                assert_string_equal(escaped(texts[i], len, step, (mnet_charset_e)charset, p),
                                    whole);
            }
        }
    }
}

static void a_text_in_a_file_is_poured_through(void **state)
{
    apr_pool_t *p = *state;
    mnet_spool_t *spool = mnet_spool_create(0, NULL, p);
    collected_t out = {0};
    mnet_sink_t to = {collect, &out};
    const apr_size_t times = 50000;
    apr_size_t i;

    for (i = 0; i < times; i++) {
        assert_int_equal(mnet_spool_write(spool, "<" TEXT, 10), APR_SUCCESS);
    }
    assert_non_null(mnet_spool_file(spool));
    assert_int_equal(
        mnet_xmlrpc_write_response(mnet_string_spool(spool, p), MNET_CHARSET_UTF8, &to),
        APR_SUCCESS);
    assert_true(out.len > times * 13 && out.len < times * 13 + 300);
    assert_null(strstr(out.data, "\xef\xbf\xbd"));
    assert_true(out.writes < (int)(out.len / 4000) + 10);
    free(out.data);
}

static apr_status_t refuse_after(void *baton, const char *data, apr_size_t len)
{
    int *left = baton;

    return (*left)-- > 0 ? APR_SUCCESS : APR_ECONNRESET;
}

static void what_the_sink_answers_comes_back(void **state)
{
    apr_pool_t *p = *state;
    char *text = apr_pcalloc(p, 100001);
    mnet_value_t *value;
    int i;

    memset(text, '<', 100000);
    value = mnet_string(text, p);
    for (i = 0; i < 90; i += 11) {
        int left = i;
        mnet_sink_t to = {refuse_after, &left};

        assert_int_equal(mnet_xmlrpc_write_response(value, MNET_CHARSET_UTF8, &to), APR_ECONNRESET);
        assert_int_equal(left, -1);
    }
}

static void what_is_nested_without_end_is_refused(void **state)
{
    apr_pool_t *p = *state;
    mnet_value_t *value = mnet_array(p);
    collected_t out = {0};
    mnet_sink_t to = {collect, &out};

    mnet_append(value, value);
    assert_int_equal(mnet_xmlrpc_write_response(value, MNET_CHARSET_UTF8, &to), MNET_E_LIMIT);
    free(out.data);
}

static void what_is_written_is_read(void **state)
{
    apr_pool_t *p = *state;
    mnet_value_t *value = mnet_struct(p), *array = mnet_array(p), *back;
    int charset;

    mnet_append(array, mnet_double(0.1, p));
    mnet_append(array, mnet_boolean(1, p));
    mnet_append(array, mnet_int(-7, p));
    mnet_set(value, TEXT, mnet_string("a\r\n\t<" TEXT ">", p));
    mnet_set(value, "list", array);
    for (charset = MNET_CHARSET_UTF8; charset <= MNET_CHARSET_BYTES; charset++) {
        mnet_spool_t *spool = mnet_spool_create(0, NULL, p);
        mnet_sink_t to = {mnet_spool_write, spool};
        mnet_document_t *document;
        const char *why;

        assert_int_equal(mnet_xmlrpc_write_response(value, (mnet_charset_e)charset, &to),
                         APR_SUCCESS);
        assert_int_equal(mnet_xmlrpc_read(spool, (mnet_charset_e)charset, &mnet_xml_limits_peer,
                                          &document, &why, p),
                         APR_SUCCESS);
        back = APR_ARRAY_IDX(document->params, 0, mnet_value_t *);
        assert_string_equal(mnet_item_name(back, 0), TEXT);
        assert_string_equal(mnet_item(back, 0)->data, "a\r\n\t<" TEXT ">");
        assert_true(mnet_item(mnet_get(back, "list"), 0)->real == 0.1);
        assert_int_equal(mnet_item(mnet_get(back, "list"), 1)->type, MNET_BOOLEAN);
        assert_int_equal(mnet_item(mnet_get(back, "list"), 2)->integer, -7);
    }
}

/* --- base64 that is not looked at --- */

static apr_status_t make_base64(void *baton, const mnet_sink_t *to)
{
    ++*(int *)baton;
    return mnet_sink_write(to, "Zm9vYmFy", 8);
}

static void plain_text_is_poured_past_the_escaping(void **state)
{
    apr_pool_t *p = *state;
    int times = 0;
    mnet_value_t *value = mnet_string_plain(mnet_spool_made(8, make_base64, &times, p), p);
    mnet_spool_t *document = mnet_spool_create(0, NULL, p);
    mnet_sink_t to = {mnet_spool_write, document};
    collected_t out = {0};
    mnet_sink_t collector = {collect, &out};

    assert_written(value, STRING("Zm9vYmFy"), p);
    assert_int_equal(times, 1);
    /* Into a spool it goes unread; what is read of that is the same to the byte. */
    assert_int_equal(mnet_xmlrpc_write_response(value, MNET_CHARSET_BYTES, &to), APR_SUCCESS);
    assert_int_equal(times, 1);
    assert_int_equal(mnet_spool_pour(document, &collector), APR_SUCCESS);
    assert_int_equal(times, 2);
    assert_int_equal(mnet_spool_length(document), out.len);
    assert_non_null(strstr(collected(&out, p), STRING("Zm9vYmFy")));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(scalars),
        test(containers),
        test(text_outside_ascii_in_both_forms),
        test(markup_and_line_ends),
        test(what_xml_cannot_carry),
        test(calls),
        test(faults),
        test(a_text_in_pieces_is_the_same_text),
        test(a_text_in_a_file_is_poured_through),
        test(what_the_sink_answers_comes_back),
        test(what_is_nested_without_end_is_refused),
        test(what_is_written_is_read),
        test(plain_text_is_poured_past_the_escaping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
