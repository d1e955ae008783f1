/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cryptographic floor: the CPU time of what no server of a signed and sealed call can do
 * without, two private and two public RSA-2048 operations, by plain OpenSSL with everything
 * prepared outside the measurement.  Prints JSON, microseconds.
 *
 *   cc -O2 -o floor t/bench/floor.c -lcrypto
 *   ./floor [ROUNDS [CALLS-PER-ROUND]]        (21 and 100 where not given)
 *
 * Each round's mean is one sample; the median of the samples is the floor.  To compare, let it run
 * on the machine of the server under test, at the same time of the run, under the same OpenSSL.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>

#define BITS       2048
#define SIZE       (BITS / 8)
#define ROUNDS_MAX 1001

typedef struct bench_t {
    EVP_PKEY_CTX *sign, *verify, *encrypt, *decrypt;
    unsigned char info[35]; /* as long as a SHA-1's DigestInfo */
    unsigned char signature[SIZE];
    unsigned char wrapped[SIZE];
} bench_t;

static void need(int truth, const char *what)
{
    if (!truth) {
        fprintf(stderr, "floor: %s failed\n", what);
        exit(1);
    }
}

static double cpu_us(void)
{
    struct timespec t;

    need(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0, "clock_gettime");
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static EVP_PKEY_CTX *context(EVP_PKEY *key, int (*init)(EVP_PKEY_CTX *ctx), int padding)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

    need(ctx && init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, padding) == 1, "a context");
    return ctx;
}

static void private_ops(bench_t *b)
{
    unsigned char out[SIZE];
    size_t len = sizeof(out);

    need(EVP_PKEY_decrypt(b->decrypt, out, &len, b->wrapped, SIZE) == 1, "decrypting");
    len = SIZE;
    need(EVP_PKEY_sign(b->sign, b->signature, &len, b->info, sizeof(b->info)) == 1, "signing");
}

static void public_ops(bench_t *b)
{
    static const unsigned char session_key[16] = {1};
    unsigned char out[SIZE];
    size_t len = sizeof(out);

    need(EVP_PKEY_verify_recover(b->verify, out, &len, b->signature, SIZE) == 1, "verifying");
    len = SIZE;
    need(EVP_PKEY_encrypt(b->encrypt, b->wrapped, &len, session_key, sizeof(session_key)) == 1,
         "encrypting");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *samples, int n)
{
    qsort(samples, (size_t)n, sizeof(*samples), compare);
    return n % 2 ? samples[n / 2] : (samples[n / 2 - 1] + samples[n / 2]) / 2;
}

static int argument(int argc, char **argv, int index, int otherwise, int max)
{
    long n = index < argc ? strtol(argv[index], NULL, 10) : otherwise;

    need(n >= 1 && n <= max, "reading the arguments");
    return (int)n;
}

int main(int argc, char **argv)
{
    int rounds = argument(argc, argv, 1, 21, ROUNDS_MAX);
    int calls = argument(argc, argv, 2, 100, 100000);
    static double private_us[ROUNDS_MAX], public_us[ROUNDS_MAX], all_us[ROUNDS_MAX];
    EVP_PKEY *ours = EVP_RSA_gen(BITS), *theirs = EVP_RSA_gen(BITS);
    bench_t b;
    double best;
    int i, j;

    need(ours && theirs, "making keys");
    memset(&b, 0, sizeof(b));
    b.decrypt = context(ours, EVP_PKEY_decrypt_init, RSA_NO_PADDING);
    b.sign = context(ours, EVP_PKEY_sign_init, RSA_PKCS1_PADDING);
    b.verify = context(ours, EVP_PKEY_verify_recover_init, RSA_PKCS1_PADDING);
    b.encrypt = context(theirs, EVP_PKEY_encrypt_init, RSA_PKCS1_PADDING);
    b.wrapped[SIZE - 1] = 3;
    for (i = -1; i < rounds; i++) { /* the first warms up */
        double start = cpu_us(), middle, end;

        for (j = 0; j < calls; j++) {
            b.wrapped[0] = 0; /* below the modulus */
            private_ops(&b);
        }
        middle = cpu_us();
        for (j = 0; j < calls; j++)
            public_ops(&b);
        end = cpu_us();
        if (i >= 0) {
            private_us[i] = (middle - start) / calls;
            public_us[i] = (end - middle) / calls;
            all_us[i] = (end - start) / calls;
        }
    }
    best = median(all_us, rounds); /* sorts */
    printf("{\"openssl\": \"%s\", \"bits\": %d, \"rounds\": %d, \"calls\": %d, "
           "\"private_us\": %.3f, \"public_us\": %.3f, \"floor_us\": %.3f, "
           "\"fastest_us\": %.3f, \"slowest_us\": %.3f}\n",
           OpenSSL_version(OPENSSL_VERSION_STRING), BITS, rounds, calls, median(private_us, rounds),
           median(public_us, rounds), best, all_us[0], all_us[rounds - 1]);
    EVP_PKEY_CTX_free(b.sign);
    EVP_PKEY_CTX_free(b.verify);
    EVP_PKEY_CTX_free(b.encrypt);
    EVP_PKEY_CTX_free(b.decrypt);
    EVP_PKEY_free(ours);
    EVP_PKEY_free(theirs);
    return 0;
}
