/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_WIRE_BASE64_INT_H
#define MNET_WIRE_BASE64_INT_H

#include <apr.h>

/*
 * Decodes whole groups of digits from *in on, as long as there is nothing but digits and 32 bytes
 * of room: returns the bytes written, moves *in behind what it took.  0 where the processor cannot,
 * or at once something else comes: whoever called goes on in the slow way.
 */
apr_size_t mnet_base64_wide(const unsigned char **in, const unsigned char *end, char *out,
                            apr_size_t room);

#endif
