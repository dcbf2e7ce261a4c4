/* SPDX-License-Identifier: MIT */
/*
 * Proves that the deque behaves as a plain list whatever its mode; that each transition of its table happens and no
 * other; and that under racing thieves, with growth, with lists that are made private, asked for, and moved by thieves
 * after membarrier(2), nothing is lost and nothing comes out twice.
 */
#include "sched/deque.h"

#include <errno.h>

#include "alloc/alloc.h"
#include "base/barrier.h"
#include "tests/sched/racing.h"

static int64_t mode_of(struct filch__deque *deque) {
    return deque->hot.mode & DEQUE_MODE_MASK;
}

static filch_frame *frames_make(size_t count) {
    filch_frame *frames = calloc(count, sizeof *frames);
    check(frames != NULL);
    return frames;
}

/* -------------------------------------------------------------------------------------------------------- model */

enum { MODEL_MAX = 5000, MODEL_STEPS = 300000 };

/* The reference: items [first, last) of an array. Items are frames and, every third, tasks. */
struct model {
    void *items[MODEL_STEPS + 1];
    int64_t first, last;
    uint64_t pushed;
    int64_t asking; /* what the last asking returned */
    filch_frame *frames;
    struct filch_task *tasks;
};

static void *model_item(struct model *model) {
    uint64_t number = model->pushed++;
    if (number % 3 == 0) return item_of_task(&model->tasks[number]);
    return &model->frames[number];
}

static void *model_newest(struct model *model) {
    return model->first == model->last ? NULL : model->items[model->last - 1];
}

static void *model_oldest(struct model *model) {
    return model->first == model->last ? NULL : model->items[model->first];
}

static void step_push(struct filch__deque *deque, struct model *model) {
    void *item = model_item(model);
    bool seen = mode_of(deque) != DEQUE_PRIVATE;
    check_int(filch__deque_push(deque, item), seen);
    check_int(mode_of(deque), seen ? DEQUE_SHARED : DEQUE_PRIVATE);
    model->items[model->last++] = item;
}

static void step_pop(struct filch__deque *deque, struct model *model) {
    void *expected = model_newest(model);
    check(filch__deque_pop(deque) == expected);
    if (expected != NULL) model->last--;
}

/* A thief gets the oldest of all, or nothing; and there is surely something to get where the deque is shared. */
static void step_steal(struct filch__deque *deque, struct model *model) {
    void *item = NULL;
    bool in_sight = filch__deque_in_sight(deque);
    enum steal_answer answer = filch__deque_steal(deque, &item);
    switch (answer) {
    case STEAL_TAKEN:
        check(in_sight);
        check(item == model_oldest(model));
        model->first++;
        break;
    case STEAL_EMPTY:
        check_int(mode_of(deque), DEQUE_SHARED);
        check(model_oldest(model) == NULL);
        break;
    case STEAL_PRIVATE:
        check(mode_of(deque) != DEQUE_SHARED && !in_sight);
        break;
    case STEAL_LOST:
        check(false); /* there is one thread */
    }
}

static void step_mode(struct filch__deque *deque, struct model *model, uint32_t kind) {
    switch (kind) {
    case 0:
        filch__deque_close(deque);
        break;
    case 1:
        filch__deque_share(deque);
        break;
    case 2: {
        int64_t before = mode_of(deque);
        model->asking = filch__deque_ask(deque);
        check_int(model->asking, deque->hot.mode);
        check_int(mode_of(deque), before == DEQUE_PRIVATE ? DEQUE_ASKED : before);
        break;
    }
    default: { /* one thread: no barrier is needed */
        bool stands = mode_of(deque) == DEQUE_ASKED && deque->hot.mode == model->asking;
        int64_t before = deque->hot.mode;
        filch__deque_share_after_barrier(deque, model->asking);
        check_int(deque->hot.mode, stands ? DEQUE_SHARED : before); /* an asking that was answered counts no more */
        break;
    }
    }
}

