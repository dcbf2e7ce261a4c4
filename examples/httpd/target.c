/* SPDX-License-Identifier: MIT */
#include "target.h"

#include "syntax.h"

/* ":" and digits, which may be missing, or nothing. */
static bool is_port(struct text port) {
    if (port.length == 0) return true;
    return port.at[0] == ':' && port.length <= 6 && (port.length == 1 || text_is_digits(text_from(port, 1)));
}

static size_t bracketed_length(struct text authority) {
    size_t length = 1;
    while (length < authority.length &&
           (hex_value(authority.at[length]) >= 0 || authority.at[length] == ':' || authority.at[length] == '.')) {
        length++;
    }
    return length < authority.length && authority.at[length] == ']' && length > 1 ? length + 1 : 0;
}

bool target_is_authority(struct text authority) {
    size_t length = 0;
    if (authority.length > 0 && authority.at[0] == '[') {
        length = bracketed_length(authority);
    } else {
        while (length < authority.length && is_host(authority.at[length])) length++;
    }
    return length > 0 && is_port(text_from(authority, length));
}

/* Splits "/path?query". */
static void split_path(struct request *request, struct text rest) {
    size_t mark = text_find(rest, '?');
    request->path = (struct text){rest.at, mark};
    request->query = text_from(rest, mark < rest.length ? mark + 1 : mark);
    if (mark == 0) request->path = text_of("/");
}

/* "http://authority", then what split_path takes. */
static int parse_url(struct request *request) {
    struct text target = request->target;
    size_t scheme = target.length >= 7 && text_is_like((struct text){target.at, 7}, "http://")    ? 7
                    : target.length >= 8 && text_is_like((struct text){target.at, 8}, "https://") ? 8
                                                                                                  : 0;
    if (scheme == 0) return -400;
    struct text rest = text_from(target, scheme);
    size_t length = 0;
    while (length < rest.length && rest.at[length] != '/' && rest.at[length] != '?') length++;
    request->authority = (struct text){rest.at, length};
    if (!target_is_authority(request->authority)) return -400;
    split_path(request, text_from(rest, length));
    return 0;
}

int target_parse(struct request *request, bool is_connect, bool is_options) {
    struct text target = request->target;
    for (size_t i = 0; i < target.length; i++) {
        if (!is_target(target.at[i])) return -400;
    }
    if (is_connect) {
        request->authority = target;
        return target_is_authority(target) ? 0 : -400;
    }
    if (is_options && text_is(target, "*")) {
        request->path = target;
        return 0;
    }
    if (target.at[0] != '/') return parse_url(request);
    split_path(request, target);
    return 0;
}
