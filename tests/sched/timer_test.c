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
    check_int(entry->timer.state, TIMER_OFF);
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

/* What is told of the earliest is never later than it, and the more thorough answer never the earlier of the two. */
static void check_earliest(struct clockwork *clockwork, int64_t earliest_ns) {
    int64_t hint_ns = filch__timers_earliest(&clockwork->timers);
    int64_t until_ns = filch__timers_sleep_until(&clockwork->timers);
    check(hint_ns <= until_ns);
    check(until_ns <= earliest_ns);
    check((hint_ns == INT64_MAX) == (earliest_ns == INT64_MAX));
}

/* A time up to some 2^`bits` ns after `now_ns`, or sometimes a little before it. */
static int64_t time_about(struct filch__random *random, int64_t now_ns, unsigned bits) {
    int64_t after_ns = (int64_t)(filch__random_next(random) >> (64 - bits));
    if (after_ns > INT64_MAX - 1 - now_ns) return INT64_MAX - 1;
    return now_ns + after_ns - racing_below(random, 3);
}

/* `spread` bits is how far apart times are, `stride` bits how far the time passes at once. */
static void follow_the_model(struct filch__random *random, uint64_t steps, unsigned spread, unsigned stride) {
    enum { COUNT = 200 };
    static struct entry entries[COUNT];
    memset(entries, 0, sizeof entries);
    struct clockwork clockwork;
    clockwork_make(&clockwork);
    int64_t now_ns = 1000, earliest_ns;
    for (uint64_t step = 0; step < steps; step++) {
        struct entry *entry = &entries[racing_below(random, COUNT)];
        uint32_t kind = racing_below(random, 100);
        if (kind < 90 && !entry->set) {
            entry_set(&clockwork, entry, time_about(random, now_ns, 1 + racing_below(random, spread)), step);
        } else if (kind < 60) {
            filch__timer_remove(&clockwork.timers, &entry->timer);
            entry->set = false;
        } else if (kind >= 90) {
            int64_t then_ns = time_about(random, now_ns, 1 + racing_below(random, stride));
            if (then_ns > now_ns) now_ns = then_ns;
            if (kind >= 95) filch__timers_saw(&clockwork.timers, now_ns);
            unsigned due = model_due(entries, COUNT, now_ns, &earliest_ns);
            check_int(fire(&clockwork, now_ns), due);
        }
        unsigned due = model_due(entries, COUNT, INT64_MAX, &earliest_ns);
        check_int(clockwork.timers.count, due);
        check_earliest(&clockwork, earliest_ns);
    }
    fire(&clockwork, INT64_MAX - 1);
    clockwork_end(&clockwork);
}

TEST(timer, fires_what_a_list_would_under_random_setting_removing_and_passing_of_time) {
    struct filch__random random = racing_random("timer model");
    follow_the_model(&random, 50000 / RACING_SCALE, 6, 3);
    for (unsigned spread = 8; spread <= 62; spread += 3) {
        for (unsigned stride = spread < 20 ? 4 : spread - 16; stride <= spread; stride += 4) {
            follow_the_model(&random, 3000 / RACING_SCALE, spread, stride);
        }
    }
}

TEST(timer, any_time_is_right_past_or_far) {
    static const int64_t times_ns[] = {INT64_MIN + 1, -1, 0, 1, INT64_MAX / 2, INT64_MAX - 1};
    enum { COUNT = sizeof times_ns / sizeof *times_ns };
    static struct entry entries[COUNT + 1];
    for (int seen = 0; seen < 2; seen++) {
        struct clockwork clockwork;
        clockwork_make(&clockwork);
        if (seen) filch__timers_saw(&clockwork.timers, INT64_MAX / 4);
        for (uint64_t i = 0; i < COUNT; i++) entry_set(&clockwork, &entries[i], times_ns[i], i);
        entry_set(&clockwork, &entries[COUNT], INT64_MAX, COUNT); /* never */
        check_int(fire(&clockwork, -2), 1);
        check_int(fire(&clockwork, -1), 1);
        check_int(fire(&clockwork, 0), 1);
        check_int(fire(&clockwork, INT64_MAX / 2 - 1), 1);
        check_int(fire(&clockwork, INT64_MAX / 2), 1);
        check_int(fire(&clockwork, INT64_MAX - 2), 0);
        check_int(fire(&clockwork, 5), 0); /* as if the time went back */
        check_int(fire(&clockwork, INT64_MAX - 1), 1);
        filch__timer_remove(&clockwork.timers, &entries[COUNT].timer);
        entries[COUNT].set = false;
        clockwork_end(&clockwork);
    }
}

