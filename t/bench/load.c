/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls a site over and over, each time with a message sealed under a session key of its own, as a
 * peer does.  The messages are made first and the replies opened last, so that what is timed is the
 * site.  Prints one JSON object; exit status 1 if any reply was not the one expected.
 *
 *   load --port N --path PATH --host HOST --wwwroot OURS --key OURS.p8 --cert THEIRS.pem
 *        [--calls N] [--clients N] [--method NAME | --documents FILE [--from N]]
 *
 * FILE has a document to a line: the N-th call is that of line N, counted from --from.
 */
#include <apr_general.h>
#include <apr_getopt.h>
#include <apr_network_io.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/message.h"

#define REPLY_MAX (64 * 1024)

typedef struct load_t {
    const char *host, *path, *wwwroot, *method;
    apr_port_t port;
    int calls, clients;
    EVP_PKEY *key, *peer;
    mnet_crypto_t *crypto;
    const char **documents; /* NULL: the method without parameters */
    int from;
    const char **requests;
    apr_size_t *lengths;
    apr_interval_time_t *took;
    const char *first_reply;
    apr_pool_t *pool;
} load_t;

typedef struct client_t {
    load_t *load;
    int number, errors;
    apr_pool_t *pool;
} client_t;

static void die(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(2);
}

static EVP_PKEY *read_key(const char *file)
{
    unsigned char der[8192];
    const unsigned char *at = der;
    FILE *in = fopen(file, "rb");
    size_t len;

    if (!in) {
        die("the key cannot be read");
    }
    len = fread(der, 1, sizeof(der), in);
    fclose(in);
    return d2i_AutoPrivateKey(NULL, &at, (long)len);
}

static EVP_PKEY *read_certificate(const char *file)
{
    FILE *in = fopen(file, "r");
    X509 *x509 = in ? PEM_read_X509(in, NULL, NULL, NULL) : NULL;
    EVP_PKEY *key = x509 ? X509_get_pubkey(x509) : NULL;

    if (in) {
        fclose(in);
    }
    X509_free(x509);
    return key;
}

/* The keys were read in the default context; the library wants them in its own. */
static EVP_PKEY *move_key(EVP_PKEY *key, int private, OSSL_LIB_CTX *libctx)
{
    unsigned char *der = NULL;
    const unsigned char *at;
    EVP_PKEY *moved;
    int len = private ? i2d_PrivateKey(key, &der) : i2d_PUBKEY(key, &der);

    at = der;
    moved = private ? d2i_AutoPrivateKey_ex(NULL, &at, len, libctx, NULL)
                    : d2i_PUBKEY_ex(NULL, &at, len, libctx, NULL);
    OPENSSL_free(der);
    return moved;
}

static void make_request(load_t *load, int index, apr_pool_t *scratch)
{
    mnet_spool_t *payload = mnet_spool_create(0, NULL, scratch);
    mnet_spool_t *body = mnet_spool_create(0, NULL, scratch);
    mnet_sink_t to_payload = {mnet_spool_write, payload}, to_body = {mnet_spool_write, body};
    mnet_wrapping_t how = {load->crypto,
                           load->key,
                           load->peer,
                           load->wwwroot,
                           apr_pstrcat(scratch, load->wwwroot, "/mnet/publickey.php", NULL),
                           apr_time_sec(apr_time_now())};
    const char *head;

    if ((load->documents
             ? mnet_sink_write(&to_payload, load->documents[index], strlen(load->documents[index]))
             : mnet_xmlrpc_write_call(load->method, NULL, &to_payload)) != APR_SUCCESS ||
        mnet_message_wrap(&how, payload, NULL, &to_body, scratch) != APR_SUCCESS) {
        die("a message cannot be made");
    }
    head = apr_psprintf(scratch,
                        "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Moodle\r\n"
                        "Accept-Charset: UTF-8\r\nContent-Type: text/xml\r\n"
                        "Content-Length: %" APR_OFF_T_FMT "\r\n\r\n",
                        load->path, load->host, mnet_spool_length(body));
    load->requests[index] = apr_pstrcat(load->pool, head, mnet_spool_text(body), NULL);
    load->lengths[index] = strlen(load->requests[index]);
}

/* As many lines as there are calls. */
static void read_documents(load_t *load, const char *file)
{
    FILE *in = fopen(file, "r");
    char line[8192];
    int have = 0;

    load->documents = apr_pcalloc(load->pool, sizeof(char *) * (size_t)load->calls);
    for (int i = 0; in && have < load->calls && fgets(line, sizeof(line), in); i++) {
        if (i >= load->from) {
            load->documents[have++] = apr_pstrdup(load->pool, line);
        }
    }
    if (in) {
        fclose(in);
    }
    if (have < load->calls) {
        die("there are not as many documents as calls");
    }
}

static apr_socket_t *dial(load_t *load, apr_pool_t *pool)
{
    apr_sockaddr_t *address;
    apr_socket_t *s;

    if (apr_sockaddr_info_get(&address, "127.0.0.1", APR_INET, load->port, 0, pool) ||
        apr_socket_create(&s, APR_INET, SOCK_STREAM, APR_PROTO_TCP, pool) ||
        apr_socket_timeout_set(s, apr_time_from_sec(20)) || apr_socket_connect(s, address)) {
        return NULL;
    }
    apr_socket_opt_set(s, APR_TCP_NODELAY, 1);
    return s;
}

