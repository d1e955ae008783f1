/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"

/* A server on loopback, one connection at a time: keeps what it was sent, answers as it is told. */
typedef struct server_t {
    int listener, port, stop[2];
    pthread_t thread;
    const char *answer; /* NULL: never answers */
    SSL_CTX *tls;
    int connections, requests;
    char head[4096];
    size_t body; /* bytes of the last body */
} server_t;

static apr_pool_t *pool;
static server_t server;
static void *transport;
static char cafile[64];

#define OK "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 5\r\n\r\nhello"

typedef struct peer_io_t {
    int fd;
    SSL *ssl;
} peer_io_t;

static ssize_t io_read(peer_io_t *io, char *buf, size_t len)
{
    return io->ssl ? SSL_read(io->ssl, buf, (int)len) : read(io->fd, buf, len);
}

/* Waits for input or for the end of the test; 1: there is input. */
static int wait_input(int fd)
{
    fd_set set;

    FD_ZERO(&set);
    FD_SET(fd, &set);
    FD_SET(server.stop[0], &set);
    select((fd > server.stop[0] ? fd : server.stop[0]) + 1, &set, NULL, NULL, NULL);
    return !FD_ISSET(server.stop[0], &set);
}

static void serve(peer_io_t *io)
{
    char buf[16384];
    size_t have = 0, length = 0;
    ssize_t n;
    char *end, *header;

    for (;;) {
        if ((!io->ssl || !SSL_pending(io->ssl)) && !wait_input(io->fd)) {
            return;
        }
        n = io_read(io, buf, sizeof(buf));
        if (n <= 0) {
            return;
        }
        if (have < sizeof(server.head) - 1) {
            size_t room = sizeof(server.head) - 1 - have;

            memcpy(server.head + have, buf, (size_t)n < room ? (size_t)n : room);
            server.head[have + ((size_t)n < room ? (size_t)n : room)] = '\0';
        }
        have += (size_t)n;
        end = strstr(server.head, "\r\n\r\n");
        if (!end) {
            continue;
        }
        header = strcasestr(server.head, "content-length:");
        length = header && header < end ? strtoul(header + 15, NULL, 10) : 0;
        server.body = have - (size_t)(end + 4 - server.head);
        if (server.body < length || !server.answer) {
            continue;
        }
        server.requests++;
        if (io->ssl) {
            SSL_write(io->ssl, server.answer, (int)strlen(server.answer));
        } else if (write(io->fd, server.answer, strlen(server.answer)) < 0) {
            return;
        }
        have = 0;
    }
}

static void *run(void *unused)
{
    while (wait_input(server.listener)) {
        peer_io_t io = {accept(server.listener, NULL, NULL), NULL};

        server.connections++;
        if (server.tls) {
            io.ssl = SSL_new(server.tls);
            SSL_set_fd(io.ssl, io.fd);
        }
        if (!io.ssl || SSL_accept(io.ssl) == 1) {
            serve(&io);
        }
        SSL_free(io.ssl);
        close(io.fd);
    }
    return NULL;
}

static int setup(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    apr_pool_create(&pool, NULL);
    memset(&server, 0, sizeof(server));
    server.answer = OK;
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server.listener, 5), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &len), 0);
    server.port = ntohs(address.sin_port);
    assert_int_equal(pipe(server.stop), 0);
    assert_int_equal(mnet_transport_curl.create(&transport, NULL, pool), APR_SUCCESS);
    return 0;
}

static void start(void)
{
    assert_int_equal(pthread_create(&server.thread, NULL, run, NULL), 0);
}

static int teardown(void **state)
{
    if (server.thread) {
        assert_int_equal(write(server.stop[1], "x", 1), 1);
        pthread_join(server.thread, NULL);
    }
    apr_pool_destroy(pool);
    close(server.listener);
    close(server.stop[0]);
    close(server.stop[1]);
    SSL_CTX_free(server.tls);
    if (cafile[0]) {
        unlink(cafile);
        cafile[0] = '\0';
    }
    return 0;
}

static mnet_sink_t sink;
static mnet_spool_t *received;