TEST(timer, who_sleeps_for_one_that_is_alone_wakes_once) {
    static struct entry entry;
    struct filch__random random = racing_random("timer alone");
    int64_t now_ns = 0;
    struct clockwork clockwork;
    clockwork_make(&clockwork);
    for (unsigned bits = 1; bits < 58; bits++) {
        int64_t at_ns = now_ns + 1 + (int64_t)(filch__random_next(&random) >> (64 - bits));
        entry_set(&clockwork, &entry, at_ns, bits);
        check_int(filch__timers_sleep_until(&clockwork.timers), at_ns);
        check_int(fire(&clockwork, at_ns - 1), 0);
        check_int(filch__timers_sleep_until(&clockwork.timers), at_ns);
        check_int(fire(&clockwork, at_ns), 1);
        now_ns = at_ns;
    }
    clockwork_end(&clockwork);
}

TEST(timer, who_sleeps_for_many_wakes_once_more_for_each_level_at_most) {
    enum { COUNT = 1000 };
    static struct entry entries[COUNT];
    struct filch__random random = racing_random("timer wakes");
    struct clockwork clockwork;
    clockwork_make(&clockwork);
    int64_t base_ns = INT64_C(3600000000000);
    /* All in one slot of each level that they pass. */
    for (uint64_t i = 0; i < COUNT; i++) entry_set(&clockwork, &entries[i], base_ns + racing_below(&random, 1000), i);
    unsigned wakes = 0, fired = 0;
    while (fired < COUNT) {
        int64_t until_ns = filch__timers_sleep_until(&clockwork.timers);
        check(until_ns <= base_ns + 1000);
        unsigned count = fire(&clockwork, until_ns);
        if (fired == 0) wakes++;
        fired += count;
    }
    check(wakes <= TIMER_LEVELS + 1);
    clockwork_end(&clockwork);
}

/* How many are in slots that last longer than a tick: they are still to be moved. */
static unsigned in_long_slots(const struct entry *entries, size_t count) {
    unsigned found = 0;
    for (size_t i = 0; i < count; i++) {
        const struct filch__timer *timer = &entries[i].timer;
        if (timer->state != TIMER_SET || timer->place < TIMER_SLOTS * TIMER_LANES) continue;
        found += timer->place < TIMER_LEVELS * TIMER_SLOTS * TIMER_LANES; /* else it is in the heap */
    }
    return found;
}

/* Removes one that stands first in what is left of the slot that begins next, of those that last longer than a tick. */
static bool remove_one_of_the_crowd(struct clockwork *clockwork) {
    struct filch__timers *timers = &clockwork->timers;
    uint64_t next = (timers->tick >> TIMER_DIGIT_BITS) + 1;
    for (unsigned lane = 0; lane < TIMER_LANES; lane++) {
        struct filch__timer *timer = timers->slots[TIMER_SLOTS + next % TIMER_SLOTS][lane];
        if (timer == NULL) continue;
        filch__timer_remove(timers, timer);
        ((struct entry *)(void *)timer)->set = false;
        return true;
    }
    return false;
}

static unsigned due_by(const struct entry *entries, size_t count, int64_t now_ns) {
    int64_t earliest_ns;
    return model_due(entries, count, now_ns, &earliest_ns);
}

/*
 * Timers that are due one after the other, 8 in a tick, are fired every `ticks` ticks. Those of a slot are moved before it
 * begins, so many for each 64 that are due, and one more time.
 */
static void follow_a_crowd(int64_t ticks) {
    enum { COUNT = 8000, IN_A_TICK = 8, FIRED_AT_ONCE = 64, MOVED_AT_ONCE = 96 };
    const int64_t tick_ns = INT64_C(1) << TIMER_TICK_BITS, base_ns = 3 * tick_ns << TIMER_DIGIT_BITS;
    struct entry *entries = entries_make(COUNT);
    check(entries != NULL);
    struct clockwork clockwork;
    clockwork_make(&clockwork);
    for (uint64_t i = 0; i < COUNT; i++) {
        entry_set(&clockwork, &entries[i], base_ns + (int64_t)i * tick_ns / IN_A_TICK, i);
    }
    fire(&clockwork, base_ns); /* the first slot of all began at once */
    unsigned before = in_long_slots(entries, COUNT), removed = 0;
    check(before > COUNT / 2);
    for (int64_t now_ns = base_ns + ticks * tick_ns; clockwork.timers.count > 0; now_ns += ticks * tick_ns) {
        unsigned due = due_by(entries, COUNT, now_ns);
        check_int(fire(&clockwork, now_ns), due);
        unsigned after = in_long_slots(entries, COUNT);
        check(before - after <= (due / FIRED_AT_ONCE + 1) * MOVED_AT_ONCE);
        bool one = remove_one_of_the_crowd(&clockwork);
        before = after - one;
        removed += one;
    }
    check(removed > COUNT / IN_A_TICK / ticks / 20);
    clockwork_end(&clockwork);
    free(entries);
}

