/* SPDX-License-Identifier: MIT */
/* Copies of traces, in the order of time. What is copied when, and what of it is thrown away, is told in sched/trace.h. */
#include <errno.h>
#include <sys/mman.h>

#include "sched/runtime.h"
#include "sched/trace.h"

#define STAMPS ((uint64_t)1 << (64 - TRACE_KIND_BITS)) /* what stamps are counted modulo */

/* ------------------------------------------------------------------------------------------------------------ one ring */

/* A span of time by the trace's clock, and in nanoseconds. */
struct scale {
    uint64_t start, stamps, ns;
};

static uint64_t since_start(const struct scale *scale, uint64_t stamp) {
    return (stamp - scale->start) & (STAMPS - 1);
}

static uint64_t ns_of(const struct scale *scale, uint64_t stamps) {
    if (scale->stamps == scale->ns || scale->stamps == 0) return stamps;
    return (uint64_t)((unsigned __int128)stamps * scale->ns / scale->stamps);
}

static uint64_t first_kept(const struct filch__trace_ring *ring, uint64_t from, uint64_t count) {
    uint64_t size = ring->mask + 1;
    return count > from + size ? count - size : from;
}

/* Those that may have been overwritten when the count was `count`: one more than those that have been. */
static uint64_t first_whole(const struct filch__trace_ring *ring, uint64_t from, uint64_t count) {
    uint64_t size = ring->mask + 1;
    return count + 1 > from + size ? count + 1 - size : from;
}

static void copy_ring(struct filch__trace_row *row, const struct filch__trace_ring *ring, const struct scale *scale) {
    uint64_t start = load_acquire(&ring->from); /* FROM: so `count` is not less */
    uint64_t count = load_acquire(&ring->count), from = first_kept(ring, start, count); /* EVENT */
    for (uint64_t index = from; index < count; index++) {
        const uint64_t *words = &ring->words[(index & ring->mask) * TRACE_WORDS];
        for (int i = 0; i < TRACE_WORDS; i++) row->events[index - from].words[i] = load_acquire(&words[i]); /* OVER */
    }
    uint64_t whole = first_whole(ring, from, load_relaxed(&ring->count)); /* after the words, which were acquired */
    if (whole > count) whole = count;
    row->lost = whole - start;
    uint64_t ns = 0;
    for (uint64_t index = whole; index < count; index++) {
        struct filch__trace_event event = row->events[index - from];
        uint64_t stamps = since_start(scale, event.words[0] >> TRACE_KIND_BITS);
        if (stamps >= STAMPS / 2) continue; /* from before the start: see empty() in sched/trace.c */
        event.ns = ns_of(scale, stamps);
        if (event.ns < ns) event.ns = ns;
        ns = event.ns;
        row->events[row->count++] = event;
    }
}

/* ------------------------------------------------------------------------------------------------------------ in order */

static bool is_before(const struct filch__trace_copy *copy, unsigned one, unsigned other) {
    const struct filch__trace_row *a = &copy->rows[one], *b = &copy->rows[other];
    uint64_t a_ns = a->events[a->next].ns, b_ns = b->events[b->next].ns;
    return a_ns != b_ns ? a_ns < b_ns : one < other;
}

static void swap(unsigned *one, unsigned *other) {
    unsigned kept = *one;
    *one = *other;
    *other = kept;
}

static void sift_down(struct filch__trace_copy *copy, unsigned at) {
    unsigned *heap = copy->heap;
    for (unsigned child; (child = 2 * at + 1) < copy->heap_count; at = child) {
        if (child + 1 < copy->heap_count && is_before(copy, heap[child + 1], heap[child])) child++;
        if (!is_before(copy, heap[child], heap[at])) return;
        swap(&heap[child], &heap[at]);
    }
}

static void make_heap(struct filch__trace_copy *copy) {
    for (unsigned i = 0; i < copy->row_count; i++) {
        if (copy->rows[i].count > 0) copy->heap[copy->heap_count++] = i;
    }
    for (unsigned i = copy->heap_count; i-- > 0;) sift_down(copy, i);
}

