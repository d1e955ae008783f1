/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/base64.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/status.h"
#include "wire/base64_int.h"

/* Bytes gathered before they are passed on. */
#define DECODED (24 * 1024)
#define PLAIN   3072 /* a multiple of 3 */

enum { BAD = 0xff, SPACE = 0xfe, PAD = 0xfd };

/* Of each byte: the value of a digit, or one of the above. */
static const unsigned char digit_of[256] = {
    /* clang-format off */
    0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xfe,0xfe,0xff,0xff,0xfe,0xff,0xff,
    0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,
    0xfe,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,  62,0xff,0xff,0xff,  63,
      52,  53,  54,  55,  56,  57,  58,  59,  60,  61,0xff,0xff,0xff,0xfd,0xff,0xff,
    0xff,   0,   1,   2,   3,   4,   5,   6,   7,   8,   9,  10,  11,  12,  13,  14,
      15,  16,  17,  18,  19,  20,  21,  22,  23,  24,  25,0xff,0xff,0xff,0xff,0xff,
    0xff,  26,  27,  28,  29,  30,  31,  32,  33,  34,  35,  36,  37,  38,  39,  40,
      41,  42,  43,  44,  45,  46,  47,  48,  49,  50,  51,0xff,0xff,0xff,0xff,0xff,
    0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,
    0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,
    0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,
    0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,
    0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,
    0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,
    0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,
    0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,
    /* clang-format on */
};

/* --- decoding --- */

void mnet_base64_decoder_init(mnet_base64_decoder_t *decoder, const mnet_sink_t *to)
{
    memset(decoder, 0, sizeof(*decoder));
    decoder->to = to;
}

/* Whole groups of four digits, as many as there are and fit.  Returns the bytes written. */
static apr_size_t decode_groups(const unsigned char **in, const unsigned char *end, char *out,
                                apr_size_t room)
{
    apr_size_t n = mnet_base64_wide(in, end, out, room);
    const unsigned char *c = *in;

    while (end - c >= 4 && room - n >= 3) {
        unsigned int a = digit_of[c[0]], b = digit_of[c[1]];
        unsigned int d = digit_of[c[2]], e = digit_of[c[3]];

        if ((a | b | d | e) & 0xc0) {
            break;
        }
        out[n++] = (char)(a << 2 | b >> 4);
        out[n++] = (char)(b << 4 | d >> 2);
        out[n++] = (char)(d << 6 | e);
        c += 4;
    }
    *in = c;
    return n;
}

/* One byte of the text, wherever it falls.  *n grows by 3 at most. */
static apr_status_t decode_one(mnet_base64_decoder_t *decoder, unsigned char c, char *out,
                               apr_size_t *n)
{
    unsigned int digit = digit_of[c];

    if (digit == SPACE) {
        return APR_SUCCESS;
    }
    if (digit == PAD) {
        /* "xx==", "xx=", "xxx=" */
        if (decoder->digits < 2 || ++decoder->padding + decoder->digits > 4) {
            return MNET_E_BASE64;
        }
        return APR_SUCCESS;
    }
    if (digit == BAD || decoder->padding) {
        return MNET_E_BASE64;
    }
    decoder->bits = decoder->bits << 6 | digit;
    if (++decoder->digits == 4) {
        out[(*n)++] = (char)(decoder->bits >> 16);
        out[(*n)++] = (char)(decoder->bits >> 8);
        out[(*n)++] = (char)decoder->bits;
        decoder->digits = 0;
        decoder->bits = 0;
    }
    return APR_SUCCESS;
}

