/* SPDX-License-Identifier: MIT */
#include "ring.h"

void ring_init(struct ring *ring, uint64_t limit) {
    *ring = (struct ring){.limit = limit};
    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->filled, NULL);
    pthread_cond_init(&ring->emptied, NULL);
}

void ring_send(struct ring *ring, uint64_t value) {
    uint64_t slots = ring->limit ? ring->limit : 1;
    pthread_mutex_lock(&ring->lock);
    while (ring->sent - ring->received == slots) pthread_cond_wait(&ring->emptied, &ring->lock);
    uint64_t ticket = ring->sent++;
    ring->slots[ticket % RING_SLOTS] = value;
    pthread_cond_signal(&ring->filled);
    while (ring->limit == 0 && ring->received <= ticket) pthread_cond_wait(&ring->emptied, &ring->lock);
    pthread_mutex_unlock(&ring->lock);
}

bool ring_receive(struct ring *ring, uint64_t *value) {
    pthread_mutex_lock(&ring->lock);
    while (ring->sent == ring->received && !ring->closed) pthread_cond_wait(&ring->filled, &ring->lock);
    bool any = ring->sent != ring->received;
    if (any) {
        *value = ring->slots[ring->received++ % RING_SLOTS];
        pthread_cond_signal(&ring->emptied);
    }
    pthread_mutex_unlock(&ring->lock);
    return any;
}

void ring_close(struct ring *ring) {
    pthread_mutex_lock(&ring->lock);
    ring->closed = true;
    pthread_cond_broadcast(&ring->filled);
    pthread_mutex_unlock(&ring->lock);
}