static void step_youngest(struct filch__deque *deque, struct model *model, struct filch__random *random) {
    filch_frame stranger = {0};
    check(!filch__deque_pop_if_youngest(deque, &stranger));
    if (model->first == model->last) return;
    void *oldest = model_oldest(model), *newest = model_newest(model);
    if (oldest != newest) check(!filch__deque_pop_if_youngest(deque, oldest));
    check(filch__deque_pop_if_youngest(deque, newest));
    model->last--;
    if (model->first == model->last) return;
    void *any = model->items[model->first + racing_below(random, (uint32_t)(model->last - model->first))];
    if (item_kind(any) == ITEM_FRAME) check(filch__deque_holds(deque, item_frame(any)));
}

static void step(struct filch__deque *deque, struct model *model, struct filch__random *random, uint32_t push_share) {
    uint32_t kind = racing_below(random, 100);
    if (kind < push_share && model->last - model->first < MODEL_MAX) {
        step_push(deque, model);
    } else if (kind < 75) {
        step_pop(deque, model);
    } else if (kind < 77) {
        void *expected = model_oldest(model);
        check(filch__deque_pop_oldest(deque) == expected);
        if (expected != NULL) model->first++;
    } else if (kind < 80) {
        step_youngest(deque, model, random);
    } else if (kind < 92) {
        step_steal(deque, model);
    } else {
        step_mode(deque, model, kind % 4);
    }
    check_int(filch__deque_is_empty(deque), model->first == model->last);
}

static void check_model(bool private_mode, struct filch__random *random) {
    struct filch__deque deque;
    struct model *model = calloc(1, sizeof *model);
    check(model != NULL);
    model->frames = frames_make(MODEL_STEPS);
    model->tasks = calloc(MODEL_STEPS, sizeof *model->tasks);
    check(model->tasks != NULL);
    check_int(filch__deque_init(&deque, private_mode), 0);
    /* By turns it grows and shrinks, so that it is often empty, often has one item, and often outgrows its ring. */
    uint32_t push_share = 50;
    for (int i = 0; i < MODEL_STEPS / RACING_SCALE; i++) {
        if (i % 4096 == 0) push_share = 20 + racing_below(random, 50);
        step(&deque, model, random, push_share);
    }
    while (model->first != model->last) step_pop(&deque, model);
    check(filch__deque_pop(&deque) == NULL);
    filch__deque_fini(&deque);
    free(model->frames);
    free(model->tasks);
    free(model);
}

TEST(deque, behaves_as_a_list_in_every_mode) {
    struct filch__random random = racing_random("deque model");
    size_t before = filch__heap_objects();
    check_model(true, &random);
    check_model(false, &random);
    check_int(filch__heap_objects(), before);
}

TEST(deque, holds_a_frame_until_it_is_taken) {
    for (int private_mode = 0; private_mode < 2; private_mode++) {
        struct filch__deque deque, other;
        filch_frame *frames = frames_make(600);
        check_int(filch__deque_init(&deque, private_mode), 0);
        check_int(filch__deque_init(&other, private_mode), 0);
        for (int i = 0; i < 600; i++) filch__deque_push(&deque, &frames[i]);
        filch_frame stranger;
        filch__deque_push(&other, &stranger);
        for (int i = 0; i < 600; i++) {
            check(!filch__deque_holds(&other, &frames[i]));
            check(filch__deque_holds(&deque, &frames[i]));
        }
        check(!filch__deque_holds(&deque, &stranger));
        check(filch__deque_pop(&deque) == &frames[599]);
        check(!filch__deque_holds(&deque, &frames[599]));
        check(filch__deque_pop_oldest(&deque) == &frames[0]);
        check(!filch__deque_holds(&deque, &frames[0]));
        check(filch__deque_holds(&deque, &frames[1]));
        filch__deque_fini(&deque);
        filch__deque_fini(&other);
        free(frames);
    }
}

/* -------------------------------------------------------------------------------------------------------- modes */

static filch_frame mode_frames[4];

/* A deque in `mode` with `count` frames: in its list, but where it is shared. */
static void put_into(struct filch__deque *deque, enum deque_mode mode, int count) {
    check_int(filch__deque_init(deque, mode != DEQUE_SHARED), 0);
    for (int i = 0; i < count; i++) filch__deque_push(deque, &mode_frames[i]);
    if (mode == DEQUE_ASKED) (void)filch__deque_ask(deque);
    check_int(mode_of(deque), mode);
}

