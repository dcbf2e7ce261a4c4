/* SPDX-License-Identifier: MIT */
/*
 * Proves that parallel loops, reductions and sets of calls do each index and each call exactly once, in parts no longer
 * than the grain, combine in order, report the failure that the header promises, and refuse bad arguments; from tasks
 * with 1 to 64 workers, nested, and outside of tasks.
 */
#include <errno.h>
#include <filch/filch.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

static const unsigned worker_counts[] = {1, 2, 4, 8, 64};
#define WORKER_COUNTS (sizeof(worker_counts) / sizeof(worker_counts[0]))

/* Runs `fn` outside of tasks, and as the main task of runtimes of all sizes. Checks in it end the process. */
static void everywhere(filch_fn *fn) {
    check_int(fn(NULL), 0);
    for (size_t i = 0; i < WORKER_COUNTS; i++) {
        filch_options options = {.workers = worker_counts[i], .seed = 1};
        check_int(filch_run(fn, NULL, &options), 0);
    }
}

/* Keeps the compiler from dropping a loop of `count` turns. */
static void spend(int64_t count) {
    for (int64_t i = 0; i < count; i++) __asm__ volatile("");
}

/* ------------------------------------------------------------------------------------------------------ coverage */

/* The model: how often each index of [first, first + COVER_MAX) was seen. */
#define COVER_MAX 5000
struct cover {
    int64_t first, last, grain;
    atomic_uint seen[COVER_MAX];
    atomic_llong parts;
};

static int cover_part(int64_t first, int64_t last, void *arg) {
    struct cover *cover = arg;
    check(first >= cover->first && first < last && last <= cover->last);
    if (cover->grain > 0) check(last - first <= cover->grain);
    atomic_fetch_add(&cover->parts, 1);
    for (int64_t i = first; i < last; i++) {
        atomic_fetch_add(&cover->seen[i - cover->first], 1);
        if (i % 512 == 0) spend(20000);
    }
    return 0;
}

static void check_cover(int64_t first, int64_t count, int64_t grain) {
    struct cover *cover = calloc(1, sizeof(*cover));
    check(cover != NULL);
    cover->first = first;
    cover->last = first + count;
    cover->grain = grain;
    check_int(filch_parallel_for(first, first + count, grain, cover_part, cover), 0);
    for (int64_t i = 0; i < COVER_MAX; i++) check_int(cover->seen[i], i < count);
    if (grain > 0) check(cover->parts >= (count > 0 ? (count - 1) / grain + 1 : 0));
    free(cover);
}

static int cover_many(void *arg) {
    (void)arg;
    static const int64_t counts[] = {0, 1, 2, 3, 7, 64, 1000, COVER_MAX};
    static const int64_t grains[] = {0, 1, 2, 3, 10, 64, 999, COVER_MAX, INT64_MAX};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (size_t j = 0; j < sizeof(grains) / sizeof(grains[0]); j++) {
            check_cover(0, counts[i], grains[j]);
            check_cover(-counts[i] / 2, counts[i], grains[j]);
        }
    }
    check_cover(INT64_MIN, COVER_MAX, 0);
    check_cover(INT64_MIN, COVER_MAX, 7);
    check_cover(INT64_MAX - COVER_MAX, COVER_MAX, 0);
    check_cover(INT64_MAX - COVER_MAX, COVER_MAX, 7);
    return 0;
}

TEST(parallel, a_loop_does_each_index_exactly_once_in_parts_up_to_the_grain) {
    everywhere(cover_many);
}

static int never_called(int64_t first, int64_t last, void *arg) {
    (void)first, (void)last, (void)arg;
    check(!"called");
    return 0;
}

static int loop_over_nothing(void *arg) {
    (void)arg;
    check_int(filch_parallel_for(5, 5, 0, never_called, NULL), 0);
    check_int(filch_parallel_for(6, 5, 1, never_called, NULL), 0);
    check_int(filch_parallel_for(INT64_MAX, INT64_MIN, 0, never_called, NULL), 0);
    return 0;
}

TEST(parallel, an_empty_or_reversed_range_calls_nothing) {
    everywhere(loop_over_nothing);
}

