/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "failing_store.h"
#include "school/ledger_int.h"
#include "school/ledger_walk.h"
#include "school/school.h"

#define PEER  "https://moodle.example"
#define OTHER "https://other.example"

/* b has a ledger. */
static int ledger_setup(void **state)
{
    mnet_ledger_options_t *options;
    int rv = world_setup(state);

    options = apr_pcalloc(world->pool, sizeof(*options));
    options->prefix = "mod/schooltool/rpclib.php";
    options->service = "schooltool";
    world->b.site->ledger = options;
    assert_int_equal(mnet_school_register(world->registry, world->b.site, world->pool), 0);
    return rv;
}

static mnet_ledger_t *begin(const char *peer)
{
    mnet_ledger_t *ledger = apr_pcalloc(world->pool, sizeof(*ledger));

    assert_int_equal(
        mnet_ledger_begin(ledger, world->b.host, MNET_WRITE, peer, apr_time_now(), world->pool), 0);
    return ledger;
}

static void commit(mnet_ledger_t *ledger)
{
    assert_int_equal(mnet_ledger_commit(ledger), 0);
}

static mnet_person_t *person(const char *peer, const char *username, const char *idnumber)
{
    mnet_person_facts_t facts = {.peer = peer, .username = username, .idnumber = idnumber};
    mnet_ledger_t *ledger = begin(peer);
    mnet_person_t *who;

    assert_int_equal(mnet_ledger_put_person(ledger, &facts, &who), 0);
    commit(ledger);
    return who;
}

static mnet_section_t *section(const char *peer, const char *idnumber, const char *name)
{
    mnet_section_facts_t facts = {.idnumber = idnumber, .name = name};
    mnet_ledger_t *ledger = begin(peer);
    mnet_section_t *one;

    assert_int_equal(mnet_ledger_put_section(ledger, &facts, &one), 0);
    commit(ledger);
    return one;
}

static mnet_enrolment_t *enrol(const char *peer, const mnet_section_t *in, const mnet_person_t *who,
                               int status, int withdraw)
{
    mnet_enrolment_facts_t facts = {.section = in,
                                    .person = who,
                                    .role = MNET_ROLE_STUDENT,
                                    .status = status,
                                    .withdraw = withdraw};
    mnet_ledger_t *ledger = begin(peer);
    mnet_enrolment_t *one;

    assert_int_equal(mnet_ledger_put_enrolment(ledger, &facts, &one), 0);
    commit(ledger);
    return one;
}

static mnet_item_t *item(const char *peer, const mnet_section_t *in, const char *idnumber,
                         const char *name)
{
    mnet_item_facts_t facts = {.section = in, .idnumber = idnumber, .name = name, .points = 10};
    mnet_ledger_t *ledger = begin(peer);
    mnet_item_t *one;

    assert_int_equal(mnet_ledger_put_item(ledger, &facts, &one), 0);
    commit(ledger);
    return one;
}

static mnet_grade_t *grade(const char *peer, const mnet_item_t *in, const mnet_person_t *who,
                           double points)
{
    mnet_grade_facts_t facts = {.item = in, .person = who, .attempt = 1, .points = points};
    mnet_ledger_t *ledger = begin(peer);
    mnet_grade_t *one;

    assert_int_equal(mnet_ledger_put_grade(ledger, &facts, &one), 0);
    commit(ledger);
    return one;
}

static apr_int64_t count(mnet_ledger_kind_e kind)
{
    apr_int64_t n = -1;

    assert_int_equal(mnet_ledger_count(world->b.host, kind, &n, world->pool), 0);
    return n;
}

/* --- people --- */

static void test_one_person_by_idnumber(void **state)
{
    mnet_person_t *a = person(PEER, "alice", "1"), *b = person(OTHER, "liddell", "1");

    assert_int_equal(a->id, b->id);
    assert_int_equal(b->logins->nelts, 2);
    assert_int_not_equal(person(OTHER, "alice", NULL)->id, a->id);
    assert_int_equal(person(PEER, "alice", NULL)->id, a->id);
}

