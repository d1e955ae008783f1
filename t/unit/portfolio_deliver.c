/* SPDX-License-Identifier: Apache-2.0 */
#include "package_help.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "portfolio/deliver.h"

/* A site's folder below the place, one delivery. */
typedef struct {
    place_t *place;
    mnet_portfolio_options_t *options;
    mnet_delivery_t delivery;
    mnet_delivered_t *delivered;
} site_t;

static int site_setup(void **state)
{
    place_t *place;
    site_t *site;

    place_setup(state);
    place = *state;
    site = apr_pcalloc(place->pool, sizeof(*site));
    site->place = place;
    site->options = mnet_portfolio_options_create(
        apr_pstrcat(place->pool, place->dir, "/dir", NULL), place->pool);
    assert_int_equal(mkdir(site->options->dir, 0700), 0);
    place->source.work = apr_pstrcat(place->pool, site->options->dir, "/.work/t1", NULL);
    place->source.title = "My essay";
    site->delivery.source = place->source;
    site->delivery.options = site->options;
    *state = site;
    return 0;
}

static int site_teardown(void **state)
{
    *state = ((site_t *)*state)->place;
    return place_teardown(state);
}

#define sited(f) cmocka_unit_test_setup_teardown(f, site_setup, site_teardown)

static void add_route(site_t *site, const char *format, const char *to, int priority)
{
    mnet_portfolio_route_t *route = apr_pcalloc(site->place->pool, sizeof(*route));

    route->format = format;
    route->to = to;
    route->is_url = strchr(to, ':') != NULL;
    route->priority = priority;
    APR_ARRAY_PUSH((apr_array_header_t *)site->options->routes, const mnet_portfolio_route_t *) =
        route;
}

static void receive_zip(site_t *site, const char *name, const char *content)
{
    zip_t zip = {0};

    zip_text(&zip, name, content);
    zip_end(&zip, 0, 0);
    receive(site->place, zip.bytes.data, zip.bytes.len);
    zip_free(&zip);
}

static apr_status_t deliver(site_t *site)
{
    return mnet_portfolio_deliver(&site->delivered, &site->delivery, site->place->pool);
}

static const char *in_dir(const site_t *site, const char *path)
{
    return apr_pstrcat(site->place->pool, site->options->dir, "/", path, NULL);
}

/* What is in a folder of the site's, but its hidden ones. */
static int count_in(const site_t *site, const char *path)
{
    DIR *dir = opendir(in_dir(site, path));
    struct dirent *entry;
    int n = 0;

    while (dir && (entry = readdir(dir))) {
        n += entry->d_name[0] != '.';
    }
    if (dir) {
        closedir(dir);
    }
    return n;
}

#define INCOMING "alice@moodle.example/incoming"

static void test_to_a_folder(void **state)
{
    site_t *site = *state;
    apr_pool_t *p = site->place->pool;
    const char *to;

    receive_zip(site, "essay.txt", "An essay.");
    assert_int_equal(deliver(site), APR_SUCCESS);
    to = site->delivered->to;
    assert_memory_equal(to, INCOMING "/My essay-", sizeof(INCOMING "/My essay-") - 1);
    assert_string_equal(content_of(in_dir(site, apr_pstrcat(p, to, "/essay.txt", NULL)), p),
                        "An essay.");
    assert_non_null(content_of(in_dir(site, apr_pstrcat(p, to, "/mnet-report.json", NULL)), p));
    assert_int_equal(mnet_portfolio_forget(site->place->source.work, p), APR_SUCCESS);
    assert_int_equal(access(site->place->source.work, F_OK), -1);
    assert_int_equal(mnet_portfolio_forget(site->place->source.work, p), APR_SUCCESS);
}

static void test_the_same_again_is_a_new_folder(void **state)
{
    site_t *site = *state;

    receive_zip(site, "essay.txt", "An essay.");
    assert_int_equal(deliver(site), APR_SUCCESS);
    site->delivery.source.id = "another";
    site->delivery.source.work = in_dir(site, ".work/t2");
    assert_int_equal(deliver(site), APR_SUCCESS);
    assert_false(site->delivered->again);
    assert_int_equal(count_in(site, INCOMING), 2);
}