/* Adds up lengths, and index sums modulo 2^64: a part lost, doubled or shifted changes one of them. */
struct total {
    _Atomic uint64_t length, sum;
};

static int total_part(int64_t first, int64_t last, void *arg) {
    struct total *total = arg;
    check(first < last);
    uint64_t length = (uint64_t)last - (uint64_t)first;
    /* Length times the mean of the ends: of length and twice the mean, one is even. */
    uint64_t sum = length % 2 == 0 ? length / 2 * ((uint64_t)first + (uint64_t)last - 1)
                                   : length * ((uint64_t)first + (length - 1) / 2);
    atomic_fetch_add(&total->length, length);
    atomic_fetch_add(&total->sum, sum);
    return 0;
}

static void check_total(int64_t first, int64_t last, int64_t grain) {
    struct total actual = {0}, expected = {0};
    check_int(total_part(first, last, &expected), 0);
    check_int(filch_parallel_for(first, last, grain, total_part, &actual), 0);
    check(actual.length == expected.length);
    check(actual.sum == expected.sum);
}

static int loop_over_extremes(void *arg) {
    (void)arg;
    static const int64_t grains[] = {0, INT64_MAX, INT64_MAX / 2, (int64_t)1 << 54};
    for (size_t i = 0; i < sizeof(grains) / sizeof(grains[0]); i++) {
        check_total(INT64_MIN, INT64_MAX, grains[i]);
        check_total(INT64_MIN, 0, grains[i]);
        check_total(0, INT64_MAX, grains[i]);
        check_total(INT64_MIN, INT64_MIN + 1, grains[i]);
        check_total(INT64_MAX - 1, INT64_MAX, grains[i]);
    }
    return 0;
}

TEST(parallel, ranges_longer_than_int64_max_are_covered) {
    everywhere(loop_over_extremes);
}

/* -------------------------------------------------------------------------------------------------------- errors */

static int fail_at_some(int64_t first, int64_t last, void *arg) {
    const int64_t *failing = arg;
    for (int64_t i = first; i < last; i++) {
        if (i % 64 == 0) spend(5000);
        for (size_t k = 0; failing[k] >= 0; k++) {
            if (failing[k] == i) return (int)(i + 1);
        }
    }
    return 0;
}

static int loop_that_fails(void *arg) {
    (void)arg;
    static const int64_t grains[] = {0, 1, 100};
    for (size_t i = 0; i < sizeof(grains) / sizeof(grains[0]); i++) {
        for (int64_t at = 0; at < 1000; at += 37) {
            int64_t failing[] = {at, -1};
            check_int(filch_parallel_for(0, 1000, grains[i], fail_at_some, failing), at + 1);
        }
        /* Of two failures one is reported, and never anything else. */
        int64_t failing[] = {100, 900, -1};
        int result = filch_parallel_for(0, 1000, grains[i], fail_at_some, failing);
        check(result == 101 || result == 901);
    }
    return 0;
}

TEST(parallel, a_loop_returns_the_failure_of_its_part) {
    everywhere(loop_that_fails);
}

/* All parts run and fail: then the lowest index decides. Two parts that meet, so that neither is left out. */
struct meeting {
    atomic_int arrived;
    unsigned workers;
};

static int fail_together(int64_t first, int64_t last, void *arg) {
    struct meeting *meeting = arg;
    (void)last;
    atomic_fetch_add(&meeting->arrived, 1);
    /* With one worker the parts come one after the other, and the second is left out: nothing to wait for. */
    int64_t until = filch_now() + FILCH_MS(meeting->workers > 1 ? 200 : 0);
    while (atomic_load(&meeting->arrived) < 2 && filch_now() < until) spend(100);
    if (first == 0) spend(2000000);
    return -(int)(first + 1);
}

static int loop_that_fails_twice(void *arg) {
    struct meeting *meeting = arg;
    for (int i = 0; i < 3; i++) {
        atomic_store(&meeting->arrived, 0);
        int result = filch_parallel_for(0, 2, 1, fail_together, meeting);
        if (atomic_load(&meeting->arrived) == 2) check_int(result, -1);
        check(result == -1 || result == -2);
    }
    return 0;
}