/* The pieces of a chunked body are put together in place.  Its length; -1: its end has not come. */
static long unchunk(char *body, char *end)
{
    char *at = body, *to = body, *line;

    while ((line = strstr(at, "\r\n"))) {
        long size = strtol(at, NULL, 16);

        line += 2;
        if (size < 0 || size > end - line - 2) {
            break;
        }
        if (size == 0) {
            *to = '\0';
            return (long)(to - body);
        }
        memmove(to, line, (size_t)size);
        to += size;
        at = line + size + 2;
    }
    return -1;
}

typedef struct head_t {
    char *body;  /* NULL: the head has not all come */
    long length; /* -1: the body is in chunks */
    int closes;  /* the server said so */
} head_t;

/* 0: an answer that is not to be read. */
static int read_head(char *buf, head_t *head)
{
    char *end = strstr(buf, "\r\n\r\n");
    const char *length, *closes;

    if (!end) {
        return 1;
    }
    *end = '\0';
    length = strcasestr(buf, "\r\nContent-Length:");
    closes = strcasestr(buf, "\r\nConnection: close");
    head->closes = closes != NULL;
    head->length = length ? strtol(length + 17, NULL, 10) : -1;
    head->body = end + 4;
    return !strncmp(buf, "HTTP/1.1 200", 12) &&
           (length || strcasestr(buf, "\r\nTransfer-Encoding: chunked"));
}

/* One reply.  The body's length; -1: none, -2: not even a byte of one. */
static long receive(apr_socket_t *s, char *buf, const char **body, int *closes)
{
    apr_size_t have = 0, n;
    head_t head = {NULL, -1, 0};

    while (have < REPLY_MAX - 1) {
        n = REPLY_MAX - 1 - have;
        if (apr_socket_recv(s, buf + have, &n) != APR_SUCCESS && n == 0) {
            return have ? -1 : -2;
        }
        have += n;
        buf[have] = '\0';
        if (!head.body && !read_head(buf, &head)) {
            return -1;
        }
        if (!head.body) {
            continue;
        }
        *body = head.body;
        *closes = head.closes;
        if (head.length >= 0 && buf + have - head.body >= head.length) {
            return head.length;
        }
        if (head.length < 0 && have > 5 && !memcmp(buf + have - 5, "0\r\n\r\n", 5)) {
            return unchunk(head.body, buf + have);
        }
    }
    return -1;
}

typedef struct connection_t {
    apr_socket_t *socket; /* NULL: none */
    int closes;           /* the server said so */
    char *buf;
} connection_t;

static void hang_up(connection_t *connection)
{
    if (connection->socket) {
        apr_socket_close(connection->socket);
        connection->socket = NULL;
    }
}

/* A server may close a connection that waits for the next request: then it is sent on a new one. */
static long ask(load_t *load, connection_t *connection, int i, const char **body, apr_pool_t *pool)
{
    long len = -2;
    int used;

    do {
        apr_size_t n = load->lengths[i];

        used = connection->socket != NULL;
        if (!used) {
            connection->socket = dial(load, pool);
        }
        if (connection->socket &&
            apr_socket_send(connection->socket, load->requests[i], &n) == APR_SUCCESS &&
            n == load->lengths[i]) {
            len = receive(connection->socket, connection->buf, body, &connection->closes);
        }
        if (len < 0 || connection->closes) {
            hang_up(connection);
        }
    } while (len == -2 && used);
    return len;
}

static void *APR_THREAD_FUNC client_run(apr_thread_t *thread, void *data)
{
    client_t *me = data;
    load_t *load = me->load;
    connection_t connection = {NULL, 0, apr_palloc(me->pool, REPLY_MAX)};
    int i;

    for (i = me->number; i < load->calls; i += load->clients) {
        apr_time_t start = apr_time_now();
        const char *body = NULL;
        long len = ask(load, &connection, i, &body, me->pool);

        load->took[i] = apr_time_now() - start;
        if (len < 0 || !strstr(body, "<encryptedMessage>")) {
            me->errors++;
        } else if (i == 0) {
            load->first_reply = apr_pstrmemdup(me->pool, body, (apr_size_t)len);
        }
    }
    hang_up(&connection);
    return NULL;
}

/* The first reply must open, be signed by the site, and be no fault. */
static int reply_is_good(load_t *load, apr_pool_t *pool)
{
    mnet_reading_t how = {load->crypto, &mnet_xml_limits_stranger, MNET_CHARSET_UTF8, 0, NULL};
    mnet_message_reader_t *reader = mnet_message_reader_create(&how, pool);
    mnet_message_t *sealed, *message;
    mnet_document_t *document;
    unsigned char session_key[MNET_SESSION_KEY];
    const char *why;
    int index;

    return load->first_reply &&
           !mnet_message_reader_write(reader, load->first_reply, strlen(load->first_reply)) &&
           !mnet_message_reader_end(reader, &sealed) &&
           !mnet_message_open(&how, sealed, &load->key, 1, &index, session_key, &message, &why,
                              pool) &&
           message->envelope == MNET_SIGNED &&
           !mnet_message_verify(load->crypto, message, load->peer) &&
           !mnet_xmlrpc_read(message->payload, MNET_CHARSET_UTF8, &mnet_xml_limits_peer, &document,
                             &why, pool) &&
           document->kind == MNET_RESPONSE;
}

