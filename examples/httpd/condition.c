/* SPDX-License-Identifier: MIT */
#include "condition.h"

#include "date.h"

/*
 * Takes the next of a list of tags off its front: W/"a", "b,c". `*tag` is it with its quotes. False: none, or what is no
 * tag, and what stands behind that is not looked at.
 */
static bool next_tag(struct text *list, struct text *tag, bool *is_weak) {
    while (list->length > 0 && (text_is_blank(list->at[0]) || list->at[0] == ',')) *list = text_from(*list, 1);
    *is_weak = list->length >= 2 && memcmp(list->at, "W/", 2) == 0;
    if (*is_weak) *list = text_from(*list, 2);
    if (list->length < 2 || list->at[0] != '"') return false;
    size_t length = text_find(text_from(*list, 1), '"') + 2;
    if (length > list->length) return false;
    *tag = (struct text){list->at, length};
    *list = text_from(*list, length);
    return true;
}

static bool text_equal(struct text a, struct text b) {
    return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

/* Whether one of the fields `name` is "*" or names `tag`. */
static bool names_tag(const struct request *request, enum field_name name, struct text tag, bool accepts_weak) {
    struct text value, listed;
    size_t from = 0;
    bool is_weak;
    while (request_next_field(request, name, &from, &value)) {
        if (text_is(value, "*")) return true;
        while (next_tag(&value, &listed, &is_weak)) {
            if (text_equal(listed, tag) && (accepts_weak || !is_weak)) return true;
        }
    }
    return false;
}

/* The date in the field `name`. False: there is none, or not just one. */
static bool date_of_field(const struct request *request, enum field_name name, int64_t now, int64_t *date) {
    struct text value;
    return request_count(request, name) == 1 && request_field(request, name, &value) && date_parse(value, now, date);
}

int condition_status(const struct request *request, const struct version *version, int64_t now) {
    int64_t date;
    if (request_count(request, FIELD_IF_MATCH) > 0) {
        if (!names_tag(request, FIELD_IF_MATCH, version->tag, false)) return 412;
    } else if (date_of_field(request, FIELD_IF_UNMODIFIED_SINCE, now, &date)) {
        if (version->modified > date) return 412;
    }
    if (request_count(request, FIELD_IF_NONE_MATCH) > 0) {
        return names_tag(request, FIELD_IF_NONE_MATCH, version->tag, true) ? 304 : 200;
    }
    if (date_of_field(request, FIELD_IF_MODIFIED_SINCE, now, &date)) return version->modified <= date ? 304 : 200;
    return 200;
}

bool condition_allows_range(const struct request *request, const struct version *version, int64_t now) {
    struct text value, tag;
    bool is_weak;
    int64_t date;
    if (!request_field(request, FIELD_IF_RANGE, &value)) return true;
    if (request_count(request, FIELD_IF_RANGE) > 1) return false;
    if (date_parse(value, now, &date)) {
        /* A date tells two versions apart only when it is past: the file may change again in the same second. */
        return date == version->modified && date < now;
    }
    return next_tag(&value, &tag, &is_weak) && value.length == 0 && !is_weak && text_equal(tag, version->tag);
}
