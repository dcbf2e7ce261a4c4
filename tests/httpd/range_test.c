/* SPDX-License-Identifier: MIT */
/* Proves that ranges are cut to the file, that what is none sends the whole file, and that nothing is sent beyond it. */
#include "examples/httpd/range.h"

#include "tests/test.h"

TEST(range, parts_are_cut_to_the_file) {
    static const struct {
        const char *value;
        enum range_kind kind;
        uint64_t first, count; /* of a file of 100 bytes */
    } cases[] = {
        {"bytes=0-0", RANGE_PART, 0, 1},
        {"bytes=0-99", RANGE_PART, 0, 100},
        {"bytes=10-19", RANGE_PART, 10, 10},
        {"bytes=10-", RANGE_PART, 10, 90},
        {"bytes=99-", RANGE_PART, 99, 1},
        {"bytes=0-1000", RANGE_PART, 0, 100},
        {"bytes=50-18446744073709551615", RANGE_PART, 50, 50},
        {"bytes=50-99999999999999999999999", RANGE_PART, 50, 50},
        {"bytes=-1", RANGE_PART, 99, 1},
        {"bytes=-100", RANGE_PART, 0, 100},
        {"bytes=-1000", RANGE_PART, 0, 100},
        {"Bytes= 5-6 ", RANGE_PART, 5, 2},
        {"bytes=,5-6,", RANGE_PART, 5, 2},
        {"bytes=100-", RANGE_OUTSIDE, 0, 0},
        {"bytes=100-200", RANGE_OUTSIDE, 0, 0},
        {"bytes=99999999999999999999-", RANGE_OUTSIDE, 0, 0},
        {"bytes=-0", RANGE_OUTSIDE, 0, 0},
        {"bytes=0-1,3-4", RANGE_WHOLE, 0, 100},
        {"bytes=0-0,-1", RANGE_WHOLE, 0, 100},
        {"bytes=5-4", RANGE_WHOLE, 0, 100},
        {"bytes=", RANGE_WHOLE, 0, 100},
        {"bytes=-", RANGE_WHOLE, 0, 100},
        {"bytes=a-b", RANGE_WHOLE, 0, 100},
        {"bytes=1-b", RANGE_WHOLE, 0, 100},
        {"bytes=--1", RANGE_WHOLE, 0, 100},
        {"bytes=1 -2", RANGE_WHOLE, 0, 100},
        {"bytes 0-1", RANGE_WHOLE, 0, 100},
        {"bytes=0x1-2", RANGE_WHOLE, 0, 100},
        {"bytes=+1-2", RANGE_WHOLE, 0, 100},
        {"bytes=5", RANGE_WHOLE, 0, 100},
        {"lines=0-1", RANGE_WHOLE, 0, 100},
        {"", RANGE_WHOLE, 0, 100},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct range range;
        check_int(range_parse(text_of(cases[i].value), 100, &range), cases[i].kind);
        if (cases[i].kind == RANGE_OUTSIDE) continue;
        check_int(range.first, cases[i].first);
        check_int(range.count, cases[i].count);
    }
}

TEST(range, an_empty_file_has_no_part) {
    struct range range;
    check_int(range_parse(text_of("bytes=0-"), 0, &range), RANGE_OUTSIDE);
    check_int(range_parse(text_of("bytes=-5"), 0, &range), RANGE_OUTSIDE);
    check_int(range_parse(text_of("bytes=x"), 0, &range), RANGE_WHOLE);
    check_int(range.count, 0);
}

TEST(range, the_largest_file_has_its_last_byte) {
    struct range range;
    check_int(range_parse(text_of("bytes=0-"), UINT64_MAX, &range), RANGE_PART);
    check(range.first == 0 && range.count == UINT64_MAX);
    check_int(range_parse(text_of("bytes=-1"), UINT64_MAX, &range), RANGE_PART);
    check(range.first == UINT64_MAX - 1 && range.count == 1);
}
