/* SPDX-License-Identifier: MIT */
/*
 * Proves that the run queue is a FIFO, that a thief gets the older half and no more than 64, that it grows and survives
 * want of memory, and that under racing thieves nothing is lost, nothing comes out twice, and order is kept.
 */
#include "sched/runqueue.h"

#include "alloc/alloc.h"
#include "tests/sched/racing.h"

static void *item_of(uint64_t number) {
    return (void *)(uintptr_t)(16 * (number + 1));
}

/* -------------------------------------------------------------------------------------------------------- model */

enum { MODEL_STEPS = 300000, MODEL_MAX = 4000 };

/* Two queues, each of which steals from the other, beside two arrays. */
struct model {
    void *items[4 * MODEL_STEPS];
    int64_t first, last;
};

static int64_t model_length(const struct model *model) {
    return model->last - model->first;
}

static void model_add(struct model *model, void *item) {
    model->items[model->last++] = item;
}

static void step_steal(struct filch__runqueue *from, struct filch__runqueue *to, struct model *victim,
                       struct model *own) {
    int64_t count = (model_length(victim) + 1) / 2;
    if (count > 64) count = 64;
    bool lost = false;
    void *item = filch__runqueue_steal_half(from, to, &lost);
    check(!lost);
    if (count == 0) {
        check(item == NULL);
        return;
    }
    check(item == victim->items[victim->first++]);
    for (int64_t i = 1; i < count; i++) model_add(own, victim->items[victim->first++]);
}

TEST(runqueue, behaves_as_a_list) {
    struct filch__random random = racing_random("run queue model");
    struct filch__runqueue queues[2];
    struct model *models = calloc(2, sizeof *models);
    check(models != NULL);
    for (int i = 0; i < 2; i++) check_int(filch__runqueue_init(&queues[i]), 0);
    uint64_t pushed = 0;
    uint32_t push_share = 50;
    for (int i = 0; i < MODEL_STEPS / RACING_SCALE; i++) {
        if (i % 4096 == 0) push_share = 20 + racing_below(&random, 60);
        uint32_t kind = racing_below(&random, 100), which = racing_below(&random, 2);
        struct model *model = &models[which];
        if (kind >= 98) {
            step_steal(&queues[which], &queues[1 - which], model, &models[1 - which]);
        } else if (kind < push_share && model_length(model) < MODEL_MAX) {
            void *item = item_of(pushed++);
            check(filch__runqueue_push(&queues[which], item));
            model_add(model, item);
        } else {
            void *expected = model_length(model) == 0 ? NULL : model->items[model->first++];
            check(filch__runqueue_pop(&queues[which]) == expected);
        }
        check_int(filch__runqueue_length(&queues[which]), model_length(model));
    }
    for (int i = 0; i < 2; i++) filch__runqueue_fini(&queues[i]);
    free(models);
}

TEST(runqueue, a_thief_gets_the_older_half_in_order_and_at_most_64) {
    for (uint64_t count = 0; count <= 300; count++) {
        struct filch__runqueue victim, own;
        check_int(filch__runqueue_init(&victim), 0);
        check_int(filch__runqueue_init(&own), 0);
        for (uint64_t i = 0; i < count; i++) check(filch__runqueue_push(&victim, item_of(i)));
        bool lost = false;
        void *item = filch__runqueue_steal_half(&victim, &own, &lost);
        check(!lost);
        uint64_t taken = (count + 1) / 2 < 64 ? (count + 1) / 2 : 64;
        check(item == (count == 0 ? NULL : item_of(0)));
        check_int(filch__runqueue_length(&victim), count - taken);
        check_int(filch__runqueue_length(&own), taken == 0 ? 0 : taken - 1);
        for (uint64_t i = 1; i < taken; i++) check(filch__runqueue_pop(&own) == item_of(i));
        for (uint64_t i = taken; i < count; i++) check(filch__runqueue_pop(&victim) == item_of(i));
        check(filch__runqueue_pop(&own) == NULL && filch__runqueue_pop(&victim) == NULL);
        filch__runqueue_fini(&victim);
        filch__runqueue_fini(&own);
    }
}

/* ---------------------------------------------------------------------------------------------------- exhaustion */

