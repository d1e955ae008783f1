/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A package as a peer would give it out, for measuring what receiving it costs.
 *
 *   transfer make KEY.p8 SITE.pem WWWROOT BYTES FILE
 *       a zip with one file of so many bytes, as the answer of fetch_file, signed by that key and
 *       sealed to that certificate, to FILE; prints what a sender says of it, as JSON
 *   transfer serve FILE PORT GO
 *       answers every POST with FILE, once GO exists, and with 503 before; until it is killed
 *   transfer floor BYTES
 *       the time that the bare cryptography and encoding of such an answer takes, by
 * plain OpenSSL, piece by piece from memory: base64 of three layers, RC4, SHA-1 of what was signed
 */
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include "base/text.h"
#include "trust/certificate.h"
#include "wire/base64.h"
#include "wire/message.h"
#include "wire/xmlrpc.h"

#define PIECE (64 * 1024)
#define NAME  "large.bin"

static void need(int truth, const char *what)
{
    if (!truth) {
        fprintf(stderr, "transfer: %s failed\n", what);
        exit(1);
    }
}

/* --- the package --- */

static apr_uint32_t crc_table[256];

static apr_uint32_t crc32_of(apr_uint32_t crc, const unsigned char *data, apr_size_t len)
{
    if (!crc_table[1]) {
        for (apr_uint32_t i = 0; i < 256; i++) {
            apr_uint32_t c = i;

            for (int k = 0; k < 8; k++) {
                c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
            }
            crc_table[i] = c;
        }
    }
    crc = ~crc;
    while (len--) {
        crc = crc_table[(crc ^ *data++) & 0xff] ^ crc >> 8;
    }
    return ~crc;
}

static void put(unsigned char **at, apr_uint32_t value, int bytes)
{
    while (bytes--) {
        *(*at)++ = (unsigned char)value;
        value >>= 8;
    }
}

/* Where the bytes of the zip go: its digest, and base64 of it in a spool. */
typedef struct making_t {
    mnet_digest_t *zip, *file;
    mnet_base64_encoder_t encoder;
    apr_off_t length;
    apr_uint32_t crc;
} making_t;

static void emit(making_t *making, const void *data, apr_size_t len)
{
    need(!mnet_digest_write(making->zip, data, len) &&
             !mnet_base64_encode(&making->encoder, data, len),
         "writing the package");
    making->length += (apr_off_t)len;
}

/* Not compressible, and the same each time. */
static void fill(unsigned char *piece, apr_uint64_t *state)
{
    for (int i = 0; i < PIECE; i += 8) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        memcpy(piece + i, state, 8);
    }
}

/* What a zip says of the file both before it and in its directory. */
static void put_file(const making_t *making, apr_uint32_t size, unsigned char **at)
{
    put(at, 20, 2);
    put(at, 0x800, 2);
    put(at, 0, 2);
    put(at, 0x210000, 4);
    put(at, making->crc, 4);
    put(at, size, 4);
    put(at, size, 4);
    put(at, sizeof(NAME) - 1, 2);
}

static void emit_head(making_t *making, apr_uint32_t size)
{
    unsigned char head[64], *at = head;

    put(&at, 0x04034b50, 4);
    put_file(making, size, &at);
    put(&at, 0, 2);
    memcpy(at, NAME, sizeof(NAME) - 1);
    emit(making, head, (apr_size_t)(at - head) + sizeof(NAME) - 1);
}

static void emit_directory(making_t *making, apr_uint32_t size)
{
    unsigned char bytes[128], *at = bytes;
    apr_uint32_t start = (apr_uint32_t)making->length;

    put(&at, 0x02014b50, 4);
    put(&at, 0x031e, 2);
    put_file(making, size, &at);
    put(&at, 0, 8);
    put(&at, (apr_uint32_t)0100644 << 16, 4);
    put(&at, 0, 4);
    memcpy(at, NAME, sizeof(NAME) - 1);
    at += sizeof(NAME) - 1;
    size = (apr_uint32_t)(at - bytes);
    put(&at, 0x06054b50, 4);
    put(&at, 0, 4);
    put(&at, 0x10001, 4);
    put(&at, size, 4);
    put(&at, start, 4);
    put(&at, 0, 2);
    emit(making, bytes, (apr_size_t)(at - bytes));
}

