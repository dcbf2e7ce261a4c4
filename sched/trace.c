/* SPDX-License-Identifier: MIT */
/* Traces: events are put, and tracing is switched on and off. The rules are in sched/trace.h. */
#include "sched/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "alloc/alloc.h"
#include "base/clock.h"
#include "base/place.h"
#include "base/stand_in.h"
#include "base/tasksan.h"
#include "base/ticks.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/task.h"

enum {
    EVENTS_DEFAULT = 16384,
    EVENTS_MIN = 64,
};

struct filch__lock filch__trace_lock = {PTHREAD_MUTEX_INITIALIZER};

/* ------------------------------------------------------------------------------------------------------------- time */

static int64_t simulated_now(void) {
    const struct filch__stand_in *stand_in = filch__stand_in_now();
    return stand_in == NULL ? 0 : stand_in->clock_peek();
}

static uint64_t simulated_stamp(struct filch__trace *trace) {
    uint64_t now = (uint64_t)simulated_now();
    trace->last = now > trace->last ? now : trace->last + 1;
    return trace->last;
}

static never_inline uint64_t slow_stamp(const struct filch__trace_ring *ring) {
    return ring->clock == TRACE_SIMULATED ? simulated_stamp(ring->trace) : (uint64_t)filch__clock_now();
}

static force_inline uint64_t stamp(const struct filch__trace_ring *ring) {
    return likely(ring->clock == TRACE_TICKS) ? filch__ticks_now() : slow_stamp(ring);
}

/* As all_done() in sched/runtime.c counts them. relaxed: where the runtime is at rest it is exact, else about that. */
static int64_t count_tasks(struct filch_runtime *runtime) {
    uint64_t completed = 0, spawned = 0;
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) completed += load_relaxed(&filch__runtime_worker(runtime, i)->completed);
    for (unsigned i = 0; i < known; i++) spawned += load_relaxed(&filch__runtime_worker(runtime, i)->spawned);
    return (int64_t)(spawned + load_relaxed(&runtime->spawned_outside) - completed);
}

struct filch__trace_time filch__trace_now(const struct filch__trace *trace) {
    int64_t ns = trace->clock == TRACE_SIMULATED ? simulated_now() : filch__clock_now();
    uint64_t now = trace->clock == TRACE_TICKS ? filch__ticks_now() : (uint64_t)ns;
    return (struct filch__trace_time){now, ns, count_tasks(trace->runtime)};
}

/* -------------------------------------------------------------------------------------------------------------- put */

static force_inline void put(struct filch__trace_ring *ring, enum trace_kind kind, uint64_t one, uint64_t two,
                             uint64_t three) {
    uint64_t index = load_relaxed(&ring->count); /* its own */
    uint64_t *words = &ring->words[(index & ring->mask) * TRACE_WORDS];
    store_release(&words[0], stamp(ring) << TRACE_KIND_BITS | (uint64_t)kind); /* OVER, as the next */
    store_release(&words[1], one);
    store_release(&words[2], two);
    store_release(&words[3], three);
    store_release(&ring->count, index + 1); /* EVENT */
}

/* The worker's ring; NULL: tracing has just been switched off. */
static force_inline struct filch__trace_ring *ring_of(struct filch__hot *hot) {
    return load_acquire(&hot->trace); /* MADE */
}

static force_inline uint64_t word_of(const void *address, uint32_t label) {
    return ((uint64_t)(uintptr_t)address & TRACE_ADDRESS) | (uint64_t)label << TRACE_LABEL_SHIFT;
}

/* By who may look at the task's record: a strand of it, its spawner, or who is about to wake it. */
static uint64_t word_of_task(struct filch_task *task) {
    if (task == NULL) return 0;
    struct filch__task_extra *extra = load_acquire(&task->extra);
    const void *fn = (const void *)(uintptr_t)task->fn;
    return word_of(task, filch__label_of(fn, load_relaxed(&task->spawned_at), extra == NULL ? "" : extra->name));
}

static force_inline void put_task(struct filch__hot *hot, enum trace_kind kind, struct filch_task *task, uint64_t two,
                                  uint64_t three) {
    struct filch__trace_ring *ring = ring_of(hot);
    if (ring != NULL) put(ring, kind, word_of_task(task), two, three);
}

/* ----------------------------------------------------------------------------------------------- the worker's events */

