/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's records as bytes.  Each begins with who said it and when. */
#include "school/ledger_int.h"

#include <string.h>

#include "trust/texts.h"

#define VERSION 1
#define MANY    10000 /* logins, links */

static mnet_pack_t *begin(const mnet_mark_t *mark, apr_pool_t *pool)
{
    mnet_pack_t *pack = mnet_pack_create(VERSION, pool);

    mnet_pack_i64(pack, mark->when);
    mnet_pack_text(pack, mark->source);
    mnet_pack_text(pack, mark->by);
    return pack;
}

static apr_status_t open_record(mnet_unpack_t *unpack, const void *data, apr_size_t len,
                                mnet_mark_t *mark, apr_pool_t *pool)
{
    apr_status_t rv = mnet_unpack_begin(unpack, data, len, VERSION, pool);

    mark->when = mnet_unpack_i64(unpack);
    mark->source = mnet_unpack_text(unpack);
    mark->by = mnet_unpack_text(unpack);
    return rv;
}

static void pack_double(mnet_pack_t *pack, double number)
{
    apr_int64_t bits;

    memcpy(&bits, &number, sizeof(bits));
    mnet_pack_i64(pack, bits);
}

static double unpack_double(mnet_unpack_t *unpack)
{
    apr_int64_t bits = mnet_unpack_i64(unpack);
    double number;

    memcpy(&number, &bits, sizeof(number));
    return number;
}

static void pack_links(mnet_pack_t *pack, const apr_array_header_t *links)
{
    mnet_pack_i64(pack, links->nelts);
    for (int i = 0; i < links->nelts; i++) {
        const mnet_link_t *link = &APR_ARRAY_IDX(links, i, mnet_link_t);

        mnet_pack_text(pack, link->peer);
        mnet_pack_text(pack, link->idnumber);
        mnet_pack_text(pack, link->remoteid);
    }
}

static apr_array_header_t *unpack_links(mnet_unpack_t *unpack)
{
    apr_array_header_t *links = apr_array_make(unpack->pool, 1, sizeof(mnet_link_t));
    int count = (int)mnet_number_unpack(unpack, 0, MANY);

    for (int i = 0; i < count && !unpack->bad; i++) {
        mnet_link_t *link = apr_array_push(links);

        link->peer = mnet_unpack_text(unpack);
        link->idnumber = mnet_unpack_text(unpack);
        link->remoteid = mnet_unpack_text(unpack);
        unpack->bad |= !link->peer;
    }
    return links;
}

/* --- people --- */

const void *mnet_person_pack(const mnet_person_t *person, apr_size_t *len, apr_pool_t *pool)
{
    mnet_pack_t *pack = begin(&person->mark, pool);

    mnet_pack_text(pack, person->idnumber);
    mnet_pack_i64(pack, person->same_as);
    mnet_attributes_pack(pack, person->fields);
    mnet_pack_i64(pack, person->logins->nelts);
    for (int i = 0; i < person->logins->nelts; i++) {
        const mnet_login_name_t *login = &APR_ARRAY_IDX(person->logins, i, mnet_login_name_t);

        mnet_pack_text(pack, login->peer);
        mnet_pack_text(pack, login->username);
        mnet_pack_u8(pack, login->allowed != 0);
        mnet_attributes_pack(pack, login->fields);
    }
    return mnet_pack_end(pack, len);
}

apr_status_t mnet_person_unpack(const void *key, const void *data, apr_size_t len,
                                mnet_person_t **person, apr_pool_t *pool)
{
    mnet_person_t *one = apr_pcalloc(pool, sizeof(*one));
    mnet_unpack_t unpack;
    apr_status_t rv = open_record(&unpack, data, len, &one->mark, pool);
    int count;

    *person = one;
    one->id = mnet_key_at(key, MNET_SITE_PREFIX);
    one->idnumber = mnet_unpack_text(&unpack);
    one->same_as = mnet_unpack_i64(&unpack);
    one->fields = mnet_attributes_unpack(&unpack);
    count = (int)mnet_number_unpack(&unpack, 0, MANY);
    one->logins = apr_array_make(pool, 2, sizeof(mnet_login_name_t));
    for (int i = 0; i < count && !unpack.bad; i++) {
        mnet_login_name_t *login = apr_array_push(one->logins);

        login->peer = mnet_unpack_text(&unpack);
        login->username = mnet_unpack_text(&unpack);
        login->allowed = mnet_unpack_u8(&unpack) == 1;
        login->fields = mnet_attributes_unpack(&unpack);
        unpack.bad |= !login->peer || !login->username;
    }
    return rv ? rv : mnet_unpack_end(&unpack);
}