static void test_a_username_changes_hands(void **state)
{
    mnet_person_t *a = person(PEER, "bob", "1"), *found;
    mnet_person_t *b = person(PEER, "bob", "2");
    mnet_ledger_t *ledger;

    assert_int_not_equal(a->id, b->id);
    ledger = begin(PEER);
    assert_int_equal(mnet_ledger_find_login(ledger, PEER, "bob", &found), 0);
    assert_int_equal(found->id, b->id);
    assert_int_equal(mnet_ledger_find_person(ledger, "1", &found), 0);
    assert_int_equal(found->logins->nelts, 0);
    mnet_ledger_abort(ledger);
}

static void test_a_user_is_renamed(void **state)
{
    mnet_person_t *a = person(PEER, "bob", "1"), *found;
    mnet_ledger_t *ledger = begin(NULL);

    assert_int_equal(mnet_ledger_allow(ledger, a, NULL, 1), 0);
    commit(ledger);
    assert_int_equal(person(PEER, "robert", "1")->id, a->id);
    ledger = begin(PEER);
    assert_int_equal(mnet_ledger_find_login(ledger, PEER, "bob", &found), APR_NOTFOUND);
    assert_int_equal(mnet_ledger_named_person(ledger, "bob", &found), APR_NOTFOUND);
    assert_int_equal(mnet_ledger_find_login(ledger, PEER, "robert", &found), 0);
    assert_int_equal(APR_ARRAY_IDX(found->logins, 0, mnet_login_name_t).allowed, 0);
    mnet_ledger_abort(ledger);
}

static void test_united(void **state)
{
    mnet_section_t *algebra = section(PEER, "a", "Algebra"), *drama = section(PEER, "d", "Drama");
    mnet_person_t *met = person(PEER, "bob", NULL), *entered = person(OTHER, "b", "1"), *one;
    apr_array_header_t *list;
    mnet_enrolment_t *now;
    mnet_item_t *quiz = item(PEER, algebra, "q", "Quiz");
    mnet_ledger_t *ledger;

    enrol(PEER, algebra, met, 0, 0);
    enrol(PEER, drama, met, 0, 0);
    enrol(PEER, drama, entered, MNET_STATUS_PASSED, 0);
    grade(PEER, quiz, met, 3);
    grade(PEER, quiz, met, 4);
    one = person(PEER, "bob", "1");
    assert_int_equal(one->id, entered->id);
    ledger = begin(NULL);
    assert_int_equal(mnet_ledger_enrolments_of(ledger, one->id, &list), 0);
    assert_int_equal(list->nelts, 2);
    assert_int_equal(mnet_ledger_enrolment(ledger, drama->id, one->id, MNET_ROLE_STUDENT, &now), 0);
    assert_int_equal(now->status, MNET_STATUS_PASSED);
    assert_int_equal(mnet_ledger_enrolment_history(ledger, now, &list), 0);
    assert_int_equal(list->nelts, 2);
    assert_int_equal(mnet_ledger_grades_of(ledger, one->id, 0, &list), 0);
    assert_int_equal(list->nelts, 1);
    assert_int_equal(
        mnet_ledger_grade_history(ledger, APR_ARRAY_IDX(list, 0, mnet_grade_t *), &list), 0);
    assert_int_equal(list->nelts, 2);
    assert_int_equal(mnet_ledger_enrolments_of(ledger, met->id, &list), 0);
    assert_int_equal(list->nelts, 0);
    assert_int_equal(mnet_ledger_person(ledger, met->id, &one), 0);
    assert_int_equal(one->id, entered->id);
    mnet_ledger_abort(ledger);
}

/* --- sections and assessments --- */

static void test_sections_of_two_peers(void **state)
{
    mnet_section_t *a = section(PEER, "5", "Algebra"), *b = section(OTHER, "5", "Algebra");

    assert_int_not_equal(a->id, b->id);
    assert_int_equal(section(PEER, "5", "Algebra II")->id, a->id);
    assert_int_equal(section(OTHER, "5", NULL)->id, b->id);
}

