/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_help.h"

#include <unistd.h>

#include "wire/xml.h"

/* What a reader heard, as text: "<a x=1>text</a>". */
typedef struct heard_t {
    collected_t log;
    apr_size_t longest;
    apr_status_t answer; /* to the element named "stop" */
    int deaf;            /* only counts */
    apr_size_t bytes;
} heard_t;

static void say(heard_t *heard, const char *text)
{
    if (!heard->deaf) {
        collect(&heard->log, text, strlen(text));
    }
}

static apr_status_t on_start(void *baton, const char *name, const char *const *attributes)
{
    heard_t *heard = baton;

    say(heard, "<");
    say(heard, name);
    for (; attributes && *attributes; attributes += 2) {
        say(heard, " ");
        say(heard, attributes[0]);
        say(heard, "=");
        say(heard, attributes[1]);
    }
    say(heard, ">");
    return strcmp(name, "stop") ? APR_SUCCESS : heard->answer;
}

static apr_status_t on_text(void *baton, const char *data, apr_size_t len)
{
    heard_t *heard = baton;

    heard->longest = len > heard->longest ? len : heard->longest;
    heard->bytes += len;
    return heard->deaf ? APR_SUCCESS : collect(&heard->log, data, len);
}

static apr_status_t on_end(void *baton, const char *name)
{
    heard_t *heard = baton;

    say(heard, "</");
    say(heard, name);
    say(heard, ">");
    return APR_SUCCESS;
}

static const mnet_xml_handler_t handler = {on_start, on_text, on_end};

typedef struct outcome_t {
    apr_status_t rv;
    const char *heard;
    const char *problem;
} outcome_t;

static outcome_t parse_limited(const char *data, apr_size_t len, apr_size_t step,
                               const mnet_xml_limits_t *limits, apr_pool_t *pool)
{
    heard_t heard = {.answer = APR_EOF};
    mnet_xml_t *xml = mnet_xml_create(&handler, &heard, limits, pool);
    outcome_t outcome = {APR_SUCCESS, NULL, NULL};
    apr_size_t at;

    assert_non_null(xml);
    for (at = 0; at < len && outcome.rv == APR_SUCCESS; at += step) {
        outcome.rv = mnet_xml_write(xml, data + at, len - at < step ? len - at : step);
    }
    if (outcome.rv == APR_SUCCESS) {
        outcome.rv = mnet_xml_end(xml);
    }
    outcome.heard = collected(&heard.log, pool);
    outcome.problem = mnet_xml_problem(xml);
    return outcome;
}

static outcome_t parse(const char *data, apr_size_t len, apr_size_t step, apr_pool_t *pool)
{
    return parse_limited(data, len, step, &mnet_xml_limits_peer, pool);
}

/* At once, byte by byte and in between: the same. */
static void assert_reads(const char *data, apr_size_t len, const char *heard, apr_pool_t *pool)
{
    static const apr_size_t steps[] = {1, 2, 3, 5, 17, 1 << 30};
    apr_size_t i;

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        outcome_t outcome = parse(data, len, steps[i], pool);

        assert_int_equal(outcome.rv, APR_SUCCESS);
        assert_string_equal(outcome.heard, heard);
        assert_string_equal(outcome.problem, "");
    }
}

static void assert_refuses(const char *data, apr_size_t len, apr_status_t rv, apr_pool_t *pool)
{
    static const apr_size_t steps[] = {1, 2, 3, 5, 17, 1 << 30};
    apr_size_t i;

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        outcome_t outcome = parse(data, len, steps[i], pool);

        if (outcome.rv != rv) {
            print_error("%.60s: %d, not %d (step %d)\n", data, outcome.rv, rv, (int)steps[i]);
        }
        assert_int_equal(outcome.rv, rv);
        assert_string_not_equal(outcome.problem, "");
    }
}

#define READS(data, heard) assert_reads(data, sizeof(data) - 1, heard, *state)
#define REFUSES(data, rv)  assert_refuses(data, sizeof(data) - 1, rv, *state)

