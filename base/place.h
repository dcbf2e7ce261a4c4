/* SPDX-License-Identifier: MIT */
/* Where in the program an address of code is, for reports. */
#ifndef FILCH_BASE_PLACE_H
#define FILCH_BASE_PLACE_H

#include <stddef.h>

enum { PLACE_SIZE = 192 };

/*
 * Writes "program(function+0x1f)", or "program(+0x3ab2)" where no function is known by name, as addr2line(1) takes it,
 * into `text`, PLACE_SIZE bytes; the bare address where it is in no file. Neither allocates nor waits, but for the loader's lock.
 */
void filch__place_write(const void *address, char *text);

/*
 * The same for a signal handler: "program(+0x3ab2)", by what filch__places_note has seen of the loader's tables. What was
 * loaded since, or is beyond the first 64 files, has the bare address.
 */
void filch__place_write_safely(const void *address, char *text);

/* Notes which files are loaded. Once at a time, and not while somebody asks for what it notes. */
void filch__places_note(void);

#endif
