/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_help.h"

#include <dirent.h>

#include "wire/xmlrpc.h"

typedef struct outcome_t {
    apr_status_t rv;
    mnet_document_t *document;
    const char *why;
} outcome_t;

static outcome_t read_as(const char *text, apr_size_t len, mnet_charset_e charset, apr_pool_t *pool)
{
    mnet_spool_t *spool = mnet_spool_create(0, NULL, pool);
    outcome_t outcome;

    assert_int_equal(mnet_spool_write(spool, text, len), APR_SUCCESS);
    outcome.rv = mnet_xmlrpc_read(spool, charset, &mnet_xml_limits_peer, &outcome.document,
                                  &outcome.why, pool);
    return outcome;
}

/* The value of a response that holds this. */
static mnet_value_t *value_as(const char *xml, mnet_charset_e charset, apr_pool_t *pool)
{
    const char *text = apr_pstrcat(pool, "<methodResponse><params><param>", xml,
                                   "</param></params></methodResponse>", NULL);
    outcome_t outcome = read_as(text, strlen(text), charset, pool);

    if (outcome.rv != APR_SUCCESS) {
        print_error("%s: %s\n", xml, outcome.why);
    }
    assert_int_equal(outcome.rv, APR_SUCCESS);
    assert_int_equal(outcome.document->kind, MNET_RESPONSE);
    assert_string_equal(outcome.why, "");
    return APR_ARRAY_IDX(outcome.document->params, 0, mnet_value_t *);
}

static mnet_value_t *value_of(const char *xml, apr_pool_t *pool)
{
    return value_as(xml, MNET_CHARSET_UTF8, pool);
}

static void assert_refused(const char *text, apr_status_t rv, apr_pool_t *pool)
{
    outcome_t outcome = read_as(text, strlen(text), MNET_CHARSET_UTF8, pool);

    if (outcome.rv != rv) {
        print_error("%.200s\n", text);
    }
    assert_int_equal(outcome.rv, rv);
    assert_null(outcome.document);
    assert_string_not_equal(outcome.why, "");
}

/* A value that makes the document one that is refused. */
static void assert_bad_value(const char *xml, apr_pool_t *pool)
{
    assert_refused(apr_pstrcat(pool, "<methodCall><methodName>m</methodName><params><param>", xml,
                               "</param></params></methodCall>", NULL),
                   MNET_E_XML, pool);
}

static void assert_string_value(const char *xml, const char *text, apr_pool_t *pool)
{
    mnet_value_t *value = value_of(xml, pool);

    assert_int_equal(value->type, MNET_STRING);
    assert_int_equal(value->len, strlen(text));
    assert_string_equal(value->data, text);
}

static void strings(void **state)
{
    apr_pool_t *pool = *state;

    assert_string_value("<value>text</value>", "text", pool);
    assert_string_value("<value> a\n </value>", " a\n ", pool);
    assert_string_value("<value/>", "", pool);
    assert_string_value("<value></value>", "", pool);
    assert_string_value("<value> </value>", " ", pool);
    assert_string_value("<value><string/></value>", "", pool);
    assert_string_value("<value><string></string></value>", "", pool);
    assert_string_value("<value>\n <string> x </string>\n</value>", " x ", pool);
    assert_string_value("<value><string>a&#10;&lt;&#60;b<![CDATA[<c>]]><!-- d --></string></value>",
                        "a\n<<b<c>", pool);
    assert_string_value("<value><string>\xe6\xbc\xa2\xf0\x9f\x98\x80&#233;</string></value>",
                        "\xe6\xbc\xa2\xf0\x9f\x98\x80\xc3\xa9", pool);
}

static void numbers(void **state)
{
    static const struct {
        const char *xml;
        apr_int64_t integer;
    } cases[] = {{"<value><int>5</int></value>", 5},
                 {"<value><i4>-5</i4></value>", -5},
                 {"<value><int> 5\n</int></value>", 5},
                 {"<value><int>+5</int></value>", 5},
                 {"<value><int>3000000000</int></value>", 3000000000},
                 {"<value><i8>9223372036854775807</i8></value>", APR_INT64_MAX},
                 {"<value><ex:i8 xmlns:ex='e'>8</ex:i8></value>", 8}};
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mnet_value_t *value = value_of(cases[i].xml, *state);

        assert_int_equal(value->type, MNET_INT);
        assert_int_equal(value->integer, cases[i].integer);
    }
    assert_int_equal(value_of("<value><double>-1.500000</double></value>", *state)->type,
                     MNET_DOUBLE);
    assert_true(value_of("<value><double>-1.500000</double></value>", *state)->real == -1.5);
    assert_true(value_of("<value><double>1e3</double></value>", *state)->real == 1000);
}

