/* SPDX-License-Identifier: MIT */
#include "../common/filch.h"
#include "chan.h"

struct party {
    filch_chan *chan;
    int64_t first, step, end; /* a sender's numbers */
    uint64_t sum;             /* of what a receiver was given */
    filch_task *task;
};

static int sender(void *arg) {
    const struct party *party = arg;
    for (int64_t i = party->first; i < party->end; i += party->step) {
        uint64_t value = (uint64_t)i;
        if (filch_chan_send(party->chan, &value, FILCH_NEVER)) fail("filch_chan_send");
    }
    return 0;
}

static int receiver(void *arg) {
    struct party *party = arg;
    uint64_t value, sum = 0;
    while (filch_chan_recv(party->chan, &value, FILCH_NEVER) == 0) sum += value;
    party->sum = sum;
    return 0;
}

static uint64_t pass(int64_t n, size_t slots, int count) {
    struct party senders[FOUR], receivers[FOUR];
    filch_chan *chan;
    uint64_t sum = 0;
    if (filch_chan_create(&chan, sizeof(uint64_t), slots)) fail("filch_chan_create");
    for (int i = 0; i < count; i++) {
        senders[i] = (struct party){.chan = chan, .first = i, .step = count, .end = n};
        receivers[i] = (struct party){.chan = chan};
        receivers[i].task = must_spawn(receiver, &receivers[i]);
        senders[i].task = must_spawn(sender, &senders[i]);
    }
    for (int i = 0; i < count; i++) must_await(senders[i].task);
    filch_chan_close(chan);
    for (int i = 0; i < count; i++) {
        must_await(receivers[i].task);
        sum += receivers[i].sum;
    }
    filch_chan_destroy(chan);
    return sum;
}

uint64_t chan_unbuffered_filch(struct run *run) {
    return pass(run->n, 0, 1);
}

uint64_t chan_buffered_filch(struct run *run) {
    return pass(run->n, SLOTS, 1);
}

uint64_t chan_mpmc_filch(struct run *run) {
    return pass(run->n, SLOTS, FOUR);
}
