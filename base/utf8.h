/* SPDX-License-Identifier: MIT */
#ifndef FILCH_BASE_UTF8_H
#define FILCH_BASE_UTF8_H

#include <stddef.h>

/* How many bytes the character has that `text` begins with, which ends with a zero; 0: it is none of UTF-8. */
size_t filch__utf8_length(const char *text);

#endif
