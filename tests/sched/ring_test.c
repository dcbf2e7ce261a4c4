/* SPDX-License-Identifier: MIT */
/* Proves that a ring keeps what it holds when it grows, keeps its old ones readable, and gives all memory back. */
#include "sched/ring.h"

#include "alloc/alloc.h"
#include "tests/test.h"

static void *item_at(int64_t index) {
    return (void *)(uintptr_t)(8 * (index + 1));
}

static void check_holds(struct filch__ring *ring, int64_t first, int64_t last) {
    for (int64_t index = first; index < last; index++) check(*filch__ring_slot(ring, index) == item_at(index));
}

TEST(ring, growing_keeps_the_items_at_their_indices) {
    static const int64_t starts[] = {0, 1, 7, 8, 255, 1000003, (int64_t)1 << 40};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct filch__ring *ring = filch__ring_create(8, NULL);
        check(ring != NULL);
        int64_t first = starts[i], last = first + 8;
        for (int64_t index = first; index < last; index++) *filch__ring_slot(ring, index) = item_at(index);
        for (int doubled = 0; doubled < 6; doubled++) {
            struct filch__ring *older = ring;
            ring = filch__ring_grow(older, first, last);
            check(ring != NULL);
            check_int(ring->mask + 1, 2 * (older->mask + 1));
            check(ring->older == older);
            check_holds(ring, first, last);
            check_holds(older, first, last); /* a thief may still be reading it */
            first += 3;
            int64_t full = first + ring->mask + 1;
            for (; last < full; last++) *filch__ring_slot(ring, last) = item_at(last);
        }
        check_holds(ring, first, last);
        filch__ring_destroy(ring);
    }
}

TEST(ring, all_rings_go_back_to_the_heap) {
    size_t before = filch__heap_objects();
    struct filch__ring *ring = filch__ring_create(4, NULL);
    for (int doubled = 0; doubled < 5; doubled++) {
        check(ring != NULL);
        ring = filch__ring_grow(ring, 0, 0);
    }
    check_int(filch__heap_objects(), before + 6);
    filch__ring_destroy(ring);
    check_int(filch__heap_objects(), before);
    filch__ring_destroy(NULL);
}

TEST(ring, without_memory_the_old_one_stays_as_it_was) {
    filch__alloc_fail(1, false);
    check(filch__ring_create(4, NULL) == NULL);
    struct filch__ring *ring = filch__ring_create(4, NULL);
    check(ring != NULL);
    for (int64_t index = 0; index < 4; index++) *filch__ring_slot(ring, index) = item_at(index);
    filch__alloc_fail(1, false);
    check(filch__ring_grow(ring, 0, 4) == NULL);
    filch__alloc_fail(0, false);
    check_holds(ring, 0, 4);
    check_int(ring->mask, 3);
    filch__ring_destroy(ring);
}