static void what_is_well_formed_is_told(void **state)
{
    READS("<a/>", "<a></a>");
    READS("<?xml version=\"1.0\"?><a>b<c/>d</a>", "<a>b<c></c>d</a>");
    READS("<a x=\"1\" y='2>3' z='\"'/>", "<a x=1 y=2>3 z=\"></a>");
    READS("<x:a xmlns:x=\"u\"><x:b/></x:a>", "<x:a xmlns:x=u><x:b></x:b></x:a>");
    READS("<p:a/>", "<p:a></p:a>");
    READS("<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;</a>", "<a><>&\"'AB</a>");
}

static void comments_instructions_and_cdata(void **state)
{
    READS("<!-- x --><?p q?><a>1<!-- <b> & \" ' -->2<?p <b>?>3</a><!-- y -->\n", "<a>123</a>");
    READS("<a><![CDATA[<b> & ]] ]> ]]]]></a>", "<a><b> & ]] ]> ]]</a>");
    READS("<a><!----><![CDATA[]]></a>", "<a></a>");
}

static void blanks_and_a_mark_before_the_document_are_skipped(void **state)
{
    READS("\xef\xbb\xbf<a/>", "<a></a>");
    READS("\xef\xbb\xbf \r\n\t<?xml version=\"1.0\"?><a/>", "<a></a>");
    READS("\n\n<a/>\n", "<a></a>");
    REFUSES(" \xef\xbb\xbf<a/>", MNET_E_XML);
    REFUSES("\xef\xbb<a/>", MNET_E_XML);
    REFUSES("\xef\xbb\xbf\xef\xbb\xbf<a/>", MNET_E_XML);
}

static void what_is_malformed_is_refused(void **state)
{
    REFUSES("", MNET_E_XML);
    REFUSES(" ", MNET_E_XML);
    REFUSES("<", MNET_E_XML);
    REFUSES("text", MNET_E_XML);
    REFUSES("<a>", MNET_E_XML);
    REFUSES("<a></b>", MNET_E_XML);
    REFUSES("<a/><b/>", MNET_E_XML);
    REFUSES("<a/>text", MNET_E_XML);
    REFUSES("<a x=1/>", MNET_E_XML);
    REFUSES("<a x='<'/>", MNET_E_XML);
    REFUSES("<a x='1' x='2'/>", MNET_E_XML);
    REFUSES("<a><b</a>", MNET_E_XML);
    REFUSES("<a>& </a>", MNET_E_XML);
    REFUSES("<a>&#0;</a>", MNET_E_XML);
    REFUSES("<a>&#xD800;</a>", MNET_E_XML);
    REFUSES("<a>\x01</a>", MNET_E_XML);
    REFUSES("<a>\xff</a>", MNET_E_XML);
    REFUSES("<a>\xed\xa0\x80</a>", MNET_E_XML);
    REFUSES("<a>]]></a>", MNET_E_XML);
    REFUSES("<a><!-- -- --></a>", MNET_E_XML);
    REFUSES("<a><!--> --></a>", MNET_E_XML);
    REFUSES("<a/><!---> -->", MNET_E_XML);
    REFUSES("<a/><!----->", MNET_E_XML);
    REFUSES("<a><?xml version=\"1.0\"?></a>", MNET_E_XML);
    REFUSES("<!-- --><?xml version=\"1.0\"?><a/>", MNET_E_XML);
    REFUSES("<a>\0</a>", MNET_E_XML);
    REFUSES("<a/>\0", MNET_E_XML);
}

static void a_document_type_is_refused_wherever_it_stands(void **state)
{
    REFUSES("<!DOCTYPE a><a/>", MNET_E_DOCTYPE);
    REFUSES("<?xml version=\"1.0\"?>\n<!DOCTYPE a SYSTEM \"http://127.0.0.1:1/x\"><a/>",
            MNET_E_DOCTYPE);
    REFUSES("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>", MNET_E_DOCTYPE);
    REFUSES("<!DOCTYPE a [<!ENTITY % p SYSTEM \"file:///etc/passwd\">%p;]><a/>", MNET_E_DOCTYPE);
    REFUSES("<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">"
            "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><a>&c;</a>",
            MNET_E_DOCTYPE);
    REFUSES("<!doctype a><a/>", MNET_E_DOCTYPE);
    REFUSES("<a><!ENTITY x \"y\"></a>", MNET_E_DOCTYPE);
    REFUSES("<!-- c --><!-", MNET_E_XML);
    REFUSES("<!-x><a/>", MNET_E_DOCTYPE);
    REFUSES("<a><![CDAT[x]]></a>", MNET_E_DOCTYPE);
    REFUSES("<a><![IGNORE[x]]></a>", MNET_E_DOCTYPE);
}

