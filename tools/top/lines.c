/* SPDX-License-Identifier: MIT */
#include "tools/top/lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

static bool make_room(struct lines *lines, size_t size) {
    if (lines->room - lines->used >= size) return true;
    size_t room = 2 * (lines->room + size) + 4096;
    char *text = realloc(lines->text, room);
    if (text == NULL) {
        lines->failed = true;
        return false;
    }
    lines->text = text;
    lines->room = room;
    return true;
}

/* Behind what is there; `used` goes to the new zero. */
static void append(struct lines *lines, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length >= 0 && make_room(lines, (size_t)length + 1)) {
        vsnprintf(lines->text + lines->used, (size_t)length + 1, format, again);
        lines->used += (size_t)length;
    }
    va_end(again);
}

void lines_add(struct lines *lines, const char *format, ...) {
    va_list arguments;
    if (lines->count == 0) lines_new(lines, "%s", "");
    va_start(arguments, format);
    append(lines, format, arguments);
    va_end(arguments);
}

void lines_new(struct lines *lines, const char *format, ...) {
    va_list arguments;
    if (lines->count == lines->count_room) {
        size_t room = 2 * lines->count_room + 64;
        size_t *starts = realloc(lines->starts, room * sizeof *starts);
        if (starts == NULL) {
            lines->failed = true;
            return;
        }
        lines->starts = starts;
        lines->count_room = room;
    }
    if (!make_room(lines, 1)) return;
    if (lines->count > 0) lines->used++; /* past the zero */
    lines->starts[lines->count++] = lines->used;
    va_start(arguments, format);
    append(lines, format, arguments);
    va_end(arguments);
}

void lines_add_name(struct lines *lines, const char *name) {
    char clean[64];
    filch__utf8_clean(clean, sizeof clean, name);
    lines_add(lines, "\"%s\"", clean);
}

void lines_clear(struct lines *lines) {
    lines->used = lines->count = 0;
    lines->failed = false;
}

void lines_drop(struct lines *lines) {
    free(lines->text);
    free(lines->starts);
    *lines = (struct lines){0};
}