apr_status_t mnet_base64_decode(void *baton, const char *data, apr_size_t len)
{
    mnet_base64_decoder_t *decoder = baton;
    const unsigned char *c = (const unsigned char *)data, *end = c + len;
    char out[DECODED];
    apr_size_t n = 0;
    apr_status_t rv;

    while (c < end) {
        if (sizeof(out) - n < 3) {
            rv = mnet_sink_write(decoder->to, out, n);
            if (rv != APR_SUCCESS) {
                return rv;
            }
            n = 0;
        }
        if (!decoder->digits && !decoder->padding) {
            apr_size_t more = decode_groups(&c, end, out + n, sizeof(out) - n);

            n += more;
            if (more) {
                continue;
            }
        }
        rv = decode_one(decoder, *c++, out, &n);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return mnet_sink_write(decoder->to, out, n);
}

apr_status_t mnet_base64_decode_end(mnet_base64_decoder_t *decoder)
{
    char out[2];
    apr_size_t n = 0;

    if (decoder->digits == 1) {
        return MNET_E_BASE64;
    }
    if (decoder->digits == 2) {
        out[n++] = (char)(decoder->bits >> 4);
    } else if (decoder->digits == 3) {
        out[n++] = (char)(decoder->bits >> 10);
        out[n++] = (char)(decoder->bits >> 2);
    }
    decoder->digits = 0;
    decoder->bits = 0;
    return mnet_sink_write(decoder->to, out, n);
}

/* --- encoding --- */

void mnet_base64_encoder_init(mnet_base64_encoder_t *encoder, const mnet_sink_t *to)
{
    memset(encoder, 0, sizeof(*encoder));
    encoder->to = to;
}

static apr_status_t encode_piece(mnet_base64_encoder_t *encoder, const unsigned char *data,
                                 apr_size_t len)
{
    unsigned char out[PLAIN / 3 * 4 + 1];
    int n = EVP_EncodeBlock(out, data, (int)len);

    return mnet_sink_write(encoder->to, (const char *)out, (apr_size_t)n);
}

apr_status_t mnet_base64_encode(void *baton, const char *data, apr_size_t len)
{
    mnet_base64_encoder_t *encoder = baton;
    const unsigned char *c = (const unsigned char *)data;
    apr_status_t rv = APR_SUCCESS;

    while (len && encoder->count) {
        encoder->held[encoder->count++] = *c++;
        len--;
        if (encoder->count == 3) {
            encoder->count = 0;
            rv = encode_piece(encoder, encoder->held, 3);
            break;
        }
    }
    while (len >= 3 && rv == APR_SUCCESS) {
        apr_size_t piece = len < PLAIN ? len - len % 3 : PLAIN;

        rv = encode_piece(encoder, c, piece);
        c += piece;
        len -= piece;
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    while (len) {
        encoder->held[encoder->count++] = *c++;
        len--;
    }
    return APR_SUCCESS;
}

apr_status_t mnet_base64_encode_end(mnet_base64_encoder_t *encoder)
{
    int count = encoder->count;

    encoder->count = 0;
    return count ? encode_piece(encoder, encoder->held, (apr_size_t)count) : APR_SUCCESS;
}

apr_off_t mnet_base64_length(apr_off_t len)
{
    return len / 3 * 4 + (len % 3 ? 4 : 0);
}

/* --- at once --- */

typedef struct {
    unsigned char *data;
    apr_size_t len;
    apr_size_t max;
} block_t;

static apr_status_t block_write(void *baton, const char *data, apr_size_t len)
{
    block_t *block = baton;

    if (len > block->max - block->len) {
        return MNET_E_LIMIT;
    }
    memcpy(block->data + block->len, data, len);
    block->len += len;
    return APR_SUCCESS;
}

unsigned char *mnet_base64_decode_text(const char *text, apr_size_t text_len, apr_size_t max,
                                       apr_size_t *len, apr_pool_t *pool)
{
    apr_size_t most = text_len / 4 * 3 + 3;
    block_t block = {NULL, 0, max < most ? max : most};
    mnet_sink_t to = {block_write, &block};
    mnet_base64_decoder_t decoder;

    block.data = apr_palloc(pool, block.max + 1);
    mnet_base64_decoder_init(&decoder, &to);
    if (mnet_base64_decode(&decoder, text, text_len) != APR_SUCCESS ||
        mnet_base64_decode_end(&decoder) != APR_SUCCESS) {
        return NULL;
    }
    block.data[block.len] = '\0';
    *len = block.len;
    return block.data;
}

const char *mnet_base64_encode_text(const unsigned char *data, apr_size_t len, apr_pool_t *pool)
{
    apr_size_t size = (apr_size_t)mnet_base64_length((apr_off_t)len);
    block_t block = {apr_palloc(pool, size + 1), 0, size};
    mnet_sink_t to = {block_write, &block};
    mnet_base64_encoder_t encoder;

    /* Neither can fail: the block has just the room. */
    mnet_base64_encoder_init(&encoder, &to);
    (void)mnet_base64_encode(&encoder, (const char *)data, len);
    (void)mnet_base64_encode_end(&encoder);
    block.data[block.len] = '\0';
    return (const char *)block.data;
}