TEST(parallel, of_two_failures_that_both_ran_the_lower_index_is_returned) {
    for (size_t i = 0; i < WORKER_COUNTS; i++) {
        struct meeting meeting = {.workers = worker_counts[i]};
        filch_options options = {.workers = worker_counts[i]};
        check_int(filch_run(loop_that_fails_twice, &meeting, &options), 0);
    }
}

static int fail_first(int64_t first, int64_t last, void *arg) {
    (void)last;
    atomic_fetch_add((atomic_llong *)arg, 1);
    return first == 0 ? -EIO : 0;
}

TEST(parallel, outside_of_tasks_nothing_runs_after_a_failure) {
    atomic_llong parts = 0;
    check_int(filch_parallel_for(0, 1000000, 1, fail_first, &parts), -EIO);
    check_int(parts, 1);
}

static int loop_with_bad_arguments(void *arg) {
    (void)arg;
    check_int(filch_parallel_for(0, 1, 0, NULL, NULL), -EINVAL);
    check_int(filch_parallel_for(0, 0, 0, NULL, NULL), -EINVAL);
    check_int(filch_parallel_for(0, 1, -1, never_called, NULL), -EINVAL);
    check_int(filch_parallel_for(0, 1, INT64_MIN, never_called, NULL), -EINVAL);
    return 0;
}

TEST(parallel, a_loop_refuses_bad_arguments) {
    everywhere(loop_with_bad_arguments);
}

/* ------------------------------------------------------------------------------------------------------- sharing */

static int outer_part(int64_t first, int64_t last, void *arg) {
    for (int64_t i = first; i < last; i++) {
        struct total total = {0};
        int result = filch_parallel_for(0, i, 0, total_part, &total);
        if (result != 0) return result;
        check(total.length == (uint64_t)i);
        atomic_fetch_add((_Atomic uint64_t *)arg, total.length);
    }
    return 0;
}

static int loop_in_loop(void *arg) {
    (void)arg;
    _Atomic uint64_t sum = 0;
    check_int(filch_parallel_for(1, 400, 0, outer_part, &sum), 0);
    check_int(sum, 399 * 400 / 2);
    return 0;
}

TEST(parallel, loops_nest) {
    everywhere(loop_in_loop);
}

/* Each index waits until another one is under way as well: ends only where two strands share the loop. */
static int wait_for_company(int64_t first, int64_t last, void *arg) {
    atomic_int *inside = arg;
    for (int64_t i = first; i < last; i++) {
        atomic_fetch_add(inside, 1);
        while (atomic_load(inside) < 2) filch_yield();
    }
    return 0;
}

static int loop_for_two(void *arg) {
    (void)arg;
    atomic_int inside = 0;
    check_int(filch_parallel_for(0, 2, 0, wait_for_company, &inside), 0);
    return 0;
}

TEST(parallel, two_workers_share_even_a_loop_of_two) {
    /* Not with one worker: a loop that nobody could help with is not split. */
    for (size_t i = 1; i < WORKER_COUNTS; i++) {
        filch_options options = {.workers = worker_counts[i]};
        check_int(filch_run(loop_for_two, NULL, &options), 0);
    }
}

/* ----------------------------------------------------------------------------------------------------- reduction */

/* x -> factor * x + offset, modulo 2^64. Composition is associative and not commutative. */
struct affine {
    uint64_t factor, offset;
};

static struct affine affine_of(int64_t i) {
    return (struct affine){2 * (uint64_t)i + 3, 7 * (uint64_t)i + 1};
}

/* First `a`, then `b`. */
static struct affine affine_then(struct affine a, struct affine b) {
    return (struct affine){a.factor * b.factor, a.offset * b.factor + b.offset};
}

static void affine_init(void *accumulator, void *arg) {
    (void)arg;
    *(struct affine *)accumulator = (struct affine){1, 0};
}

static int affine_body(int64_t first, int64_t last, void *accumulator, void *arg) {
    int64_t fails_at = arg == NULL ? INT64_MAX : *(int64_t *)arg;
    struct affine *result = accumulator;
    for (int64_t i = first; i < last; i++) {
        if (i == fails_at) return -EIO;
        if (i % 128 == 0) spend(5000);
        *result = affine_then(*result, affine_of(i));
    }
    return 0;
}