static void test_by_hand_and_told(void **state)
{
    mnet_section_t *hand = section(NULL, NULL, "Woodwork");

    assert_int_equal(section(PEER, "w", "Woodwork")->id, hand->id);
    assert_int_equal(section(NULL, NULL, "Woodwork")->id, hand->id);
    assert_int_not_equal(section(PEER, "w2", "Woodwork")->id, hand->id);
    assert_int_not_equal(section(OTHER, "w", "Woodwork")->id, hand->id);
    assert_int_not_equal(section(PEER, "x", "woodwork")->id, hand->id);
    hand = section(NULL, "shared", "Drama");
    assert_int_equal(section(PEER, "shared", "Theatre")->id, hand->id);
}

static void test_told_and_by_hand(void **state)
{
    mnet_section_t *told = section(PEER, "w", "Woodwork");
    mnet_item_t *lab = item(PEER, told, "l1", "Lab");

    assert_int_equal(section(NULL, NULL, "Woodwork")->id, told->id);
    assert_int_not_equal(section(NULL, "other", "Woodwork")->id, told->id);
    assert_int_equal(item(NULL, told, NULL, "Lab")->id, lab->id);
    assert_int_equal(item(NULL, told, "l1", "Lab")->id, lab->id);
    assert_int_equal(item(PEER, told, "l1", "Lab 1")->id, lab->id);
    assert_int_not_equal(item(PEER, told, "l2", "Lab 1")->id, lab->id);
}

static void test_a_renamed_one_is_not_found_by_its_old_name(void **state)
{
    mnet_section_t *one = section(PEER, "w", "Woodwork"), *found;
    mnet_ledger_t *ledger;

    section(PEER, "w", "Carpentry");
    ledger = begin(NULL);
    assert_int_equal(mnet_ledger_named_section(ledger, "Woodwork", &found), APR_NOTFOUND);
    assert_int_equal(mnet_ledger_named_section(ledger, "Carpentry", &found), 0);
    assert_int_equal(found->id, one->id);
    mnet_ledger_abort(ledger);
}

/* --- enrolments --- */

static void test_a_hand_is_not_undone(void **state)
{
    mnet_person_t *who = person(PEER, "bob", "1");
    mnet_section_t *in = section(PEER, "a", "Algebra");

    assert_int_equal(enrol(PEER, in, who, 0, 0)->status, MNET_STATUS_ACTIVE);
    assert_int_equal(enrol(NULL, in, who, MNET_STATUS_PASSED, 0)->status, MNET_STATUS_PASSED);
    assert_int_equal(enrol(PEER, in, who, 0, 0)->status, MNET_STATUS_PASSED);
    assert_int_equal(enrol(PEER, in, who, 0, 1)->status, MNET_STATUS_WITHDRAWN);
    assert_int_equal(enrol(NULL, in, who, MNET_STATUS_FAILING, 0)->status, MNET_STATUS_FAILING);
    assert_int_equal(enrol(PEER, in, who, 0, 1)->status, MNET_STATUS_FAILING);
    assert_int_equal(enrol(PEER, in, who, 0, 0)->status, MNET_STATUS_ACTIVE);
    assert_int_equal(enrol(NULL, in, who, MNET_STATUS_FAILING, 0)->status, MNET_STATUS_FAILING);
    assert_int_equal(enrol(PEER, in, who, 0, 1)->status, MNET_STATUS_FAILING);
}

static void test_statuses_by_name(void **state)
{
    assert_int_equal(mnet_status_of("withdrawn_failing"), MNET_STATUS_FAILING);
    assert_int_equal(mnet_status_of("withdrawn without grade"), MNET_STATUS_WITHDRAWN);
    assert_int_equal(mnet_status_of("passed"), MNET_STATUS_PASSED);
    assert_int_equal(mnet_status_of("Passed"), 0);
    assert_int_equal(mnet_status_of(""), 0);
    assert_int_equal(mnet_status_of(NULL), 0);
    assert_int_equal(mnet_status_of("withdrawn without grade, and much more than that"), 0);
}

