/* SPDX-License-Identifier: MIT */
/*
 * A record is with one user at a time whichever caches and threads it goes through, records are reused before memory
 * is asked for, and a depot without memory says so and loses nothing.
 */
#include "alloc/slab.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/heap.h"
#include "base/random.h"
#include "tests/test.h"

struct record {
    void *link;
    ATOMIC(uint64_t) owner; /* 0: nobody */
    char rest[48];
};

static int count_record(void *record, void *argument) {
    (void)record;
    ++*(size_t *)argument;
    return 0;
}

static size_t records_of(struct filch__slab_depot *depot) {
    size_t count = 0;
    check_int(filch__slab_each(depot, count_record, &count), 0);
    return count;
}

/* ---------------------------------------------------------------------------------------------------------- model */

#define HELD_MAX 3000

/* Takes and gives at random through two caches and the depot; no record may be handed out twice. */
TEST(slab, random_use_matches_a_set) {
    static struct record *held[HELD_MAX];
    struct filch__slab_depot depot;
    struct filch__slab_cache caches[2];
    struct filch__random random;
    size_t count = 0, peak = 0;
    filch__random_init(&random, 7, 0);
    filch__slab_depot_init(&depot, sizeof(struct record));
    for (int i = 0; i < 2; i++) filch__slab_cache_init(&caches[i], &depot);
    for (int turn = 0; turn < 400000; turn++) {
        uint64_t draw = filch__random_next(&random);
        unsigned way = draw % 8;
        bool growing = turn / 20000 % 2 == 0, take = (draw >> 8) % 100 < (growing ? 60 : 40);
        if (take && count < HELD_MAX) {
            struct record *record = way == 0 ? filch__slab_depot_get(&depot) : filch__slab_cache_get(&caches[way % 2]);
            check(record != NULL && record->owner == 0);
            check_int((uintptr_t)record % 64, 0);
            record->owner = 1;
            held[count++] = record;
        } else if (!take && count > 0) {
            size_t at = (draw >> 16) % count;
            struct record *record = held[at];
            held[at] = held[--count];
            check_int(record->owner, 1);
            record->owner = 0;
            if (way == 0) {
                filch__slab_depot_put(&depot, record);
            } else {
                filch__slab_cache_put(&caches[way % 2], record);
            }
        }
        if (count > peak) peak = count;
    }
    /* What lies in caches and the rest of a slab is all that may have been made beyond the peak. */
    check(records_of(&depot) <= peak + 4 * FILCH__SLAB_BATCH + depot.slab_records);
    for (int i = 0; i < 2; i++) filch__slab_cache_drain(&caches[i]);
    filch__slab_depot_fini(&depot);
    check_int(filch__heap_objects(), 0);
}

TEST(slab, all_sizes_are_aligned_and_do_not_overlap) {
    static const size_t sizes[] = {16, 32, 48, 64, 96, 128, 512, 4096, 20000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct filch__slab_depot depot;
        struct filch__slab_cache cache;
        char *records[300];
        size_t align = sizes[i] & -sizes[i];
        filch__slab_depot_init(&depot, sizes[i]);
        filch__slab_cache_init(&cache, &depot);
        for (int j = 0; j < 300; j++) {
            records[j] = filch__slab_cache_get(&cache);
            check(records[j] != NULL);
            check_int((uintptr_t)records[j] % (align > 64 ? 64 : align), 0);
            for (size_t byte = sizeof(void *); byte < sizes[i]; byte++) check_int(records[j][byte], 0);
            memset(records[j], j % 127 + 1, sizes[i]);
        }
        for (int j = 0; j < 300; j++) {
            for (size_t byte = 0; byte < sizes[i]; byte += 7) check_int(records[j][byte], j % 127 + 1);
            filch__slab_cache_put(&cache, records[j]);
        }
        filch__slab_cache_drain(&cache);
        filch__slab_depot_fini(&depot);
    }
    check_int(filch__heap_objects(), 0);
}

TEST(slab, records_are_reused_before_memory_is_asked_for) {
    struct filch__slab_depot depot;
    struct filch__slab_cache cache;
    static void *records[5000];
    filch__slab_depot_init(&depot, 64);
    filch__slab_cache_init(&cache, &depot);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 5000; i++) check((records[i] = filch__slab_cache_get(&cache)) != NULL);
        for (int i = 0; i < 5000; i++) filch__slab_cache_put(&cache, records[i]);
        if (round == 0) filch__alloc_fail(1, true);
    }
    check_int(filch__alloc_requests(), 0);
    filch__alloc_fail(0, false);
    filch__slab_cache_drain(&cache);
    filch__slab_depot_fini(&depot);
}

/* ---------------------------------------------------------------------------------------------------- conservation */

#define THREADS 4
#define PASSED 64

/* Records pass from thread to thread through these, so that most are given to another cache than they came from. */
static struct {
    pthread_mutex_t lock;
    struct record *records[PASSED];
} passed = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct filch__slab_depot shared;
static ATOMIC(bool) visiting;

