/* SPDX-License-Identifier: MIT */
/*
 * Where what stands in the memory of a program with filch: its descriptor (filch/descriptor.h), found by the note in the
 * images that are mapped, and read into numbers. A program may have several, each with runtimes of its own.
 */
#ifndef TOP_LAYOUT_H
#define TOP_LAYOUT_H

#include "tools/top/target.h"

enum {
    LAYOUTS_MAX = 8,
    RECORD_MAX = 1 << 16,       /* bytes of a record */
    SMALL_RECORD_MAX = 1 << 10, /* of a task's */
};

/* The names are those of the descriptor. An offset is at most its record's size, which is at most RECORD_MAX. */
struct layout {
    struct {
        uint32_t size, name, worker_count, process, simulated, workers, worker_known, spares, spares_room, coarse_ns,
            cancelled, ending, injected, helpers, stacks, task_slabs, task_slab_size, task_slab_records,
            task_records_at;
    } runtime;
    struct {
        uint32_t next;
    } slab;
    struct {
        uint32_t size, region, deque_top, deque_bottom, queue_head, queue_tail, rests, polls, blocks, thread, spawned,
            completed, steals, parks, yields, switches, sleeps, wakes, hogs;
    } worker;
    struct {
        uint32_t size, fn, runtime, extra, spawned_at, wait, hints, state, READY, STARTED, CANCELLED;
    } task;
    struct {
        uint32_t size, name, name_size, task, scope;
    } extra;
    struct {
        uint32_t size, word, reason, object, since_ns, WORD, PARKED, CAUSES, RECHECK, BITS, in_place_shift;
    } waiter;
    struct {
        uint32_t size, task, name;
    } scope;
    struct {
        uint32_t OPEN, BITS, task;
    } region;
    struct {
        uint32_t owner;
    } mutex;
    struct {
        uint32_t FLAG, CHILD, THREAD;
    } owner;
    char task_state[3][16], worker_rests[3][16]; /* as reports put them */

    uint64_t runtimes; /* the table's address */
    uint64_t process;  /* where the number of this process stands */
    uint32_t runtimes_room;
};

/* Finds up to LAYOUTS_MAX; how many, or 0, and why is in the target's `error`. */
size_t layouts_find(struct target *target, struct layout layouts[LAYOUTS_MAX]);

/* The numbers of `size` bytes (at most 8) at `at`, which need not be aligned. */
uint64_t layout_number(const void *record, uint32_t at, size_t size);

#endif
