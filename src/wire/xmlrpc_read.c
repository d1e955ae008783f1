/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/xmlrpc.h"

#include <limits.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "base/status.h"
#include "wire/xmlrpc_text.h"

#define MAX_METHOD 255
/* A struct with more members than this finds them by a hash. */
#define FEW_MEMBERS 16

/* What an element is to us.  The values are bits of the tables below. */
enum {
    DOCUMENT = 1 << 0, /* what the root is in */
    CALL = 1 << 1,
    RESPONSE = 1 << 2,
    METHOD = 1 << 3,
    PARAMS = 1 << 4,
    PARAM = 1 << 5,
    FAULT = 1 << 6,
    VALUE = 1 << 7,
    SCALAR = 1 << 8,
    ARRAY = 1 << 9,
    DATA = 1 << 10,
    STRUCT = 1 << 11,
    MEMBER = 1 << 12,
    NAME = 1 << 13
};
#define TYPED (SCALAR | ARRAY | STRUCT)

/* By name; the most frequent first.  What clients other than the PHP ones write is here, too. */
static const struct {
    const char *name;
    int kind;
    mnet_type_e type;
} elements[] = {
    {"value", VALUE, MNET_NIL},
    {"string", SCALAR, MNET_STRING},
    {"member", MEMBER, MNET_NIL},
    {"name", NAME, MNET_NIL},
    {"int", SCALAR, MNET_INT},
    {"struct", STRUCT, MNET_STRUCT},
    {"array", ARRAY, MNET_ARRAY},
    {"data", DATA, MNET_NIL},
    {"boolean", SCALAR, MNET_BOOLEAN},
    {"param", PARAM, MNET_NIL},
    {"params", PARAMS, MNET_NIL},
    {"methodCall", CALL, MNET_NIL},
    {"methodName", METHOD, MNET_NIL},
    {"methodResponse", RESPONSE, MNET_NIL},
    {"fault", FAULT, MNET_NIL},
    {"double", SCALAR, MNET_DOUBLE},
    {"base64", SCALAR, MNET_BASE64},
    {"dateTime.iso8601", SCALAR, MNET_DATETIME},
    {"nil", SCALAR, MNET_NIL},
    {"i4", SCALAR, MNET_INT},
    {"i8", SCALAR, MNET_INT},
    {"ex:nil", SCALAR, MNET_NIL},
    {"ex:i8", SCALAR, MNET_INT},
    {"ex:i1", SCALAR, MNET_INT},
    {"ex:i2", SCALAR, MNET_INT},
    {"i1", SCALAR, MNET_INT},
    {"i2", SCALAR, MNET_INT},
    {"biginteger", SCALAR, MNET_INT},
    {"ex:float", SCALAR, MNET_DOUBLE},
    {"float", SCALAR, MNET_DOUBLE},
    {"bigdecimal", SCALAR, MNET_DOUBLE},
    {"ex:dateTime", SCALAR, MNET_DATETIME},
};

typedef struct frame_t frame_t;

/* An element that is open. */
struct frame_t {
    frame_t *up; /* or the next free one */
    int kind;
    mnet_type_e type;    /* SCALAR */
    int seen;            /* kinds of children that may not come again */
    mnet_value_t *value; /* ARRAY, DATA, STRUCT: it; VALUE, MEMBER, PARAM, FAULT: what it holds */
    const char *name;    /* MEMBER */
    apr_size_t name_len;
    apr_hash_t *members; /* STRUCT: index + 1 by name, once there are many */
};

struct mnet_xmlrpc_reader_t {
    apr_pool_t *pool;
    frame_t root;
    frame_t *frame;
    frame_t *free;
    mnet_document_t *document;
    mnet_value_t *fault;
    int has_params;   /* a <params> was there, if an empty one */
    mnet_text_t text; /* of the innermost METHOD, NAME, SCALAR or VALUE */
    const char *problem;
};

static apr_status_t complain(mnet_xmlrpc_reader_t *reader, apr_status_t rv, const char *problem)
{
    reader->problem = problem;
    return rv;
}