/* Killed after the rename, before anything was committed; moved away by then or not. */
static void test_an_attempt_after_one_that_arrived(void **state)
{
    site_t *site = *state;
    const char *to;

    receive_zip(site, "essay.txt", "An essay.");
    assert_int_equal(deliver(site), APR_SUCCESS);
    to = site->delivered->to;
    assert_int_equal(deliver(site), APR_SUCCESS);
    assert_true(site->delivered->again);
    assert_string_equal(site->delivered->to, to);
    assert_int_equal(count_in(site, INCOMING), 1);

    assert_int_equal(rename(in_dir(site, to), in_dir(site, "taken")), 0);
    assert_int_equal(deliver(site), APR_SUCCESS);
    assert_true(site->delivered->again);
    assert_int_equal(count_in(site, INCOMING), 0);
}

/* Killed anywhere: once the retry is through it is there once, whole. */
static void test_killed_at_random(void **state)
{
    site_t *site = *state;
    apr_pool_t *p = site->place->pool;
    char *big = apr_pcalloc(p, 300001);
    int i;

    memset(big, 'x', 300000);
    receive_zip(site, "big.txt", big);
    for (i = 0; i < 60; i++) {
        pid_t child;
        int status, folder;

        site->delivery.source.id = apr_psprintf(p, "id %d", i);
        site->delivery.source.work = in_dir(site, apr_psprintf(p, ".work/k%d", i));
        child = fork();
        if (!child) {
            signal(SIGKILL, SIG_DFL);
            (void)deliver(site);
            _exit(0);
        }
        apr_sleep(i * 150);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        folder = count_in(site, INCOMING);
        assert_true(folder == i || folder == i + 1);
        assert_int_equal(deliver(site), APR_SUCCESS);
        assert_int_equal(count_in(site, INCOMING), i + 1);
        assert_int_equal(site->delivered->again, folder == i + 1);
        assert_non_null(content_of(
            in_dir(site, apr_pstrcat(p, site->delivered->to, "/mnet-report.json", NULL)), p));
        assert_int_equal(mnet_portfolio_forget(site->delivery.source.work, p), APR_SUCCESS);
    }
}

/* A mark is taken away before the package it speaks of: else the second kill would lose it. */
static void test_a_mark_without_an_arrival(void **state)
{
    site_t *site = *state;
    apr_pool_t *p = site->place->pool;
    const char *work = site->delivery.source.work;

    receive_zip(site, "essay.txt", "An essay.");
    assert_int_equal(deliver(site), APR_SUCCESS);
    assert_int_equal(
        rename(in_dir(site, site->delivered->to), apr_pstrcat(p, work, "/package", NULL)), 0);
    assert_int_equal(deliver(site), APR_SUCCESS);
    assert_false(site->delivered->again);
    assert_int_equal(count_in(site, INCOMING), 1);
}

