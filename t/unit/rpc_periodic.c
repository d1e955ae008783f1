/* SPDX-License-Identifier: Apache-2.0 */
/* What happens by itself: rotation, pings, learning, first certificates, warnings. */
#include "world.h"

#include "rpc/doubt.h"
#include "rpc/periodic.h"

#define DAY apr_time_from_sec(86400)

static int due(apr_time_t now)
{
    return mnet_periodic_due(world->a.host, now, world->pool)->nelts;
}

static const mnet_peer_t *b_at_a(void)
{
    return world_peer(&world->a, &world->b);
}

static void a_key_rotates_when_it_is_due(void **state)
{
    const mnet_ring_t *before = world_ring(&world->a);

    mnet_periodic_quick(world->a.host, apr_time_now(), world->pool);
    assert_int_equal(world_ring(&world->a)->count, 1);
    mnet_periodic_quick(world->a.host, before->not_after[0] - DAY, world->pool);
    assert_int_equal(world_ring(&world->a)->count, 2);
    assert_true(world_logged("MNET0304"));
}

static void contacts_are_kept(void **state)
{
    apr_time_t now = apr_time_now();

    assert_int_equal(b_at_a()->state->heard, 0);
    mnet_shared_heard(world->a.shared, b_at_a()->id, now);
    mnet_periodic_quick(world->a.host, now, world->pool);
    assert_int_equal(b_at_a()->state->heard, now);
    mnet_shared_heard(world->a.shared, b_at_a()->id, now + apr_time_from_sec(5));
    mnet_periodic_quick(world->a.host, now + apr_time_from_sec(5), world->pool);
    assert_int_equal(b_at_a()->state->heard, now); /* not for five seconds' sake */
    mnet_shared_heard(world->a.shared, b_at_a()->id, now + apr_time_from_sec(3600));
    mnet_periodic_quick(world->a.host, now + apr_time_from_sec(3600), world->pool);
    assert_int_equal(b_at_a()->state->heard, now + apr_time_from_sec(3600));
}

static void a_peer_is_called_once_a_week(void **state)
{
    apr_time_t now = apr_time_now();

    assert_int_equal(due(now), 1); /* never reached */
    mnet_periodic_peer(world->a.host, world->b.wwwroot, now, world->pool);
    assert_int_equal(world->posts, 1);
    assert_int_equal(due(now + apr_time_from_sec(3601)), 0);
    assert_int_equal(due(now + 6 * DAY), 0);
    assert_int_equal(due(now + 7 * DAY + apr_time_from_sec(60)), 1);
}

static void a_failed_call_is_repeated_in_an_hour(void **state)
{
    apr_time_t now = apr_time_now();

    world->down = APR_EGENERAL;
    assert_int_equal(due(now), 1);
    mnet_periodic_peer(world->a.host, world->b.wwwroot, now, world->pool);
    assert_true(world_logged("MNET0460"));
    assert_int_equal(due(now + apr_time_from_sec(1800)), 0);
    assert_int_equal(due(now + apr_time_from_sec(3660)), 1);
}

/* b has a new key and forgot the old one: nothing of its tells a of that. */
static void a_new_key_is_put_before_an_administrator(void **state)
{
    mnet_reply_t reply = {.kind = MNET_CALL_FAULT, .code = MNET_FAULT_NOT_OPENED};
    apr_time_t now = apr_time_now();

    assert_int_equal(due(now), 1);
    mnet_periodic_peer(world->a.host, world->b.wwwroot, now, world->pool);
    now += apr_time_from_sec(60);
    assert_int_equal(due(now), 0);
    mnet_doubt_by(world->a.host, world->b.wwwroot, &reply, now);
    assert_int_equal(due(now), 1);
    assert_int_equal(due(now), 0); /* once an hour */
    ((mnet_site_t *)world->b.host->site)->key_history = 0;
    world_rotate(&world->b);
    mnet_periodic_peer(world->a.host, world->b.wwwroot, now, world->pool);
    assert_true(world_logged("MNET0459"));
    assert_string_equal(b_at_a()->state->pending, world_ring(&world->b)->pems[0]);
    assert_string_not_equal(b_at_a()->certificate->pem, world_ring(&world->b)->pems[0]);
}