void filch__trace_spawn(struct filch__hot *hot, struct filch_task *task) {
    put_task(hot, TRACE_SPAWN, task, 0, 0);
}

static uint64_t word_of_caller(struct filch_task *task) {
    bool in_place = load_relaxed(&task->flags) & TASK_IN_PLACE; /* written by its caller */
    return in_place ? word_of_task(filch__task_awaiter_in_place(task)) : 0;
}

void filch__trace_begin(struct filch__hot *hot, struct filch_task *task) {
    put_task(hot, TRACE_BEGIN, task, word_of_caller(task), 0);
}

void filch__trace_end(struct filch__hot *hot, struct filch_task *task, int result) {
    put_task(hot, TRACE_END, task, word_of_caller(task), (uint64_t)(int64_t)result);
}

void filch__trace_call_begin(struct filch__hot *hot, const filch_frame *frame) {
    const void *fn = (const void *)(uintptr_t)frame->fn;
    put_task(hot, TRACE_CALL_BEGIN, region_task(frame->filch__region), filch__label_of(fn, NULL, ""), 0);
}

void filch__trace_call_end(struct filch__hot *hot, const filch_frame *frame) {
    put_task(hot, TRACE_CALL_END, region_task(frame->filch__region), 0, 0);
}

static uint64_t word_of_waiter(const struct filch__waiter *waiter) {
    return word_of(waiter, (uintptr_t)waiter->region & REGION_CHILD ? TRACE_OF_CALL : 0);
}

void filch__trace_wait(struct filch__hot *hot, const struct filch__waiter *waiter) {
    uint64_t object = word_of(waiter->object, filch__label_of(waiter->reason, NULL, ""));
    put_task(hot, TRACE_WAIT, region_task(waiter->region), word_of_waiter(waiter), object);
}

void filch__trace_yield(struct filch__hot *hot, const struct filch__waiter *waiter) {
    put_task(hot, TRACE_YIELD, region_task(waiter->region), word_of_waiter(waiter), 0);
}

void filch__trace_resume(struct filch__hot *hot, const struct filch__waiter *waiter) {
    put_task(hot, TRACE_RESUME, region_task(waiter->region), word_of_waiter(waiter), 0);
}

/* Of the waiter nothing is looked at: it may be about to park, and its own strand still writing to it. */
void filch__trace_wake(struct filch__hot *hot, const struct filch__waiter *waiter) {
    put_task(hot, TRACE_WAKE, NULL, word_of(waiter, 0), 0);
}

static struct filch_task *task_of(void *item) {
    switch (item_kind(item)) {
    case ITEM_TASK:
        return item_task(item);
    case ITEM_STRAND:
        return region_task(item_strand(item)->region);
    default:
        return region_task(item_frame(item)->filch__region);
    }
}

void filch__trace_steal(struct filch__hot *hot, void *item, unsigned victim) {
    put_task(hot, TRACE_STEAL, task_of(item), victim, 0);
}

void filch__trace_poll(struct filch__hot *hot, unsigned count) {
    put_task(hot, TRACE_POLL, NULL, count, 0);
}

void filch__trace_worker(struct filch__hot *hot, enum trace_kind kind) {
    put_task(hot, kind, region_task(hot->region), 0, 0);
}

void filch_trace_mark(const char *name) {
    struct filch__hot *hot = filch__here();
    if (!filch__traces(hot) || name == NULL) return;
    char own[32] = "";
    memcpy(own, name, strnlen(name, sizeof own - 1));
    put_task(hot, TRACE_MARK, region_task(hot->region), filch__label_of(NULL, NULL, own), 0);
}

/* -------------------------------------------------------------------------------------------------- from outside */

/* The thread, by the system's number; in a simulation, where that is another each time, there is but one. */
static uint64_t thread_number(const struct filch__trace *trace) {
    return trace->clock == TRACE_SIMULATED ? 1 : (uint64_t)gettid();
}

static void put_outside(struct filch_runtime *runtime, enum trace_kind kind, struct filch_task *task, uint64_t two) {
    struct filch__trace *trace = load_acquire(&runtime->trace);     /* MADE */
    if (likely(trace == NULL || !load_relaxed(&trace->on))) return; /* relaxed: some events more or less */
    uint64_t one = word_of_task(task), thread = thread_number(trace);
    filch__latch_take(&trace->latch);
    put(trace->outside, kind, one, two, thread);
    filch__latch_leave(&trace->latch);
}

