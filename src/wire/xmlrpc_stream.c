/* SPDX-License-Identifier: Apache-2.0 */
/* A document as it comes in: mended, parsed and read on the way. */
#include "wire/xmlrpc.h"

#include "wire/xmlrpc_mend.h"

struct mnet_xmlrpc_stream_t {
    mnet_xmlrpc_reader_t *reader;
    mnet_xml_t *xml;
    mnet_sink_t parser;
    mnet_mend_t mend;
    apr_status_t rv;
};

mnet_xmlrpc_stream_t *mnet_xmlrpc_stream_create(mnet_charset_e charset,
                                                const mnet_xml_limits_t *limits,
                                                const mnet_sink_t *text, const char *tmpdir,
                                                apr_pool_t *pool)
{
    mnet_xmlrpc_stream_t *stream = apr_pcalloc(pool, sizeof(*stream));

    stream->reader = mnet_xmlrpc_reader_create(charset, tmpdir, pool);
    mnet_xmlrpc_reader_pour(stream->reader, text);
    stream->xml = mnet_xml_create(&mnet_xmlrpc_handler, stream->reader, limits, pool);
    stream->parser = (mnet_sink_t){mnet_xml_write, stream->xml};
    mnet_mend_init(&stream->mend, &stream->parser);
    return stream->xml ? stream : NULL;
}

apr_status_t mnet_xmlrpc_stream_write(void *baton, const char *data, apr_size_t len)
{
    mnet_xmlrpc_stream_t *stream = baton;

    if (stream->rv == APR_SUCCESS) {
        stream->rv = mnet_mend_write(&stream->mend, data, len);
    }
    return APR_SUCCESS;
}

apr_status_t mnet_xmlrpc_stream_end(mnet_xmlrpc_stream_t *stream, mnet_document_t **document,
                                    const char **why)
{
    apr_status_t rv = stream->rv;

    *document = NULL;
    if (rv == APR_SUCCESS) {
        rv = mnet_mend_end(&stream->mend);
    }
    if (rv == APR_SUCCESS) {
        rv = mnet_xml_end(stream->xml);
    }
    if (rv == APR_SUCCESS) {
        rv = mnet_xmlrpc_reader_document(stream->reader, document);
    }
    *why = mnet_xmlrpc_reader_problem(stream->reader);
    *why = **why ? *why : mnet_xml_problem(stream->xml);
    return stream->rv = rv;
}

apr_status_t mnet_xmlrpc_read(mnet_spool_t *from, mnet_charset_e charset,
                              const mnet_xml_limits_t *limits, mnet_document_t **document,
                              const char **why, apr_pool_t *pool)
{
    mnet_xmlrpc_stream_t *stream =
        mnet_xmlrpc_stream_create(charset, limits, NULL, mnet_spool_tmpdir(from), pool);
    mnet_sink_t to = {mnet_xmlrpc_stream_write, stream};
    apr_status_t rv;

    *document = NULL;
    *why = "";
    if (!stream) {
        return APR_ENOMEM;
    }
    rv = mnet_spool_pour(from, &to);
    return rv ? rv : mnet_xmlrpc_stream_end(stream, document, why);
}