static struct record *pass(struct record *record, unsigned at) {
    pthread_mutex_lock(&passed.lock);
    struct record *other = passed.records[at];
    passed.records[at] = record;
    pthread_mutex_unlock(&passed.lock);
    return other;
}

static void *use(void *argument) {
    uint64_t self = (uint64_t)(uintptr_t)argument;
    struct filch__slab_cache cache;
    struct filch__random random;
    filch__random_init(&random, 1, self);
    filch__slab_cache_init(&cache, &shared);
    for (int i = 0; i < 50000; i++) {
        uint64_t draw = filch__random_next(&random);
        bool direct = draw % 16 == 0;
        struct record *record = direct ? filch__slab_depot_get(&shared) : filch__slab_cache_get(&cache);
        check(record != NULL);
        check_int(load_relaxed(&record->owner), 0);
        store_relaxed(&record->owner, self);
        memset(record->rest, (int)self, sizeof record->rest);
        record = pass(record, (unsigned)(draw >> 8) % PASSED);
        if (record == NULL) continue;
        check(record->rest[0] == (char)load_relaxed(&record->owner));
        store_relaxed(&record->owner, 0);
        if (draw % 32 == 1) {
            filch__slab_depot_put(&shared, record);
        } else {
            filch__slab_cache_put(&cache, record);
        }
    }
    filch__slab_cache_drain(&cache);
    return NULL;
}

static int look(void *record, void *argument) {
    check(load_relaxed(&((struct record *)record)->owner) <= THREADS);
    ++*(size_t *)argument;
    return 0;
}

static void *visit(void *argument) {
    (void)argument;
    for (size_t before = 0, count; load_relaxed(&visiting); before = count) {
        count = 0;
        filch__slab_each(&shared, look, &count);
        check(count >= before);
    }
    return NULL;
}

TEST(slab, racing_threads_lose_no_record_and_share_none) {
    pthread_t threads[THREADS], visitor;
    filch__slab_depot_init(&shared, sizeof(struct record));
    visiting = true;
    check_int(pthread_create(&visitor, NULL, visit, NULL), 0);
    for (uintptr_t i = 0; i < THREADS; i++) check_int(pthread_create(&threads[i], NULL, use, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    store_relaxed(&visiting, false);
    pthread_join(visitor, NULL);
    for (unsigned i = 0; i < PASSED; i++) {
        if (passed.records[i] != NULL) filch__slab_depot_put(&shared, pass(NULL, i));
    }
    /* All of them can be taken once more, without new memory, and then there is none. */
    size_t all = records_of(&shared), taken = 0;
    filch__alloc_fail(1, true);
    for (struct record *record; (record = filch__slab_depot_get(&shared)) != NULL; taken++) {
        check(record->rest[0] <= THREADS);
        record->rest[0] = 100;
    }
    check_int(taken, all);
    filch__alloc_fail(0, false);
    filch__slab_depot_fini(&shared);
    check_int(filch__heap_objects(), 0);
}

static int stop_at_third(void *record, void *argument) {
    (void)record;
    return ++*(int *)argument == 3 ? -77 : 0;
}

TEST(slab, a_visit_ends_when_it_is_told_to) {
    struct filch__slab_depot depot;
    int count = 0;
    filch__slab_depot_init(&depot, 64);
    check_int(filch__slab_each(&depot, stop_at_third, &count), 0);
    filch__slab_depot_put(&depot, filch__slab_depot_get(&depot));
    check_int(filch__slab_each(&depot, stop_at_third, &count), -77);
    check_int(count, 3);
    filch__slab_depot_fini(&depot);
}

/* ------------------------------------------------------------------------------------------------------ exhaustion */

/* Takes 5,000 records, gives them back; says whether memory was enough. */
static bool fill(uint64_t fail_at) {
    struct filch__slab_depot depot;
    struct filch__slab_cache cache;
    struct filch__slab_free *held = NULL, *next;
    bool whole = true;
    filch__alloc_fail(fail_at, false);
    filch__slab_depot_init(&depot, 64);
    filch__slab_cache_init(&cache, &depot);
    for (int i = 0; i < 5000; i++) {
        struct filch__slab_free *record = filch__slab_cache_get(&cache);
        if (record == NULL) {
            whole = false;
            continue;
        }
        record->next = held;
        held = record;
    }
    for (; held != NULL; held = next) {
        next = held->next;
        filch__slab_cache_put(&cache, held);
    }
    filch__slab_cache_drain(&cache);
    filch__slab_depot_fini(&depot);
    check_int(filch__heap_objects(), 0);
    return whole;
}

TEST(slab, each_failing_request_is_survived) {
    uint64_t n = 1;
    while (!fill(n)) n++;
    check(n >= 5); /* a slab holds some 1,000 */
    filch__alloc_fail(0, false);
}
