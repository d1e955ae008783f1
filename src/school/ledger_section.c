/* SPDX-License-Identifier: Apache-2.0 */
/* Sections, and the terms they are taught in. */
#include "school/ledger_int.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/status.h"

/* --- looking up --- */

apr_status_t mnet_ledger_section(mnet_ledger_t *ledger, apr_int64_t id, mnet_section_t **section)
{
    mnet_name_t key;
    const void *data;
    apr_size_t len;
    apr_status_t rv;

    *section = NULL;
    mnet_key_of(ledger, &key, id, 0);
    rv = mnet_txn_get(ledger->txn, LEDGER_SECTION, key.bytes, key.len, &data, &len);
    return rv ? rv : mnet_section_unpack(key.bytes, data, len, section, ledger->pool);
}

/* The first of a name that fits. */
typedef int fits_fn(const mnet_ledger_t *ledger, const mnet_section_t *section, const char *id);

static apr_status_t first_of(mnet_ledger_t *ledger, char letter, const char *a, const char *b,
                             fits_fn *fits, mnet_section_t **section)
{
    apr_array_header_t *ids;
    apr_status_t rv = mnet_index_find(ledger, letter, a, b, &ids);

    for (int i = 0; !rv && i < ids->nelts; i++) {
        rv = mnet_ledger_section(ledger, APR_ARRAY_IDX(ids, i, apr_int64_t), section);
        if (!rv && fits(ledger, *section, a)) {
            return APR_SUCCESS;
        }
    }
    *section = NULL;
    return rv ? rv : APR_NOTFOUND;
}

static int is_the_peers(const mnet_ledger_t *ledger, const mnet_section_t *section, const char *id)
{
    const mnet_link_t *link = mnet_link_of(section->links, ledger->peer);

    return link && mnet_same(link->idnumber, id);
}

static int is_ours(const mnet_ledger_t *ledger, const mnet_section_t *section, const char *id)
{
    return mnet_same(section->idnumber, id);
}

static int is_open(const mnet_ledger_t *ledger, const mnet_section_t *section, const char *id)
{
    return section->by_hand && !section->links->nelts;
}

static int is_ours_and_open(const mnet_ledger_t *ledger, const mnet_section_t *section,
                            const char *id)
{
    return is_ours(ledger, section, id) && is_open(ledger, section, id);
}

/* Made by hand, and not joined by another peer since: then it is that one's. */
static int is_ours_to_peer(const mnet_ledger_t *ledger, const mnet_section_t *section,
                           const char *id)
{
    return is_ours(ledger, section, id) &&
           (!section->links->nelts || mnet_link_of(section->links, ledger->peer));
}

static int is_any(const mnet_ledger_t *ledger, const mnet_section_t *section, const char *id)
{
    return 1;
}

apr_status_t mnet_ledger_find_section(mnet_ledger_t *ledger, const char *idnumber,
                                      mnet_section_t **section)
{
    apr_status_t rv = APR_NOTFOUND;

    if (ledger->peer) {
        rv = first_of(ledger, NAME_SECTION_ID, idnumber, NULL, is_the_peers, section);
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? first_of(ledger, NAME_SECTION_ID, idnumber, NULL,
                                                 ledger->peer ? is_ours_to_peer : is_ours, section)
                                      : rv;
}

apr_status_t mnet_ledger_find_remote(mnet_ledger_t *ledger, const char *remoteid,
                                     mnet_section_t **section)
{
    return first_of(ledger, NAME_REMOTE, ledger->peer, remoteid, is_any, section);
}

static apr_status_t only_one(mnet_ledger_t *ledger, char letter, const char *name,
                             mnet_section_t **section)
{
    apr_array_header_t *ids;
    apr_status_t rv = mnet_index_find(ledger, letter, name, NULL, &ids);

    *section = NULL;
    if (rv || ids->nelts != 1) {
        return rv ? rv : ids->nelts ? MNET_E_EXISTS : APR_NOTFOUND;
    }
    return mnet_ledger_section(ledger, APR_ARRAY_IDX(ids, 0, apr_int64_t), section);
}

apr_status_t mnet_ledger_named_section(mnet_ledger_t *ledger, const char *name,
                                       mnet_section_t **section)
{
    apr_int64_t id;
    apr_status_t rv = first_of(ledger, NAME_SECTION_ID, name, NULL, is_ours, section);

    if (APR_STATUS_IS_NOTFOUND(rv)) {
        rv = only_one(ledger, NAME_SECTION_ID, name, section);
    }
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        rv = only_one(ledger, NAME_SECTION, name, section);
    }
    if (APR_STATUS_IS_NOTFOUND(rv) && name[0] == '#' &&
        mnet_parse_int(name + 1, strlen(name + 1), &id)) {
        rv = mnet_ledger_section(ledger, id, section);
    }
    return rv;
}