typedef void act_fn(struct filch__deque *deque);

static void act_push(struct filch__deque *deque) {
    filch__deque_push(deque, &mode_frames[3]);
}
static void act_pop(struct filch__deque *deque) {
    check(filch__deque_pop(deque) != NULL);
}
static void act_pop_oldest(struct filch__deque *deque) {
    check(filch__deque_pop_oldest(deque) == &mode_frames[0]);
}
static void act_steal(struct filch__deque *deque) {
    void *item;
    (void)filch__deque_steal(deque, &item);
}
static void act_ask(struct filch__deque *deque) {
    (void)filch__deque_ask(deque);
}
static void act_share_after_barrier(struct filch__deque *deque) {
    filch__deque_share_after_barrier(deque, deque->hot.mode);
}
static void act_share(struct filch__deque *deque) {
    filch__deque_share(deque);
}
static void act_close(struct filch__deque *deque) {
    filch__deque_close(deque);
}

TEST(deque, changes_its_mode_as_its_table_says) {
    static const struct {
        act_fn *act;
        enum deque_mode from_private, from_asked, from_shared;
    } table[] = {
        {act_push, DEQUE_PRIVATE, DEQUE_SHARED, DEQUE_SHARED},
        {act_pop, DEQUE_PRIVATE, DEQUE_SHARED, DEQUE_SHARED},
        {act_pop_oldest, DEQUE_PRIVATE, DEQUE_SHARED, DEQUE_SHARED},
        {act_steal, DEQUE_PRIVATE, DEQUE_ASKED, DEQUE_SHARED},
        {act_ask, DEQUE_ASKED, DEQUE_ASKED, DEQUE_SHARED},
        {act_share_after_barrier, DEQUE_PRIVATE, DEQUE_SHARED, DEQUE_SHARED},
        {act_share, DEQUE_SHARED, DEQUE_SHARED, DEQUE_SHARED},
        {act_close, DEQUE_PRIVATE, DEQUE_ASKED, DEQUE_PRIVATE},
    };
    static const enum deque_mode modes[] = {DEQUE_PRIVATE, DEQUE_ASKED, DEQUE_SHARED};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const enum deque_mode expected[] = {table[i].from_private, table[i].from_asked, table[i].from_shared};
        for (int count = 1; count <= 3; count++) {
            for (int from = 0; from < 3; from++) {
                struct filch__deque deque;
                put_into(&deque, modes[from], count);
                table[i].act(&deque);
                check_int(mode_of(&deque), expected[from]);
                filch__deque_fini(&deque);
            }
        }
    }
}

TEST(deque, a_private_or_asked_list_gives_thieves_nothing_until_it_is_shared) {
    static const enum deque_mode modes[] = {DEQUE_PRIVATE, DEQUE_ASKED};
    for (int i = 0; i < 2; i++) {
        struct filch__deque deque;
        put_into(&deque, modes[i], 3);
        void *item = NULL;
        check_int(filch__deque_steal(&deque, &item), STEAL_PRIVATE);
        check(item == NULL && !filch__deque_in_sight(&deque));
        filch__deque_share_after_barrier(&deque, filch__deque_ask(&deque));
        for (int k = 0; k < 3; k++) {
            check(filch__deque_in_sight(&deque));
            check_int(filch__deque_steal(&deque, &item), STEAL_TAKEN);
            check(item == &mode_frames[k]);
        }
        check_int(filch__deque_steal(&deque, &item), STEAL_EMPTY);
        check(filch__deque_pop(&deque) == NULL);
        filch__deque_fini(&deque);
    }
}

/* ---------------------------------------------------------------------------------------------------- exhaustion */