static void affine_combine(void *accumulator, const void *right, void *arg) {
    (void)arg;
    *(struct affine *)accumulator = affine_then(*(struct affine *)accumulator, *(const struct affine *)right);
}

static const filch_reduction affine_reduction = {sizeof(struct affine), affine_init, affine_body, affine_combine};

static int reduce_affine(void *arg) {
    (void)arg;
    static const int64_t grains[] = {0, 1, 64};
    for (size_t i = 0; i < sizeof(grains) / sizeof(grains[0]); i++) {
        for (int64_t count = 0; count < 3000; count = count * 3 + 1) {
            struct affine expected = {1, 0}, actual = {99, 99};
            check_int(affine_body(-5, count - 5, &expected, NULL), 0);
            int result = filch_parallel_reduce(-5, count - 5, grains[i], &affine_reduction, &actual, NULL);
            check_int(result, 0);
            check(actual.factor == expected.factor && actual.offset == expected.offset);
        }
        struct affine unused;
        int64_t fails_at = 1234;
        check_int(filch_parallel_reduce(0, 3000, grains[i], &affine_reduction, &unused, &fails_at), -EIO);
    }
    return 0;
}

TEST(parallel, a_reduction_combines_neighbours_in_order) {
    everywhere(reduce_affine);
}

/*
 * The parts themselves as a string of intervals: the accumulator keeps its ends and that all in between was whole. The
 * padding is written and read, so that accumulators that overlap are seen.
 */
struct interval {
    int64_t first, last;
    bool is_whole;
    unsigned char padding[4096 - 24];
};

static void interval_init(void *accumulator, void *arg) {
    struct interval *interval = accumulator;
    size_t size = *(size_t *)arg;
    memset(accumulator, 0x5a, size);
    interval->first = interval->last = 0;
    interval->is_whole = true;
}

static void interval_add(struct interval *interval, int64_t first, int64_t last) {
    if (first == last) return;
    if (interval->first == interval->last) interval->first = interval->last = first;
    interval->is_whole = interval->is_whole && interval->last == first;
    interval->last = last;
}

static void interval_check_padding(const struct interval *interval, size_t size) {
    size_t wrong = 0;
    for (size_t i = offsetof(struct interval, padding); i < size; i++) {
        wrong += ((const unsigned char *)interval)[i] != 0x5a;
    }
    check_int(wrong, 0);
}

static int interval_body(int64_t first, int64_t last, void *accumulator, void *arg) {
    interval_check_padding(accumulator, *(size_t *)arg);
    interval_add(accumulator, first, last);
    if (first % 16 == 0) spend(5000);
    return 0;
}

static void interval_combine(void *accumulator, const void *right, void *arg) {
    const struct interval *other = right;
    interval_check_padding(other, *(size_t *)arg);
    check(other->is_whole);
    interval_add(accumulator, other->first, other->last);
}

static int reduce_intervals(void *arg) {
    (void)arg;
    static size_t sizes[] = {32, 64, 65, 256, 1000, 4096};
    struct interval *result = malloc(sizeof(*result));
    check(result != NULL);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        filch_reduction reduction = {sizes[i], interval_init, interval_body, interval_combine};
        check_int(filch_parallel_reduce(1, 700, 1, &reduction, result, &sizes[i]), 0);
        check(result->first == 1 && result->last == 700 && result->is_whole);
    }
    /* Not with large ones: a body that takes long for one index is not given many. */
    filch_reduction reduction = {sizes[0], interval_init, interval_body, interval_combine};
    check_int(filch_parallel_reduce(INT64_MIN, INT64_MAX, 0, &reduction, result, &sizes[0]), 0);
    check(result->first == INT64_MIN && result->last == INT64_MAX && result->is_whole);
    free(result);
    return 0;
}

TEST(parallel, accumulators_of_all_sizes_are_apart) {
    everywhere(reduce_intervals);
}