static void test_two_attempts_at_once(void **state)
{
    site_t *site = *state;
    int fd;

    receive_zip(site, "essay.txt", "An essay.");
    assert_int_equal(deliver(site), APR_SUCCESS);
    fd = open(apr_pstrcat(site->place->pool, site->delivery.source.work, "/lock", NULL), O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(deliver(site), MNET_E_BUSY);
    assert_int_equal(mnet_portfolio_forget(site->delivery.source.work, site->place->pool),
                     MNET_E_BUSY);
    close(fd);
    assert_int_equal(deliver(site), APR_SUCCESS);
}

static void test_refused_and_not_taken(void **state)
{
    site_t *site = *state;

    receive_zip(site, "../essay.txt", "An essay.");
    assert_int_equal(deliver(site), MNET_E_REFUSED);
    assert_non_null(strstr(site->delivered->why, "leads out"));
    ((apr_array_header_t *)site->options->routes)->nelts = 0;
    add_route(site, "leap2a", "leap", 0);
    receive_zip(site, "essay.txt", "An essay.");
    assert_int_equal(deliver(site), MNET_E_REFUSED);
    assert_string_equal(site->delivered->why, "packages of format text are not taken");
    assert_int_equal(count_in(site, ""), 0);
    site->options->max_size = 5;
    assert_int_equal(deliver(site), MNET_E_REFUSED);
    assert_non_null(strstr(site->delivered->why, "the most is 5"));
}

static void test_a_folder_that_cannot_be_made(void **state)
{
    site_t *site = *state;
    FILE *file;

    receive_zip(site, "essay.txt", "An essay.");
    file = fopen(in_dir(site, "alice@moodle.example"), "w");
    fclose(file);
    assert_int_equal(deliver(site), ENOTDIR);
    assert_non_null(strstr(site->delivered->why, "on this server"));
    assert_int_equal(unlink(in_dir(site, "alice@moodle.example")), 0);
    assert_int_equal(deliver(site), APR_SUCCESS);
    assert_false(site->delivered->again);
}

/* --- routes --- */

static const char *route_of(site_t *site, const char *format)
{
    const mnet_portfolio_route_t *route = mnet_portfolio_route(site->options, format);

    return route ? route->to : "";
}

static void test_routes(void **state)
{
    site_t *site = *state;

    assert_string_equal(route_of(site, "leap2a"), "incoming");
    add_route(site, "file", "files", 0);
    add_route(site, "leap2a", "leap", 0);
    add_route(site, "leap2a", "leap second", 0);
    add_route(site, "imscc", "cc", 1);
    add_route(site, "imscc", "cc best", 2);
    assert_string_equal(route_of(site, "leap2a"), "leap");
    assert_string_equal(route_of(site, "imscc"), "cc best");
    assert_string_equal(route_of(site, "image"), "files");
    assert_string_equal(route_of(site, "scorm"), "incoming");
    add_route(site, "image", "pictures", 0);
    assert_string_equal(route_of(site, "image"), "pictures");
    add_route(site, "*", "all", 1);
    assert_string_equal(route_of(site, "image"), "all");
    assert_string_equal(route_of(site, "imscc"), "cc best");
}

static void test_folders_of_users(void **state)
{
    apr_pool_t *p = *state;
    const char *name, *other;
    const char *many = apr_psprintf(p, "%0400d", 1);

    assert_string_equal(mnet_portfolio_user_folder("alice", "https://m.example", p),
                        "alice@m.example");
    assert_string_equal(mnet_portfolio_user_folder("alice", "https://m.example:8443/moodle", p),
                        "alice@m.example:8443%2Fmoodle");
    assert_string_equal(mnet_portfolio_user_folder("../a b\\%", "http://m", p),
                        "%2E.%2Fa%20b%5C%25@m");
    assert_string_equal(mnet_portfolio_user_folder("\xe6\x97\xa5\xff", "http://m", p),
                        "%E6%97%A5%FF@m");
    assert_string_equal(mnet_portfolio_user_folder("\xe6\x97\xa5", "http://m", p),
                        "\xe6\x97\xa5@m");
    name = mnet_portfolio_user_folder(apr_pstrcat(p, many, "a", NULL), "http://m", p);
    other = mnet_portfolio_user_folder(apr_pstrcat(p, many, "b", NULL), "http://m", p);
    assert_true(strlen(name) <= 240);
    assert_string_not_equal(name, other);
}

/* --- to a URL --- */

/* An application that takes one POST and gives one answer. */
typedef struct {
    int listener, port, status;
    char request[65536];
    apr_size_t len;
    pthread_t thread;
} application_t;

static void *serve(void *baton)
{
    application_t *app = baton;
    int fd = accept(app->listener, NULL, NULL);
    apr_size_t want = 0;
    char answer[200];
    const char *head;

    while (fd >= 0 && app->len < sizeof(app->request) - 1 && (!want || app->len < want)) {
        ssize_t n = read(fd, app->request + app->len, sizeof(app->request) - 1 - app->len);

        if (n <= 0) {
            break;
        }
        app->len += (apr_size_t)n;
        head = memmem(app->request, app->len, "\r\n\r\n", 4);
        if (head) {
            const char *length = strcasestr(app->request, "Content-Length:");

            want = (apr_size_t)(head + 4 - app->request) +
                   (length ? strtoul(length + 15, NULL, 10) : 0);
        }
    }
    snprintf(answer, sizeof(answer),
             "HTTP/1.1 %d X\r\nContent-Length: 7\r\nConnection: close\r\n\r\nbecause", app->status);
    if (fd >= 0) {
        if (app->status < 0) {
            (void)!read(fd, answer, sizeof(answer)); /* until the other side gives up */
        } else if (app->status) {
            (void)!write(fd, answer, strlen(answer));
        }
        close(fd);
    }
    return NULL;
}

static void start_application(application_t *app, int status)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    struct timeval patience = {10, 0};

    memset(app, 0, sizeof(*app));
    app->status = status;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    app->listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(app->listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(bind(app->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(app->listener, 5), 0);
    assert_int_equal(getsockname(app->listener, (struct sockaddr *)&address, &len), 0);
    app->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&app->thread, NULL, serve, app), 0);
}

