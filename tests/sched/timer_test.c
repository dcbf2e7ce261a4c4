/* SPDX-License-Identifier: MIT */
/*
 * Proves that timers fire in the order of their times, and those of equal times in the order in which they were set;
 * that a timer fires once and never early; and that one that was removed is gone.
 */
#include "sched/timer.h"

#include <string.h>

#include "sched/runtime.h"
#include "tests/sched/racing.h"

/*
 * Timers whose waiters are parked strands of a runtime without workers: what fires goes to its inject queue, which thus
 * tells the order.
 */
struct clockwork {
    struct filch_runtime *runtime;
    struct filch__timers timers;
};

struct entry {
    struct filch__timer timer;
    struct filch__waiter waiter;
    int64_t at_ns;
    uint64_t order;
    bool set;
};

static struct entry *entries_make(size_t count) {
    struct entry *entries = aligned_alloc(_Alignof(struct entry), count * sizeof *entries);
    if (entries != NULL) memset(entries, 0, count * sizeof *entries);
    return entries;
}

static void clockwork_make(struct clockwork *clockwork) {
    clockwork->runtime = aligned_alloc(64, (sizeof(struct filch_runtime) + 63) & ~(size_t)63);
    check(clockwork->runtime != NULL);
    memset(clockwork->runtime, 0, sizeof(struct filch_runtime));
    filch__inject_init(&clockwork->runtime->inject);
    filch__idle_init(&clockwork->runtime->idle);
    filch__timers_init(&clockwork->timers);
}

static void clockwork_end(struct clockwork *clockwork) {
    check_int(clockwork->timers.count, 0);
    check(filch__timers_earliest(&clockwork->timers) == INT64_MAX);
    check(filch__inject_pop(&clockwork->runtime->inject) == NULL);
    filch__timers_fini(&clockwork->timers);
    filch__inject_fini(&clockwork->runtime->inject);
    filch__idle_fini(&clockwork->runtime->idle);
    free(clockwork->runtime);
}

static void entry_set(struct clockwork *clockwork, struct entry *entry, int64_t at_ns, uint64_t order) {
    entry->waiter = (struct filch__waiter){.runtime = clockwork->runtime, .word = &entry->waiter.own};
    store_relaxed(&entry->waiter.own, (uintptr_t)&entry->waiter | WAIT_WORD | WAITER_PARKED); /* not shared yet */
    entry->at_ns = at_ns;
    entry->order = order;
    entry->set = true;
    filch__timer_set(&clockwork->timers, &entry->timer, &entry->waiter, at_ns);
}

/* The entry that fired next, or NULL. */
static struct entry *entry_fired(struct clockwork *clockwork) {
    void *item = filch__inject_pop(&clockwork->runtime->inject);
    if (item == NULL) return NULL;
    struct entry *entry = (struct entry *)(void *)((char *)item_strand(item) - offsetof(struct entry, waiter));
    check_int(entry->waiter.own & WAITER_BITS, WAIT_WORD | WAITER_PARKED | WAITER_EXPIRED);
    check(entry->timer.timers == NULL);
    check(entry->set); /* once */
    entry->set = false;
    return entry;
}

/* Fires what is due and checks the order: by time, then by `order`. Returns how many there were. */
static unsigned fire(struct clockwork *clockwork, int64_t now_ns) {
    unsigned fired = filch__timers_fire(&clockwork->timers, now_ns), seen = 0;
    int64_t at_ns = INT64_MIN;
    uint64_t order = 0;
    for (struct entry *entry; (entry = entry_fired(clockwork)) != NULL; seen++) {
        check(entry->at_ns <= now_ns);
        check(entry->at_ns >= at_ns);
        if (entry->at_ns == at_ns) check(entry->order > order);
        at_ns = entry->at_ns;
        order = entry->order;
    }
    check_int(seen, fired);
    return fired;
}

TEST(timer, equal_times_fire_in_the_order_set) {
    enum { COUNT = 50 };
    static struct entry entries[COUNT];
    struct clockwork clockwork;
    clockwork_make(&clockwork);
    for (uint64_t i = 0; i < COUNT; i++) entry_set(&clockwork, &entries[i], 7, i);
    check_int(fire(&clockwork, 6), 0);
    check_int(fire(&clockwork, 7), COUNT);
    clockwork_end(&clockwork);
}

TEST(timer, a_removed_timer_is_gone_and_removing_twice_is_nothing) {
    static struct entry entries[3];
    for (int removed = 0; removed < 3; removed++) {
        struct clockwork clockwork;
        clockwork_make(&clockwork);
        for (uint64_t i = 0; i < 3; i++) entry_set(&clockwork, &entries[i], (int64_t)(10 * i), i);
        filch__timer_remove(&clockwork.timers, &entries[removed].timer);
        entries[removed].set = false;
        filch__timer_remove(&clockwork.timers, &entries[removed].timer);
        check_int(filch__timers_earliest(&clockwork.timers), removed == 0 ? 10 : 0);
        check_int(fire(&clockwork, 100), 2);
        check_int(entries[removed].waiter.own & WAITER_BITS, WAIT_WORD | WAITER_PARKED);
        for (int i = 0; i < 3; i++) filch__timer_remove(&clockwork.timers, &entries[i].timer); /* all have fired */
        clockwork_end(&clockwork);
    }
}