static int compare(const void *a, const void *b)
{
    apr_interval_time_t x = *(const apr_interval_time_t *)a, y = *(const apr_interval_time_t *)b;

    return x < y ? -1 : x > y;
}

static void options(load_t *load, int argc, const char *const *argv)
{
    static const apr_getopt_option_t known[] = {
        {"port", 'p', 1, ""},      {"path", 'a', 1, ""},    {"host", 'h', 1, ""},
        {"wwwroot", 'w', 1, ""},   {"key", 'k', 1, ""},     {"cert", 'c', 1, ""},
        {"calls", 'n', 1, ""},     {"clients", 'j', 1, ""}, {"method", 'm', 1, ""},
        {"documents", 'd', 1, ""}, {"from", 'f', 1, ""},    {NULL, 0, 0, NULL}};
    apr_getopt_t *os;
    const char *arg, *documents = NULL;
    int opt;

    apr_getopt_init(&os, load->pool, argc, argv);
    while (apr_getopt_long(os, known, &opt, &arg) == APR_SUCCESS) {
        switch (opt) {
        case 'p':
            load->port = (apr_port_t)strtol(arg, NULL, 10);
            break;
        case 'a':
            load->path = arg;
            break;
        case 'h':
            load->host = arg;
            break;
        case 'w':
            load->wwwroot = arg;
            break;
        case 'k':
            load->key = read_key(arg);
            break;
        case 'c':
            load->peer = read_certificate(arg);
            break;
        case 'n':
            load->calls = (int)strtol(arg, NULL, 10);
            break;
        case 'j':
            load->clients = (int)strtol(arg, NULL, 10);
            break;
        case 'm':
            load->method = arg;
            break;
        case 'd':
            documents = arg;
            break;
        case 'f':
            load->from = (int)strtol(arg, NULL, 10);
            break;
        }
    }
    if (!load->port || !load->path || !load->host || !load->wwwroot || !load->key || !load->peer ||
        load->calls < 1 || load->calls > 1000000 || load->clients < 1 || load->clients > 64) {
        die("--port --path --host --wwwroot --key --cert are needed");
    }
    if (documents) {
        read_documents(load, documents);
    }
}

int main(int argc, const char *const *argv)
{
    load_t load = {.method = "system/listServices", .calls = 1000, .clients = 1};
    const char *why = NULL;
    apr_pool_t *scratch;
    apr_thread_t *threads[64];
    client_t clients[64];
    apr_time_t start, end;
    apr_status_t rv;
    int i, errors = 0;

    apr_initialize();
    apr_pool_create(&load.pool, NULL);
    options(&load, argc, argv);
    if (mnet_crypto_create(&load.crypto, &why, load.pool) != APR_SUCCESS) {
        die(why);
    }
    load.key = move_key(load.key, 1, mnet_crypto_libctx(load.crypto));
    load.peer = move_key(load.peer, 0, mnet_crypto_libctx(load.crypto));
    load.requests = apr_pcalloc(load.pool, (apr_size_t)load.calls * sizeof(char *));
    load.lengths = apr_pcalloc(load.pool, (apr_size_t)load.calls * sizeof(apr_size_t));
    load.took = apr_pcalloc(load.pool, (apr_size_t)load.calls * sizeof(apr_interval_time_t));
    apr_pool_create(&scratch, load.pool);
    for (i = 0; i < load.calls; i++) {
        make_request(&load, i, scratch);
        apr_pool_clear(scratch);
    }
    start = apr_time_now();
    for (i = 0; i < load.clients; i++) {
        clients[i] = (client_t){&load, i, 0, NULL};
        apr_pool_create(&clients[i].pool, load.pool);
        if (apr_thread_create(&threads[i], NULL, client_run, &clients[i], clients[i].pool)) {
            die("no thread");
        }
    }
    for (i = 0; i < load.clients; i++) {
        apr_thread_join(&rv, threads[i]);
        errors += clients[i].errors;
    }
    end = apr_time_now();
    if (!reply_is_good(&load, scratch)) {
        errors++;
    }
    qsort(load.took, (size_t)load.calls, sizeof(load.took[0]), compare);
    printf("{\"calls\": %d, \"clients\": %d, \"errors\": %d, \"seconds\": %.3f, "
           "\"per_second\": %.1f, \"p50_us\": %ld, \"p99_us\": %ld}\n",
           load.calls, load.clients, errors, (double)(end - start) / 1e6,
           load.calls * 1e6 / (double)(end - start), (long)load.took[load.calls / 2],
           (long)load.took[(apr_size_t)load.calls * 99 / 100]);
    return errors ? 1 : 0;
}