/* --- grades --- */

static void test_each_source_keeps_its_own(void **state)
{
    mnet_person_t *who = person(PEER, "bob", "1");
    mnet_section_t *in = section(PEER, "a", "Algebra");
    mnet_item_t *quiz = item(PEER, in, "q", "Quiz");
    apr_array_header_t *list;
    mnet_grade_t *hand, *told, *then;
    mnet_ledger_t *ledger;

    enrol(PEER, in, who, 0, 0);
    hand = grade(NULL, quiz, who, 9);
    told = grade(PEER, quiz, who, 3);
    ledger = begin(NULL);
    assert_int_equal(mnet_ledger_grades_of(ledger, who->id, quiz->id, &list), 0);
    assert_int_equal(list->nelts, 2);
    assert_true(mnet_grade_counts(hand, told));
    assert_false(mnet_grade_counts(told, hand));
    assert_int_equal(mnet_ledger_grade_at(ledger, told, told->mark.when - 1, &then), APR_NOTFOUND);
    assert_int_equal(mnet_ledger_grade_at(ledger, told, told->mark.when, &then), 0);
    assert_true(then->points == 3);
    mnet_ledger_abort(ledger);
}

static void test_over_the_points(void **state)
{
    mnet_person_t *who = person(PEER, "bob", "1");
    mnet_section_t *in = section(PEER, "a", "Algebra");
    mnet_grade_facts_t facts = {.person = who, .attempt = 1, .points = 10.5};
    mnet_ledger_t *ledger;
    mnet_grade_t *one;

    enrol(PEER, in, who, 0, 0);
    facts.item = item(PEER, in, "q", "Quiz");
    ledger = begin(PEER);
    assert_int_equal(mnet_ledger_put_grade(ledger, &facts, &one), MNET_E_REFUSED);
    assert_int_equal(ledger->fault, MNET_LEDGER_TOO_MANY);
    assert_string_equal(ledger->field, "points_earned");
    mnet_ledger_abort(ledger);
}

/* --- the record --- */

static void test_of_another_site(void **state)
{
    mnet_site_t *site = mnet_site_create("https://else.example", world->pool);
    mnet_host_t host = *world->b.host;
    mnet_ledger_t ledger;
    mnet_person_t *who;

    person(PEER, "bob", "1");
    host.site = site;
    assert_int_equal(mnet_ledger_begin(&ledger, &host, MNET_READ, NULL, 0, world->pool), 0);
    assert_int_equal(mnet_ledger_named_person(&ledger, "1", &who), APR_NOTFOUND);
    mnet_ledger_abort(&ledger);
}

static void test_a_later_version_is_refused(void **state)
{
    mnet_person_t *who = person(PEER, "bob", "1");
    mnet_ledger_t *ledger = begin(NULL);
    mnet_name_t key;

    mnet_key_of(ledger, &key, who->id, 0);
    assert_int_equal(mnet_txn_put(ledger->txn, LEDGER_PERSON, key.bytes, key.len, "\xFFxyz", 4), 0);
    assert_int_equal(mnet_ledger_person(ledger, who->id, &who), MNET_E_VERSION);
    mnet_ledger_abort(ledger);
}

static void test_texts(void **state)
{
    assert_null(mnet_ledger_text_problem("\xC3\xA9", 1));
    assert_non_null(mnet_ledger_text_problem("\xC3\xA9z", 1));
    assert_non_null(mnet_ledger_text_problem("\xC3", 5));
    assert_non_null(mnet_ledger_text_problem("a\x01", 5));
    assert_non_null(mnet_ledger_text_problem("a\xC2\x85", 5));
}

/* --- a store that fails --- */

