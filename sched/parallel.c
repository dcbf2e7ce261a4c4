/* SPDX-License-Identifier: MIT */
/*
 * Loops, reductions and sets of calls, built on nothing but fork and join and the question whether a fork would be
 * taken.
 *
 * A loop is worked on by strands, each with a span: the indices that it still has to do. A strand goes through its
 * span from the left in stretches. Between two stretches it looks up: if its worker's deque is empty, so that all that
 * was offered has been taken, it forks the right half of its span. So a loop that nobody helps with costs a fork for
 * each halving of its range, and one that many help with is halved as often as they come back for more.
 *
 * A stretch is as many indices as take some microseconds, found by doubling from one: long enough for the looks to
 * cost nothing, short enough for a thief not to wait. It is at most a quarter of the span, since what was cheap so far
 * may turn dear, and a stretch cannot be shared once begun.
 *
 * Invariants
 *   I1  the spans of a loop's strands never overlap: split hands the right half over and keeps the left one.
 *   I2  a strand returns the failure of its lowest failing part: it ends at its first one, and a left half's failure
 *       goes before its right half's. Strands that see `failed` leave the rest of their span out.
 *   I3  a strand adds to one accumulator from left to right, and a right half's is combined into it after the join.
 *   I4  halving bounds the recursion at 64 levels, of about 500 bytes each at most.
 *
 * Indices are counted unsigned: a range may be longer than INT64_MAX.
 */
#include <filch/fork.h>
#include <filch/parallel.h>

#include <errno.h>

#include "alloc/heap.h"
#include "base/assert.h"
#include "base/atomic.h"
#include "base/clock.h"
#include "sched/sched.h"

#define STRETCH_SHORT_NS 5000 /* a stretch that took less is followed by one twice as long */
#define STRETCH_LONG_NS 20000 /* one that took more, by one that would have taken less */
#define STRETCH_PART 4        /* a stretch is at most a quarter of what is left */

#define ACCUMULATOR_SMALL 64 /* bytes of an accumulator that may stand on the stack, at every level of I4 */
#define ACCUMULATOR_MAX 4096
#define ACCUMULATOR_ALIGN CACHE_LINE /* strands fill neighbours at the same time */

struct loop {
    /* read-only */
    filch_range_fn *body;
    const filch_reduction *reduction; /* NULL in a plain loop, which has a body instead */
    void *arg;
    uint64_t grain; /* most indices of a part; UINT64_MAX: no limit */
    uint64_t unit;  /* stretches and halves are multiples of it: the grain, or 1 without one */

    /* any strand, atomic */
    ATOMIC(bool) failed; /* a hint, hence relaxed: the failure itself travels through the joins */
};

struct span {
    struct loop *loop;
    int64_t first;
    uint64_t count;
    uint64_t stretch;  /* indices between two looks */
    void *accumulator; /* NULL in a plain loop */
};

