/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SCHOOL_LEDGER_INT_H
#define MNET_SCHOOL_LEDGER_INT_H

/*
 * The ledger from inside.  Its records, all named after a prefix of the site (sso_int.h):
 *
 *   group           key                                 value
 *   ledger          -                                   the next numbers, and whose ledger it is
 *   ledger-person   id                                  ledger_record.c
 *   ledger-section  id
 *   ledger-item     id
 *   ledger-enrol    section, person, role
 *   ledger-grade    person, item, attempt, source
 *   ledger-term     number
 *   ledger-of       person, section, role               nothing: the enrolments of a person
 *   ledger-in       section, id                         nothing: the assessments of a section
 *   ledger-index    letter, SHA-256 of a name, id       nothing: names (below)
 *   ledger-history  letter, the record's key, entry     the record as it was from then on
 *
 * Numbers are big-endian: 64 bits an id, 32 an attempt.
 */

#include "school/ledger.h"
#include "service/sso_int.h"

#define LEDGER_GROUP   "ledger"
#define LEDGER_PERSON  "ledger-person"
#define LEDGER_SECTION "ledger-section"
#define LEDGER_ITEM    "ledger-item"
#define LEDGER_ENROL   "ledger-enrol"
#define LEDGER_GRADE   "ledger-grade"
#define LEDGER_TERM    "ledger-term"
#define LEDGER_OF      "ledger-of"
#define LEDGER_IN      "ledger-in"
#define LEDGER_INDEX   "ledger-index"
#define LEDGER_HISTORY "ledger-history"

/* Letters of names. */
#define NAME_IDNUMBER     'i' /* of a person */
#define NAME_LOGIN        'u' /* peer and username */
#define NAME_USERNAME     'w' /* username alone */
#define NAME_GONE         'g' /* peer and username, of whom it was and is no more */
#define NAME_SECTION_ID   's' /* idnumber by hand or of a peer */
#define NAME_SECTION      'n' /* name */
#define NAME_SECTION_OPEN 'o' /* name; made by hand, and no peer has joined it yet */
#define NAME_REMOTE       'r' /* peer and remoteid */
#define NAME_ITEM_ID      'a'
#define NAME_ITEM         'm' /* section and name */
#define NAME_ITEM_OPEN    'p' /* section and name; as NAME_SECTION_OPEN */

/* Letters of histories. */
#define HISTORY_PERSON  'P'
#define HISTORY_SECTION 'S'
#define HISTORY_ITEM    'A'
#define HISTORY_ENROL   'E'
#define HISTORY_GRADE   'G'
#define HISTORY_TERM    'T'

#define LEDGER_SAME_NAME 1000 /* records of one name that are looked at */

/* --- ledger_key.c --- */

void mnet_key_begin(const mnet_ledger_t *ledger, mnet_name_t *key);
void mnet_key_i64(mnet_name_t *key, apr_int64_t number);
void mnet_key_i32(mnet_name_t *key, apr_uint32_t number);
/* A number at a place in a key. */
apr_int64_t mnet_key_at(const void *key, apr_size_t offset);
apr_uint32_t mnet_key_at32(const void *key, apr_size_t offset);
/* site, and up to two ids. */
void mnet_key_of(const mnet_ledger_t *ledger, mnet_name_t *key, apr_int64_t a, apr_int64_t b);
void mnet_key_enrol(const mnet_ledger_t *ledger, mnet_name_t *key, apr_int64_t section,
                    apr_int64_t person, int role);
/* source: a peer's wwwroot or NULL. */
apr_status_t mnet_key_grade(const mnet_ledger_t *ledger, mnet_name_t *key, apr_int64_t person,
                            apr_int64_t item, int attempt, const char *source);

apr_int64_t mnet_ledger_id(mnet_ledger_t *ledger); /* a new one */
apr_status_t mnet_index_add(mnet_ledger_t *ledger, char letter, const char *a, const char *b,
                            apr_int64_t id);
apr_status_t mnet_index_del(mnet_ledger_t *ledger, char letter, const char *a, const char *b,
                            apr_int64_t id);
/* The ids of a name: apr_int64_t. */
apr_status_t mnet_index_find(mnet_ledger_t *ledger, char letter, const char *a, const char *b,
                             apr_array_header_t **ids);
/* A section's id as the first part of the name of an item of it. */
const char *mnet_section_text(apr_int64_t section, apr_pool_t *pool);

/* Writes a record and its entry in the history. */
apr_status_t mnet_ledger_write(mnet_ledger_t *ledger, const char *group, char letter,
                               const mnet_name_t *key, const void *data, apr_size_t len);
/* Every record of a group under a prefix, in their order; read: unpacks one, answers it to list. */
typedef apr_status_t mnet_read_fn(mnet_ledger_t *ledger, const void *key, apr_size_t key_len,
                                  const void *data, apr_size_t len, void **record);
apr_status_t mnet_ledger_list(mnet_ledger_t *ledger, const char *group, const mnet_name_t *prefix,
                              mnet_read_fn *read, apr_array_header_t **list);
/* Notes what was done, and tells it in words. */
void mnet_ledger_did(mnet_ledger_t *ledger, mnet_change_e change, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
mnet_mark_t mnet_ledger_mark(const mnet_ledger_t *ledger);

/* --- ledger_record.c: bytes and records.  key: the record's name in the store --- */

const void *mnet_person_pack(const mnet_person_t *person, apr_size_t *len, apr_pool_t *pool);
const void *mnet_section_pack(const mnet_section_t *section, apr_size_t *len, apr_pool_t *pool);
const void *mnet_item_pack(const mnet_item_t *item, apr_size_t *len, apr_pool_t *pool);
const void *mnet_enrolment_pack(const mnet_enrolment_t *enrolment, apr_size_t *len,
                                apr_pool_t *pool);
const void *mnet_grade_pack(const mnet_grade_t *grade, apr_size_t *len, apr_pool_t *pool);
const void *mnet_term_pack(const mnet_term_t *term, apr_size_t *len, apr_pool_t *pool);
apr_status_t mnet_person_unpack(const void *key, const void *data, apr_size_t len,
                                mnet_person_t **person, apr_pool_t *pool);
apr_status_t mnet_section_unpack(const void *key, const void *data, apr_size_t len,
                                 mnet_section_t **section, apr_pool_t *pool);
apr_status_t mnet_item_unpack(const void *key, const void *data, apr_size_t len, mnet_item_t **item,
                              apr_pool_t *pool);
apr_status_t mnet_enrolment_unpack(const void *key, const void *data, apr_size_t len,
                                   mnet_enrolment_t **enrolment, apr_pool_t *pool);
apr_status_t mnet_grade_unpack(const void *key, const void *data, apr_size_t len,
                               mnet_grade_t **grade, apr_pool_t *pool);
apr_status_t mnet_term_unpack(const void *key, const void *data, apr_size_t len, mnet_term_t **term,
                              apr_pool_t *pool);

/* --- ledger_unite.c --- */

/* Refuses another username of theirs. */
apr_status_t mnet_ledger_too_many_logins(mnet_ledger_t *ledger, const mnet_person_t *person);
/* Everything of from becomes to's; the records of the two are the caller's to write. */
apr_status_t mnet_ledger_unite(mnet_ledger_t *ledger, mnet_person_t *from, mnet_person_t *to);

/* --- pieces that several operations share --- */

/* Equal texts; NULL is as "". */
int mnet_same(const char *a, const char *b);
/* "" as NULL. */
const char *mnet_or_null(const char *text);

#endif
