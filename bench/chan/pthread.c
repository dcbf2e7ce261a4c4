/* SPDX-License-Identifier: MIT */
#include "../common/ring.h"
#include "../common/thread.h"
#include "chan.h"

struct party {
    struct ring *ring;
    int64_t first, step, end;
    uint64_t sum;
    pthread_t thread;
};

static void *sender(void *arg) {
    const struct party *party = arg;
    for (int64_t i = party->first; i < party->end; i += party->step) ring_send(party->ring, (uint64_t)i);
    return NULL;
}

static void *receiver(void *arg) {
    struct party *party = arg;
    uint64_t value;
    while (ring_receive(party->ring, &value)) party->sum += value;
    return NULL;
}

static uint64_t pass(int64_t n, uint64_t slots, int count) {
    struct party senders[FOUR], receivers[FOUR];
    struct ring ring;
    uint64_t sum = 0;
    ring_init(&ring, slots);
    for (int i = 0; i < count; i++) {
        senders[i] = (struct party){.ring = &ring, .first = i, .step = count, .end = n};
        receivers[i] = (struct party){.ring = &ring};
        receivers[i].thread = thread_start(receiver, &receivers[i]);
        senders[i].thread = thread_start(sender, &senders[i]);
    }
    for (int i = 0; i < count; i++) pthread_join(senders[i].thread, NULL);
    ring_close(&ring);
    for (int i = 0; i < count; i++) {
        pthread_join(receivers[i].thread, NULL);
        sum += receivers[i].sum;
    }
    return sum;
}

uint64_t chan_unbuffered_pthread(struct run *run) {
    return pass(run->n, 0, 1);
}

uint64_t chan_buffered_pthread(struct run *run) {
    return pass(run->n, SLOTS, 1);
}

uint64_t chan_mpmc_pthread(struct run *run) {
    return pass(run->n, SLOTS, FOUR);
}
