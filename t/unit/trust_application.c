/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_fixture.h"

/* MNET protocol reference, 6.1. */
static void test_built_in(void **state)
{
    const mnet_application_t *moodle = mnet_application_find(NULL, "moodle");
    const mnet_application_t *mahara = mnet_application_find(NULL, "mahara");
    assert_string_equal(moodle->xmlrpc, "/mnet/xmlrpc/server.php");
    assert_string_equal(moodle->land, "/auth/mnet/land.php");
    assert_string_equal(moodle->jump, "/auth/mnet/jump.php");
    assert_string_equal(moodle->publickey, "/mnet/publickey.php");
    assert_string_equal(mahara->xmlrpc, "/api/xmlrpc/server.php");
    assert_string_equal(mahara->land, "/auth/xmlrpc/land.php");
    assert_string_equal(mahara->jump, "/auth/xmlrpc/jump.php");
    assert_string_equal(mahara->publickey, "/api/xmlrpc/publickey.php");
}

static void test_defined(void **state)
{
    fixture_t *f = *state;
    mnet_application_t own = {"own", "/x", "/l", "/j", NULL};
    mnet_application_t impostor = {"moodle", "/x", "/l", "/j", NULL};
    apr_hash_t *defined = apr_hash_make(f->pool);
    apr_hash_set(defined, "own", APR_HASH_KEY_STRING, &own);
    apr_hash_set(defined, "moodle", APR_HASH_KEY_STRING, &impostor);
    assert_ptr_equal(mnet_application_find(defined, "own"), &own);
    assert_ptr_equal(mnet_application_find(defined, "moodle"),
                     mnet_application_find(NULL, "moodle"));
}

static void test_unknown(void **state)
{
    fixture_t *f = *state;
    assert_null(mnet_application_find(NULL, "sakai"));
    assert_null(mnet_application_find(apr_hash_make(f->pool), "Moodle"));
    assert_null(mnet_application_find(NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_in),
        cmocka_unit_test(test_defined),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
