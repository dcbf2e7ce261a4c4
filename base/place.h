/* SPDX-License-Identifier: MIT */
/* Where in the program an address of code is, for reports. */
#ifndef FILCH_BASE_PLACE_H
#define FILCH_BASE_PLACE_H

#include <stddef.h>

enum { PLACE_SIZE = 192 };

/*
 * Writes "program(function+0x1f)", or "program(+0x3ab2)" where no function is known by name, as addr2line(1) takes it,
 * into `text`; the bare address where it is in no file. Neither allocates nor waits, but for the loader's lock.
 */
void filch__place_write(const void *address, char text[PLACE_SIZE]);

#endif
