/* SPDX-License-Identifier: Apache-2.0 */
/* Who may look into the directory of a store, and whose its files are. */
#include "state_help.h"

#include <grp.h>

#define SOMEBODY 12345 /* a user that need not exist */

static apr_status_t open_it(help_t *help, const char *dir, const char **why)
{
    mnet_store_t *store;
    apr_status_t rv;

    *why = NULL;
    rv = mnet_store_open(&store, &mnet_store_lmdb, dir, SIZE_SMALL, &help->log, why, help->pool);
    if (rv == APR_SUCCESS) {
        rv = help_put(store, "g", "a", "x", 1, help->pool);
        mnet_store_close(store);
    } else {
        assert_non_null(*why);
        assert_null(store);
    }
    return rv;
}

static unsigned int mode_of(help_t *help, const char *name)
{
    struct stat st;

    assert_int_equal(stat(help_file(help, name), &st), 0);
    return (unsigned int)(st.st_mode & 07777);
}

static void owner_is(help_t *help, const char *name, uid_t uid)
{
    struct stat st;

    assert_int_equal(lstat(help_file(help, name), &st), 0);
    assert_int_equal(st.st_uid, uid);
}

static void files_are_private(void **state)
{
    help_t *help = *state;
    const char *why;
    mode_t before = umask(0);

    assert_int_equal(open_it(help, help->dir, &why), APR_SUCCESS);
    (void)umask(before);
    assert_int_equal(mode_of(help, "data.mdb"), 0600);
    assert_int_equal(mode_of(help, "lock.mdb"), 0600);
}

static void files_from_a_backup_become_private(void **state)
{
    help_t *help = *state;
    const char *why;

    assert_int_equal(open_it(help, help->dir, &why), APR_SUCCESS);
    assert_int_equal(chmod(help_file(help, "data.mdb"), 0644), 0);
    assert_int_equal(open_it(help, help->dir, &why), APR_SUCCESS);
    assert_int_equal(mode_of(help, "data.mdb"), 0600);
}

static void what_is_no_directory_is_refused(void **state)
{
    help_t *help = *state;
    const char *why;

    assert_int_equal(open_it(help, help_file(help, "none"), &why), ENOENT);
    assert_non_null(strstr(why, "0700"));
    assert_int_equal(open_it(help, "/dev/null", &why), ENOTDIR);
    assert_non_null(strstr(why, "MnetStateDir"));
}

static void a_directory_open_to_others_is_refused(void **state)
{
    static const mode_t modes[] = {0707, 0704, 0701, 0770, 0720, 0777};
    help_t *help = *state;
    const char *why;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(help->dir, modes[i]), 0);
        assert_int_equal(open_it(help, help->dir, &why), APR_EACCES);
        assert_non_null(strstr(why, "chmod 0700"));
    }
    assert_int_equal(chmod(help->dir, 0700), 0);
    assert_int_equal(open_it(help, help->dir, &why), APR_SUCCESS);
}

static void a_directory_its_group_may_look_into_is_warned_of(void **state)
{
    help_t *help = *state;
    const char *why;

    assert_int_equal(chmod(help->dir, 0750), 0);
    assert_int_equal(open_it(help, help->dir, &why), APR_SUCCESS);
    assert_non_null(strstr(help->said, "MNET0207"));
}

static void links_are_not_followed(void **state)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    help_t *help = *state;
    const char *why;
    struct stat st;

    for (int i = 0; i < 2; i++) {
        const char *file = help_file(help, names[i]);
        const char *target = help_file(help, "elsewhere");

        assert_int_equal(symlink(target, file), 0);
        assert_int_equal(open_it(help, help->dir, &why), APR_EACCES);
        assert_non_null(strstr(why, names[i]));
        assert_int_not_equal(stat(target, &st), 0);
        assert_int_equal(unlink(file), 0);
    }
}

/* As root, the directory given to somebody. */
static int is_root(help_t *help)
{
    if (geteuid() != 0) {
        skip();
        return 0;
    }
    assert_int_equal(chown(help->dir, SOMEBODY, SOMEBODY), 0);
    return 1;
}

static int as_somebody(help_t *help)
{
    pid_t pid = help_fork();

    if (pid == 0) {
        const char *why;

        _exit(setgroups(0, NULL) || setgid(SOMEBODY) || setuid(SOMEBODY) ||
              open_it(help, help->dir, &why) != APR_SUCCESS);
    }
    return help_wait(pid);
}

static void what_root_makes_the_owner_can_write(void **state)
{
    help_t *help = *state;
    const char *why;

    if (is_root(help)) {
        assert_int_equal(open_it(help, help->dir, &why), APR_SUCCESS);
        owner_is(help, "data.mdb", SOMEBODY);
        owner_is(help, "lock.mdb", SOMEBODY);
        assert_int_equal(as_somebody(help), 0);
        assert_int_equal(open_it(help, help->dir, &why), APR_SUCCESS);
    }
}

static void roots_files_are_given_to_the_owner(void **state)
{
    help_t *help = *state;
    const char *why;

    if (is_root(help)) {
        assert_int_equal(open_it(help, help->dir, &why), APR_SUCCESS);
        assert_int_equal(chown(help_file(help, "data.mdb"), 0, 0), 0);
        assert_int_equal(chown(help_file(help, "lock.mdb"), 0, 0), 0);
        assert_int_equal(as_somebody(help), 1);
        assert_int_equal(open_it(help, help->dir, &why), APR_SUCCESS);
        owner_is(help, "data.mdb", SOMEBODY);
        owner_is(help, "lock.mdb", SOMEBODY);
        assert_int_equal(as_somebody(help), 0);
    }
}

static void root_gives_away_no_file_with_two_names(void **state)
{
    help_t *help = *state;
    const char *why;

    if (is_root(help)) {
        const char *other = help_file(help, "other");
        FILE *file = fopen(other, "w");

        assert_non_null(file);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(link(other, help_file(help, "data.mdb")), 0);
        assert_int_equal(open_it(help, help->dir, &why), APR_EACCES);
        owner_is(help, "other", 0);
        assert_int_equal(unlink(other), 0);
    }
}

static void root_is_root_again_afterwards(void **state)
{
    help_t *help = *state;
    const char *why;

    if (is_root(help)) {
        const char *file = help_file(help, "roots");
        FILE *made;

        assert_int_equal(open_it(help, help->dir, &why), APR_SUCCESS);
        made = fopen(file, "w");
        assert_non_null(made);
        assert_int_equal(fclose(made), 0);
        owner_is(help, "roots", 0);
        assert_int_equal(unlink(file), 0);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, help_setup, help_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(files_are_private),
        T(files_from_a_backup_become_private),
        T(what_is_no_directory_is_refused),
        T(a_directory_open_to_others_is_refused),
        T(a_directory_its_group_may_look_into_is_warned_of),
        T(links_are_not_followed),
        T(what_root_makes_the_owner_can_write),
        T(roots_files_are_given_to_the_owner),
        T(root_gives_away_no_file_with_two_names),
        T(root_is_root_again_afterwards),
    };

    return help_main_begin() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
