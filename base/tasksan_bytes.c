/* SPDX-License-Identifier: MIT */
/*
 * Copies of libc's functions on bytes for the flavour of the library that shows tasks to ThreadSanitizer: it looks into
 * libc's own, whoever calls them, and would see the library's memory. Calls of them are sent here after compilation
 * (cmake/tasksan.syms), those too that the compiler has made. Compiled without knowledge of libc's functions, so that
 * none of these becomes a call of itself.
 */
#ifdef FILCH_TASKSAN

#include <stddef.h>

void *filch__bytes_copy(void *to, const void *from, size_t size);
void *filch__bytes_move(void *to, const void *from, size_t size);
void *filch__bytes_set(void *to, int value, size_t size);
int filch__bytes_compare(const void *one, const void *other, size_t size);
size_t filch__bytes_length(const char *text);
size_t filch__bytes_length_within(const char *text, size_t size);

void *filch__bytes_copy(void *to, const void *from, size_t size) {
    char *target = to;
    const char *source = from;
    for (size_t i = 0; i < size; i++) target[i] = source[i];
    return to;
}

void *filch__bytes_move(void *to, const void *from, size_t size) {
    char *target = to;
    const char *source = from;
    if (target < source) return filch__bytes_copy(to, from, size);
    for (size_t i = size; i > 0; i--) target[i - 1] = source[i - 1];
    return to;
}

void *filch__bytes_set(void *to, int value, size_t size) {
    char *target = to;
    for (size_t i = 0; i < size; i++) target[i] = (char)value;
    return to;
}

int filch__bytes_compare(const void *one, const void *other, size_t size) {
    const unsigned char *left = one, *right = other;
    for (size_t i = 0; i < size; i++) {
        if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
    }
    return 0;
}

size_t filch__bytes_length_within(const char *text, size_t size) {
    size_t length = 0;
    while (length < size && text[length] != '\0') length++;
    return length;
}

size_t filch__bytes_length(const char *text) {
    return filch__bytes_length_within(text, (size_t)-1);
}

#endif
