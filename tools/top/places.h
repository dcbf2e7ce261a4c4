/* SPDX-License-Identifier: MIT */
/* Where in the program an address of code is: by its symbols and its debugging information, where the build has libdw. */
#ifndef TOP_PLACES_H
#define TOP_PLACES_H

#include "tools/top/target.h"

struct place {
    uint64_t address;
    char text[96];     /* "program(function+0x1f)", or "program(+0x3ab2)", as in dumps */
    char function[48]; /* or "" */
    char line[48];     /* "file.c:12", or "" */
};

struct places;

/* NULL: no memory. */
struct places *places_open(struct target *target);
void places_close(struct places *places);

/* Forgets what is known if other images are mapped by now. */
void places_refresh(struct places *places);

/* Of an address that a call will return to, or (`exact`) of a function. Valid until the next call. */
const struct place *places_find(struct places *places, uint64_t address, bool exact);

#endif
