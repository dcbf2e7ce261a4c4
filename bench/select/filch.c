/* SPDX-License-Identifier: MIT */
#include "../common/filch.h"
#include "select.h"

static void make(filch_chan **chans, size_t slots) {
    for (int i = 0; i < FOUR; i++) {
        if (filch_chan_create(&chans[i], sizeof(uint64_t), slots)) fail("filch_chan_create");
    }
}

static void destroy(filch_chan **chans) {
    for (int i = 0; i < FOUR; i++) filch_chan_destroy(chans[i]);
}

static void send(filch_chan *chan, int64_t number) {
    uint64_t value = (uint64_t)number;
    if (filch_chan_send(chan, &value, FILCH_NEVER)) fail("filch_chan_send");
}

static uint64_t receive_by_select(filch_case *cases, const uint64_t *values) {
    int index = filch_select(cases, FOUR, FILCH_NEVER);
    if (index < 0 || cases[index].result != 0) fail("filch_select: %d", index);
    return values[index];
}

static uint64_t receive(filch_chan *chan) {
    uint64_t value;
    if (filch_chan_recv(chan, &value, FILCH_NEVER)) fail("filch_chan_recv");
    return value;
}

/* Fills the channels with the next numbers; what comes after n is 0. */
static void fill(filch_chan **chans, int64_t *next, int64_t n) {
    for (int i = 0; i < FOUR; i++) {
        while (filch_chan_length(chans[i]) < SLOTS) {
            send(chans[i], *next < n ? *next : 0);
            ++*next;
        }
    }
}

/* No more are taken at a time than one of them holds: so all four could go on, all the time. */
static uint64_t ready(struct run *run, bool by_select) {
    filch_chan *chans[FOUR];
    filch_case cases[FOUR];
    uint64_t values[FOUR], sum = 0;
    int64_t next = 0;
    make(chans, SLOTS);
    for (int i = 0; i < FOUR; i++) cases[i] = filch_case_recv(chans[i], &values[i]);
    for (int64_t taken = 0, charged = 0; taken < run->n; run->charged_ns = charged) {
        fill(chans, &next, run->n);
        int64_t begin = now_ns();
        for (int k = 0; k < SLOTS && taken < run->n; k++, taken++) {
            sum += by_select ? receive_by_select(cases, values) : receive(chans[k % FOUR]);
        }
        charged += now_ns() - begin;
    }
    for (int i = 0; i < FOUR; i++) {
        while (filch_chan_length(chans[i]) > 0) sum += receive(chans[i]);
    }
    destroy(chans);
    return sum;
}

uint64_t select_ready_filch(struct run *run) {
    return ready(run, true);
}

uint64_t select_ready_receive_filch(struct run *run) {
    return ready(run, false);
}

struct turns {
    filch_chan *chans[FOUR];
    int64_t n;
};

static int send_by_turns(void *arg) {
    struct turns *turns = arg;
    for (int64_t i = 0; i < turns->n; i++) send(turns->chans[i % FOUR], i);
    return 0;
}

static uint64_t idle(struct run *run, bool by_select) {
    struct turns turns = {.n = run->n};
    filch_case cases[FOUR];
    uint64_t values[FOUR], sum = 0;
    make(turns.chans, 0);
    for (int i = 0; i < FOUR; i++) cases[i] = filch_case_recv(turns.chans[i], &values[i]);
    filch_task *task = must_spawn(send_by_turns, &turns);
    for (int64_t i = 0; i < run->n; i++) {
        sum += by_select ? receive_by_select(cases, values) : receive(turns.chans[i % FOUR]);
    }
    must_await(task);
    destroy(turns.chans);
    return sum;
}

uint64_t select_idle_filch(struct run *run) {
    return idle(run, true);
}

uint64_t select_idle_receive_filch(struct run *run) {
    return idle(run, false);
}