static void no_entity_but_the_five(void **state)
{
    REFUSES("<a>&nbsp;</a>", MNET_E_XML);
    REFUSES("<a x=\"&nbsp;\"/>", MNET_E_XML);
    REFUSES("<a>&x", MNET_E_XML);
    REFUSES("<a>&lt</a>", MNET_E_XML);
    REFUSES("<a>&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;</a>", MNET_E_LIMIT);
}

static void three_encodings_are_read(void **state)
{
    READS("<a>\xc3\xa9</a>", "<a>\xc3\xa9</a>");
    READS("<?xml version='1.0' encoding='utf-8' standalone='yes' ?><a>\xc3\xa9</a>",
          "<a>\xc3\xa9</a>");
    READS("<?xml version='1.0' encoding='iso-8859-1'?><a x='\xe9'>\xe9\xff\x80</a>",
          "<a x=\xc3\xa9>\xc3\xa9\xc3\xbf\xc2\x80</a>");
    READS("<?xml version=\"1.0\" encoding=\"latin1\"?><a>\xe9</a>", "<a>\xc3\xa9</a>");
    READS("<?xml version=\"1.0\" encoding=\"us-ascii\"?><a>e&#233;</a>", "<a>e\xc3\xa9</a>");
    REFUSES("<?xml version=\"1.0\" encoding=\"us-ascii\"?><a>\xc3\xa9</a>", MNET_E_XML);
    REFUSES("<?xml version=\"1.0\" encoding=\"utf-8\"?><a>\xe9</a>", MNET_E_XML);
}

static void other_encodings_are_refused(void **state)
{
    static const char *names[] = {
        "utf-16", "UTF-7", "EBCDIC-CP-US", "ISO-2022-CN-EXT", "windows-1252", "utf-32",
        "x",      "",      "utf-8 "};
    apr_pool_t *pool = *state;
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *text =
            apr_psprintf(pool, "<?xml version=\"1.0\" encoding=\"%s\"?><a/>", names[i]);

        assert_refuses(text, strlen(text), MNET_E_XML, pool);
    }
    REFUSES("<\0?\0x\0m\0l\0 \0", MNET_E_XML);
    REFUSES("\xff\xfe<\0a\0/\0>\0", MNET_E_XML);
    REFUSES("\xfe\xff\0<\0a\0/\0>", MNET_E_XML);
    REFUSES("\0\0\0<", MNET_E_XML);
    REFUSES("\x4c\x6f\xa7\x94\x93", MNET_E_XML);
}

static void the_xml_declaration_is_checked(void **state)
{
    READS("<?xml version = \"1.1\"\n\tencoding = 'UTF-8' ?><a/>", "<a></a>");
    REFUSES("<?xml?><a/>", MNET_E_XML);
    REFUSES("<?xml encoding=\"utf-8\"?><a/>", MNET_E_XML);
    REFUSES("<?xml version=\"2.0\"?><a/>", MNET_E_XML);
    REFUSES("<?xml version=\"1.0\" encoding=\"utf-8\" encoding=\"utf-16\"?><a/>", MNET_E_XML);
    REFUSES("<?xml version=\"1.0\" standalone=\"maybe\"?><a/>", MNET_E_XML);
    REFUSES("<?xml version=\"1.0\" x=\"y\"?><a/>", MNET_E_XML);
    REFUSES("<?xml version=\"1.0", MNET_E_XML);
    REFUSES("<?xml version=\"1.0\"><a/>", MNET_E_XML);
    READS("<?xml-stylesheet href=\"x\"?><a/>", "<a></a>");
}

/* Repeats text until there are at least len bytes. */
static char *repeat(const char *before, const char *text, apr_size_t times, const char *after,
                    apr_pool_t *pool, apr_size_t *len)
{
    apr_size_t n = strlen(text), used = strlen(before), i;
    char *all = apr_palloc(pool, used + n * times + strlen(after) + 1);

    memcpy(all, before, used);
    for (i = 0; i < times; i++) {
        memcpy(all + used, text, n);
        used += n;
    }
    memcpy(all + used, after, strlen(after) + 1);
    *len = used + strlen(after);
    return all;
}