static void package(making_t *making, apr_uint32_t size)
{
    static unsigned char piece[PIECE];
    apr_uint64_t state = 88172645463325252ULL;

    for (int pass = 0; pass < 2; pass++) { /* the first for the checksum in the head */
        state = 88172645463325252ULL;
        for (apr_uint32_t at = 0; at < size;) {
            apr_size_t len = size - at < PIECE ? size - at : PIECE;

            fill(piece, &state);
            if (pass == 0) {
                making->crc = crc32_of(making->crc, piece, len);
                need(!mnet_digest_write(making->file, (char *)piece, len), "a digest");
            } else {
                emit(making, piece, len);
            }
            at += (apr_uint32_t)len;
        }
        if (pass == 0) {
            emit_head(making, size);
        }
    }
    emit_directory(making, size);
    need(!mnet_base64_encode_end(&making->encoder), "base64");
}

static EVP_PKEY *read_key(const mnet_crypto_t *crypto, const char *path)
{
    FILE *in = fopen(path, "r");
    EVP_PKEY *key = NULL;

    need(in != NULL, "opening the key");
    key = PEM_read_PrivateKey_ex(in, NULL, NULL, NULL, mnet_crypto_libctx(crypto), NULL);
    need(key != NULL, "reading the key");
    (void)fclose(in);
    return key;
}

static const char *slurp(const char *path, apr_pool_t *pool)
{
    apr_size_t len = 64 * 1024;
    char *text = apr_pcalloc(pool, len + 1);
    apr_file_t *file;

    need(!apr_file_open(&file, path, APR_FOPEN_READ, 0, pool), path);
    (void)apr_file_read_full(file, text, len, &len);
    return text;
}

static apr_status_t to_file(void *file, const char *data, apr_size_t len)
{
    return apr_file_write_full(file, data, len, NULL);
}

static const char *end_hex(mnet_digest_t *digest, apr_pool_t *pool)
{
    unsigned char sha1[MNET_SHA1];

    need(!mnet_digest_end(digest, sha1), "a digest");
    return mnet_hex(sha1, sizeof(sha1), pool);
}

static void make(const char *const *argv, apr_pool_t *pool)
{
    apr_uint32_t size = (apr_uint32_t)apr_atoi64(argv[5]);
    const char *why = "", *dir = apr_pstrmemdup(pool, argv[6],
                                                strlen(argv[6]) - strlen(strrchr(argv[6], '/')));
    mnet_spool_t *text = mnet_spool_create(0, dir, pool),
                 *payload = mnet_spool_create(0, dir, pool);
    mnet_sink_t into_text = {mnet_spool_write, text}, into_payload = {mnet_spool_write, payload};
    mnet_certificate_t *site;
    mnet_crypto_t *crypto;
    making_t making = {0};
    mnet_sink_t out = {to_file, NULL};
    apr_file_t *file;

    need(!mnet_crypto_create(&crypto, &why, pool), why);
    making.zip = mnet_sha1_create(crypto, pool);
    making.file = mnet_sha1_create(crypto, pool);
    mnet_base64_encoder_init(&making.encoder, &into_text);
    package(&making, size);
    need(!mnet_xmlrpc_write_response(mnet_string_spool(text, pool), MNET_CHARSET_UTF8,
                                     &into_payload),
         "the document");
    need(!mnet_certificate_read(crypto, slurp(argv[3], pool), &site, &why, pool), why);
    need(
        !apr_file_open(&file, argv[6],
                       APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE | APR_FOPEN_BUFFERED,
                       APR_FPROT_OS_DEFAULT, pool),
        "opening the file");
    out.baton = file;
    {
        mnet_wrapping_t how = {.crypto = crypto,
                               .sign = read_key(crypto, argv[2]),
                               .seal = site->key,
                               .wwwroot = argv[4],
                               .key_uri = apr_pstrcat(pool, argv[4], "/mnet/publickey.php", NULL),
                               .now = (apr_int64_t)time(NULL)};

        need(!mnet_message_wrap(&how, payload, NULL, &out, pool), "sealing");
    }
    need(!apr_file_close(file), "closing the file");
    printf("{\"zipfilesha1\": \"%s\", \"zipfilesize\": %ld, \"sha1\": \"%s\", \"size\": %u, "
           "\"filename\": \"" NAME "\"}\n",
           end_hex(making.zip, pool), (long)making.length, end_hex(making.file, pool), size);
}

/* --- giving it out --- */

/* The head of a request and its body; 0 if it never came. */
static int read_request(int fd)
{
    char text[256 * 1024];
    size_t have = 0, needed = 0;

    while (!needed || have < needed) {
        ssize_t n = read(fd, text + have, sizeof(text) - 1 - have);
        char *end, *length;

        if (n <= 0) {
            return 0;
        }
        have += (size_t)n;
        text[have] = '\0';
        end = strstr(text, "\r\n\r\n");
        length = strstr(text, "Content-Length: ");
        if (end && !needed) {
            needed = (size_t)(end + 4 - text) +
                     (length && length < end ? (size_t)strtoul(length + 16, NULL, 10) : 0);
        }
    }
    return 1;
}

