/* SPDX-License-Identifier: MIT */
/*
 * A buffer of bytes that come in at the end and leave at the front, in one piece, so that it can be shown, searched and
 * written as it is. For one user at a time.
 */
#ifndef FILCH_IO_BUFFER_H
#define FILCH_IO_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed: empty, without memory. What is inside stands at `bytes + start`. */
struct filch__buffer {
    unsigned char *bytes;
    size_t capacity, start, length;
};

enum { FILCH__BUFFER_MIN = 2048 }; /* of bytes that are got at first; an idle stream keeps no more, mostly */

static inline unsigned char *filch__buffer_front(const struct filch__buffer *buffer) {
    return buffer->bytes + buffer->start;
}

static inline unsigned char *filch__buffer_end(const struct filch__buffer *buffer) {
    return buffer->bytes + buffer->start + buffer->length;
}

/* How many bytes can be added as it is. */
static inline size_t filch__buffer_room(const struct filch__buffer *buffer) {
    return buffer->capacity - buffer->start - buffer->length;
}

/* Makes room for `more` bytes at the end, by moving what is inside or by getting memory; false: there is none. */
bool filch__buffer_reserve(struct filch__buffer *buffer, size_t more);

/*
 * Of an empty buffer of which no more than `used` bytes were needed last: where that is little, half its memory goes.
 * So one that has carried much and then carries little comes down in a few steps, and one that changes between the two
 * does not get and free memory each time.
 */
void filch__buffer_relax(struct filch__buffer *buffer, size_t used);

/* Adds bytes for which there is room. */
void filch__buffer_put(struct filch__buffer *buffer, const void *bytes, size_t size);

/* Drops bytes at the front, as many as there are at most. */
void filch__buffer_drop(struct filch__buffer *buffer, size_t size);

/* Moves up to `size` bytes at the front to `to`; how many. */
size_t filch__buffer_take(struct filch__buffer *buffer, void *to, size_t size);

/* Gives the memory back, with all that is inside. */
void filch__buffer_clear(struct filch__buffer *buffer);

#endif
