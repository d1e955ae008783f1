/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills a site's ledger, which may be in use, as a peer would: ledger STATE_DIR WWWROOT PEER GRADES
 * CALLS FILE.  A hundred students, as many assessments as it takes.  FILE gets CALLS documents of
 * new_grade, one to a line, each a grade that is not there yet.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>

#include "school/ledger.h"

#define STUDENTS        100
#define PER_TRANSACTION 5000

static void check(apr_status_t rv, const char *what)
{
    if (rv) {
        fprintf(stderr, "%s: %d\n", what, rv);
        exit(1);
    }
}

static mnet_host_t *open_host(const char *dir, const char *wwwroot, apr_pool_t *pool)
{
    mnet_engine_options_t options = {.state_dir = dir, .state_size = (apr_off_t)1 << 30};
    mnet_site_t *site = mnet_site_create(wwwroot, pool);
    apr_array_header_t *sites = apr_array_make(pool, 1, sizeof(const mnet_site_t *));
    apr_global_mutex_t *mutex;
    mnet_engine_t *engine;
    const char *why = "";

    APR_ARRAY_PUSH(sites, const mnet_site_t *) = site;
    options.sites = sites;
    options.registry = mnet_registry_create(pool);
    check(apr_global_mutex_create(&mutex, NULL, APR_LOCK_DEFAULT, pool), "mutex");
    check(mnet_shared_create(&options.shared, 1 << 20, mutex, NULL, &why, pool), why);
    check(mnet_engine_create(&engine, &options, &why, pool), why);
    return mnet_engine_host(engine, site->wwwroot);
}

static const mnet_person_t *students[STUDENTS];
static const mnet_section_t *section;

/* They live as long as the program: pool. */
static void make_class(mnet_ledger_t *ledger, apr_pool_t *pool)
{
    mnet_section_facts_t about = {.name = "Everything", .idnumber = "all"};
    mnet_enrolment_t *enrolment;
    mnet_section_t *made;

    ledger->pool = pool;
    check(mnet_ledger_put_section(ledger, &about, &made), "section");
    section = made;
    for (int i = 0; i < STUDENTS; i++) {
        mnet_person_facts_t facts = {.peer = ledger->peer};
        mnet_enrolment_facts_t in = {.section = section, .role = MNET_ROLE_STUDENT};
        mnet_person_t *person;

        facts.username = apr_psprintf(pool, "user%d", i);
        facts.idnumber = apr_psprintf(pool, "id%d", i);
        check(mnet_ledger_put_person(ledger, &facts, &person), "person");
        students[i] = in.person = person;
        check(mnet_ledger_put_enrolment(ledger, &in, &enrolment), "enrolment");
    }
}

static void add_grade(mnet_ledger_t *ledger, long i, mnet_item_t **item)
{
    mnet_grade_facts_t facts = {.person = students[i % STUDENTS], .attempt = 1, .points = 7};
    mnet_grade_t *grade;

    if (i % STUDENTS == 0 || !*item) {
        mnet_item_facts_t about = {.section = section, .points = 100};

        about.name = apr_psprintf(ledger->pool, "Work %ld", i / STUDENTS);
        about.idnumber = apr_psprintf(ledger->pool, "work%ld", i / STUDENTS);
        check(mnet_ledger_put_item(ledger, &about, item), "assessment");
    }
    facts.item = *item;
    check(mnet_ledger_put_grade(ledger, &facts, &grade), "grade");
}

static void fill(mnet_host_t *host, const char *peer, long count, apr_pool_t *pool)
{
    mnet_ledger_t ledger;
    apr_pool_t *scratch;

    check(apr_pool_create(&scratch, pool), "pool");
    for (long i = 0; i < count;) {
        mnet_item_t *item = NULL;

        check(mnet_ledger_begin(&ledger, host, MNET_WRITE, peer, apr_time_now(), scratch), "begin");
        if (!i) {
            make_class(&ledger, pool);
            ledger.pool = scratch;
        }
        for (long end = i + PER_TRANSACTION; i < end && i < count; i++) {
            add_grade(&ledger, i, &item);
        }
        check(mnet_ledger_commit(&ledger), "commit");
        apr_pool_clear(scratch);
    }
}

static void write_calls(FILE *out, long items, long calls)
{
    for (long i = 0; i < calls; i++) {
        fprintf(out,
                "<?xml version=\"1.0\" encoding=\"utf-8\"?><methodCall><methodName>"
                "mod/schooltool/rpclib.php/new_grade</methodName><params><param><value><struct>"
                "<member><name>assessmentid</name><value><string>work%ld</string></value></member>"
                "<member><name>userid</name><value><string>id%ld</string></value></member>"
                "<member><name>points_earned</name><value><int>%ld</int></value></member>"
                "<member><name>excepted</name><value><boolean>0</boolean></value></member>"
                "<member><name>attempt_num</name><value><int>%ld</int></value></member>"
                "</struct></value></param></params></methodCall>\n",
                i * 7 % items, i % STUDENTS, i % 100, 2 + i);
    }
}

int main(int argc, const char *const *argv)
{
    apr_pool_t *pool;
    long count, calls;
    FILE *out;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    count = argc == 7 ? strtol(argv[4], NULL, 10) : 0;
    calls = count >= STUDENTS ? strtol(argv[5], NULL, 10) : 0;
    out = calls > 0 ? fopen(argv[6], "w") : NULL;
    if (!out) {
        return 2;
    }
    fill(open_host(argv[1], argv[2], pool), argv[3], count, pool);
    write_calls(out, count / STUDENTS, calls);
    apr_pool_destroy(pool);
    return fclose(out) ? 1 : 0;
}
