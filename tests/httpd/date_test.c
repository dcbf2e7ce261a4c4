/* SPDX-License-Identifier: MIT */
/* Proves that dates are written and read as the C library would, and that what is no date is not taken for one. */
#include "examples/httpd/date.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/test.h"

static const int64_t now = 1700000000; /* 14 November 2023 */

TEST(date, the_example_of_the_rfc_in_its_three_forms) {
    static const char *const forms[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    for (int i = 0; i < 3; i++) {
        int64_t seconds = 0;
        check(date_parse(text_of(forms[i]), now, &seconds));
        check_int(seconds, 784111777);
    }
    char text[DATE_SIZE];
    date_format(text, 784111777);
    check(strcmp(text, forms[0]) == 0);
}

TEST(date, what_is_written_is_what_the_c_library_writes_and_is_read_back) {
    unsigned seed = 1;
    for (int i = 0; i < 20000; i++) {
        int64_t seconds = ((int64_t)rand_r(&seed) * 117 + rand_r(&seed)) % 253402300800, again;
        time_t time = (time_t)(i % 2 == 0 ? seconds : -(seconds % 62167219200));
        struct tm parts;
        char text[DATE_SIZE], expected[40];
        check(gmtime_r(&time, &parts) != NULL);
        check(strftime(expected, sizeof(expected), "%a, %d %b ", &parts) > 0);
        snprintf(expected + strlen(expected), 25, "%04d %02d:%02d:%02d GMT", parts.tm_year + 1900, parts.tm_hour,
                 parts.tm_min, parts.tm_sec);
        date_format(text, time);
        check(strcmp(text, expected) == 0);
        check(date_parse(text_of(text), now, &again));
        check_int(again, time);
    }
}

TEST(date, what_is_outside_of_four_digits_is_the_nearest_inside) {
    char text[DATE_SIZE];
    date_format(text, INT64_MAX);
    check(strcmp(text, "Fri, 31 Dec 9999 23:59:59 GMT") == 0);
    date_format(text, INT64_MIN);
    check(strcmp(text, "Sat, 01 Jan 0000 00:00:00 GMT") == 0);
}

TEST(date, a_year_of_two_digits_is_at_most_50_years_ahead) {
    int64_t seconds;
    char text[DATE_SIZE];
    check(date_parse(text_of("Sunday, 06-Nov-73 08:49:37 GMT"), now, &seconds));
    date_format(text, seconds);
    check(strstr(text, " 2073 ") != NULL);
    check(date_parse(text_of("Sunday, 06-Nov-74 08:49:37 GMT"), now, &seconds));
    date_format(text, seconds);
    check(strstr(text, " 1974 ") != NULL);
}

TEST(date, what_is_none) {
    static const char *const texts[] = {
        "",
        "Sun",
        "0",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1995 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sonday, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Tues, 06-Nov-94 08:49:37 GMT",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int64_t seconds = 7;
        check(!date_parse(text_of(texts[i]), now, &seconds));
        check_int(seconds, 7);
    }
    int64_t leap;
    check(date_parse(text_of("Tue, 29 Feb 2000 23:59:60 GMT"), now, &leap));
    check_int(leap, 951868800);
}
