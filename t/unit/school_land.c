/* SPDX-License-Identifier: Apache-2.0 */
#include "sso_world.h"

#include "school/ledger.h"
#include "school/school.h"

/* Users of a land at b, which has a ledger. */

static mnet_value_t *enrolments; /* what a answers; NULL: a fault */

static apr_status_t list_user_enrolments(mnet_call_t *call, void *baton)
{
    world->calls++;
    if (!enrolments) {
        return mnet_call_fault(call, 5014, "enrol_mnet/usernotfound");
    }
    call->result = enrolments;
    return APR_SUCCESS;
}

static const mnet_parameter_t one_user[] = {{"user", "string", ""}, {NULL}};
static const mnet_method_t at_home = {.path = "mod/schooltool/rpclib.php/list_user_enrolments",
                                      .service = "schooltool",
                                      .effect = MNET_METHOD_READS,
                                      .parameters = one_user,
                                      .required = 1,
                                      .returns = {NULL, "array", ""},
                                      .help = "",
                                      .handler = list_user_enrolments};

static int setup(void **state)
{
    mnet_ledger_options_t *options;
    int rv = sso_setup(state);

    options = apr_pcalloc(world->pool, sizeof(*options));
    options->prefix = "mod/schooltool/rpclib.php";
    options->service = "schooltool";
    world->b.site->ledger = options;
    assert_int_equal(mnet_school_register(world->registry, world->b.site, world->pool), 0);
    assert_int_equal(mnet_registry_add(world->registry, world->a.wwwroot, &at_home), 0);
    serve(&world->a, world->b.wwwroot, "schooltool sso_idp", "sso_sp");
    serve(&world->b, world->a.wwwroot, "schooltool sso_sp", "schooltool sso_idp");
    enrolments = mnet_array(world->pool);
    return rv;
}

static void enrolled(const char *section)
{
    mnet_value_t *one = mnet_struct(world->pool);

    mnet_set(one, "sectionid", mnet_string(section, world->pool));
    mnet_set(one, "role", mnet_string("student", world->pool));
    mnet_append(enrolments, one);
}

static apr_status_t admit_of(const char *wwwroot, const char *username)
{
    mnet_peer_facts_t facts = {.wwwroot = wwwroot};
    mnet_peer_t peer = {.facts = &facts};

    return mnet_ledger_admit(world->b.host, &peer, username, NULL, world->pool);
}

static apr_status_t admit(const char *username)
{
    return admit_of(world->a.wwwroot, username);
}

static void import(const char *username, int allowed)
{
    mnet_person_facts_t facts = {
        .peer = world->a.wwwroot, .username = username, .allowed = allowed};
    mnet_ledger_t ledger;
    mnet_person_t *person;

    assert_int_equal(mnet_ledger_begin(&ledger, world->b.host, MNET_WRITE, world->a.wwwroot,
                                       apr_time_now(), world->pool),
                     0);
    assert_int_equal(mnet_ledger_put_person(&ledger, &facts, &person), 0);
    assert_int_equal(mnet_ledger_commit(&ledger), 0);
}

static void welcome(const char *username, apr_time_t now)
{
    mnet_ledger_welcome(world->b.host,
                        mnet_ledger_newcomer(world->a.wwwroot, username, world->pool), now,
                        world->pool);
}

/* How many enrolments somebody has; -1: they are not in the ledger. */
static int known(const char *username)
{
    apr_array_header_t *list;
    mnet_ledger_t ledger;
    mnet_person_t *person;
    int count = -1;

    assert_int_equal(
        mnet_ledger_begin(&ledger, world->b.host, MNET_READ, world->a.wwwroot, 0, world->pool), 0);
    if (!mnet_ledger_find_login(&ledger, world->a.wwwroot, username, &person)) {
        assert_int_equal(mnet_ledger_enrolments_of(&ledger, person->id, &list), 0);
        count = list->nelts;
    }
    mnet_ledger_abort(&ledger);
    return count;
}

static int due(apr_time_t now)
{
    return mnet_ledger_newcomers(world->b.host, now, world->pool)->nelts;
}

/* --- may they come in? --- */

static void test_whom_the_ledger_does_not_know(void **state)
{
    assert_int_equal(admit("alice"), 0);
    import("bob", 0);
    assert_int_equal(admit("alice"), 0);
    assert_int_equal(admit_of("https://other.example", "bob"), 0);
}