/* --- sections --- */

const void *mnet_section_pack(const mnet_section_t *section, apr_size_t *len, apr_pool_t *pool)
{
    mnet_pack_t *pack = begin(&section->mark, pool);

    mnet_pack_text(pack, section->name);
    mnet_pack_text(pack, section->idnumber);
    mnet_pack_u8(pack, section->by_hand != 0);
    pack_links(pack, section->links);
    mnet_pack_i64(pack, section->segments->nelts);
    for (int i = 0; i < section->segments->nelts; i++) {
        mnet_pack_i64(pack, APR_ARRAY_IDX(section->segments, i, int));
    }
    return mnet_pack_end(pack, len);
}

apr_status_t mnet_section_unpack(const void *key, const void *data, apr_size_t len,
                                 mnet_section_t **section, apr_pool_t *pool)
{
    mnet_section_t *one = apr_pcalloc(pool, sizeof(*one));
    mnet_unpack_t unpack;
    apr_status_t rv = open_record(&unpack, data, len, &one->mark, pool);
    int count;

    *section = one;
    one->id = mnet_key_at(key, MNET_SITE_PREFIX);
    one->name = mnet_unpack_text(&unpack);
    one->idnumber = mnet_unpack_text(&unpack);
    one->by_hand = mnet_unpack_u8(&unpack) == 1;
    one->links = unpack_links(&unpack);
    count = (int)mnet_number_unpack(&unpack, 0, MNET_LEDGER_SEGMENTS);
    one->segments = apr_array_make(pool, 2, sizeof(int));
    for (int i = 0; i < count && !unpack.bad; i++) {
        APR_ARRAY_PUSH(one->segments, int) =
            (int)mnet_number_unpack(&unpack, 1, MNET_LEDGER_SEGMENT);
    }
    unpack.bad |= !one->name;
    return rv ? rv : mnet_unpack_end(&unpack);
}

/* --- assessments --- */

const void *mnet_item_pack(const mnet_item_t *item, apr_size_t *len, apr_pool_t *pool)
{
    mnet_pack_t *pack = begin(&item->mark, pool);

    mnet_pack_i64(pack, item->section);
    mnet_pack_text(pack, item->name);
    mnet_pack_text(pack, item->idnumber);
    mnet_pack_u8(pack, item->by_hand != 0);
    pack_links(pack, item->links);
    mnet_pack_i64(pack, item->chapter);
    mnet_pack_u8(pack, item->honors != 0);
    mnet_pack_u8(pack, item->nonhonors != 0);
    mnet_pack_u8(pack, item->extra != 0);
    pack_double(pack, item->points);
    return mnet_pack_end(pack, len);
}

apr_status_t mnet_item_unpack(const void *key, const void *data, apr_size_t len, mnet_item_t **item,
                              apr_pool_t *pool)
{
    mnet_item_t *one = apr_pcalloc(pool, sizeof(*one));
    mnet_unpack_t unpack;
    apr_status_t rv = open_record(&unpack, data, len, &one->mark, pool);

    *item = one;
    one->id = mnet_key_at(key, MNET_SITE_PREFIX);
    one->section = mnet_unpack_i64(&unpack);
    one->name = mnet_unpack_text(&unpack);
    one->idnumber = mnet_unpack_text(&unpack);
    one->by_hand = mnet_unpack_u8(&unpack) == 1;
    one->links = unpack_links(&unpack);
    one->chapter = (int)mnet_number_unpack(&unpack, 0, APR_INT32_MAX);
    one->honors = mnet_unpack_u8(&unpack) == 1;
    one->nonhonors = mnet_unpack_u8(&unpack) == 1;
    one->extra = mnet_unpack_u8(&unpack) == 1;
    one->points = unpack_double(&unpack);
    unpack.bad |= !one->name;
    return rv ? rv : mnet_unpack_end(&unpack);
}