const struct filch__trace_event *filch__trace_next(struct filch__trace_copy *copy, struct filch__trace_row **row) {
    if (copy->heap_count == 0) return NULL;
    struct filch__trace_row *first = *row = &copy->rows[copy->heap[0]];
    const struct filch__trace_event *event = &first->events[first->next++];
    if (first->next == first->count) copy->heap[0] = copy->heap[--copy->heap_count];
    sift_down(copy, 0);
    return event;
}

/* --------------------------------------------------------------------------------------------------------------- all */

/* Of workers by their index, then that of those outside; or NULL. */
static const struct filch__trace_ring *ring_of_row(const struct filch__trace *trace, unsigned row) {
    return row < trace->ring_count ? load_acquire(&trace->rings[row]) : trace->outside; /* MADE */
}

/* relaxed: under the lock of traces, or, in a crash, what there is. */
static struct filch__trace_time time_at(const struct filch__trace_time *noted) {
    return (struct filch__trace_time){load_relaxed(&noted->stamp), load_relaxed(&noted->ns),
                                      load_relaxed(&noted->tasks)};
}

/* Whether the trace is on or was stopped, that is the time up to which it goes. */
static struct filch__trace_time end_of(const struct filch__trace *trace) {
    return load_acquire(&trace->on) ? filch__trace_now(trace) : time_at(&trace->stopped);
}

static void *carve(char **at, size_t size) {
    char *there = *at;
    *at += (size + 15) & ~(size_t)15;
    return there;
}

static unsigned count_rings(const struct filch__trace *trace) {
    unsigned count = 0;
    for (unsigned i = 0; i <= trace->ring_count; i++) count += ring_of_row(trace, i) != NULL;
    return count;
}

/* Memory that is not written to is not taken. */
static bool make_room(struct filch__trace_copy *copy, unsigned rings) {
    size_t events = (size_t)copy->trace->events * sizeof(struct filch__trace_event) + 16;
    size_t row = events + sizeof(struct filch__trace_row) + sizeof(unsigned) + 32;
    copy->bytes = rings * row;
    char *at = mmap(NULL, copy->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return false;
    copy->rows = carve(&at, rings * sizeof *copy->rows);
    copy->heap = carve(&at, rings * sizeof *copy->heap);
    for (unsigned i = 0; i < rings; i++) copy->rows[i].events = carve(&at, events);
    return true;
}

static void copy_row(struct filch__trace_copy *copy, unsigned worker, const struct scale *scale) {
    const struct filch__trace_ring *ring = ring_of_row(copy->trace, worker);
    struct filch__trace_row *row = &copy->rows[copy->row_count++];
    row->worker = worker < copy->trace->ring_count ? worker : TRACE_OUTSIDE;
    copy_ring(row, ring, scale);
    copy->count += row->count;
    copy->lost += row->lost;
    uint64_t end_ns = row->count == 0 ? 0 : row->events[row->count - 1].ns;
    if (end_ns > copy->end_ns) copy->end_ns = end_ns;
}

int filch__trace_take(struct filch__trace_copy *copy, struct filch__trace *trace) {
    *copy = (struct filch__trace_copy){.trace = trace, .started = time_at(&trace->started)};
    unsigned rings = count_rings(trace);
    if (!make_room(copy, rings)) return -ENOMEM;
    struct filch__trace_time end = end_of(trace);
    copy->end_tasks = end.tasks;
    struct scale scale = {copy->started.stamp & (STAMPS - 1), end.stamp - copy->started.stamp,
                          (uint64_t)(end.ns - copy->started.ns)};
    /* In a crash another worker may get a ring meanwhile: it is left out. */
    for (unsigned i = 0; i <= trace->ring_count && copy->row_count < rings; i++) {
        if (ring_of_row(trace, i) != NULL) copy_row(copy, i, &scale);
    }
    make_heap(copy);
    return 0;
}

void filch__trace_drop(struct filch__trace_copy *copy) {
    munmap(copy->rows, copy->bytes);
}
