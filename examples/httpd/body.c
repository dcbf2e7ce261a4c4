/* SPDX-License-Identifier: MIT */
#include "body.h"

#include "syntax.h"

int body_begin(struct body *body, const struct request *request, uint64_t max) {
    *body = (struct body){.max = max};
    switch (request->body) {
    case BODY_NONE:
        body->state = BODY_DONE;
        return 0;
    case BODY_LENGTH:
        body->left = request->body_length;
        body->state = body->left > 0 ? BODY_DATA_BY_LENGTH : BODY_DONE;
        return body->left > max ? -413 : 0;
    case BODY_CHUNKED:
        body->state = BODY_SIZE_FIRST;
        return 0;
    }
    return -400;
}

/* A digit more of a chunk's size. */
static int add_digit(struct body *body, char c) {
    int digit = hex_value(c);
    if (digit < 0) return -400;
    if (body->left > body->max / 16) return -413;
    body->left = body->left * 16 + (unsigned)digit;
    if (body->left > body->max) return -413;
    body->state = BODY_SIZE;
    return 0;
}

/* What stands between a chunk's size and its data. Blanks before a ";", which nobody has to send, are refused. */
static int step_size(struct body *body, char c) {
    switch (c) {
    case '\r':
        body->state = BODY_SIZE_FEED;
        return 0;
    case ';':
        body->state = BODY_EXTENSION;
        return 0;
    default:
        return body->state == BODY_SIZE ? add_digit(body, c) : is_value(c) ? 0 : -400;
    }
}

/* `c` must be `wanted`; `next` comes then. */
static int step_exactly(struct body *body, char c, char wanted, int next) {
    body->state = next;
    return c == wanted ? 0 : -400;
}

/* Fields after the last chunk. They are not kept, but must be fields. */
static int step_trailer(struct body *body, char c) {
    if (body->state == BODY_TRAILER_FIRST && c == '\r') {
        body->state = BODY_LAST_FEED;
        return 0;
    }
    if (body->state == BODY_TRAILER_VALUE) {
        if (c == '\r') body->state = BODY_TRAILER_FEED;
        return c == '\r' || is_value(c) ? 0 : -400;
    }
    bool is_named = body->state == BODY_TRAILER_NAME;
    body->state = c == ':' ? BODY_TRAILER_VALUE : BODY_TRAILER_NAME;
    return is_token(c) || (c == ':' && is_named) ? 0 : -400;
}

/* One byte that is no data. */
static int step(struct body *body, char c) {
    switch (body->state) {
    case BODY_SIZE_FIRST:
        body->left = 0;
        return add_digit(body, c);
    case BODY_SIZE:
    case BODY_EXTENSION:
        return step_size(body, c);
    case BODY_SIZE_FEED:
        return step_exactly(body, c, '\n', body->left > 0 ? BODY_DATA : BODY_TRAILER_FIRST);
    case BODY_DATA_RETURN:
        return step_exactly(body, c, '\r', BODY_DATA_FEED);
    case BODY_DATA_FEED:
        return step_exactly(body, c, '\n', BODY_SIZE_FIRST);
    case BODY_TRAILER_FIRST:
    case BODY_TRAILER_NAME:
    case BODY_TRAILER_VALUE:
        return step_trailer(body, c);
    case BODY_TRAILER_FEED:
        return step_exactly(body, c, '\n', BODY_TRAILER_FIRST);
    case BODY_LAST_FEED:
        return step_exactly(body, c, '\n', BODY_DONE);
    default:
        return -400;
    }
}

/* Skips as much data as there is. Returns how many bytes. */
static size_t skip_data(struct body *body, size_t length) {
    size_t count = body->left < length ? (size_t)body->left : length;
    body->left -= count;
    if (body->left == 0) body->state = body->state == BODY_DATA ? BODY_DATA_RETURN : BODY_DONE;
    return count;
}

int body_skip(struct body *body, const char *bytes, size_t length, size_t *used) {
    *used = 0;
    while (body->state != BODY_DONE && *used < length) {
        size_t count = 1;
        if (body->state == BODY_DATA || body->state == BODY_DATA_BY_LENGTH) {
            /* No more than may be spent, so that it is the same byte that is too much, however the bytes came. */
            uint64_t most = body->max - body->spent;
            if (most == 0) return -413;
            size_t available = length - *used;
            count = skip_data(body, available < most ? available : (size_t)most);
        } else {
            if (body->spent == body->max) return -413;
            int error = step(body, bytes[*used]);
            if (error != 0) return error;
        }
        *used += count;
        body->spent += count;
    }
    return body->state == BODY_DONE ? 1 : 0;
}