/* `index` + `count`, where the sum is known to be an int64_t though `count` may not be. */
static int64_t advance(int64_t index, uint64_t count) {
    return (int64_t)((uint64_t)index + count);
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* `count` rounded down to a multiple of the loop's unit, but at least one unit. */
static uint64_t whole_units(const struct loop *loop, uint64_t count) {
    if (count <= loop->unit) return loop->unit;
    return loop->unit == 1 ? count : count - count % loop->unit;
}

static int call_body(const struct span *span, int64_t first, uint64_t count) {
    const struct loop *loop = span->loop;
    int64_t last = advance(first, count);
    if (loop->reduction != NULL) return loop->reduction->body(first, last, span->accumulator, loop->arg);
    return loop->body(first, last, loop->arg);
}

/* Does the first `count` indices of `span`, in parts of at most the grain. */
static int run_stretch(struct span *span, uint64_t count) {
    const struct loop *loop = span->loop;
    while (count > 0) {
        uint64_t part = smaller(count, loop->grain);
        int result = call_body(span, span->first, part);
        if (unlikely(result != 0)) return result;
        if (unlikely(load_relaxed(&loop->failed))) return 0;
        span->first = advance(span->first, part);
        span->count -= part;
        count -= part;
    }
    return 0;
}

/* How long the next stretch is to be, after one of `count` indices that took `duration_ns`. */
static uint64_t next_stretch(const struct span *span, uint64_t count, int64_t duration_ns) {
    if (duration_ns < STRETCH_SHORT_NS) return span->stretch <= span->count / 2 ? span->stretch * 2 : span->stretch;
    while (duration_ns > STRETCH_LONG_NS && count > span->loop->unit) {
        count /= 2;
        duration_ns /= 2;
    }
    return count;
}

static int run_span(struct span *span);

static int run_right_half(void *arg) {
    struct span *span = arg;
    const struct loop *loop = span->loop;
    /* Even where the loop has failed and nothing is added: it will be combined. */
    if (loop->reduction != NULL) loop->reduction->init(span->accumulator, loop->arg);
    return run_span(span);
}

/* Does `span`, with its right half on offer to others. `accumulator` is the right half's; NULL in a plain loop. */
static int split(struct span *span, void *accumulator) {
    const struct loop *loop = span->loop;
    uint64_t kept = whole_units(loop, span->count / 2);
    struct span right = *span;
    right.first = advance(span->first, kept);
    right.count = span->count - kept;
    right.accumulator = accumulator;
    span->count = kept;

    filch_frame frame;
    filch_fork(&frame, run_right_half, &right);
    int of_left = run_span(span);
    int of_right = filch_join(&frame);
    if (of_left != 0) return of_left;
    if (of_right == 0 && loop->reduction != NULL) loop->reduction->combine(span->accumulator, accumulator, loop->arg);
    return of_right;
}

/* Apart from split so that the frames of plain loops stay small. */
static never_inline int split_small(struct span *span) {
    _Alignas(max_align_t) char accumulator[ACCUMULATOR_SMALL];
    return split(span, accumulator);
}

/* Tries to split `span`. False where there is no memory for the right half's accumulator; then nothing was done. */
static never_inline bool try_split(struct span *span, int *result) {
    const filch_reduction *reduction = span->loop->reduction;
    if (reduction == NULL) {
        *result = split(span, NULL);
    } else if (reduction->size <= ACCUMULATOR_SMALL) {
        *result = split_small(span);
    } else {
        void *accumulator = filch__heap_get(reduction->size, ACCUMULATOR_ALIGN);
        if (accumulator == NULL) return false;
        *result = split(span, accumulator);
        filch__heap_put(accumulator, reduction->size, ACCUMULATOR_ALIGN);
    }
    return true;
}

/* A strand: does what is left of `span`, itself or with others. */
static int run_span(struct span *span) {
    struct loop *loop = span->loop;
    int64_t began_ns = 0; /* of the stretch; 0: not read yet */
    while (span->count > 0 && !load_relaxed(&loop->failed)) {
        int result;
        /* What one stretch is known to finish is not worth a fork. */
        if (span->count > span->stretch && filch__fork_wanted() && try_split(span, &result)) return result;

        uint64_t most = whole_units(loop, span->count / STRETCH_PART);
        uint64_t count = smaller(span->count, smaller(span->stretch, most));
        bool is_last = count == span->count;
        if (!is_last && began_ns == 0) began_ns = filch__clock_now();
        result = run_stretch(span, count);
        if (unlikely(result != 0)) {
            store_relaxed(&loop->failed, true);
            return result;
        }
        if (is_last) break;
        int64_t now_ns = filch__clock_now();
        span->stretch = whole_units(loop, next_stretch(span, count, now_ns - began_ns));
        began_ns = now_ns;
    }
    return 0;
}

static int run_loop(struct loop *loop, int64_t first, int64_t last, int64_t grain, void *accumulator) {
    if (first >= last) return 0;
    loop->grain = grain > 0 ? (uint64_t)grain : UINT64_MAX;
    loop->unit = grain > 0 ? (uint64_t)grain : 1;
    struct span span = {
        .loop = loop,
        .first = first,
        .count = (uint64_t)last - (uint64_t)first,
        .stretch = loop->unit,
        .accumulator = accumulator,
    };
    return run_span(&span);
}

int filch_parallel_for(int64_t first, int64_t last, int64_t grain, filch_range_fn *body, void *arg) {
    if (body == NULL || grain < 0) return -EINVAL;
    struct loop loop = {.body = body, .arg = arg};
    return run_loop(&loop, first, last, grain, NULL);
}

int filch_parallel_reduce(int64_t first, int64_t last, int64_t grain, const filch_reduction *reduction, void *result,
                          void *arg) {
    if (reduction == NULL || result == NULL || grain < 0) return -EINVAL;
    if (reduction->init == NULL || reduction->body == NULL || reduction->combine == NULL) return -EINVAL;
    if (reduction->size == 0 || reduction->size > ACCUMULATOR_MAX) return -EINVAL;
    struct loop loop = {.reduction = reduction, .arg = arg};
    reduction->init(result, arg);
    return run_loop(&loop, first, last, grain, result);
}

/* Some calls of a set, side by side. */
struct calls {
    const filch_call *calls;
    size_t count;
};

/*
 * Makes the calls. They are all forked, wanted or not: a call may wait for what a later one does (a message, say), and
 * while it waits, what has been forked can run; what has not cannot.
 */
static int run_calls(void *arg) {
    const struct calls *left = arg;
    if (left->count == 1) return left->calls->fn(left->calls->arg);
    size_t half = left->count / 2;
    struct calls first = {left->calls, half}, second = {left->calls + half, left->count - half};
    filch_frame frame;
    filch_fork(&frame, run_calls, &second);
    int of_first = run_calls(&first);
    int of_second = filch_join(&frame);
    return of_first != 0 ? of_first : of_second;
}

int filch_parallel_invoke(size_t count, const filch_call *calls) {
    if (count == 0) return 0;
    if (calls == NULL) return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (calls[i].fn == NULL) return -EINVAL;
    }
    struct calls all = {calls, count};
    return run_calls(&all);
}
