/* SPDX-License-Identifier: MIT */
/*
 * C++: which exceptions are being handled is kept per thread by the C++ runtime library, and must be kept per strand: a
 * task that waits inside a `catch` may go on after another has entered and left one, or on another thread. So a strand
 * that gives its worker up takes what is there with it, and leaves nothing behind. Where that library is not loaded there
 * is nothing to do.
 *
 * The layout is that of the Itanium C++ ABI (2.2.2, __cxa_eh_globals).
 */
#ifndef FILCH_SCHED_EXCEPTION_H
#define FILCH_SCHED_EXCEPTION_H

#include <stddef.h>

#include "base/assert.h"

struct filch__exceptions {
    void *caught;
    unsigned uncaught;
};

/* Those of the calling thread, which stay where they are as long as it lives; NULL: there is no such library. */
struct filch__exceptions *filch__exceptions_of_thread(void);

/* Takes what is there; `there` may be NULL. */
static force_inline struct filch__exceptions filch__exceptions_take(struct filch__exceptions *there) {
    struct filch__exceptions none = {NULL, 0};
    if (there == NULL || likely(there->caught == NULL && there->uncaught == 0)) return none;
    struct filch__exceptions taken = *there;
    *there = none;
    return taken;
}

static force_inline void filch__exceptions_put(struct filch__exceptions *there, struct filch__exceptions taken) {
    if (unlikely(taken.caught != NULL || taken.uncaught != 0)) *there = taken;
}

#endif
