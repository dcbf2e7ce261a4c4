/* SPDX-License-Identifier: MIT */
/* Text of programs: that it is cut between characters, and can stand in a line whatever bytes it has. */
#include "base/utf8.h"

#include <string.h>

#include "tests/test.h"

static void check_cut(const char *text, size_t room, size_t expected) {
    check_int(filch__utf8_cut(text, room), expected);
}

TEST(utf8, text_is_cut_between_characters) {
    check_cut("", 4, 0);
    check_cut("abc", 4, 3);
    check_cut("abcd", 4, 4);
    check_cut("abcde", 4, 4);
    check_cut("abc\xc3\xa4", 4, 3);
    check_cut("ab\xc3\xa4", 4, 4);
    check_cut("ab\xc3\xa4x", 4, 4);
    check_cut("ab\xe2\x82\xac", 4, 2);
    check_cut("a\xf0\x9f\x98\x80", 4, 1);
    check_cut("\xf0\x9f\x98\x80", 3, 0);
    check_cut("abc\xc3x", 4, 4); /* is none: it is kept, and shown as it is wherever it is shown */
    check_cut("\x80\x80\x80\x80\x80", 4, 4);
    check_cut("abc", 0, 0);
}

static void check_clean(const char *text, size_t size, const char *expected) {
    char clean[32];
    memset(clean, 'X', sizeof clean);
    filch__utf8_clean(clean, size, text);
    check(strcmp(clean, expected) == 0);
    for (size_t i = size; i < sizeof clean; i++) check(clean[i] == 'X');
}

TEST(utf8, what_would_end_a_line_or_a_string_is_replaced) {
    check_clean("plain", 32, "plain");
    check_clean("a\"b\\c\nd\x7f", 32, "a?b?c?d?");
    check_clean("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", 32, "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
    check_clean("\xfe\xc3 \xc3", 32, "?? ?");
    check_clean("\xc2\x9b"
                "31m",
                32, "?31m"); /* begins a command to a terminal */
    check_clean("\xc0\x80\xed\xa0\x80", 32, "?????");
}

TEST(utf8, what_is_replaced_is_cut_between_characters_too) {
    check_clean("abcd", 4, "abc");
    check_clean("ab\xc3\xa4", 4, "ab");
    check_clean("a\xc3\xa4", 4, "a\xc3\xa4");
    check_clean("\xff\xff\xff\xff", 4, "???");
    check_clean("a", 1, "");
}