static apr_status_t malformed(mnet_xmlrpc_reader_t *reader, const char *problem)
{
    return complain(reader, MNET_E_XML, problem);
}

/* --- members --- */

/* Where a member is in its struct, as a value of the hash: its index + 1. */
static void note_member(frame_t *frame, const mnet_member_t *member, int index)
{
    apr_hash_set(frame->members, member->name, (apr_ssize_t)member->name_len,
                 (void *)((apr_uintptr_t)index + 1));
}

static mnet_member_t *find_hashed(frame_t *frame, const frame_t *wanted, apr_pool_t *pool)
{
    apr_array_header_t *items = frame->value->items;
    apr_uintptr_t found;
    int i;

    if (!frame->members) {
        frame->members = apr_hash_make(pool);
        for (i = 0; i < items->nelts; i++) {
            note_member(frame, &APR_ARRAY_IDX(items, i, mnet_member_t), i);
        }
    }
    found =
        (apr_uintptr_t)apr_hash_get(frame->members, wanted->name, (apr_ssize_t)wanted->name_len);
    return found ? &APR_ARRAY_IDX(items, (int)found - 1, mnet_member_t) : NULL;
}

static mnet_member_t *find_member(frame_t *frame, const frame_t *wanted, apr_pool_t *pool)
{
    apr_array_header_t *items = frame->value->items;
    int i;

    if (items->nelts >= FEW_MEMBERS) {
        return find_hashed(frame, wanted, pool);
    }
    for (i = 0; i < items->nelts; i++) {
        mnet_member_t *member = &APR_ARRAY_IDX(items, i, mnet_member_t);

        if (member->name_len == wanted->name_len &&
            !memcmp(member->name, wanted->name, wanted->name_len)) {
            return member;
        }
    }
    return NULL;
}

/* Of members with one name the last counts, as in PHP. */
static void add_member(frame_t *frame, const frame_t *from, apr_pool_t *pool)
{
    apr_array_header_t *items = frame->value->items;
    mnet_member_t *member = find_member(frame, from, pool);

    if (!member) {
        member = apr_array_push(items);
        member->name = from->name;
        member->name_len = from->name_len;
        if (frame->members) {
            note_member(frame, member, items->nelts - 1);
        }
    }
    member->value = from->value;
}

/* --- elements --- */

/* The kinds of children an element may have. */
static int children_of(int kind)
{
    switch (kind) {
    case DOCUMENT:
        return CALL | RESPONSE;
    case CALL:
        return METHOD | PARAMS;
    case RESPONSE:
        return PARAMS | FAULT;
    case PARAMS:
        return PARAM;
    case PARAM:
    case FAULT:
    case DATA:
        return VALUE;
    case VALUE:
        return TYPED;
    case ARRAY:
        return DATA;
    case STRUCT:
        return MEMBER;
    case MEMBER:
        return NAME | VALUE;
    default:
        return 0;
    }
}

/* The kinds that may not follow a child of this kind any more. */
static int excluded_by(int parent, int kind)
{
    switch (parent) {
    case PARAMS:
    case DATA:
    case STRUCT:
        return 0;
    case DOCUMENT:
    case RESPONSE:
    case VALUE:
        return children_of(parent);
    default:
        return kind;
    }
}

static void push(mnet_xmlrpc_reader_t *reader, int kind, mnet_type_e type)
{
    frame_t *frame = reader->free;

    if (frame) {
        reader->free = frame->up;
        memset(frame, 0, sizeof(*frame));
    } else {
        frame = apr_pcalloc(reader->pool, sizeof(*frame));
    }
    frame->up = reader->frame;
    frame->kind = kind;
    frame->type = type;
    reader->frame = frame;
}