static mnet_http_t request(const char *url, const char *body)
{
    mnet_http_t http = {.url = url,
                        .tls = MNET_TLS_VERIFY,
                        .timeout = apr_time_from_sec(5),
                        .content_type = "text/xml; charset=utf-8",
                        .max_response = 1000};

    received = mnet_spool_create(0, NULL, pool);
    sink.write = mnet_spool_write;
    sink.baton = received;
    http.response = &sink;
    if (body) {
        http.body = mnet_spool_create(0, NULL, pool);
        mnet_spool_write(http.body, body, strlen(body));
    }
    return http;
}

static const char *here(const char *scheme)
{
    return apr_psprintf(pool, "%s://127.0.0.1:%d", scheme, server.port);
}

static apr_status_t perform(mnet_http_t *http)
{
    return mnet_transport_curl.perform(transport, http, pool);
}

static void posts_and_takes_the_answer(void **state)
{
    mnet_http_t http = request(apr_pstrcat(pool, here("http"), "/mnet/x.php", NULL), "<body/>");

    start();
    assert_int_equal(perform(&http), APR_SUCCESS);
    assert_int_equal(http.status, 200);
    assert_string_equal(mnet_spool_text(received), "hello");
    assert_string_equal(http.content_type_in, "text/xml");
    assert_int_equal(http.verified, 0);
    assert_int_equal(server.body, 7);
    assert_non_null(strstr(server.head, "POST /mnet/x.php HTTP/1.1\r\n"));
    assert_non_null(strstr(server.head, "User-Agent: " MNET_AGENT "\r\n"));
    assert_non_null(strstr(server.head, "Accept-Charset: UTF-8\r\n"));
    assert_non_null(strstr(server.head, "Content-Type: text/xml; charset=utf-8\r\n"));
    assert_null(strstr(server.head, "Expect"));
    assert_null(strstr(server.head, "Accept-Encoding"));
}

static void gets_without_a_body(void **state)
{
    mnet_http_t http = request(apr_pstrcat(pool, here("http"), "/key", NULL), NULL);

    start();
    assert_int_equal(perform(&http), APR_SUCCESS);
    assert_non_null(strstr(server.head, "GET /key HTTP/1.1\r\n"));
    assert_null(strstr(server.head, "Content-Type"));
}

static void keeps_the_connection(void **state)
{
    mnet_http_t http = request(here("http"), "one");
    int i;

    start();
    for (i = 0; i < 5; i++) {
        assert_int_equal(perform(&http), APR_SUCCESS);
    }
    assert_int_equal(server.requests, 5);
    assert_int_equal(server.connections, 1);
}

static void sends_a_long_body_from_its_file(void **state)
{
    mnet_http_t http = request(here("http"), "");
    char piece[10000];
    int i;

    memset(piece, 'x', sizeof(piece));
    for (i = 0; i < 100; i++) {
        assert_int_equal(mnet_spool_write(http.body, piece, sizeof(piece)), APR_SUCCESS);
    }
    assert_null(mnet_spool_text(http.body));
    start();
    assert_int_equal(perform(&http), APR_SUCCESS);
    assert_int_equal(server.body, 1000000);
    assert_int_equal(perform(&http), APR_SUCCESS);
    assert_int_equal(server.body, 1000000);
}

static void endpoint_takes_the_connection_and_not_the_name(void **state)
{
    mnet_http_t http = request("https://moodle.example.org/mnet/x.php", "one");

    http.endpoint = here("http");
    start();
    assert_int_equal(perform(&http), APR_SUCCESS);
    assert_non_null(strstr(server.head, "Host: moodle.example.org\r\n"));
    assert_non_null(strstr(server.head, "POST /mnet/x.php HTTP/1.1\r\n"));
    assert_int_equal(http.verified, 0);
}

static void endpoint_keeps_the_port_in_host(void **state)
{
    mnet_http_t http = request("https://moodle.example.org:80/x", "one");

    http.endpoint = here("http");
    start();
    assert_int_equal(perform(&http), APR_SUCCESS);
    assert_non_null(strstr(server.head, "Host: moodle.example.org:80\r\n"));
}

