/* SPDX-License-Identifier: MIT */
#include "request.h"

#include "framing.h"
#include "syntax.h"
#include "target.h"

/* ------------------------------------------------------------------------------------------------------ request line */

static enum method method_of(struct text name) {
    static const char *const others[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"};
    if (text_is(name, "GET")) return METHOD_GET;
    if (text_is(name, "HEAD")) return METHOD_HEAD;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (text_is(name, others[i])) return METHOD_OTHER;
    }
    return METHOD_UNKNOWN;
}

/* "HTTP/1.0", "HTTP/1.1", and what comes after 1.1 and may be taken for it. */
static int parse_version(struct request *request, struct text version) {
    if (version.length != 8 || memcmp(version.at, "HTTP/", 5) != 0 || version.at[6] != '.') return -400;
    char major = version.at[5], minor = version.at[7];
    if (major < '0' || major > '9' || minor < '0' || minor > '9') return -400;
    if (major != '1') return -505;
    request->minor = minor == '0' ? 0 : 1;
    return 0;
}

/* method SP target SP version, with just these two blanks. */
static int parse_request_line(struct request *request, struct text line) {
    request->line = line;
    size_t method_length = text_find(line, ' ');
    if (method_length == 0 || method_length == line.length) return -400;
    struct text method = {line.at, method_length}, rest = text_from(line, method_length + 1);
    for (size_t i = 0; i < method.length; i++) {
        if (!is_token(method.at[i])) return -400;
    }
    size_t target_length = text_find(rest, ' ');
    if (target_length == 0 || target_length == rest.length) return -400;
    request->method = method_of(method);
    int error = parse_version(request, text_from(rest, target_length + 1));
    if (error != 0) return error;
    request->target = (struct text){rest.at, target_length};
    return target_parse(request, text_is(method, "CONNECT"), text_is(method, "OPTIONS"));
}

/* ------------------------------------------------------------------------------------------------------------ fields */

static enum field_name field_name_of(struct text name) {
    static const char *const names[FIELD_NAMES] = {
        [FIELD_CONNECTION] = "connection",
        [FIELD_CONTENT_LENGTH] = "content-length",
        [FIELD_EXPECT] = "expect",
        [FIELD_HOST] = "host",
        [FIELD_IF_MATCH] = "if-match",
        [FIELD_IF_MODIFIED_SINCE] = "if-modified-since",
        [FIELD_IF_NONE_MATCH] = "if-none-match",
        [FIELD_IF_RANGE] = "if-range",
        [FIELD_IF_UNMODIFIED_SINCE] = "if-unmodified-since",
        [FIELD_RANGE] = "range",
        [FIELD_TRANSFER_ENCODING] = "transfer-encoding",
    };
    for (int i = FIELD_OTHER + 1; i < FIELD_NAMES; i++) {
        if (text_is_like(name, names[i])) return (enum field_name)i;
    }
    return FIELD_OTHER;
}

/* name ":" blanks value blanks. A line that begins with a blank would go on the line before: it has no name. */
static int parse_field(struct request *request, struct text line, const struct request_limits *limits) {
    size_t colon = 0;
    while (colon < line.length && is_token(line.at[colon])) colon++;
    if (colon == 0 || colon == line.length || line.at[colon] != ':') return -400;
    struct text value = text_trim(text_from(line, colon + 1));
    for (size_t i = 0; i < value.length; i++) {
        if (!is_value(value.at[i])) return -400;
    }
    if (request->line_count >= limits->fields_max || request->line_count >= REQUEST_FIELDS_MAX) return -431;
    request->line_count++;
    enum field_name name = field_name_of((struct text){line.at, colon});
    if (name != FIELD_OTHER) request->fields[request->field_count++] = (struct request_field){name, value};
    return 0;
}

bool request_next_field(const struct request *request, enum field_name name, size_t *from, struct text *value) {
    for (size_t i = *from; i < request->field_count; i++) {
        if (request->fields[i].name != name) continue;
        *value = request->fields[i].value;
        *from = i + 1;
        return true;
    }
    return false;
}

bool request_field(const struct request *request, enum field_name name, struct text *value) {
    size_t from = 0;
    return request_next_field(request, name, &from, value);
}

size_t request_count(const struct request *request, enum field_name name) {
    size_t count = 0, from = 0;
    for (struct text value; request_next_field(request, name, &from, &value);) count++;
    return count;
}

/* ------------------------------------------------------------------------------------------------------------- lines */

void request_begin(struct request *request) {
    /* Not the array of fields, of which the first field_count count. */
    memset(request, 0, offsetof(struct request, fields));
    request->keep_alive = request->expects_continue = false;
    request->body = BODY_NONE;
    request->body_length = 0;
}

/*
 * Finds the next line that is complete. Lengths are looked at first, so that the answer does not depend on how much of a
 * line that is too long has come. 1: found; 0: more must come.
 */
static int next_line(struct request *request, const char *buffer, size_t length, const struct request_limits *limits,
                     struct text *line) {
    bool is_first = request->state <= REQUEST_LINE;
    const char *feed = NULL;
    if (length > request->scanned) feed = memchr(buffer + request->scanned, '\n', length - request->scanned);
    size_t end = feed != NULL ? (size_t)(feed - buffer) + 1 : length;
    /* A line ends by two bytes, the first of which may be there already. */
    if (end > limits->head_max || end - request->line_at > limits->line_max + 2) return is_first ? -414 : -431;
    request->scanned = end;
    if (feed == NULL) return 0;
    size_t size = end - request->line_at;
    if (size < 2 || feed[-1] != '\r') return -400;
    *line = (struct text){buffer + request->line_at, size - 2};
    request->line_at = end;
    return 1;
}

/* 0, or a status. One empty line before a request is let pass: old clients send one after a body. */
static int parse_line(struct request *request, struct text line, const struct request_limits *limits) {
    if (request->state <= REQUEST_LINE) {
        bool is_skipped = request->state == REQUEST_BEFORE && line.length == 0;
        request->state = is_skipped ? REQUEST_LINE : REQUEST_FIELDS;
        return is_skipped ? 0 : parse_request_line(request, line);
    }
    if (line.length > 0) return parse_field(request, line, limits);
    request->state = REQUEST_COMPLETE;
    return framing_parse(request);
}

/* A text of the lines parsed; others (a path "/" that was not sent) stay where they are. */
static void move_text(struct text *text, const struct request *request, const char *buffer) {
    uintptr_t offset = (uintptr_t)text->at - (uintptr_t)request->base;
    if (offset < request->line_at) text->at = buffer + offset;
}

/* The buffer has moved. */
static void move_texts(struct request *request, const char *buffer) {
    struct text *const texts[] = {&request->line, &request->target, &request->path, &request->query,
                                  &request->authority};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) move_text(texts[i], request, buffer);
    for (size_t i = 0; i < request->field_count; i++) move_text(&request->fields[i].value, request, buffer);
}

int request_parse(struct request *request, const char *buffer, size_t length, const struct request_limits *limits) {
    if (request->base != buffer) move_texts(request, buffer);
    request->base = buffer;
    while (request->state != REQUEST_COMPLETE) {
        struct text line;
        int found = next_line(request, buffer, length, limits, &line);
        if (found <= 0) return found;
        int error = parse_line(request, line, limits);
        if (error != 0) return error;
    }
    return (int)request->line_at;
}