static void booleans_and_nil(void **state)
{
    static const struct {
        const char *text;
        int truth;
    } cases[] = {{"1", 1}, {"0", 0}, {"true", 1}, {"false", 0}, {"TRUE", 1}, {" 1 ", 1}, {"", 0}};
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mnet_value_t *value = value_of(
            apr_pstrcat(*state, "<value><boolean>", cases[i].text, "</boolean></value>", NULL),
            *state);

        assert_int_equal(value->type, MNET_BOOLEAN);
        assert_int_equal(value->integer, cases[i].truth);
    }
    assert_int_equal(value_of("<value><nil/></value>", *state)->type, MNET_NIL);
    assert_int_equal(value_of("<value><ex:nil/></value>", *state)->type, MNET_NIL);
}

static void base64_and_dates(void **state)
{
    mnet_value_t *value = value_of("<value><base64>Zm9v\nAGI=</base64></value>", *state);

    assert_int_equal(value->type, MNET_BASE64);
    assert_int_equal(value->len, 5);
    assert_memory_equal(value->data, "foo\0b", 6);
    value = value_of("<value><base64/></value>", *state);
    assert_int_equal(value->type, MNET_BASE64);
    assert_int_equal(value->len, 0);
    value =
        value_of("<value><dateTime.iso8601>20261122T06:00:00</dateTime.iso8601></value>", *state);
    assert_int_equal(value->type, MNET_DATETIME);
    assert_string_equal(value->data, "20261122T06:00:00");
}

static void containers(void **state)
{
    static const char *empty_arrays[] = {
        "<value><array><data/></array></value>", "<value><array><data></data></array></value>",
        "<value>\n<array>\n<data>\n</data>\n</array></value>", "<value><array/></value>"};
    apr_pool_t *pool = *state;
    mnet_value_t *value;
    apr_size_t i;

    for (i = 0; i < sizeof(empty_arrays) / sizeof(empty_arrays[0]); i++) {
        value = value_of(empty_arrays[i], pool);
        assert_int_equal(value->type, MNET_ARRAY);
        assert_int_equal(mnet_count(value), 0);
    }
    value = value_of("<value><struct/></value>", pool);
    assert_int_equal(value->type, MNET_STRUCT);
    assert_int_equal(mnet_count(value), 0);
    value = value_of("<value><array><data><value>a</value>\n<value><array><data><value><int>1</int>"
                     "</value></data></array></value></data></array></value>",
                     pool);
    assert_int_equal(mnet_count(value), 2);
    assert_string_equal(mnet_item(value, 0)->data, "a");
    assert_int_equal(mnet_item(mnet_item(value, 1), 0)->integer, 1);
    value =
        value_of("<value><struct>\n <member>\n  <name>a</name>\n  <value>\n   <string>x</string>"
                 "\n  </value>\n </member><member><value>y</value><name>b</name></member>"
                 "<member><name/><value>z</value></member></struct></value>",
                 pool);
    assert_int_equal(mnet_count(value), 3);
    assert_string_equal(mnet_get(value, "a")->data, "x");
    assert_string_equal(mnet_get(value, "b")->data, "y");
    assert_string_equal(mnet_get(value, "")->data, "z");
}

static void of_members_with_one_name_the_last_counts(void **state)
{
    apr_pool_t *pool = *state;
    char *xml = apr_pstrdup(pool, "<value><struct>");
    mnet_value_t *value;
    int i;

    for (i = 0; i < 100; i++) {
        xml = apr_psprintf(pool, "%s<member><name>n%d</name><value>%d</value></member>", xml,
                           i % 40, i);
    }
    value = value_of(apr_pstrcat(pool, xml, "</struct></value>", NULL), pool);
    assert_int_equal(mnet_count(value), 40);
    for (i = 0; i < 40; i++) {
        assert_string_equal(mnet_item_name(value, i), apr_psprintf(pool, "n%d", i));
        assert_string_equal(mnet_item(value, i)->data,
                            apr_psprintf(pool, "%d", i < 20 ? i + 80 : i + 40));
    }
}

