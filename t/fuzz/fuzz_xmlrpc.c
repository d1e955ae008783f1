/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Input: a byte that says how texts are folded and how large the pieces are, then a document.
 * What is read must not depend on the pieces, and what was read is written, read and written
 * again to the same bytes.
 */

#include "fuzz_help.h"

#include "base/text.h"
#include "wire/xmlrpc.h"

/* What we write may have more elements than what we read: <value/> becomes <value><string>. */
static const mnet_xml_limits_t roomy = {200, 4000000, 1 << 20};

/* Above this a text written byte by byte might go to a file, where it is not folded. */
#define FOLDED_MAX 8192

static void write_document(const mnet_document_t *document, mnet_charset_e charset,
                           mnet_spool_t *spool)
{
    mnet_sink_t to = {mnet_spool_write, spool};

    if (document->kind == MNET_CALL) {
        MUST(mnet_xmlrpc_write_call(document->method, document->params, &to) == APR_SUCCESS);
    } else if (document->kind == MNET_RESPONSE) {
        MUST(document->params->nelts == 1);
        MUST(mnet_xmlrpc_write_response(APR_ARRAY_IDX(document->params, 0, mnet_value_t *), charset,
                                        &to) == APR_SUCCESS);
    } else {
        MUST(document->fault_text);
        MUST(mnet_xmlrpc_write_fault(document->fault_code, document->fault_text, charset, &to) ==
             APR_SUCCESS);
    }
}

static void check_value(const mnet_value_t *value, apr_pool_t *pool)
{
    apr_int64_t integer;
    double real;
    int i;

    MUST(value);
    (void)mnet_as_text(value, pool);
    (void)mnet_as_int(value, &integer);
    (void)mnet_as_double(value, &real);
    (void)mnet_as_truth(value);
    if (value->type == MNET_STRING && value->data) {
        MUST(mnet_is_utf8(value->data, value->len));
    }
    for (i = 0; i < mnet_count(value); i++) {
        check_value(mnet_item(value, i), pool);
        if (value->type == MNET_STRUCT) {
            MUST(mnet_get(value, mnet_item_name(value, i)) == mnet_item(value, i));
        }
    }
}

static void check_round_trip(const mnet_document_t *document, mnet_charset_e charset,
                             apr_pool_t *pool)
{
    mnet_spool_t *first = mnet_spool_create(0, NULL, pool);
    mnet_spool_t *second = mnet_spool_create(0, NULL, pool);
    mnet_document_t *back;
    const char *why;
    int i;

    for (i = 0; i < document->params->nelts; i++) {
        check_value(APR_ARRAY_IDX(document->params, i, mnet_value_t *), pool);
    }
    if (document->kind == MNET_CALL) {
        charset = MNET_CHARSET_UTF8;
    }
    write_document(document, charset, first);
    MUST(mnet_xmlrpc_read(first, charset, &roomy, &back, &why, pool) == APR_SUCCESS);
    MUST(back->kind == document->kind);
    write_document(back, charset, second);
    if (mnet_spool_text(first)) {
        MUST(mnet_spool_length(first) == mnet_spool_length(second));
        MUST(!memcmp(mnet_spool_text(first), mnet_spool_text(second),
                     (size_t)mnet_spool_length(first)));
    }
}

static void fuzz(const char *data, apr_size_t len, apr_pool_t *pool)
{
    mnet_spool_t *spool = mnet_spool_create(0, NULL, pool);
    mnet_document_t *document, *other = NULL;
    mnet_xmlrpc_reader_t *reader;
    mnet_xml_t *xml;
    mnet_sink_t to;
    mnet_charset_e charset;
    const char *text = data + 1, *why;
    apr_status_t rv, pieces;

    len--;
    charset = (unsigned char)data[0] & 1 ? MNET_CHARSET_BYTES : MNET_CHARSET_UTF8;
    MUST(mnet_spool_write(spool, text, len) == APR_SUCCESS);
    rv = mnet_xmlrpc_read(spool, charset, &mnet_xml_limits_peer, &document, &why, pool);
    MUST((rv == APR_SUCCESS) == (document != NULL));
    MUST((rv == APR_SUCCESS) == !*why);
    if (rv == APR_SUCCESS) {
        MUST(!memmem(text, len, "<!DOCTYPE", 9) || memmem(text, len, "<!--", 4) ||
             memmem(text, len, "<![CDATA[", 9) || memmem(text, len, "<?", 2));
    }

    reader = mnet_xmlrpc_reader_create(charset, NULL, pool);
    xml = mnet_xml_create(&mnet_xmlrpc_handler, reader, &mnet_xml_limits_peer, pool);
    MUST(xml);
    to.write = mnet_xml_write;
    to.baton = xml;
    pieces = write_pieces(&to, text, len, 1 + (unsigned char)data[0] / 2 % 32);
    if (pieces == APR_SUCCESS) {
        pieces = mnet_xml_end(xml);
    }
    if (pieces == APR_SUCCESS) {
        pieces = mnet_xmlrpc_reader_document(reader, &other);
    }
    MUST((pieces == APR_SUCCESS) == (rv == APR_SUCCESS));
    if (document && (charset == MNET_CHARSET_UTF8 || len < FOLDED_MAX)) {
        check_round_trip(document, charset, pool);
        check_round_trip(other, charset, pool);
    }
}