TEST(timer, a_crowd_is_moved_before_its_time_a_few_at_each_firing) {
    follow_a_crowd(1);
    follow_a_crowd(5);
    follow_a_crowd(16);
}

TEST(timer, a_million_fire_in_order) {
    enum { COUNT = 1000000 };
    uint64_t count = COUNT / RACING_SCALE;
    struct filch__random random = racing_random("timers, a million");
    struct entry *entries = entries_make(count);
    check(entries != NULL);
    struct clockwork clockwork;
    clockwork_make(&clockwork);
    for (int together = 0; together < 2; together++) {
        for (uint64_t i = 0; i < count; i++) {
            int64_t at_ns = together ? 30000000000 : (int64_t)racing_below(&random, 2000000000) * 10;
            entry_set(&clockwork, &entries[i], at_ns, i);
        }
        uint64_t fired = 0;
        for (int64_t now_ns = 0; now_ns <= 30000000000; now_ns += 1000000) fired += fire(&clockwork, now_ns);
        check_int(fired, count);
        if (together) break;
        filch__timers_init(&clockwork.timers);
    }
    clockwork_end(&clockwork);
    free(entries);
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
        entry_set(&race.clockwork, &race.entries[i], (int64_t)(i * 7919 % race.count) * 10000, i);
    }
    struct racing_threads racing;
    racing_start(&racing, 2, remove_at_random, &race);
    for (int64_t now_ns = 0; now_ns <= (int64_t)race.count * 10000; now_ns += 50000) fire(&race.clockwork, now_ns);
    store_release(&race.done, 1);
    racing_join(&racing);
    clockwork_end(&race.clockwork);
    free(race.entries);
}

/* Set and removed by their owners, one of two threads each, and fired by two more. */
struct called {
    struct filch__timer timer; /* first */
    ATOMIC(uint32_t) calls;
};

struct relay {
    struct filch__timers timers;
    ATOMIC(int64_t) now_ns;
    ATOMIC(uint32_t) setting;
};

static void count_call(struct filch__timer *timer) {
    add_relaxed(&((struct called *)(void *)timer)->calls, 1); /* FIRED carries it */
}

static void *fire_on_and_on(void *argument) {
    struct relay *relay = argument;
    while (load_acquire(&relay->setting) > 0) {
        filch__timers_fire(&relay->timers, add_acq_rel(&relay->now_ns, 20000) + 20000);
    }
    return NULL;
}

static void *set_and_remove(void *argument) {
    enum { COUNT = 32, ROUNDS = 200000 };
    struct relay *relay = argument;
    struct called called[COUNT];
    bool set[COUNT] = {false};
    struct filch__random random;
    filch__random_init(&random, filch__random_seed(), 0);
    memset(called, 0, sizeof called);
    for (unsigned round = 0; round < ROUNDS / RACING_SCALE; round++) {
        unsigned i = racing_below(&random, COUNT);
        if (!set[i]) {
            called[i].calls = 0; /* the owner's alone now */
            int64_t at_ns = load_acquire(&relay->now_ns) + (int64_t)(filch__random_next(&random) >> (38 + i % 16));
            filch__timer_set_call(&relay->timers, &called[i].timer, count_call, at_ns);
        } else {
            bool removed = filch__timer_try_remove(&relay->timers, &called[i].timer);
            filch__timer_remove(&relay->timers, &called[i].timer);
            check_int(load_acquire(&called[i].calls), removed ? 0 : 1);
            memset(&called[i].timer, 0x5a, sizeof called[i].timer); /* nobody minds */
        }
        set[i] = !set[i];
    }
    for (unsigned i = 0; i < COUNT; i++) {
        if (set[i]) filch__timer_remove(&relay->timers, &called[i].timer);
    }
    add_acq_rel(&relay->setting, (uint32_t)-1);
    return NULL;
}

TEST(timer, each_is_fired_once_or_removed_whoever_sets_removes_and_fires) {
    static struct relay relay;
    filch__timers_init(&relay.timers);
    relay.setting = 2;
    struct racing_threads setters, firers;
    racing_start(&setters, 2, set_and_remove, &relay);
    racing_start(&firers, 2, fire_on_and_on, &relay);
    racing_join(&setters);
    racing_join(&firers);
    check_int(relay.timers.count, 0);
    check(filch__timers_earliest(&relay.timers) == INT64_MAX);
}