/* Order is not kept where the ring cannot grow; but whatever is in the deque comes out of it, without memory too. */
TEST(deque, without_memory_loses_nothing) {
    enum { COUNT = 2000 };
    struct filch__deque deque;
    filch__alloc_fail(1, false);
    check_int(filch__deque_init(&deque, true), -ENOMEM);
    filch__alloc_fail(0, false);
    for (int kind = 0; kind < 6; kind++) {
        filch_frame *frames = frames_make(COUNT);
        struct filch_task *tasks = calloc(COUNT, sizeof *tasks);
        bool *out = calloc(COUNT, 1);
        check(tasks != NULL && out != NULL);
        check_int(filch__deque_init(&deque, kind % 2 == 0), 0);
        filch__alloc_fail(1, true);
        for (int i = 0; i < COUNT; i++) {
            bool task = kind / 2 == 0 || (kind / 2 == 1 && i % 3 == 0);
            filch__deque_push(&deque, task ? item_of_task(&tasks[i]) : (void *)&frames[i]);
        }
        if (kind % 3 == 0) filch__deque_share(&deque);
        for (int i = 0; i < COUNT; i++) {
            void *item = filch__deque_pop(&deque);
            check(item != NULL);
            int64_t index = item_kind(item) == ITEM_TASK ? item_task(item) - tasks : item_frame(item) - frames;
            check(!out[index]);
            out[index] = true;
        }
        check(filch__deque_pop(&deque) == NULL);
        filch__alloc_fail(0, false);
        filch__deque_fini(&deque);
        free(frames);
        free(tasks);
        free(out);
    }
}

/* --------------------------------------------------------------------------------------------------------- races */

/* A frame that knows whether it was taken; `plain` is written before the push and read after the take. */
struct piece {
    filch_frame frame; /* first */
    uint64_t plain;
    ATOMIC(uint32_t) taken;
};

struct race {
    struct filch__deque deque;
    struct piece *pieces;
    uint64_t count;
    ATOMIC(uint32_t) done;
    ATOMIC(uint64_t) stolen;
    ATOMIC(uint32_t) thieves;
    ATOMIC(uint32_t) between; /* thieves between their asking and their sharing: then the owner makes nothing private */
    uint64_t seed;
    bool closes; /* the owner makes its list private, thieves ask and share */
};

static void piece_take(struct race *race, void *item) {
    struct piece *piece = item;
    uint64_t index = (uint64_t)(piece - race->pieces);
    check(index < race->count);
    check_int(piece->plain, index + 1);
    check_int(add_relaxed(&piece->taken, 1), 0); /* nothing twice */
}

/*
 * What a thief does with a private list: a searcher asks; one that is about to sleep asks, and shares after a barrier.
 * It is counted meanwhile, as a sleeper is in the idle word, so that no owner makes its list private between the two.
 */
static void thief_asks(struct race *race, struct filch__random *random) {
    if (racing_below(random, 4) != 0) {
        (void)filch__deque_ask(&race->deque);
        return;
    }
    add_seq_cst(&race->between, 1);
    int64_t asking = filch__deque_ask(&race->deque);
    filch__barrier_all();
    filch__deque_share_after_barrier(&race->deque, asking);
    sub_seq_cst(&race->between, 1);
}

static void *thief(void *argument) {
    struct race *race = argument;
    struct filch__random random;
    filch__random_init(&random, race->seed, 1 + add_relaxed(&race->thieves, 1));
    uint64_t stolen = 0;
    for (;;) {
        bool done = load_acquire(&race->done);
        void *item = NULL;
        switch (filch__deque_steal(&race->deque, &item)) {
        case STEAL_TAKEN:
            piece_take(race, item);
            stolen++;
            break;
        case STEAL_PRIVATE:
            thief_asks(race, &random);
            break;
        case STEAL_LOST:
            break;
        case STEAL_EMPTY:
            if (done) {
                add_relaxed(&race->stolen, stolen);
                return NULL;
            }
            break;
        }
    }
}

static void give(struct race *race, uint64_t index) {
    struct piece *piece = &race->pieces[index];
    piece->plain = index + 1;
    filch__deque_push(&race->deque, &piece->frame);
}

/* As the worker does: makes the list private where it sees nobody idle, looks again, and shares if somebody is. */
static void close_as_worker_does(struct race *race) {
    if (load_seq_cst(&race->between) != 0) return;
    filch__deque_close(&race->deque);
    if (load_seq_cst(&race->between) != 0) filch__deque_share(&race->deque);
}

