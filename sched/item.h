/* SPDX-License-Identifier: MIT */
/*
 * An item: what a worker's queues hold. One word: a pointer to something that can be run, with its kind in the low bits.
 * NULL is no item.
 */
#ifndef FILCH_SCHED_ITEM_H
#define FILCH_SCHED_ITEM_H

#include <filch/fork.h>
#include <stdint.h>

#include "base/atomic.h"
#include "sched/frame.h"
#include "sched/park.h"
#include "sched/task.h"

enum item_kind {
    ITEM_FRAME = 0, /* a forked call that has not begun; untagged, since fork's inline path pushes it */
    ITEM_TASK = 1,  /* a task that has not begun */
    ITEM_STRAND = 2 /* something suspended that may go on: a waiter with a saved context */
};

static inline enum item_kind item_kind(void *item) {
    return (enum item_kind)((uintptr_t)item & 3);
}

static inline void *item_of_task(struct filch_task *task) {
    return (char *)task + ITEM_TASK;
}

static inline void *item_of_strand(struct filch__waiter *strand) {
    return (char *)strand + ITEM_STRAND;
}

static inline filch_frame *item_frame(void *item) {
    return item;
}

static inline struct filch_task *item_task(void *item) {
    return (struct filch_task *)(void *)((char *)item - ITEM_TASK);
}

static inline struct filch__waiter *item_strand(void *item) {
    return (struct filch__waiter *)(void *)((char *)item - ITEM_STRAND);
}

/* ------------------------------------------------------------------------------------------- where an item is */

/* The word by which an item is linked into a list: a deque's, or the inject queue's. */
static inline ATOMIC(void *) * item_link(void *item) {
    switch (item_kind(item)) {
    case ITEM_TASK:
        return &item_task(item)->link;
    case ITEM_STRAND:
        return &item_strand(item)->link;
    default:
        return &item_frame(item)->filch__link;
    }
}

/*
 * `item`, a frame or a task, stands in a deque's list before `next`. By the list's owner. Relaxed, here and below: the
 * edges of the list or ring that the item comes into order these.
 */
static inline void item_list(void *item, void *next) {
    if (item_kind(item) == ITEM_FRAME) store_relaxed(&item_frame(item)->filch__join, JOIN_LISTED);
    store_relaxed(item_link(item), next);
}

/* `item` stands in a deque's ring at `index`. A frame that is waited for by now need not know. */
static inline void item_place(void *item, int64_t index) {
    int64_t listed = JOIN_LISTED;
    if (item_kind(item) == ITEM_FRAME) (void)cas_relaxed(&item_frame(item)->filch__join, &listed, index);
}

#endif