static void a_wrong_endpoint_is_told(void **state)
{
    mnet_http_t http = request("https://moodle.example.org/x", "one");

    http.endpoint = "http://[nonsense";
    assert_int_equal(perform(&http), APR_EGENERAL);
    assert_non_null(strstr(http.problem, "MnetPeerEndpoint"));
}

static void no_proxy_from_the_environment(void **state)
{
    mnet_http_t http = request(here("http"), "one");

    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
    start();
    assert_int_equal(perform(&http), APR_SUCCESS);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

static void redirects_are_not_followed(void **state)
{
    mnet_http_t http = request(here("http"), "one");

    server.answer = "HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n";
    start();
    assert_int_equal(perform(&http), APR_SUCCESS);
    assert_int_equal(http.status, 302);
    assert_int_equal(server.requests, 1);
    server.answer =
        "HTTP/1.1 301 Moved\r\nLocation: https://moodle.example.org/mnet/\"x?token=t#f\r\n"
        "Content-Length: 0\r\n\r\n";
    assert_int_equal(perform(&http), APR_SUCCESS);
    /* What a query may hold is nobody's business. */
    assert_string_equal(http.redirect, "https://moodle.example.org/mnet/\\x22x");
    server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_int_equal(perform(&http), APR_SUCCESS);
    assert_null(http.redirect);
}

static void too_long_an_answer_is_cut(void **state)
{
    mnet_http_t http = request(here("http"), "one");

    http.max_response = 4;
    start();
    assert_int_equal(perform(&http), MNET_E_LIMIT);
    server.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    assert_int_equal(perform(&http), MNET_E_LIMIT);
    http.max_response = 5;
    assert_int_equal(perform(&http), APR_SUCCESS);
}

static apr_status_t no_room(void *baton, const char *data, apr_size_t len)
{
    return APR_ENOSPC;
}

static void the_sinks_error_comes_back(void **state)
{
    mnet_http_t http = request(here("http"), "one");

    sink.write = no_room;
    start();
    assert_int_equal(perform(&http), APR_ENOSPC);
}

static void silence_ends(void **state)
{
    mnet_http_t http = request(here("http"), "one");
    apr_time_t began = apr_time_now();

    server.answer = NULL;
    http.timeout = apr_time_from_sec(1);
    start();
    assert_int_equal(perform(&http), APR_TIMEUP);
    assert_int_equal(http.timed_out, 1);
    assert_non_null(strstr(http.problem, "MnetTimeout"));
    assert_true(apr_time_now() - began < apr_time_from_sec(10));
}

static void nobody_there_is_told(void **state)
{
    mnet_http_t http = request(here("http"), "one");

    close(server.listener);
    server.listener = -1;
    assert_int_equal(perform(&http), APR_EGENERAL);
    assert_non_null(strstr(http.problem, "nothing answers"));
    assert_int_equal(http.status, 0);
}

static void other_schemes_are_refused(void **state)
{
    mnet_http_t http = request("file:///etc/passwd", NULL);

    assert_int_equal(perform(&http), APR_EGENERAL);
    assert_int_equal(mnet_spool_length(received), 0);
}

/* --- TLS --- */

static void use_tls_until(const char *name, long end)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    X509 *certificate = X509_new();
    X509_NAME *subject;
    X509_EXTENSION *extension;
    FILE *file;
    int fd;

    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), end);
    X509_set_pubkey(certificate, key);
    subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                                    apr_pstrcat(pool, "DNS:", name, NULL));
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate, key, EVP_sha256());
    server.tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(server.tls, certificate);
    SSL_CTX_use_PrivateKey(server.tls, key);
    strcpy(cafile, "/tmp/mnet-unit-XXXXXX");
    fd = mkstemp(cafile);
    file = fdopen(fd, "w");
    PEM_write_X509(file, certificate);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void use_tls(const char *name)
{
    use_tls_until(name, 3600);
}