/* What a stranger can bring about does not keep what we notice ourselves from being looked into. */
static void a_forged_message_uses_up_nothing(void **state)
{
    mnet_reply_t reply = {.kind = MNET_CALL_FAULT, .code = MNET_FAULT_NOT_OPENED};
    apr_time_t now = apr_time_now();

    assert_int_equal(due(now), 1);
    mnet_periodic_peer(world->a.host, world->b.wwwroot, now, world->pool);
    mnet_doubt(world->a.host, world->b.wwwroot, now);
    assert_int_equal(due(now), 1);
    now += apr_time_from_sec(60);
    mnet_doubt(world->a.host, world->b.wwwroot, now);
    assert_int_equal(due(now), 0);
    mnet_doubt_by(world->a.host, world->b.wwwroot, &reply, now);
    assert_int_equal(due(now), 1);
    assert_int_equal(due(now), 0);
}

static void a_rotation_is_noticed_by_the_call(void **state)
{
    world_rotate(&world->b);
    mnet_periodic_run(world->a.host, apr_time_now(), world->pool);
    assert_string_equal(b_at_a()->certificate->pem, world_ring(&world->b)->pems[0]);
}

static apr_status_t subscribe_foreign(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    mnet_peer_facts_t *facts = mnet_peer_facts_merge(NULL, state->facts, pool);
    apr_array_header_t *subscribe = apr_array_make(pool, 1, sizeof(mnet_subscription_t));
    mnet_subscription_t *one = apr_array_push(subscribe);

    one->service = "foreign";
    one->patterns = NULL;
    facts->subscribe = subscribe;
    state->facts = facts;
    return APR_SUCCESS;
}

/* An answer by b to whatever it is asked. */
static void answer_with(const char *value)
{
    craft_t craft = {.inner = world->b.wwwroot,
                     .outer = world->b.wwwroot,
                     .sign = world_ring(&world->b)->keys[0],
                     .seal = world_peer(&world->b, &world->a)->certificate->key};

    craft.document =
        apr_pstrcat(world->pool, "<?xml version=\"1.0\"?><methodResponse><params><param><value>",
                    value, "</value></param></params></methodResponse>", NULL);
    world->answer = mnet_spool_text(world_craft(&craft));
}

static void learn_from(const char *value)
{
    world->a.engine->shared = NULL; /* the same answer serves more than one call */
    assert_int_equal(mnet_peers_change(world->a.host->peers, world->b.wwwroot, subscribe_foreign,
                                       NULL, world->pool),
                     0);
    answer_with(value);
    mnet_periodic_peer(world->a.host, world->b.wwwroot, apr_time_now(), world->pool);
}

static void methods_are_learnt_from_moodles_array(void **state)
{
    learn_from("<array><data><value><string>mod/f/lib.php/one</string></value>"
               "<value><string>no name at all</string></value>"
               "<value><string>mod/f/lib.php/two</string></value></data></array>");
    assert_string_equal(b_at_a()->state->methods,
                        "foreign mod/f/lib.php/one\nforeign mod/f/lib.php/two\n");
    assert_true(mnet_policy_may_call(b_at_a(), "mod/f/lib.php/two", NULL));
    assert_int_equal(world->posts, 2);
}

static void methods_are_learnt_from_maharas_struct(void **state)
{
    learn_from("<struct><member><name>mod/f/lib.php/one</name><value><string>function_one</string>"
               "</value></member></struct>");
    assert_string_equal(b_at_a()->state->methods, "foreign mod/f/lib.php/one\n");
}

