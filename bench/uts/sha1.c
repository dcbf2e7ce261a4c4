/* SPDX-License-Identifier: MIT */
/* SHA-1 (FIPS 180-4) of messages that fit into one block: all that the tree needs. Compiled without vectors. */
#include <string.h>

#include "uts.h"

static uint32_t rotate(uint32_t word, int count) {
    return (word << count) | (word >> (32 - count));
}

static uint32_t load_word(const unsigned char *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void store_word(unsigned char *bytes, uint32_t word) {
    for (int i = 0; i < 4; i++) bytes[i] = (unsigned char)(word >> (24 - 8 * i));
}

/* One step of the compression; the five words change their roles from step to step, so that none is moved. */
#define STEP(a, b, c, d, e, function, constant, word)                                                                  \
    (e += rotate(a, 5) + function(b, c, d) + (constant) + (word), b = rotate(b, 30))

/* Twenty steps with one of the functions. */
#define TWENTY(first, function, constant)                                                                              \
    for (int i = (first); i < (first) + 20; i += 5) {                                                                  \
        STEP(a, b, c, d, e, function, constant, w[i]);                                                                 \
        STEP(e, a, b, c, d, function, constant, w[i + 1]);                                                             \
        STEP(d, e, a, b, c, function, constant, w[i + 2]);                                                             \
        STEP(c, d, e, a, b, function, constant, w[i + 3]);                                                             \
        STEP(b, c, d, e, a, function, constant, w[i + 4]);                                                             \
    }

static uint32_t choose(uint32_t b, uint32_t c, uint32_t d) {
    return d ^ (b & (c ^ d));
}

static uint32_t parity(uint32_t b, uint32_t c, uint32_t d) {
    return b ^ c ^ d;
}

static uint32_t majority(uint32_t b, uint32_t c, uint32_t d) {
    return (b & c) | (d & (b | c));
}

void uts_sha1(const unsigned char *data, int size, unsigned char digest[STATE_BYTES]) {
    static const uint32_t start[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    unsigned char block[64] = {0};
    uint32_t w[80], a = start[0], b = start[1], c = start[2], d = start[3], e = start[4];
    memcpy(block, data, (size_t)size);
    block[size] = 0x80;
    store_word(block + 60, (uint32_t)size * 8);
    for (int i = 0; i < 16; i++) w[i] = load_word(block + 4 * i);
    for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    TWENTY(0, choose, 0x5a827999)
    TWENTY(20, parity, 0x6ed9eba1)
    TWENTY(40, majority, 0x8f1bbcdc)
    TWENTY(60, parity, 0xca62c1d6)
    const uint32_t sums[5] = {start[0] + a, start[1] + b, start[2] + c, start[3] + d, start[4] + e};
    for (int i = 0; i < 5; i++) store_word(digest + 4 * i, sums[i]);
}