/* How many entries are due at `now_ns`, and the earliest of all: by going through them. */
static unsigned model_due(const struct entry *entries, size_t count, int64_t now_ns, int64_t *earliest_ns) {
    unsigned due = 0;
    *earliest_ns = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        if (!entries[i].set) continue;
        if (entries[i].at_ns <= now_ns) due++;
        if (entries[i].at_ns < *earliest_ns) *earliest_ns = entries[i].at_ns;
    }
    return due;
}

TEST(timer, fires_what_a_list_would_under_random_setting_removing_and_passing_of_time) {
    enum { COUNT = 200, STEPS = 100000 };
    struct filch__random random = racing_random("timer model");
    static struct entry entries[COUNT];
    struct clockwork clockwork;
    clockwork_make(&clockwork);
    int64_t now_ns = 1000, earliest_ns;
    for (uint64_t step = 0; step < STEPS / RACING_SCALE; step++) {
        struct entry *entry = &entries[racing_below(&random, COUNT)];
        uint32_t kind = racing_below(&random, 100);
        if (kind < 90 && !entry->set) {
            entry_set(&clockwork, entry, now_ns - 2 + racing_below(&random, 60), step);
        } else if (kind < 60) {
            filch__timer_remove(&clockwork.timers, &entry->timer);
            entry->set = false;
        } else if (kind >= 90) {
            now_ns += racing_below(&random, 8);
            unsigned due = model_due(entries, COUNT, now_ns, &earliest_ns);
            check_int(fire(&clockwork, now_ns), due);
        }
        unsigned due = model_due(entries, COUNT, INT64_MAX, &earliest_ns);
        check_int(clockwork.timers.count, due);
        check_int(filch__timers_earliest(&clockwork.timers), earliest_ns);
    }
    fire(&clockwork, INT64_MAX - 1);
    clockwork_end(&clockwork);
}

TEST(timer, a_hundred_thousand_fire_in_order_half_of_them_removed_first) {
    enum { COUNT = 100000 };
    struct filch__random random = racing_random("timers, many");
    struct entry *entries = entries_make(COUNT);
    check(entries != NULL);
    struct clockwork clockwork;
    clockwork_make(&clockwork);
    for (int removes = 0; removes < 2; removes++) {
        for (uint64_t i = 0; i < COUNT; i++) entry_set(&clockwork, &entries[i], racing_below(&random, COUNT / 4), i);
        for (uint64_t i = 0; removes && i < COUNT; i += 2) {
            filch__timer_remove(&clockwork.timers, &entries[i].timer);
            entries[i].set = false;
        }
        unsigned fired = 0;
        for (int64_t now_ns = 0; now_ns < COUNT / 4; now_ns += 1000) fired += fire(&clockwork, now_ns);
        fired += fire(&clockwork, COUNT);
        check_int(fired, removes ? COUNT / 2 : COUNT);
    }
    clockwork_end(&clockwork);
    free(entries);
}

/* --------------------------------------------------------------------------------------------------------- races */

struct race {
    struct clockwork clockwork;
    struct entry *entries;
    uint64_t count;
    ATOMIC(int64_t) now_ns;
    ATOMIC(uint32_t) done;
};

static void *remove_at_random(void *argument) {
    struct race *race = argument;
    struct filch__random random;
    filch__random_init(&random, 5, 0);
    while (!load_acquire(&race->done)) {
        struct entry *entry = &race->entries[racing_below(&random, (uint32_t)race->count)];
        filch__timer_remove(&race->clockwork.timers, &entry->timer);
        /* Removed, or fired: either way nobody touches it any more, so its state stands still. */
        uintptr_t word = load_acquire(&entry->waiter.own);
        check((word & WAITER_CAUSES) == 0 || (word & WAITER_CAUSES) == WAITER_EXPIRED);
        check(load_acquire(&entry->waiter.own) == word);
    }
    return NULL;
}

TEST(timer, removal_may_race_with_firing) {
    struct race race = {.count = 20000 / RACING_SCALE};
    race.entries = entries_make(race.count);
    check(race.entries != NULL);
    clockwork_make(&race.clockwork);
    for (uint64_t i = 0; i < race.count; i++) {
        entry_set(&race.clockwork, &race.entries[i], (int64_t)(i * 7919 % race.count), i);
    }
    struct racing_threads racing;
    racing_start(&racing, 2, remove_at_random, &race);
    for (int64_t now_ns = 0; now_ns <= (int64_t)race.count; now_ns += 5) fire(&race.clockwork, now_ns);
    store_release(&race.done, 1);
    racing_join(&racing);
    clockwork_end(&race.clockwork);
    free(race.entries);
}
