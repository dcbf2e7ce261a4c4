/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

static size_t length_by_first(unsigned char first) {
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first < 0xe0) return 2;
    if (first >= 0xe0 && first < 0xf0) return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

size_t filch__utf8_length(const char *text) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length = length_by_first(bytes[0]);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) return 0; /* the zero at the end, too */
    }
    if (bytes[0] == 0xe0 && bytes[1] < 0xa0) return 0;        /* longer than need be */
    if (bytes[0] == 0xf0 && bytes[1] < 0x90) return 0;        /* likewise */
    if (bytes[0] == 0xed && bytes[1] >= 0xa0) return 0;       /* half of a pair of UTF-16 */
    return bytes[0] == 0xf4 && bytes[1] >= 0x90 ? 0 : length; /* beyond Unicode */
}