/* --- enrolments --- */

const void *mnet_enrolment_pack(const mnet_enrolment_t *enrolment, apr_size_t *len,
                                apr_pool_t *pool)
{
    mnet_pack_t *pack = begin(&enrolment->mark, pool);

    mnet_pack_u8(pack, (unsigned char)enrolment->status);
    mnet_pack_u8(pack, (unsigned char)enrolment->said);
    mnet_pack_text(pack, enrolment->code);
    mnet_pack_text(pack, enrolment->note);
    return mnet_pack_end(pack, len);
}

apr_status_t mnet_enrolment_unpack(const void *key, const void *data, apr_size_t len,
                                   mnet_enrolment_t **enrolment, apr_pool_t *pool)
{
    mnet_enrolment_t *one = apr_pcalloc(pool, sizeof(*one));
    mnet_unpack_t unpack;
    apr_status_t rv = open_record(&unpack, data, len, &one->mark, pool);

    *enrolment = one;
    one->section = mnet_key_at(key, MNET_SITE_PREFIX);
    one->person = mnet_key_at(key, MNET_SITE_PREFIX + 8);
    one->role = ((const unsigned char *)key)[MNET_SITE_PREFIX + 16];
    one->status = mnet_unpack_u8(&unpack);
    one->said = mnet_unpack_u8(&unpack);
    one->code = mnet_unpack_text(&unpack);
    one->note = mnet_unpack_text(&unpack);
    unpack.bad |= one->status < MNET_STATUS_ACTIVE || one->status > MNET_STATUS_PASSED ||
                  one->said > MNET_STATUS_PASSED;
    return rv ? rv : mnet_unpack_end(&unpack);
}

/* --- grades --- */

const void *mnet_grade_pack(const mnet_grade_t *grade, apr_size_t *len, apr_pool_t *pool)
{
    mnet_pack_t *pack = begin(&grade->mark, pool);

    pack_double(pack, grade->points);
    pack_double(pack, grade->of);
    mnet_pack_u8(pack, grade->excepted != 0);
    mnet_pack_u8(pack, grade->taken_back != 0);
    return mnet_pack_end(pack, len);
}

apr_status_t mnet_grade_unpack(const void *key, const void *data, apr_size_t len,
                               mnet_grade_t **grade, apr_pool_t *pool)
{
    mnet_grade_t *one = apr_pcalloc(pool, sizeof(*one));
    mnet_unpack_t unpack;
    apr_status_t rv = open_record(&unpack, data, len, &one->mark, pool);

    *grade = one;
    one->person = mnet_key_at(key, MNET_SITE_PREFIX);
    one->item = mnet_key_at(key, MNET_SITE_PREFIX + 8);
    one->attempt = (int)mnet_key_at32(key, MNET_SITE_PREFIX + 16);
    one->points = unpack_double(&unpack);
    one->of = unpack_double(&unpack);
    one->excepted = mnet_unpack_u8(&unpack) == 1;
    one->taken_back = mnet_unpack_u8(&unpack) == 1;
    return rv ? rv : mnet_unpack_end(&unpack);
}

/* --- terms --- */

const void *mnet_term_pack(const mnet_term_t *term, apr_size_t *len, apr_pool_t *pool)
{
    mnet_pack_t *pack = begin(&term->mark, pool);

    mnet_pack_text(pack, term->name);
    mnet_pack_text(pack, term->from);
    mnet_pack_text(pack, term->to);
    return mnet_pack_end(pack, len);
}

apr_status_t mnet_term_unpack(const void *key, const void *data, apr_size_t len, mnet_term_t **term,
                              apr_pool_t *pool)
{
    mnet_term_t *one = apr_pcalloc(pool, sizeof(*one));
    mnet_unpack_t unpack;
    apr_status_t rv = open_record(&unpack, data, len, &one->mark, pool);

    *term = one;
    one->number = (int)mnet_key_at32(key, MNET_SITE_PREFIX);
    one->name = mnet_unpack_text(&unpack);
    one->from = mnet_unpack_text(&unpack);
    one->to = mnet_unpack_text(&unpack);
    unpack.bad |= !one->name;
    return rv ? rv : mnet_unpack_end(&unpack);
}
