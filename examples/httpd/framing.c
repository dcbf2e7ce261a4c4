/* SPDX-License-Identifier: MIT */
#include "framing.h"

#include "target.h"

/* HTTP/1.1 asks for just one host, HTTP/1.0 for one at most. It may be empty where the target has no authority. */
static int parse_host(const struct request *request) {
    size_t count = request_count(request, FIELD_HOST);
    if (count > 1 || (count == 0 && request->minor >= 1)) return -400;
    struct text host;
    if (!request_field(request, FIELD_HOST, &host) || host.length == 0) return 0;
    return target_is_authority(host) ? 0 : -400;
}

/* A number too large is a length too: the longest one. */
static uint64_t saturated(struct text digits) {
    uint64_t number = 0;
    for (size_t i = 0; i < digits.length; i++) {
        if (number > (UINT64_MAX - 9) / 10) return UINT64_MAX;
        number = number * 10 + (uint64_t)(digits.at[i] - '0');
    }
    return number;
}

/* A length said twice is refused even where it is the same: who came before may have read another. */
static int parse_length(struct request *request) {
    struct text value;
    if (!request_field(request, FIELD_CONTENT_LENGTH, &value)) return 0;
    if (request_count(request, FIELD_CONTENT_LENGTH) > 1 || !text_is_digits(value)) return -400;
    request->body = BODY_LENGTH;
    request->body_length = saturated(value);
    return 0;
}

/* Without "chunked" at the end of the codings, nobody knows where the body ends. */
static int parse_coding(struct request *request) {
    struct text value, coding, last = {"", 0};
    size_t from = 0, count = 0;
    while (request_next_field(request, FIELD_TRANSFER_ENCODING, &from, &value)) {
        if (value.length == 0) return -400;
        for (struct text list = value; text_next(&list, &coding); count++) last = coding;
    }
    if (from == 0) return 0;
    if (request->minor == 0 || request->body == BODY_LENGTH || !text_is_like(last, "chunked")) return -400;
    request->body = BODY_CHUNKED;
    return count == 1 ? 0 : -501;
}

static int parse_expect(struct request *request) {
    struct text value, element;
    size_t from = 0;
    while (request_next_field(request, FIELD_EXPECT, &from, &value)) {
        for (struct text list = value; text_next(&list, &element);) {
            if (!text_is_like(element, "100-continue")) return -417;
            /* HTTP/1.0 knows nothing of it, so that it is not to be answered. */
            request->expects_continue = request->minor >= 1;
        }
    }
    return 0;
}

/* "close" wins, wherever it stands. */
static void parse_connection(struct request *request) {
    bool is_closed = false, is_kept = request->minor >= 1;
    struct text value, option;
    size_t from = 0;
    while (request_next_field(request, FIELD_CONNECTION, &from, &value)) {
        for (struct text list = value; text_next(&list, &option);) {
            is_closed = is_closed || text_is_like(option, "close");
            is_kept = is_kept || text_is_like(option, "keep-alive");
        }
    }
    request->keep_alive = is_kept && !is_closed;
}

int framing_parse(struct request *request) {
    int error = parse_host(request);
    if (error == 0) error = parse_length(request);
    if (error == 0) error = parse_coding(request);
    if (error == 0) error = parse_expect(request);
    if (error == 0) parse_connection(request);
    return error;
}
