/* SPDX-License-Identifier: MIT */
#include "io/buffer.h"

#include <stdint.h>
#include <string.h>

#include "alloc/heap.h"
#include "base/assert.h"

/*
 * The least power of two from FILCH__BUFFER_MIN on that holds `size`, so that a buffer grows a few times and no
 * more.
 */
static size_t capacity_for(size_t size) {
    size_t capacity = FILCH__BUFFER_MIN;
    while (capacity < size) capacity *= 2;
    return capacity;
}

/* Moves what is inside to memory of `capacity` bytes. */
static bool move(struct filch__buffer *buffer, size_t capacity) {
    unsigned char *bytes = filch__heap_get(capacity, 16);
    if (bytes == NULL) return false;
    if (buffer->length > 0) memcpy(bytes, filch__buffer_front(buffer), buffer->length);
    filch__heap_put(buffer->bytes, buffer->capacity, 16);
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    buffer->start = 0;
    return true;
}

bool filch__buffer_reserve(struct filch__buffer *buffer, size_t more) {
    if (more <= filch__buffer_room(buffer)) return true;
    if (more > SIZE_MAX / 4 - buffer->length) return false;
    if (buffer->length + more > buffer->capacity) return move(buffer, capacity_for(buffer->length + more));
    memmove(buffer->bytes, filch__buffer_front(buffer), buffer->length);
    buffer->start = 0;
    return true;
}

void filch__buffer_relax(struct filch__buffer *buffer, size_t used) {
    if (likely(buffer->capacity <= FILCH__BUFFER_MIN || used >= buffer->capacity / 4 || buffer->length > 0)) return;
    (void)move(buffer, buffer->capacity / 2); /* without memory for less it keeps what it has */
}

void filch__buffer_put(struct filch__buffer *buffer, const void *bytes, size_t size) {
    if (size > 0) memcpy(filch__buffer_end(buffer), bytes, size);
    buffer->length += size;
}

void filch__buffer_drop(struct filch__buffer *buffer, size_t size) {
    buffer->length -= size;
    buffer->start = buffer->length > 0 ? buffer->start + size : 0;
}

size_t filch__buffer_take(struct filch__buffer *buffer, void *to, size_t size) {
    size_t taken = size < buffer->length ? size : buffer->length;
    if (taken == 0) return 0;
    memcpy(to, filch__buffer_front(buffer), taken);
    filch__buffer_drop(buffer, taken);
    return taken;
}

void filch__buffer_clear(struct filch__buffer *buffer) {
    filch__heap_put(buffer->bytes, buffer->capacity, 16);
    *buffer = (struct filch__buffer){0};
}