static void answer(int fd, int file, off_t size)
{
    char head[200];
    off_t at = 0;
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %ld\r\n"
                     "Connection: close\r\n\r\n",
                     (long)size);

    if (write(fd, head, (size_t)n) != n) {
        return;
    }
    while (at < size && sendfile(fd, file, &at, (size_t)(size - at)) > 0) {
    }
}

static void serve(const char *const *argv, apr_pool_t *pool)
{
    static const char wait[] =
        "HTTP/1.1 503 Wait\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)apr_atoi64(argv[3])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listening = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    need(!bind(listening, (struct sockaddr *)&address, sizeof(address)) && !listen(listening, 16),
         "listening");
    for (;;) {
        int fd = accept(listening, NULL, NULL), file;
        struct stat info;

        if (fd < 0) {
            continue;
        }
        if (read_request(fd)) {
            file = access(argv[4], F_OK) ? -1 : open(argv[2], O_RDONLY);
            if (file >= 0 && !fstat(file, &info)) {
                answer(fd, file, info.st_size);
            } else if (write(fd, wait, sizeof(wait) - 1) < 0) {
                perror("transfer");
            }
            if (file >= 0) {
                (void)close(file);
            }
        }
        (void)close(fd);
    }
}

/* --- the floor --- */

static double seconds(clockid_t clock)
{
    struct timespec t;

    need(clock_gettime(clock, &t) == 0, "clock_gettime");
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void)
{
    return seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static double decode(double bytes)
{
    static unsigned char plain[PIECE / 4 * 3 + 3], text[PIECE + 1];
    double start;

    need(RAND_bytes(plain, PIECE / 4 * 3) == 1, "random bytes");
    EVP_EncodeBlock(text, plain, PIECE / 4 * 3);
    start = cpu();
    for (double at = 0; at < bytes; at += PIECE) {
        need(EVP_DecodeBlock(plain, text, PIECE) > 0, "base64");
    }
    return cpu() - start;
}

static double rc4(double bytes)
{
    static unsigned char piece[PIECE], key[16] = {1};
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "RC4", "provider=legacy");
    double start;
    int n;

    need(ctx && cipher && EVP_DecryptInit_ex2(ctx, cipher, key, NULL, NULL) == 1, "RC4");
    start = cpu();
    for (double at = 0; at < bytes; at += PIECE) {
        need(EVP_DecryptUpdate(ctx, piece, &n, piece, PIECE) == 1, "RC4");
    }
    return cpu() - start;
}

static double sha1(double bytes)
{
    static unsigned char piece[PIECE], out[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned int n;
    double start;

    need(ctx && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1, "SHA-1");
    start = cpu();
    for (double at = 0; at < bytes; at += PIECE) {
        need(EVP_DigestUpdate(ctx, piece, PIECE) == 1, "SHA-1");
    }
    need(EVP_DigestFinal_ex(ctx, out, &n) == 1, "SHA-1");
    return cpu() - start;
}

static void floor_of(double bytes)
{
    double one = bytes * 4 / 3, two = one * 4 / 3, three = two * 4 / 3;
    double base64, stream, digest, start;

    need(OSSL_PROVIDER_load(NULL, "legacy") && OSSL_PROVIDER_load(NULL, "default"), "providers");
    start = seconds(CLOCK_MONOTONIC);
    base64 = decode(three) + decode(two) + decode(one);
    stream = rc4(two);
    digest = sha1(one);
    printf("{\"base64\": %.3f, \"rc4\": %.3f, \"sha1\": %.3f, \"floor\": %.3f, "
           "\"wall\": %.3f}\n",
           base64, stream, digest, base64 + stream + digest, seconds(CLOCK_MONOTONIC) - start);
}

int main(int argc, const char *const *argv)
{
    apr_pool_t *pool;

    need(!apr_initialize() && !apr_pool_create(&pool, NULL), "APR");
    if (argc == 7 && !strcmp(argv[1], "make")) {
        make(argv, pool);
    } else if (argc == 5 && !strcmp(argv[1], "serve")) {
        serve(argv, pool);
    } else if (argc == 3 && !strcmp(argv[1], "floor")) {
        floor_of((double)apr_atoi64(argv[2]));
    } else {
        fprintf(stderr, "usage: see the source\n");
        return 2;
    }
    return 0;
}
