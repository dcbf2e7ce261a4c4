/* SPDX-License-Identifier: MIT */
/* Names and lines of code: symbols_dw.c by libdw, or symbols_none.c where that is not in the build. */
#ifndef TOP_SYMBOLS_H
#define TOP_SYMBOLS_H

#include "tools/top/places.h"

struct symbols;

/* NULL: none are to be had. Of the images that are mapped now. */
struct symbols *symbols_open(struct target *target);
void symbols_close(struct symbols *symbols);

/* Fills `function` and `line` of `place`, as far as they are known, for the code at `address`. How far into the function. */
uint64_t symbols_find(struct symbols *symbols, uint64_t address, struct place *place);

#endif