static void enter(mnet_xmlrpc_reader_t *reader, frame_t *frame)
{
    switch (frame->kind) {
    case CALL:
        reader->document->kind = MNET_CALL;
        break;
    case RESPONSE:
        reader->document->kind = MNET_RESPONSE;
        break;
    case FAULT:
        reader->document->kind = MNET_FAULT;
        break;
    case PARAMS:
        reader->has_params = 1;
        break;
    case ARRAY:
        frame->value = mnet_array(reader->pool);
        break;
    case DATA:
        frame->value = frame->up->value;
        break;
    case STRUCT:
        frame->value = mnet_struct(reader->pool);
        break;
    default:
        break;
    }
}

static apr_status_t on_start(void *baton, const char *name, const char *const *attributes)
{
    mnet_xmlrpc_reader_t *reader = baton;
    frame_t *parent = reader->frame;
    apr_size_t i;

    for (i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
        if (!strcmp(name, elements[i].name)) {
            break;
        }
    }
    if (i == sizeof(elements) / sizeof(elements[0])) {
        return malformed(reader, "an element that is not XML-RPC");
    }
    if (!(children_of(parent->kind) & elements[i].kind)) {
        return malformed(reader, "an element out of its place");
    }
    if (parent->seen & elements[i].kind) {
        return malformed(reader, "an element too many");
    }
    parent->seen |= excluded_by(parent->kind, elements[i].kind);
    if (parent->kind == VALUE && !mnet_text_is_blank(&reader->text)) {
        return malformed(reader, "text beside a typed value");
    }
    mnet_text_begin(&reader->text);
    push(reader, elements[i].kind, elements[i].type);
    enter(reader, reader->frame);
    return APR_SUCCESS;
}

static apr_status_t on_text(void *baton, const char *data, apr_size_t len)
{
    mnet_xmlrpc_reader_t *reader = baton;
    frame_t *frame = reader->frame;
    apr_status_t rv;

    if (frame->kind == SCALAR && frame->type == MNET_BASE64) {
        rv = mnet_base64_decode(&reader->text.decoder, data, len);
        return rv == MNET_E_BASE64 ? complain(reader, rv, "a <base64> that is none") : rv;
    }
    if (frame->kind == METHOD || frame->kind == NAME || frame->kind == SCALAR ||
        (frame->kind == VALUE && !frame->seen)) {
        return mnet_text_append(&reader->text, data, len);
    }
    return mnet_is_blank(data, len) ? APR_SUCCESS : malformed(reader, "text where none may be");
}

static apr_status_t end_method(mnet_xmlrpc_reader_t *reader)
{
    apr_size_t len = MAX_METHOD + 1;
    const char *text = reader->text.spool ? NULL : mnet_text_trimmed(&reader->text, &len);

    if (len > MAX_METHOD) {
        return complain(reader, MNET_E_LIMIT, "a method name that is too long");
    }
    if (!len) {
        return malformed(reader, "no method name");
    }
    reader->document->method = apr_pstrmemdup(reader->pool, text, len);
    return APR_SUCCESS;
}

/* An untyped value is a string, white space and all. */
static apr_status_t end_value(mnet_xmlrpc_reader_t *reader, frame_t *frame, frame_t *parent)
{
    apr_status_t rv = APR_SUCCESS;

    if (!frame->value) {
        rv = mnet_text_value(&reader->text, MNET_STRING, &frame->value, &reader->problem);
    }
    if (rv == APR_SUCCESS && parent->kind == DATA) {
        mnet_append(parent->value, frame->value);
    } else if (rv == APR_SUCCESS) {
        parent->value = frame->value;
    }
    return rv;
}

static apr_status_t end_member(mnet_xmlrpc_reader_t *reader, frame_t *frame, frame_t *parent)
{
    if (!frame->name || !frame->value) {
        return malformed(reader, "a member without its name or value");
    }
    add_member(parent, frame, reader->pool);
    return APR_SUCCESS;
}

