/* SPDX-License-Identifier: Apache-2.0 */
/* Assessments: what is graded in a section. */
#include "school/ledger_int.h"

#include <apr_strings.h>
#include <string.h>

#include "base/number.h"
#include "base/status.h"

/* --- looking up --- */

apr_status_t mnet_ledger_item(mnet_ledger_t *ledger, apr_int64_t id, mnet_item_t **item)
{
    mnet_name_t key;
    const void *data;
    apr_size_t len;
    apr_status_t rv;

    *item = NULL;
    mnet_key_of(ledger, &key, id, 0);
    rv = mnet_txn_get(ledger->txn, LEDGER_ITEM, key.bytes, key.len, &data, &len);
    return rv ? rv : mnet_item_unpack(key.bytes, data, len, item, ledger->pool);
}

/* section 0: of any. */
typedef int fits_fn(const mnet_ledger_t *ledger, const mnet_item_t *item, const char *id,
                    apr_int64_t section);

static apr_status_t first_of(mnet_ledger_t *ledger, char letter, const char *a, const char *b,
                             fits_fn *fits, apr_int64_t section, mnet_item_t **item)
{
    apr_array_header_t *ids;
    apr_status_t rv = mnet_index_find(ledger, letter, a, b, &ids);

    for (int i = 0; !rv && i < ids->nelts; i++) {
        rv = mnet_ledger_item(ledger, APR_ARRAY_IDX(ids, i, apr_int64_t), item);
        if (!rv && fits(ledger, *item, a, section)) {
            return APR_SUCCESS;
        }
    }
    *item = NULL;
    return rv ? rv : APR_NOTFOUND;
}

static int is_the_peers(const mnet_ledger_t *ledger, const mnet_item_t *item, const char *id,
                        apr_int64_t section)
{
    const mnet_link_t *link = mnet_link_of(item->links, ledger->peer);

    return link && mnet_same(link->idnumber, id);
}

static int is_ours(const mnet_ledger_t *ledger, const mnet_item_t *item, const char *id,
                   apr_int64_t section)
{
    return mnet_same(item->idnumber, id) && (!section || item->section == section);
}

static int is_open(const mnet_ledger_t *ledger, const mnet_item_t *item, const char *id,
                   apr_int64_t section)
{
    return item->by_hand && !item->links->nelts && (!section || item->section == section);
}

static int is_ours_and_open(const mnet_ledger_t *ledger, const mnet_item_t *item, const char *id,
                            apr_int64_t section)
{
    return is_ours(ledger, item, id, section) && is_open(ledger, item, id, section);
}

static int is_in(const mnet_ledger_t *ledger, const mnet_item_t *item, const char *id,
                 apr_int64_t section)
{
    return item->section == section;
}

apr_status_t mnet_ledger_find_item(mnet_ledger_t *ledger, const char *idnumber, mnet_item_t **item)
{
    return first_of(ledger, NAME_ITEM_ID, idnumber, NULL, ledger->peer ? is_the_peers : is_ours, 0,
                    item);
}

static apr_status_t only_one(mnet_ledger_t *ledger, apr_int64_t section, const char *name,
                             mnet_item_t **item)
{
    apr_array_header_t *ids;
    apr_status_t rv =
        mnet_index_find(ledger, NAME_ITEM, mnet_section_text(section, ledger->pool), name, &ids);

    *item = NULL;
    if (rv || ids->nelts != 1) {
        return rv ? rv : ids->nelts ? MNET_E_EXISTS : APR_NOTFOUND;
    }
    return mnet_ledger_item(ledger, APR_ARRAY_IDX(ids, 0, apr_int64_t), item);
}

apr_status_t mnet_ledger_named_item(mnet_ledger_t *ledger, const mnet_section_t *section,
                                    const char *name, mnet_item_t **item)
{
    apr_int64_t id;
    apr_status_t rv = first_of(ledger, NAME_ITEM_ID, name, NULL, is_in, section->id, item);

    if (APR_STATUS_IS_NOTFOUND(rv)) {
        rv = only_one(ledger, section->id, name, item);
    }
    if (APR_STATUS_IS_NOTFOUND(rv) && name[0] == '#' &&
        mnet_parse_int(name + 1, strlen(name + 1), &id)) {
        rv = mnet_ledger_item(ledger, id, item);
        rv = rv || (*item)->section == section->id ? rv : APR_NOTFOUND;
    }
    return rv;
}

