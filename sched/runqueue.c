/* SPDX-License-Identifier: MIT */
#include "sched/runqueue.h"

#include <errno.h>
#include <sched.h>

#include "base/barrier.h"

enum { FIRST_SLOTS = 256, STEAL_MAX = 64 };

int filch__runqueue_init(struct filch__runqueue *queue) {
    struct filch__ring *ring = filch__ring_create(FIRST_SLOTS, NULL);
    if (ring == NULL) return -ENOMEM;
    queue->head = queue->tail = 0;
    queue->alone = queue->busy = false;
    queue->full_at = FIRST_SLOTS;
    queue->ring = ring;
    return 0;
}

void filch__runqueue_fini(struct filch__runqueue *queue) {
    filch__ring_destroy(queue->ring);
    queue->ring = NULL;
}

/* Whether the owner is alone until it leaves. */
static inline bool enter_alone(struct filch__runqueue *queue) {
    if (!load_relaxed(&queue->alone)) return false; /* a glance: most are never */
    store_relaxed(&queue->busy, true);
    compiler_barrier();                                   /* PLURAL */
    if (likely(load_acquire(&queue->alone))) return true; /* ALONE */
    store_relaxed(&queue->busy, false);
    return false;
}

static inline void leave_alone(struct filch__runqueue *queue) {
    store_release(&queue->busy, false); /* PLURAL */
}

bool filch__runqueue_share(struct filch__runqueue *queue) {
    store_seq_cst(&queue->alone, false);
    if (!filch__barrier_all()) {
        store_release(&queue->alone, true); /* it stays as it was */
        return false;
    }
    while (load_acquire(&queue->busy)) sched_yield(); /* PLURAL: the owner may have lost its processor there */
    return true;
}

bool filch__runqueue_make_room(struct filch__runqueue *queue, int64_t count) {
    struct filch__ring *ring = queue->ring;
    int64_t tail = load_relaxed(&queue->tail); /* the owner's own */
    int64_t head = load_acquire(&queue->head); /* RECYCLE */
    while (tail + count > head + ring->mask + 1) {
        ring = filch__ring_grow(ring, head, tail);
        if (ring == NULL) return false;
        store_release(&queue->ring, ring); /* GROW */
    }
    queue->full_at = head + ring->mask + 1;
    return true;
}

static inline void put(struct filch__runqueue *queue, int64_t index, void *item) {
    struct filch__ring *ring = load_relaxed(&queue->ring); /* the owner's own */
    store_relaxed(filch__ring_slot(ring, index), item);    /* PUBLISH orders it */
}

bool filch__runqueue_push(struct filch__runqueue *queue, void *item) {
    int64_t tail = load_relaxed(&queue->tail); /* the owner's own */
    if (unlikely(tail >= queue->full_at) && !filch__runqueue_make_room(queue, 1)) return false;
    put(queue, tail, item);
    if (enter_alone(queue)) {
        store_relaxed(&queue->tail, tail + 1);
        leave_alone(queue);
    } else {
        store_seq_cst(&queue->tail, tail + 1); /* PUBLISH, WAKE */
    }
    return true;
}

/* By an owner that is alone. */
static inline void *pop_alone(struct filch__runqueue *queue) {
    int64_t head = load_relaxed(&queue->head); /* relaxed, all: nobody else writes */
    if (head >= load_relaxed(&queue->tail)) return NULL;
    void *item = load_relaxed(filch__ring_slot(load_relaxed(&queue->ring), head));
    store_relaxed(&queue->head, head + 1);
    return item;
}

void *filch__runqueue_pop(struct filch__runqueue *queue) {
    if (enter_alone(queue)) {
        void *item = pop_alone(queue);
        leave_alone(queue);
        return item;
    }
    int64_t head = load_acquire(&queue->head);
    for (;;) {
        if (head >= load_relaxed(&queue->tail)) return NULL;   /* the owner's own */
        struct filch__ring *ring = load_relaxed(&queue->ring); /* likewise */
        void *item = load_relaxed(filch__ring_slot(ring, head));
        if (likely(cas_acq_rel(&queue->head, &head, head + 1))) return item; /* RECYCLE */
    }
}

const void *filch__runqueue_glance(struct filch__runqueue *queue) {
    int64_t head = load_relaxed(&queue->head);
    if (head >= load_relaxed(&queue->tail)) return NULL;
    return load_relaxed(filch__ring_slot(load_relaxed(&queue->ring), head)); /* the ring is the owner's own */
}

void *filch__runqueue_steal_half(struct filch__runqueue *victim, struct filch__runqueue *own, bool *lost) {
    int64_t head = load_acquire(&victim->head);
    int64_t tail = load_seq_cst(&victim->tail); /* PUBLISH, WAKE */
    int64_t count = (tail - head + 1) / 2;
    if (count <= 0) return NULL;
    if (count > STEAL_MAX) count = STEAL_MAX;
    if (count > 1 && !filch__runqueue_make_room(own, count - 1)) count = 1;

    /* The slots are read before the CAS: afterwards the owner may write them anew. */
    void *items[STEAL_MAX];
    struct filch__ring *ring = load_acquire(&victim->ring); /* GROW */
    for (int64_t i = 0; i < count; i++) items[i] = load_relaxed(filch__ring_slot(ring, head + i));
    if (!cas_acq_rel(&victim->head, &head, head + count)) { /* RECYCLE */
        *lost = true;
        return NULL;
    }
    int64_t end = load_relaxed(&own->tail); /* the owner's own */
    for (int64_t i = 1; i < count; i++) put(own, end + i - 1, items[i]);
    if (count > 1) store_seq_cst(&own->tail, end + count - 1); /* PUBLISH, WAKE */
    return items[0];
}