void filch__trace_spawn_outside(struct filch_runtime *runtime, struct filch_task *task) {
    put_outside(runtime, TRACE_SPAWN, task, 0);
}

void filch__trace_wake_outside(struct filch_runtime *runtime, const struct filch__waiter *waiter) {
    put_outside(runtime, TRACE_WAKE, NULL, word_of(waiter, 0));
}

/* ------------------------------------------------------------------------------------------------------------- rings */

static size_t ring_size(unsigned events) {
    return sizeof(struct filch__trace_ring) + (size_t)events * TRACE_WORDS * sizeof(uint64_t);
}

static size_t trace_size(unsigned ring_count) {
    return sizeof(struct filch__trace) + ring_count * sizeof(struct filch__trace_ring *);
}

static struct filch__trace_ring *ring_make(struct filch__trace *trace) {
    struct filch__trace_ring *ring = filch__heap_get(ring_size(trace->events), CACHE_LINE);
    if (ring == NULL) return NULL;
    ring->trace = trace;
    ring->clock = trace->clock;
    ring->mask = trace->events - 1;
    return ring;
}

static void trace_free(struct filch__trace *trace) {
    for (unsigned i = 0; i < trace->ring_count; i++) {
        filch__heap_put(load_relaxed(&trace->rings[i]), ring_size(trace->events), CACHE_LINE);
    }
    filch__heap_put(trace->outside, ring_size(trace->events), CACHE_LINE);
    filch__heap_put(trace, trace_size(trace->ring_count), CACHE_LINE);
}

/* The worker has a ring afterwards, unless there is no memory for one. */
static bool ring_for(struct filch__trace *trace, const struct filch__worker *worker) {
    if (load_relaxed(&trace->rings[worker->index]) != NULL) return true; /* written under the lock */
    struct filch__trace_ring *ring = ring_make(trace);
    store_release(&trace->rings[worker->index], ring); /* MADE */
    return ring != NULL;
}

/* With a ring for each worker that is known by now, and nothing in them. NULL: no memory. */
static struct filch__trace *trace_make(struct filch_runtime *runtime, unsigned events) {
    unsigned ring_count = runtime->worker_count + SPARES_MAX;
    struct filch__trace *trace = filch__heap_get(trace_size(ring_count), CACHE_LINE);
    if (trace == NULL) return NULL;
    trace->runtime = runtime;
    trace->events = events;
    trace->ring_count = ring_count;
    trace->clock = runtime->simulated ? TRACE_SIMULATED : filch__ticks_are_there() ? TRACE_TICKS : TRACE_SYSTEM;
    trace->outside = ring_make(trace);
    bool made = trace->outside != NULL;
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; made && i < known; i++) made = ring_for(trace, filch__runtime_worker(runtime, i));
    if (made) return trace;
    trace_free(trace);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------- start and stop */

/* A power of two; 0: out of range. */
static unsigned events_asked(const filch_trace_options *options, const struct filch__trace *there) {
    unsigned asked = options == NULL ? 0 : options->events, events = EVENTS_MIN;
    if (asked > FILCH_TRACE_EVENTS_MAX) return 0;
    if (asked == 0) return there != NULL ? there->events : EVENTS_DEFAULT;
    while (events < asked) events *= 2;
    return events;
}

/* Empties the ring. What its writer puts just now may stay in it; but it is from before the start, and left out. */
static void empty(struct filch__trace_ring *ring) {
    store_release(&ring->from, load_acquire(&ring->count)); /* FROM */
}

/* relaxed: who reads it has the lock, too, or takes what there is. */
static void note_time(struct filch__trace_time *noted, struct filch__trace_time time) {
    store_relaxed(&noted->stamp, time.stamp);
    store_relaxed(&noted->ns, time.ns);
    store_relaxed(&noted->tasks, time.tasks);
}

/* Under the lock: each worker that has a ring is shown it, or none. */
static void show_rings(struct filch__trace *trace, bool shown) {
    unsigned known = filch__runtime_known(trace->runtime);
    for (unsigned i = 0; i < known; i++) {
        struct filch__hot *hot = &filch__runtime_worker(trace->runtime, i)->deque.hot;
        struct filch__trace_ring *ring = load_relaxed(&trace->rings[i]); /* written under the lock */
        store_release(&hot->trace, shown ? ring : NULL);                 /* MADE */
    }
    store_release(&trace->on, (uint32_t)shown);
}