/* --- those of a section --- */

static apr_status_t read_in(mnet_ledger_t *ledger, const void *key, apr_size_t key_len,
                            const void *data, apr_size_t len, void **record)
{
    return mnet_ledger_item(ledger, mnet_key_at(key, MNET_SITE_PREFIX + 8), (mnet_item_t **)record);
}

apr_status_t mnet_ledger_items_in(mnet_ledger_t *ledger, apr_int64_t section,
                                  apr_array_header_t **list)
{
    mnet_name_t prefix;

    mnet_key_of(ledger, &prefix, section, 0);
    return mnet_ledger_list(ledger, LEDGER_IN, &prefix, read_in, list);
}

/* --- changing --- */

static apr_status_t write_item(mnet_ledger_t *ledger, mnet_item_t *item)
{
    mnet_name_t key;
    const void *data;
    apr_size_t len;

    item->mark = mnet_ledger_mark(ledger);
    data = mnet_item_pack(item, &len, ledger->pool);
    mnet_key_of(ledger, &key, item->id, 0);
    return mnet_ledger_write(ledger, LEDGER_ITEM, HISTORY_ITEM, &key, data, len);
}

/* What a peer tells of: known by its idnumber, or made by hand under the same idnumber or name. */
static apr_status_t which(mnet_ledger_t *ledger, const mnet_item_facts_t *facts, mnet_item_t **item)
{
    const char *in = mnet_section_text(facts->section->id, ledger->pool);
    apr_status_t rv = APR_NOTFOUND;

    *item = NULL;
    if (facts->item) {
        return mnet_ledger_item(ledger, facts->item, item);
    }
    if (ledger->peer) {
        rv = first_of(ledger, NAME_ITEM_ID, facts->idnumber, NULL, is_the_peers, 0, item);
        if (!rv && (*item)->section != facts->section->id) {
            return mnet_ledger_refuse(ledger, MNET_LEDGER_CONFLICT, "idnumber",
                                      "the assessment \"%s\" is in another section",
                                      facts->idnumber);
        }
        if (APR_STATUS_IS_NOTFOUND(rv)) {
            rv = first_of(ledger, NAME_ITEM_ID, facts->idnumber, NULL, is_ours_and_open,
                          facts->section->id, item);
        }
        if (APR_STATUS_IS_NOTFOUND(rv)) {
            rv = first_of(ledger, NAME_ITEM_OPEN, in, facts->name, is_open, 0, item);
        }
    } else {
        if (facts->idnumber) {
            rv = first_of(ledger, NAME_ITEM_ID, facts->idnumber, NULL, is_in, facts->section->id,
                          item);
        }
        if (APR_STATUS_IS_NOTFOUND(rv)) {
            rv = only_one(ledger, facts->section->id, facts->name, item);
            if (!rv && facts->idnumber && ((*item)->idnumber || (*item)->links->nelts)) {
                *item = NULL;
            }
        }
    }
    if (rv == MNET_E_EXISTS) {
        return mnet_ledger_refuse(ledger, MNET_LEDGER_CONFLICT, "assessment",
                                  "there are several of that name; say which by its idnumber");
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

static apr_status_t set_name(mnet_ledger_t *ledger, mnet_item_t *item, const char *name,
                             int *changed)
{
    const char *in = mnet_section_text(item->section, ledger->pool);
    apr_status_t rv = APR_SUCCESS;

    if (mnet_same(item->name, name)) {
        return APR_SUCCESS;
    }
    if (item->name) {
        rv = mnet_index_del(ledger, NAME_ITEM, in, item->name, item->id);
        rv = rv ? rv : mnet_index_del(ledger, NAME_ITEM_OPEN, in, item->name, item->id);
    }
    item->name = name;
    *changed = 1;
    return rv ? rv : mnet_index_add(ledger, NAME_ITEM, in, name, item->id);
}

static apr_status_t set_link(mnet_ledger_t *ledger, mnet_item_t *item,
                             const mnet_item_facts_t *facts, int *changed)
{
    mnet_link_t *link;

    if (mnet_link_of(item->links, ledger->peer)) {
        return APR_SUCCESS;
    }
    link = apr_array_push(item->links);
    link->peer = ledger->peer;
    link->idnumber = facts->idnumber;
    link->remoteid = NULL;
    *changed = 1;
    return mnet_index_add(ledger, NAME_ITEM_ID, facts->idnumber, NULL, item->id);
}

static apr_status_t set_ours(mnet_ledger_t *ledger, mnet_item_t *item,
                             const mnet_item_facts_t *facts, int *changed)
{
    apr_status_t rv = APR_SUCCESS;

    if (!item->by_hand) {
        item->by_hand = 1;
        *changed = 1;
    }
    if (facts->idnumber && !mnet_same(item->idnumber, facts->idnumber)) {
        item->idnumber = facts->idnumber;
        *changed = 1;
        rv = mnet_index_add(ledger, NAME_ITEM_ID, facts->idnumber, NULL, item->id);
    }
    return rv;
}

/* Only what no peer has joined may be joined. */
static apr_status_t set_open(mnet_ledger_t *ledger, const mnet_item_t *item)
{
    const char *in = mnet_section_text(item->section, ledger->pool);

    return item->by_hand && !item->links->nelts
               ? mnet_index_add(ledger, NAME_ITEM_OPEN, in, item->name, item->id)
               : mnet_index_del(ledger, NAME_ITEM_OPEN, in, item->name, item->id);
}

static void set_facts(mnet_item_t *item, const mnet_item_facts_t *facts, int *changed)
{
    *changed |= item->chapter != facts->chapter || item->honors != facts->honors ||
                item->nonhonors != facts->nonhonors || item->extra != facts->extra ||
                item->points != facts->points;
    item->chapter = facts->chapter;
    item->honors = facts->honors;
    item->nonhonors = facts->nonhonors;
    item->extra = facts->extra;
    item->points = facts->points;
}

static apr_status_t create(mnet_ledger_t *ledger, const mnet_item_facts_t *facts,
                           mnet_item_t **item)
{
    mnet_name_t key;

    *item = apr_pcalloc(ledger->pool, sizeof(**item));
    (*item)->id = mnet_ledger_id(ledger);
    (*item)->section = facts->section->id;
    (*item)->links = apr_array_make(ledger->pool, 1, sizeof(mnet_link_t));
    mnet_key_of(ledger, &key, (*item)->section, (*item)->id);
    return mnet_txn_put(ledger->txn, LEDGER_IN, key.bytes, key.len, "", 1);
}

apr_status_t mnet_ledger_put_item(mnet_ledger_t *ledger, const mnet_item_facts_t *facts,
                                  mnet_item_t **item)
{
    int changed = 0, fresh;
    apr_status_t rv = which(ledger, facts, item);

    fresh = !rv && !*item;
    rv = fresh ? create(ledger, facts, item) : rv;
    rv = rv ? rv : set_name(ledger, *item, facts->name, &changed);
    rv = rv ? rv : (ledger->peer ? set_link : set_ours)(ledger, *item, facts, &changed);
    if (rv) {
        return rv;
    }
    set_facts(*item, facts, &changed);
    if (fresh || changed) {
        rv = set_open(ledger, *item);
        rv = rv ? rv : write_item(ledger, *item);
    }
    mnet_ledger_did(ledger,
                    fresh     ? MNET_CHANGE_ADDED
                    : changed ? MNET_CHANGE_CHANGED
                              : MNET_CHANGE_NONE,
                    "assessment %s (%s): %s", mnet_item_id(*item, ledger->pool), (*item)->name,
                    fresh ? "added" : "changed");
    return rv;
}