static void a_huge_struct_is_read_in_linear_time(void **state)
{
    apr_pool_t *pool = *state;
    const int members = 200000;
    char *text = apr_palloc(pool, (apr_size_t)members * 64 + 200), *c = text;
    outcome_t outcome;
    apr_time_t start = apr_time_now();
    int i;

    c += sprintf(c, "<methodResponse><params><param><value><struct>");
    for (i = 0; i < members; i++) {
        c += sprintf(c, "<member><name>%d</name><value/></member>", i);
    }
    c += sprintf(c, "</struct></value></param></params></methodResponse>");
    outcome = read_as(text, (apr_size_t)(c - text), MNET_CHARSET_UTF8, pool);
    assert_int_equal(outcome.rv, APR_SUCCESS);
    assert_int_equal(mnet_count(APR_ARRAY_IDX(outcome.document->params, 0, mnet_value_t *)),
                     members);
    /* Member by member it would be 2 * 10^10 comparisons: a minute, not a fraction of a second. */
    assert_true(apr_time_now() - start < apr_time_from_sec(20));
}

static void values_that_are_none(void **state)
{
    static const char *bad[] = {
        "<value>x<int>1</int></value>",
        "<value><int>1</int>x</value>",
        "<value><int>1</int><int>2</int></value>",
        "<value><int>1</int><string/></value>",
        "<value><int/></value>",
        "<value><int>x</int></value>",
        "<value><int>1.5</int></value>",
        "<value><i8>9223372036854775808</i8></value>",
        "<value><double>x</double></value>",
        "<value><double>nan</double></value>",
        "<value><boolean>2</boolean></value>",
        "<value><nil>x</nil></value>",
        "<value><string><b/></string></value>",
        "<value><unknown/></value>",
        "<value><STRING/></value>",
        "<value><value/></value>",
        "<value><member/></value>",
        "<value><array><value/></array></value>",
        "<value><array><data/><data/></array></value>",
        "<value><array>x<data/></array></value>",
        "<value><array><data>x</data></array></value>",
        "<value><array><data><int>1</int></data></array></value>",
        "<value><struct><value/></struct></value>",
        "<value><struct><name/></struct></value>",
        "<value><struct><member/></struct></value>",
        "<value><struct><member><name>a</name></member></struct></value>",
        "<value><struct><member><value/></member></struct></value>",
        "<value><struct><member><name>a</name><name>b</name><value/></member></struct></value>",
        "<value><struct><member><name>a</name><value/><value/></member></struct></value>",
        "<value/><value/>",
        "",
        "x"};
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_bad_value(bad[i], *state);
    }
    assert_refused("<methodCall><methodName>m</methodName><params><param><value><base64>!</base64>"
                   "</value></param></params></methodCall>",
                   MNET_E_BASE64, *state);
    assert_refused("<methodCall><methodName>m</methodName><params><param><value><base64>Z</base64>"
                   "</value></param></params></methodCall>",
                   MNET_E_BASE64, *state);
}

static void calls(void **state)
{
    static const char with[] = "<?xml version=\"1.0\"?>\n<methodCall>\n<methodName>\n a/b.php/c "
                               "</methodName>\n<params>\n<param><value>1</value></param>\n"
                               "<param><value><int>2</int></value></param></params></methodCall>";
    static const char *without[] = {
        "<methodCall><methodName>m</methodName></methodCall>",
        "<methodCall><methodName>m</methodName><params/></methodCall>",
        "<methodCall><methodName>m</methodName><params>\n</params></methodCall>"};
    outcome_t outcome = read_as(with, sizeof(with) - 1, MNET_CHARSET_UTF8, *state);
    apr_size_t i;

    assert_int_equal(outcome.rv, APR_SUCCESS);
    assert_int_equal(outcome.document->kind, MNET_CALL);
    assert_string_equal(outcome.document->method, "a/b.php/c");
    assert_int_equal(outcome.document->params->nelts, 2);
    for (i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        outcome = read_as(without[i], strlen(without[i]), MNET_CHARSET_UTF8, *state);
        assert_int_equal(outcome.rv, APR_SUCCESS);
        assert_string_equal(outcome.document->method, "m");
        assert_int_equal(outcome.document->params->nelts, 0);
    }
}