TEST(runqueue, without_memory_keeps_what_it_has_and_goes_on_later) {
    struct filch__runqueue queue;
    filch__alloc_fail(1, false);
    check_int(filch__runqueue_init(&queue), -12 /* ENOMEM */);
    filch__alloc_fail(0, false);
    check_int(filch__runqueue_init(&queue), 0);
    filch__alloc_fail(1, true);
    uint64_t room = 0;
    while (filch__runqueue_push(&queue, item_of(room))) room++;
    check(room >= 256);
    check_int(filch__runqueue_length(&queue), room);
    check(filch__runqueue_pop(&queue) == item_of(0));
    check(filch__runqueue_push(&queue, item_of(room))); /* what was taken is room again */
    check(!filch__runqueue_push(&queue, item_of(room + 1)));
    filch__alloc_fail(0, false);
    check(filch__runqueue_push(&queue, item_of(room + 1)));
    for (uint64_t i = 1; i <= room + 1; i++) check(filch__runqueue_pop(&queue) == item_of(i));
    check(filch__runqueue_pop(&queue) == NULL);
    filch__runqueue_fini(&queue);
}

TEST(runqueue, a_thief_without_memory_takes_just_one) {
    struct filch__runqueue victim, own;
    check_int(filch__runqueue_init(&victim), 0);
    check_int(filch__runqueue_init(&own), 0);
    uint64_t room = 0;
    filch__alloc_fail(1, true);
    while (filch__runqueue_push(&own, item_of(1000 + room))) room++;
    for (uint64_t i = 0; i < 100; i++) check(filch__runqueue_push(&victim, item_of(i)));
    bool lost = false;
    check(filch__runqueue_steal_half(&victim, &own, &lost) == item_of(0));
    check(!lost);
    check_int(filch__runqueue_length(&victim), 99);
    check_int(filch__runqueue_length(&own), room);
    filch__alloc_fail(0, false);
    for (uint64_t i = 1; i < 100; i++) check(filch__runqueue_pop(&victim) == item_of(i));
    for (uint64_t i = 0; i < room; i++) check(filch__runqueue_pop(&own) == item_of(1000 + i));
    filch__runqueue_fini(&victim);
    filch__runqueue_fini(&own);
}

/* --------------------------------------------------------------------------------------------------------- races */

struct race {
    struct filch__runqueue queue;
    struct tokens tokens;
    ATOMIC(uint32_t) done;
    ATOMIC(uint64_t) stolen;
};

/* Steals from the race's queue into one of its own, which it then empties. Both are FIFO, hence so is what it sees. */
static void *thief(void *argument) {
    struct race *race = argument;
    struct filch__runqueue own;
    check_int(filch__runqueue_init(&own), 0);
    uint64_t stolen = 0;
    struct token *latest = NULL;
    for (;;) {
        bool done = load_acquire(&race->done), lost = false;
        void *item = filch__runqueue_steal_half(&race->queue, &own, &lost);
        if (item == NULL && !lost && done) break;
        for (; item != NULL; item = filch__runqueue_pop(&own)) {
            token_take(&race->tokens, item);
            check((struct token *)item > latest);
            latest = item;
            stolen++;
        }
    }
    filch__runqueue_fini(&own);
    add_relaxed(&race->stolen, stolen);
    return NULL;
}

static void run_race(const char *test, uint64_t count, uint32_t burst, unsigned thieves) {
    struct filch__random random = racing_random(test);
    struct race race = {.tokens = tokens_make(count)};
    check_int(filch__runqueue_init(&race.queue), 0);
    struct racing_threads racing;
    racing_start(&racing, thieves, thief, &race);
    uint64_t given = 0, taken = 0;
    struct token *latest = NULL;
    while (given < count) {
        uint32_t pushes = 1 + racing_below(&random, burst), pops = racing_below(&random, burst + 1);
        for (uint32_t i = 0; i < pushes && given < count; i++) {
            check(filch__runqueue_push(&race.queue, token_give(&race.tokens, given)));
            given++;
        }
        for (uint32_t i = 0; i < pops; i++) {
            void *item = filch__runqueue_pop(&race.queue);
            if (item == NULL) break;
            token_take(&race.tokens, item);
            check((struct token *)item > latest);
            latest = item;
            taken++;
        }
    }
    store_release(&race.done, 1);
    racing_join(&racing);
    check_int(taken + race.stolen, count);
    tokens_all_taken(&race.tokens, count);
    filch__runqueue_fini(&race.queue);
}

TEST(runqueue, nothing_is_lost_nor_taken_twice_while_thieves_take_halves) {
    run_race("run queue race, 1 thief", 1000000 / RACING_SCALE, 2, 1);
    run_race("run queue race, 1 thief, bursts", 500000 / RACING_SCALE, 300, 1);
    run_race("run queue race, 4 thieves", 500000 / RACING_SCALE, 900, 4);
}
