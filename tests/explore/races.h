/* SPDX-License-Identifier: MIT */
/*
 * Data races, by what happens before what in the C11 model (orders.h): whichever of two accesses the schedule has let be
 * first, if neither happens before the other, one of them writes, and one is plain, the schedule fails. The explored
 * sources are compiled as for ThreadSanitizer, and what their plain accesses call is here.
 */
#ifndef FILCH_TESTS_EXPLORE_RACES_H
#define FILCH_TESTS_EXPLORE_RACES_H

#include "tests/explore/explore.h"

/* Forgets all. Before each schedule. */
void races_reset(void);

/* From here on, or no more, accesses are looked at, as `thread`'s. */
void races_watch(unsigned thread);
void races_ignore(void);

/* An atomic access, by the code at `function`:`line`. */
void races_atomic(const void *object, unsigned size, bool writes, const char *function, int line);

/* The memory is another's from now on, as if all of it were written. */
void races_end_of(const void *object, size_t size, const char *what);

/* Writes, for each address of code in the verdict, where that is in the sources, if addr2line(1) is there. */
void races_tell_code(const char *verdict);

#endif