static void documents_that_are_none(void **state)
{
    static const char *bad[] = {
        "<a/>",
        "<value/>",
        "<methodCall/>",
        "<methodcall/>",
        "<methodCall><params/></methodCall>",
        "<methodCall><methodName/></methodCall>",
        "<methodCall><methodName> </methodName></methodCall>",
        "<methodCall><methodName>a</methodName><methodName>b</methodName></methodCall>",
        "<methodCall><methodName>a</methodName><params/><params/></methodCall>",
        "<methodCall><methodName>a</methodName><param/></methodCall>",
        "<methodCall>x<methodName>a</methodName></methodCall>",
        "<methodResponse/>",
        "<methodResponse><params><param/></params></methodResponse>",
        "<methodResponse><params><param><value/></param><param><value/></param></params>"
        "</methodResponse>",
        "<methodResponse><fault/></methodResponse>",
        "<methodResponse><fault><value/></fault></methodResponse>",
        "<methodResponse><fault><value><struct/></value></fault></methodResponse>",
        "<methodResponse><params><param><value/></param></params><fault/></methodResponse>"};
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(bad[i], MNET_E_XML, *state);
    }
    assert_refused("<!DOCTYPE methodCall><methodCall/>", MNET_E_DOCTYPE, *state);
}

/* PHP's extension has nothing else for a null. */
static void a_response_of_nothing_is_nil(void **state)
{
    static const char text[] = "<methodResponse>\n<params/>\n</methodResponse>";
    outcome_t outcome = read_as(text, strlen(text), MNET_CHARSET_UTF8, *state);

    assert_int_equal(outcome.rv, APR_SUCCESS);
    assert_int_equal(outcome.document->kind, MNET_RESPONSE);
    assert_int_equal(outcome.document->params->nelts, 1);
    assert_int_equal(APR_ARRAY_IDX(outcome.document->params, 0, mnet_value_t *)->type, MNET_NIL);
}

static void a_method_name_has_255_bytes_at_most(void **state)
{
    char *name = apr_pcalloc(*state, 257);
    const char *text;

    memset(name, 'm', 256);
    assert_refused(
        apr_pstrcat(*state, "<methodCall><methodName>", name, "</methodName></methodCall>", NULL),
        MNET_E_LIMIT, *state);
    text = apr_pstrcat(*state, "<methodCall><methodName> ", name + 1, " </methodName></methodCall>",
                       NULL);
    assert_int_equal(read_as(text, strlen(text), MNET_CHARSET_UTF8, *state).rv, APR_SUCCESS);
}

static outcome_t fault_with(const char *code, const char *text, apr_pool_t *pool)
{
    const char *xml =
        apr_pstrcat(pool, "<methodResponse><fault>\n<value><struct><member><name>faultCode</name>",
                    code, "</member>", text, "</struct></value></fault></methodResponse>", NULL);

    return read_as(xml, strlen(xml), MNET_CHARSET_UTF8, pool);
}

static void faults(void **state)
{
    static const char *codes[] = {"<value><int>7023</int></value>", "<value>7023</value>",
                                  "<value><string>7023</string></value>",
                                  "<value><double>7023</double></value>"};
    static const char text[] =
        "<member><name>faultString</name><value><string>no</string></value></member>";
    apr_size_t i;
    outcome_t outcome;

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        outcome = fault_with(codes[i], text, *state);
        assert_int_equal(outcome.rv, APR_SUCCESS);
        assert_int_equal(outcome.document->kind, MNET_FAULT);
        assert_int_equal(outcome.document->fault_code, 7023);
        assert_string_equal(outcome.document->fault_text, "no");
    }
    outcome = fault_with("<value><int>0</int></value>", "", *state);
    assert_int_equal(outcome.rv, APR_SUCCESS);
    assert_string_equal(outcome.document->fault_text, "");
    assert_int_equal(fault_with("<value>x</value>", text, *state).rv, MNET_E_XML);
    assert_int_equal(fault_with("<value><i8>2147483648</i8></value>", text, *state).rv, MNET_E_XML);
}

