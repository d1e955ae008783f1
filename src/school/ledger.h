/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_SCHOOL_LEDGER_H
#define MNET_SCHOOL_LEDGER_H

/*
 * The school ledger: people, sections (a section is one taught group of a course), enrolments,
 * assessments and grades, as peers tell of them and as people here enter them by hand.  Nothing is
 * ever erased: each record has a history, entry for entry, with who said it and when.
 *
 * Everything happens in a transaction that the caller begins and commits, so that what belongs
 * together is written together.  An operation that is refused (MNET_E_REFUSED) says in the ledger
 * which field is wrong, and the caller aborts.
 *
 * Who is who.  A person is known by an idnumber, which is the same at every peer and here; without
 * one by username and peer.  A section or an assessment is known by the idnumber that a peer gave
 * it; two peers' are never the same one.  What was made by hand becomes one with what a peer tells
 * of if it has the same idnumber or exactly the same name.  What a peer tells does not undo what a
 * hand has entered: it is kept beside it.
 */

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "rpc/engine.h"
#include "service/session.h"

#define MNET_LEDGER_ID_MAX   255  /* characters of an idnumber or a code */
#define MNET_LEDGER_NAME_MAX 255  /* characters of a name */
#define MNET_LEDGER_NOTE_MAX 4096 /* bytes */
#define MNET_LEDGER_POINTS   1e9  /* the most that an assessment can have */
#define MNET_LEDGER_ATTEMPTS 100000
#define MNET_LEDGER_SEGMENT  9999 /* the greatest number of a term */
#define MNET_LEDGER_SEGMENTS 100  /* of one section */
#define MNET_LEDGER_FIELDS   100  /* that one peer tells of a person */
#define MNET_LEDGER_LOGINS   100  /* of one person */

/* Faults of ours; an unknown section or user has Moodle's code. */
typedef enum {
    MNET_LEDGER_NO_SECTION = 5012,
    MNET_LEDGER_NO_PERSON = 5014,
    MNET_LEDGER_BAD_FIELD = 7201, /* missing, of the wrong type, too long, out of range */
    MNET_LEDGER_NO_ITEM = 7202,   /* no such assessment */
    MNET_LEDGER_TOO_MANY = 7203,  /* more points than there are */
    MNET_LEDGER_NOT_IN = 7204,    /* not enrolled there */
    MNET_LEDGER_CONFLICT = 7205   /* it contradicts what is known */
} mnet_ledger_fault_e;

typedef enum { MNET_ROLE_STUDENT = 1, MNET_ROLE_TEACHER } mnet_role_e;
typedef enum {
    MNET_STATUS_ACTIVE = 1,
    MNET_STATUS_WITHDRAWN, /* without a grade */
    MNET_STATUS_FAILING,   /* withdrawn failing */
    MNET_STATUS_PASSED
} mnet_status_e;
typedef enum { MNET_CHANGE_NONE, MNET_CHANGE_ADDED, MNET_CHANGE_CHANGED } mnet_change_e;

/* Who said it, and when. */
typedef struct mnet_mark_t {
    apr_time_t when;
    const char *source; /* a peer's wwwroot; NULL: by hand */
    const char *by;     /* by hand: who, if they said so */
} mnet_mark_t;

/* How a peer knows somebody. */
typedef struct mnet_login_name_t {
    const char *peer; /* wwwroot; our own: a user of this site */
    const char *username;
    int allowed;                      /* may they log in here from there? */
    const apr_array_header_t *fields; /* mnet_attribute_t: what the peer says of them */
} mnet_login_name_t;

typedef struct mnet_person_t {
    apr_int64_t id;
    mnet_mark_t mark;
    const char *idnumber;             /* or NULL */
    const apr_array_header_t *fields; /* mnet_attribute_t: by hand */
    apr_array_header_t *logins;       /* mnet_login_name_t, oldest first */
    apr_int64_t same_as;              /* not 0: was found to be that person, and is no more */
} mnet_person_t;

