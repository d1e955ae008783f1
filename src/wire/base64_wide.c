/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 32 digits at a time, where the processor can: the way that W. Mula and D. Lemire describe
 * ("Faster Base64 Encoding and Decoding Using AVX2 Instructions", 2018).  The nibbles of a byte
 * say whether it is a digit, and how far its value is from its code.
 */
#include "wire/base64_int.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define WIDE __attribute__((target("avx2")))

/* The same sixteen bytes in both halves: a shuffle looks up in each by itself. */
#define TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

/*
 * A byte is no digit if its two nibbles have a bit in common here.  high: 0x2?, 0x3?, 0x4? and
 * 0x6?, 0x5? and 0x7?, and all that never is one; low: in which of these it is none.
 */
WIDE static inline __m256i bad_ones(__m256i low, __m256i high)
{
    const __m256i in_low = TWICE(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13,
                                 0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
    const __m256i in_high = TWICE(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10,
                                  0x10, 0x10, 0x10, 0x10, 0x10);

    return _mm256_and_si256(_mm256_shuffle_epi8(in_low, low), _mm256_shuffle_epi8(in_high, high));
}

/* The values of 32 digits.  From '0' it is 4 on, from 'A' -65, from 'a' -71; '+' 19, '/' 16. */
WIDE static inline __m256i values_of(__m256i text, __m256i high)
{
    const __m256i by = TWICE(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m256i slash = _mm256_cmpeq_epi8(text, _mm256_set1_epi8('/'));

    return _mm256_add_epi8(text, _mm256_shuffle_epi8(by, _mm256_add_epi8(slash, high)));
}

/* Four values to three bytes each: 24 bytes, and 8 of nothing. */
WIDE static inline __m256i pack(__m256i values)
{
    const __m256i pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi32(0x01400140));
    const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
    const __m256i bytes =
        _mm256_shuffle_epi8(fours, TWICE(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));

    return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
}

WIDE static apr_size_t decode(const unsigned char **in, const unsigned char *end, char *out,
                              apr_size_t room)
{
    const __m256i nibble = _mm256_set1_epi8(0x0f);
    const unsigned char *at = *in;
    apr_size_t n = 0;

    while (end - at >= 32 && room - n >= 32) {
        __m256i text = _mm256_loadu_si256((const __m256i *)(const void *)at);
        __m256i high = _mm256_and_si256(_mm256_srli_epi32(text, 4), nibble);
        __m256i low = _mm256_and_si256(text, nibble);
        __m256i bad = bad_ones(low, high);

        if (!_mm256_testz_si256(bad, bad)) {
            break;
        }
        _mm256_storeu_si256((__m256i *)(void *)(out + n), pack(values_of(text, high)));
        n += 24;
        at += 32;
    }
    *in = at;
    return n;
}

apr_size_t mnet_base64_wide(const unsigned char **in, const unsigned char *end, char *out,
                            apr_size_t room)
{
    return __builtin_cpu_supports("avx2") ? decode(in, end, out, room) : 0;
}

#else

apr_size_t mnet_base64_wide(const unsigned char **in, const unsigned char *end, char *out,
                            apr_size_t room)
{
    return 0;
}

#endif