static void tls_is_verified_by_default(void **state)
{
    mnet_http_t http = request("https://moodle.example.org/x", "one");

    use_tls("moodle.example.org");
    http.endpoint = here("https");
    start();
    assert_int_equal(perform(&http), APR_EGENERAL);
    assert_non_null(strstr(http.problem, "MnetPeerTLS"));
    assert_int_equal(http.verified, 0);
    assert_int_equal(server.requests, 0);
}

static void tls_by_its_ca(void **state)
{
    mnet_http_t http = request("https://moodle.example.org/x", "one");

    use_tls("moodle.example.org");
    http.endpoint = here("https");
    http.tls = MNET_TLS_CAFILE;
    http.cafile = cafile;
    start();
    assert_int_equal(perform(&http), APR_SUCCESS);
    assert_int_equal(http.verified, 1);
    assert_string_equal(mnet_spool_text(received), "hello");
}

static void tls_for_another_name_is_refused(void **state)
{
    mnet_http_t http = request("https://moodle.example.org/x", "one");

    use_tls("evil.example.org");
    http.endpoint = here("https");
    http.tls = MNET_TLS_CAFILE;
    http.cafile = cafile;
    start();
    assert_int_equal(perform(&http), APR_EGENERAL);
    assert_int_equal(server.requests, 0);
    assert_non_null(strstr(http.problem, "for the host name of the URL"));
    assert_null(strstr(http.problem, "MnetPeerTLS"));
}

static void tls_that_has_expired_is_refused(void **state)
{
    mnet_http_t http = request("https://moodle.example.org/x", "one");

    use_tls_until("moodle.example.org", -60);
    http.endpoint = here("https");
    http.tls = MNET_TLS_CAFILE;
    http.cafile = cafile;
    start();
    assert_int_equal(perform(&http), APR_EGENERAL);
    assert_int_equal(server.requests, 0);
    assert_non_null(strstr(http.problem, "renewed"));
    assert_null(strstr(http.problem, "MnetPeerTLS"));
}

static void a_file_that_holds_no_ca_is_told(void **state)
{
    mnet_http_t http = request("https://moodle.example.org/x", "one");

    use_tls("moodle.example.org");
    http.endpoint = here("https");
    http.tls = MNET_TLS_CAFILE;
    http.cafile = "/dev/null";
    start();
    assert_int_equal(perform(&http), APR_EGENERAL);
    assert_int_equal(server.requests, 0);
    assert_non_null(strstr(http.problem, "the file of MnetPeerTLS must hold"));
}

static void tls_insecure_is_never_verified(void **state)
{
    mnet_http_t http = request("https://moodle.example.org/x", "one");

    use_tls("evil.example.org");
    http.endpoint = here("https");
    http.tls = MNET_TLS_INSECURE;
    start();
    assert_int_equal(perform(&http), APR_SUCCESS);
    assert_int_equal(http.verified, 0);
    /* The connection made so is not taken for a verified one. */
    http.tls = MNET_TLS_VERIFY;
    http.timeout = apr_time_from_sec(1);
    assert_int_not_equal(perform(&http), APR_SUCCESS);
    assert_int_equal(server.requests, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(posts_and_takes_the_answer),
                                       T(gets_without_a_body),
                                       T(keeps_the_connection),
                                       T(sends_a_long_body_from_its_file),
                                       T(endpoint_takes_the_connection_and_not_the_name),
                                       T(endpoint_keeps_the_port_in_host),
                                       T(a_wrong_endpoint_is_told),
                                       T(no_proxy_from_the_environment),
                                       T(redirects_are_not_followed),
                                       T(too_long_an_answer_is_cut),
                                       T(the_sinks_error_comes_back),
                                       T(silence_ends),
                                       T(nobody_there_is_told),
                                       T(other_schemes_are_refused),
                                       T(tls_is_verified_by_default),
                                       T(tls_by_its_ca),
                                       T(tls_for_another_name_is_refused),
                                       T(tls_that_has_expired_is_refused),
                                       T(a_file_that_holds_no_ca_is_told),
                                       T(tls_insecure_is_never_verified)};

    signal(SIGPIPE, SIG_IGN);
    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