/* How a peer knows a section or an assessment. */
typedef struct mnet_link_t {
    const char *peer;
    const char *idnumber;
    const char *remoteid; /* of a section: its number in mnet_enrol; NULL: not known */
} mnet_link_t;

typedef struct mnet_section_t {
    apr_int64_t id;
    mnet_mark_t mark;
    const char *name;
    const char *idnumber; /* given by hand, or NULL */
    int by_hand;
    apr_array_header_t *links;    /* mnet_link_t */
    apr_array_header_t *segments; /* int, ascending; none: ongoing */
} mnet_section_t;

typedef struct mnet_item_t {
    apr_int64_t id, section;
    mnet_mark_t mark;
    const char *name;
    const char *idnumber;
    int by_hand;
    apr_array_header_t *links;
    int chapter, honors, nonhonors, extra;
    double points;
} mnet_item_t;

typedef struct mnet_enrolment_t {
    apr_int64_t section, person;
    int role; /* mnet_role_e */
    mnet_mark_t mark;
    int status;       /* mnet_status_e */
    int said;         /* the status that a peer told last; 0: none did */
    const char *code; /* or NULL */
    const char *note;
} mnet_enrolment_t;

typedef struct mnet_grade_t {
    apr_int64_t person, item;
    int attempt;
    mnet_mark_t mark;
    double points, of; /* of: what the assessment had then */
    int excepted;
    int taken_back; /* it counts no more; it was entered by mistake */
} mnet_grade_t;

/* A term, as an administrator has named it. */
typedef struct mnet_term_t {
    int number;
    mnet_mark_t mark;
    const char *name;
    const char *from, *to; /* "2026-09-01" or NULL */
} mnet_term_t;

typedef struct mnet_ledger_t {
    mnet_host_t *host;
    mnet_txn_t *txn;
    apr_pool_t *pool; /* of what operations make; the caller may replace it between two */
    apr_time_t now;
    const char *peer; /* whose words these are; NULL: by hand */
    const char *by;
    /* Why the last operation was refused. */
    int fault;
    const char *field, *why;
    /* What was done so far. */
    mnet_change_e change; /* by the last operation */
    apr_int64_t added, changed, same;
    apr_array_header_t *told; /* const char *: the first changes in words; NULL: not wanted */
    int told_before;          /* how many there were at its beginning */
    apr_pool_t *keep;         /* where those live */
    /* The ledger's own record. */
    apr_int64_t next_id, next_entry;
    int touched;
} mnet_ledger_t;

#define MNET_LEDGER_TOLD 1000 /* changes in words */

/* Is there a ledger here at all? */
int mnet_ledger_on(const mnet_host_t *host);
apr_status_t mnet_ledger_begin(mnet_ledger_t *ledger, mnet_host_t *host, mnet_txn_e kind,
                               const char *peer, apr_time_t now, apr_pool_t *pool);
