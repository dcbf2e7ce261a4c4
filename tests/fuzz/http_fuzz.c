/* SPDX-License-Identifier: MIT */
/*
 * What must hold for whatever comes from a client: the same answer in whatever pieces it comes; texts inside of what was
 * read; a path that cannot leave the root; a range inside of the file; a date that is read back as it was written.
 *
 * The first byte says in which pieces the rest comes. A connection is imitated: heads with their bodies, one after the
 * other, until one is refused or is not complete.
 */
#include <stdint.h>
#include <stdlib.h>

#include "examples/httpd/body.h"
#include "examples/httpd/condition.h"
#include "examples/httpd/date.h"
#include "examples/httpd/path.h"
#include "examples/httpd/range.h"
#include "examples/httpd/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(condition) ((condition) ? (void)0 : abort())

static const struct request_limits limits = {.line_max = 512, .head_max = 2048, .fields_max = 16};
static const int64_t now = 1700000000;

/*
 * Parses a head of which `step` bytes come at a time, each time at another address, where nothing is behind them. `*copy`,
 * to be freed, is where they stood last.
 */
static int parse_in_steps(struct request *request, struct text input, size_t step, char **copy) {
    int answer = 0;
    *copy = NULL;
    request_begin(request);
    for (size_t length = 0; answer == 0 && length < input.length;) {
        length = input.length - length < step ? input.length : length + step;
        char *moved = malloc(length);
        must(moved != NULL);
        memcpy(moved, input.at, length);
        answer = request_parse(request, moved, length, &limits);
        free(*copy);
        *copy = moved;
    }
    return answer;
}

static void must_be_inside(struct text text, struct text input) {
    if (text.length == 0 || text_is(text, "/")) return;
    must(text.at >= input.at && text.at + text.length <= input.at + input.length);
}

static void check_texts(const struct request *request, struct text head) {
    must_be_inside(request->line, head);
    must_be_inside(request->target, head);
    must_be_inside(request->path, head);
    must_be_inside(request->query, head);
    must_be_inside(request->authority, head);
    must(request->field_count <= request->line_count && request->line_count <= limits.fields_max);
    for (size_t i = 0; i < request->field_count; i++) {
        struct text value = request->fields[i].value;
        must_be_inside(value, head);
        must(memchr(value.at, '\n', value.length) == NULL && memchr(value.at, '\0', value.length) == NULL);
    }
}

/* Whether a name of the path is "." or ".." or empty. */
static bool has_special_name(const struct path *path) {
    struct text rest = {path->name, path->length};
    while (rest.length > 0) {
        size_t length = text_find(rest, '/');
        struct text name = {rest.at, length};
        if (length == 0 || text_is(name, ".") || text_is(name, "..")) return true;
        rest = text_from(rest, length < rest.length ? length + 1 : length);
    }
    return false;
}

static void check_path(struct text url) {
    static struct path path, again;
    static char encoded[3 * PATH_SIZE];
    if (path_resolve(&path, url, true) != 0) return;
    must(path.length < PATH_SIZE && strlen(path.name) == path.length);
    must(!has_special_name(&path));
    size_t length = path_encode(&path, path.is_directory, encoded, sizeof(encoded));
    must(length > 0 && length == strlen(encoded) && encoded[1] != '/');
    must(path_resolve(&again, text_of(encoded), true) == 0);
    must(again.length == path.length && memcmp(again.name, path.name, path.length) == 0);
    if (path_append(&path, "index.html")) must(strcmp(path_file_name(&path), "index.html") == 0);
}

static void check_range(struct text value) {
    static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct range range;
        enum range_kind kind = range_parse(value, sizes[i], &range);
        if (kind == RANGE_WHOLE) must(range.first == 0 && range.count == sizes[i]);
        if (kind == RANGE_PART) must(range.count > 0 && range.count <= sizes[i] - range.first);
    }
}

static void check_date(struct text text) {
    int64_t seconds, again;
    char written[DATE_SIZE];
    if (!date_parse(text, now, &seconds)) return;
    date_format(written, seconds);
    /* A second 60 at the end of the year 9999 is of one that has five digits. */
    must(date_parse(text_of(written), now, &again) && (again == seconds || seconds > 253402300799));
}

static void check_meaning(const struct request *request) {
    static const struct version version = {{"\"a\"", 3}, 784111777};
    struct text value;
    int status = condition_status(request, &version, now);
    must(status == 200 || status == 304 || status == 412);
    condition_allows_range(request, &version, now);
    if (request_field(request, FIELD_RANGE, &value)) check_range(value);
    if (request_field(request, FIELD_IF_RANGE, &value)) check_date(value);
    if (request_field(request, FIELD_IF_MODIFIED_SINCE, &value)) check_date(value);
    check_path(request->path);
}

/* Skips a body in pieces. `*used` is what was its. */
static int skip_in_steps(const struct request *request, struct text input, size_t step, size_t *used) {
    struct body body;
    *used = 0;
    int answer = body_begin(&body, request, 5000);
    if (answer == 0) answer = body_skip(&body, NULL, 0, used);
    while (answer == 0 && *used < input.length) {
        size_t some, left = input.length - *used, piece = left < step ? left : step;
        answer = body_skip(&body, input.at + *used, piece, &some);
        must(some <= piece && (answer != 0 || some == piece));
        *used += some;
    }
    return answer;
}

/* How many bytes the next request takes, head and body; 0: it is refused, or not complete. */
static size_t one_request(struct text input, size_t step) {
    static struct request request, stepped;
    request_begin(&request);
    int answer = request_parse(&request, input.at, input.length, &limits);
    char *copy;
    must(answer == parse_in_steps(&stepped, input, step, &copy));
    if (answer > 0) check_texts(&stepped, (struct text){copy, (size_t)answer});
    free(copy);
    if (answer <= 0) return 0;
    must((size_t)answer <= input.length && (size_t)answer <= limits.head_max);
    must(stepped.line_count == request.line_count && stepped.keep_alive == request.keep_alive);
    must(stepped.body == request.body && stepped.body_length == request.body_length);
    check_texts(&request, (struct text){input.at, (size_t)answer});
    check_meaning(&request);

    struct text rest = text_from(input, (size_t)answer);
    size_t used, used_in_steps;
    int skipped = skip_in_steps(&request, rest, SIZE_MAX, &used);
    must(skipped == skip_in_steps(&request, rest, step, &used_in_steps));
    if (skipped <= 0) return 0;
    must(used == used_in_steps && used <= rest.length);
    return (size_t)answer + used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    size_t step = data[0] % 32 + 1;
    struct text rest = {(const char *)data + 1, size - 1};
    for (size_t used; rest.length > 0 && (used = one_request(rest, step)) > 0;) rest = text_from(rest, used);
    /* Whatever it is, it may stand in a field or in a request line as well. */
    check_path(rest);
    check_range(rest);
    check_date(rest);
    return 0;
}
