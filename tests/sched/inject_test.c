/* SPDX-License-Identifier: MIT */
/*
 * Proves that the inject queue is a FIFO of items of every kind, and that under racing producers and consumers nothing
 * is lost, nothing comes out twice, and what one producer adds comes out in its order.
 */
#include "sched/inject.h"

#include "sched/park.h"
#include "sched/task.h"
#include "tests/sched/racing.h"

/* An item of each kind. */
union body {
    filch_frame frame;
    struct filch_task task;
    struct filch__waiter strand;
};

static void *item_of(union body *body, uint64_t kind) {
    switch (kind % 3) {
    case 0:
        return &body->frame;
    case 1:
        return item_of_task(&body->task);
    default:
        return item_of_strand(&body->strand);
    }
}

TEST(inject, behaves_as_a_list_for_items_of_all_kinds) {
    enum { STEPS = 100000, BODIES = 512 };
    struct filch__random random = racing_random("inject model");
    static union body bodies[BODIES];
    struct filch__inject inject;
    filch__inject_init(&inject);
    uint64_t pushed = 0, popped = 0; /* the model: numbers [popped, pushed) are in it */
    for (int i = 0; i < STEPS; i++) {
        bool push = racing_below(&random, 1000) < 300 + (uint32_t)(i / 4096 % 2) * 400;
        if (push && pushed - popped < BODIES) {
            filch__inject_push(&inject, item_of(&bodies[pushed % BODIES], pushed));
            pushed++;
        } else {
            void *expected = popped == pushed ? NULL : item_of(&bodies[popped % BODIES], popped);
            if (expected != NULL) popped++;
            check(filch__inject_pop(&inject) == expected);
        }
        check_int(filch__inject_length(&inject), pushed - popped);
        check_int(inject.pushed, pushed);
    }
    filch__inject_fini(&inject);
}

enum { PRODUCERS = 4, CONSUMERS = 3 };

struct sent {
    struct filch_task task; /* first */
    unsigned producer;
    uint64_t number;
    ATOMIC(uint32_t) taken;
};

struct race {
    struct filch__inject inject;
    struct sent *sent[PRODUCERS];
    uint64_t each;
    ATOMIC(uint32_t) producers;
    ATOMIC(uint32_t) producing;
    ATOMIC(uint64_t) taken;
};

static void *produce(void *argument) {
    struct race *race = argument;
    unsigned producer = add_relaxed(&race->producers, 1);
    for (uint64_t i = 0; i < race->each; i++) {
        struct sent *sent = &race->sent[producer][i];
        sent->producer = producer;
        sent->number = i;
        filch__inject_push(&race->inject, item_of_task(&sent->task));
    }
    sub_acq_rel(&race->producing, 1);
    return NULL;
}

static void *consume(void *argument) {
    struct race *race = argument;
    uint64_t next[PRODUCERS] = {0};
    for (;;) {
        bool over = load_acquire(&race->producing) == 0;
        void *item = filch__inject_pop(&race->inject);
        if (item == NULL && over) return NULL;
        if (item == NULL) continue;
        struct sent *sent = (struct sent *)(void *)item_task(item);
        check_int(add_relaxed(&sent->taken, 1), 0);
        check(sent->number >= next[sent->producer]);
        next[sent->producer] = sent->number + 1;
        add_relaxed(&race->taken, 1);
    }
}

TEST(inject, nothing_is_lost_nor_taken_twice_and_each_producers_order_is_kept) {
    struct race race = {.each = 60000 / RACING_SCALE, .producing = PRODUCERS};
    filch__inject_init(&race.inject);
    for (int i = 0; i < PRODUCERS; i++) {
        race.sent[i] = calloc(race.each, sizeof(struct sent));
        check(race.sent[i] != NULL);
    }
    struct racing_threads producers, consumers;
    racing_start(&consumers, CONSUMERS, consume, &race);
    racing_start(&producers, PRODUCERS, produce, &race);
    racing_join(&producers);
    racing_join(&consumers);
    check_int(race.taken, PRODUCERS * race.each);
    check_int(race.inject.pushed, PRODUCERS * race.each);
    check_int(filch__inject_length(&race.inject), 0);
    for (int i = 0; i < PRODUCERS; i++) {
        for (uint64_t k = 0; k < race.each; k++) check_int(race.sent[i][k].taken, 1);
        free(race.sent[i]);
    }
    filch__inject_fini(&race.inject);
}