static apr_status_t call(mnet_host_t *host, const char *method, mnet_value_t *data, int *fault)
{
    const char *path = apr_pstrcat(world->pool, "mod/schooltool/rpclib.php/", method, NULL);
    mnet_peer_t peer = {.facts = mnet_peer_facts_create(PEER, world->pool)};
    mnet_call_t one = {.pool = world->pool,
                       .host = host,
                       .peer = &peer,
                       .path = path,
                       .now = apr_time_now(),
                       .replay_until = apr_time_now() + apr_time_from_sec(60)};
    apr_array_header_t *params = apr_array_make(world->pool, 1, sizeof(mnet_value_t *));
    apr_status_t rv;

    one.method = mnet_registry_find(world->registry, host->site->wwwroot, path);
    assert_non_null(one.method);
    APR_ARRAY_PUSH(params, mnet_value_t *) = data;
    one.params = params;
    assert_int_equal(mnet_random_hex(&path, 16, world->pool), 0);
    memcpy(one.replay.bytes, path, sizeof(one.replay.bytes));
    rv = one.method->handler(&one, one.method->baton);
    *fault = one.fault_code;
    return rv;
}

static mnet_value_t *new_grade(int points)
{
    mnet_value_t *data = mnet_struct(world->pool);

    mnet_set(data, "assessmentid", mnet_string("q", world->pool));
    mnet_set(data, "userid", mnet_string("1", world->pool));
    mnet_set(data, "points_earned", mnet_int(points, world->pool));
    return data;
}

static mnet_host_t *failing_host(const char *dir)
{
    mnet_host_t *host = apr_pmemdup(world->pool, world->b.host, sizeof(*host));
    mnet_engine_t *engine = apr_pmemdup(world->pool, world->b.engine, sizeof(*engine));
    const char *why = "";

    assert_int_equal(
        mnet_store_open(&engine->store, &mnet_store_failing, dir, 0, NULL, &why, world->pool), 0);
    host->engine = engine;
    return host;
}

/* Whichever operation fails, there is the grade with its history and its claim, or none of it. */
static void test_nothing_half_written(void **state)
{
    char dir[] = "/tmp/mnet-unit-XXXXXX";
    mnet_host_t *own = world->b.host, *host;
    apr_int64_t grades, entries;
    int fault, tries = 0;
    apr_status_t rv;

    assert_non_null(mkdtemp(dir));
    failing_store.at = 0;
    host = failing_host(dir);
    world->b.host = host;
    item(PEER, section(PEER, "a", "Algebra"), "q", "Quiz");
    enrol(PEER, section(PEER, "a", NULL), person(PEER, "bob", "1"), 0, 0);
    grades = count(MNET_LEDGER_GRADES);
    entries = count(MNET_LEDGER_ENTRIES);
    failing_store.how = FAILING_ANSWER;
    failing_store.rv = APR_EGENERAL;
    do {
        failing_store.count = 0;
        failing_store.at = ++tries;
        rv = call(host, "new_grade", new_grade(7), &fault);
        failing_store.at = 0;
        if (rv) {
            assert_int_equal(count(MNET_LEDGER_GRADES), grades);
            assert_int_equal(count(MNET_LEDGER_ENTRIES), entries);
        }
    } while (rv && tries < 100);
    assert_int_equal(rv, 0);
    assert_int_equal(fault, 0);
    assert_true(tries > 10);
    assert_int_equal(count(MNET_LEDGER_GRADES), grades + 1);
    assert_int_equal(count(MNET_LEDGER_ENTRIES), entries + 1);
    mnet_store_close(host->engine->store);
    world->b.host = own;
    remove_tree(dir, world->pool);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, ledger_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_one_person_by_idnumber),
        T(test_a_username_changes_hands),
        T(test_a_user_is_renamed),
        T(test_united),
        T(test_sections_of_two_peers),
        T(test_by_hand_and_told),
        T(test_told_and_by_hand),
        T(test_a_renamed_one_is_not_found_by_its_old_name),
        T(test_a_hand_is_not_undone),
        T(test_statuses_by_name),
        T(test_each_source_keeps_its_own),
        T(test_over_the_points),
        T(test_of_another_site),
        T(test_a_later_version_is_refused),
        T(test_texts),
        T(test_nothing_half_written),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
