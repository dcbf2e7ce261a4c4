/* SPDX-License-Identifier: MIT */
/* A piece of text that is not its own: where it begins and how long it is. Not ended by a zero. */
#ifndef HTTPD_TEXT_H
#define HTTPD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct text {
    const char *at;
    size_t length;
};

static inline struct text text_of(const char *string) {
    return (struct text){string, strlen(string)};
}

static inline struct text text_from(struct text text, size_t offset) {
    return (struct text){text.at + offset, text.length - offset};
}

static inline bool text_is(struct text text, const char *string) {
    return strlen(string) == text.length && memcmp(text.at, string, text.length) == 0;
}

/* The same where upper and lower case of ASCII count as one. */
static inline bool text_is_like(struct text text, const char *string) {
    return strlen(string) == text.length && strncasecmp(text.at, string, text.length) == 0;
}

/* Where `character` first stands in it, or its length. */
static inline size_t text_find(struct text text, char character) {
    const char *found = text.length == 0 ? NULL : memchr(text.at, character, text.length);
    return found == NULL ? text.length : (size_t)(found - text.at);
}

static inline bool text_is_blank(char character) {
    return character == ' ' || character == '\t';
}

/* Without the blanks at either end. */
static inline struct text text_trim(struct text text) {
    while (text.length > 0 && text_is_blank(text.at[0])) text = text_from(text, 1);
    while (text.length > 0 && text_is_blank(text.at[text.length - 1])) text.length--;
    return text;
}

/* Takes the next element off the front of a list with commas, and moves `*list` behind it. False: there is none. */
static inline bool text_next(struct text *list, struct text *element) {
    while (list->length > 0) {
        size_t comma = text_find(*list, ',');
        *element = text_trim((struct text){list->at, comma});
        *list = text_from(*list, comma < list->length ? comma + 1 : comma);
        if (element->length > 0) return true;
    }
    return false;
}

/* Whether it is decimal digits and nothing else, and at least one. */
static inline bool text_is_digits(struct text text) {
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') return false;
    }
    return text.length > 0;
}

#endif
