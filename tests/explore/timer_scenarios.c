/* SPDX-License-Identifier: MIT */
/* The timers alone: who fires, who removes, and when a record may go. */
#include "alloc/alloc.h"
#include "sched/timer.h"
#include "tests/explore/explore.h"

static struct filch__timers timers;
static ATOMIC(uint32_t) calls;

/* In memory of its own, so that a touch after its end is seen. */
struct record {
    struct filch__timer timer; /* first */
    ATOMIC(uint32_t) called;
};

static void count_call(struct filch__timer *timer) {
    explore_check(add_acq_rel(&((struct record *)(void *)timer)->called, 1) == 0);
    add_acq_rel(&calls, 1);
}

static void fire_all(void *arg) {
    for (int64_t now_ns = 0; now_ns < 3; now_ns++) filch__timers_fire(&timers, now_ns << (uintptr_t)arg);
}

static void set_remove_and_free(void *arg) {
    uint32_t expected = 0;
    for (int i = 0; i < 3; i++) {
        struct record *record = filch__heap_get(sizeof *record, _Alignof(struct record));
        record->called = 0;
        filch__timer_set_call(&timers, &record->timer, count_call, (int64_t)explore_choose(3) << (uintptr_t)arg);
        bool removed = explore_choose(2) && filch__timer_try_remove(&timers, &record->timer);
        filch__timer_remove(&timers, &record->timer);
        uint32_t called = load_acquire(&record->called);
        explore_check(!removed || called == 0);
        expected += called;
        filch__heap_put(record, sizeof *record, _Alignof(struct record));
    }
    explore_check(load_acquire(&calls) == expected);
}

SCENARIO(timer_removed, "timers are set, removed and freed while two others fire them; in the heap, or in slots") {
    uintptr_t scale = explore_choose(2) ? 0 : 15 + explore_choose(30);
    filch__timers_init(&timers);
    calls = 0;
    explore_start(fire_all, (void *)scale);
    explore_start(fire_all, (void *)scale);
    set_remove_and_free((void *)scale);
    explore_join(1);
    explore_join(2);
    explore_check(timers.count == 0);
}
