/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_BASE64_H
#define MNET_WIRE_BASE64_H

/*
 * Base64 (RFC 4648, section 4) as streams.  Decoding is lenient where peers are (protocol 2.4):
 * white space anywhere is skipped, padding at the end may be missing.  Anything else outside the
 * alphabet, or anything but white space after the padding, is MNET_E_BASE64.
 */

#include <apr_pools.h>

#include "base/sink.h"

typedef struct mnet_base64_decoder_t {
    const mnet_sink_t *to;
    unsigned int bits; /* up to 24 bits not yet written */
    int digits;        /* digits held in bits, 0 to 3 */
    int padding;       /* '=' seen */
} mnet_base64_decoder_t;

void mnet_base64_decoder_init(mnet_base64_decoder_t *decoder, const mnet_sink_t *to);
/* A mnet_sink_fn; the baton is the decoder. */
apr_status_t mnet_base64_decode(void *decoder, const char *data, apr_size_t len);
/* The end of the text: writes what is left.  MNET_E_BASE64 if a single digit is left over. */
apr_status_t mnet_base64_decode_end(mnet_base64_decoder_t *decoder);

typedef struct mnet_base64_encoder_t {
    const mnet_sink_t *to;
    unsigned char held[3];
    int count;
} mnet_base64_encoder_t;

void mnet_base64_encoder_init(mnet_base64_encoder_t *encoder, const mnet_sink_t *to);
/* A mnet_sink_fn; the baton is the encoder. */
apr_status_t mnet_base64_encode(void *encoder, const char *data, apr_size_t len);
apr_status_t mnet_base64_encode_end(mnet_base64_encoder_t *encoder);

/* The length of the encoding of len bytes.  len is at most APR_INT64_MAX / 2. */
apr_off_t mnet_base64_length(apr_off_t len);

/* A short text at once.  Returns NULL and leaves *len alone if it is no base64 or over max. */
unsigned char *mnet_base64_decode_text(const char *text, apr_size_t text_len, apr_size_t max,
                                       apr_size_t *len, apr_pool_t *pool);
/* A short text at once, NUL-terminated, one line. */
const char *mnet_base64_encode_text(const unsigned char *data, apr_size_t len, apr_pool_t *pool);

#endif