apr_status_t mnet_ledger_commit(mnet_ledger_t *ledger);
void mnet_ledger_abort(mnet_ledger_t *ledger); /* harmless after a commit */
/* Sets why, and answers MNET_E_REFUSED. */
apr_status_t mnet_ledger_refuse(mnet_ledger_t *ledger, int fault, const char *field,
                                const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* --- what is there.  APR_NOTFOUND: nothing --- */

apr_status_t mnet_ledger_person(mnet_ledger_t *ledger, apr_int64_t id, mnet_person_t **person);
apr_status_t mnet_ledger_section(mnet_ledger_t *ledger, apr_int64_t id, mnet_section_t **section);
apr_status_t mnet_ledger_item(mnet_ledger_t *ledger, apr_int64_t id, mnet_item_t **item);
apr_status_t mnet_ledger_enrolment(mnet_ledger_t *ledger, apr_int64_t section, apr_int64_t person,
                                   int role, mnet_enrolment_t **enrolment);
apr_status_t mnet_ledger_term(mnet_ledger_t *ledger, int number, mnet_term_t **term);

/* By what a peer calls it (ledger->peer): a person by idnumber, else by username; an assessment or
 * a section by idnumber. */
apr_status_t mnet_ledger_find_person(mnet_ledger_t *ledger, const char *name,
                                     mnet_person_t **person);
apr_status_t mnet_ledger_find_login(mnet_ledger_t *ledger, const char *peer, const char *username,
                                    mnet_person_t **person);
apr_status_t mnet_ledger_find_idnumber(mnet_ledger_t *ledger, const char *idnumber,
                                       mnet_person_t **person);
/* Was that login somebody's who has another one now?  It is no stranger's then. */
apr_status_t mnet_ledger_was_login(mnet_ledger_t *ledger, const char *peer, const char *username,
                                   int *was);
apr_status_t mnet_ledger_find_section(mnet_ledger_t *ledger, const char *idnumber,
                                      mnet_section_t **section);
apr_status_t mnet_ledger_find_remote(mnet_ledger_t *ledger, const char *remoteid,
                                     mnet_section_t **section);
apr_status_t mnet_ledger_find_item(mnet_ledger_t *ledger, const char *idnumber, mnet_item_t **item);
/* By what people here write: an idnumber, a name if it is the only one, "username@peer", "#7".
 * MNET_E_EXISTS: there are several. */
apr_status_t mnet_ledger_named_person(mnet_ledger_t *ledger, const char *name,
                                      mnet_person_t **person);
apr_status_t mnet_ledger_named_section(mnet_ledger_t *ledger, const char *name,
                                       mnet_section_t **section);
apr_status_t mnet_ledger_named_item(mnet_ledger_t *ledger, const mnet_section_t *section,
                                    const char *name, mnet_item_t **item);

/* All of a person's, or of a section's: mnet_enrolment_t *; of a section: mnet_item_t *; of a
 * person, perhaps in one assessment (0: all): mnet_grade_t *, by assessment and attempt. */
apr_status_t mnet_ledger_enrolments_of(mnet_ledger_t *ledger, apr_int64_t person,
                                       apr_array_header_t **list);
apr_status_t mnet_ledger_enrolments_in(mnet_ledger_t *ledger, apr_int64_t section,
                                       apr_array_header_t **list);
apr_status_t mnet_ledger_items_in(mnet_ledger_t *ledger, apr_int64_t section,
                                  apr_array_header_t **list);
apr_status_t mnet_ledger_grades_of(mnet_ledger_t *ledger, apr_int64_t person, apr_int64_t item,
                                   apr_array_header_t **list);
apr_status_t mnet_ledger_terms(mnet_ledger_t *ledger, apr_array_header_t **list);

/* --- what is told or entered.  Doing the same again changes nothing (ledger->change) --- */

typedef struct mnet_person_facts_t {
    const char *peer, *username;      /* NULL: no login (by hand) */
    const char *idnumber;             /* or NULL */
    int allowed;                      /* of a login that is new */
    const apr_array_header_t *fields; /* mnet_attribute_t; NULL: nothing is said */
} mnet_person_facts_t;
apr_status_t mnet_ledger_put_person(mnet_ledger_t *ledger, const mnet_person_facts_t *facts,
                                    mnet_person_t **person);
/* May they log in here?  peer: NULL: from wherever they are known. */
apr_status_t mnet_ledger_allow(mnet_ledger_t *ledger, mnet_person_t *person, const char *peer,
                               int allowed);

typedef struct mnet_section_facts_t {
    const char *name;     /* NULL: as it is */
    const char *idnumber; /* of a peer never NULL */
    const char *remoteid;
    apr_int64_t section;                /* by hand: it is that one; 0: look for it */
    const apr_array_header_t *segments; /* int; they are added */
} mnet_section_facts_t;
apr_status_t mnet_ledger_put_section(mnet_ledger_t *ledger, const mnet_section_facts_t *facts,
                                     mnet_section_t **section);

typedef struct mnet_item_facts_t {
    const mnet_section_t *section;
    const char *name, *idnumber;
    int chapter, honors, nonhonors, extra;
    double points;
    apr_int64_t item; /* by hand: it is that one; 0: look for it */
} mnet_item_facts_t;
apr_status_t mnet_ledger_put_item(mnet_ledger_t *ledger, const mnet_item_facts_t *facts,
                                  mnet_item_t **item);

typedef struct mnet_enrolment_facts_t {
    const mnet_section_t *section;
    const mnet_person_t *person;
    int role, status;        /* status 0: as it is, or active */
    const char *code, *note; /* NULL: as it is */
    int withdraw;            /* it must be there */
} mnet_enrolment_facts_t;
apr_status_t mnet_ledger_put_enrolment(mnet_ledger_t *ledger, const mnet_enrolment_facts_t *facts,
                                       mnet_enrolment_t **enrolment);

typedef struct mnet_grade_facts_t {
    const mnet_item_t *item;
    const mnet_person_t *person;
    int attempt, excepted, taken_back;
    double points;
} mnet_grade_facts_t;
apr_status_t mnet_ledger_put_grade(mnet_ledger_t *ledger, const mnet_grade_facts_t *facts,
                                   mnet_grade_t **grade);
/* Of two grades of one person in one assessment: does a count before b?  One that was not taken
 * back; the later attempt; of one attempt the one by hand, else the latest. */
int mnet_grade_counts(const mnet_grade_t *a, const mnet_grade_t *b);
apr_status_t mnet_ledger_put_term(mnet_ledger_t *ledger, const mnet_term_t *facts);

/* What a segment is called: its term, "Term 3" if no terms are named at all, else "Ongoing".
 * segment 0: none. */
apr_status_t mnet_ledger_container(mnet_ledger_t *ledger, int segment, const char **name);

/* --- history --- */

/* As it was at that time, or APR_NOTFOUND if it was not there yet. */
apr_status_t mnet_ledger_enrolment_at(mnet_ledger_t *ledger, const mnet_enrolment_t *now,
                                      apr_time_t when, mnet_enrolment_t **then);
apr_status_t mnet_ledger_grade_at(mnet_ledger_t *ledger, const mnet_grade_t *now, apr_time_t when,
                                  mnet_grade_t **then);
apr_status_t mnet_ledger_item_at(mnet_ledger_t *ledger, const mnet_item_t *now, apr_time_t when,
                                 mnet_item_t **then);
/* All entries, oldest first: mnet_enrolment_t *, mnet_grade_t *. */
apr_status_t mnet_ledger_enrolment_history(mnet_ledger_t *ledger, const mnet_enrolment_t *now,
                                           apr_array_header_t **list);
apr_status_t mnet_ledger_grade_history(mnet_ledger_t *ledger, const mnet_grade_t *now,
                                       apr_array_header_t **list);

/* --- words --- */

const char *mnet_role_name(int role);     /* "student" */
int mnet_role_of(const char *name);       /* 0: none */
const char *mnet_status_name(int status); /* "withdrawn failing" */
int mnet_status_of(const char *name);     /* 0: none; '_' and '-' are as spaces */
/* What is wrong with a text for a field, as a sentence, or NULL. */
const char *mnet_ledger_text_problem(const char *text, int characters);
/* First and last name, or the username. */
const char *mnet_person_name(const mnet_person_t *person, apr_pool_t *pool);
const char *mnet_person_field(const mnet_person_t *person, const char *name);
/* A username, of the first login; or NULL. */
const char *mnet_person_username(const mnet_person_t *person);
/* How people here may call it: the idnumber given by hand, a peer's, or "#7". */
const char *mnet_section_id(const mnet_section_t *section, apr_pool_t *pool);
const char *mnet_item_id(const mnet_item_t *item, apr_pool_t *pool);
const char *mnet_person_id(const mnet_person_t *person, apr_pool_t *pool);
const mnet_link_t *mnet_link_of(const apr_array_header_t *links, const char *peer);
/* "by hand", "by hand (Ms Gray)", or the peer. */
const char *mnet_mark_words(const mnet_mark_t *mark, apr_pool_t *pool);

#endif
