/* SPDX-License-Identifier: MIT */
/*
 * Proves that the parser of request heads takes what RFC 9112 allows and refuses what two readers could understand
 * differently, within its limits, and that it makes no difference in which pieces a head comes.
 */
#include "examples/httpd/request.h"

#include <stdlib.h>

#include "tests/test.h"

static const struct request_limits limits = {.line_max = 200, .head_max = 1000, .fields_max = 20};

/*
 * Parses `head`, of which `step` bytes more come each time, at another address, where nothing is behind them. `*buffer`,
 * to be freed, is where they stood last.
 */
static int parse_in_steps(struct request *request, struct text head, size_t step, char **buffer) {
    request_begin(request);
    int answer = 0;
    *buffer = NULL;
    for (size_t length = 0; answer == 0 && length < head.length;) {
        size_t size = length;
        length = length + step < head.length ? length + step : head.length;
        char *moved = malloc(length);
        check(moved != NULL);
        memcpy(moved, head.at, length);
        answer = request_parse(request, moved, length, &limits);
        /* Whoever still looks there is to see that it is gone. */
        if (size > 0) explicit_bzero(*buffer, size);
        free(*buffer);
        *buffer = moved;
    }
    return answer;
}

static bool same(struct text a, struct text b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

static void check_same(const struct request *a, const struct request *b) {
    check_int(a->line_count, b->line_count);
    check_int(a->keep_alive, b->keep_alive);
    check_int(a->body, b->body);
    check(same(a->line, b->line) && same(a->target, b->target) && same(a->path, b->path) && same(a->query, b->query));
    check(same(a->authority, b->authority));
    check_int(a->field_count, b->field_count);
    for (size_t i = 0; i < a->field_count; i++) check(same(a->fields[i].value, b->fields[i].value));
}

/* Parses all of `head` at once, and proves that any other way to get it gives the same answer. */
static int parse_text(struct request *request, struct text head) {
    for (size_t step = 1; step < 8; step++) {
        struct request stepped;
        request_begin(request);
        int answer = request_parse(request, head.at, head.length, &limits);
        char *buffer;
        check_int(parse_in_steps(&stepped, head, step, &buffer), answer);
        if (answer > 0) check_same(&stepped, request);
        free(buffer);
    }
    request_begin(request);
    return request_parse(request, head.at, head.length, &limits);
}

static int parse(struct request *request, const char *head) {
    return parse_text(request, text_of(head));
}

/* What is said to a head of HTTP/1.1 whose lines after the request line and Host are `fields`. */
static int parse_fields(struct request *request, const char *fields) {
    char head[1200] = "GET / HTTP/1.1\r\nHost: a\r\n";
    check(strlen(head) + strlen(fields) + 3 < sizeof(head));
    strcat(head, fields);
    strcat(head, "\r\n");
    struct request copy;
    int answer = parse(&copy, head);
    static char kept[1200]; /* the texts of `request` are in it */
    memcpy(kept, head, sizeof(head));
    request_begin(request);
    check_int(request_parse(request, kept, strlen(kept), &limits), answer);
    return answer;
}

#define check_text(actual, expected) check(text_is(actual, expected))

/* -------------------------------------------------------------------------------------------------- what is taken */

TEST(request, a_plain_request_is_taken_apart) {
    struct request request;
    const char *head = "GET /a/b%20c?x=1&y HTTP/1.1\r\nHost: example.org:8080\r\nAccept: */*\r\n\r\n";
    check_int(parse(&request, head), strlen(head));
    check_int(request.method, METHOD_GET);
    check_int(request.minor, 1);
    check_text(request.line, "GET /a/b%20c?x=1&y HTTP/1.1");
    check_text(request.target, "/a/b%20c?x=1&y");
    check_text(request.path, "/a/b%20c");
    check_text(request.query, "x=1&y");
    check_int(request.authority.length, 0);
    check_int(request.line_count, 2);
    check_int(request.field_count, 1);
    check(request.keep_alive && !request.expects_continue);
    check_int(request.body, BODY_NONE);
}

TEST(request, what_follows_the_head_is_left_alone) {
    struct request request;
    const char *two = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\n";
    check_int(parse(&request, two), strlen("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"));
    check_int(request.method, METHOD_HEAD);
}

TEST(request, a_head_is_not_complete_before_its_empty_line) {
    struct request request;
    const char *head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (size_t length = 0; length < strlen(head); length++) {
        check_int(parse_text(&request, (struct text){head, length}), 0);
    }
    check_int(parse(&request, head), strlen(head));
}

TEST(request, one_empty_line_before_it_is_let_pass) {
    struct request request;
    check(parse(&request, "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") > 0);
    check_int(parse(&request, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), -400);
}

TEST(request, methods_are_told_apart_by_case_too) {
    static const struct {
        const char *head;
        enum method method;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", METHOD_GET},
        {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", METHOD_HEAD},
        {"POST / HTTP/1.1\r\nHost: a\r\n\r\n", METHOD_OTHER},
        {"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", METHOD_OTHER},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", METHOD_OTHER},
        {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", METHOD_OTHER},
        {"get / HTTP/1.1\r\nHost: a\r\n\r\n", METHOD_UNKNOWN},
        {"M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", METHOD_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct request request;
        check(parse(&request, cases[i].head) > 0);
        check_int(request.method, cases[i].method);
    }
}

TEST(request, a_whole_url_is_a_target) {
    struct request request;
    check(parse(&request, "GET http://a.b:80/c?d HTTP/1.1\r\nHost: other\r\n\r\n") > 0);
    check_text(request.authority, "a.b:80");
    check_text(request.path, "/c");
    check_text(request.query, "d");
    check(parse(&request, "GET HTTPS://[::1]?d HTTP/1.1\r\nHost: other\r\n\r\n") > 0);
    check_text(request.authority, "[::1]");
    check_text(request.path, "/");
    check_text(request.query, "d");
}

TEST(request, fields_are_found_whatever_the_case_of_their_names) {
    struct request request;
    struct text value;
    check(parse_fields(&request, "RANGE:bytes=0-1\r\nif-none-match: \t \"a\" \t\r\nIf-None-Match: \"b\"\r\nX: y\r\n") >
          0);
    check(request_field(&request, FIELD_RANGE, &value));
    check_text(value, "bytes=0-1");
    size_t from = 0;
    check(request_next_field(&request, FIELD_IF_NONE_MATCH, &from, &value));
    check_text(value, "\"a\"");
    check(request_next_field(&request, FIELD_IF_NONE_MATCH, &from, &value));
    check_text(value, "\"b\"");
    check(!request_next_field(&request, FIELD_IF_NONE_MATCH, &from, &value));
    check_int(request_count(&request, FIELD_IF_NONE_MATCH), 2);
    check(!request_field(&request, FIELD_IF_MATCH, &value));
    check_int(request.line_count, 5);
    check_int(request.field_count, 4);
}

TEST(request, values_may_be_empty_and_hold_bytes_that_are_not_ascii) {
    struct request request;
    check(parse_fields(&request, "X:\r\nY: \t\r\nZ: gr\xc3\xbc\xc3\x9f\x65 \xff\r\n!#$%&'*+-.^_`|~09azAZ: 1\r\n") > 0);
    check_int(request.line_count, 5);
}

/* ------------------------------------------------------------------------------------------------ what is refused */

TEST(request, request_lines_that_are_none) {
    static const char *const lines[] = {
        "GET",
        "GET ",
        "GET /",
        "GET / ",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        " GET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET / HTTP/1.1\t",
        "GET /a b HTTP/1.1",
        "G(T / HTTP/1.1",
        "G\x80T / HTTP/1.1",
        "GET a HTTP/1.1",
        "GET ?a HTTP/1.1",
        "GET * HTTP/1.1",
        "GET ftp://a/ HTTP/1.1",
        "GET http:///a HTTP/1.1",
        "GET http://a@b/ HTTP/1.1",
        "GET http://[/ HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /\x7f HTTP/1.1",
        "GET /\x80 HTTP/1.1",
        "GET /\x01 HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1",
        "GET / HTTP/11",
        "GET / HTTP/1.10",
        "GET / HTTP/a.1",
        "GET / HTTP/1.x",
        "GET / HTTP/1,1",
        "GET / FTP/1.1",
        "CONNECT / HTTP/1.1",
        "CONNECT a:b HTTP/1.1",
        "POST * HTTP/1.1",
        "GET /\tb HTTP/1.1",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct request request;
        char head[300];
        strcpy(head, lines[i]);
        strcat(head, "\r\nHost: a\r\n\r\n");
        check_int(parse(&request, head), -400);
    }
}

TEST(request, versions_other_than_1) {
    struct request request;
    check_int(parse(&request, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"), -505);
    check_int(parse(&request, "GET / HTTP/0.9\r\n\r\n"), -505);
    check(parse(&request, "GET / HTTP/1.2\r\nHost: a\r\n\r\n") > 0);
    check_int(request.minor, 1);
}

TEST(request, lines_end_by_both_characters_and_in_no_other_way) {
    struct request request;
    check_int(parse(&request, "GET / HTTP/1.1\nHost: a\n\n"), -400);
    check_int(parse(&request, "GET / HTTP/1.1\r\nHost: a\n\r\n"), -400);
    check_int(parse(&request, "GET / HTTP/1.1\r\nHost: a\r\n\n"), -400);
    check_int(parse(&request, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), -400);
    check_int(parse(&request, "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"), -400);
    check_int(parse(&request, "GET / HTTP/1.1\rHost: a\r\n\r\n"), -400);
    check_int(parse_fields(&request, "X: a\rY: b\r\n"), -400);
}

TEST(request, fields_that_are_none) {
    static const char *const fields[] = {
        "X : a\r\n",       "X\t: a\r\n",  " X: a\r\n",   "\tX: a\r\n",   "X: a\r\n b\r\n",
        "X: a\r\n\tb\r\n", "X\r\n",       ": a\r\n",     "X y: a\r\n",   "X\x80: a\r\n",
        "(X): a\r\n",      "X: \x01\r\n", "X: \x7f\r\n", "X: a\x0b\r\n", "@: a\r\n",
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct request request;
        check_int(parse_fields(&request, fields[i]), -400);
    }
}

TEST(request, a_zero_is_nowhere_allowed) {
    static const char head[] = "GET /a HTTP/1.1\r\nHost: a\r\nX: yz\r\n\r\n";
    for (size_t at = 0; at < sizeof(head) - 1; at++) {
        char copy[sizeof(head)];
        struct request request;
        memcpy(copy, head, sizeof(head));
        copy[at] = '\0';
        int answer = parse_text(&request, (struct text){copy, sizeof(head) - 1});
        /* The last one takes the end of the last line away: it is still to come. */
        check_int(answer, at == sizeof(head) - 2 ? 0 : -400);
    }
}

/* ------------------------------------------------------------------------------------------------------ the host */

TEST(request, there_is_one_host) {
    struct request request;
    check_int(parse(&request, "GET / HTTP/1.1\r\n\r\n"), -400);
    check_int(parse(&request, "GET http://a/ HTTP/1.1\r\n\r\n"), -400);
    check(parse(&request, "GET / HTTP/1.0\r\n\r\n") > 0);
    check_int(parse_fields(&request, "Host: a\r\n"), -400);
    check_int(parse(&request, "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), -400);
    check(parse(&request, "GET / HTTP/1.1\r\nHost:\r\n\r\n") > 0);
}

TEST(request, hosts_are_names_or_addresses) {
    static const struct {
        const char *host;
        bool is_one;
    } cases[] = {
        {"a", true},         {"a.b-c_d~:80", true}, {"127.0.0.1:8080", true},
        {"[::1]", true},     {"[::1]:80", true},    {"[fe80::1.2.3.4]", true},
        {"a:", true},        {"%41", true},         {"a:65536", true},
        {"a:123456", false}, {"a b", false},        {"a/b", false},
        {"a@b", false},      {"a,b:1", true},       {"[]", false},
        {"[::1", false},     {"[::1]a", false},     {"::1", false},
        {"a:8x", false},     {":80", false},        {"a\"", false},
        {"a\xff", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct request request;
        char head[200] = "GET / HTTP/1.1\r\nHost: ";
        strcat(strcat(head, cases[i].host), "\r\n\r\n");
        check_int(parse(&request, head) > 0, cases[i].is_one);
    }
}

/* ---------------------------------------------------------------------------------------- the body and the connection */

TEST(request, a_length_is_said_once_and_in_digits) {
    struct request request;
    check(parse_fields(&request, "Content-Length: 42\r\n") > 0);
    check_int(request.body, BODY_LENGTH);
    check_int(request.body_length, 42);
    check(parse_fields(&request, "Content-Length: 18446744073709551616\r\n") > 0);
    check(request.body_length == UINT64_MAX);
    check(parse_fields(&request, "Content-Length: 00000000000000000000000000000007\r\n") > 0);
    check_int(request.body_length, 7);
    static const char *const wrong[] = {
        "Content-Length:\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: 1 1\r\n",
        "Content-Length: 0x1\r\n",
        "Content-Length: 1,1\r\n",
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\ncontent-length: 2\r\n",
        "Content-Length: 1.\r\n",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) check_int(parse_fields(&request, wrong[i]), -400);
}

TEST(request, a_body_is_chunked_or_has_a_length_not_both) {
    struct request request;
    check(parse_fields(&request, "Transfer-Encoding: chunked\r\n") > 0);
    check_int(request.body, BODY_CHUNKED);
    check(parse_fields(&request, "Transfer-Encoding: ,CHUNKED ,\r\n") > 0);
    static const struct {
        const char *fields;
        int answer;
    } cases[] = {
        {"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", -400},
        {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", -400},
        {"Transfer-Encoding:\r\n", -400},
        {"Transfer-Encoding: identity\r\n", -400},
        {"Transfer-Encoding: chunked, gzip\r\n", -400},
        {"Transfer-Encoding: xchunked\r\n", -400},
        {"Transfer-Encoding: chunked;q=1\r\n", -400},
        {"Transfer-Encoding: \x0b"
         "chunked\r\n",
         -400},
        {"Transfer-Encoding: gzip, chunked\r\n", -501},
        {"Transfer-Encoding: chunked, chunked\r\n", -501},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", -501},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", -400},
        {"Transfer-Encoding : chunked\r\n", -400},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_int(parse_fields(&request, cases[i].fields), cases[i].answer);
    }
    check_int(parse(&request, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), -400);
}

TEST(request, what_is_expected) {
    struct request request;
    check(parse_fields(&request, "Expect: 100-Continue\r\nContent-Length: 1\r\n") > 0);
    check(request.expects_continue);
    check_int(parse_fields(&request, "Expect: 100-continue, miracles\r\n"), -417);
    check(parse(&request, "GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n") > 0);
    check(!request.expects_continue);
}

TEST(request, who_closes_the_connection) {
    static const struct {
        const char *head;
        bool is_kept;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: te, closed\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct request request;
        check(parse(&request, cases[i].head) > 0);
        check_int(request.keep_alive, cases[i].is_kept);
    }
}

/* ------------------------------------------------------------------------------------------------------------ limits */

/* A head with a target of `target` bytes and a field "X" whose line has `field` bytes, for `lines` times. */
static int parse_large(size_t target, size_t field, size_t lines) {
    char *head = malloc(target + (field + 2) * lines + 100), *at = head;
    check(head != NULL);
    at = stpcpy(at, "GET /");
    memset(at, 'a', target - 1);
    at = stpcpy(at + target - 1, " HTTP/1.1\r\nHost: a\r\n");
    for (size_t i = 0; i < lines; i++) {
        memcpy(at, "X:", 2);
        memset(at + 2, 'b', field - 2);
        at = stpcpy(at + field, "\r\n");
    }
    at = stpcpy(at, "\r\n");
    struct request request;
    int answer = parse_text(&request, (struct text){head, (size_t)(at - head)});
    free(head);
    return answer;
}

TEST(request, limits_hold_to_the_byte) {
    size_t rest = strlen("GET  HTTP/1.1");
    check(parse_large(limits.line_max - rest, 10, 1) > 0);
    check_int(parse_large(limits.line_max - rest + 1, 10, 1), -414);
    check_int(parse_large(100000, 10, 1), -414);
    check(parse_large(1, limits.line_max, 1) > 0);
    check_int(parse_large(1, limits.line_max + 1, 1), -431);
    check(parse_large(1, 10, limits.fields_max - 1) > 0);
    check_int(parse_large(1, 10, limits.fields_max), -431);
    size_t fixed = strlen("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), four = (limits.head_max - fixed) / 5 - 2;
    check_int((fixed + (four + 2) * 5), 1000 - (1000 - fixed) % 5);
    check(parse_large(1, four, 5) > 0);
    check_int(parse_large(1, four + 1, 5), -431);
}

TEST(request, a_line_without_an_end_is_refused_when_it_is_too_long) {
    char line[300];
    struct request request;
    memset(line, 'G', sizeof(line));
    check_int(parse_text(&request, (struct text){line, limits.line_max + 2}), 0);
    check_int(parse_text(&request, (struct text){line, limits.line_max + 3}), -414);
}

TEST(request, no_more_fields_than_there_is_room_for) {
    static const struct request_limits lavish = {.line_max = 10000, .head_max = 100000, .fields_max = 100000};
    char *head = malloc(20000), *at = stpcpy(head, "GET / HTTP/1.1\r\nHost: a\r\n");
    struct request request;
    for (int i = 0; i < REQUEST_FIELDS_MAX; i++) at = stpcpy(at, "Range: a\r\n");
    stpcpy(at, "\r\n");
    request_begin(&request);
    check_int(request_parse(&request, head, strlen(head), &lavish), -431);
    check_int(request.field_count, REQUEST_FIELDS_MAX);
    free(head);
}
