/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP to local applications: UNIX sockets, headers, and calls that go out once. */
#include "rpc/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/status.h"

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"

/* An application, one connection at a time: answers so many requests, then closes without a word
 * after reading the next.  -1: never answers. */
typedef struct app_t {
    int listener, port, answers;
    char socket[64];
    pthread_t thread;
    _Atomic int begun; /* requests of which something came */
    _Atomic int heard; /* whole ones */
    int connections;
    char head[4096], last[4096]; /* of the request being read, and of the last whole one */
} app_t;

static apr_pool_t *pool;
static app_t app;
static void *transport;
static mnet_spool_t *received;
static mnet_sink_t sink;

/* One request; 0: the connection ended. */
static int hear(int fd)
{
    size_t have = 0, length;
    char *end, *header;

    memset(app.head, 0, sizeof(app.head));
    for (;;) {
        ssize_t n = read(fd, app.head + have, sizeof(app.head) - 1 - have);

        if (n <= 0) {
            return 0;
        }
        app.begun += !have;
        have += (size_t)n;
        end = strstr(app.head, "\r\n\r\n");
        header = strcasestr(app.head, "content-length:");
        length = header ? strtoul(header + 15, NULL, 10) : 0;
        if (end && have >= (size_t)(end + 4 - app.head) + length) {
            app.heard++;
            memcpy(app.last, app.head, sizeof(app.last));
            return 1;
        }
    }
}

static void *run(void *unused)
{
    int fd;

    while ((fd = accept(app.listener, NULL, NULL)) >= 0) {
        int given = 0;

        app.connections++;
        while (hear(fd) && (app.answers < 0 || given++ < app.answers)) {
            if (app.answers < 0) {
                continue;
            }
            if (write(fd, ANSWER, strlen(ANSWER)) < 0) {
                break;
            }
        }
        close(fd);
    }
    return NULL;
}

static void start(int answers, int local)
{
    struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(tcp);

    app.answers = answers;
    app.listener = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    if (local) {
        apr_snprintf(app.socket, sizeof(app.socket), "/tmp/mnet-unit-%d.sock", (int)getpid());
        apr_cpystrn(un.sun_path, app.socket, sizeof(un.sun_path));
        unlink(app.socket);
        assert_int_equal(bind(app.listener, (struct sockaddr *)&un, sizeof(un)), 0);
    } else {
        assert_int_equal(bind(app.listener, (struct sockaddr *)&tcp, sizeof(tcp)), 0);
        assert_int_equal(getsockname(app.listener, (struct sockaddr *)&tcp, &len), 0);
        app.port = ntohs(tcp.sin_port);
    }
    assert_int_equal(listen(app.listener, 5), 0);
    assert_int_equal(pthread_create(&app.thread, NULL, run, NULL), 0);
}

static int setup(void **state)
{
    apr_pool_create(&pool, NULL);
    memset(&app, 0, sizeof(app));
    assert_int_equal(mnet_transport_curl.create(&transport, NULL, pool), APR_SUCCESS);
    return 0;
}

static int teardown(void **state)
{
    /* Its connections end with the pool, and then the thread. */
    apr_pool_destroy(pool);
    if (app.thread) {
        shutdown(app.listener, SHUT_RDWR);
        pthread_join(app.thread, NULL);
        close(app.listener);
    }
    if (app.socket[0]) {
        unlink(app.socket);
    }
    return 0;
}

static mnet_http_t request(int once)
{
    mnet_http_t http = {.url = apr_psprintf(pool, "http://127.0.0.1:%d/x", app.port),
                        .is_local = 1,
                        .tls = MNET_TLS_VERIFY,
                        .timeout = apr_time_from_sec(5),
                        .once = once,
                        .max_response = 1000};

    received = mnet_spool_create(0, NULL, pool);
    sink.write = mnet_spool_write;
    sink.baton = received;
    http.response = &sink;
    http.body = mnet_spool_create(0, NULL, pool);
    mnet_spool_write(http.body, "call", 4);
    return http;
}

static apr_status_t perform(mnet_http_t *http)
{
    return mnet_transport_curl.perform(transport, http, pool);
}

