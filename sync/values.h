/* SPDX-License-Identifier: MIT */
/*
 * The values inside a queue, in the order that they leave: a list, or a leftist heap (Crane 1972), whose operations
 * take no more than a logarithm of steps each, so that a latch may be held over them, and which needs no memory of its
 * own.
 */
#ifndef FILCH_SYNC_VALUES_H
#define FILCH_SYNC_VALUES_H

#include <filch/queue.h>
#include <stddef.h>

/* A value, and its place. On a list, `left` is the next and `right` is NULL. */
struct filch__value {
    struct filch__value *left, *right;
    uint64_t order; /* of putting */
    uint32_t rank;  /* in a heap: how far the nearest place is where a child could be added; a child on the left has
                       at least that of the one on the right */
    _Alignas(max_align_t) unsigned char bytes[];
};

/* Puts a value in, under the queue's latch. */
void filch__values_add(filch_queue *queue, struct filch__value *value);

/* Takes the next one out of those that there are. Under the queue's latch. */
struct filch__value *filch__values_take(filch_queue *queue);

/* Takes one of all that hang together at `*first`, in no order; NULL: none is left. For whoever has them alone. */
struct filch__value *filch__values_strip(struct filch__value **first);

#endif
