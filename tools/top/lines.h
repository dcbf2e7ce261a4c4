/* SPDX-License-Identifier: MIT */
/* Lines of text, made one after the other; then printed, or shown a part at a time. */
#ifndef TOP_LINES_H
#define TOP_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct lines {
    char *text; /* each with its zero */
    size_t used, room;
    size_t *starts;
    size_t count, count_room;
    bool failed; /* no memory: some are missing */
};

/* Adds to the last line, or begins a new one first. */
void lines_add(struct lines *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lines_new(struct lines *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A name, in quotes, with nothing in it that a terminal would act on. */
void lines_add_name(struct lines *lines, const char *name);

static inline const char *lines_at(const struct lines *lines, size_t line) {
    return lines->text + lines->starts[line];
}

void lines_clear(struct lines *lines);
void lines_drop(struct lines *lines);

#endif