static void end_application(application_t *app)
{
    pthread_join(app->thread, NULL);
    close(app->listener);
}

static apr_status_t post_to(site_t *site, application_t *app, int status)
{
    apr_status_t rv;

    start_application(app, status);
    ((apr_array_header_t *)site->options->routes)->nelts = 0;
    add_route(site, "*", apr_psprintf(site->place->pool, "http://127.0.0.1:%d/take", app->port), 0);
    rv = deliver(site);
    end_application(app);
    return rv;
}

static int has(const application_t *app, const char *text)
{
    return memmem(app->request, app->len, text, strlen(text)) != NULL;
}

static void test_posted(void **state)
{
    site_t *site = *state;
    application_t app;

    receive_zip(site, "essay.txt", "An essay.");
    assert_int_equal(post_to(site, &app, 201), APR_SUCCESS);
    assert_int_equal(site->delivered->status, 201);
    assert_true(has(&app, "POST /take HTTP/1.1\r\n"));
    assert_true(has(&app, "Idempotency-Key: \"0123456789abcdef\"\r\n"));
    assert_true(has(&app, "name=\"peer\"\r\n\r\nhttps://moodle.example\r\n"));
    assert_true(has(&app, "name=\"user\"\r\n\r\nalice\r\n"));
    assert_true(has(&app, "name=\"format\"\r\n\r\ntext\r\n"));
    assert_true(has(&app, "name=\"title\"\r\n\r\nMy essay\r\n"));
    assert_true(has(&app, "name=\"report\"\r\nContent-Type: application/json\r\n"));
    assert_true(has(&app, "name=\"file\"; filename=\"essay.txt\"\r\nContent-Type: text/plain\r\n"
                          "\r\nAn essay.\r\n"));
    assert_int_equal(count_in(site, ""), 0);
    /* It is not sent again. */
    assert_int_equal(deliver(site), APR_SUCCESS);
    assert_true(site->delivered->again);
    assert_int_equal(mnet_portfolio_forget(site->delivery.source.work, site->place->pool),
                     APR_SUCCESS);
}

static void test_an_archive_is_posted_as_it_is(void **state)
{
    site_t *site = *state;
    application_t app;
    zip_t zip = {0};

    zip_text(&zip, "a.txt", "a");
    zip_text(&zip, "b.txt", "b");
    zip_end(&zip, 0, 0);
    receive(site->place, zip.bytes.data, zip.bytes.len);
    assert_int_equal(post_to(site, &app, 200), APR_SUCCESS);
    assert_true(has(&app, "name=\"package\"; filename=\"package.zip\"\r\n"
                          "Content-Type: application/zip\r\n\r\nPK\x03\x04"));
    assert_non_null(memmem(app.request, app.len, zip.bytes.data, zip.bytes.len));
    zip_free(&zip);
}

static void test_answers(void **state)
{
    static const int again[] = {500, 503, 302, 404, 429, 0}, never[] = {400, 413, 415, 422};
    site_t *site = *state;
    application_t app;
    int i;

    receive_zip(site, "essay.txt", "An essay.");
    for (i = 0; i < 6; i++) {
        apr_status_t rv = post_to(site, &app, again[i]);

        assert_int_not_equal(rv, APR_SUCCESS);
        assert_int_not_equal(rv, MNET_E_REFUSED);
        assert_int_equal(site->delivered->status, again[i]);
    }
    for (i = 0; i < 4; i++) {
        assert_int_equal(post_to(site, &app, never[i]), MNET_E_REFUSED);
        assert_non_null(strstr(site->delivered->why, "(because)"));
    }
    assert_int_equal(post_to(site, &app, 204), APR_SUCCESS);
    assert_false(site->delivered->again);
}

