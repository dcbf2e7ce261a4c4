/* SPDX-License-Identifier: MIT */
#include "range.h"

/* A number; one that is too large for one is the largest. */
static bool parse_number(struct text text, uint64_t *number) {
    if (!text_is_digits(text)) return false;
    *number = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned digit = (unsigned)(text.at[i] - '0');
        *number = *number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *number * 10 + digit;
    }
    return true;
}

/* "-500": the last 500 bytes. */
static enum range_kind parse_suffix(struct text text, uint64_t size, struct range *range) {
    uint64_t count;
    if (!parse_number(text, &count)) return RANGE_WHOLE;
    if (count == 0 || size == 0) return RANGE_OUTSIDE;
    if (count > size) count = size;
    *range = (struct range){size - count, count};
    return RANGE_PART;
}

enum range_kind range_parse(struct text value, uint64_t size, struct range *range) {
    *range = (struct range){0, size};
    size_t equals = text_find(value, '=');
    if (equals == value.length || !text_is_like((struct text){value.at, equals}, "bytes")) return RANGE_WHOLE;
    struct text list = text_from(value, equals + 1), element, another;
    if (!text_next(&list, &element) || text_next(&list, &another)) return RANGE_WHOLE;
    size_t dash = text_find(element, '-');
    if (dash == element.length) return RANGE_WHOLE;
    struct text first_text = {element.at, dash}, last_text = text_from(element, dash + 1);
    if (first_text.length == 0) return parse_suffix(last_text, size, range);
    uint64_t first, last = UINT64_MAX;
    if (!parse_number(first_text, &first)) return RANGE_WHOLE;
    if (last_text.length > 0 && (!parse_number(last_text, &last) || last < first)) return RANGE_WHOLE;
    if (first >= size) return RANGE_OUTSIDE;
    if (last >= size) last = size - 1;
    *range = (struct range){first, last - first + 1};
    return RANGE_PART;
}