static void a_long_text_goes_to_a_file(void **state)
{
    static const char *types[] = {"string", "base64", NULL};
    apr_pool_t *pool = *state;
    const apr_size_t len = 1000000;
    char *text = apr_pcalloc(pool, len + 1);
    apr_size_t i;

    memset(text, 'A', len);
    for (i = 0; i < 3; i++) {
        const char *open = types[i] ? apr_psprintf(pool, "<%s>", types[i]) : "";
        const char *close = types[i] ? apr_psprintf(pool, "</%s>", types[i]) : "";
        mnet_value_t *value =
            value_of(apr_pstrcat(pool, "<value>", open, text, close, "</value>", NULL), pool);
        collected_t out = {0};
        mnet_sink_t to = {collect, &out};

        assert_null(value->data);
        assert_non_null(mnet_spool_file(value->spool));
        assert_int_equal(mnet_value_pour(value, &to), APR_SUCCESS);
        assert_int_equal(out.len, i == 1 ? len / 4 * 3 : len);
        assert_int_equal(out.data[0], i == 1 ? 0 : 'A');
        free(out.data);
    }
    text[65536] = '\0';
    assert_non_null(value_of(apr_pstrcat(pool, "<value>", text, "</value>", NULL), pool)->data);
}

static void names_and_numbers_are_never_that_long(void **state)
{
    apr_pool_t *pool = *state;
    char *text = apr_pcalloc(pool, 70001);

    memset(text, '1', 70000);
    assert_refused(apr_pstrcat(pool,
                               "<methodCall><methodName>m</methodName><params><param><value>"
                               "<int>",
                               text, "</int></value></param></params></methodCall>", NULL),
                   MNET_E_LIMIT, pool);
    assert_refused(
        apr_pstrcat(pool, "<methodCall><methodName>", text, "</methodName></methodCall>", NULL),
        MNET_E_LIMIT, pool);
    assert_refused(apr_pstrcat(pool,
                               "<methodCall><methodName>m</methodName><params><param><value>"
                               "<struct><member><name>",
                               text,
                               "</name><value/></member></struct></value></param></params>"
                               "</methodCall>",
                               NULL),
                   MNET_E_LIMIT, pool);
}

static void bytes_of_an_ext_xmlrpc_peer_are_folded(void **state)
{
    apr_pool_t *pool = *state;
    static const char xml[] =
        "<value><struct><member><name>&#195;&#169;</name><value><string>&#197;&#140;kami "
        "&#230;&#188;&#162;&#240;&#159;&#152;&#128;</string></value></member>"
        "<member><name>plain</name><value>&#195;&#169;</value></member></struct></value>";
    mnet_value_t *value = value_as(xml, MNET_CHARSET_BYTES, pool);

    assert_string_equal(mnet_item_name(value, 0), "\xc3\xa9");
    assert_string_equal(mnet_item(value, 0)->data, "\xc5\x8ckami \xe6\xbc\xa2\xf0\x9f\x98\x80");
    assert_string_equal(mnet_get(value, "plain")->data, "\xc3\xa9");
    value = value_of(xml, pool);
    assert_string_equal(mnet_item_name(value, 0), "\xc3\x83\xc2\xa9");
}

/* What a long text from a peer of that kind becomes. */
static collected_t long_text(const char *piece, const char *last, apr_pool_t *pool)
{
    apr_size_t n = strlen(piece), i;
    char *text = apr_pcalloc(pool, 40000 * n + 1);
    collected_t out = {0};
    mnet_sink_t to = {collect, &out};
    mnet_value_t *value;

    for (i = 0; i < 40000; i++) {
        memcpy(text + i * n, piece, n);
    }
    value = value_as(apr_pstrcat(pool, "<value>x", text, last, "</value>", NULL),
                     MNET_CHARSET_BYTES, pool);
    assert_non_null(value->spool);
    assert_int_equal(mnet_value_pour(value, &to), APR_SUCCESS);
    return out;
}

