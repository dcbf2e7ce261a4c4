/* SPDX-License-Identifier: MIT */
/*
 * A wire for tests: two transports in memory, each of which reads what is written to the other, with little room, in
 * pieces of random length, and with a count of what went by.
 */
#ifndef FILCH_TESTS_TLS_WIRE_H
#define FILCH_TESTS_TLS_WIRE_H

#include <filch/filch.h>
#include <filch/transport.h>

enum { WIRE_ROOM_MAX = 256 * 1024 };

/* What goes one way. Under the wire's lock. */
struct wire_way {
    unsigned char bytes[WIRE_ROOM_MAX];
    size_t first, length;
    uint64_t written, read;
    bool ended; /* its writer writes no more */
};

struct wire_end {
    struct wire *wire;
    int number;
    bool closed, destroyed;
    _Atomic int64_t calls; /* reads and writes; counted under the lock, looked at without */
};

struct wire {
    /* set before use; may be changed by who knows that nobody is in a call */
    size_t room;       /* of each way */
    size_t most;       /* bytes that one call moves, at most; it moves a random part of what it could. 0: all */
    uint64_t budget;   /* bytes that way 0 takes in all, before it takes no more; 0: any number */
    uint64_t spoil[2]; /* of each way: which byte, counted from 1, is spoiled on the way; 0: none */
    uint64_t cut[2];   /* of each way: after how many bytes it ends, as if the connection broke; 0: it does not */

    filch_mutex lock;
    filch_cond changed;
    uint32_t random;
    struct wire_way ways[2]; /* way i: written by end i, read by the other */
    struct wire_end ends[2];
};

/* A wire with so much room, for wire_destroy. */
struct wire *wire_create(size_t room);
void wire_destroy(struct wire *wire);

/* End 0 or 1 as a transport. */
filch_transport wire_end(struct wire *wire, int number);

/* Ends way `number` as if its writer had shut down below, behind the back of whatever uses it. */
void wire_cut(struct wire *wire, int number);

/* Sets the budget, which may let a writer go on. */
void wire_set_budget(struct wire *wire, uint64_t budget);

/* How many bytes were written to way `number`, and how many of them nobody has read. */
uint64_t wire_written(struct wire *wire, int number);
size_t wire_unread(struct wire *wire, int number);

#endif
