/* SPDX-License-Identifier: MIT */
/*
 * Text, JSON in the first place, to a file descriptor, through a buffer of the caller's, in pieces that a pipe takes whole.
 * Also in a signal handler.
 */
#ifndef FILCH_BASE_JSON_H
#define FILCH_BASE_JSON_H

#include <stddef.h>

struct filch__json {
    int fd;
    int error; /* the first that write(2) gave, as -errno; nothing is written any more after it */
    size_t used;
    char text[4096];
};

/* `length` bytes of text as they are. */
void filch__json_put(struct filch__json *json, const char *text, size_t length);

/* As printf, cut at 511 bytes; integers, strings, and numbers of a few places (%.3f), so that no memory is asked for. */
void filch__json_say(struct filch__json *json, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A string with its quotes, whatever bytes are in it; what is not UTF-8 becomes '?'. */
void filch__json_string(struct filch__json *json, const char *text);

/* Writes what is in the buffer. */
void filch__json_flush(struct filch__json *json);

#endif
