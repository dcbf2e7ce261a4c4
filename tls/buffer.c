/* SPDX-License-Identifier: MIT */
/* The buffers of a session. Memory is OpenSSL's, so that who replaces that sees all that a session asks for. */
#include "tls/buffer.h"

#include <openssl/crypto.h>
#include <stdint.h>
#include <string.h>

/* Moves what is inside to the front. */
static void pull(struct filch__tls_buffer *buffer) {
    if (buffer->at == 0) return;
    memmove(buffer->bytes, buffer->bytes + buffer->at, filch__tls_buffer_length(buffer));
    buffer->end -= buffer->at;
    buffer->at = 0;
}

bool filch__tls_buffer_reserve(struct filch__tls_buffer *buffer, size_t more) {
    size_t length = filch__tls_buffer_length(buffer);
    if (buffer->size - buffer->end >= more) return true;
    if (more > SIZE_MAX / 4 - length) return false;
    if (buffer->size - length < more) {
        size_t size = buffer->size * 2 > length + more ? buffer->size * 2 : length + more;
        unsigned char *bytes = OPENSSL_realloc(buffer->bytes, size);
        if (bytes == NULL) return false;
        buffer->bytes = bytes;
        buffer->size = size;
    }
    pull(buffer);
    return true;
}

bool filch__tls_buffer_add(struct filch__tls_buffer *buffer, const void *bytes, size_t length) {
    if (length == 0) return true;
    if (!filch__tls_buffer_reserve(buffer, length)) return false;
    memcpy(buffer->bytes + buffer->end, bytes, length);
    buffer->end += length;
    return true;
}

size_t filch__tls_buffer_take(struct filch__tls_buffer *buffer, void *into, size_t length) {
    size_t inside = filch__tls_buffer_length(buffer);
    if (length > inside) length = inside;
    if (length == 0) return 0;
    memcpy(into, buffer->bytes + buffer->at, length);
    buffer->at += length;
    if (buffer->at == buffer->end) buffer->at = buffer->end = 0;
    return length;
}

void filch__tls_buffer_free(struct filch__tls_buffer *buffer) {
    OPENSSL_free(buffer->bytes);
    *buffer = (struct filch__tls_buffer){0};
}
