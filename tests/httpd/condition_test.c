/* SPDX-License-Identifier: MIT */
/* Proves that conditions on tags and dates are answered as RFC 9110 has it, and in its order. */
#include "examples/httpd/condition.h"

#include "tests/test.h"

static const int64_t now = 784120000;
static const struct version version = {{"\"abc\"", 5}, 784111777}; /* Sun, 06 Nov 1994 08:49:37 GMT */

#define SAME "Sun, 06 Nov 1994 08:49:37 GMT"
#define EARLIER "Sun, 06 Nov 1994 08:49:36 GMT"
#define LATER "Sun, 06 Nov 1994 08:49:38 GMT"

/* A request with these fields; `b` may be left out. */
static struct request asking(enum field_name a, const char *a_value, enum field_name b, const char *b_value) {
    struct request request;
    request_begin(&request);
    request.fields[request.field_count++] = (struct request_field){a, text_of(a_value)};
    if (b_value != NULL) request.fields[request.field_count++] = (struct request_field){b, text_of(b_value)};
    return request;
}

static int status(enum field_name a, const char *a_value, enum field_name b, const char *b_value) {
    struct request request = asking(a, a_value, b, b_value);
    return condition_status(&request, &version, now);
}

static int alone(enum field_name name, const char *value) {
    return status(name, value, FIELD_OTHER, NULL);
}

TEST(condition, a_tag_that_the_client_has) {
    check_int(alone(FIELD_IF_NONE_MATCH, "\"abc\""), 304);
    check_int(alone(FIELD_IF_NONE_MATCH, "W/\"abc\""), 304);
    check_int(alone(FIELD_IF_NONE_MATCH, "*"), 304);
    check_int(alone(FIELD_IF_NONE_MATCH, "\"x\", W/\"y,z\" ,\"abc\""), 304);
    check_int(alone(FIELD_IF_NONE_MATCH, "\"abcd\""), 200);
    check_int(alone(FIELD_IF_NONE_MATCH, "\"ABC\""), 200);
    check_int(alone(FIELD_IF_NONE_MATCH, "abc"), 200);
    check_int(alone(FIELD_IF_NONE_MATCH, "\"abc"), 200);
    check_int(alone(FIELD_IF_NONE_MATCH, "\"x, \"abc\""), 200);
    check_int(alone(FIELD_IF_NONE_MATCH, ""), 200);
    check_int(status(FIELD_IF_NONE_MATCH, "\"x\"", FIELD_IF_NONE_MATCH, "\"abc\""), 304);
}

TEST(condition, a_date_since_which_nothing_has_changed) {
    check_int(alone(FIELD_IF_MODIFIED_SINCE, SAME), 304);
    check_int(alone(FIELD_IF_MODIFIED_SINCE, LATER), 304);
    check_int(alone(FIELD_IF_MODIFIED_SINCE, EARLIER), 200);
    check_int(alone(FIELD_IF_MODIFIED_SINCE, "yesterday"), 200);
    check_int(status(FIELD_IF_MODIFIED_SINCE, SAME, FIELD_IF_MODIFIED_SINCE, SAME), 200);
}

TEST(condition, tags_come_before_dates) {
    check_int(status(FIELD_IF_NONE_MATCH, "\"x\"", FIELD_IF_MODIFIED_SINCE, SAME), 200);
    check_int(status(FIELD_IF_MODIFIED_SINCE, EARLIER, FIELD_IF_NONE_MATCH, "\"abc\""), 304);
    check_int(status(FIELD_IF_MATCH, "\"abc\"", FIELD_IF_UNMODIFIED_SINCE, EARLIER), 200);
    check_int(status(FIELD_IF_MATCH, "\"x\"", FIELD_IF_NONE_MATCH, "\"abc\""), 412);
}

TEST(condition, what_is_not_what_the_client_believes_it_to_be) {
    check_int(alone(FIELD_IF_MATCH, "\"abc\""), 200);
    check_int(alone(FIELD_IF_MATCH, "*"), 200);
    check_int(alone(FIELD_IF_MATCH, "W/\"abc\""), 412);
    check_int(alone(FIELD_IF_MATCH, "\"x\""), 412);
    check_int(alone(FIELD_IF_UNMODIFIED_SINCE, SAME), 200);
    check_int(alone(FIELD_IF_UNMODIFIED_SINCE, EARLIER), 412);
}

TEST(condition, a_part_is_sent_only_of_what_the_client_has_the_rest_of) {
    static const struct {
        const char *value;
        bool is_allowed;
    } cases[] = {
        {"\"abc\"", true}, {"W/\"abc\"", false}, {"\"x\"", false}, {"\"abc\", \"x\"", false},
        {"*", false},      {SAME, true},         {LATER, false},   {EARLIER, false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct request request = asking(FIELD_IF_RANGE, cases[i].value, FIELD_OTHER, NULL);
        check_int(condition_allows_range(&request, &version, now), cases[i].is_allowed);
    }
    struct request none, fresh = asking(FIELD_IF_RANGE, SAME, FIELD_OTHER, NULL);
    request_begin(&none);
    check(condition_allows_range(&none, &version, now));
    check(!condition_allows_range(&fresh, &version, version.modified));
}