static void test_whom_it_knows(void **state)
{
    import("bob", 0);
    import("carol", 1);
    assert_int_equal(admit("bob"), MNET_E_REFUSED);
    assert_int_equal(admit("carol"), 0);
    world->b.site->ledger = NULL;
    assert_int_equal(admit("bob"), 0);
}

typedef apr_status_t admit_fn(mnet_host_t *host, const mnet_peer_t *peer, const char *username,
                              const apr_array_header_t *fields, apr_pool_t *pool);

static mnet_landing_t landed(admit_fn *fn)
{
    mnet_landing_t landing =
        land_at(&world->b, token_for(&world->a, "alice", &world->b), world->a.wwwroot);

    landing.admit = fn;
    mnet_land(&landing, world->pool);
    return landing;
}

/* Asked before the session is made. */
static void test_landing(void **state)
{
    mnet_landing_t landing = landed(NULL);

    assert_int_equal(landing.status, 303);
    assert_string_equal(landing.username, "alice");
    assert_string_equal(landing.peer, world->a.wwwroot);
    import("alice", 0);
    landing = landed(mnet_ledger_admit);
    assert_int_equal(landing.status, 403);
    assert_null(landing.session);
    assert_true(world_logged("MNET1132"));
}

/* --- newcomers --- */

static void test_entered_with_their_enrolments(void **state)
{
    enrolled("a");
    enrolled("b");
    welcome("alice", apr_time_now());
    assert_int_equal(known("alice"), 2);
    assert_int_equal(admit("alice"), 0);
    assert_int_equal(world->calls, 1);
    welcome("alice", apr_time_now());
    assert_int_equal(world->calls, 1);
    assert_int_equal(due(apr_time_now() + HOUR), 0);
}

static void test_a_site_that_is_down_is_asked_again(void **state)
{
    apr_time_t now = apr_time_now();

    enrolled("a");
    world->down = APR_ECONNREFUSED;
    welcome("alice", now);
    assert_int_equal(known("alice"), 0);
    assert_true(world_logged("MNET1144"));
    assert_int_equal(due(now), 0);
    assert_int_equal(due(now + 11 * MINUTE), 1);
    assert_int_equal(due(now + 11 * MINUTE), 0); /* named once a minute */
    welcome("alice", now + 11 * MINUTE);
    assert_int_equal(due(now + 15 * MINUTE), 0);
    world->down = 0;
    assert_int_equal(due(now + 25 * MINUTE), 1);
    welcome("alice", now + 25 * MINUTE);
    assert_int_equal(known("alice"), 1);
    assert_int_equal(due(now + HOUR), 0);
}

static void test_a_fault_is_final(void **state)
{
    enrolments = NULL;
    welcome("alice", apr_time_now());
    assert_int_equal(known("alice"), 0);
    assert_int_equal(due(apr_time_now() + HOUR), 0);
}

static void test_without_a_subscription_nobody_is_asked(void **state)
{
    serve(&world->b, world->a.wwwroot, "schooltool sso_sp", "sso_idp");
    welcome("alice", apr_time_now());
    assert_int_equal(known("alice"), 0);
    assert_int_equal(world->calls, 0);
    assert_int_equal(due(apr_time_now() + HOUR), 0);
}

static void test_what_cannot_be_asked_any_more_is_forgotten(void **state)
{
    apr_time_t now = apr_time_now();

    world->down = APR_ECONNREFUSED;
    welcome("alice", now);
    disable(&world->b, world->a.wwwroot);
    assert_int_equal(due(now + 11 * MINUTE), 1);
    welcome("alice", now + 11 * MINUTE);
    assert_int_equal(due(now + HOUR), 0);
}

static void test_no_newcomer_at_all(void **state)
{
    mnet_ledger_welcome(world->b.host, "nonsense", apr_time_now(), world->pool);
    mnet_ledger_welcome(world->b.host, "https://else.example bob", apr_time_now(), world->pool);
    assert_int_equal(world->calls, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_whom_the_ledger_does_not_know),
        T(test_whom_it_knows),
        T(test_landing),
        T(test_entered_with_their_enrolments),
        T(test_a_site_that_is_down_is_asked_again),
        T(test_a_fault_is_final),
        T(test_without_a_subscription_nobody_is_asked),
        T(test_what_cannot_be_asked_any_more_is_forgotten),
        T(test_no_newcomer_at_all),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}
