/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/rsa_context.h"

#include <stdint.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rsa.h>

/* Enough for our ring and the peers who call most; a set is chosen by key and operation. */
#define SETS 64
#define WAYS 4

typedef struct kept_t {
    EVP_PKEY *key; /* held by the context: no other key can come to have this address */
    mnet_rsa_op_e op;
    EVP_PKEY_CTX *ctx; /* copied, never used itself */
} kept_t;

typedef struct set_t {
    kept_t ways[WAYS];
    unsigned int next; /* to be replaced */
} set_t;

struct mnet_rsa_contexts_t {
    OSSL_LIB_CTX *libctx;
    CRYPTO_RWLOCK *lock;
    set_t sets[SETS];
};

mnet_rsa_contexts_t *mnet_rsa_contexts_create(OSSL_LIB_CTX *libctx, apr_pool_t *pool)
{
    mnet_rsa_contexts_t *contexts = apr_pcalloc(pool, sizeof *contexts);

    contexts->libctx = libctx;
    contexts->lock = CRYPTO_THREAD_lock_new();
    return contexts->lock ? contexts : NULL;
}

void mnet_rsa_contexts_free(mnet_rsa_contexts_t *contexts)
{
    int i;

    if (!contexts)
        return;
    for (i = 0; i < SETS * WAYS; i++)
        EVP_PKEY_CTX_free(contexts->sets[i / WAYS].ways[i % WAYS].ctx);
    CRYPTO_THREAD_lock_free(contexts->lock);
}

static set_t *set_of(mnet_rsa_contexts_t *contexts, const EVP_PKEY *key, mnet_rsa_op_e op)
{
    uint64_t hash = ((uint64_t)(uintptr_t)key + (uint64_t)op) * UINT64_C(0x9e3779b97f4a7c15);

    return &contexts->sets[hash >> 58];
}

/* A copy of the one kept, or NULL. */
static EVP_PKEY_CTX *copy_kept(mnet_rsa_contexts_t *contexts, const EVP_PKEY *key, mnet_rsa_op_e op)
{
    const set_t *set = set_of(contexts, key, op);
    EVP_PKEY_CTX *copy = NULL;
    int i;

    if (!CRYPTO_THREAD_read_lock(contexts->lock))
        return NULL;
    for (i = 0; i < WAYS && !copy; i++) {
        const kept_t *kept = &set->ways[i];

        if (kept->ctx && kept->key == key && kept->op == op)
            copy = EVP_PKEY_CTX_dup(kept->ctx);
    }
    CRYPTO_THREAD_unlock(contexts->lock);
    return copy;
}

/* Keeps a copy of ctx.  That two threads may keep the same one twice does no harm. */
static void keep(mnet_rsa_contexts_t *contexts, EVP_PKEY *key, mnet_rsa_op_e op,
                 const EVP_PKEY_CTX *ctx)
{
    EVP_PKEY_CTX *copy = EVP_PKEY_CTX_dup(ctx), *old;
    set_t *set = set_of(contexts, key, op);
    kept_t *kept;

    if (!copy || !CRYPTO_THREAD_write_lock(contexts->lock)) {
        EVP_PKEY_CTX_free(copy);
        return;
    }
    kept = &set->ways[set->next++ % WAYS];
    old = kept->ctx;
    kept->key = key;
    kept->op = op;
    kept->ctx = copy;
    CRYPTO_THREAD_unlock(contexts->lock);
    EVP_PKEY_CTX_free(old);
}

static int init(EVP_PKEY_CTX *ctx, mnet_rsa_op_e op)
{
    int padding = op == MNET_RSA_UNWRAP ? RSA_NO_PADDING : RSA_PKCS1_PADDING;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_int(OSSL_PKEY_PARAM_PAD_MODE, &padding),
                           OSSL_PARAM_construct_end()};

    switch (op) {
    case MNET_RSA_SIGN:
        return EVP_PKEY_sign_init_ex(ctx, params);
    case MNET_RSA_VERIFY:
        return EVP_PKEY_verify_recover_init_ex(ctx, params);
    case MNET_RSA_WRAP:
        return EVP_PKEY_encrypt_init_ex(ctx, params);
    case MNET_RSA_UNWRAP:
        return EVP_PKEY_decrypt_init_ex(ctx, params);
    }
    return 0;
}

EVP_PKEY_CTX *mnet_rsa_context(mnet_rsa_contexts_t *contexts, EVP_PKEY *key, mnet_rsa_op_e op)
{
    EVP_PKEY_CTX *ctx = copy_kept(contexts, key, op);

    if (ctx)
        return ctx;
    /* The key may have been loaded elsewhere: our library context is said explicitly. */
    ctx = EVP_PKEY_CTX_new_from_pkey(contexts->libctx, key, NULL);
    if (ctx && init(ctx, op) != 1) {
        EVP_PKEY_CTX_free(ctx);
        return NULL;
    }
    if (ctx)
        keep(contexts, key, op, ctx);
    return ctx;
}