static void *take_one(struct race *race, struct filch__random *random, uint64_t newest) {
    struct filch__deque *deque = &race->deque;
    switch (racing_below(random, 16)) {
    case 0:
        return filch__deque_pop_oldest(deque);
    case 1: {
        filch_frame *frame = &race->pieces[newest].frame;
        return filch__deque_pop_if_youngest(deque, frame) ? frame : filch__deque_pop(deque);
    }
    default:
        return filch__deque_pop(deque);
    }
}

/* Pushes all pieces in bursts of up to `burst`, takes some back in between, and empties the deque at the end. */
static uint64_t own(struct race *race, struct filch__random *random, uint32_t burst) {
    uint64_t given = 0, taken = 0;
    while (given < race->count) {
        uint32_t pushes = 1 + racing_below(random, burst);
        for (uint32_t i = 0; i < pushes && given < race->count; i++) give(race, given++);
        uint32_t pops = racing_below(random, burst + 2);
        for (uint32_t i = 0; i < pops; i++) {
            void *item = take_one(race, random, given - 1);
            if (item == NULL) break;
            piece_take(race, item);
            taken++;
        }
        if (race->closes && racing_below(random, 4) == 0) close_as_worker_does(race);
    }
    for (void *item; (item = filch__deque_pop(&race->deque)) != NULL; taken++) piece_take(race, item);
    filch__deque_share(&race->deque);
    return taken;
}

static void race_make(struct race *race, uint64_t count, bool closes) {
    race->count = count;
    race->closes = closes;
    race->pieces = calloc(count, sizeof *race->pieces);
    check(race->pieces != NULL);
    check_int(filch__deque_init(&race->deque, closes), 0);
}

static void race_end(struct race *race, uint64_t taken) {
    check_int(taken + race->stolen, race->count);
    for (uint64_t i = 0; i < race->count; i++) check_int(race->pieces[i].taken, 1);
    filch__deque_fini(&race->deque);
    free(race->pieces);
}

static void run_race(const char *test, uint64_t count, uint32_t burst, unsigned thieves, bool closes) {
    struct filch__random random = racing_random(test);
    struct race race = {.seed = filch__random_next(&random)};
    race_make(&race, count, closes);
    struct racing_threads racing;
    racing_start(&racing, thieves, thief, &race);
    uint64_t taken = own(&race, &random, burst);
    store_release(&race.done, 1);
    racing_join(&racing);
    race_end(&race, taken);
}

TEST(deque, nothing_is_lost_nor_taken_twice_while_thieves_race_for_the_last_item) {
    run_race("deque race for the last, 1 thief", 1000000 / RACING_SCALE, 1, 1, false);
    run_race("deque race for the last, 3 thieves", 300000 / RACING_SCALE, 2, 3, false);
}

TEST(deque, nothing_is_lost_nor_taken_twice_in_long_bursts) {
    run_race("deque race in bursts, 1 thief", 1000000 / RACING_SCALE, 40, 1, false);
    run_race("deque race in bursts, 4 thieves", 500000 / RACING_SCALE, 700, 4, false);
}

TEST(deque, nothing_is_lost_nor_taken_twice_while_its_list_is_private_now_and_then) {
    if (RACING_UNDER_TSAN) return;          /* it does not see membarrier(2), so no list is private under it */
    if (!filch__barrier_register()) return; /* the kernel has none: likewise */
    run_race("deque race with private lists, 1 thief", 1000000, 1, 1, true);
    run_race("deque race with private lists, 1 thief, bursts", 1000000, 20, 1, true);
    run_race("deque race with private lists, 3 thieves", 300000, 4, 3, true);
}

TEST(deque, grows_while_thieves_read_it) {
    enum { ROUNDS = 40 };
    for (int round = 0; round < ROUNDS; round++) {
        struct race race = {.seed = (uint64_t)round};
        race_make(&race, 20000 / RACING_SCALE, false);
        struct racing_threads racing;
        racing_start(&racing, 2, thief, &race);
        for (uint64_t i = 0; i < race.count; i++) give(&race, i);
        store_release(&race.done, 1);
        racing_join(&racing);
        race_end(&race, 0);
    }
}