static void a_long_text_is_folded_as_well(void **state)
{
    apr_pool_t *pool = *state;
    collected_t out = long_text("&#195;&#169;&#230;&#188;&#162;", "", pool);

    assert_int_equal(out.len, 1 + 40000 * 5);
    assert_memory_equal(out.data, "x\xc3\xa9\xe6\xbc\xa2\xc3\xa9", 8);
    assert_memory_equal(out.data + out.len - 5, "\xc3\xa9\xe6\xbc\xa2", 5);
    free(out.data);
    /* One character that is no byte, or a sequence that does not end, and all stays as it was. */
    out = long_text("&#195;&#169;", "&#28450;", pool);
    assert_int_equal(out.len, 1 + 40000 * 4 + 3);
    assert_memory_equal(out.data, "x\xc3\x83\xc2\xa9", 5);
    free(out.data);
    out = long_text("&#195;&#169;", "&#195;", pool);
    assert_int_equal(out.len, 1 + 40000 * 4 + 2);
    free(out.data);
    out = long_text("plain", "", pool);
    assert_int_equal(out.len, 1 + 40000 * 5);
    free(out.data);
}

static void folding(void **state)
{
    apr_pool_t *pool = *state;
    apr_size_t len = 99;

    assert_string_equal(mnet_fold_bytes("\xc3\x83\xc2\xa9", 4, &len, pool), "\xc3\xa9");
    assert_int_equal(len, 2);
    len = 99;
    assert_null(mnet_fold_bytes("plain", 5, &len, pool));
    assert_null(mnet_fold_bytes("", 0, &len, pool));
    /* U+00E9 alone is no UTF-8; U+6F22 is no byte */
    assert_null(mnet_fold_bytes("caf\xc3\xa9", 5, &len, pool));
    assert_null(mnet_fold_bytes("\xc3\x83\xc2\xa9\xe6\xbc\xa2", 7, &len, pool));
    assert_null(mnet_fold_bytes("\xff", 1, &len, pool));
    assert_int_equal(len, 99);
}

static int has_suffix(const char *name, const char *suffix)
{
    apr_size_t n = strlen(name), m = strlen(suffix);

    return n >= m && !strcmp(name + n - m, suffix);
}

/* Every XML-RPC document that was captured. */
static void what_real_peers_sent(void **state)
{
    const char *top = getenv("MNET_VECTORS") ? getenv("MNET_VECTORS") : "t/vectors";
    DIR *dir = opendir(top), *sub;
    struct dirent *entry, *file;
    int count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        sub = entry->d_name[0] == '.' ? NULL
                                      : opendir(apr_pstrcat(*state, top, "/", entry->d_name, NULL));
        while (sub && (file = readdir(sub))) {
            apr_pool_t *pool;
            mnet_spool_t *spool;
            char *path = apr_pstrcat(*state, top, "/", entry->d_name, "/", file->d_name, NULL);
            mnet_document_t *document;
            const char *why;
            char piece[4096];
            size_t n;
            FILE *f;

            if (!has_suffix(path, ".plain.xml")) {
                continue;
            }
            apr_pool_create(&pool, *state);
            spool = mnet_spool_create(0, NULL, pool);
            f = fopen(path, "rb");
            assert_non_null(f);
            while ((n = fread(piece, 1, sizeof(piece), f)) > 0) {
                assert_int_equal(mnet_spool_write(spool, piece, n), APR_SUCCESS);
            }
            fclose(f);
            if (mnet_xmlrpc_read(spool, MNET_CHARSET_UTF8, &mnet_xml_limits_peer, &document, &why,
                                 pool) != APR_SUCCESS) {
                fail_msg("%s: %s", path, why);
            }
            assert_true(document->kind != MNET_CALL || strchr(document->method, '/') ||
                        strchr(document->method, '.'));
            apr_pool_destroy(pool);
            count++;
        }
        if (sub) {
            closedir(sub);
        }
    }
    closedir(dir);
    assert_true(count > 100);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(strings),
        test(numbers),
        test(booleans_and_nil),
        test(base64_and_dates),
        test(containers),
        test(of_members_with_one_name_the_last_counts),
        test(a_huge_struct_is_read_in_linear_time),
        test(values_that_are_none),
        test(calls),
        test(documents_that_are_none),
        test(a_response_of_nothing_is_nil),
        test(a_method_name_has_255_bytes_at_most),
        test(faults),
        test(a_long_text_goes_to_a_file),
        test(names_and_numbers_are_never_that_long),
        test(bytes_of_an_ext_xmlrpc_peer_are_folded),
        test(a_long_text_is_folded_as_well),
        test(folding),
        test(what_real_peers_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