static void depth_is_bounded(void **state)
{
    apr_pool_t *pool = *state;
    apr_size_t len;
    char *text = repeat("", "<a>", 10000, "", pool, &len);

    assert_refuses(text, len, MNET_E_LIMIT, pool);
    text = repeat("", "<a>", 32, "</a>", pool, &len);
    assert_int_equal(parse_limited(text, len, len, &mnet_xml_limits_stranger, pool).rv, MNET_E_XML);
    text = repeat("", "<a>", 33, "</a>", pool, &len);
    assert_int_equal(parse_limited(text, len, len, &mnet_xml_limits_stranger, pool).rv,
                     MNET_E_LIMIT);
}

static void elements_are_counted(void **state)
{
    apr_pool_t *pool = *state;
    apr_size_t len;
    char *text = repeat("<a>", "<b/>", 255, "</a>", pool, &len);

    assert_int_equal(parse_limited(text, len, len, &mnet_xml_limits_stranger, pool).rv,
                     APR_SUCCESS);
    text = repeat("<a>", "<b/>", 256, "</a>", pool, &len);
    assert_int_equal(parse_limited(text, len, len, &mnet_xml_limits_stranger, pool).rv,
                     MNET_E_LIMIT);
}

static void what_libxml2_would_hold_is_bounded(void **state)
{
    static const char *cases[][3] = {{"<", "a", ""},
                                     {"<a ", " ", "/>"},
                                     {"<a x='", ">", "'/>"},
                                     {"<a>", "</a           ", ">"},
                                     {"<!-- ", ">", "--><a/>"},
                                     {"<?p ", ">", "?><a/>"},
                                     {"<a><![CDATA[", "x", "]]></a>"},
                                     {"<a", " x='1'", "/>"},
                                     {"<?xml version='1.0'", " ", "?><a/>"},
                                     {"<a>&#", "0", "65;</a>"}};
    apr_pool_t *pool = *state;
    apr_size_t i, len;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = repeat(cases[i][0], cases[i][1], 20000, cases[i][2], pool, &len);
        outcome_t outcome = parse(text, len, len, pool);

        if (i == 3) {
            assert_int_equal(outcome.rv, MNET_E_XML); /* a '<' in a tag */
        } else {
            assert_int_equal(outcome.rv, MNET_E_LIMIT);
        }
        assert_int_equal(parse(text, len, 7, pool).rv, outcome.rv);
    }
}

static void a_million_attributes_cost_nothing(void **state)
{
    apr_pool_t *pool = *state;
    apr_size_t i, used = 2;
    char *text = apr_palloc(pool, 20 * 1000000);

    memcpy(text, "<a", 2);
    for (i = 0; i < 1000000; i++) {
        used += (apr_size_t)apr_snprintf(text + used, 20, " a%d=''", (int)i);
    }
    assert_int_equal(parse(text, used, used, pool).rv, MNET_E_LIMIT);
}

static void ten_megabytes_of_less_than(void **state)
{
    apr_pool_t *pool = *state;
    apr_size_t len = 10 * 1000 * 1000;
    char *text = apr_palloc(pool, len);

    memset(text, '<', len);
    assert_int_equal(parse(text, len, len, pool).rv, MNET_E_XML);
    assert_int_equal(parse(text, len, 1, pool).rv, MNET_E_XML);
}

static const char complete[] =
    "\xef\xbb\xbf\n<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><!-- c -->\n"
    "<a x=\"1\" y='>'>te\xe9xt &lt;&#233;<b:c/><![CDATA[<>]]><?p q?></a>";

static void cut_anywhere_it_is_not_complete(void **state)
{
    apr_size_t len;

    READS(complete, "<a x=1 y=>>te\xc3\xa9xt <\xc3\xa9<b:c></b:c><></a>");
    for (len = 0; len < sizeof(complete) - 1; len++) {
        assert_refuses(complete, len, MNET_E_XML, *state);
    }
}

