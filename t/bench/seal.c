/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that sending a package of so many bytes by fetch_file can take: base64 of the package,
 * SHA-1 of that, base64 of it in a signedMessage, RC4 of that, base64 of it in an encryptedMessage;
 * once each, by plain OpenSSL, piece by piece from memory.  Prints seconds.
 *
 *   seal BYTES
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/provider.h>

#define PIECE 49152 /* a multiple of 3, and of 4 */

static unsigned char in[PIECE], out[PIECE / 3 * 4 + 1];

static void need(int truth, const char *what)
{
    if (!truth) {
        fprintf(stderr, "seal: %s failed\n", what);
        exit(1);
    }
}

static double now(void)
{
    struct timespec t;

    need(clock_gettime(CLOCK_MONOTONIC, &t) == 0, "clock_gettime");
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void base64(long long bytes)
{
    for (; bytes > 0; bytes -= PIECE) {
        need(EVP_EncodeBlock(out, in, bytes < PIECE ? (int)bytes : PIECE) > 0, "base64");
    }
}

static void sha1(long long bytes)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    need(ctx && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1, "SHA-1");
    for (; bytes > 0; bytes -= PIECE) {
        need(EVP_DigestUpdate(ctx, in, bytes < PIECE ? (size_t)bytes : PIECE) == 1, "SHA-1");
    }
    EVP_MD_CTX_free(ctx);
}

static void rc4(long long bytes)
{
    static const unsigned char key[16] = {1};
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "RC4", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;

    need(cipher && ctx && EVP_EncryptInit_ex2(ctx, cipher, key, NULL, NULL) == 1, "RC4");
    for (; bytes > 0; bytes -= PIECE) {
        need(EVP_EncryptUpdate(ctx, out, &n, in, bytes < PIECE ? (int)bytes : PIECE) == 1, "RC4");
    }
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
}

int main(int argc, char **argv)
{
    long long bytes = argc > 1 ? atoll(argv[1]) : 0, text, object;
    OSSL_PROVIDER *legacy = OSSL_PROVIDER_load(NULL, "legacy");
    OSSL_PROVIDER *normal = OSSL_PROVIDER_load(NULL, "default");
    double start;

    need(bytes > 0 && legacy && normal, "starting");
    for (int i = 0; i < PIECE; i++) {
        in[i] = (unsigned char)(i * 7);
    }
    text = (bytes + 2) / 3 * 4;
    object = (text + 2) / 3 * 4;
    start = now();
    base64(bytes);
    sha1(text);
    base64(text);
    rc4(object);
    base64(object);
    printf("%.4f\n", now() - start);
    return 0;
}