/* --- changing --- */

static apr_status_t write_section(mnet_ledger_t *ledger, mnet_section_t *section)
{
    mnet_name_t key;
    const void *data;
    apr_size_t len;

    section->mark = mnet_ledger_mark(ledger);
    data = mnet_section_pack(section, &len, ledger->pool);
    mnet_key_of(ledger, &key, section->id, 0);
    return mnet_ledger_write(ledger, LEDGER_SECTION, HISTORY_SECTION, &key, data, len);
}

static int has_id(const mnet_section_t *section)
{
    return section->idnumber || section->links->nelts;
}

/* The record that the facts are about, or NULL for a new one. */
static apr_status_t which(mnet_ledger_t *ledger, const mnet_section_facts_t *facts,
                          mnet_section_t **section)
{
    apr_status_t rv = APR_NOTFOUND;

    *section = NULL;
    if (facts->section) {
        return mnet_ledger_section(ledger, facts->section, section);
    }
    if (ledger->peer) {
        rv = first_of(ledger, NAME_SECTION_ID, facts->idnumber, NULL, is_the_peers, section);
        if (APR_STATUS_IS_NOTFOUND(rv) && facts->remoteid) {
            rv = mnet_ledger_find_remote(ledger, facts->remoteid, section);
        }
        if (APR_STATUS_IS_NOTFOUND(rv)) {
            rv =
                first_of(ledger, NAME_SECTION_ID, facts->idnumber, NULL, is_ours_and_open, section);
        }
        if (APR_STATUS_IS_NOTFOUND(rv) && facts->name) {
            rv = first_of(ledger, NAME_SECTION_OPEN, facts->name, NULL, is_open, section);
        }
    } else {
        if (facts->idnumber) {
            rv = first_of(ledger, NAME_SECTION_ID, facts->idnumber, NULL, is_ours, section);
        }
        if (APR_STATUS_IS_NOTFOUND(rv) && facts->idnumber) {
            rv = only_one(ledger, NAME_SECTION_ID, facts->idnumber, section);
        }
        if (APR_STATUS_IS_NOTFOUND(rv) && facts->name) {
            rv = only_one(ledger, NAME_SECTION, facts->name, section);
            if (!rv && facts->idnumber && has_id(*section)) {
                *section = NULL; /* two of one name, told apart by idnumber */
            }
        }
    }
    if (rv == MNET_E_EXISTS) {
        return mnet_ledger_refuse(ledger, MNET_LEDGER_CONFLICT, "section",
                                  "there are several of that name; say which by its idnumber");
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

static apr_status_t set_name(mnet_ledger_t *ledger, mnet_section_t *section, const char *name,
                             int *changed)
{
    apr_status_t rv = APR_SUCCESS;

    if (!name || mnet_same(section->name, name)) {
        return APR_SUCCESS;
    }
    if (section->name) {
        rv = mnet_index_del(ledger, NAME_SECTION, section->name, NULL, section->id);
        rv = rv ? rv : mnet_index_del(ledger, NAME_SECTION_OPEN, section->name, NULL, section->id);
    }
    section->name = name;
    *changed = 1;
    return rv ? rv : mnet_index_add(ledger, NAME_SECTION, name, NULL, section->id);
}

static apr_status_t set_link(mnet_ledger_t *ledger, mnet_section_t *section,
                             const mnet_section_facts_t *facts, int *changed)
{
    mnet_link_t *link = (mnet_link_t *)mnet_link_of(section->links, ledger->peer);
    apr_status_t rv = APR_SUCCESS;

    if (!link) {
        link = apr_array_push(section->links);
        memset(link, 0, sizeof(*link));
        link->peer = ledger->peer;
        *changed = 1;
        rv = mnet_index_del(ledger, NAME_SECTION_OPEN, section->name, NULL, section->id);
    }
    if (!rv && facts->idnumber && !mnet_same(link->idnumber, facts->idnumber)) {
        if (link->idnumber && !mnet_same(link->idnumber, section->idnumber)) {
            rv = mnet_index_del(ledger, NAME_SECTION_ID, link->idnumber, NULL, section->id);
        }
        link->idnumber = facts->idnumber;
        *changed = 1;
        rv = rv ? rv : mnet_index_add(ledger, NAME_SECTION_ID, facts->idnumber, NULL, section->id);
    }
    if (!rv && facts->remoteid && !mnet_same(link->remoteid, facts->remoteid)) {
        link->remoteid = facts->remoteid;
        *changed = 1;
        rv = mnet_index_add(ledger, NAME_REMOTE, ledger->peer, facts->remoteid, section->id);
    }
    return rv;
}

static apr_status_t set_ours(mnet_ledger_t *ledger, mnet_section_t *section,
                             const mnet_section_facts_t *facts, int *changed)
{
    apr_status_t rv = APR_SUCCESS;

    if (!section->by_hand) {
        section->by_hand = 1;
        *changed = 1;
    }
    if (facts->idnumber && !mnet_same(section->idnumber, facts->idnumber)) {
        section->idnumber = facts->idnumber;
        *changed = 1;
        rv = mnet_index_add(ledger, NAME_SECTION_ID, facts->idnumber, NULL, section->id);
    }
    return rv || section->links->nelts
               ? rv
               : mnet_index_add(ledger, NAME_SECTION_OPEN, section->name, NULL, section->id);
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static apr_status_t add_segments(mnet_ledger_t *ledger, mnet_section_t *section,
                                 const apr_array_header_t *segments, int *changed)
{
    for (int i = 0; segments && i < segments->nelts; i++) {
        int number = APR_ARRAY_IDX(segments, i, int), known = 0;

        for (int j = 0; j < section->segments->nelts; j++) {
            known |= APR_ARRAY_IDX(section->segments, j, int) == number;
        }
        if (!known && section->segments->nelts >= MNET_LEDGER_SEGMENTS) {
            return mnet_ledger_refuse(ledger, MNET_LEDGER_BAD_FIELD, "segment",
                                      "a section has at most %d", MNET_LEDGER_SEGMENTS);
        }
        if (!known) {
            APR_ARRAY_PUSH(section->segments, int) = number;
            *changed = 1;
        }
    }
    if (section->segments->nelts > 1) {
        qsort(section->segments->elts, (size_t)section->segments->nelts, sizeof(int), by_number);
    }
    return APR_SUCCESS;
}

apr_status_t mnet_ledger_put_section(mnet_ledger_t *ledger, const mnet_section_facts_t *facts,
                                     mnet_section_t **section)
{
    int changed = 0, fresh;
    apr_status_t rv = which(ledger, facts, section);

    if (rv) {
        return rv;
    }
    fresh = !*section;
    if (fresh) {
        *section = apr_pcalloc(ledger->pool, sizeof(**section));
        (*section)->id = mnet_ledger_id(ledger);
        (*section)->links = apr_array_make(ledger->pool, 1, sizeof(mnet_link_t));
        (*section)->segments = apr_array_make(ledger->pool, 2, sizeof(int));
    }
    rv = set_name(ledger, *section,
                  facts->name ? facts->name
                  : fresh     ? facts->idnumber
                              : NULL,
                  &changed);
    rv = rv ? rv : (ledger->peer ? set_link : set_ours)(ledger, *section, facts, &changed);
    rv = rv ? rv : add_segments(ledger, *section, facts->segments, &changed);
    if (!rv && (fresh || changed)) {
        rv = write_section(ledger, *section);
    }
    mnet_ledger_did(ledger,
                    fresh     ? MNET_CHANGE_ADDED
                    : changed ? MNET_CHANGE_CHANGED
                              : MNET_CHANGE_NONE,
                    "section %s (%s): %s", mnet_section_id(*section, ledger->pool),
                    (*section)->name, fresh ? "added" : "changed");
    return rv;
}

/* --- terms --- */

apr_status_t mnet_ledger_term(mnet_ledger_t *ledger, int number, mnet_term_t **term)
{
    mnet_name_t key;
    const void *data;
    apr_size_t len;
    apr_status_t rv;

    *term = NULL;
    mnet_key_begin(ledger, &key);
    mnet_key_i32(&key, (apr_uint32_t)number);
    rv = mnet_txn_get(ledger->txn, LEDGER_TERM, key.bytes, key.len, &data, &len);
    return rv ? rv : mnet_term_unpack(key.bytes, data, len, term, ledger->pool);
}

static apr_status_t read_term(mnet_ledger_t *ledger, const void *key, apr_size_t key_len,
                              const void *data, apr_size_t len, void **record)
{
    return mnet_term_unpack(key, data, len, (mnet_term_t **)record, ledger->pool);
}

apr_status_t mnet_ledger_terms(mnet_ledger_t *ledger, apr_array_header_t **list)
{
    mnet_name_t prefix;

    mnet_key_begin(ledger, &prefix);
    return mnet_ledger_list(ledger, LEDGER_TERM, &prefix, read_term, list);
}

apr_status_t mnet_ledger_put_term(mnet_ledger_t *ledger, const mnet_term_t *facts)
{
    mnet_term_t *before, term = *facts;
    mnet_name_t key;
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_ledger_term(ledger, facts->number, &before);

    if (rv && !APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    if (before) {
        term.from = term.from ? term.from : before->from;
        term.to = term.to ? term.to : before->to;
    }
    if (before && mnet_same(before->name, term.name) && mnet_same(before->from, term.from) &&
        mnet_same(before->to, term.to)) {
        mnet_ledger_did(ledger, MNET_CHANGE_NONE, "%s", "");
        return APR_SUCCESS;
    }
    term.mark = mnet_ledger_mark(ledger);
    data = mnet_term_pack(&term, &len, ledger->pool);
    mnet_key_begin(ledger, &key);
    mnet_key_i32(&key, (apr_uint32_t)term.number);
    mnet_ledger_did(ledger, before ? MNET_CHANGE_CHANGED : MNET_CHANGE_ADDED, "term %d (%s): %s",
                    term.number, term.name, before ? "changed" : "added");
    return mnet_ledger_write(ledger, LEDGER_TERM, HISTORY_TERM, &key, data, len);
}

apr_status_t mnet_ledger_container(mnet_ledger_t *ledger, int segment, const char **name)
{
    apr_array_header_t *terms;
    mnet_term_t *term;
    apr_status_t rv;

    *name = "Ongoing";
    if (!segment) {
        return APR_SUCCESS;
    }
    rv = mnet_ledger_term(ledger, segment, &term);
    if (!rv) {
        *name = term->name;
        return APR_SUCCESS;
    }
    rv = APR_STATUS_IS_NOTFOUND(rv) ? mnet_ledger_terms(ledger, &terms) : rv;
    if (!rv && !terms->nelts) {
        *name = apr_psprintf(ledger->pool, "Term %d", segment);
    }
    return rv;
}