static void an_error_stays(void **state)
{
    heard_t heard = {0};
    mnet_xml_t *xml = mnet_xml_create(&handler, &heard, &mnet_xml_limits_peer, *state);

    assert_int_equal(mnet_xml_write(xml, "<!DOCTYPE", 9), MNET_E_DOCTYPE);
    assert_int_equal(mnet_xml_write(xml, "<a/>", 4), MNET_E_DOCTYPE);
    assert_int_equal(mnet_xml_end(xml), MNET_E_DOCTYPE);
    assert_string_equal(collected(&heard.log, *state), "");
}

static void nothing_comes_after_the_end(void **state)
{
    heard_t heard = {0};
    mnet_xml_t *xml = mnet_xml_create(&handler, &heard, &mnet_xml_limits_peer, *state);

    assert_int_equal(mnet_xml_write(xml, "<a/>", 4), APR_SUCCESS);
    assert_int_equal(mnet_xml_end(xml), APR_SUCCESS);
    assert_int_equal(mnet_xml_end(xml), APR_SUCCESS);
    assert_int_equal(mnet_xml_write(xml, " ", 1), MNET_E_XML);
    collected(&heard.log, *state);
}

static void the_handler_can_stop_it(void **state)
{
    static const char text[] = "<a><stop>x</stop><b/></a>";
    outcome_t outcome = parse(text, sizeof(text) - 1, sizeof(text) - 1, *state);

    assert_int_equal(outcome.rv, APR_EOF);
    assert_string_equal(outcome.heard, "<a><stop>");
}

static void the_problem_names_the_line(void **state)
{
    static const char text[] = "<a>\n\n</b>";
    outcome_t outcome = parse(text, sizeof(text) - 1, sizeof(text) - 1, *state);

    assert_int_equal(outcome.rv, MNET_E_XML);
    assert_memory_equal(outcome.problem, "line 3: ", 8);
    assert_null(strchr(outcome.problem, '\n'));
}

/* libxml2's own default is to write what it dislikes to standard error. */
static void nothing_is_written_to_standard_error(void **state)
{
    static const char *texts[] = {"<a></b>",
                                  "<a>\xff</a>",
                                  "<a>&x;</a>",
                                  "<a x='1' x='2'/>",
                                  "<a xml:space='x' xml:lang='-'/>",
                                  "<?xml version='1.9'?><a/>",
                                  "<?xml version='1.0' encoding='us-ascii'?><a>\xff</a>"};
    FILE *file = tmpfile();
    int saved = dup(2);
    apr_size_t i;
    long size;

    assert_non_null(file);
    fflush(stderr);
    dup2(fileno(file), 2);
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        (void)parse(texts[i], strlen(texts[i]), strlen(texts[i]), *state);
    }
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    fclose(file);
    assert_int_equal(size, 0);
}

static void a_long_text_comes_in_bounded_pieces(void **state)
{
    heard_t heard = {.deaf = 1};
    mnet_xml_t *xml = mnet_xml_create(&handler, &heard, &mnet_xml_limits_peer, *state);
    apr_size_t len = 30 * 1000 * 1000;
    char *text = malloc(len);

    memset(text, 'x', len);
    assert_int_equal(mnet_xml_write(xml, "<a>", 3), APR_SUCCESS);
    assert_int_equal(mnet_xml_write(xml, text, len), APR_SUCCESS);
    assert_int_equal(mnet_xml_write(xml, "</a>", 4), APR_SUCCESS);
    assert_int_equal(mnet_xml_end(xml), APR_SUCCESS);
    assert_int_equal(heard.bytes, len);
    assert_true(heard.longest <= 65536);
    free(text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(what_is_well_formed_is_told),
        test(comments_instructions_and_cdata),
        test(blanks_and_a_mark_before_the_document_are_skipped),
        test(what_is_malformed_is_refused),
        test(a_document_type_is_refused_wherever_it_stands),
        test(no_entity_but_the_five),
        test(three_encodings_are_read),
        test(other_encodings_are_refused),
        test(the_xml_declaration_is_checked),
        test(depth_is_bounded),
        test(elements_are_counted),
        test(what_libxml2_would_hold_is_bounded),
        test(a_million_attributes_cost_nothing),
        test(ten_megabytes_of_less_than),
        test(cut_anywhere_it_is_not_complete),
        test(an_error_stays),
        test(nothing_comes_after_the_end),
        test(the_handler_can_stop_it),
        test(the_problem_names_the_line),
        test(nothing_is_written_to_standard_error),
        test(a_long_text_comes_in_bounded_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
