/* SPDX-License-Identifier: MIT */
/* What the objects of the other headers are made of. Nothing here is for use. */
#ifndef FILCH_INSIDE_H
#define FILCH_INSIDE_H

#include <filch/base.h>

/* A lock held for some nanoseconds: base/latch.h. Zeroed: free. */
struct filch__latch {
    uint32_t taken;
};

struct filch__clause;

/* Who waits at an object, in order: sched/waitlist.h. Under the object's latch. Zeroed: nobody. */
struct filch__waitlist {
    struct filch__clause *first, *last;
};

#endif