static void test_posted_through_a_socket(void **state)
{
    site_t *site = *state;
    application_t app = {.status = 201};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mnet_portfolio_route_t *route;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", site->place->dir);
    app.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(app.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(app.listener, 1), 0);
    assert_int_equal(pthread_create(&app.thread, NULL, serve, &app), 0);
    add_route(site, "*",
              apr_pstrcat(site->place->pool, "unix:", address.sun_path, "|http://app/take", NULL),
              1);
    receive_zip(site, "essay.txt", "An essay.");
    assert_int_equal(deliver(site), APR_SUCCESS);
    end_application(&app);
    assert_true(has(&app, "POST /take HTTP/1.1\r\nHost: app\r\n"));
    route = APR_ARRAY_IDX(site->options->routes, 1, mnet_portfolio_route_t *);
    route->to = "unix:/nowhere";
    site->delivery.source.work = in_dir(site, ".work/t2");
    assert_int_equal(deliver(site), MNET_E_INVALID);
}

static int *stopping_flag;

static void set_stopping(int number)
{
    *stopping_flag = 1;
}

static int stop_at_once(void *baton)
{
    return *(int *)baton;
}

static void test_one_that_never_answers(void **state)
{
    site_t *site = *state;
    application_t app;
    apr_time_t start = apr_time_now();
    apr_status_t rv;
    int stopping = 0;

    receive_zip(site, "essay.txt", "An essay.");
    site->delivery.timeout = apr_time_from_msec(300);
    rv = post_to(site, &app, -1);
    assert_int_not_equal(rv, APR_SUCCESS);
    assert_int_not_equal(rv, MNET_E_REFUSED);
    assert_non_null(strstr(site->delivered->why, "did not answer"));
    assert_true(apr_time_now() - start < apr_time_from_sec(8));

    site->delivery.timeout = 0;
    site->delivery.source.stop = stop_at_once;
    site->delivery.source.stop_baton = &stopping;
    start_application(&app, -1);
    ((apr_array_header_t *)site->options->routes)->nelts = 0;
    add_route(site, "*", apr_psprintf(site->place->pool, "http://127.0.0.1:%d/", app.port), 0);
    start = apr_time_now();
    signal(SIGALRM, set_stopping);
    stopping_flag = &stopping;
    alarm(1);
    assert_int_equal(deliver(site), MNET_E_BUSY);
    end_application(&app);
    assert_true(apr_time_now() - start < apr_time_from_sec(3));
    assert_string_equal(site->delivered->why, "this server is stopping");
}

static void test_nobody_answers(void **state)
{
    site_t *site = *state;
    application_t app;

    receive_zip(site, "essay.txt", "An essay.");
    start_application(&app, 200);
    shutdown(app.listener, SHUT_RDWR);
    end_application(&app);
    add_route(site, "*", apr_psprintf(site->place->pool, "http://127.0.0.1:%d/", app.port), 1);
    assert_int_equal(deliver(site), APR_ECONNREFUSED);
    assert_non_null(strstr(site->delivered->why, "did not answer"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        sited(test_to_a_folder),
        sited(test_the_same_again_is_a_new_folder),
        sited(test_an_attempt_after_one_that_arrived),
        sited(test_killed_at_random),
        sited(test_a_mark_without_an_arrival),
        sited(test_two_attempts_at_once),
        sited(test_refused_and_not_taken),
        sited(test_a_folder_that_cannot_be_made),
        sited(test_routes),
        test(test_folders_of_users),
        sited(test_posted),
        sited(test_an_archive_is_posted_as_it_is),
        sited(test_answers),
        sited(test_posted_through_a_socket),
        sited(test_one_that_never_answers),
        sited(test_nobody_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