static int start(struct filch_runtime *runtime, const filch_trace_options *options) {
    struct filch__trace *trace = load_relaxed(&runtime->trace); /* written under the lock */
    unsigned events = events_asked(options, trace);
    if (events == 0 || (trace != NULL && trace->events != events)) return -EINVAL;
    if (trace != NULL && load_relaxed(&trace->on)) return -EALREADY;
    if (trace == NULL) {
        trace = trace_make(runtime, events);
        if (trace == NULL) return -ENOMEM;
        store_release(&runtime->trace, trace); /* MADE */
    }
    empty(trace->outside);
    for (unsigned i = 0; i < trace->ring_count; i++) {
        if (load_relaxed(&trace->rings[i]) != NULL) empty(trace->rings[i]);
    }
    note_time(&trace->started, filch__trace_now(trace));
    show_rings(trace, true);
    return 0;
}

int filch_trace_start(filch_runtime *runtime, const filch_trace_options *options) {
    if (runtime == NULL) return -EINVAL;
    if (filch__runtime_is_parents(runtime)) return -ESHUTDOWN;
    filch__lock_take(&filch__trace_lock);
    int answer = start(runtime, options);
    filch__lock_leave(&filch__trace_lock);
    return answer;
}

int filch_trace_stop(filch_runtime *runtime) {
    if (runtime == NULL) return -EINVAL;
    if (filch__runtime_is_parents(runtime)) return -ESHUTDOWN;
    filch__lock_take(&filch__trace_lock);
    struct filch__trace *trace = load_relaxed(&runtime->trace); /* written under the lock */
    int answer = trace != NULL && load_relaxed(&trace->on) ? 0 : -EALREADY;
    if (answer == 0) {
        show_rings(trace, false);
        note_time(&trace->stopped, filch__trace_now(trace));
    }
    filch__lock_leave(&filch__trace_lock);
    return answer;
}

void filch__trace_add_worker(struct filch__worker *worker) {
    struct filch_runtime *runtime = worker->runtime;
    filch__lock_take(&filch__trace_lock);
    struct filch__trace *trace = load_relaxed(&runtime->trace); /* written under the lock */
    if (trace != NULL && ring_for(trace, worker) && load_relaxed(&trace->on)) {
        store_release(&worker->deque.hot.trace, load_relaxed(&trace->rings[worker->index])); /* MADE */
    }
    filch__lock_leave(&filch__trace_lock);
}

void filch__trace_forget(void) {
    filch__lock_init(&filch__trace_lock); /* whoever had it */
}

void filch__trace_fini(struct filch_runtime *runtime) {
    struct filch__trace *trace = load_relaxed(&runtime->trace); /* nobody else knows of the runtime any more */
    if (trace != NULL) trace_free(trace);
    store_relaxed(&runtime->trace, NULL); /* its record may be used again */
}

/* -------------------------------------------------------------------------------------------------------------- dump */

int filch__trace_take_locked(struct filch__trace_copy *copy, struct filch__trace *trace) {
    filch__lock_take(&filch__trace_lock);
    int answer = filch__trace_take(copy, trace);
    filch__lock_leave(&filch__trace_lock);
    return answer;
}

int filch_trace_dump(filch_runtime *runtime, int fd) {
    if (runtime == NULL) return -EINVAL;
    if (filch__runtime_is_parents(runtime)) return -ESHUTDOWN;
    struct filch__trace *trace = load_acquire(&runtime->trace); /* MADE */
    if (trace == NULL) return -ENODATA;
    struct filch__trace_copy copy;
    int answer = filch__trace_take_locked(&copy, trace);
    if (answer != 0) return answer;
    answer = filch__trace_write(&copy, fd, filch__place_write);
    filch__trace_drop(&copy);
    return answer;
}

int filch_trace_save(filch_runtime *runtime, const char *path) {
    if (runtime == NULL || path == NULL) return -EINVAL;
    if (filch__runtime_is_parents(runtime)) return -ESHUTDOWN;
    if (load_acquire(&runtime->trace) == NULL) return -ENODATA; /* MADE */
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return -errno;
    int answer = filch_trace_dump(runtime, fd);
    if (close(fd) != 0 && answer >= 0) answer = -errno;
    return answer;
}
