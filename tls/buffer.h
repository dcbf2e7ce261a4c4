/* SPDX-License-Identifier: MIT */
/* Bytes that wait to be taken from the front, in order. Whoever has the buffer has it alone. Private to tls/. */
#ifndef FILCH_TLS_BUFFER_H
#define FILCH_TLS_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed: empty. What is inside is [at, end). */
struct filch__tls_buffer {
    unsigned char *bytes;
    size_t at, end, size;
};

static inline size_t filch__tls_buffer_length(const struct filch__tls_buffer *buffer) {
    return buffer->end - buffer->at;
}

/* Makes room for `more` bytes behind those inside. False: no memory; nothing has changed. */
bool filch__tls_buffer_reserve(struct filch__tls_buffer *buffer, size_t more);

/* Adds `length` bytes. False: no memory; nothing has changed. */
bool filch__tls_buffer_add(struct filch__tls_buffer *buffer, const void *bytes, size_t length);

/* Takes up to `length` bytes from the front into `into`, and says how many. */
size_t filch__tls_buffer_take(struct filch__tls_buffer *buffer, void *into, size_t length);

/* Frees the memory; what was inside is gone, and the buffer is empty. */
void filch__tls_buffer_free(struct filch__tls_buffer *buffer);

#endif