static void what_was_learnt_stays_where_the_peer_is_silent(void **state)
{
    learn_from("<array><data><value><string>mod/f/lib.php/one</string></value></data></array>");
    answer_with("<array><data></data></array>");
    mnet_periodic_peer(world->a.host, world->b.wwwroot, apr_time_now(), world->pool);
    assert_string_equal(b_at_a()->state->methods, "foreign mod/f/lib.php/one\n");
}

static void a_first_certificate_waits_for_confirmation(void **state)
{
    apr_time_t now = apr_time_now();

    assert_int_equal(mnet_peers_remove(world->a.host->peers, world->b.wwwroot, world->pool), 0);
    world_join(&world->a, &world->b, "moodle", 0);
    assert_int_equal(due(now), 1);
    mnet_periodic_peer(world->a.host, world->b.wwwroot, now, world->pool);
    assert_null(b_at_a()->certificate);
    assert_string_equal(b_at_a()->state->pending, world_ring(&world->b)->pems[0]);
    assert_non_null(strstr(world->lines, "mnetctl peers confirm https://b.example"));
    assert_int_equal(due(now + DAY), 0);
}

static void a_first_certificate_must_be_the_peers(void **state)
{
    assert_int_equal(mnet_peers_remove(world->a.host->peers, world->b.wwwroot, world->pool), 0);
    world_join(&world->a, &world->b, "moodle", 0);
    world->answer = apr_pstrcat(
        world->pool, "<?xml version=\"1.0\"?><methodResponse><params><param><value><string>",
        world_ring(&world->a)->pems[0], "</string></value></param></params></methodResponse>",
        NULL);
    mnet_periodic_peer(world->a.host, world->b.wwwroot, apr_time_now(), world->pool);
    assert_null(b_at_a()->state->pending);
    assert_true(world_logged("MNET0458"));
}

static void an_expired_peer_that_fails_gets_its_new_one_offered(void **state)
{
    apr_time_t later = b_at_a()->certificate->not_after + DAY;
    const char *old = b_at_a()->certificate->pem;

    /* b lost its keys: it answers 7023 to the old one, and gives out a new one by keyswap. */
    world_rotate(&world->b);
    world->b.site->key_history = 0;
    world_rotate(&world->b);
    mnet_periodic_peer(world->a.host, world->b.wwwroot, later, world->pool);
    if (strcmp(b_at_a()->certificate->pem, old) == 0) {
        assert_string_equal(b_at_a()->state->pending, world_ring(&world->b)->pems[0]);
    } else {
        assert_string_equal(b_at_a()->certificate->pem, world_ring(&world->b)->pems[0]);
    }
}

static void expiry_is_told_once_a_day(void **state)
{
    apr_time_t end = b_at_a()->certificate->not_after;
    char *first;

    mnet_periodic_quick(world->a.host, end - 15 * DAY, world->pool);
    assert_false(world_logged("MNET0454"));
    mnet_periodic_quick(world->a.host, end - 13 * DAY, world->pool);
    first = strstr(world->lines, "MNET0454");
    assert_non_null(first);
    mnet_periodic_quick(world->a.host, end - 13 * DAY + apr_time_from_sec(60), world->pool);
    assert_null(strstr(first + 1, "MNET0454"));
    mnet_periodic_quick(world->a.host, end + DAY, world->pool);
    assert_true(world_logged("MNET0455"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(a_key_rotates_when_it_is_due),
                                       T(contacts_are_kept),
                                       T(a_peer_is_called_once_a_week),
                                       T(a_failed_call_is_repeated_in_an_hour),
                                       T(a_new_key_is_put_before_an_administrator),
                                       T(a_forged_message_uses_up_nothing),
                                       T(a_rotation_is_noticed_by_the_call),
                                       T(methods_are_learnt_from_moodles_array),
                                       T(methods_are_learnt_from_maharas_struct),
                                       T(what_was_learnt_stays_where_the_peer_is_silent),
                                       T(a_first_certificate_waits_for_confirmation),
                                       T(a_first_certificate_must_be_the_peers),
                                       T(an_expired_peer_that_fails_gets_its_new_one_offered),
                                       T(expiry_is_told_once_a_day)};

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