static apr_status_t leave(mnet_xmlrpc_reader_t *reader, frame_t *frame, frame_t *parent)
{
    switch (frame->kind) {
    case METHOD:
        return end_method(reader);
    case SCALAR:
        return mnet_text_value(&reader->text, frame->type, &parent->value, &reader->problem);
    case ARRAY:
    case STRUCT:
        parent->value = frame->value;
        return APR_SUCCESS;
    case VALUE:
        return end_value(reader, frame, parent);
    case NAME:
        if (reader->text.spool) {
            return complain(reader, MNET_E_LIMIT, "a member's name that is too long");
        }
        parent->name = mnet_text_take(&reader->text, &parent->name_len);
        return APR_SUCCESS;
    case MEMBER:
        return end_member(reader, frame, parent);
    case PARAM:
        if (!frame->value) {
            return malformed(reader, "a param without a value");
        }
        APR_ARRAY_PUSH(reader->document->params, mnet_value_t *) = frame->value;
        return APR_SUCCESS;
    case FAULT:
        reader->fault = frame->value;
        return APR_SUCCESS;
    default:
        return APR_SUCCESS;
    }
}

static apr_status_t on_end(void *baton, const char *name)
{
    mnet_xmlrpc_reader_t *reader = baton;
    frame_t *frame = reader->frame;
    apr_status_t rv;

    if (!frame->up) {
        return malformed(reader, "an element ends that never began");
    }
    rv = leave(reader, frame, frame->up);
    mnet_text_begin(&reader->text);
    reader->frame = frame->up;
    frame->up = reader->free;
    reader->free = frame;
    return rv;
}

const mnet_xml_handler_t mnet_xmlrpc_handler = {on_start, on_text, on_end};

/* --- documents --- */

mnet_xmlrpc_reader_t *mnet_xmlrpc_reader_create(mnet_charset_e charset, const char *tmpdir,
                                                apr_pool_t *pool)
{
    mnet_xmlrpc_reader_t *reader = apr_pcalloc(pool, sizeof(*reader));

    reader->pool = pool;
    mnet_text_init(&reader->text, charset, tmpdir, pool);
    reader->root.kind = DOCUMENT;
    reader->frame = &reader->root;
    reader->document = apr_pcalloc(pool, sizeof(*reader->document));
    reader->document->params = apr_array_make(pool, 4, sizeof(mnet_value_t *));
    reader->problem = "";
    return reader;
}

void mnet_xmlrpc_reader_pour(mnet_xmlrpc_reader_t *reader, const mnet_sink_t *text)
{
    reader->text.pour = text;
}

static apr_status_t read_fault(mnet_xmlrpc_reader_t *reader)
{
    mnet_document_t *document = reader->document;
    apr_int64_t code;

    if (!mnet_as_int(mnet_get(reader->fault, "faultCode"), &code) || code < INT_MIN ||
        code > INT_MAX) {
        return malformed(reader, "a fault without a numeric faultCode");
    }
    document->fault_code = (int)code;
    document->fault_text = mnet_as_text(mnet_get(reader->fault, "faultString"), reader->pool);
    if (!document->fault_text) {
        document->fault_text = "";
    }
    return APR_SUCCESS;
}

apr_status_t mnet_xmlrpc_reader_document(mnet_xmlrpc_reader_t *reader, mnet_document_t **document)
{
    mnet_document_t *read = reader->document;

    *document = NULL;
    if (reader->frame->up || !reader->root.seen) {
        return malformed(reader, "no complete document");
    }
    if (read->kind == MNET_CALL && !read->method) {
        return malformed(reader, "a call without a method name");
    }
    if (read->kind == MNET_RESPONSE && read->params->nelts > 1) {
        return malformed(reader, "a response with more than its one value");
    }
    if (read->kind == MNET_RESPONSE && !read->params->nelts) {
        if (!reader->has_params) {
            return malformed(reader, "a response without anything in it");
        }
        /* What PHP's extension makes of a null. */
        APR_ARRAY_PUSH(read->params, mnet_value_t *) = mnet_nil(reader->pool);
    }
    if (read->kind == MNET_FAULT) {
        apr_status_t rv = read_fault(reader);

        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    *document = read;
    return APR_SUCCESS;
}

const char *mnet_xmlrpc_reader_problem(const mnet_xmlrpc_reader_t *reader)
{
    return reader->problem;
}
