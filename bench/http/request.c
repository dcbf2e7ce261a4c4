/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <string.h>
#include <strings.h>

/* A line without its end: its length, and where the next one begins. False where its end has not come. */
static bool line_at(const char *text, const char *end, size_t *length, const char **next) {
    const char *feed = memchr(text, '\n', (size_t)(end - text));
    if (!feed) return false;
    *next = feed + 1;
    *length = (size_t)(feed - text);
    if (*length > 0 && text[*length - 1] == '\r') --*length;
    return true;
}

/* METHOD target HTTP/1.x */
static bool parse_first(struct request *request, const char *line, size_t length) {
    const char *end = line + length, *blank = memchr(line, ' ', length);
    if (!blank || blank == line) return false;
    const char *target = blank + 1, *version = memchr(target, ' ', (size_t)(end - target));
    if (!version || version == target || end - version != 9) return false;
    if (memcmp(version, " HTTP/1.", 8) != 0 || (version[8] != '0' && version[8] != '1')) return false;
    request->get = blank - line == 3 && memcmp(line, "GET", 3) == 0;
    request->target = target;
    request->target_size = (size_t)(version - target);
    request->close = version[8] == '0';
    return true;
}

static bool is(const char *text, size_t length, const char *wanted) {
    return length == strlen(wanted) && strncasecmp(text, wanted, length) == 0;
}

/* Name: value */
static bool parse_header(struct request *request, const char *line, size_t length) {
    const char *end = line + length, *colon = memchr(line, ':', length);
    if (!colon || colon == line) return false;
    const char *value = colon + 1;
    while (value < end && (*value == ' ' || *value == '\t')) value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t')) end--;
    size_t name_length = (size_t)(colon - line), value_length = (size_t)(end - value);
    if (is(line, name_length, "connection")) {
        if (is(value, value_length, "close")) request->close = true;
        if (is(value, value_length, "keep-alive")) request->close = false;
    } else if (is(line, name_length, "content-length")) {
        request->body = !is(value, value_length, "0");
    } else if (is(line, name_length, "transfer-encoding")) {
        request->body = true;
    }
    return true;
}

long request_parse(struct request *request, const char *text, size_t size) {
    const char *end = text + size, *line = text, *next;
    size_t length;
    *request = (struct request){0};
    if (!line_at(line, end, &length, &next)) return size < REQUEST_MAX ? 0 : -1;
    if (!parse_first(request, line, length)) return -1;
    for (line = next; line_at(line, end, &length, &next); line = next) {
        if (length == 0) return next - text;
        if (!parse_header(request, line, length)) return -1;
    }
    return size < REQUEST_MAX ? 0 : -1;
}
