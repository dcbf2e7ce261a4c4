/* SPDX-License-Identifier: MIT */
#ifndef FILCH_BASE_UTF8_H
#define FILCH_BASE_UTF8_H

#include <stddef.h>

/* How many bytes the character has that `text` begins with, which ends with a zero; 0: it is none of UTF-8. */
size_t filch__utf8_length(const char *text);

/* How many bytes of `text` are to be kept where there is room for `room`: a character is not cut in two. */
size_t filch__utf8_cut(const char *text, size_t room);

/*
 * Copies `text` to where `size` bytes are, so that it can stand between quotes in a line: what is no UTF-8, and each quote,
 * backslash or control character, becomes '?'. It ends with a zero, and is cut as above.
 */
void filch__utf8_clean(char *to, size_t size, const char *text);

#endif