static void over_a_unix_socket(void **state)
{
    mnet_http_t http;
    int i;

    start(10, 1);
    for (i = 0; i < 3; i++) {
        http = request(i % 2);
        http.url = "http://app.local/x?y=1";
        http.unix_socket = app.socket;
        assert_int_equal(perform(&http), APR_SUCCESS);
        assert_string_equal(mnet_spool_text(received), "good");
        assert_non_null(strstr(app.last, "POST /x?y=1 HTTP/1.1\r\nHost: app.local\r\n"));
    }
    assert_int_equal(app.connections, 1);
    http.unix_socket = "/tmp/mnet-unit-none.sock";
    assert_int_not_equal(perform(&http), APR_SUCCESS);
    assert_int_equal(http.sent, 0);
    assert_non_null(strstr(http.problem, "may httpd's User write to its socket"));
}

static void headers_of_the_callers(void **state)
{
    mnet_http_t http;
    apr_array_header_t *headers = apr_array_make(pool, 2, sizeof(const char *));

    start(10, 0);
    http = request(1);
    APR_ARRAY_PUSH(headers, const char *) = "X-Mnet-Peer: https://a.example";
    APR_ARRAY_PUSH(headers, const char *) = "X-Mnet-Method: a/b";
    http.headers = headers;
    http.content_type = "application/json";
    assert_int_equal(perform(&http), APR_SUCCESS);
    assert_int_equal(http.sent, 1);
    assert_non_null(
        strstr(app.last, "\r\nX-Mnet-Peer: https://a.example\r\nX-Mnet-Method: a/b\r\n"));
    assert_non_null(strstr(app.last, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(app.last, "\r\nContent-Length: 4\r\n"));
    assert_non_null(strstr(app.last, "\r\n\r\ncall"));
}

/* A kept connection that dies under a call: libcurl would send it again by itself. */
static void what_goes_out_once_is_heard_once(void **state)
{
    mnet_http_t http;

    start(1, 0);
    http = request(1);
    assert_int_equal(perform(&http), APR_SUCCESS);
    http = request(1);
    assert_int_not_equal(perform(&http), APR_SUCCESS);
    assert_int_equal(http.sent, 1);
    assert_non_null(strstr(http.problem, "closed the connection without an answer"));
    assert_int_equal(app.heard, 2);
    assert_int_equal(app.begun, 2);
}

static void what_only_reads_is_sent_again(void **state)
{
    mnet_http_t http;

    start(1, 0);
    http = request(0);
    assert_int_equal(perform(&http), APR_SUCCESS);
    http = request(0);
    assert_int_equal(perform(&http), APR_SUCCESS);
    assert_int_equal(app.heard, 3);
}

/* From a file, too. */
static void a_long_body_goes_out_once(void **state)
{
    char piece[3000];
    mnet_http_t http;
    int i;

    memset(piece, 'x', sizeof(piece));
    start(1, 0);
    http = request(1);
    assert_int_equal(perform(&http), APR_SUCCESS);
    http = request(1);
    http.body = mnet_spool_create(0, NULL, pool);
    for (i = 0; i < 30; i++) {
        mnet_spool_write(http.body, piece, sizeof(piece));
    }
    assert_null(mnet_spool_text(http.body));
    /* It reads a little of it and closes. */
    assert_int_not_equal(perform(&http), APR_SUCCESS);
    /* libcurl may connect again, but has nothing to send there. */
    assert_int_equal(app.begun, 2);
}

static void nobody_there_has_heard_nothing(void **state)
{
    mnet_http_t http;

    app.port = 1;
    http = request(1);
    assert_int_not_equal(perform(&http), APR_SUCCESS);
    assert_int_equal(http.sent, 0);
    assert_non_null(strstr(http.problem, "is the application up?"));
}

/* It takes the call and says nothing. */
static void the_whole_is_bounded(void **state)
{
    mnet_http_t http;
    apr_time_t started = apr_time_now();

    start(-1, 0);
    http = request(1);
    http.total = apr_time_from_msec(300);
    assert_int_equal(perform(&http), APR_TIMEUP);
    assert_int_equal(http.sent, 1);
    assert_true(apr_time_now() - started < apr_time_from_sec(3));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(over_a_unix_socket),
                                       T(headers_of_the_callers),
                                       T(what_goes_out_once_is_heard_once),
                                       T(what_only_reads_is_sent_again),
                                       T(a_long_body_goes_out_once),
                                       T(nobody_there_has_heard_nothing),
                                       T(the_whole_is_bounded)};

    signal(SIGPIPE, SIG_IGN);
    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
