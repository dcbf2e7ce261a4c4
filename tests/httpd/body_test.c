/* SPDX-License-Identifier: MIT */
/*
 * Proves that the body of a request is skipped up to just its end, in whatever pieces it comes, and that one which is too
 * long, or is not chunked as it should be, is refused.
 */
#include "examples/httpd/body.h"

#include "tests/test.h"

/* Skips `text`, of which `step` bytes come at a time. `*used` is what was the body's. */
static int skip(enum body_kind kind, uint64_t length, struct text text, uint64_t max, size_t step, size_t *used) {
    struct request request = {.body = kind, .body_length = length};
    struct body body;
    int answer = body_begin(&body, &request, max);
    *used = 0;
    while (answer == 0 && *used < text.length) {
        size_t some, size = text.length - *used < step ? text.length - *used : step;
        answer = body_skip(&body, text.at + *used, size, &some);
        check(some <= size);
        check(answer != 0 || some == size);
        *used += some;
    }
    if (answer == 0 && body.state == BODY_DONE) answer = 1;
    return answer;
}

/* The answer for a chunked body, the same whatever the pieces. `*used` as above. */
static int skip_chunks(const char *chunks, uint64_t max, size_t *used) {
    int answer = skip(BODY_CHUNKED, 0, text_of(chunks), max, 10000, used);
    for (size_t step = 1; step < 9; step++) {
        size_t stepped;
        check_int(skip(BODY_CHUNKED, 0, text_of(chunks), max, step, &stepped), answer);
        if (answer >= 0) check_int(stepped, *used);
    }
    return answer;
}

TEST(body, none_has_ended_before_it_began) {
    size_t used;
    check_int(skip(BODY_NONE, 0, text_of("GET"), 0, 1, &used), 1);
    check_int(used, 0);
    check_int(skip(BODY_LENGTH, 0, text_of("GET"), 0, 1, &used), 1);
    check_int(used, 0);
}

TEST(body, by_length_it_ends_at_its_length) {
    size_t used;
    for (size_t step = 1; step < 20; step++) {
        check_int(skip(BODY_LENGTH, 7, text_of("1234567GET / HTTP/1.1"), 7, step, &used), 1);
        check_int(used, 7);
        check_int(skip(BODY_LENGTH, 7, text_of("123456"), 7, step, &used), 0);
    }
    check_int(skip(BODY_LENGTH, 8, text_of("12345678"), 7, 1, &used), -413);
    check_int(used, 0);
    check_int(skip(BODY_LENGTH, UINT64_MAX, text_of("12345678"), 1 << 20, 1, &used), -413);
}

TEST(body, chunks_end_with_the_empty_one) {
    static const char *const bodies[] = {
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "1\r\n\n\r\n00a\r\n0123456789\r\n000\r\n\r\n",
        "A;name=value\r\n0123456789\r\n0;last=\"\t\xff\"\r\n\r\n",
        "1;\r\nx\r\n0\r\nDigest: none\r\nX:\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        char text[200];
        size_t used;
        strcat(strcpy(text, bodies[i]), "GET / HTTP/1.1\r\n");
        check_int(skip_chunks(text, 1000, &used), 1);
        check_int(used, strlen(bodies[i]));
        for (size_t length = 0; length < strlen(bodies[i]); length++) {
            text[length] = '\0';
            strncpy(text, bodies[i], length);
            check_int(skip_chunks(text, 1000, &used), 0);
            check_int(used, length);
        }
    }
}

TEST(body, chunks_that_are_none) {
    static const char *const bodies[] = {
        "\r\n",
        "g\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x1\r\n",
        " 1\r\n",
        "1 \r\n",
        "1\n",
        "1\rx",
        "1\r\nab",
        "1\r\na\n",
        "1\r\na\rx",
        "1;\n",
        "1;\x01",
        "0\r\n\n",
        "0\r\n: a\r\n",
        "0\r\nA b: c\r\n",
        "0\r\nA: b\n",
        "0\r\n A: b\r\n",
        "0\r\nA: b\r\n c\r\n",
        "0\r\nA: \x7f\r\n",
        "0\r\n\rx",
        "1\r\na\r\n\r\n",
        "0\r\nA\r\n",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        size_t used;
        check_int(skip_chunks(bodies[i], 1000, &used), -400);
    }
}

TEST(body, all_that_is_sent_counts_against_the_limit) {
    size_t used;
    const char *body = "3;a=b\r\nxyz\r\n0\r\nA: b\r\n\r\n";
    check_int(skip_chunks(body, strlen(body), &used), 1);
    for (uint64_t max = 0; max < strlen(body); max++) check_int(skip_chunks(body, max, &used), -413);
    check_int(skip_chunks("ffffffffffffffff\r\n", 1000, &used), -413);
    check_int(skip_chunks("10000000000000000000001\r\n", UINT64_MAX, &used), -413);
    check_int(skip_chunks("0000000000000000000000000000000000000000", 30, &used), -413);
}