static int reduce_with_bad_arguments(void *arg) {
    (void)arg;
    static char result[8192];
    const filch_reduction good = affine_reduction;
    filch_reduction bad;
    check_int(filch_parallel_reduce(0, 1, 0, NULL, result, NULL), -EINVAL);
    check_int(filch_parallel_reduce(0, 1, 0, &good, NULL, NULL), -EINVAL);
    check_int(filch_parallel_reduce(0, 1, -1, &good, result, NULL), -EINVAL);
    bad = good, bad.size = 0;
    check_int(filch_parallel_reduce(0, 1, 0, &bad, result, NULL), -EINVAL);
    bad = good, bad.size = 4097;
    check_int(filch_parallel_reduce(0, 1, 0, &bad, result, NULL), -EINVAL);
    bad = good, bad.init = NULL;
    check_int(filch_parallel_reduce(0, 1, 0, &bad, result, NULL), -EINVAL);
    bad = good, bad.body = NULL;
    check_int(filch_parallel_reduce(0, 1, 0, &bad, result, NULL), -EINVAL);
    bad = good, bad.combine = NULL;
    check_int(filch_parallel_reduce(0, 1, 0, &bad, result, NULL), -EINVAL);
    return 0;
}

TEST(parallel, a_reduction_refuses_bad_arguments) {
    everywhere(reduce_with_bad_arguments);
}

/* ---------------------------------------------------------------------------------------------------------- calls */

struct counted_call {
    atomic_int calls;
    int result;
};

static int counted_call(void *arg) {
    struct counted_call *call = arg;
    atomic_fetch_add(&call->calls, 1);
    return call->result;
}

#define CALLS_MAX 1000

static void check_invoke(size_t count, size_t first_failing) {
    static struct counted_call counted[CALLS_MAX];
    static filch_call calls[CALLS_MAX];
    for (size_t i = 0; i < count; i++) {
        counted[i] = (struct counted_call){0, i < first_failing ? 0 : -(int)i - 1};
        calls[i] = (filch_call){counted_call, &counted[i]};
    }
    check_int(filch_parallel_invoke(count, calls), first_failing < count ? -(int)first_failing - 1 : 0);
    for (size_t i = 0; i < count; i++) check_int(counted[i].calls, 1);
}

static int invoke_many(void *arg) {
    (void)arg;
    static const size_t counts[] = {0, 1, 2, 3, 5, 16, 17, 100, CALLS_MAX};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        check_invoke(counts[i], CALLS_MAX);
        check_invoke(counts[i], 0);
        check_invoke(counts[i], counts[i] / 2);
        if (counts[i] > 0) check_invoke(counts[i], counts[i] - 1);
    }
    return 0;
}

TEST(parallel, all_calls_of_a_set_run_once_and_the_first_failure_is_returned) {
    everywhere(invoke_many);
}

static int invoke_with_bad_arguments(void *arg) {
    (void)arg;
    struct counted_call counted = {0};
    filch_call calls[] = {{counted_call, &counted}, {NULL, NULL}};
    check_int(filch_parallel_invoke(0, NULL), 0);
    check_int(filch_parallel_invoke(1, NULL), -EINVAL);
    check_int(filch_parallel_invoke(2, calls), -EINVAL);
    check_int(counted.calls, 0);
    return 0;
}

TEST(parallel, a_set_with_a_null_function_calls_nothing) {
    everywhere(invoke_with_bad_arguments);
}

/* Goes round a ring of calls: each waits for its turn, the last one goes first. */
struct ring_call {
    atomic_int *turn;
    int mine;
};

static int wait_for_turn(void *arg) {
    struct ring_call *call = arg;
    while (atomic_load(call->turn) != call->mine) filch_yield();
    atomic_fetch_sub(call->turn, 1);
    return 0;
}

static int invoke_ring(void *arg) {
    (void)arg;
    enum { COUNT = 100 };
    atomic_int turn = COUNT - 1;
    struct ring_call ring[COUNT];
    filch_call calls[COUNT];
    for (int i = 0; i < COUNT; i++) {
        ring[i] = (struct ring_call){&turn, i};
        calls[i] = (filch_call){wait_for_turn, &ring[i]};
    }
    check_int(filch_parallel_invoke(COUNT, calls), 0);
    check_int(turn, -1);
    return 0;
}

TEST(parallel, calls_of_a_set_may_wait_for_one_another) {
    for (size_t i = 0; i < WORKER_COUNTS; i++) {
        filch_options options = {.workers = worker_counts[i]};
        check_int(filch_run(invoke_ring, NULL, &options), 0);
    }
}
