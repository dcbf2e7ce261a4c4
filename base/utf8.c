/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

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

size_t filch__utf8_cut(const char *text, size_t room) {
    size_t length = strnlen(text, room);
    if (length < room || text[length] == '\0') return length;
    for (size_t back = 1; back <= 3 && back <= length; back++) {
        const char *at = text + length - back;
        if (((unsigned char)*at & 0xc0) == 0x80) continue; /* inside of a character, or of nothing */
        return filch__utf8_length(at) > back ? length - back : length;
    }
    return length;
}

/* Of one byte, or of the two that begin with 0xc2. */
static bool is_special(const unsigned char *at) {
    if (at[0] < ' ' || at[0] == 127 || at[0] == '"' || at[0] == '\\') return true;
    return at[0] == 0xc2 && at[1] < 0xa0;
}

void filch__utf8_clean(char *to, size_t size, const char *text) {
    size_t used = 0;
    while (*text != '\0') {
        size_t length = filch__utf8_length(text);
        bool kept = length > 0 && !is_special((const unsigned char *)text);
        if (used + (kept ? length : 1) >= size) break;
        memcpy(to + used, kept ? text : "?", kept ? length : 1);
        used += kept ? length : 1;
        text += length == 0 ? 1 : length;
    }
    to[used] = '\0';
}
